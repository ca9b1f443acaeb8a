import dataclasses

import numpy as np
import pytest

from byline.core import RunId, StoreError, sha256_hex
from byline.store import Blob, Group, RunManifest, RunSpec, RunWriter, Shard, open_store
from byline.store.format import Digests, parse_manifest

GOLDEN = {
    "shards/00000.features.i8": "7fc0c07f" + "0000" + "4081",
    "shards/00000.scales.f32": "0402013c" + "0402013c" + "00000000" + "0000803f",
    "shards/00000.rows.u32": "0000000000000000" + "0100000000000000",
    "shards/00000.ids.jsonl": b'"ex:one"\n"ex:tw\xc3\xb6"\n'.hex(),
    "shards/00000.steps.jsonl": b'{"loss":2.5,"step":0}\n'.hex(),
    "shards/00001.features.i8": "817f0000",
    "shards/00001.scales.f32": "0402813f" + "00000000",
    "shards/00001.rows.u32": "0000000001000000",
    "shards/00001.ids.jsonl": "",
    "shards/00001.steps.jsonl": b'{"loss":2.25,"step":1}\n{"loss":null,"step":2}\n'.hex(),
    "blobs/v.e47d57f4d6e7": "010002000302",
}


def write_golden(path):
    spec = RunSpec(RunId("run:golden"), "m", (Group("a", 2), Group("b", 2)), '{"rank":2}')
    with RunWriter.create(path, spec) as writer:
        writer.append(0, ["ex:one", "ex:twö"], np.array([[1, -0.5, -0.5, 1], [0, 0, 64, -127]]))
        writer.end_step(0, {"loss": 2.5})
        writer.flush()
        writer.append(1, ["ex:one"], np.array([[-128, 128, 0, 0]], dtype=np.float16))
        writer.end_step(1, {"loss": 2.25})
        writer.end_step(2, {"loss": None})
        writer.put_blob("v", np.array([[1, 2, 515]], dtype=">u2"))


def test_golden_bytes(tmp_path):
    write_golden(tmp_path)
    files = {str(file.relative_to(tmp_path)): file for file in tmp_path.rglob("*") if file.is_file()}
    data = (files.pop("manifest.json")).read_bytes()
    assert {name: file.read_bytes().hex() for name, file in files.items()} == GOLDEN
    digests = {name: sha256_hex(bytes.fromhex(text)) for name, text in GOLDEN.items()}
    for name, digest in digests.items():
        assert digest.encode() in data, name
    assert data.startswith(
        b'{"blobs":[{"dtype":"uint16","name":"v","sha256":"' + digests["blobs/v.e47d57f4d6e7"].encode() + b'",'
        b'"shape":[1,3],"step":3}],"format":"byline-store/1","shards":[{"first_step":0,"ids":2,"name":"00000","rows":2,'
    )
    assert data.endswith(
        b'"spec":{"dtype":"int8","extra":"{}","groups":[{"name":"a","width":2},{"name":"b","width":2}],'
        b'"model":"m","projector":"{\\"rank\\":2}","run":"run:golden"}}'
    )


def test_golden_run_reads_back(tmp_path):
    write_golden(tmp_path)
    run = open_store(tmp_path)
    assert run.example_ids == ("ex:one", "ex:twö")
    assert run.examples_N.tolist() == [0, 1, 0] and run.steps_N.tolist() == [0, 0, 1]
    np.testing.assert_allclose(
        run.read(0, 3), [[1, -64 / 127, -64 / 127, 1], [0, 0, 64, -127], [-128, 128, 0, 0]], rtol=1e-6
    )
    assert run.step_log[2] == {"step": 2, "loss": None}
    assert run.blob("v").tolist() == [[1, 2, 515]] and run.blob("v").dtype == np.uint16


SPEC = RunSpec(RunId("run:1"), "m", (Group("a", 2), Group("b", 3)))
SUMS = Digests(*["0" * 64] * 5)


def test_columns_follow_the_order_of_the_groups():
    assert SPEC.columns("a") == slice(0, 2) and SPEC.columns("b") == slice(2, 5) and SPEC.width == 5
    with pytest.raises(StoreError, match="no group 'c'") as fault:
        SPEC.columns("c")
    assert "a, b" in fault.value.fix


@pytest.mark.parametrize(
    "change",
    [
        {"groups": ()},
        {"groups": (Group("a", 0),)},
        {"groups": (Group("a", 1), Group("a", 1))},
        {"dtype": "int4"},
        {"projector": "rank=2"},
        {"extra": "{"},
    ],
)
def test_bad_specs_are_refused(change):
    with pytest.raises(StoreError) as fault:
        dataclasses.replace(SPEC, **change)
    assert fault.value.code == "bad-spec"


def test_manifest_round_trip():
    shards = (Shard("00000", 3, 0, 2, 1, SUMS), Shard("00007", 0, 2, 1, 0, SUMS))
    manifest = RunManifest(SPEC, shards, (Blob("adam.v", "float32", (2, 2), 1, "a" * 64),))
    assert parse_manifest(manifest.to_bytes(), "m") == manifest
    assert manifest.n_steps == 3


@pytest.mark.parametrize(
    ("code", "shards", "blobs"),
    [
        ("bad-steps", [Shard("00000", 0, 1, 1, 0, SUMS)], []),
        ("bad-steps", [Shard("00000", 0, 0, 0, 0, SUMS)], []),
        ("bad-name", [Shard("0", 0, 0, 1, 0, SUMS)], []),
        ("bad-name", [Shard("000001", 0, 0, 1, 0, SUMS)], []),
        ("bad-name", [Shard("٠٠٠٠٠", 0, 0, 1, 0, SUMS)], []),
        ("bad-name", [Shard("00001", 0, 0, 1, 0, SUMS), Shard("00000", 0, 1, 1, 0, SUMS)], []),
        ("bad-name", [], [Blob("..", "int8", (), 0, "0" * 64)]),
        ("bad-name", [], [Blob("a/b", "int8", (), 0, "0" * 64)]),
        ("bad-name", [], [Blob("a\n", "int8", (), 0, "0" * 64)]),
        ("bad-name", [], [Blob("a", "int8", (), 0, "0" * 64)] * 2),
        ("bad-manifest", [Shard("00000", -1, 0, 1, 0, SUMS)], []),
        ("bad-manifest", [Shard("00000", 1, 0, 1, -1, SUMS)], []),
        ("bad-manifest", [Shard("00000", 1, 0, 1, 0, dataclasses.replace(SUMS, ids="0" * 63))], []),
        ("bad-manifest", [], [Blob("a", "object", (), 0, "0" * 64)]),
        ("bad-manifest", [], [Blob("a", "int8", (2, -1), 0, "0" * 64)]),
        ("bad-manifest", [], [Blob("a", "int8", (), 0, "../../../etc")]),
    ],
)
def test_manifests_that_cannot_be_true_are_refused(code, shards, blobs):
    data = RunManifest(SPEC, tuple(shards), tuple(blobs)).to_bytes()
    with pytest.raises(StoreError, match="here") as fault:
        parse_manifest(data, "here.json")
    assert fault.value.code == code and fault.value.fix


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}x", b'{"format":"byline-store/1"}'])
def test_manifests_that_are_none_are_refused(data):
    with pytest.raises(StoreError, match="here") as fault:
        parse_manifest(data, "here.json")
    assert fault.value.code == "bad-manifest"
