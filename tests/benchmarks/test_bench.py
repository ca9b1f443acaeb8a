"""The bench's own arithmetic: what is fitted stays apart from what is reported, and its table says what truth says."""

import json
from dataclasses import replace

import baselines
import bench as harness
import numpy as np
import pytest
import scores
import torch
from baselines.recorded import recipe_digest, record
from measures import blended, coverage, effects, lds_of, targets
from tests.benchmarks.tiny_bench import CALIBRATION, CONTRIBUTORS, tiny_bench, tiny_truth

from byline.evaluation import spearman

# torch's own decompositions, loaded at the first forward-mode derivative of a process
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    torch.set_num_threads(1)
    bench = tiny_bench()
    recorded = record(bench, tmp_path_factory.mktemp("bench") / "tiny")
    return bench, recorded, tiny_truth(bench, recorded.queries)


@pytest.fixture(scope="module")
def methods(tiny):
    bench, recorded, truth = tiny
    wanted = {"random", "pixels", "grad-dot", "ekfac-head", "byline-sketch", "byline-transport", "byline-audit"}
    found = {}
    for method in baselines.METHODS:
        if method.applies(bench) and wanted & set(method.names):
            for name, scores_QN, cost, queries in baselines.compute(
                method, bench, recorded, {"few": truth.reported[::3], "asked": [*truth.calibrating, *truth.reported]}
            ):
                found[name] = scores.Scores(np.asarray(scores_QN, np.float32), np.array(queries), cost, 0.0)
    return found


def test_recorded_run_is_the_one_that_truth_retrains(tiny):
    bench, recorded, truth = tiny
    found = [bench.measure(recorded.model, query).item() for query in recorded.queries]
    assert found == pytest.approx(truth.values_RQ[truth.row("full", 0, 0)].tolist(), rel=1e-5, abs=1e-6)
    again = record(bench, recorded.folder.parent)
    assert again.folder == recorded.folder and again.trajectory.kept == recorded.trajectory.kept


def test_queries_and_subsets_of_calibration_are_not_reported(tiny):
    _, _, truth = tiny
    assert truth.calibrating == [0, 6, 12, 18, 24, 30]
    assert truth.reported == [*range(1, 36, 3), 36, 37, 38, 39]
    reported, tuned = (targets(truth, "50%", reported=part)[""].numbers for part in (True, False))
    assert tuned == list(range(CALIBRATION)) and not set(reported) & set(tuned) and reported


def test_kept_examples_are_those_that_weighed_one(tiny):
    bench, _, truth = tiny
    kept_MN = truth.kept(bench.works, "10%", [9, 3])
    for row_N, number in zip(kept_MN, (9, 3), strict=True):
        gone = {truth.works[w] for w in np.flatnonzero(truth.out_RW[truth.row("10%", number, 0)])}
        assert row_N.tolist() == [float(work not in gone) for work in bench.works] and gone


def test_lds_is_the_mean_rank_correlation_over_subsets(tiny, methods):
    bench, _, truth = tiny
    target = targets(truth, "50%")[""]
    slow = []
    for q in truth.reported:
        predicted, actual = [], []
        for number in range(CALIBRATION, 26):
            row = truth.row("50%", number, 0)
            gone = {truth.works[w] for w in np.flatnonzero(truth.out_RW[row])}
            kept = [n for n, work in enumerate(bench.works) if work not in gone]
            predicted.append(methods["grad-dot"].scores_QN[q][kept].astype(np.float64).sum())
            actual.append(truth.values_RQ[row][q])
        slow.append(spearman(np.array(predicted), np.array(actual)))
    assert lds_of(methods["grad-dot"], bench.works, truth, target)["lds"] == pytest.approx(np.mean(slow))


def test_the_table_tells_exact_methods_from_chance(tiny, methods):
    bench, _, truth = tiny
    found = harness.measure(truth, bench.works, methods)
    table = found["methods"]
    assert table["byline-audit"]["lds"] > 0.8 > 0.4 > abs(table["random"]["lds"])
    assert table["byline-transport"]["lds"] > 0.6
    assert table["byline-audit"]["queries"] == len(truth.reported[::3])
    assert 0.8 < table["byline-audit"]["loco_pearson"] <= 1
    assert found["best_baseline"] in {"pixels", "grad-dot", "ekfac-head"}
    assert table[found["best_baseline"]]["over_best"] == 0
    assert {"blend", "blend-no-words"} == set(found["blends"])
    for row in table.values():
        assert {"lds", "lds_se", "lds_10", "lds_50", "ceiling", "loco_pearson", "top1", "cost_epochs"} <= set(row)
    text = harness.printed("tiny", found)
    assert all(f"\n{name} " in text for name in table) and "ceiling" in text


def test_blends_know_only_calibration_retrainings(tiny, methods):
    """Whatever the reported queries and subsets show, the weights stay; what calibration shows moves them."""
    bench, _, truth = tiny
    channels = [methods[name] for name in ("random", "grad-dot", "ekfac-head")]
    weights, _ = blended(channels, bench.works, truth)
    fits = (truth.kind_R == "10%") | (truth.kind_R == "50%")
    fits &= (truth.number_R < CALIBRATION) & (truth.seed_R == 0)
    unused = np.ones(truth.values_RQ.shape, dtype=bool)
    unused[np.ix_(fits, truth.calibrating)] = False
    noise = np.random.default_rng(0).normal(size=truth.values_RQ.shape).astype(np.float32)
    elsewhere = replace(truth, values_RQ=np.where(unused, noise, truth.values_RQ))
    there = replace(truth, values_RQ=np.where(unused, truth.values_RQ, noise))
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1)
    assert blended(channels, bench.works, elsewhere)[0].tolist() == weights.tolist()
    assert blended(channels, bench.works, there)[0].tolist() != weights.tolist()


def test_a_blend_finds_the_channel_that_is_right(tiny):
    bench, _, truth = tiny
    generator = np.random.default_rng(1)
    right_QN = generator.normal(size=(truth.values_RQ.shape[1], len(bench.works)))
    values_RQ = truth.values_RQ.copy()
    place = {work: w for w, work in enumerate(truth.works)}
    gone_RN = truth.out_RW[:, [place[work] for work in bench.works]]
    values_RQ[:] = (1.0 - gone_RN) @ right_QN.T
    planted = replace(truth, values_RQ=values_RQ)
    both = [_scores(generator.normal(size=right_QN.shape)), _scores(1e6 * right_QN)]
    weights, joined = blended(both, bench.works, planted)
    assert weights[1] > 0.95
    assert lds_of(joined, bench.works, planted, targets(planted, "50%")[""])["lds"] > 0.95


def test_effects_are_what_is_lost_and_intervals_hold_their_part():
    generator = np.random.default_rng(2)
    predicted = generator.standard_t(4, size=(40, 60))
    actual = 2 * predicted + 0.3 * generator.normal(size=predicted.shape)
    tuned, told = slice(0, 20), slice(20, 60)
    held = coverage(predicted[:, tuned], actual[:, tuned], predicted[:, told], actual[:, told])
    assert 0.86 < held["coverage"] < 0.97
    shifted = coverage(predicted[:, tuned], actual[:, tuned], predicted[:, told], actual[:, told] + 3)
    assert shifted["coverage"] < 0.3


def test_effects_are_of_this_seed_and_signed(tiny):
    _, _, truth = tiny
    found = effects(truth)
    expected = truth.values_RQ[truth.row("full", 0, 0)] - truth.values_RQ[truth.row("contributor", 7, 0)]
    assert found.names == [f"c{n:02}" for n in range(CONTRIBUTORS)]
    assert found.actual_CQ[7] == pytest.approx(expected) and 0 < found.ceiling <= 1


def test_fresh_seeds_are_averaged(tiny):
    _, _, truth = tiny
    fresh = replace(truth, fresh=True)
    target = targets(fresh, "50%")[""]
    rows = [fresh.row("50%", target.numbers[4], seed) for seed in (0, 1)]
    assert target.seeds == 2 and set(targets(fresh, "50%")) == {""}
    assert target.actual_QM[:, 4] == pytest.approx(truth.values_RQ[rows].mean(0))
    assert target.ceiling > targets(truth, "50%")[""].ceiling


def test_half_a_truth_is_measured_as_far_as_it_goes(tiny, methods):
    bench, _, truth = tiny
    there = (truth.seed_R == 0) & (truth.kind_R != "contributor") & ((truth.kind_R != "50%") | (truth.number_R < 10))
    part = replace(
        truth, **{key: getattr(truth, key)[there] for key in ("values_RQ", "out_RW", "kind_R", "number_R", "seed_R")}
    )
    found = harness.measure(part, bench.works, {"grad-dot": methods["grad-dot"], "random": methods["random"]})
    row = found["methods"]["grad-dot"]
    assert found["truth"]["10%"] == {"subsets": 18, "seeds": 1.0, "ceiling": None}
    assert "lds" in row and not {"lds_50", "ceiling", "loco_pearson"} & set(row)
    assert "18 subsets x 1.0 seeds, ceiling -" in harness.printed("tiny", found)


def test_kept_scores_come_back_for_the_same_recipe_only(tiny, methods, tmp_path):
    bench, _, _ = tiny
    recipe = recipe_digest(bench)
    given = methods["byline-audit"]
    scores.save(
        "tiny", "mine", given.scores_QN, queries=given.queries_Q, cost=3.5, seconds=1, recipe=recipe, root=tmp_path
    )
    found = scores.read("tiny", "mine", recipe, tmp_path)
    assert np.array_equal(found.scores_QN, given.scores_QN) and found.cost == 3.5
    rows, known = found.of([0, *given.queries_Q[:2]])
    assert known == given.queries_Q[:2].tolist() and np.array_equal(rows, given.scores_QN[:2])
    assert scores.kept("tiny", recipe, tmp_path) == ["mine"]
    assert scores.read("tiny", "mine", recipe_digest(tiny_bench(fresh=True)), tmp_path) is None
    with pytest.raises(SystemExit, match="not a number"):
        scores.save(
            "tiny", "bad", np.full((1, 2), np.nan), queries=[0], cost=0, seconds=0, recipe=recipe, root=tmp_path
        )


def test_results_join_what_other_benchmarks_keep(tiny, methods, tmp_path):
    bench, _, truth = tiny
    (tmp_path / "latest.json").write_text(json.dumps({"capture": {"overhead": 0.03}, "tiny": {"gone": {}}}))
    found = harness.measure(truth, bench.works, {"random": methods["random"]})
    harness.keep("tiny", found, tmp_path)
    latest = json.loads((tmp_path / "latest.json").read_text())
    assert latest["capture"] == {"overhead": 0.03} and set(latest["tiny"]) == {"random"}
    (tmp_path / "capture.json").write_text(json.dumps({"rows": [{"overhead_ratio": 1.05}]}))
    harness.keep("tiny", found, tmp_path)
    assert json.loads((tmp_path / "latest.json").read_text())["capture"] == {"rows": [{"overhead_ratio": 1.05}]}
    kept = json.loads((tmp_path / "bench-tiny.json").read_text())
    assert kept["methods"] == latest["tiny"] and {"date", "commit", "hardware", "truth"} <= set(kept)


def _scores(scores_QN):
    return scores.Scores(scores_QN, np.arange(len(scores_QN)), 1.0, 0.0)
