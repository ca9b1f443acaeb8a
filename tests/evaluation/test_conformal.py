"""Conformal intervals: the quantile against loops, and how many of unseen retrained effects they hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import EvaluationError
from byline.evaluation import Conformal, LeaveOutConformal, held_out_coverage
from byline.evaluation.conformal import left_out_slopes, radius

misses = st.lists(st.integers(0, 12).map(float), min_size=9, max_size=40)


def refused(code, body):
    with pytest.raises(EvaluationError) as fault:
        body()
    assert fault.value.code == code


@given(misses, st.sampled_from([0.5, 0.8, 0.9]))
def test_alone_each_pair_counts_one_and_the_radius_is_the_finite_sample_quantile(values, level):
    k = math.ceil((len(values) + 1) * level - 1e-9)
    assert radius(np.array(values), range(len(values)), level) == sorted(values)[k - 1]


def slow_radius(values, clusters, level):
    """Smallest of the misses at which the mean over clusters, one more at infinity among them, reaches the level."""
    names = set(clusters)
    for at in sorted(values):
        parts = []
        for name in names:
            own = [v for v, c in zip(values, clusters, strict=True) if c == name]
            parts.append(sum(v <= at for v in own) / len(own))
        if sum(parts) / (len(names) + 1) >= level - 1e-9:
            return at
    return math.inf


@given(st.lists(st.tuples(st.integers(0, 9).map(float), st.sampled_from("abcdefgh")), min_size=1, max_size=40))
def test_clusters_weigh_alike_however_many_pairs_they_have(pairs):
    values, clusters = [v for v, _ in pairs], [c for _, c in pairs]
    want = slow_radius(values, clusters, 0.6)
    if math.isinf(want):
        refused("too-few-pairs", lambda: radius(np.array(values), clusters, 0.6))
    else:
        assert radius(np.array(values), clusters, 0.6) == want


@given(misses, st.randoms())
def test_the_order_of_pairs_does_not_matter(values, random):
    pairs = [(v, f"c{n % 9}") for n, v in enumerate(values)]
    one = radius(np.array([v for v, _ in pairs]), [c for _, c in pairs], 0.8)
    random.shuffle(pairs)
    assert radius(np.array([v for v, _ in pairs]), [c for _, c in pairs], 0.8) == one


def test_nine_are_needed_at_ninety_percent():
    refused("too-few-pairs", lambda: radius(np.arange(8.0), range(8), 0.9))
    assert radius(np.arange(9.0), range(9), 0.9) == 8.0
    refused("too-few-pairs", lambda: radius(np.arange(80.0), [n % 8 for n in range(80)], 0.9))


def test_intervals_grow_with_the_scale_and_each_kind_has_its_own():
    predicted, actual = np.zeros(20), np.r_[np.arange(1.0, 11), 10 * np.arange(1.0, 11)]
    kinds = ["small"] * 10 + ["large"] * 10
    fitted = Conformal(0.8).fit(predicted, actual, np.full(20, 2.0), kinds=kinds)
    assert fitted.radius_ == {"small": 4.5, "large": 45.0}
    low, high = fitted.interval(np.array([1.0, 1.0]), np.array([1.0, 2.0]), ["small", "large"])
    assert low.tolist() == [-3.5, -89.0] and high.tolist() == [5.5, 91.0]
    refused("unknown-kind", lambda: fitted.interval(np.zeros(1), np.ones(1), ["medium"]))
    refused("unknown-kind", lambda: fitted.interval(np.zeros(1), np.ones(1)))


def test_misuse_is_refused():
    for conformal in (Conformal(), LeaveOutConformal()):
        refused("not-fitted", lambda c=conformal: c.interval(np.zeros(1), np.ones(1)))
    grid = np.ones((10, 3))
    for fit in (Conformal().fit, LeaveOutConformal().fit, held_out_coverage):
        refused("bad-scale", lambda f=fit: f(grid, grid, 0 * grid))
        refused("shape-mismatch", lambda f=fit: f(grid, grid[1:], grid))
        refused("not-finite", lambda f=fit: f(grid, np.nan * grid, grid))
    line = np.ones(10)
    refused("shape-mismatch", lambda: Conformal().fit(line, line, line, clusters=range(9)))


def test_the_slopes_leave_their_contributor_out():
    generator = np.random.default_rng(0)
    predicted_CQ, actual_CQ = generator.normal(size=(2, 4, 3))
    for c, got in enumerate(left_out_slopes(predicted_CQ, actual_CQ)):
        others = [(i, j) for i in range(4) for j in range(3) if i != c]
        both = sum(predicted_CQ[i, j] * actual_CQ[i, j] for i, j in others)
        assert got == pytest.approx(both / sum(predicted_CQ[i, j] ** 2 for i, j in others))
    assert left_out_slopes(np.array([[1.0], [0.0]]), np.ones((2, 1))).tolist() == [0.0, 1.0]


def test_no_miss_is_taken_at_a_slope_that_knew_it():
    generator = np.random.default_rng(1)
    predicted_CQ, actual_CQ = generator.normal(size=(2, 10, 1))
    scales_CQ = generator.uniform(0.5, 2.0, size=(10, 1))
    away = []
    for c in range(10):
        rest = [n for n in range(10) if n != c]
        own = (predicted_CQ[rest] * actual_CQ[rest]).sum() / (predicted_CQ[rest] ** 2).sum()
        away.append(abs(actual_CQ[c, 0] - own * predicted_CQ[c, 0]) / scales_CQ[c, 0])
    fitted = LeaveOutConformal(0.9).fit(predicted_CQ, actual_CQ, scales_CQ)
    assert fitted.radius_ == pytest.approx(max(away))
    low, high = fitted.interval(np.array(2.0), np.array(3.0))
    together = (predicted_CQ * actual_CQ).sum() / (predicted_CQ**2).sum()
    assert ((low + high) / 2, (high - low) / 2) == pytest.approx((2 * together, 3 * max(away)))


def audit(generator, contributors, queries, parts, heavy=False):
    """An audit whose misses have parts of the contributor, of the query, and of the pair; effects come out 1.4 times as
    large as predicted, and misses are larger where the effect is."""
    draw = (lambda *s: generator.standard_t(3, s) / 3**0.5) if heavy else (lambda *s: generator.normal(size=s))
    predicted_CQ = generator.gamma(1.0, 1.0, (contributors, 1)) * generator.normal(size=(contributors, queries))
    scales_CQ = 0.2 + 0.1 * np.abs(predicted_CQ)
    own, shared, rest = parts
    misses_CQ = own * draw(contributors, 1) + shared * draw(1, queries) + rest * draw(contributors, queries)
    return predicted_CQ, 1.4 * predicted_CQ + scales_CQ * misses_CQ, scales_CQ


def coverages(contributors, queries, parts, heavy, trials=400):
    """Of one new contributor on one new query: by whole contributors left out, and by pairs as if independent, at a
    slope fitted on the same pairs."""
    generator, held = np.random.default_rng(7), []
    for _ in range(trials):
        every = audit(generator, contributors + 1, queries + 1, parts, heavy)
        known, new = [x[:-1, :-1] for x in every], [x[-1, -1] for x in every]
        ours = LeaveOutConformal().fit(*known)
        scaled = ours.slope_ * known[0]
        naive = Conformal().fit(scaled.ravel(), known[1].ravel(), known[2].ravel()).radius_[None]
        low, high = ours.interval(new[0], new[2])
        held.append((low <= new[1] <= high, abs(new[1] - ours.slope_ * new[0]) <= naive * new[2]))
    return np.mean(held, axis=0)


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("parts", [(0.5, 0.5, 0.7), (1.0, 0.0, 0.3), (0.0, 0.0, 1.0)])
def test_ninety_percent_intervals_hold_85_to_95_percent_of_what_they_never_saw(parts, heavy):
    """18 contributors, 12 queries; the standard error of the coverage over 400 audits is .015."""
    ours, _ = coverages(18, 12, parts, heavy)
    assert 0.85 <= ours <= 0.97  # the bar is .95, and the error of this figure on top of it


def test_few_contributors_get_wider_intervals_not_fewer_hits():
    """Nearly all of a miss is the contributor's: 9 contributors are 9 misses, not 270."""
    ours, naive = coverages(9, 30, (1.0, 0.0, 0.1), False)
    assert ours >= 0.88 and ours > naive + 0.02


def test_held_out_coverage_is_the_loop():
    every = audit(np.random.default_rng(3), 12, 6, (0.5, 0.5, 0.7))
    held, widths = [], []
    for c in range(12):
        rest = [n for n in range(12) if n != c]
        fitted = LeaveOutConformal().fit(*(x[rest] for x in every))
        for q in range(6):
            low, high = fitted.interval(every[0][c, q], every[2][c, q])
            held.append(low <= every[1][c, q] <= high)
            widths.append(high - low)
    found = held_out_coverage(*every)
    assert (found.covered, found.width, found.pairs) == (pytest.approx(np.mean(held)), np.median(widths), 72)
    by_contributor = np.array(held).reshape(12, 6).mean(1)
    assert found.error == pytest.approx(by_contributor.std(ddof=1) / 12**0.5)
    assert found.to_json()["level"] == 0.9


def test_with_folds_neither_the_contributor_nor_the_query_was_seen():
    """Query 0's effects are far off for everybody: intervals that had seen it would be wide enough for it."""
    predicted_CQ, actual_CQ, scales_CQ = audit(np.random.default_rng(3), 14, 6, (0.0, 0.0, 0.1))
    actual_CQ[:, 0] += 50
    seen = held_out_coverage(predicted_CQ, actual_CQ, scales_CQ)
    unseen = held_out_coverage(predicted_CQ, actual_CQ, scales_CQ, folds=6)
    assert seen.covered > 0.95 and unseen.covered < 0.84 and unseen.width < seen.width
