"""Capture: what every training example taught the model, written down while it trains."""

from byline.capture.hooks import Scale, Tap, Uncaptured, find_taps, tapped
from byline.capture.optimizer import OptimizerView
from byline.capture.projector import Projector
from byline.capture.recorder import Recorder, weights_digest

__all__ = [
    "OptimizerView",
    "Projector",
    "Recorder",
    "Scale",
    "Tap",
    "Uncaptured",
    "find_taps",
    "tapped",
    "weights_digest",
]
