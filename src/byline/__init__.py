"""Byline: training-time provenance for generative models.

The library in four names, imported only when they are used, so that what needs no tensors starts without torch:
`Recorder` and `Projector` record a training, `open_run` asks a recorded one where outputs come from, and
`Subject` is what an evaluation or an audit of a run of yours has to know.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byline.attribution import Subject, open_run
    from byline.capture import Projector, Recorder

__all__ = ["Projector", "Recorder", "Subject", "open_run"]

_ROOMS = {
    "Projector": "byline.capture",
    "Recorder": "byline.capture",
    "Subject": "byline.attribution",
    "open_run": "byline.attribution",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)
