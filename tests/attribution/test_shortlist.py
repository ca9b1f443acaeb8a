"""The shortlist against a loop over visits and layers with float64 inverses; its folder; its invariances."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from byline.attribution import shortlist as shortlist_module
from byline.attribution.shortlist import build_shortlist, open_shortlist
from byline.attribution.shortlist_folder import FILES
from byline.core import AttributionError, RunId, StoreError, canonical_json, sha256_hex
from byline.store import Group, RunSpec, RunWriter, open_store

sys.path.insert(0, str(Path(__file__).parent))
from method_checks import check_method
from recorded import QUERIES

GROUPS = (Group("loud", 8), Group("dead", 2), Group("quiet", 12))


def visits(examples=150, steps=60, batch=8, seed=0):
    """[(step, ids, features_NK)]: layers a million times apart, correlated columns, every example seen about thrice."""
    rng = np.random.default_rng(seed)
    mix_KK = np.zeros((22, 22))
    mix_KK[:8, :8], mix_KK[10:, 10:] = 1e3 * rng.normal(size=(8, 8)), 1e-3 * rng.normal(size=(12, 12))
    taste_NK = rng.standard_normal((examples, 22))
    for step in range(steps):
        some = rng.choice(examples, batch, replace=False)
        features_NK = (taste_NK[some] + 0.3 * rng.standard_normal((batch, 22))) @ mix_KK
        yield step, [f"ex:{n:04d}" for n in some], features_NK.astype(np.float32)


def log(step):
    return {"lr": {"loud": 0.1 / (1 + step), "dead": 0.1, "quiet": 0.02}, "clip": 1.0 if step % 3 else 0.25}


def write_run(path, seen):
    with RunWriter.create(path, RunSpec(RunId("run:made-up"), "m", GROUPS), shard_rows=100) as writer:
        for step, ids, features_NK in seen:
            writer.append(step, ids, features_NK)
            writer.end_step(step, log(step))
    return open_store(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("made") / "run", visits())


@pytest.fixture(scope="module")
def found(store, tmp_path_factory):
    return build_shortlist(store, tmp_path_factory.mktemp("made") / "shortlist")


@pytest.fixture(scope="module")
def queries_QK():
    return np.concatenate([-features_NK for _, _, features_NK in visits(steps=2, seed=5)])


def slow_scores(store, queries_QK, damping, weights=None):
    """{(query, example)}: - sum over visits and layers of lr * clip * q' (H + damping * mean)^-1 row, in float64."""
    scores = {(q, name): 0.0 for q in range(len(queries_QK)) for name in store.example_ids}
    for group in store.spec.groups:
        columns = store.spec.columns(group.name)
        rows_Rk = store.read(0, store.n_rows, [group.name]).astype(np.float64)
        moment_kk = sum(np.outer(row, row) for row in rows_Rk) / len(rows_Rk)
        damped_kk = moment_kk + damping * np.trace(moment_kk) / group.width * np.eye(group.width)
        if not moment_kk.any():
            continue
        for row, example, step in zip(rows_Rk, store.examples_N, store.steps_N, strict=True):
            told = store.step_log[step]
            pushed_k = told["lr"][group.name] * told["clip"] * np.linalg.solve(damped_kk, row)
            for q, query_K in enumerate(queries_QK):
                weight = (weights or {}).get(group.name, 1.0)
                scores[q, store.example_ids[example]] -= weight * float(query_K[columns] @ pushed_k)
    return scores


def as_matrix(scores, queries, ids):
    return np.array([[scores[q, name] for name in ids] for q in range(queries)])


def rounding(found, queries_QK, damping=0.1, weights=None):
    """The most by which scores can differ for the rounding of the rows: half a step of each feature."""
    most_QN = np.abs(found.turn(queries_QK, damping, weights)).sum(1)[:, None] * found.data.scales_N.astype(float) / 2
    return most_QN * 1.001 + 1e-12


@pytest.mark.parametrize(("damping", "weights"), [(0.1, None), (0.01, None), (1.0, {"loud": 0.0, "quiet": 2.5})])
def test_scores_are_the_loop(store, found, queries_QK, damping, weights):
    queries_QK = queries_QK[:4]
    names = [f"query:{q}" for q in range(4)]
    table = found.score(names, queries_QK, damping, weights)
    assert table.example_ids == found.example_ids == tuple(sorted(store.example_ids))
    assert table.query_ids == tuple(names) and "not for money" in table.method and str(damping) in table.method
    want_QN = as_matrix(slow_scores(store, queries_QK, damping, weights), 4, table.example_ids)
    assert np.corrcoef(table.scores_QN.ravel(), want_QN.ravel())[0, 1] > 0.9995
    assert (np.abs(table.scores_QN - want_QN) <= rounding(found, queries_QK, damping, weights)).all()
    assert (table.scores_QN - want_QN).std() < 0.02 * want_QN.std()


def test_no_layer_drowns_in_the_rounding_of_another(store, found, queries_QK):
    """Layers are a million times apart; the quiet one alone is still told to three digits."""
    only = {"loud": 0.0, "dead": 0.0}
    got_QN = found.score(["a", "b"], queries_QK[:2], 0.1, only).scores_QN
    want_QN = as_matrix(slow_scores(store, queries_QK[:2], 0.1, only), 2, found.example_ids)
    assert want_QN.std() > 0 and np.corrcoef(got_QN.ravel(), want_QN.ravel())[0, 1] > 0.9995


def test_the_best_ten_are_those_of_float64(store, found, queries_QK):
    top = found.top(queries_QK, 10)
    want_QN = as_matrix(slow_scores(store, queries_QK, 0.1), len(queries_QK), found.example_ids)
    same = [len(set(rows) & set(np.argsort(-want_N)[:10])) for rows, want_N in zip(top.rows_QM, want_QN, strict=True)]
    assert sum(same) >= 0.98 * 10 * len(queries_QK)
    scores_QN = found.score([str(q) for q in range(len(queries_QK))], queries_QK).scores_QN
    assert np.array_equal(top.scores_QM.astype(np.float32), -np.sort(-scores_QN)[:, :10])


class Shortlisted:
    """The shortlist as an attribution method, its scores in the order of the store."""

    method = "shortlist"

    def __init__(self, folder):
        self.folder, self.made = folder, []

    def fit(self, store):
        self.found_ = build_shortlist(store, self.folder / f"{id(store)}-{len(os.listdir(self.folder))}")
        return self

    def score(self, store, queries_QK):
        if not hasattr(self, "found_"):
            raise AttributionError("not-fitted", "")
        table = self.found_.score([str(q) for q in range(len(queries_QK))], queries_QK)
        place = {name: n for n, name in enumerate(table.example_ids)}
        return table.scores_QN[:, [place[name] for name in store.example_ids]]


def test_it_is_an_attribution_method(store, queries_QK, tmp_path):
    (tmp_path / "lists").mkdir()
    check_method(lambda: Shortlisted(tmp_path / "lists"), store, queries_QK[:3], tmp_path / "once")


def test_of_a_recorded_training_the_twin_scores_as_its_original(trained, tmp_path):
    model, run, measure = trained
    found = build_shortlist(run.store, tmp_path / "shortlist")
    table = found.score(list(QUERIES), run.featurise(model, QUERIES, measure))
    scores = dict(zip(table.example_ids, table.scores_QN.T, strict=True))
    assert np.array_equal(scores["ex:twin"], scores["ex:1"])
    top = found.top(run.featurise(model, {"query:seven": [7]}, measure), 3)
    assert "ex:7" in [found.example_ids[row] for row in top.rows_QM[0]]


def test_the_rows_do_not_depend_on_the_order_in_which_examples_came(store, found, tmp_path):
    """Rows of a step in another order, so that ids first appear in another order: the same folder but for rounding."""
    other = write_run(tmp_path / "run", ((step, ids[::-1], rows[::-1].copy()) for step, ids, rows in visits()))
    again = build_shortlist(other, tmp_path / "shortlist")
    assert other.example_ids != store.example_ids and again.example_ids == found.example_ids
    queries_QK = np.concatenate([-rows for _, _, rows in visits(steps=1, seed=9)])
    a, b = (x.scan.scores(x.turn(queries_QK, 0.1)) for x in (again, found))
    assert (np.abs(a - b) <= 2 * rounding(found, queries_QK)).all() and np.abs(a - b).std() < 0.02 * a.std()


def test_building_twice_gives_the_same_bytes_and_blocks_do_not_matter(store, found, tmp_path, monkeypatch):
    again = build_shortlist(store, tmp_path / "again")
    assert again.data.manifest == found.data.manifest
    monkeypatch.setattr(shortlist_module, "_ROWS", 37)
    blocks = build_shortlist(store, tmp_path / "blocks")
    apart_NK = blocks.data.rows_NK.astype(int) - found.data.rows_NK
    assert np.abs(apart_NK).max() <= 1 and (apart_NK != 0).mean() < 0.01  # sums in another order, a tie now and then


def test_bytes_per_example():
    """Rank 8: 64 bytes and 10 % per captured layer, ids included, from six layers on; without ids, from two on."""
    fixed, an_id = 4 + 4, len('"ex:0123456789abcdef0123"\n')
    assert 6 * 64 + fixed + an_id <= 6 * 64 * 1.1 and 2 * 64 + fixed <= 2 * 64 * 1.1


def test_files_are_as_large_as_the_format_says(store, found, tmp_path):
    build_shortlist(store, tmp_path / "again")
    sizes = {kind: (tmp_path / "again" / name).stat().st_size for kind, name in FILES.items()}
    n = len(found.example_ids)
    ids = sum(len(json.dumps(name)) + 1 for name in found.example_ids)
    assert sizes == {
        "rows": n * 22, "scales": 4 * n, "norms": 4 * n, "ids": ids,
        "turns": 4 * (8**2 + 2**2 + 12**2), "spectrum": 8 * 22,
    }  # fmt: skip
    assert set(os.listdir(tmp_path / "again")) == {*FILES.values(), "manifest.json"}
    assert found.data.manifest.run_sha256 == sha256_hex((store.path / "manifest.json").read_bytes())


@pytest.fixture
def victim(store, tmp_path):
    build_shortlist(store, tmp_path / "victim")
    return tmp_path / "victim"


@pytest.mark.parametrize("file", FILES.values())
def test_damage_is_refused(victim, file):
    data = (victim / file).read_bytes()
    cases = {
        "wrong-digest": data[:5] + bytes([data[5] ^ 1]) + data[6:],
        "wrong-size": data + b"\n",
        "wrong-size ": data[:-1],
        "missing-file": None,
    }
    for code, bad in cases.items():
        (victim / file).unlink(missing_ok=True) if bad is None else (victim / file).write_bytes(bad)
        with pytest.raises(StoreError) as fault:
            open_shortlist(victim)
        # a small text file is read whole: there a wrong size shows as a wrong digest
        assert fault.value.code == ("wrong-digest" if file == "ids.jsonl" and "size" in code else code.strip())
        assert file in fault.value.message and fault.value.fix
    (victim / file).write_bytes(data)
    assert open_shortlist(victim).example_ids


def forge(victim, kind, data):
    """Replace a file and correct its digest: what remains to be caught is what the numbers say."""
    (victim / FILES[kind]).write_bytes(data)
    told = json.loads((victim / "manifest.json").read_bytes())
    told["sha256"][kind] = sha256_hex(data)
    (victim / "manifest.json").write_bytes(canonical_json(told))


@pytest.mark.parametrize("kind", ["scales", "norms", "spectrum"])
def test_numbers_that_cannot_be_are_refused(victim, kind):
    dtype = np.float64 if kind == "spectrum" else np.float32
    for wrong in (-1.0, np.nan, np.inf):
        array = np.frombuffer((victim / FILES[kind]).read_bytes(), dtype).copy()
        array[1] = wrong
        forge(victim, kind, array.tobytes())
        refused(victim)


def test_ids_out_of_order_or_twice_are_refused(victim):
    lines = (victim / "ids.jsonl").read_bytes().splitlines(keepends=True)
    for bad in ([lines[1], lines[0], *lines[2:]], [lines[0], lines[0], *lines[2:]], lines[:-1], [b"0\n", *lines[1:]]):
        forge(victim, "ids", b"".join(bad))
        refused(victim)


@pytest.mark.parametrize(
    "change", [{"format": "byline-shortlist/2"}, {"rows": -1}, {"rows": "9"}, {"groups": []}, {"more": 1}]
)
def test_other_manifests_are_refused(victim, change):
    told = json.loads((victim / "manifest.json").read_bytes())
    (victim / "manifest.json").write_bytes(canonical_json({**told, **change}))
    refused(victim)


def test_manifests_that_are_no_canonical_json_are_refused(victim):
    data = (victim / "manifest.json").read_bytes()
    for bad in (b"", b"[]", data + b" ", data[:-1]):
        (victim / "manifest.json").write_bytes(bad)
        refused(victim)


def refused(victim):
    with pytest.raises(AttributionError) as fault:
        open_shortlist(victim)
    assert fault.value.code == "bad-shortlist" and fault.value.fix and str(victim) in fault.value.message


def test_a_build_that_fails_leaves_nothing(store, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shortlist_module, "row_norms", fail)
    with pytest.raises(KeyboardInterrupt):
        build_shortlist(store, tmp_path / "half")
    assert os.listdir(tmp_path / "half") == []
    with pytest.raises(AttributionError) as fault:
        open_shortlist(tmp_path / "half")
    assert fault.value.code == "not-a-shortlist"
    monkeypatch.undo()
    build_shortlist(store, tmp_path / "half")
    with pytest.raises(AttributionError) as fault:
        build_shortlist(store, tmp_path / "half")
    assert fault.value.code == "shortlist-exists"


def test_what_cannot_be_asked_is_refused(found, queries_QK, tmp_path):
    empty = write_run(tmp_path / "empty", ())
    for code, job in {
        "empty-run": lambda: build_shortlist(empty, tmp_path / "none"),
        "bad-query-rows": lambda: found.top(queries_QK[:, 1:], 1),
        "bad-query-rows ": lambda: found.top(queries_QK * np.nan, 1),
        "bad-damping": lambda: found.top(queries_QK, 1, damping=0.0),
        "bad-count": lambda: found.top(queries_QK, 0),
        "unknown-layer": lambda: found.top(queries_QK, 1, weights={"lord": 1.0}),
    }.items():
        with pytest.raises(AttributionError) as fault:
            job()
        assert fault.value.code == code.strip()
    assert not (tmp_path / "none").exists()
