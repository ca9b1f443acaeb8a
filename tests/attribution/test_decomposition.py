"""Errors by source against brute force: many simulated worlds, and a tiny training carried back again and again."""

import numpy as np
import pytest

from byline.attribution import Errors, ShareRule, group_scores, seed_errors, share_table, spread_errors, with_errors
from byline.core import ScoreTable

GROUPS, EACH = 12, 8
NAMES = [f"g{n // EACH:02d}" for n in range(GROUPS * EACH)]


def table(values_N):
    ids = tuple(f"e{n:03d}" for n in range(len(values_N)))
    return ScoreTable(np.asarray(values_N, dtype=np.float32)[None], ("q",), ids, "m")


class World:
    """Groups with true effects; a measurement adds noise of each of the three sources, and resamplings of the batches
    scatter around what was measured as it scatters around the truth."""

    def __init__(self, seed, examples=1.0, streams=0.6, orders=2.0):
        self.chance = np.random.default_rng(seed)
        self.truth_G = self.chance.normal(0, 8, GROUPS)
        self.examples, self.streams, self.orders = examples, streams, orders

    def measured(self, resamplings=8):
        spread = np.repeat(self.truth_G / EACH, EACH) + self.examples * self.chance.normal(size=GROUPS * EACH)
        spread += np.repeat(self.orders * self.chance.normal(size=GROUPS) / EACH, EACH)
        one = spread + self.streams * self.chance.normal(size=GROUPS * EACH)
        again = [table(one + self.streams * self.chance.normal(size=GROUPS * EACH)) for _ in range(resamplings)]
        return group_scores(table(one), NAMES), again

    @property
    def rho(self):
        """What an audit of many contributors would find: effects of variance 64, noise of the order beside it."""
        return 64 / (64 + self.orders**2)


def stated(world, resamplings=8):
    """The errors of one measurement. That of the examples holds the batches' too."""
    found, again = world.measured(resamplings)
    return found, Errors(found.errors_G, spread_errors(again, NAMES), seed_errors(found, world.rho))


def test_the_sum_of_the_variances_is_that_of_brute_force():
    """Over many worlds the squares of what was missed are as large as the variances that were stated. The spread of
    examples sees the batches' noise as well, so that part is counted twice: the sum is too large by it, not more."""
    missed, said, twice = [], [], []
    for seed in range(150):
        world = World(seed)
        found, errors = stated(world)
        missed.append((found.sums_G - world.truth_G) ** 2)
        said.append(errors.total_G**2)
        twice.append(errors.streams_G**2)
    brute = EACH * (1.0 + 0.6**2) + 2.0**2
    assert np.mean(missed) == pytest.approx(brute, rel=0.1)
    assert np.mean(said) - np.mean(twice) == pytest.approx(np.mean(missed), rel=0.15)
    assert np.mean(twice) == pytest.approx(EACH * 0.6**2, rel=0.1)


def test_intervals_of_the_sums_cover_the_truth_and_without_the_seeds_part_they_cover_less():
    held = {"all": [], "examples alone": []}
    for seed in range(120):
        world = World(seed, orders=5.0)
        found, errors = stated(world)
        alone = Errors(errors.examples_G)
        for name, each in (("all", errors), ("examples alone", alone)):
            drawn = with_errors(found, each.total_G, ShareRule(level=0.9))
            low_G, high_G = np.quantile(drawn.draws_DG, [0.05, 0.95], axis=0)
            held[name].append((low_G <= world.truth_G) & (world.truth_G <= high_G))
    assert 0.87 <= np.mean(held["all"]) <= 0.97
    assert np.mean(held["examples alone"]) < np.mean(held["all"]) - 0.1


def test_a_part_that_nobody_measured_is_none_and_widens_nothing():
    found, errors = stated(World(0))
    less = Errors(errors.examples_G, None, errors.seed_G)
    assert less.parts()["streams"] is None and less.parts()["examples"] + less.parts()["seed"] == pytest.approx(1)
    assert (less.total_G < errors.total_G).all()
    np.testing.assert_allclose(Errors(errors.examples_G).total_G, errors.examples_G)
    wide, narrow = (share_table(with_errors(found, e.total_G), "q", "cluster", "m", "r") for e in (errors, less))
    assert wide.ppb() == narrow.ppb()
    assert sum(line.high_ppb - line.low_ppb for line in wide.lines) > sum(
        line.high_ppb - line.low_ppb for line in narrow.lines
    )
