"""Credit where contributors stand in for each other: Shapley values of a ridge regression in place of the training.

The linear game of `shares` pays two identical catalogues what each would be missed for, which may be nothing. Here a
coalition S of players is "trained" by ridge regression on its examples' features phi_i (n numbers each) and residuals
rho_i (what the model without any of them leaves to be explained):

    theta_S = (ridge I + sum_{g in S} M_g)^-1 sum_{g in S} b_g,   M_g = sum phi_i phi_i^T,  b_g = sum phi_i rho_i
    v_q(S)  = psi_q . theta_S

v is linear in the query psi_q and the Shapley value is linear in v, so each player has one Shapley *vector*, computed
once, and a *uniqueness* vector theta_all - theta_without; every later query costs one dot product with each.
*share* divides redundant value among those who hold it and adds up to the whole; *uniqueness* is what would be lost if
one player left. Two identical players: shares 1/2 and 1/2, uniqueness 0 and 0 as the ridge goes to 0.

Players are examples or clusters of near-copies, never contributors: a contributor is the sum of its players' shares,
so that names gain nothing (Faithful Group Shapley, arXiv 2505.19013). Features must be those of a fixed basis that sees
the examples' directions (a bank of probe gradients or of audit subsets), not a random sketch. Source of the game:
Shapley royalty shares, arXiv 2404.13964, with the retrainings replaced.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.attribution.shares import Floats, GroupScores, ShareRule
from byline.core import AttributionError

# Suffixes: N examples, R rows of one player, K dimensions of the basis, G players, C contributors, Q queries, B batches

Order = Sequence[int] | npt.NDArray[np.intp]
BLOCK = 1 << 24  # numbers in one stack of K x K matrices


@dataclass(frozen=True, slots=True, eq=False)
class RidgeGame:
    """Players, sorted by name, with the features (R, K) and residuals (R,) of each; at most K rows per player."""

    players: tuple[str, ...]
    features: tuple[Floats, ...]
    residuals: tuple[Floats, ...]
    ridge: float

    @property
    def width(self) -> int:
        return int(self.features[0].shape[1])

    def moments(self, players: Order) -> tuple[Floats, Floats]:
        """M (len(players), K, K) and b (len(players), K)."""
        pairs = [(self.features[g], self.residuals[g]) for g in players]
        return np.stack([f.T @ f for f, _ in pairs]), np.stack([f.T @ r for f, r in pairs])

    def theta(self, players: Order) -> Floats:
        """theta_K of a coalition."""
        if not len(players):
            return np.zeros(self.width)
        moments, targets = self.moments(players)
        return np.asarray(np.linalg.solve(moments.sum(0) + self.ridge * np.eye(self.width), targets.sum(0)))


@dataclass(frozen=True, slots=True, eq=False)
class Credit:
    """Shapley vectors of the players as means of B independent batches of orders (B = 1: exact); uniqueness vectors.

    For queries psi_QK: `shares` and `uniqueness` are (Q, G), in the unit of v; `errors` are the Monte-Carlo standard
    errors of the shares. The shares of a query add up to its value exactly, sampled or not.
    """

    players: tuple[str, ...]
    shapley_BGK: Floats
    unique_GK: Floats

    def shares(self, psi_QK: Floats) -> Floats:
        return np.asarray(psi_QK @ self.shapley_BGK.mean(0).T)

    def uniqueness(self, psi_QK: Floats) -> Floats:
        return psi_QK @ self.unique_GK.T

    def errors(self, psi_QK: Floats) -> Floats:
        batches = len(self.shapley_BGK)
        if batches == 1:
            return np.zeros((len(psi_QK), len(self.players)))
        found_BQG = psi_QK @ self.shapley_BGK.transpose(0, 2, 1)
        return np.asarray(found_BQG.std(0, ddof=1) / math.sqrt(batches))

    def scores(self, psi_K: Floats, rule: ShareRule | None = None) -> GroupScores:
        """The players' shares of one query, or of a weighted sum of queries, as `share_table` takes them.

        The errors are those of sampling orders alone; set others by `with_errors` and `with_floors`.
        """
        sums_G, errors_G = self.shares(psi_K[None])[0], self.errors(psi_K[None])[0]
        return GroupScores.drawn(self.players, sums_G, errors_G, rule or ShareRule())


def ridge_game(features_NK: Floats, residuals_N: Floats, players: Sequence[str], ridge: float) -> RidgeGame:
    """`players[n]` names the player of example n. A player with more than K examples is rotated into K rows that have
    the same M and b. Raises: AttributionError("bad-game")."""
    features_NK, residuals_N = (np.asarray(x, dtype=np.float64) for x in (features_NK, residuals_N))
    if features_NK.ndim != 2 or not len(players) == len(features_NK) == len(residuals_N) > 0 or not ridge > 0:
        raise AttributionError(
            "bad-game",
            f"{len(players)} names, features {features_NK.shape}, residuals {residuals_N.shape}, ridge {ridge}",
            "give one name, one row of features and one residual per example, and a ridge above 0",
        )
    if not (np.isfinite(features_NK).all() and np.isfinite(residuals_N).all()):
        raise AttributionError("bad-game", "a feature or residual is not finite", "look for the NaN where it was made")
    names, index_N = np.unique(np.asarray(players, dtype=object).astype(str), return_inverse=True)
    rows = [_rotated(features_NK[index_N == g], residuals_N[index_N == g]) for g in range(len(names))]
    return RidgeGame(tuple(map(str, names)), tuple(f for f, _ in rows), tuple(r for _, r in rows), ridge)


def _rotated(features_RK: Floats, residuals_R: Floats) -> tuple[Floats, Floats]:
    if len(features_RK) <= features_RK.shape[1]:
        return features_RK, residuals_R
    turn, triangle_KK = np.linalg.qr(features_RK)
    return triangle_KK, turn.T @ residuals_R


def credit(game: RidgeGame, *, pairs: int = 128, batches: int = 16, seed: int = 0, exact_up_to: int = 10) -> Credit:
    """Shapley vectors of all players: exact over all coalitions up to `exact_up_to` players, else from `pairs` random
    orders, each walked in both directions (antithetic), in `batches` whose spread gives the Monte-Carlo error.

    Raises: AttributionError("too-few-orders") if there are fewer pairs than batches, or fewer than 2 batches.
    """
    unique_GK = leave_out(game, game.players)[1]
    if len(game.players) <= exact_up_to:
        return Credit(game.players, _exact(game)[None], unique_GK)
    if not 2 <= batches <= pairs:
        raise AttributionError(
            "too-few-orders", f"{pairs} pairs of orders in {batches} batches", "give pairs=16 or more"
        )
    generator = np.random.default_rng(seed)
    sums_BGK = np.zeros((batches, len(game.players), game.width))
    for pair in range(pairs):
        order = generator.permutation(len(game.players))
        for walk in (order, order[::-1]):
            sums_BGK[pair % batches][walk] += _marginals(game, walk)
    walks_B = 2 * np.bincount(np.arange(pairs) % batches)
    return Credit(game.players, sums_BGK / walks_B[:, None, None], unique_GK)


def leave_out(game: RidgeGame, groups: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    """Names and vectors theta_all - theta_without of groups of players; `groups[g]` names the group of player g.

    What a whole contributor's leaving would cost; never a basis for paying, since it changes with the names.
    Without-sums are added up from both ends, since taking M_g away again would lose a small ridge to rounding.
    Raises: AttributionError("bad-groups").
    """
    if len(groups) != len(game.players):
        raise AttributionError(
            "bad-groups", f"{len(groups)} groups for {len(game.players)} players", "name one group per player"
        )
    names = sorted(set(groups))
    members = [[g for g, group in enumerate(groups) if group == name] for name in names]
    parts = [tuple(part.sum(0) for part in game.moments(own)) for own in members]
    everybody_K = game.theta(range(len(game.players)))
    vectors = []
    for before, after in zip(_sums_before(parts), reversed(list(_sums_before(parts[::-1]))), strict=True):
        moment_KK, target_K = before[0] + after[0], before[1] + after[1]
        vectors.append(everybody_K - np.linalg.solve(moment_KK + game.ridge * np.eye(game.width), target_K))
    return tuple(names), np.stack(vectors)


def _sums_before(parts: Sequence[tuple[Floats, ...]]) -> Iterator[tuple[Floats, Floats]]:
    moment_KK, target_K = np.zeros_like(parts[0][0]), np.zeros_like(parts[0][1])
    for moment, target in parts:
        yield moment_KK, target_K
        moment_KK, target_K = moment_KK + moment, target_K + target


def _exact(game: RidgeGame) -> Floats:
    """shapley_GK: marginals over all coalitions, weighted by |S|! (G - |S| - 1)! / G!."""
    count = len(game.players)
    coalitions = [[g for g in range(count) if code >> g & 1] for code in range(1 << count)]
    theta_SK = np.stack([game.theta(players) for players in coalitions])
    weights = [1 / (count * math.comb(count - 1, size)) for size in range(count)]
    shapley_GK = np.zeros((count, game.width))
    for code, players in enumerate(coalitions):
        for g in set(range(count)) - set(players):
            shapley_GK[g] += weights[len(players)] * (theta_SK[code | 1 << g] - theta_SK[code])
    return shapley_GK


def _marginals(game: RidgeGame, order: Order) -> Floats:
    """(G, K), in the order of the walk: how theta moves as each player joins those before it."""
    path = _ranked(game, order) if _cheap_ranks(game) else _solved(game, order)
    return np.diff(path, axis=0, prepend=np.zeros((1, game.width)))


def _cheap_ranks(game: RidgeGame) -> bool:
    """Rank updates measured three times as fast as solves up to r = K / 3; they start from 1 / ridge and lose its
    digits, so a very small ridge is solved."""
    rows = max(len(features_RK) for features_RK in game.features)
    energy = sum(float(np.sum(features_RK**2)) for features_RK in game.features) / game.width
    return 2 * rows <= game.width and game.ridge >= 1e-6 * energy


def _solved(game: RidgeGame, order: Order) -> Floats:
    """theta after each player of the walk, (G, K), each from a solve of its own."""
    step = max(1, BLOCK // game.width**2)
    moment_KK, target_K = game.ridge * np.eye(game.width), np.zeros(game.width)
    thetas = []
    for start in range(0, len(order), step):
        moments, targets = game.moments(order[start : start + step])
        moments[0] += moment_KK
        targets[0] += target_K
        moments, targets = moments.cumsum(0), targets.cumsum(0)
        moment_KK, target_K = moments[-1], targets[-1]
        thetas.append(np.linalg.solve(moments, targets[..., None])[..., 0])
    return np.concatenate(thetas)


def _ranked(game: RidgeGame, order: Order) -> Floats:
    """The same by recursive least squares (Woodbury): P = (ridge I + sum M)^-1 is carried along."""
    inverse_KK, theta_K = np.eye(game.width) / game.ridge, np.zeros(game.width)
    thetas = np.empty((len(order), game.width))
    for at, g in enumerate(order):
        features_RK = game.features[g]
        spread_RK = features_RK @ inverse_KK
        gain_KR = np.linalg.solve(np.eye(len(features_RK)) + spread_RK @ features_RK.T, spread_RK).T
        theta_K = theta_K + gain_KR @ (game.residuals[g] - features_RK @ theta_K)
        inverse_KK = inverse_KK - gain_KR @ spread_RK
        thetas[at] = theta_K
    return thetas
