"""Agreement of predictions with what retraining shows: rank correlation, slope, and their bootstrap intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import EvaluationError

Floats = npt.NDArray[np.float64]


def ranks(values_N: Floats) -> Floats:
    """Ranks from 0, ties sharing their mean rank."""
    order = np.argsort(values_N, kind="stable")
    ranked = np.empty(len(values_N))
    ranked[order] = np.arange(len(values_N))
    _, inverse, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    return np.bincount(inverse, weights=ranked)[inverse] / counts[inverse]


def pearson(a_N: Floats, b_N: Floats) -> float:
    """In [-1, 1]; 0 where either side is constant. Raises: EvaluationError("too-few-pairs") below 3."""
    if len(a_N) != len(b_N) or len(a_N) < 3:
        raise EvaluationError(
            "too-few-pairs", f"correlation of {len(a_N)} and {len(b_N)} values", "give at least 3 pairs"
        )
    if np.ptp(a_N) == 0 or np.ptp(b_N) == 0:
        return 0.0
    a, b = _unit(a_N), _unit(b_N)
    return min(1.0, max(-1.0, float(a @ b)))


def _unit(values_N: Floats) -> Floats:
    centred_N = values_N - values_N.mean()
    largest = np.abs(centred_N).max()
    scaled_N: Floats = centred_N / largest if largest > 0 else centred_N
    return scaled_N / max(float(np.linalg.norm(scaled_N)), 1.0)


def spearman(a_N: Floats, b_N: Floats) -> float:
    """Rank correlation, ties averaged. Raises: EvaluationError("too-few-pairs")."""
    return pearson(ranks(a_N), ranks(b_N))


def slope(predicted_N: Floats, actual_N: Floats) -> float:
    """Least-squares slope through the origin of actual on predicted: 1 is calibrated, above 1 underestimates."""
    norm = float(predicted_N @ predicted_N)
    return float(predicted_N @ actual_N) / norm if norm > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


def bootstrap_pairs(
    statistic: Callable[[Floats, Floats], float],
    predicted_CQ: Floats,
    actual_CQ: Floats,
    *,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic over (contributor, query) pairs.

    Contributors and queries are both resampled with replacement, since pairs that share either are not independent.
    """
    generator = np.random.default_rng(seed)
    contributors, queries = predicted_CQ.shape
    values = []
    for _ in range(draws):
        rows = generator.integers(0, contributors, contributors)
        columns = generator.integers(0, queries, queries)
        grid = np.ix_(rows, columns)
        values.append(statistic(predicted_CQ[grid].ravel(), actual_CQ[grid].ravel()))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
