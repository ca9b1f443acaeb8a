"""Manifests: what is frozen verifies, what was altered does not, and absence can be proved for any id."""

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import (
    ClusterId,
    Decision,
    GateError,
    Manifest,
    ManifestEntry,
    Verdict,
    Work,
    WorkId,
    canonical_json,
    leaf_hash,
    node_hash,
)
from byline.gate import (
    AbsenceProof,
    Clusters,
    decide_all,
    find_clusters,
    freeze,
    prove_absence,
    read_manifest,
    verify_absence,
    verify_manifest,
    write_manifest,
)

Make = Callable[..., Work]
DAY = date(2024, 5, 6)


def frozen(works: list[Work]) -> Manifest:
    clusters = find_clusters(works, {work.id: work.title for work in works})
    return freeze(works, decide_all(works, clusters, [], DAY), clusters, DAY)


@pytest.fixture
def manifest(work: Make) -> Manifest:
    return frozen([work(f"title {n}") for n in range(7)] + [work(f"nameless {n}", licence="") for n in range(2)])


def listed(count: int) -> Manifest:
    """A manifest of works with the ids work:10, work:12, ..."""
    entries = [ManifestEntry(WorkId(f"work:{n}"), "ab", ClusterId("cluster:1")) for n in range(10, 10 + 2 * count, 2)]
    root = reference_root([leaf_hash(canonical_json(entry.to_json())) for entry in entries])
    return Manifest("manifest:1", DAY, tuple(entries), (), root.hex())  # type: ignore[arg-type]


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(reference_root(leaves[:split]), reference_root(leaves[split:]))


def test_freeze_keeps_the_admitted_in_order_and_says_who_was_refused(work: Make) -> None:
    works = [work(f"title {n}", licence="" if n in (2, 5) else "CC0-1.0") for n in range(9)]
    manifest = frozen(works)
    assert [entry.work for entry in manifest.entries] == sorted(one.id for one in works if one.licence)
    assert [decision.work for decision in manifest.refused] == sorted(one.id for one in works if not one.licence)
    digests = {one.id: one.sha256 for one in works}
    assert all(entry.sha256 == digests[entry.work] for entry in manifest.entries)
    leaves = [leaf_hash(canonical_json(entry.to_json())) for entry in manifest.entries]
    assert manifest.root == reference_root(leaves).hex()
    verify_manifest(manifest)
    assert frozen(works[::-1]).root == manifest.root


def test_nothing_admitted_and_decisions_missing(work: Make) -> None:
    works = [work("A", licence=""), work("B", licence="")]
    with pytest.raises(GateError, match="none of 2 works") as caught:
        frozen(works)
    assert caught.value.code == "nothing-admitted"
    with pytest.raises(GateError) as caught:
        freeze(works, [], Clusters((), ()), DAY)
    assert caught.value.code == "decisions-differ"


def test_every_altered_field_is_refused(manifest: Manifest) -> None:
    def code(**changes: object) -> str:
        with pytest.raises(GateError) as caught:
            verify_manifest(dataclasses.replace(manifest, **changes))  # type: ignore[arg-type]
        return caught.value.code

    entries, refused = manifest.entries, manifest.refused
    other = dataclasses.replace(entries[3], sha256="0" * 64)
    excused = dataclasses.replace(refused[0], because="no reason")
    admitted = dataclasses.replace(refused[0], verdict=Verdict.ADMIT)
    on_entry = Decision(entries[2].work, Verdict.REFUSE, "opt-out", "", ())
    assert code(entries=entries[:-1]) == "manifest-root"
    assert code(entries=(*entries[:3], other, *entries[4:])) == "manifest-root"
    assert code(entries=(*entries[:1], entries[2], entries[1], *entries[3:])) == "manifest-order"
    assert code(entries=(*entries, entries[-1])) == "manifest-order"
    assert code(entries=()) == "manifest-root"
    assert code(refused=refused[1:]) == "manifest-id"
    assert code(refused=(excused, *refused[1:])) == "manifest-id"
    assert code(refused=(admitted, *refused[1:])) == "manifest-contradiction"
    assert code(refused=(*refused, on_entry)) == "manifest-contradiction"
    assert code(frozen=date(2024, 5, 7)) == "manifest-id"
    assert code(root="00" * 32) == "manifest-root"
    assert code(id="manifest:0") == "manifest-id"


def test_files_come_back_as_they_were(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "new" / "manifest.json"
    write_manifest(manifest, path)
    assert read_manifest(path) == manifest
    assert [file.name for file in path.parent.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "manifest-unreadable"), (b"\xff", "manifest-unreadable"), (b"[]", "manifest-unreadable")],
)
def test_files_that_are_no_manifest(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "manifest.json"
    with pytest.raises(GateError, match=r"manifest\.json") as caught:
        read_manifest(path)
    assert caught.value.code == "manifest-missing"
    path.write_bytes(content)
    with pytest.raises(GateError, match=r"manifest\.json") as caught:
        read_manifest(path)
    assert caught.value.code == code


def test_every_altered_byte_of_a_file_is_refused_or_says_the_same(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_manifest(manifest, path)
    content = path.read_bytes()
    for offset in range(0, len(content), 7):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
        try:
            assert read_manifest(path) == manifest
            assert json.loads(path.read_bytes()) == json.loads(content)
        except GateError as fault:
            assert fault.code.startswith("manifest-")


def test_an_altered_manifest_is_not_written(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(GateError):
        write_manifest(dataclasses.replace(manifest, entries=manifest.entries[1:]), tmp_path / "manifest.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", range(1, 10))
def test_absence_is_proved_for_every_gap_and_both_ends(count: int) -> None:
    manifest = listed(count)
    for number in range(9, 12 + 2 * count):
        work = WorkId(f"work:{number:02d}")
        if any(entry.work == work for entry in manifest.entries):
            with pytest.raises(GateError, match=work) as caught:
                prove_absence(manifest, work)
            assert caught.value.code == "work-present"
            continue
        proof = prove_absence(manifest, work)
        assert verify_absence(proof, manifest.root)
        assert not verify_absence(proof, "00" * 32)
        assert not verify_absence(proof, "no hex")
        assert AbsenceProof.from_json(json.loads(json.dumps(proof.to_json()))) == proof


@given(st.integers(2, 40), st.data())
def test_no_two_entries_prove_a_present_work_absent(count: int, data: st.DataObject) -> None:
    """A liar has true audit paths of any two entries, and may claim any size and any places."""
    manifest = listed(count)
    target = manifest.entries[data.draw(st.integers(0, count - 1))].work
    honest = [prove_absence(manifest, WorkId(entry.work + "x")).before for entry in manifest.entries]
    before = data.draw(st.sampled_from([None, *(p for p in honest if p and p.entry.work < target)]))
    after = data.draw(st.sampled_from([None, *(p for p in honest if p and p.entry.work > target)]))
    size = data.draw(st.integers(1, 2 * count))
    place = data.draw(st.integers(-1, size))
    lie = AbsenceProof(
        target,
        size,
        before and dataclasses.replace(before, index=place),
        after and dataclasses.replace(after, index=place + 1),
    )
    assert not verify_absence(lie, manifest.root)


def test_a_proof_speaks_of_its_own_work_only() -> None:
    manifest = listed(6)
    proof = prove_absence(manifest, WorkId("work:13"))
    assert not verify_absence(dataclasses.replace(proof, work=WorkId("work:14")), manifest.root)
    assert not verify_absence(dataclasses.replace(proof, work=WorkId("work:11")), manifest.root)
    assert not verify_absence(dataclasses.replace(proof, work=WorkId("work:15")), manifest.root)
    assert not verify_absence(dataclasses.replace(proof, before=None), manifest.root)
    assert not verify_absence(dataclasses.replace(proof, after=None), manifest.root)
    assert not verify_absence(dataclasses.replace(proof, before=None, after=None), manifest.root)
