"""Agreement with retraining and the lambda that follows from it."""

import json

import numpy as np
import pytest

from byline.core import PPM, EvaluationError
from byline.evaluation import LeaveOut, agreement, pearson, predictions, reliability, slope, spearman

CONTRIBUTORS, QUERIES = ("ann", "bob", "cy", "di"), ("q1", "q2", "q3")


def leave_out(actual_CQ):
    full_Q = np.array([-3.0, -2.5, -4.0])
    return LeaveOut(CONTRIBUTORS, QUERIES, full_Q, full_Q - actual_CQ)


@pytest.fixture
def truth():
    return leave_out(np.random.default_rng(0).normal(size=(4, 3)))


def test_a_contributor_who_helped_is_positive():
    """Without ann, q1 falls from -3 to -5 nats: she was worth two."""
    truth = LeaveOut(("ann",), ("q1",), np.array([-3.0]), np.array([[-5.0]]))
    assert truth.actual_CQ.tolist() == [[2.0]]


def test_agreement_is_taken_over_all_pairs(truth):
    predicted_CQ = np.random.default_rng(1).normal(size=(4, 3))
    found = agreement("m", predicted_CQ, truth)
    flat = [np.array([table[c, q] for c in range(4) for q in range(3)]) for table in (predicted_CQ, truth.actual_CQ)]
    assert (found.spearman, found.pearson, found.slope) == (spearman(*flat), pearson(*flat), slope(*flat))
    best = [max(range(4), key=lambda c: table[c, q]) for table in (predicted_CQ, truth.actual_CQ) for q in range(3)]
    assert found.top1 == sum(best[q] == best[3 + q] for q in range(3)) / 3
    assert -1 <= found.interval.low <= found.interval.high <= 1
    assert found == agreement("m", predicted_CQ, truth)
    assert json.loads(json.dumps(found.to_json()))["low"] == found.interval.low


def test_the_truth_agrees_with_itself_and_its_opposite_does_not(truth):
    same, opposite = agreement("m", truth.actual_CQ, truth), agreement("m", -truth.actual_CQ, truth)
    assert (same.spearman, same.slope, same.top1) == (pytest.approx(1), pytest.approx(1), 1)
    assert opposite.spearman == pytest.approx(-1) and opposite.top1 == 0


def test_lambda_is_the_rank_correlation_never_below_zero(truth):
    perfect = reliability("run:1", agreement("m", truth.actual_CQ, truth), truth)
    assert (perfect.lambda_ppm, perfect.high_ppm, perfect.pairs) == (PPM, PPM, 12)
    worse = reliability("run:1", agreement("m", -truth.actual_CQ, truth), truth)
    assert (worse.low_ppm, worse.lambda_ppm, worse.high_ppm) == (0, 0, 0)
    some = agreement("m", truth.actual_CQ + np.random.default_rng(2).normal(size=(4, 3)), truth)
    table = reliability("run:1", some, truth)
    assert table.lambda_ppm == round(some.spearman * PPM) and table.evidence == truth.evidence()
    assert table.low_ppm <= table.lambda_ppm <= table.high_ppm


def test_the_evidence_names_what_was_measured(truth):
    moved = truth.actual_CQ.copy()
    moved[1, 1] += 1e-8
    renamed = LeaveOut(("eve", *CONTRIBUTORS[1:]), QUERIES, truth.full_Q, truth.without_CQ)
    digests = {truth.evidence(), leave_out(moved).evidence(), renamed.evidence()}
    assert len(digests) == 3 and truth.evidence() == leave_out(truth.actual_CQ).evidence()


def test_what_cannot_be_compared_is_refused(truth):
    for code, predicted_CQ, measured in [
        ("shape-mismatch", np.zeros((3, 4)), truth),
        ("not-finite", np.full((4, 3), np.nan), truth),
        ("not-finite", np.zeros((4, 3)), leave_out(np.full((4, 3), np.inf))),
        ("too-few-pairs", np.zeros((1, 2)), LeaveOut(("a",), ("q", "r"), np.zeros(2), np.zeros((1, 2)))),
    ]:
        with pytest.raises(EvaluationError) as fault:
            agreement("m", predicted_CQ, measured)
        assert fault.value.code == code


def test_a_contributor_whom_a_method_does_not_know_scores_zero():
    rows = {"bob": np.array([1.0, 2.0]), "zoe": np.array([9.0, 9.0])}
    assert predictions(["ann", "bob"], rows, 2).tolist() == [[0, 0], [1, 2]]
