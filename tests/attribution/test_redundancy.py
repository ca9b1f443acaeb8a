"""The redundancy game held to given scores: its laws, copies, junk, and what it says where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import (
    GroupScores,
    ShareRule,
    contributor_table,
    displacements,
    group_scores,
    held_game,
    leading,
    share_table,
    two_numbers,
)
from byline.core import PPB, AttributionError, ScoreTable


def world(players=14, rows=3, width=6, seed=0):
    """Features with directions in common, scores, and the player of each example."""
    generator = np.random.default_rng(seed)
    features_ND = leading(generator.normal(size=(players * rows, 3 * width)), width)
    return (
        features_ND,
        generator.normal(size=players * rows),
        [f"p{g:02d}" for g in range(players) for _ in range(rows)],
    )


def grouped(scores_N, players, rule=None):
    table = ScoreTable(scores_N[None].astype(np.float32), ("q",), tuple(f"e{n:03d}" for n in range(len(players))), "m")
    return group_scores(table, players, rule=rule)


def shares_of(found, players, owners=None):
    """Shares in parts per billion by the game's sums, of clusters or of their owners."""
    scored = GroupScores.drawn(players, found.share_G, np.zeros(len(players)), ShareRule(threshold=0.0))
    if owners is None:
        return share_table(scored, "q", "cluster", "m", "run:1", rule=ShareRule(threshold=0.0)).ppb()
    return contributor_table(scored, owners, "q", "m", "run:1", rule=ShareRule(threshold=0.0)).ppb()


# --- held to the scores -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [0.1, 1.0, 30.0])
def test_the_derivative_at_the_full_training_is_the_score_of_each_player(ridge):
    """By a little less weight on one player's examples: the slope of v is the sum of the given scores."""
    features_ND, scores_N, names = world(players=6)
    held, tiny = held_game(features_ND, scores_N, names, ridge), 1e-5
    whole = held.value(range(6))
    for g, player in enumerate(held.players):
        mine = np.array(names) == player
        weights_N = np.where(mine, 1 - tiny, 1.0)
        moment_DD = (features_ND.T * weights_N) @ features_ND + ridge * np.eye(features_ND.shape[1])
        theta_D = np.linalg.solve(moment_DD, features_ND.T @ weights_N)
        less = float(held.psi_D @ theta_D) + float(held.rest_G.sum()) - tiny * held.rest_G[g]
        assert (whole - less) / tiny == pytest.approx(scores_N[mine].sum(), rel=1e-3, abs=1e-4)


def test_at_a_large_ridge_it_is_the_linear_game():
    features_ND, scores_N, names = world()
    found = two_numbers(held_game(features_ND, scores_N, names, 1e6), pairs=16)
    want = grouped(scores_N, names).sums_G
    np.testing.assert_allclose(found.share_G, want, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.unique_G, want, rtol=1e-3, atol=1e-3)


def test_it_predicts_a_ridge_regression_without_pairs_and_halves_where_the_linear_game_overstates_or_misses():
    """The truth is a regression on the very features; the scores are its derivatives. Then the game is exact."""
    features_ND, _, names = world(players=12, rows=4, width=5)
    query_D = np.random.default_rng(5).normal(size=5)

    def truth(kept_N):
        some = features_ND[kept_N]
        return float(query_D @ np.linalg.solve(some.T @ some + np.eye(5), some.sum(0)))

    everybody = np.ones(len(names), dtype=bool)
    inverse = np.linalg.inv(features_ND.T @ features_ND + np.eye(5))
    left_N = 1 - features_ND @ inverse @ features_ND.sum(0)
    scores_N = (features_ND @ inverse @ query_D) * left_N
    held = held_game(features_ND, scores_N, names, 1.0)
    chance, sums_G = np.random.default_rng(0), grouped(scores_N, names).sums_G
    wrong, linear_wrong = [], []
    for size in (2, 6):
        for _ in range(10):
            out = chance.choice(12, size, replace=False)
            stay = [g for g in range(12) if g not in out]
            drop = truth(everybody) - truth(~np.isin(names, [held.players[g] for g in out]))
            wrong.append(held.value(range(12)) - held.value(stay) - drop)
            linear_wrong.append(sums_G[out].sum() - drop)
    assert np.abs(wrong).max() < 0.02 * np.abs(linear_wrong).max()
    assert held.explained > 0.999


# --- laws ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 14), st.integers(0, 99), st.sampled_from([0.01, 1.0, 100.0]))
def test_shares_add_up_to_the_value_of_all(players, seed, ridge):
    held = held_game(*world(players, 2, 3, seed), ridge)
    found = two_numbers(held, pairs=16)
    assert found.share_G.sum() == pytest.approx(held.value(range(players)), rel=1e-9, abs=1e-9)
    assert held.value([]) == 0


def test_linear_in_the_scores_so_periods_add_up():
    features_ND, one_N, names = world()
    two_N = np.random.default_rng(9).normal(size=len(one_N))
    parts = [two_numbers(held_game(features_ND, s, names), pairs=16) for s in (one_N, two_N, one_N + two_N)]
    np.testing.assert_allclose(parts[0].share_G + parts[1].share_G, parts[2].share_G, atol=1e-10)
    np.testing.assert_allclose(parts[0].unique_G + parts[1].unique_G, parts[2].unique_G, atol=1e-10)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 99))
def test_order_and_names_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    rows_NK, scores_N = generator.normal(size=(18, 9)), generator.normal(size=18)
    names = [f"p{n // 3}" for n in range(18)]
    mixed, renamed = generator.permutation(18), {"p0": "z", "p3": "y"}
    one = two_numbers(held_game(leading(rows_NK, 4), scores_N, names))
    other_names = [renamed.get(names[n], names[n]) for n in mixed]
    two = two_numbers(held_game(leading(rows_NK[mixed], 4), scores_N[mixed], other_names))
    back = [two.players.index(renamed.get(name, name)) for name in one.players]
    np.testing.assert_allclose(two.share_G[back], one.share_G, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(two.unique_G[back], one.unique_G, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 32), st.integers(0, 99))
def test_whoever_holds_the_clusters_under_however_many_names_gains_at_most_a_billionth(names, seed):
    """Splitting: 32 clusters of one contributor put under up to 32 names; nobody else's share moves either."""
    generator = np.random.default_rng(seed)
    clusters = [f"c{n:02d}" for n in range(36)]
    found = two_numbers(
        held_game(leading(generator.normal(size=(36, 8)), 4), generator.normal(size=36), clusters), pairs=16
    )
    mine, others = clusters[:32], {c: {"you": 1.0} for c in clusters[32:]}
    one = shares_of(found, clusters, {c: {"me": 1.0} for c in mine} | others)
    split = shares_of(found, clusters, {c: {f"me{n % names}": 1.0} for n, c in enumerate(mine)} | others)
    gained = sum(part for name, part in split.items() if name.startswith("me")) - one["me"]
    assert abs(gained) <= 1 and split["you"] == one["you"]


# --- copies, junk, a canary -----------------------------------------------------------------------------------------


def orthogonal(copies):
    """Works of one direction each, the first one there `copies` times; all score what they are missed for."""
    features_ND = np.concatenate([np.tile(np.eye(4)[:1], (copies, 1)), np.eye(4)[1:]])
    left_N = 1 / np.concatenate([np.full(copies, copies + 1.0), np.full(3, 2.0)])
    names = [f"a{n}" for n in range(copies)] + ["b", "c", "d"]
    damped_N = np.concatenate([np.full(copies, 1 / (copies + 1)), np.full(3, 0.5)])
    return features_ND, damped_N * left_N, names


def test_two_alike_have_equal_shares_and_neither_is_as_unique():
    found = two_numbers(held_game(*orthogonal(2)))
    assert found.share_G[0] == pytest.approx(found.share_G[1], rel=1e-12)
    assert found.unique_G[0] < 0.75 * found.share_G[0]
    np.testing.assert_allclose(found.unique_G[2:], found.share_G[2:], rtol=1e-3)  # alone in its direction


def test_a_copy_takes_from_its_twin_and_from_nobody_else():
    """Two alike share what one alone would have, and what a second helping of the same still taught."""
    one, two = (two_numbers(held_game(*orthogonal(copies))) for copies in (1, 2))
    np.testing.assert_allclose(two.share_G[2:], one.share_G[1:], rtol=1e-3)
    assert one.share_G[0] < two.share_G[:2].sum() < 1.4 * one.share_G[0]
    assert two.share_G[0] < 0.7 * one.share_G[0]


def test_ten_times_the_junk_is_paid_nothing_and_takes_little_before_the_threshold():
    """Examples of no score in random directions. What the game credits them with stays below one standard error of a
    single example, which is what has to be cleared (`shares`)."""
    generator = np.random.default_rng(1)
    honest_NK, scores_N = generator.normal(size=(40, 30)), np.abs(generator.normal(size=40)) + 1
    for junk in (10, 100):
        rows_NK = np.concatenate([honest_NK, 0.1 * generator.normal(size=(junk, 30))])
        names = [f"w{n // 4}" for n in range(40)] + [f"junk{n:03d}" for n in range(junk)]
        all_N = np.concatenate([scores_N, np.zeros(junk)])
        found, plain = two_numbers(held_game(leading(rows_NK, 16), all_N, names), pairs=32), grouped(all_N, names)
        scored = GroupScores.drawn(found.players, found.share_G, plain.errors_G, ShareRule())
        paid = share_table(scored, "q", "cluster", "m", "run:1").ppb()
        assert not any(part for name, part in paid.items() if name.startswith("junk"))
        assert sum(part for name, part in shares_of(found, found.players).items() if name.startswith("junk")) < PPB / 20


def test_the_scorer_of_a_unique_phrase_comes_first_and_not_when_labels_are_permuted():
    generator = np.random.default_rng(2)
    rows_NK = generator.normal(size=(60, 20))
    rows_NK[:5, 19] = 8.0
    scores_N = 0.1 * generator.normal(size=60)
    scores_N[:5] += 1.0
    names = np.array([f"p{n // 5:02d}" for n in range(60)])

    def first(players):
        return two_numbers(held_game(leading(rows_NK, 8), scores_N, list(players)), pairs=16).share_G

    real = first(names)
    chance = [first(generator.permutation(names))[0] for _ in range(100)]
    assert real.argmax() == 0 and (1 + sum(x >= real[0] for x in chance)) / 101 < 0.02


# --- rows of a run --------------------------------------------------------------------------------------------------


def test_leading_directions_are_those_of_the_whole_matrix():
    generator = np.random.default_rng(0)
    rows_NK = generator.normal(size=(40, 5)) @ np.diag([9, 5, 3, 1e-3, 1e-3]) @ generator.normal(size=(5, 70))
    found_ND = leading(rows_NK, 3)
    assert (found_ND**2).sum() == pytest.approx(3)
    gram_NN, found_NN = rows_NK @ rows_NK.T, found_ND @ found_ND.T
    np.testing.assert_allclose(found_NN / np.trace(found_NN), gram_NN / np.trace(gram_NN), atol=1e-6)
    assert leading(rows_NK[:2], 64).shape == (2, 2)


class Block:
    """A store of two layers, two steps and three visits."""

    class spec:
        run, width = "run:1", 3

        class _Group:
            def __init__(self, name, width):
                self.name, self.width = name, width

        groups = (_Group("a", 1), _Group("b", 2))

    n_rows, example_ids = 3, ("x", "y")
    steps_N, examples_N = np.array([0, 0, 1]), np.array([0, 1, 0])
    step_log = ({"lr": {"a": 0.5, "b": 1.0}, "clip": 0.5}, {"lr": {"a": 2.0, "b": 1.0}, "clip": 1.0})

    def blocks(self):
        yield np.array([[1.0, 2, 3], [4, 5, 6]], dtype=np.float32)
        yield np.array([[7.0, 8, 9]], dtype=np.float32)


def test_displacements_are_minus_rate_times_clip_times_row_summed_over_visits():
    want = [[-(0.25 * 1 + 2 * 7), -(0.5 * 2 + 8), -(0.5 * 3 + 9)], [-0.25 * 4, -0.5 * 5, -0.5 * 6]]
    np.testing.assert_allclose(displacements(Block()), want)


def test_misuse_is_refused():
    features_ND, scores_N, names = world()
    empty = Block()
    empty.n_rows = 0
    for code, body in {
        "bad-game": lambda: held_game(features_ND, scores_N[1:], names),
        "bad-game ": lambda: held_game(features_ND, scores_N * np.nan, names),
        "bad-game  ": lambda: leading(np.zeros((3, 4))),
        "empty-run": lambda: displacements(empty),
    }.items():
        with pytest.raises(AttributionError) as fault:
            body()
        assert fault.value.code == code.strip()
