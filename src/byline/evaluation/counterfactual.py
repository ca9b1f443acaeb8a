"""Leave one contributor out: retrain without each of some contributors and see what every query loses.

Retraining is a callable that the caller passes in, so this room knows neither models nor trainers. The estimand is the
single model: the same run (seed, order, denominators) with the contributor's examples at weight zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.core import PPM, EvaluationError, Reliability, digest
from byline.evaluation.correlation import Floats, Interval, bootstrap_pairs, pearson, slope, spearman

# Suffixes: C contributors left out, Q queries


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOut:
    """What retraining showed: `full_Q`, the recorded model's mean log-likelihood of each query (nats per token), and
    `without_CQ`, that of the models retrained without each contributor."""

    contributors: tuple[str, ...]
    queries: tuple[str, ...]
    full_Q: Floats
    without_CQ: Floats

    @property
    def actual_CQ(self) -> Floats:
        """Nats per token that a query loses when the contributor is left out; positive = the contributor helped."""
        return self.full_Q[None, :] - self.without_CQ

    def evidence(self) -> str:
        """Digest of the measurement, values in whole nano-nats."""
        whole = [[str(round(x * 1e9)) for x in row] for row in self.actual_CQ]
        return digest({"contributors": list(self.contributors), "queries": list(self.queries), "nano_nats": whole})


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one method's predictions agree with retraining over all (contributor, query) pairs."""

    method: str
    spearman: float
    interval: Interval  # of the Spearman correlation, 90 %
    pearson: float
    slope: float
    top1: float  # part of the queries for which the largest predicted contributor is the largest retrained one

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "spearman": self.spearman,
            "low": self.interval.low,
            "high": self.interval.high,
            "pearson": self.pearson,
            "slope": self.slope,
            "top1": self.top1,
        }


def agreement(method: str, predicted_CQ: Floats, truth: LeaveOut) -> Agreement:
    """Raises: EvaluationError("shape-mismatch", "not-finite", "too-few-pairs")."""
    actual_CQ = truth.actual_CQ
    if predicted_CQ.shape != actual_CQ.shape:
        raise EvaluationError("shape-mismatch", f"predictions {predicted_CQ.shape}, retrainings {actual_CQ.shape}")
    if not (np.isfinite(predicted_CQ).all() and np.isfinite(actual_CQ).all()):
        raise EvaluationError("not-finite", f"{method}: a prediction or a retraining is not a finite number")
    predicted, actual = predicted_CQ.ravel(), actual_CQ.ravel()
    return Agreement(
        method,
        spearman(predicted, actual),
        bootstrap_pairs(spearman, predicted_CQ, actual_CQ),
        pearson(predicted, actual),
        slope(predicted, actual),
        float((predicted_CQ.argmax(0) == actual_CQ.argmax(0)).mean()),
    )


def reliability(run: str, measured: Agreement, truth: LeaveOut) -> Reliability:
    """Lambda of the rule of money: the rank correlation with retraining, negative values cut to zero.

    It is an integer in parts per million, with the bootstrap interval, so that money can be computed from it.
    """
    low, value, high = (_ppm(x) for x in (measured.interval.low, measured.spearman, measured.interval.high))
    pairs = len(truth.contributors) * len(truth.queries)
    return Reliability(run, measured.method, value, min(low, value), max(high, value), pairs, truth.evidence())


def predictions(contributors: Sequence[str], scores: Mapping[str, Floats], queries: int) -> Floats:
    """predicted_CQ from per-contributor score rows (Q,); a contributor that a method does not know scores zero."""
    return np.stack([scores.get(name, np.zeros(queries)) for name in contributors])


def _ppm(value: float) -> int:
    return round(min(max(value, 0.0), 1.0) * PPM)
