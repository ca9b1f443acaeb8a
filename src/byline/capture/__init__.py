"""Capture: what every training example taught the model, written down while it trains."""

from byline.capture.calls import Early, tapped
from byline.capture.checkpoint import (
    Snapshot,
    named_buffers,
    named_parameters,
    random_states,
    state_name,
    states_in,
    weights_digest,
)
from byline.capture.hooks import Scale, Tap, Uncaptured, find_taps
from byline.capture.join import join_ranks
from byline.capture.optimizer import KINDS, OptimizerView
from byline.capture.projector import Projector
from byline.capture.recorder import Recorder
from byline.capture.steplog import broken_link, chained, random_digest

__all__ = [
    "KINDS",
    "Early",
    "OptimizerView",
    "Projector",
    "Recorder",
    "Scale",
    "Snapshot",
    "Tap",
    "Uncaptured",
    "broken_link",
    "chained",
    "find_taps",
    "join_ranks",
    "named_buffers",
    "named_parameters",
    "random_digest",
    "random_states",
    "state_name",
    "states_in",
    "tapped",
    "weights_digest",
]
