"""What the truth says of a method: LDS at each drop, leave-one-contributor-out, coverage, and blends of methods.

Queries and subsets that anything is fitted on are apart from those that are reported: calibration queries are the first
of every second contributor (numbers 0, 6, 12, ...), reported are the second of every contributor (1, 4, 7, ...) and
all generated ones; calibration subsets are the first of those at 10 and 50 %.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from byline.evaluation import (
    LeaveOutConformal,
    bootstrap_pairs,
    lds,
    noise_ceiling,
    paired,
    pearson,
    slope,
    spearman,
    subset_predictions,
)

# Suffixes: Q queries, N training examples, M subsets, C contributors, R retrainings, W works, S seeds, K channels

CALIBRATED = ("10%", "50%")  # drops of which some subsets are kept for calibration
FEWEST = 8  # subsets below which no LDS is told


@dataclass(frozen=True, eq=False)
class Truth:
    """What retraining showed, as far as it went. `kind_R` is "full", "contributor" or a drop; `out_RW` is 1 for works
    that a retraining went without; `calibration` is the number of subsets per drop that are only calibrated on."""

    values_RQ: np.ndarray
    out_RW: np.ndarray
    kind_R: np.ndarray
    number_R: np.ndarray
    seed_R: np.ndarray
    works: tuple[str, ...]
    contributors: dict[str, str]  # of each work
    held_out: int
    fresh: bool
    calibration: int

    @cached_property
    def names(self):
        return sorted(set(self.contributors.values()))

    @property
    def calibrating(self):
        return list(range(0, self.held_out, 6))

    @property
    def reported(self):
        return [*range(1, self.held_out, 3), *range(self.held_out, self.values_RQ.shape[1])]

    def row(self, kind, number, seed):
        found = np.flatnonzero((self.kind_R == kind) & (self.number_R == number) & (self.seed_R == seed))
        return int(found[0]) if len(found) else None

    def rows(self, kind, seeds):
        """By number, the rows of the seeds that are there."""
        found = {}
        for row in np.flatnonzero((self.kind_R == kind) & np.isin(self.seed_R, seeds)):
            found.setdefault(int(self.number_R[row]), {})[int(self.seed_R[row])] = int(row)
        return dict(sorted(found.items()))

    def kept(self, works, kind, numbers):
        """kept_MN: 1 for examples whose work a subset kept; `works` of each example."""
        place = {work: w for w, work in enumerate(self.works)}
        out_MW = np.stack([self.out_RW[next(iter(self._any(kind, number)))] for number in numbers])
        return 1.0 - out_MW[:, [place[work] for work in works]]

    def _any(self, kind, number):
        return np.flatnonzero((self.kind_R == kind) & (self.number_R == number))


@dataclass(frozen=True, eq=False)
class Target:
    """One thing to be predicted on subsets `numbers` of a drop: actual_QM of all queries, each the mean of the seeds
    that were retrained, and the highest LDS that noise lets a method that knows the expectation reach."""

    kind: str
    numbers: list[int]
    actual_QM: np.ndarray
    ceiling: float | None
    seeds: float


def targets(truth, kind, reported=True):
    """What there is at one drop: {"": this very model, "other": the mean of the other seeds}, or the mean of all seeds
    as "" where every retraining has its own."""
    groups = {"": range(64)} if truth.fresh else {"": [0], "other": range(1, 64)}
    found = {name: _target(truth, kind, list(seeds), reported) for name, seeds in groups.items()}
    return {name: target for name, target in found.items() if target is not None}


def _target(truth, kind, seeds, reported):
    by_number = truth.rows(kind, seeds)
    split = kind in CALIBRATED
    numbers = [n for n in by_number if not split or (n >= truth.calibration) == reported]
    if len(numbers) < (FEWEST if reported else 3) or (not split and not reported):
        return None
    actual_QM = np.stack([truth.values_RQ[list(by_number[n].values())].mean(0) for n in numbers], axis=1)
    count = float(np.mean([len(by_number[n]) for n in numbers]))
    return Target(kind, numbers, actual_QM.astype(np.float64), ceiling(truth, kind, count), count)


def reliability(truth, kind):
    """Mean rank correlation of two seeds over the same subsets, from the pair of seeds that share most; None if none
    share enough. Only reported queries and subsets."""
    by_number = {n: rows for n, rows in truth.rows(kind, range(64)).items() if _is_reported(truth, kind, n)}
    seeds = sorted({seed for rows in by_number.values() for seed in rows})
    found, weights = [], []
    for first in seeds:
        for second in seeds[:first]:
            both = [rows for rows in by_number.values() if first in rows and second in rows]
            if len(both) >= FEWEST:
                pair = [
                    np.stack([truth.values_RQ[rows[s]][truth.reported] for rows in both], 1) for s in (first, second)
                ]
                found.append(noise_ceiling(np.stack(pair).astype(np.float64)).reliability)
                weights.append(len(both))
    return float(np.average(found, weights=weights)) if found else None


def ceiling(truth, kind, seeds):
    """What a perfect predictor of the expectation over seeds would read against the mean of `seeds` of them."""
    rho = reliability(truth, kind)
    return None if rho is None else float(np.sqrt(seeds * rho / (1 + (seeds - 1) * rho)))


def _is_reported(truth, kind, number):
    return kind not in CALIBRATED or number >= truth.calibration


def lds_of(scores, works, truth, target, against=None):
    """LDS of `scores` (scores.Scores) on a target, and the paired difference to those of another method."""
    rows, known = scores.of(truth.reported)
    kept_MN = truth.kept(works, target.kind, target.numbers)
    predicted, actual = subset_predictions(rows, kept_MN), target.actual_QM[known]
    found = lds(predicted, actual)
    told = {"lds": found.mean, "lds_se": found.se, "queries": len(known), "subsets": len(target.numbers)}
    if target.ceiling is not None:
        told |= {"ceiling": target.ceiling, "of_ceiling": found.mean / target.ceiling if target.ceiling > 0 else None}
    if against is not None:
        other, also = against.of(known)
        both = [known.index(q) for q in also]
        difference = paired(predicted[both], subset_predictions(other, kept_MN), actual[both])
        told |= {"over_best": difference.difference, "over_best_se": difference.se, "over_best_p": difference.p}
    return told


# --- leave one contributor out ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Effects:
    """actual_CQ: what every query loses without each contributor that was left out, mean over `seeds` of them."""

    names: list[str]
    actual_CQ: np.ndarray
    ceiling: float | None  # Pearson
    seeds: float


def effects(truth):
    """Seed 0 against its own full run; where seeds are fresh, the means over all that are there. None without data."""
    seeds = range(64) if truth.fresh else [0]
    rows, full = truth.rows("contributor", seeds), truth.rows("full", seeds).get(0, {})
    if not full or len(rows) < 3:
        return None
    whole_Q = truth.values_RQ[list(full.values())].mean(0)
    actual_CQ = np.stack([whole_Q - truth.values_RQ[list(own.values())].mean(0) for own in rows.values()])
    count = float(np.mean([len(own) for own in rows.values()]))
    rho = _effects_reliability(truth, list(rows))
    limit = None if rho is None else float(np.sqrt(count * rho / (1 + (count - 1) * rho)))
    return Effects([truth.names[n] for n in rows], actual_CQ.astype(np.float64), limit, count)


def _effects_reliability(truth, numbers):
    """Mean Pearson correlation of two seeds' effects over all pairs of contributor and reported query."""
    rows, full = truth.rows("contributor", range(64)), truth.rows("full", range(64)).get(0, {})
    found = []
    for first in sorted(full):
        for second in [s for s in full if s < first]:
            both = [n for n in numbers if first in rows[n] and second in rows[n]]
            if len(both) >= 3:
                one, two = (
                    np.stack([truth.values_RQ[full[s]] - truth.values_RQ[rows[n][s]] for n in both])[:, truth.reported]
                    for s in (first, second)
                )
                found.append(pearson(one.ravel().astype(np.float64), two.ravel().astype(np.float64)))
    return max(0.0, float(np.mean(found))) if found else None


def loco_of(scores, works, truth, found):
    """Rank and linear correlation, slope after calibration, top-1 and coverage over reported queries."""
    owners = np.array([truth.contributors[work] for work in works])
    member_NC = np.stack([owners == name for name in found.names], axis=1).astype(np.float64)
    (told, known), (tuned, tuning) = (
        (subset_predictions(rows, member_NC.T).T, queries)
        for rows, queries in (scores.of(truth.reported), scores.of(truth.calibrating))
    )
    actual = found.actual_CQ[:, known]
    flat = told.ravel(), actual.ravel()
    linear = bootstrap_pairs(pearson, told, actual, draws=400)
    measured = {
        "loco_spearman": spearman(*flat),
        "loco_pearson": pearson(*flat),
        "loco_pearson_low": linear.low,
        "loco_pearson_high": linear.high,
        "top1": float((told.argmax(0) == actual.argmax(0)).mean()),
        "loco_ceiling": found.ceiling,
    }
    if tuning:
        factor = slope(tuned.ravel(), found.actual_CQ[:, tuning].ravel())
        measured["slope_raw"] = slope(*flat)
        measured["slope"] = slope(factor * told.ravel(), actual.ravel()) if factor else None
        if len(found.names) >= 10:
            measured |= coverage(tuned, found.actual_CQ[:, tuning], told, actual)
    return measured


def coverage(tuned_CQ, tuned_actual_CQ, told_CQ, actual_CQ, level=0.9):
    """Part of the reported effects inside 90 % intervals that knew neither the contributor nor the query.

    Slope and radius of a contributor's intervals come from the other contributors on calibration queries. Misses are
    measured in units of a pair's predicted size plus the mean predicted size: a rule that knows no result.
    """
    held, widths = [], []
    for c in range(len(told_CQ)):
        rest = np.arange(len(told_CQ)) != c
        typical = float(np.abs(tuned_CQ[rest]).mean()) or 1.0
        fitted = LeaveOutConformal(level).fit(tuned_CQ[rest], tuned_actual_CQ[rest], np.abs(tuned_CQ[rest]) + typical)
        low, high = fitted.interval(told_CQ[c], np.abs(told_CQ[c]) + typical)
        held.append(((low <= actual_CQ[c]) & (actual_CQ[c] <= high)).mean())
        widths.append(np.median(high - low))
    spread = float(np.std(held, ddof=1) / np.sqrt(len(held)))
    return {"coverage": float(np.mean(held)), "coverage_se": spread, "width": float(np.mean(widths))}


# --- blends -----------------------------------------------------------------------------------------------------


def blended(channels, works, truth):
    """Scores of some channels joined by non-negative weights, and those weights; None without calibration retrainings.

    Each channel is divided by the spread of its own predictions over calibration subsets. The weights are a least-
    squares fit to what retraining showed on calibration subsets and queries, each query's values centred and divided
    by their spread, at all calibrated drops together. Weights refer to the divided channels and sum to 1.
    """
    left, right = [], []
    rows = [scores.of(truth.calibrating)[0] for scores in channels]
    if any(len(part) < len(truth.calibrating) for part in rows):
        return None
    for kind in CALIBRATED:
        target = targets(truth, kind, reported=False).get("")
        if target is not None:
            kept_MN = truth.kept(works, kind, target.numbers)
            actual_QM = _centred(target.actual_QM[truth.calibrating])
            spread_Q1 = np.maximum(actual_QM.std(1, keepdims=True), 1e-12)
            left.append(np.stack([(_centred(subset_predictions(r, kept_MN)) / spread_Q1).ravel() for r in rows], 1))
            right.append((actual_QM / spread_Q1).ravel())
    if not left:
        return None
    design = np.concatenate(left)
    scale_K = np.maximum(design.std(0), 1e-30)
    weights_K, _ = nnls(design / scale_K, np.concatenate(right))
    weights_K = weights_K / weights_K.sum() if weights_K.sum() > 0 else np.full(len(rows), 1 / len(rows))
    return weights_K, sum_of(channels, weights_K / scale_K)


def sum_of(channels, factors):
    """Channels times factors, for the queries that all of them know; the cost is the caller's to count."""
    known = sorted(set.intersection(*({int(q) for q in scores.queries_Q} for scores in channels)))
    total = sum(
        factor * scores.of(known)[0].astype(np.float64) for factor, scores in zip(factors, channels, strict=True)
    )
    return replace(channels[0], scores_QN=total, queries_Q=np.array(known), seconds=sum(c.seconds for c in channels))


def _centred(values_QM):
    return values_QM - values_QM.mean(1, keepdims=True)
