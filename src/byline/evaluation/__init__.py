"""Evaluation: is the attribution right? Measured against retraining, never against itself."""

from byline.evaluation.correlation import Interval, bootstrap_pairs, pearson, ranks, slope, spearman
from byline.evaluation.counterfactual import Agreement, LeaveOut, agreement, predictions, reliability
from byline.evaluation.lds import Ceiling, Lds, Paired, lds, noise_ceiling, paired, subset_predictions

__all__ = [
    "Agreement",
    "Ceiling",
    "Interval",
    "Lds",
    "LeaveOut",
    "Paired",
    "agreement",
    "bootstrap_pairs",
    "lds",
    "noise_ceiling",
    "paired",
    "pearson",
    "predictions",
    "ranks",
    "reliability",
    "slope",
    "spearman",
    "subset_predictions",
]
