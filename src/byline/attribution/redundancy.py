"""Credit where works stand in for each other, held to what the transport measured: a ridge game with a linear rest.

The transport's score of an example is a derivative at the full training: what a little less of it would change with
everybody else in. Where works teach the same, all such scores are small, though together the works taught a lot. The
game here keeps these scores as its own derivatives at the full training, and adds who could stand in for whom:

    v(S) = psi . theta_S + sum over examples of S of rest_i        theta_S = (ridge I + sum phi phi')^-1 sum phi

phi_i is the example's row of the recorded run (what its visits did to the weights, sketched and in the optimizer's
scaling), turned into the leading directions of all rows. The query psi is not the sketched gradient: it is chosen so
that the derivatives psi H^-1 phi_i (1 - phi_i . theta) agree with the transport's scores as well as they can, and what
they miss is `rest`, which is added linearly. So the scale is the transport's, and the sketches say one thing only:
which examples lie in the same directions.

*share* is the Shapley value of v, *uniqueness* what v loses when one player alone leaves. Shares add up to v of all.
Players are clusters of works or examples, never contributors (`surrogate`).

The ridge, in units of the mean energy of a direction, is a convention that no result has chosen: 1 says that a
direction of average strength is half learnt. At a large ridge the game becomes the linear one. How both predict
retrainings without pairs and subsets stands in docs/method.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byline.attribution.shares import Floats
from byline.attribution.surrogate import Order, RidgeGame, credit, ridge_game
from byline.core import AttributionError
from byline.store import RunReader

# Suffixes: N training examples, K features, D leading directions, G players, S steps, R rows of the store

RIDGE = 1.0
WIDTH = 64
_DAMPING = 1e-3  # of the fit of psi, in units of its mean eigenvalue: far below anything that rounding reaches
_SPARE, _ROUNDS = 16, 6  # of the subspace iteration


@dataclass(frozen=True, slots=True, eq=False)
class HeldGame:
    """`explained`: the part of the scores' sum of squares that the ridge game reproduces; the rest is linear."""

    game: RidgeGame
    psi_D: Floats
    rest_G: Floats
    explained: float

    @property
    def players(self) -> tuple[str, ...]:
        return self.game.players

    def value(self, players: Order) -> float:
        """v of a coalition, in the unit of the scores; 0 of nobody."""
        rest = float(self.rest_G[list(players)].sum()) if len(players) else 0.0
        return float(self.psi_D @ self.game.theta(players)) + rest


@dataclass(frozen=True, slots=True, eq=False)
class TwoNumbers:
    """Of each player: its share (they add up to v of all), what would be lost without it, and the standard error of the
    share that comes from sampling orders (0 if all coalitions were counted)."""

    players: tuple[str, ...]
    share_G: Floats
    unique_G: Floats
    orders_G: Floats


def displacements(store: RunReader) -> Floats:
    """What the visits of each example did to the weights, as the store's rows say: minus the sum of learning rate times
    clip times row. (N, K), in the order of the store's examples. Raises: AttributionError("empty-run")."""
    if not store.n_rows:
        raise AttributionError("empty-run", f"run {store.spec.run} holds no rows", "record a training first")
    groups = store.spec.groups
    widths = [group.width for group in groups]
    rates_SL = np.array([[step["lr"][g.name] * step["clip"] for g in groups] for step in store.step_log])
    sums_NK, start = np.zeros((len(store.example_ids), store.spec.width)), 0
    for block_RK in store.blocks():
        rows = slice(start, start + len(block_RK))
        steps_RK = block_RK * np.repeat(rates_SL[store.steps_N[rows]], widths, axis=1)
        np.subtract.at(sums_NK, store.examples_N[rows], steps_RK)
        start = rows.stop
    return sums_NK


def leading(rows_NK: Floats, width: int = WIDTH) -> Floats:
    """(N, D) of the rows along their leading directions, scaled so that a direction's mean energy is 1.

    By subspace iteration from fixed draws: the same rows in another order give the same directions.
    Raises: AttributionError("bad-game") if all rows are zero.
    """
    width = min(width, *rows_NK.shape)
    draws_KD = np.random.default_rng(0).standard_normal((rows_NK.shape[1], min(width + _SPARE, rows_NK.shape[1])))
    for _ in range(_ROUNDS):
        draws_KD = np.linalg.qr(rows_NK.T @ (rows_NK @ draws_KD))[0]
    inside_ND = rows_NK @ draws_KD
    turn_DD = np.linalg.eigh(inside_ND.T @ inside_ND)[1][:, ::-1][:, :width]
    found_ND: Floats = inside_ND @ turn_DD
    energy = float((found_ND**2).sum()) / width
    if not energy > 0:
        raise AttributionError("bad-game", "every row is zero", "record a training that moves the weights")
    return np.asarray(found_ND / np.sqrt(energy))


def held_game(features_ND: Floats, scores_N: Floats, players: Sequence[str], ridge: float = RIDGE) -> HeldGame:
    """`features_ND` as `leading` gives them; `scores_N`: the transport's, of one functional; `players[n]` names the
    player of example n. Raises: AttributionError("bad-game")."""
    scores_N = np.asarray(scores_N, dtype=np.float64)
    game = ridge_game(features_ND, np.ones(len(features_ND)), players, ridge)
    if scores_N.shape != (len(players),) or not np.isfinite(scores_N).all():
        raise AttributionError("bad-game", f"{scores_N.shape} scores for {len(players)} examples", "give one of each")
    features_ND = np.asarray(features_ND, dtype=np.float64)
    moment_DD = features_ND.T @ features_ND + ridge * np.eye(game.width)
    left_N = 1 - features_ND @ np.linalg.solve(moment_DD, features_ND.sum(0))  # what nobody has taught the model yet
    slopes_ND = features_ND * left_N[:, None]
    gram_DD = slopes_ND.T @ slopes_ND
    damping = _DAMPING * float(np.trace(gram_DD)) / game.width or 1.0
    pull_D = np.linalg.solve(gram_DD + damping * np.eye(game.width), slopes_ND.T @ scores_N)
    missed_N = scores_N - slopes_ND @ pull_D
    index_N = np.searchsorted(game.players, np.asarray(players, dtype=object).astype(str))
    rest_G = np.bincount(index_N, missed_N, len(game.players)).astype(np.float64)
    total = float(scores_N @ scores_N)
    explained = 1 - float(missed_N @ missed_N) / total if total > 0 else 0.0
    return HeldGame(game, moment_DD @ pull_D, rest_G, explained)


def two_numbers(held: HeldGame, *, pairs: int = 128, seed: int = 0) -> TwoNumbers:
    """Share and uniqueness of every player. A game of more than ten players is walked in `pairs` random orders,
    forwards and backwards; the shares add up exactly even so."""
    found, psi_QD = credit(held.game, pairs=pairs, seed=seed), held.psi_D[None]
    return TwoNumbers(
        held.players,
        found.shares(psi_QD)[0] + held.rest_G,
        found.uniqueness(psi_QD)[0] + held.rest_G,
        found.errors(psi_QD)[0],
    )
