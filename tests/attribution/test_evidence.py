"""The blend against projected gradient descent, and evidence that keeps its channels apart."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution.evidence import (
    EVEN,
    Blend,
    Evidence,
    evidence,
    fit_blend,
    lexical_scores,
    nonnegative,
    standardise,
)
from byline.core import AttributionError, ExampleId, LookupFault
from byline.lookup import BM25

IDS = tuple(ExampleId(f"ex:{name}") for name in "dbcae")


def slow_nonnegative(columns_TC, wanted_T, steps=20_000):
    """Projected gradient descent."""
    gram, right = columns_TC.T @ columns_TC, columns_TC.T @ wanted_T
    w = np.zeros(len(right))
    for _ in range(steps):
        w = np.maximum(w - (gram @ w - right) / np.linalg.eigvalsh(gram)[-1], 0)
    return w


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_weights_are_those_of_projected_gradients(seed, channels):
    rng = np.random.default_rng(seed)
    columns_TC, wanted_T = rng.normal(size=(30, channels)), rng.normal(size=30)
    assert nonnegative(columns_TC, wanted_T) == pytest.approx(slow_nonnegative(columns_TC, wanted_T, 2000), abs=1e-5)


def pairs(seed=0, queries=6, examples=40):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(queries, examples)) for name in ("gradient", "lexical", "noise")}


def test_the_fit_finds_the_mixture_whatever_the_units():
    channels = {name: standardise(scores_QP) for name, scores_QP in pairs().items()}
    target_QP = 3 * channels["gradient"] + 1 * channels["lexical"] - 2 * channels["noise"]
    unit_Q = 10.0 ** np.arange(-3, 3)[:, None]
    told = {
        "gradient": channels["gradient"] * 50 + 7,
        "lexical": channels["lexical"] * unit_Q,
        "noise": channels["noise"],
    }
    blend = fit_blend(told, target_QP * unit_Q)
    weights = dict(zip(blend.channels, blend.weights, strict=True))
    assert weights["noise"] == 0 and 2 < weights["gradient"] / weights["lexical"] < 4.5
    mixed_T, wanted_T = blend.mix(told).ravel(), standardise(target_QP).ravel()
    assert blend.pairs == 240 and blend.correlation == pytest.approx(np.corrcoef(mixed_T, wanted_T)[0, 1])
    assert blend.correlation > 0.7
    assert sum((mixed_T - wanted_T) ** 2) < sum((EVEN.mix(told).ravel() - wanted_T) ** 2)


def test_a_channel_that_only_misleads_gets_nothing():
    channels = pairs()
    assert fit_blend({"noise": channels["noise"]}, -channels["noise"]) == Blend(("noise",), (0.0,), 240, 0.0)


def test_twin_channels_do_not_break_the_fit():
    channels = pairs()
    blend = fit_blend({"a": channels["noise"], "b": channels["noise"].copy()}, channels["noise"])
    assert sum(blend.weights) == pytest.approx(1) and min(blend.weights) >= 0


def test_standard_scores_by_loop():
    scores_QN = np.array([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0], [1e-9, 0.0, 0.0]])
    for row, got in zip(scores_QN, standardise(scores_QN), strict=True):
        mean = sum(row) / 3
        spread = (sum((x - mean) ** 2 for x in row) / 3) ** 0.5
        assert got == pytest.approx([(x - mean) / spread if spread else 0 for x in row])


def test_evidence_is_sorted_by_the_blend_and_keeps_both_channels():
    gradient_N, lexical_N = np.array([0.0, 1e-6, 3e-6, 0.0, 1e-6]), np.array([9.0, 0.0, 1.0, 9.0, 0.0])
    found = evidence(IDS, gradient_N, lexical_N, 9)
    at = {line.example: line for line in found}
    for n, example in enumerate(IDS):
        assert (at[example].gradient, at[example].lexical) == (gradient_N[n], lexical_N[n])
        z = standardise(gradient_N)[n] + standardise(lexical_N)[n]
        assert at[example].blended == pytest.approx(z)
    assert [line.blended for line in found] == sorted((line.blended for line in found), reverse=True)
    assert [line.example for line in found] == ["ex:c", "ex:a", "ex:d", "ex:b", "ex:e"]  # equal ones by id
    assert evidence(IDS, gradient_N, lexical_N, 2) == found[:2]


def test_the_weights_decide():
    gradient_N, lexical_N = np.array([5.0, 1, 2, 3, 4]), np.array([1.0, 5, 2, 3, 4])
    by = {
        w: evidence(IDS, gradient_N, lexical_N, 1, Blend(EVEN.channels, w))[0].example for w in ((1.0, 0.0), (0.0, 1.0))
    }
    assert by == {(1.0, 0.0): IDS[0], (0.0, 1.0): IDS[1]}


def test_the_order_of_examples_does_not_matter():
    rng = np.random.default_rng(0)
    gradient_N, lexical_N, order = rng.normal(size=5), rng.normal(size=5), rng.permutation(5)
    moved = evidence([IDS[n] for n in order], gradient_N[order], lexical_N[order], 5)
    for a, b in zip(moved, evidence(IDS, gradient_N, lexical_N, 5), strict=True):
        assert a.example == b.example and a.blended == pytest.approx(b.blended)


def test_evidence_round_trips():
    line = evidence(IDS, np.arange(5.0), np.arange(5.0), 1)[0]
    assert Evidence.from_json(json.loads(json.dumps(line.to_json()))) == line


def test_the_words_channel_follows_the_ids():
    index = BM25({"ex:a": "the whale and the sea", "ex:b": "a tax on tea"})
    scores_N = lexical_scores(index, "whale", [ExampleId("ex:b"), ExampleId("ex:none"), ExampleId("ex:a")])
    assert scores_N[0] == scores_N[1] == 0 and scores_N[2] == index.scores("whale")[0] > 0
    with pytest.raises(LookupFault):
        lexical_scores(index, "...", IDS)


def test_what_cannot_be_blended_is_refused():
    ok = np.arange(40.0).reshape(2, 20)
    nan = ok.copy()
    nan[0, 0] = np.nan
    for code, job in {
        "too-few-pairs": lambda: fit_blend({"a": ok[:, :4]}, ok[:, :4]),
        "bad-channels": lambda: fit_blend({"a": ok, "b": ok[:1]}, ok),
        "bad-channels ": lambda: fit_blend({"a": ok}, ok[:1]),
        "bad-channels  ": lambda: fit_blend({"a": nan}, ok),
        "bad-channels   ": lambda: fit_blend({"a": ok}, nan),
        "bad-channels    ": lambda: fit_blend({}, ok),
        "bad-channels     ": lambda: EVEN.mix({"gradient": ok}),
        "bad-channels      ": lambda: evidence(IDS, np.ones(5), np.ones(4), 1),
        "bad-count": lambda: evidence(IDS, np.ones(5), np.ones(5), 0),
    }.items():
        with pytest.raises(AttributionError) as fault:
            job()
        assert fault.value.code == code.strip()
