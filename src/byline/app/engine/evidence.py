"""From scores and retrainings to the arrays of a certificate: contributors' effects, their intervals, their shares."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.app.period import FLOOR
from byline.attribution import ShareRule, group_scores
from byline.core import ScoreTable
from byline.evaluation import LeaveOutConformal, slope

# Suffixes: C contributors, Q queries, N training examples

Floats = npt.NDArray[np.float64]
NORMAL_90 = 1.6449  # standard errors on each side of a 90 % interval


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What leaving out each contributor did to every query, and what the engine predicted with its standard errors."""

    names: tuple[str, ...]
    actual_CQ: Floats
    predicted_CQ: Floats
    errors_CQ: Floats

    @classmethod
    def of(
        cls, names: Sequence[str], groups: Sequence[AbstractSet[str]], engine: ScoreTable, actual_CQ: Floats
    ) -> "Effects":
        """`groups[c]`: ids of the examples that were left out."""
        found = [[_left_out(engine, q, group) for q in range(len(engine.query_ids))] for group in groups]
        both_CQ2 = np.array(found, dtype=np.float64)
        return cls(tuple(names), actual_CQ, both_CQ2[..., 0], both_CQ2[..., 1])


def intervals(effects: Effects, level: float) -> tuple[Floats, Floats, str]:
    """low_CQ, high_CQ and how they were made. Every contributor's intervals come from the other ones alone: conformal,
    if there are enough of them for the level, else from the spread of single examples at the others' slope."""
    contributors = len(effects.names)
    conformal = _enough(contributors - 1, level)
    low_CQ, high_CQ = np.empty_like(effects.actual_CQ), np.empty_like(effects.actual_CQ)
    scales_CQ = _scales(effects)
    for c in range(contributors):
        others = np.arange(contributors) != c
        predicted_CQ, actual_CQ = effects.predicted_CQ[others], effects.actual_CQ[others]
        if conformal:
            fitted = LeaveOutConformal(level).fit(predicted_CQ, actual_CQ, scales_CQ[others])
            low_CQ[c], high_CQ[c] = fitted.interval(effects.predicted_CQ[c], scales_CQ[c])
        else:
            factor = slope(predicted_CQ.ravel(), actual_CQ.ravel())
            half_Q = NORMAL_90 * abs(factor) * effects.errors_CQ[c]
            low_CQ[c], high_CQ[c] = factor * effects.predicted_CQ[c] - half_Q, factor * effects.predicted_CQ[c] + half_Q
    how = (
        "conformal, calibrated on the other contributors that were left out"
        if conformal
        else "from the spread of single examples, at the slope of the other contributors (too few for conformal ones)"
    )
    return low_CQ, high_CQ, f"intervals: {how}"


def calibration(effects: Effects, level: float) -> dict[str, Any]:
    """Slope and radius from all contributors, for intervals of others; nothing if they are too few for the level."""
    if not _enough(len(effects.names), level):
        return {}
    fitted = LeaveOutConformal(level).fit(effects.predicted_CQ, effects.actual_CQ, _scales(effects))
    told = {"level": level, "contributors": len(effects.names)}
    return told | {"slope": fitted.slope_, "radius": fitted.radius_}


def _enough(contributors: int, level: float) -> bool:
    return contributors >= level / (1 - level) - 1e-9


def _scales(effects: Effects) -> Floats:
    return np.asarray(np.maximum(effects.errors_CQ, FLOOR * effects.errors_CQ.mean() or 1.0))


def share_columns(scores: ScoreTable, credits: Sequence[str], queries: Sequence[str]) -> Floats:
    """scores_CQ of every line of credit, in order of their names, for the named queries."""
    _, sums_QC = scores.sum_by(credits)
    rows = [scores.query_ids.index(name) for name in queries]
    return np.asarray(sums_QC, dtype=np.float64)[rows].T


def _left_out(engine: ScoreTable, q: int, group: AbstractSet[str]) -> tuple[float, float]:
    """Sum of the group's scores on query q, and its standard error."""
    row = ScoreTable(engine.scores_QN[q : q + 1], engine.query_ids[q : q + 1], engine.example_ids, engine.method)
    labels = ["left out" if example in group else "other" for example in engine.example_ids]
    found = group_scores(row, labels, rule=ShareRule(draws=1))
    at = found.names.index("left out")
    return float(found.sums_G[at]), float(found.errors_G[at])
