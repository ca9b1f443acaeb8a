"""What has to be true of the way from scores to shares so that it can be paid by: each property by its name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import (
    ShareRule,
    contributor_table,
    group_scores,
    label_floors,
    mass,
    query_floors,
    scaled,
    share_table,
    volume_proof,
    with_floors,
)
from byline.core import PPB, AttributionError, ScoreTable

FAST = ShareRule(draws=40)
scores = st.floats(-10, 10, width=32).map(lambda x: round(x, 3))
rows = st.lists(st.tuples(st.sampled_from("abcdefgh"), scores, scores), min_size=2, max_size=30)
seeds = st.integers(0, 10_000)


def table(values_QN):
    values_QN = np.atleast_2d(np.asarray(values_QN, dtype=np.float32))
    queries, examples = ([f"{kind}{n}" for n in range(size)] for kind, size in zip("qe", values_QN.shape, strict=True))
    return ScoreTable(values_QN, tuple(queries), tuple(examples), "m")


def found_in(drawn, rule=FAST):
    """group_scores of drawn rows: (cluster, score of the first query, of the second)."""
    return group_scores(table(np.array([row[1:] for row in drawn]).T), [row[0] for row in drawn], None, rule)


def clusters_of(found, rule=FAST, outside=0.0):
    return share_table(found, "q", "cluster", "m", "run:1", outside=outside, rule=rule)


def contributors_of(found, owners, rule=FAST, outside=0.0):
    return contributor_table(found, owners, "q", "m", "run:1", outside=outside, rule=rule)


# --- the whole ----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(rows, st.floats(0, 1), st.sampled_from([0.0, 1.0, 3.0]))
def test_efficiency_shares_and_the_rest_are_the_whole(drawn, outside, threshold):
    rule = ShareRule(threshold=threshold, draws=20)
    found = found_in(drawn, rule)
    made = contributors_of(found, {name: {name.upper(): 1.0, "all": 2.0} for name in found.names}, rule, outside)
    assert sum(line.ppb for line in made.lines) + made.unattributed_ppb == PPB
    assert made.unattributed_ppb == clusters_of(found, rule, outside).unattributed_ppb


@settings(deadline=None)
@given(rows, st.floats(0, 1), st.sampled_from([0.0, 1.0, 3.0]))
def test_every_part_of_the_mass_is_told(drawn, outside, threshold):
    rule = ShareRule(threshold=threshold, draws=20)
    found = found_in(drawn, rule)
    told = mass(found, rule)
    assert told.positive - told.negative == pytest.approx(sum(sum(row[1:]) for row in drawn), abs=1e-4)
    assert 0 <= told.thresholded <= told.positive + 1e-9 and told.paid + told.thresholded == told.positive
    from_outside, below = told.unattributed(outside)
    assert clusters_of(found, rule, outside).unattributed_ppb == pytest.approx((from_outside + below) * PPB, abs=2)


@settings(deadline=None)
@given(rows, st.floats(-3, 3), st.floats(-3, 3))
def test_linearity_a_period_is_the_sum_of_its_queries(drawn, first, second):
    values_QN, groups = table(np.array([row[1:] for row in drawn]).T), [row[0] for row in drawn]
    one, other, both = (
        group_scores(values_QN, groups, np.array(w), FAST).sums_G for w in ((1, 0), (0, 1), (first, second))
    )
    np.testing.assert_allclose(both, first * one + second * other, atol=1e-9)


@settings(deadline=None)
@given(rows, st.floats(0.1, 9))
def test_a_common_slope_changes_no_share_and_every_stated_effect(drawn, factor):
    found = with_floors(found_in(drawn), label_floors(table(np.array([r[1:] for r in drawn]).T), [r[0] for r in drawn]))
    stated = scaled(found, np.full(len(found.names), factor))
    np.testing.assert_allclose(stated.sums_G, factor * found.sums_G)
    one, two = clusters_of(found).ppb(), clusters_of(stated).ppb()
    assert all(abs(two[name] - ppb) <= 1 for name, ppb in one.items())


# --- who gets nothing, who gets the same, who gets more -------------------------------------------------------------


@settings(deadline=None)
@given(rows)
def test_null_player_weight_zero_data_gets_nothing(drawn):
    made = contributors_of(
        found_in([*drawn, ("null", 0, 0), ("null", 0, 0)]), {c: {c: 1.0} for c in [*"abcdefgh", "null"]}
    )
    line = next(line for line in made.lines if line.id == "null")
    assert line.ppb == line.low_ppb == 0


@settings(deadline=None)
@given(rows, st.permutations("abcdefgh"))
def test_symmetry_names_do_not_matter_to_shares(drawn, names):
    renamed = dict(zip("abcdefgh", names, strict=True))
    one, two = found_in(drawn), found_in([(renamed[row[0]], *row[1:]) for row in drawn])
    before, after = clusters_of(one).ppb(), clusters_of(two).ppb()
    assert all(abs(after[renamed[name]] - ppb) <= 1 for name, ppb in before.items())


@settings(deadline=None)
@given(rows, st.randoms())
def test_order_of_ingestion_changes_not_one_bit(drawn, random):
    mixed = list(drawn)
    random.shuffle(mixed)
    assert clusters_of(found_in(mixed)) == clusters_of(found_in(drawn))


@given(st.permutations([1e8, 1.0, -1e8, 3.0, 1e-3, 2e8, -2e8, 7.0]))
def test_order_of_ingestion_not_even_where_plain_sums_would_lose_digits(values):
    """All of them in one cluster: added up in order, 1 and 3 drown in 1e8 or do not."""
    found = found_in([*(("a", x, 0) for x in values), ("b", 1, 0)])
    assert found.sums_G[0] == 11 + float(np.float32(1e-3))
    assert found.errors_G.tolist() == found_in([*(("a", x, 0) for x in sorted(values)), ("b", 1, 0)]).errors_G.tolist()


@settings(deadline=None)
@given(rows, st.sampled_from("abcdefgh"), st.floats(0, 10, width=32))
def test_monotonicity_a_helpful_work_never_lowers_ones_share(drawn, name, helps):
    rule = ShareRule(threshold=0.0, draws=20)
    before = clusters_of(found_in(drawn, rule), rule).ppb().get(name, 0)
    after = clusters_of(found_in([*drawn, (name, helps, 0)], rule), rule).ppb()[name]
    assert after >= before - 1


@settings(deadline=None)
@given(seeds, st.floats(0, 5))
def test_monotonicity_above_the_noise(seed, helps):
    """With floors: what is paid never falls if the new work clears its own floor; nor does the share, if the part of
    the work's score that clears it is at least the share so far."""
    generator = np.random.default_rng(seed)
    groups = [*"aabbccdd", "a"]
    values_QN, nulls_QN = generator.normal(0.5, 1, (1, 9)), generator.normal(0, 0.4, (6, 9))
    values_QN[0, -1] = helps
    after = floored(values_QN, nulls_QN, groups)
    before = floored(values_QN[:, :-1], nulls_QN[:, :-1], groups[:-1])
    own = query_floors(table(nulls_QN[:, -1:]), ["new"], np.ones(1))[0]
    paid = [max(found.sums_G[0] - found.noise_G[0], 0.0) for found in (before, after)]
    share = [clusters_of(found).ppb()["a"] for found in (before, after)]
    if helps >= own:
        assert paid[1] >= paid[0] - 1e-6
    if helps > 0 and helps - own >= share[0] / PPB * helps:
        assert share[1] >= share[0] - 2


def floored(values_QN, nulls_QN, groups):
    found = group_scores(table(values_QN), groups, None, FAST)
    return with_floors(found, query_floors(table(nulls_QN), groups, np.ones(len(values_QN))))


# --- names ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(rows, st.integers(1, 32), seeds)
def test_split_invariance_any_number_of_names_gets_what_one_got(drawn, names, seed):
    found = found_in(drawn)
    mine = set(found.names[: 1 + len(found.names) // 2])
    generator = np.random.default_rng(seed)
    one = {c: {"me" if c in mine else "you": 1.0} for c in found.names}
    many = {c: {f"me{generator.integers(names)}" if c in mine else "you": 1.0} for c in found.names}
    whole, split = contributors_of(found, one), contributors_of(found, many)
    assert sum(ppb for name, ppb in split.ppb().items() if name != "you") == whole.ppb()["me"]
    assert split.ppb().get("you") == whole.ppb().get("you")


@settings(deadline=None)
@given(rows)
def test_merge_invariance_two_who_join_get_what_both_got(drawn):
    found = found_in(drawn)
    apart = contributors_of(found, {c: {"x" if c < "c" else "y" if c < "e" else "z": 1.0} for c in found.names}).ppb()
    joined = contributors_of(found, {c: {"xy" if c < "e" else "z": 1.0} for c in found.names}).ppb()
    assert joined.get("xy", 0) == apart.get("x", 0) + apart.get("y", 0) and joined.get("z") == apart.get("z")


@settings(deadline=None)
@given(rows, st.floats(0.1, 5))
def test_owners_divide_a_cluster_and_names_inside_it_gain_at_most_a_rounding(drawn, weight):
    found = found_in(drawn)
    one = contributors_of(found, {c: {"me": weight, "you": 1.0} for c in found.names}).ppb()
    many = contributors_of(found, {c: {f"me-{c}": weight, "you": 1.0} for c in found.names}).ppb()
    assert abs(one["me"] - sum(ppb for name, ppb in many.items() if name != "you")) <= len(found.names)
    paid = sum(clusters_of(found).ppb().values())
    assert one["me"] == pytest.approx(paid * weight / (1 + weight), abs=len(found.names))


def test_intervals_of_a_contributor_are_of_the_sum_not_sums_of_intervals():
    found = found_in([(c, x, x) for c in "abcdefgh" for x in (0.0, 1.0, 2.0)], ShareRule(draws=4000))
    made = contributors_of(found, {c: {"me": 1.0} if c < "e" else {c: 1.0} for c in found.names}, ShareRule())
    line = next(line for line in made.lines if line.id == "me")
    singles = clusters_of(found, ShareRule()).lines[:4]
    assert line.low_ppb > 1.1 * sum(s.low_ppb for s in singles) and line.high_ppb < 0.95 * sum(
        s.high_ppb for s in singles
    )
    assert line.low_ppb < line.ppb < line.high_ppb


def test_intervals_are_divided_as_shares_are():
    found = found_in([(c, x, x) for c in "ab" for x in (0.0, 1.0, 2.0)])
    mine, other, yours = contributors_of(found, {"a": {"me": 3.0, "you": 1.0}, "b": {"other": 5.0}}).lines
    whole, _ = clusters_of(found).lines
    for line, part in ((mine, 0.75), (yours, 0.25)):
        assert (line.low_ppb, line.high_ppb) == pytest.approx((part * whole.low_ppb, part * whole.high_ppb), abs=2)
    assert other.high_ppb > other.ppb > other.low_ppb


def test_a_cluster_without_owner_is_refused():
    for owners in ({}, {"a": {}}, {"a": {"me": 0.0}}, {"a": {"me": -1.0, "you": 2.0}}):
        with pytest.raises(AttributionError) as fault:
            contributors_of(found_in([("a", 1, 1)]), owners)
        assert fault.value.code == "no-owner"


@settings(deadline=None)
@given(rows, st.integers(2, 32), st.sampled_from([0.0, 1.0, 2.0]), seeds)
def test_cutting_a_cluster_itself_gains_at_most_the_clipped_mass_of_its_unpaid_pieces(drawn, pieces, threshold, seed):
    """The bound in the docstring of `shares`, at floors that do not depend on the other groups."""
    rule, generator = ShareRule(threshold=threshold, draws=20), np.random.default_rng(seed)
    values, groups = table(np.array([row[1:] for row in drawn]).T), [row[0] for row in drawn]
    name = groups[0]
    cut = [f"{g}:{generator.integers(pieces)}" if g == name else g for g in groups]
    whole, split = (with_floors(group_scores(values, g, None, rule), label_floors(values, g)) for g in (groups, cut))
    mine = [at for at, piece in enumerate(split.names) if piece.startswith(name + ":")]
    short = threshold * split.noise_G[mine] - split.sums_G[mine]
    total = mass(whole, rule).positive
    bound = np.maximum(short, 0).sum() / total if total > 0 else np.inf
    gain = sum(clusters_of(split, rule).ppb()[split.names[at]] for at in mine) - clusters_of(whole, rule).ppb()[name]
    assert gain / PPB <= bound + 1e-6


@settings(deadline=None)
@given(rows, st.integers(2, 32), st.sampled_from([0.0, 1.0, 2.0]), seeds)
def test_with_the_pooled_error_cutting_gains_at_most_what_was_clipped(drawn, pieces, threshold, seed):
    rule, generator = ShareRule(threshold=threshold, draws=20), np.random.default_rng(seed)
    name = drawn[0][0]
    cut = [(f"{r[0]}:{generator.integers(pieces)}" if r[0] == name else r[0], *r[1:]) for r in drawn]
    whole, split = found_in(drawn, rule), found_in(cut, rule)
    at = whole.names.index(name)
    mine = [n for n, piece in enumerate(split.names) if piece.startswith(name + ":")]
    a, paid = whole.sums_G[at], max(whole.sums_G[at] - threshold * whole.errors_G[at], 0)
    now = np.maximum(split.sums_G[mine] - threshold * split.errors_G[mine], 0).sum()
    negative = np.maximum(-split.sums_G[mine], 0).sum() - max(-a, 0)
    assert now - paid <= max(a, 0) - paid + negative + 1e-6


# --- copies and junk --------------------------------------------------------------------------------------------------


def attack(generator, copies, edit=0.0):
    """Shares of six clusters by null-query floors, before and after each example of the first was cut into so many
    copies, whose scores on queries and null queries divide its own, with edits of the given size."""
    groups = [c for c in "abcdef" for _ in range(5)]
    values_QN, nulls_QN = generator.normal(1, 1, (3, 30)), generator.normal(0, 0.5, (25, 30))
    before = floored(values_QN, nulls_QN, groups)
    repeat = [copies if group == "a" else 1 for group in groups]
    noise = 1 + edit * generator.normal(size=sum(repeat))
    after = floored(
        *(np.repeat(x / repeat, repeat, axis=1) * noise for x in (values_QN, nulls_QN)), list(np.repeat(groups, repeat))
    )
    return clusters_of(before).ppb()["a"], clusters_of(after).ppb()["a"]


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_copies_ten_exact_copies_in_a_cluster_gain_nothing(seed):
    before, after = attack(np.random.default_rng(seed), 10)
    assert after == pytest.approx(before, abs=1e-6 * PPB)


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_near_copies_with_two_percent_edits_gain_at_most_a_tenth(seed):
    before, after = attack(np.random.default_rng(seed), 10, edit=0.02)
    assert after <= 1.1 * before + 1e-3 * PPB


def junk_gain(threshold, volume, worlds=40):
    """Paid mass of a contributor after uploading `volume` clusters of pure noise (scores of permuted labels), over that
    before; mean over worlds of 20 clusters of 20 examples, of which the contributor has two."""
    gains = []
    for seed in range(worlds):
        generator = np.random.default_rng(seed)
        effects_G = generator.gamma(2.0, 1.0, 20)
        real_N = generator.normal(np.repeat(effects_G, 20) / 20, 0.1)
        junk_N = generator.permutation(np.resize(real_N - real_N.mean(), 20 * volume))
        groups = [f"c{n // 20:04d}" for n in range(20 * (20 + volume))]
        found = group_scores(table(np.r_[real_N, junk_N]), groups, None, FAST)
        kept = np.maximum(found.sums_G - threshold(20 + volume) * found.noise_G, 0)
        gains.append((kept[:2].sum() + kept[20:].sum()) / kept[:2].sum() if kept[:2].sum() > 0 else 1.0)
    return float(np.mean(gains))


def test_junk_at_a_fixed_threshold_ten_times_the_volume_pays_which_is_why_the_other_exists():
    assert junk_gain(lambda groups: 1.0, 20) > 1.1


def test_junk_volume_times_ten_gains_at_most_two_percent():
    assert junk_gain(volume_proof, 20) <= 1.02


def slow_overshoot(threshold, steps=200_000):
    """E[(z - k)+] of a standard normal, by the trapezoidal rule."""
    z = np.linspace(threshold, threshold + 12, steps)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.trapezoid((z - threshold) * density, z))


@pytest.mark.parametrize("groups", [5, 20, 1000, 10**6])
def test_at_the_volume_proof_threshold_all_noise_together_is_paid_less_than_a_tenth_of_one(groups):
    paid = groups * slow_overshoot(volume_proof(groups))
    assert paid <= 1 / (math.sqrt(2 * math.pi) * (1 + 2 * math.log(groups))) < 0.1
    assert groups * slow_overshoot(1.0) > 4 * paid


# --- nothing to find, something to find -------------------------------------------------------------------------------


def test_label_permuted_null_clears_the_floors_as_often_as_chance():
    generator = np.random.default_rng(0)
    values_QN = generator.standard_t(5, (1, 400))
    over = []
    for _ in range(100):
        groups = [f"c{n:02d}" for n in generator.permutation(np.repeat(np.arange(20), 20))]
        found = group_scores(table(values_QN), groups, None, FAST)
        over.append((found.sums_G - values_QN.mean() * 20 > 1.645 * label_floors(table(values_QN), groups)).mean())
    assert np.mean(over) == pytest.approx(0.05, abs=0.015)


def test_planted_canary_is_first_and_chance_is_not():
    generator = np.random.default_rng(0)
    values_N = generator.normal(0, 1, 200)
    values_N[40:50] += 1.5
    groups = np.array([f"c{n // 10:02d}" for n in range(200)])

    def first(labels):
        found = group_scores(table(values_N), list(labels), None, FAST)
        return clusters_of(with_floors(found, label_floors(table(values_N), list(labels)))).ppb()["c04"]

    real = clusters_of(group_scores(table(values_N), list(groups), None, FAST)).ppb()
    chance = [first(generator.permutation(groups)) for _ in range(150)]
    assert max(real, key=lambda name: real[name]) == "c04"
    assert (1 + sum(x >= first(groups) for x in chance)) / 151 < 0.01
