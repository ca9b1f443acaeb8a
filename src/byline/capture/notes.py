"""What a run folder says about the training as a whole."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from byline.capture.checkpoint import named_parameters, weights_digest
from byline.capture.hooks import Tap, Uncaptured
from byline.capture.projector import Projector
from byline.capture.ranks import plain
from byline.core import RunId, digest, make_id
from byline.store import Group, RunSpec


def run_spec(
    name: str,
    model: nn.Module,
    taps: Sequence[Tap],
    uncaptured: Sequence[Uncaptured],
    projector: Projector,
    notes: Mapping[str, Any],
) -> RunSpec:
    """The run's id is made of its name, the model's architecture, the weights it begins with, and the projector."""
    shapes = [[known, list(parameter.shape)] for known, parameter in named_parameters(model).items()]
    architecture = f"{type(plain(model)).__name__}:{digest(shapes)[:16]}"
    sketch = projector.to_json()
    run = RunId(make_id("run", name, architecture, weights_digest(model).hex(), digest(sketch)))
    coverage = {
        "uncaptured": [item.to_json() for item in uncaptured],
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "captured": sum(tap.weight.numel() for tap in taps),
    }
    columns = tuple(Group(tap.name, tap.width) for tap in taps)
    return RunSpec(run, architecture, columns, json.dumps(sketch), json.dumps({**notes, **coverage}))
