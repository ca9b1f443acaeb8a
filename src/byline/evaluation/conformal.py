"""Intervals around predicted effects that hold a stated part of retrained ones, whatever shape the errors have.

Split conformal prediction: on audit pairs the misses |retrained - predicted| are divided by a scale, any positive
number that tends to be larger where the miss is (a combined standard error, kept away from 0 by a floor). The radius is
the ceil((n + 1) level)-th smallest of them; a new pair's interval is predicted -+ radius * its scale.

The guarantee asks that the new pair be exchangeable with those of the audit. Pairs that share a contributor are not
independent: many pairs of few contributors know much less than their number says. So a pair may be told its *cluster*
(its contributor): then each of C clusters weighs 1 / (C + 1), divided among its pairs, the new one has the same weight
at infinity, and the radius is the quantile of that (Hierarchical Conformal Prediction, arXiv 2306.06342). With every
pair a cluster of its own this is split conformal again. At level .9 it takes 9 contributors at least.

`LeaveOutConformal` is what an audit uses: it also fits the slope of retrained on predicted effects, and takes every
contributor's misses from a slope that was fitted without it. Differs from the paper: slope and misses come from the
same contributors, each left out in its turn (as in the jackknife+), which makes the guarantee approximate. It speaks
of new contributors on queries like the audit's. Queries are shared between pairs as well; to take the larger of the
radii by contributor and by query was tried, and covered 93 to 99 % at a level of 90 % where few queries had been
audited. So coverage where contributor and query are both new is not promised but measured (`held_out_coverage`).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from byline.core import EvaluationError
from byline.evaluation.correlation import Floats, slope

# Suffixes: N pairs, C contributors left out, Q queries, F folds


class Conformal:
    """`level` of the intervals. After `fit`: `radius_`, by kind of pair (Mondrian; one kind, None, if none is told)."""

    def __init__(self, level: float = 0.9) -> None:
        self.level = level

    def fit(
        self,
        predicted_N: Floats,
        actual_N: Floats,
        scales_N: Floats,
        *,
        clusters: Sequence[Hashable] | None = None,
        kinds: Sequence[Hashable] | None = None,
    ) -> Self:
        """Calibration pairs, in nats; `clusters[n]` is what pair n shares with others; each of `kinds` has its radius.

        The predictions must not have been fitted to these pairs.
        Raises: EvaluationError("shape-mismatch", "not-finite", "bad-scale", "too-few-pairs").
        """
        misses_N = _misses(predicted_N, actual_N, scales_N)
        clusters = range(len(misses_N)) if clusters is None else clusters
        kinds = kinds or [None] * len(misses_N)
        if not len(clusters) == len(kinds) == len(misses_N):
            raise EvaluationError(
                "shape-mismatch", f"{len(misses_N)} pairs, {len(clusters)} clusters, {len(kinds)} kinds"
            )
        members: dict[Hashable, list[int]] = {}
        for n, kind in enumerate(kinds):
            members.setdefault(kind, []).append(n)
        self.radius_ = {
            kind: radius(misses_N[own], [clusters[n] for n in own], self.level) for kind, own in members.items()
        }
        return self

    def interval(
        self, predicted_N: Floats, scales_N: Floats, kinds: Sequence[Hashable] | None = None
    ) -> tuple[Floats, Floats]:
        """low_N, high_N of new pairs. Raises: EvaluationError("not-fitted", "unknown-kind")."""
        if not hasattr(self, "radius_"):
            raise EvaluationError("not-fitted", "intervals were asked for before fit", "call .fit on audit pairs first")
        kinds = kinds or [None] * len(predicted_N)
        if unknown := set(kinds) - set(self.radius_):
            raise EvaluationError("unknown-kind", f"no audit pair was of kind {sorted(map(str, unknown))}", "audit one")
        half_N = np.array([self.radius_[kind] for kind in kinds]) * scales_N
        return predicted_N - half_N, predicted_N + half_N


def radius(misses_N: Floats, clusters: Sequence[Hashable], level: float) -> float:
    """Smallest scaled miss at which the weights of the clusters reach `level`.

    Raises: EvaluationError("too-few-pairs") if they cannot: it takes level / (1 - level) clusters.
    """
    codes = {cluster: code for code, cluster in enumerate(dict.fromkeys(clusters))}
    index_N = np.array([codes[cluster] for cluster in clusters], dtype=np.intp)
    weights_N = 1 / ((len(codes) + 1) * np.bincount(index_N))[index_N] if codes else np.zeros(0)
    order = np.argsort(misses_N, kind="stable")
    reached_N = np.cumsum(weights_N[order]) >= level - 1e-12
    if not reached_N.any():
        needed = int(np.ceil(level / (1 - level) - 1e-9))
        raise EvaluationError(
            "too-few-pairs",
            f"{len(codes)} independent pairs or clusters of them cannot give an interval at level {level}",
            f"audit at least {needed}, or ask for a lower level",
        )
    return float(misses_N[order][reached_N.argmax()])


def _misses(predicted: Floats, actual: Floats, scales: Floats) -> Floats:
    """Absolute misses in units of their scales, of whatever shape."""
    if not predicted.shape == actual.shape == scales.shape:
        raise EvaluationError(
            "shape-mismatch", f"predicted {predicted.shape}, retrained {actual.shape}, scales {scales.shape}"
        )
    if not (np.isfinite(predicted).all() and np.isfinite(actual).all()):
        raise EvaluationError("not-finite", "a prediction or a retraining is not a finite number")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise EvaluationError(
            "bad-scale", "a scale of the misses is not positive", "add a floor to the standard errors"
        )
    return np.asarray(np.abs(actual - predicted) / scales)


class LeaveOutConformal:
    """Intervals for effects of leaving contributors out, from an audit's grid of pairs.

    After `fit`: `slope_` of retrained on predicted effects, `radius_` in units of the scale.
    """

    def __init__(self, level: float = 0.9) -> None:
        self.level = level

    def fit(self, predicted_CQ: Floats, actual_CQ: Floats, scales_CQ: Floats) -> Self:
        """Every contributor's misses are those at the slope of the others; contributors are the clusters.

        Raises: EvaluationError("shape-mismatch", "not-finite", "bad-scale", "too-few-pairs").
        """
        _misses(predicted_CQ, actual_CQ, scales_CQ)  # refuses what does not fit
        misses_CQ = _misses(left_out_slopes(predicted_CQ, actual_CQ)[:, None] * predicted_CQ, actual_CQ, scales_CQ)
        self.slope_ = slope(predicted_CQ.ravel(), actual_CQ.ravel())
        self.radius_ = radius(misses_CQ.ravel(), np.indices(misses_CQ.shape)[0].ravel().tolist(), self.level)
        return self

    def interval(self, predicted: Floats, scales: Floats) -> tuple[Floats, Floats]:
        """low, high around slope_ * predicted, of any shape. Raises: EvaluationError("not-fitted")."""
        if not hasattr(self, "radius_"):
            raise EvaluationError("not-fitted", "intervals were asked for before fit", "call .fit on audit pairs first")
        return self.slope_ * predicted - self.radius_ * scales, self.slope_ * predicted + self.radius_ * scales


def left_out_slopes(predicted_CQ: Floats, actual_CQ: Floats) -> Floats:
    """slopes_C through the origin, each from the pairs of all other contributors; 0 where those predict nothing."""
    both_C, norm_C = (predicted_CQ * actual_CQ).sum(1), (predicted_CQ**2).sum(1)
    rest_C = norm_C.sum() - norm_C
    return np.asarray(np.where(rest_C > 0, (both_C.sum() - both_C) / np.where(rest_C > 0, rest_C, 1.0), 0.0))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of `pairs` retrained effects were held by intervals that knew neither the contributor nor the query.

    `error`: standard error over contributors. `width`: median full width, in nats.
    """

    level: float
    covered: float
    error: float
    width: float
    pairs: int

    def to_json(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("level", "covered", "error", "width", "pairs")}


def held_out_coverage(
    predicted_CQ: Floats, actual_CQ: Floats, scales_CQ: Floats, *, level: float = 0.9, folds: int = 1, seed: int = 0
) -> Coverage:
    """Each contributor in turn: slope and radius from the others, intervals for its pairs, how many hold.

    With `folds` > 1 queries are dealt into as many parts, and the intervals of a part come from the other parts.
    Raises: EvaluationError("shape-mismatch", "not-finite", "bad-scale", "too-few-pairs").
    """
    _misses(predicted_CQ, actual_CQ, scales_CQ)
    contributors, queries = predicted_CQ.shape
    fold_Q = np.random.default_rng(seed).permutation(np.arange(queries) % folds)
    held_CQ, width_CQ = np.zeros((contributors, queries), dtype=bool), np.zeros((contributors, queries))
    for c in range(contributors):
        for fold in range(folds):
            new = np.ix_([c], fold_Q == fold)
            known = np.ix_(np.arange(contributors) != c, (fold_Q != fold) | (folds == 1))
            fitted = LeaveOutConformal(level).fit(predicted_CQ[known], actual_CQ[known], scales_CQ[known])
            low, high = fitted.interval(predicted_CQ[new], scales_CQ[new])
            held_CQ[new], width_CQ[new] = (low <= actual_CQ[new]) & (actual_CQ[new] <= high), high - low
    by_C = held_CQ.mean(1)
    error = float(by_C.std(ddof=1) / np.sqrt(contributors))
    return Coverage(level, float(by_C.mean()), error, float(np.median(width_CQ)), held_CQ.size)
