"""Byline: training-time provenance for generative models.

The library in three names, imported only when they are used, so that what needs no tensors starts without torch:
`Recorder` and `Projector` record a training, `open_run` asks a recorded one where outputs come from.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byline.attribution import open_run
    from byline.capture import Projector, Recorder

__all__ = ["Projector", "Recorder", "open_run"]

_ROOMS = {"Projector": "byline.capture", "Recorder": "byline.capture", "open_run": "byline.attribution"}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)
