"""A verifier's test of published scores, whose cost does not grow with the number of examples.

    check = spot_check(retrain, scores_QN, tolerance=0.1, seed=7)     # the verifier draws the seed, after publication
    check.accepted, check.suboptimality, check.high

The publisher claims that sums of scores predict, as well as any linear predictor could, what a training on a random
subset gives. A small error of prediction does not show that: scores shrunk to half, or raised for a friend, may lose
little. So not the error is tested but how much better the best linear predictor would do. In the residual
g(S) = outcome(S) - predicted(S) that is the weight of its linear part. Subsets of one group share their draws with
probability `correlation` per example: the covariance of g within a group is the sum over degrees k of
correlation^k times the weight of degree k, so divided by the correlation it bounds the linear part from above. It is
estimated as the variance between groups, from which the noise of single trainings drops out.

Source: the sub-optimality test of arXiv 2508.10866 (retrainings independent of the number of examples). Differs: groups
of correlated subsets instead of its protocol, a bootstrap bound instead of its constants, no interaction.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import EvaluationError
from byline.evaluation.correlation import Floats

# Suffixes: Q queries, N training examples, G groups of subsets, E subsets of each group, D bootstrap draws

Retrain = Callable[[Floats], Floats]  # kept_N (0 or 1) -> outcome_Q, higher = more of the behaviour


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """`suboptimality`: part of the outcomes' variance that a better linear predictor would explain and the published
    one does not, mean over queries; `high`: its upper confidence bound, which decides. `unexplained`: part of the
    variance that the published predictor leaves, for comparison; it contains noise and what no linear one explains."""

    accepted: bool
    suboptimality: float
    high: float
    level: float
    tolerance: float
    unexplained: float
    retrainings: int
    seed: int


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """`groups` of `each` subsets. Every example is in with probability `kept`; two subsets of a group share the draw of
    an example with probability `correlation`. Raises: EvaluationError("too-few-subsets")."""

    groups: int = 10
    each: int = 3
    kept: float = 0.5
    correlation: float = 0.5

    def __post_init__(self) -> None:
        if self.groups < 3 or self.each < 2 or not 0 < self.correlation < 1:
            raise EvaluationError(
                "too-few-subsets",
                f"{self.groups} groups of {self.each} subsets with correlation {self.correlation}",
                "use at least 3 groups of 2 subsets and a correlation between 0 and 1",
            )

    def draw(self, n: int, seed: int) -> Floats:
        """kept_GEN, 0 or 1."""
        generator = np.random.default_rng(seed)
        common_G1N = generator.random((self.groups, 1, n)) < self.kept
        fresh_GEN = generator.random((self.groups, self.each, n)) < self.kept
        follows_GEN = generator.random(fresh_GEN.shape) < self.correlation**0.5  # both of a pair must follow
        return np.where(follows_GEN, common_G1N, fresh_GEN).astype(np.float64)


def spot_check(
    retrain: Retrain,
    scores_QN: Floats,
    *,
    plan: SpotPlan | None = None,
    tolerance: float = 0.1,
    level: float = 0.95,
    seed: int,
) -> SpotCheck:
    """Retrain on the plan's random subsets and accept if the published scores are nearly the best linear ones.

    The unit of the scores must be that of the outcomes (calibrated): a scale is part of the claim. Raises:
    EvaluationError("shape-mismatch", "not-finite").
    """
    plan = plan or SpotPlan()
    subsets_GEN = plan.draw(scores_QN.shape[1], seed)
    actual_GEQ = np.stack(
        [[np.asarray(retrain(kept_N), dtype=np.float64) for kept_N in group] for group in subsets_GEN]
    )
    if actual_GEQ.shape != (*subsets_GEN.shape[:2], len(scores_QN)):
        raise EvaluationError("shape-mismatch", f"outcomes {actual_GEQ.shape} for {len(scores_QN)} queries")
    if not np.isfinite(actual_GEQ).all():
        raise EvaluationError("not-finite", "a retraining gave an outcome that is not a finite number")
    residual_GEQ = actual_GEQ - subsets_GEN @ np.asarray(scores_QN, dtype=np.float64).T
    variance_Q = np.maximum(actual_GEQ.reshape(-1, len(scores_QN)).var(0, ddof=1), 1e-300)
    found = float(_linear_part(residual_GEQ, variance_Q, plan.correlation, np.arange(plan.groups)[None])[0])
    high = _upper(residual_GEQ, variance_Q, plan.correlation, level, seed)
    unexplained = float((residual_GEQ.reshape(-1, len(scores_QN)).var(0, ddof=1) / variance_Q).mean())
    return SpotCheck(high <= tolerance, found, high, level, tolerance, unexplained, plan.groups * plan.each, seed)


def _linear_part(
    residual_GEQ: Floats, variance_Q: Floats, correlation: float, rows_DG: npt.NDArray[np.int64]
) -> Floats:
    """Variance component between groups over the correlation, relative to the outcomes' variance, mean of queries; for
    each selection of groups: (D,)."""
    means_DGQ, within_DGQ = residual_GEQ.mean(1)[rows_DG], residual_GEQ.var(1, ddof=1)[rows_DG]
    between_DQ = means_DGQ.var(1, ddof=1) - within_DGQ.mean(1) / residual_GEQ.shape[1]
    found_D: Floats = (between_DQ / correlation / variance_Q).mean(1)
    return found_D


def _upper(
    residual_GEQ: Floats, variance_Q: Floats, correlation: float, level: float, seed: int, draws: int = 1000
) -> float:
    """Upper bound by resampling groups; resamples of G groups vary less than these do, by (G-1)/G: that is undone."""
    groups = len(residual_GEQ)
    rows_DG = np.random.default_rng([seed, 1]).integers(0, groups, (draws, groups))
    drawn_D = _linear_part(residual_GEQ, variance_Q, correlation, rows_DG)
    return float(np.quantile(drawn_D, level)) * groups / (groups - 1)
