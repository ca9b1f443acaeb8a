"""Ranks, correlations and intervals against loops over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import EvaluationError
from byline.evaluation import bootstrap_pairs, pearson, ranks, slope, spearman

small = st.integers(-4, 4).map(float)  # many ties
pairs = st.lists(st.tuples(small, small), min_size=3, max_size=9)


def slow_ranks(values):
    """How many are smaller, and half of the others that are equal."""
    return [sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]


def slow_pearson(a, b):
    """From all differences between two entries; no mean is taken."""
    n = range(len(a))
    both = sum((a[i] - a[j]) * (b[i] - b[j]) for i in n for j in n)
    one, other = (sum((v[i] - v[j]) ** 2 for i in n for j in n) for v in (a, b))
    return both / math.sqrt(one * other) if one * other else 0.0


@given(st.lists(small, max_size=12))
def test_ranks_share_the_mean_among_ties(values):
    assert ranks(np.array(values)).tolist() == slow_ranks(values)


@given(pairs)
def test_correlations_are_the_loops(drawn):
    a, b = (list(side) for side in zip(*drawn, strict=True))
    x, y = np.array(a), np.array(b)
    assert pearson(x, y) == pytest.approx(slow_pearson(a, b), abs=1e-12)
    assert spearman(x, y) == pytest.approx(slow_pearson(slow_ranks(a), slow_ranks(b)), abs=1e-12)
    assert spearman(x, y) == pytest.approx(spearman(np.exp(x), 3 * y + 7), abs=1e-12)
    assert spearman(x, y) == pytest.approx(-spearman(x, -y), abs=1e-12)


@given(st.lists(st.tuples(*[st.floats(-1e150, 1e150)] * 2), min_size=3, max_size=9))
def test_correlations_stay_in_their_range(drawn):
    x, y = (np.array(side) for side in zip(*drawn, strict=True))
    assert -1 <= pearson(x, y) <= 1 and -1 <= spearman(x, y) <= 1


def test_a_constant_side_correlates_with_nothing():
    assert pearson(np.full(3, 0.1), np.full(3, 0.3)) == 0.0  # their means are not exactly 0.1 and 0.3
    assert spearman(np.full(3, 0.1), np.arange(3.0)) == 0.0


def test_slope_goes_through_the_origin():
    predicted = np.array([1.0, -2.0, 4.0])
    assert slope(predicted, 1.5 * predicted) == 1.5
    assert slope(np.zeros(3), predicted) == 0.0
    actual = np.array([2.0, 1.0, 0.0])
    errors = [sum((actual - s * predicted) ** 2) for s in (slope(predicted, actual) + d for d in (-1e-3, 0, 1e-3))]
    assert errors[1] < min(errors[0], errors[2])


@pytest.mark.parametrize(("n", "m"), [(2, 2), (0, 0), (3, 4)])
def test_too_few_pairs(n, m):
    for correlation in (pearson, spearman):
        with pytest.raises(EvaluationError) as fault:
            correlation(np.zeros(n), np.zeros(m))
        assert fault.value.code == "too-few-pairs"


def slow_bootstrap(predicted, actual, level, draws, seed):
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        rows = generator.integers(0, predicted.shape[0], predicted.shape[0])
        columns = generator.integers(0, predicted.shape[1], predicted.shape[1])
        a = [float(predicted[i, j]) for i in rows for j in columns]
        b = [float(actual[i, j]) for i in rows for j in columns]
        values.append(slow_pearson(slow_ranks(a), slow_ranks(b)))
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2])


def test_bootstrap_resamples_contributors_and_queries():
    generator = np.random.default_rng(1)
    predicted_CQ, actual_CQ = generator.normal(size=(2, 4, 3))
    found = bootstrap_pairs(spearman, predicted_CQ, actual_CQ, level=0.8, draws=60, seed=5)
    assert (found.low, found.high) == pytest.approx(slow_bootstrap(predicted_CQ, actual_CQ, 0.8, 60, 5))
    assert found == bootstrap_pairs(spearman, predicted_CQ, actual_CQ, level=0.8, draws=60, seed=5)
    assert found != bootstrap_pairs(spearman, predicted_CQ, actual_CQ, level=0.8, draws=60, seed=6)
    wider = bootstrap_pairs(spearman, predicted_CQ, actual_CQ, level=0.95, draws=60, seed=5)
    assert wider.low <= found.low <= found.high <= wider.high
