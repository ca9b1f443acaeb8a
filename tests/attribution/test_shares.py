"""Shares add up, aggregate before they clip, and change with nothing that they should not change with."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import ShareRule, group_scores, share_table
from byline.core import PPB, AttributionError, ScoreTable

FAST = ShareRule(draws=50)
values = st.floats(-10, 10, width=32).map(lambda x: np.float32(round(x, 3)))
worlds = st.lists(st.tuples(st.sampled_from("abcde"), values, values), min_size=1, max_size=20)


def table(rows):
    """Two queries; a row is (group, score of the first, score of the second)."""
    scores_QN = np.array([[row[1 + q] for row in rows] for q in range(2)], dtype=np.float32)
    return ScoreTable(scores_QN, ("q1", "q2"), tuple(f"ex:{n}" for n in range(len(rows))), "m")


def shares(rows, rule=FAST, outside=0.0, weights_Q=None):
    found = group_scores(table(rows), [row[0] for row in rows], weights_Q, rule)
    return found, share_table(found, "q", "cluster", "m", "run:1", outside=outside, rule=rule)


def slow_shares(rows, errors, threshold, outside):
    """Per group: the sum over all its examples and both queries; less the threshold; cut; over all positive sums."""
    sums = {}
    for group, first, second in rows:
        sums[group] = sums.get(group, 0.0) + float(first) + float(second)
    positive = sum(x for x in sums.values() if x > 0)
    return {
        g: (1 - outside) * max(0.0, x - threshold * errors[g]) / positive if positive else 0.0 for g, x in sums.items()
    }


@settings(deadline=None)
@given(worlds, st.floats(0, 1), st.sampled_from([0.0, 1.0, 2.5]))
def test_shares_are_the_loop_and_add_up(rows, outside, threshold):
    rule = dataclasses.replace(FAST, threshold=threshold)
    found, made = shares(rows, rule, outside)
    want = slow_shares(rows, dict(zip(found.names, found.errors_G, strict=True)), threshold, outside)
    assert sum(line.ppb for line in made.lines) + made.unattributed_ppb == PPB
    assert set(made.ppb()) == set(want)
    for line in made.lines:
        assert line.ppb == pytest.approx(want[line.id] * PPB, abs=2 + 1e-6 * PPB)
        assert 0 <= line.low_ppb <= line.ppb <= line.high_ppb <= PPB
    assert made.unattributed_ppb >= outside * PPB - 2
    for name, total in zip(found.names, found.sums_G, strict=True):
        assert total > 0 or made.ppb()[name] == 0  # negative influence is never paid


def test_sums_are_clipped_once_at_the_end():
    """+3 and -2 are one: clipping per example or per query would have paid three."""
    rows = [("noisy", 3, 0), ("noisy", 0, -2), ("steady", 1, 0), ("steady", 0, 0)]
    _, made = shares(rows, dataclasses.replace(FAST, threshold=0.0))
    assert made.ppb() == {"noisy": PPB // 2, "steady": PPB // 2}


def test_a_group_without_influence_gets_nothing():
    rows = [("null", x, -x) for x in range(-5, 6)] + [("real", 1, 1)] * 4
    _, made = shares(rows, ShareRule())
    assert made.ppb()["null"] == 0 and made.ppb()["real"] == PPB


def test_when_nobody_helped_all_is_unattributed():
    _, made = shares([("a", -1, -1), ("b", 0, 0)])
    assert made.unattributed_ppb == PPB and set(made.ppb().values()) == {0}


def slow_errors(rows):
    """sqrt(n) times the pooled spread of single examples around their group's mean."""
    groups = {}
    for group, first, second in rows:
        groups.setdefault(group, []).append(float(first) + float(second))
    squares = sum((x - sum(xs) / len(xs)) ** 2 for xs in groups.values() for x in xs)
    freedom = len(rows) - len(groups)
    if freedom == 0:
        every = [x for xs in groups.values() for x in xs]
        squares, freedom = sum((x - sum(every) / len(every)) ** 2 for x in every), len(every)
    return {group: (len(xs) * squares / freedom) ** 0.5 for group, xs in groups.items()}


@settings(deadline=None)
@given(worlds)
def test_the_error_is_the_pooled_one(rows):
    found, _ = shares(rows)
    want = slow_errors(rows)
    for name, error in zip(found.names, found.errors_G, strict=True):
        assert error == pytest.approx(want[name], rel=1e-5, abs=1e-4)


def test_draws_have_the_sum_and_the_error():
    rows = [("a", x, 0) for x in (1.0, 4.0, 2.0, 9.0)]
    found, _ = shares(rows, ShareRule(draws=20_000))
    assert found.draws_DG.std() == pytest.approx(found.errors_G[0], rel=0.02)
    assert found.draws_DG.mean() == pytest.approx(16, rel=0.01)


def test_a_single_example_does_not_escape_the_threshold():
    steady = [("s", x, 0) for x in (0.9, 1.1, 1.0, 1.2, 0.8)]
    noisy = [("n", x, 0) for x in (5.0, -5.0, 4.0, -4.0)]
    found, made = shares([*steady, *noisy, ("one", 2.0, 0)], ShareRule())
    assert found.errors_G[found.names.index("one")] > 2.0
    assert made.ppb()["one"] == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 5, width=32), min_size=4, max_size=12), st.integers(2, 4))
def test_spreading_helpful_examples_over_names_gains_nothing(scores, parts):
    """Every example helps; the others' spread is large, so that regrouping these hardly moves the pooled one."""
    others = [("z", x, 0) for x in (-9.0, 9.0) * 200]
    whole = shares([("a", x, 0) for x in scores] + others)[1].ppb()["a"]
    split = shares([(f"a{n % parts}", x, 0) for n, x in enumerate(scores)] + others)[1].ppb()
    assert sum(ppb for name, ppb in split.items() if name != "z") <= whole + 0.01 * PPB


@settings(deadline=None)
@given(worlds, st.randoms())
def test_the_order_of_examples_does_not_matter(rows, random):
    _, made = shares(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    _, same = shares(shuffled)
    assert all(abs(same.ppb()[name] - ppb) <= 10 for name, ppb in made.ppb().items())


@settings(deadline=None)
@given(worlds, st.floats(0.01, 100))
def test_the_unit_of_the_scores_does_not_matter(rows, factor):
    _, made = shares(rows)
    found = group_scores(table(rows), [row[0] for row in rows], np.full(2, factor), FAST)
    scaled = share_table(found, "q", "cluster", "m", "run:1", rule=FAST)
    assert all(abs(scaled.ppb()[name] - ppb) <= 10 for name, ppb in made.ppb().items())


def test_splitting_steady_examples_over_names_gains_nothing():
    """Without noise there is nothing to clip: two names get together what one got."""
    whole = [("a", 1, 1)] * 6 + [("b", 2, 1)] * 4
    split = [("a1", 1, 1)] * 2 + [("a2", 1, 1)] * 4 + [("b", 2, 1)] * 4
    one, two = shares(whole)[1].ppb(), shares(split)[1].ppb()
    assert abs(two["a1"] + two["a2"] - one["a"]) <= 1 and abs(one["b"] - two["b"]) <= 1


def test_queries_are_weighted():
    rows = [("a", 1, 0), ("a", 1, 0), ("b", 0, 1), ("b", 0, 1)]
    _, made = shares(rows, weights_Q=np.array([3.0, 1.0]))
    assert made.ppb() == {"a": 750_000_000, "b": 250_000_000}


def test_the_seed_decides():
    rows = [("a", x, 0) for x in (1, 4, 2, 9)] + [("b", x, 0) for x in (3, 1, 1)]
    assert shares(rows)[1] == shares(rows)[1]
    assert shares(rows)[1] != shares(rows, dataclasses.replace(FAST, seed=1))[1]


def test_a_wider_level_gives_wider_intervals():
    rows = [("a", x, 0) for x in (1, 4, 2, 9)] + [("b", x, 0) for x in (3, 1, 1)]
    narrow, wide = (shares(rows, dataclasses.replace(FAST, level=level))[1] for level in (0.5, 0.95))
    assert (narrow.level_ppm, wide.level_ppm) == (500_000, 950_000)
    for a, b in zip(narrow.lines, wide.lines, strict=True):
        assert b.low_ppb <= a.low_ppb <= a.high_ppb <= b.high_ppb
    assert any(b.high_ppb > a.high_ppb for a, b in zip(narrow.lines, wide.lines, strict=True))


def test_groups_must_fit():
    with pytest.raises(AttributionError) as fault:
        group_scores(table([("a", 1, 1)]), ["a", "b"])
    assert fault.value.code == "bad-groups"
