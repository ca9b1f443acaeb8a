"""The surrogate game: Shapley values against all orders and loops, uniqueness against leaving out, names that gain
nothing."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import ShareRule, credit, leave_out, ridge_game, share_table
from byline.attribution.surrogate import _cheap_ranks, _ranked, _solved
from byline.core import PPB, AttributionError


def world(players, rows, width, seed=0, ridge=0.5):
    generator = np.random.default_rng(seed)
    features_NK = generator.normal(size=(players * rows, width))
    residuals_N = features_NK @ generator.normal(size=width) + generator.normal(size=players * rows)
    names = [f"p{n // rows:02d}" for n in range(players * rows)]
    return features_NK, residuals_N, names, ridge


def slow_theta(features_NK, residuals_N, names, ridge, coalition):
    width = features_NK.shape[1]
    moment_KK, target_K = ridge * np.eye(width), np.zeros(width)
    for row_K, residual, name in zip(features_NK, residuals_N, names, strict=True):
        if name in coalition:
            moment_KK += np.outer(row_K, row_K)
            target_K += row_K * residual
    return np.linalg.solve(moment_KK, target_K)


def slow_shapley(features_NK, residuals_N, names, ridge):
    """Mean over all orders of what each player adds to those before it."""
    players = sorted(set(names))
    value = {
        frozenset(s): slow_theta(features_NK, residuals_N, names, ridge, s)
        for size in range(len(players) + 1)
        for s in itertools.combinations(players, size)
    }
    found = {player: np.zeros(features_NK.shape[1]) for player in players}
    for order in itertools.permutations(players):
        for at, player in enumerate(order):
            found[player] += value[frozenset(order[: at + 1])] - value[frozenset(order[:at])]
    return np.stack([found[player] for player in players]) / math.factorial(len(players))


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99), st.sampled_from([1e-3, 1.0]))
def test_enumeration_is_the_mean_over_all_orders(players, rows, width, seed, ridge):
    drawn = world(players, rows, width, seed, ridge)
    made = credit(ridge_game(*drawn))
    np.testing.assert_allclose(made.shapley_BGK[0], slow_shapley(*drawn), rtol=1e-7, atol=1e-9)
    assert not made.errors(np.eye(width)).any()


@pytest.mark.parametrize(("players", "rows", "width"), [(8, 1, 6), (8, 3, 12), (8, 9, 4)])
def test_sampled_orders_come_within_their_stated_error_of_the_truth(players, rows, width):
    """z-scores of the sampled values have about unit variance: the error is neither boasted nor inflated."""
    game = ridge_game(*world(players, rows, width, seed=3))
    exact, psi_QK = credit(game), np.random.default_rng(1).normal(size=(5, width))
    squares = []
    for seed in range(6):
        sampled = credit(game, pairs=64, seed=seed, exact_up_to=0)
        away_QG = sampled.shares(psi_QK) - exact.shares(psi_QK)
        squares.append(((away_QG / sampled.errors(psi_QK)) ** 2).mean())
    assert 0.5 < np.mean(squares) < 2.0


def test_walking_each_order_both_ways_leaves_no_error_where_players_meet_in_pairs():
    """Every direction is held by two players; one comes before the other in exactly one of the two walks."""
    game = ridge_game(
        np.kron(np.eye(6), np.array([[1.0], [0.7]])), np.arange(1.0, 13), [f"p{n:02d}" for n in range(12)], 0.3
    )
    sampled, exact = credit(game, pairs=16), credit(game, exact_up_to=12)
    np.testing.assert_allclose(sampled.shapley_BGK.mean(0), exact.shapley_BGK[0], atol=1e-12)
    assert sampled.errors(np.eye(6)).max() < 1e-12


def test_more_orders_make_the_error_smaller():
    game, psi_QK = ridge_game(*world(14, 2, 8)), np.eye(8)
    few, many = (credit(game, pairs=pairs).errors(psi_QK).mean() for pairs in (16, 256))
    assert many == pytest.approx(few / 4, rel=0.35)


@pytest.mark.parametrize(("rows", "width", "ridge"), [(1, 8, 0.1), (3, 7, 1.0), (20, 7, 1.0), (2, 5, 1e-7)])
def test_walks_by_rank_updates_and_by_solves_are_the_loop(rows, width, ridge):
    drawn = world(9, rows, width, ridge=ridge)
    game = ridge_game(*drawn)
    order = np.random.default_rng(0).permutation(9)
    want = [slow_theta(*drawn, {game.players[g] for g in order[: at + 1]}) for at in range(9)]
    np.testing.assert_allclose(_solved(game, order), want, rtol=1e-6, atol=1e-8)
    if ridge > 1e-6:
        np.testing.assert_allclose(_ranked(game, order), want, rtol=1e-6, atol=1e-8)
    else:
        assert not _cheap_ranks(game)  # its digits would be lost


def test_blocks_of_a_walk_do_not_matter(monkeypatch):
    game = ridge_game(*world(11, 6, 5))
    whole = _solved(game, range(11))
    monkeypatch.setattr("byline.attribution.surrogate.BLOCK", 3 * 25)
    np.testing.assert_allclose(_solved(game, range(11)), whole, rtol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 14), st.integers(0, 99))
def test_efficiency_shares_add_up_to_the_whole_value(players, seed):
    drawn = world(players, 2, 4, seed)
    game = ridge_game(*drawn)
    psi_QK = np.random.default_rng(seed).normal(size=(3, 4))
    whole_Q = psi_QK @ slow_theta(*drawn, set(drawn[2]))
    np.testing.assert_allclose(credit(game, pairs=16).shares(psi_QK).sum(1), whole_Q, rtol=1e-9, atol=1e-9)


def test_linearity_a_sum_of_queries_is_the_sum_of_their_shares():
    made = credit(ridge_game(*world(12, 2, 6)), pairs=16)
    psi_QK = np.random.default_rng(0).normal(size=(3, 6))
    np.testing.assert_allclose(made.scores(psi_QK.sum(0)).sums_G, made.shares(psi_QK).sum(0), atol=1e-12)
    np.testing.assert_allclose(made.uniqueness(2 * psi_QK), 2 * made.uniqueness(psi_QK))


def test_two_identical_catalogues_share_half_each_and_neither_is_unique():
    generator = np.random.default_rng(0)
    features_NK, residuals_N = generator.normal(size=(10, 3)), generator.normal(size=10)
    twice = np.r_[features_NK, features_NK], np.r_[residuals_N, residuals_N], ["a"] * 10 + ["b"] * 10
    made = credit(ridge_game(*twice, ridge=1e-9))
    query_K = slow_theta(*twice, 1e-9, {"a"})  # a query that the whole raises
    found = made.scores(query_K, ShareRule(threshold=0.0))
    assert share_table(found, "q", "cluster", "m", "run:1").ppb() == {"a": PPB // 2, "b": PPB // 2}
    np.testing.assert_allclose(made.uniqueness(query_K[None]), 0, atol=1e-9)


def test_a_player_alone_in_its_direction_is_unique_by_its_whole_share():
    features_NK = np.kron(np.eye(3), np.ones((2, 1)))
    made = credit(ridge_game(features_NK, np.arange(1.0, 7), ["a", "a", "b", "b", "c", "c"], 0.1))
    np.testing.assert_allclose(made.unique_GK, made.shapley_BGK[0], atol=1e-12)


def test_null_player_adds_nothing_and_gets_nothing():
    features_NK, residuals_N, names, ridge = world(5, 3, 4)
    features_NK[:3] = 0
    made = credit(ridge_game(features_NK, residuals_N, names, ridge))
    assert np.abs(made.shapley_BGK[0, 0]).max() < 1e-12 and np.abs(made.unique_GK[0]).max() < 1e-12


def test_symmetry_names_and_order_do_not_matter():
    features_NK, residuals_N, names, ridge = world(6, 3, 4)
    one = credit(ridge_game(features_NK, residuals_N, names, ridge))
    renamed = [{"p00": "z", "p03": "y"}.get(name, name) for name in names]
    mixed = np.random.default_rng(0).permutation(len(names))
    two = credit(ridge_game(features_NK[mixed], residuals_N[mixed], [renamed[n] for n in mixed], ridge))
    back = [two.players.index({"p00": "z", "p03": "y"}.get(name, name)) for name in one.players]
    np.testing.assert_allclose(two.shapley_BGK[0][back], one.shapley_BGK[0], atol=1e-12)
    np.testing.assert_allclose(two.unique_GK[back], one.unique_GK, atol=1e-12)


def test_leaving_groups_out_is_the_loop():
    drawn = world(7, 2, 4)
    game, owners = ridge_game(*drawn), ["x", "y", "x", "z", "y", "x", "z"]
    names, vectors_CK = leave_out(game, owners)
    whole_K = slow_theta(*drawn, set(drawn[2]))
    for name, got_K in zip(names, vectors_CK, strict=True):
        stay = {player for player, owner in zip(game.players, owners, strict=True) if owner != name}
        np.testing.assert_allclose(got_K, whole_K - slow_theta(*drawn, stay), atol=1e-10)


def owned(names, players):
    """Part of the value of eight works that teach the same which goes to players whose name begins with `names`."""
    found = credit(ridge_game(np.ones((8, 1)), np.ones(8), players, 1.0)).shares(np.ones((1, 1)))[0]
    mine = [value for name, value in zip(sorted(set(players)), found, strict=True) if name.startswith(names)]
    return sum(mine) / found.sum()


def test_contributors_as_players_would_gain_by_splitting_and_sums_over_clusters_do_not():
    assert owned("me", ["me"] * 4 + ["you"] * 4) == pytest.approx(1 / 2)
    assert owned("me", ["me1", "me1", "me2", "me2"] + ["you"] * 4) > 0.52  # two names for the same four works
    clusters = [f"me{n}" for n in range(4)] + [f"you{n}" for n in range(4)]
    assert owned("me", clusters) == pytest.approx(1 / 2)  # whoever holds them, under however many names
    assert owned("me0", clusters) + owned("me1", clusters) == pytest.approx(1 / 4)


def test_copies_gain_nothing_inside_their_cluster_and_would_as_players():
    """Ten copies of one work beside one of equal worth: trained with weight one the cluster is as before."""
    work, rival = np.array([[1.0, 0.2]]), np.array([[1.0, -0.2]])
    clustered = np.r_[np.repeat(work, 10, 0) / 10**0.5, rival], np.r_[np.ones(10) / 10**0.5, 1.0]
    loose = np.r_[np.repeat(work, 10, 0), rival], np.ones(11)
    query_QK = np.array([[1.0, 0.0]])
    once = credit(ridge_game(np.r_[work, rival], np.ones(2), ["a", "b"], 0.5)).shares(query_QK)[0]
    same = credit(ridge_game(*clustered, ["a"] * 10 + ["b"], 0.5)).shares(query_QK)[0]
    np.testing.assert_allclose(same, once, atol=1e-12)
    apart = credit(ridge_game(*loose, [f"a{n}" for n in range(10)] + ["b"], 0.5), pairs=64).shares(query_QK)[0]
    assert apart[:10].sum() / apart.sum() > 1.5 * once[0] / once.sum()


def test_a_planted_canary_is_found_and_the_same_by_chance_is_not():
    """One player alone holds a direction; on a query of that direction no relabelling does as well (p < .01)."""
    generator = np.random.default_rng(2)
    features_NK = generator.normal(size=(60, 8))
    features_NK[:, 7] *= 0.05
    features_NK[:5, 7] = 3.0
    residuals_N = features_NK @ np.r_[generator.normal(size=7), 2.0] + generator.normal(size=60)
    names = np.array([f"p{n // 5:02d}" for n in range(60)])
    query_QK = np.eye(8)[7:]

    def share_of_the_first(players):
        made = credit(ridge_game(features_NK, residuals_N, list(players), 1.0), pairs=16).shares(query_QK)[0]
        return made[0], made.argmax()

    real, best = share_of_the_first(names)
    chance = [share_of_the_first(generator.permutation(names))[0] for _ in range(120)]
    assert best == 0 and (1 + sum(x >= real for x in chance)) / (1 + len(chance)) < 0.01


def test_same_seed_same_vectors():
    game = ridge_game(*world(12, 1, 4))
    one, two, other = (credit(game, pairs=16, seed=seed).shapley_BGK for seed in (0, 0, 1))
    assert (one == two).all() and (one != other).any()


def refused(code, body):
    with pytest.raises(AttributionError) as fault:
        body()
    assert fault.value.code == code


def test_misuse_is_refused():
    features_NK, residuals_N, names, _ = world(12, 1, 4)
    refused("bad-game", lambda: ridge_game(features_NK, residuals_N, names[1:], 1.0))
    refused("bad-game", lambda: ridge_game(features_NK, residuals_N[1:], names, 1.0))
    refused("bad-game", lambda: ridge_game(features_NK, residuals_N, names, 0.0))
    refused("bad-game", lambda: ridge_game(features_NK * np.nan, residuals_N, names, 1.0))
    game = ridge_game(features_NK, residuals_N, names, 1.0)
    refused("too-few-orders", lambda: credit(game, pairs=8))
    refused("too-few-orders", lambda: credit(game, pairs=8, batches=1))
    refused("bad-groups", lambda: leave_out(game, ["a"]))
