"""The linear datamodeling score: do summed scores order retrainings on subsets as the retrained models do?

    found = lds(subset_predictions(scores_QN, kept_MN), actual_QM)       # found.mean, found.se
    better = paired(ours_QM, theirs_QM, actual_QM)                       # better.difference, better.p
    limit = noise_ceiling(actual_RQM)                                    # limit.of_mean: what a perfect method reads

A retraining is noisy, so no method reaches 1; the ceiling says how far one could get. Queries share their subsets and
subsets their queries, so errors are taken by resampling both.

Source: LDS, TRAK, arXiv 2303.14186; ceiling: the classical attenuation of a correlation by an unreliable measurement.
Differs: a paired bootstrap between methods, and the ceiling is estimated from repeated seeds of the same subsets.
"""

from dataclasses import dataclass

import numpy as np

from byline.core import EvaluationError
from byline.evaluation.correlation import Floats, Interval, pearson, spearman

# Suffixes: Q queries, M retrained subsets, N training examples, R repetitions (seeds), D bootstrap draws


@dataclass(frozen=True, slots=True, eq=False)
class Lds:
    """`rho_Q`: Spearman over the subsets, one per query; `mean` over queries with its bootstrap standard errors."""

    rho_Q: Floats
    mean: float
    se: float  # queries and subsets both resampled: the error to report
    se_queries: float  # had the same subsets been retrained and other queries asked
    se_subsets: float  # had the same queries been asked of other subsets


@dataclass(frozen=True, slots=True)
class Paired:
    """Difference of two methods' mean LDS on the same truth, first minus second."""

    difference: float
    se: float
    interval: Interval
    p: float  # two-sided: how often the bootstrap falls on the other side of zero


@dataclass(frozen=True, slots=True)
class Ceiling:
    """`reliability`: mean correlation of two repetitions over the same subsets, never below 0. A perfect predictor of
    the expected outcome correlates by `of_one` with one repetition and by `of_mean` with the mean of all."""

    reliability: float
    of_one: float
    of_mean: float
    repetitions: int


def subset_predictions(scores_QN: Floats, kept_MN: Floats) -> Floats:
    """predicted_QM: sum of the scores of the examples that each subset kept (`kept_MN` is 0 or 1, or weights).

    Raises: EvaluationError("shape-mismatch")."""
    if scores_QN.ndim != 2 or kept_MN.ndim != 2 or scores_QN.shape[1] != kept_MN.shape[1]:
        raise EvaluationError("shape-mismatch", f"scores {scores_QN.shape}, subsets {kept_MN.shape}")
    return np.asarray(scores_QN, dtype=np.float64) @ np.asarray(kept_MN, dtype=np.float64).T


def lds(predicted_QM: Floats, actual_QM: Floats, *, draws: int = 1000, seed: int = 0) -> Lds:
    """Both sides: what each query's measurement is on each subset, higher = more of the behaviour; any unit.

    Raises: EvaluationError("shape-mismatch", "not-finite", "too-few-pairs" below 3 subsets).
    """
    _check(predicted_QM, actual_QM)
    rho_Q = np.array([spearman(p_M, a_M) for p_M, a_M in zip(predicted_QM, actual_QM, strict=True)])
    subsets_DM, queries_DQ = _draws(len(actual_QM), actual_QM.shape[1], draws, seed)
    rho_DQ = _resampled(predicted_QM, actual_QM, subsets_DM)
    both_D = (rho_DQ * queries_DQ).mean(1)
    queries_D, subsets_D = (rho_Q * queries_DQ).mean(1), rho_DQ.mean(1)
    return Lds(rho_Q, float(rho_Q.mean()), _spread(both_D), _spread(queries_D), _spread(subsets_D))


def paired(
    first_QM: Floats,
    second_QM: Floats,
    actual_QM: Floats,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Paired:
    """Is the first method's mean LDS higher than the second's? Each draw resamples queries and subsets, the same for
    both methods. Raises: as `lds`."""
    _check(first_QM, actual_QM)
    _check(second_QM, actual_QM)
    subsets_DM, queries_DQ = _draws(len(actual_QM), actual_QM.shape[1], draws, seed)
    gain_DQ = _resampled(first_QM, actual_QM, subsets_DM) - _resampled(second_QM, actual_QM, subsets_DM)
    gain_D = (gain_DQ * queries_DQ).mean(1)
    low, high = np.quantile(gain_D, [(1 - level) / 2, (1 + level) / 2])
    difference = lds(first_QM, actual_QM, draws=2).mean - lds(second_QM, actual_QM, draws=2).mean
    # one is added on both sides: no finite number of draws shows that an outcome is impossible
    tail = min((gain_D <= 0).sum(), (gain_D >= 0).sum())
    p = min(1.0, 2 * float(tail + 1) / (draws + 1))
    return Paired(difference, _spread(gain_D), Interval(float(low), float(high)), p)


def noise_ceiling(actual_RQM: Floats, *, by_rank: bool = True) -> Ceiling:
    """From repetitions (seeds) of the same subsets: rho is the mean correlation of two of them, over all pairs and
    queries; the ceilings are sqrt(rho) and sqrt(R rho / (1 + (R-1) rho)).

    Raises: EvaluationError("too-few-repetitions" below 2, "not-finite", "too-few-pairs")."""
    repetitions = len(actual_RQM)
    if actual_RQM.ndim != 3 or repetitions < 2:
        raise EvaluationError(
            "too-few-repetitions",
            f"a noise ceiling from an array of shape {actual_RQM.shape}",
            "retrain the same subsets with at least two seeds and stack them: (seeds, queries, subsets)",
        )
    correlation = spearman if by_rank else pearson
    pairs = [(r, s) for r in range(repetitions) for s in range(r)]
    for r, s in pairs:
        _check(actual_RQM[r], actual_RQM[s])
    found = [correlation(a_M, b_M) for r, s in pairs for a_M, b_M in zip(actual_RQM[r], actual_RQM[s], strict=True)]
    rho = max(0.0, float(np.mean(found)))
    return Ceiling(rho, rho**0.5, (repetitions * rho / (1 + (repetitions - 1) * rho)) ** 0.5, repetitions)


def _check(predicted_QM: Floats, actual_QM: Floats) -> None:
    if predicted_QM.shape != actual_QM.shape or actual_QM.ndim != 2:
        raise EvaluationError("shape-mismatch", f"predictions {predicted_QM.shape}, retrainings {actual_QM.shape}")
    if not (np.isfinite(predicted_QM).all() and np.isfinite(actual_QM).all()):
        raise EvaluationError("not-finite", "a prediction or a retraining is not a finite number")
    if actual_QM.shape[0] < 1 or actual_QM.shape[1] < 3:
        raise EvaluationError(
            "too-few-pairs", f"{actual_QM.shape[0]} queries on {actual_QM.shape[1]} subsets", "give at least 3 subsets"
        )


def _draws(queries: int, subsets: int, draws: int, seed: int) -> tuple[Floats, Floats]:
    """How often each subset and each query is drawn: (D, M) and (D, Q)."""
    generator = np.random.default_rng(seed)
    subsets_DM = generator.multinomial(subsets, np.full(subsets, 1 / subsets), size=draws)
    queries_DQ = generator.multinomial(queries, np.full(queries, 1 / queries), size=draws)
    return subsets_DM.astype(np.float64), queries_DQ.astype(np.float64)


def _resampled(predicted_QM: Floats, actual_QM: Floats, counts_DM: Floats) -> Floats:
    """rho_DQ: Spearman of every query when subset m is taken `counts_DM[d, m]` times."""
    columns = [
        _weighted_pearson(_weighted_ranks(p_M, counts_DM), _weighted_ranks(a_M, counts_DM), counts_DM)
        for p_M, a_M in zip(predicted_QM, actual_QM, strict=True)
    ]
    return np.stack(columns, axis=1)


def _weighted_ranks(values_M: Floats, counts_DM: Floats) -> Floats:
    """Ranks in a resample, ties averaged, up to a constant: copies of what is smaller and half of what is equal."""
    below_MM = (values_M[:, None] < values_M[None, :]) + 0.5 * (values_M[:, None] == values_M[None, :])
    ranks_DM: Floats = counts_DM @ below_MM
    return ranks_DM


def _weighted_pearson(a_DM: Floats, b_DM: Floats, counts_DM: Floats) -> Floats:
    total_D1 = counts_DM.sum(1, keepdims=True)
    a_DM = a_DM - (a_DM * counts_DM).sum(1, keepdims=True) / total_D1
    b_DM = b_DM - (b_DM * counts_DM).sum(1, keepdims=True) / total_D1
    norm_D = np.sqrt((a_DM**2 * counts_DM).sum(1) * (b_DM**2 * counts_DM).sum(1))
    both_D = (a_DM * b_DM * counts_DM).sum(1)
    found_D: Floats = np.divide(both_D, norm_D, out=np.zeros_like(both_D), where=norm_D > 1e-9)
    return found_D


def _spread(values_D: Floats) -> float:
    return float(values_D.std(ddof=1)) if len(values_D) > 1 else 0.0
