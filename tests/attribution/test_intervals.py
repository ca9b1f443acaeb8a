"""Errors by source, each against what was planted, and intervals that follow from them."""

import numpy as np
import pytest

from byline.attribution import (
    Errors,
    ShareRule,
    from_half_widths,
    group_scores,
    mean_table,
    seed_errors,
    share_table,
    stream_errors,
    with_errors,
)
from byline.core import AttributionError, ScoreTable

GROUPS = ["a", "a", "b", "c", "c", "c"]


def table(values_QN, method="m"):
    values_QN = np.asarray(values_QN, dtype=np.float32)
    return ScoreTable(values_QN, tuple(f"q{n}" for n in range(len(values_QN))), tuple("uvwxyz"), method)


def streams(count, noise, seed=0):
    generator = np.random.default_rng(seed)
    truth_QN = np.arange(12.0).reshape(2, 6)
    return [table(truth_QN + noise * generator.normal(size=truth_QN.shape)) for _ in range(count)]


def test_stream_errors_are_the_loop():
    tables, weights = streams(4, 1.0), (0.5, 2.0)
    want = []
    for group in "abc":
        sums = []
        for each in tables:
            members = [n for n, name in enumerate(GROUPS) if name == group]
            sums.append(sum(w * float(each.scores_QN[q, n]) for q, w in enumerate(weights) for n in members))
        mean = sum(sums) / 4
        want.append((sum((x - mean) ** 2 for x in sums) / 3 / 4) ** 0.5)
    np.testing.assert_allclose(stream_errors(tables, GROUPS, np.array(weights)), want, rtol=1e-5)


def test_stream_errors_are_how_far_the_mean_is_off():
    """Two queries: a sum of n examples has variance 2 n, its mean over four streams a quarter of it."""
    truth_G = group_scores(table(np.arange(12.0).reshape(2, 6)), GROUPS).sums_G
    drawn = [streams(4, 1.0, seed) for seed in range(300)]
    stated = np.sqrt(np.mean([stream_errors(each, GROUPS) ** 2 for each in drawn], axis=0))
    away = np.array([group_scores(mean_table(each), GROUPS).sums_G - truth_G for each in drawn])
    np.testing.assert_allclose(stated, np.sqrt(2 * np.array([2, 1, 3]) / 4), rtol=0.1)
    np.testing.assert_allclose(np.sqrt((away**2).mean(0)), stated, rtol=0.15)


def test_seed_errors_are_the_planted_ones():
    """Effects of 400 groups retrained with two seeds: from their correlation comes the noise of one seed."""
    generator = np.random.default_rng(0)
    effects_G = generator.normal(0, 2.0, 400)
    one, two = (effects_G + generator.normal(0, 2.5, 400) for _ in range(2))
    rho = float(np.corrcoef(one, two)[0, 1])
    scores = ScoreTable(effects_G[None].astype(np.float32), ("q",), tuple(f"e{n:03d}" for n in range(400)), "m")
    found = group_scores(scores, [f"g{n:03d}" for n in range(400)])
    assert seed_errors(found, rho) == pytest.approx(np.full(400, 2.5), rel=0.15)
    assert not seed_errors(found, 1.0).any()


def test_parts_add_up():
    errors = Errors(np.array([3.0, 0.0]), np.array([0.0, 4.0]), np.array([4.0, 3.0]))
    assert errors.total_G.tolist() == [5.0, 5.0]
    assert errors.parts() == pytest.approx({"examples": 9 / 50, "streams": 16 / 50, "seed": 25 / 50})
    assert set(Errors(np.zeros(2), np.zeros(2), np.zeros(2)).parts().values()) == {0.0}


def test_wider_errors_widen_intervals_and_pay_the_same():
    found = group_scores(table([[5, 6, 4, 3, 3, 4]] * 2), GROUPS)
    narrow, wide = (share_table(f, "q", "cluster", "m", "r") for f in (found, with_errors(found, 4 * found.errors_G)))
    assert wide.ppb() == narrow.ppb()
    for a, b in zip(narrow.lines, wide.lines, strict=True):
        assert b.low_ppb < a.low_ppb < a.high_ppb < b.high_ppb


def test_half_widths_come_back_as_intervals_of_the_sums():
    rule = ShareRule(draws=40_000, level=0.8)
    found = group_scores(table([[5, 6, 4, 3, 3, 4]]), GROUPS, None, rule)
    half_G = np.array([1.0, 2.0, 3.0])
    drawn_DG = with_errors(found, from_half_widths(half_G, 0.8), rule).draws_DG
    np.testing.assert_allclose(
        np.quantile(drawn_DG, [0.1, 0.9], axis=0), [found.sums_G - half_G, found.sums_G + half_G], atol=0.08
    )


def test_misuse_is_refused():
    found = group_scores(streams(1, 0.0)[0], GROUPS)
    for code, body in {
        "streams-differ": lambda: mean_table(streams(1, 1.0)),
        "bad-groups": lambda: stream_errors(streams(2, 1.0), GROUPS[1:]),
        "bad-errors": lambda: with_errors(found, np.ones(2)),
    }.items():
        with pytest.raises(AttributionError) as fault:
            body()
        assert fault.value.code == code
    with pytest.raises(AttributionError):
        mean_table([*streams(1, 1.0), table(np.zeros((2, 6)), "other")])
    for rho in (0.0, -0.2, 1.1, float("nan")):
        with pytest.raises(AttributionError) as fault:
            seed_errors(found, rho)
        assert fault.value.code == "bad-rho"
