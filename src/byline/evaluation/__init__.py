"""Evaluation: is the attribution right? Measured against retraining, never against itself."""

from byline.evaluation.correlation import Interval, bootstrap_pairs, pearson, ranks, slope, spearman
from byline.evaluation.counterfactual import Agreement, LeaveOut, agreement, predictions, reliability

__all__ = [
    "Agreement",
    "Interval",
    "LeaveOut",
    "agreement",
    "bootstrap_pairs",
    "pearson",
    "predictions",
    "ranks",
    "reliability",
    "slope",
    "spearman",
]
