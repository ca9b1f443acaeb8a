"""Evaluation: is the attribution right? Measured against retraining, never against itself."""

from byline.evaluation.calibration import Bucket, Calibration, calibrate
from byline.evaluation.certificate import (
    Bars,
    Certificate,
    DropEvidence,
    DropFinding,
    Evidence,
    LocoEvidence,
    LocoFinding,
    certify,
    share_distance,
)
from byline.evaluation.channels import FEWEST, Channelled, fit_channels
from byline.evaluation.conformal import Conformal, Coverage, LeaveOutConformal, held_out_coverage
from byline.evaluation.correlation import Interval, bootstrap_pairs, pearson, ranks, slope, spearman
from byline.evaluation.counterfactual import Agreement, LeaveOut, agreement, predictions, reliability
from byline.evaluation.lds import Ceiling, Lds, Paired, lds, noise_ceiling, paired, subset_predictions
from byline.evaluation.metasmoothness import Metasmoothness, SmoothnessGate, metasmoothness, smoothness_gate
from byline.evaluation.spot_check import SpotCheck, SpotPlan, spot_check

__all__ = [
    "FEWEST",
    "Agreement",
    "Bars",
    "Bucket",
    "Calibration",
    "Ceiling",
    "Certificate",
    "Channelled",
    "Conformal",
    "Coverage",
    "DropEvidence",
    "DropFinding",
    "Evidence",
    "Interval",
    "Lds",
    "LeaveOut",
    "LeaveOutConformal",
    "LocoEvidence",
    "LocoFinding",
    "Metasmoothness",
    "Paired",
    "SmoothnessGate",
    "SpotCheck",
    "SpotPlan",
    "agreement",
    "bootstrap_pairs",
    "calibrate",
    "certify",
    "fit_channels",
    "held_out_coverage",
    "lds",
    "metasmoothness",
    "noise_ceiling",
    "paired",
    "pearson",
    "predictions",
    "ranks",
    "reliability",
    "share_distance",
    "slope",
    "smoothness_gate",
    "spearman",
    "spot_check",
    "subset_predictions",
]
