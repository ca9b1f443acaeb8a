"""What is asked of a recorded run: its model and losses, the outputs to explain, and whose the examples are."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from byline.attribution.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """All that `byline evaluate --run` and `byline audit --run` have to know beside the run folder.

    `model` gives the architecture, its weights are not looked at; `task` makes the run's batches and losses again.
    `measure(model, query)` is one number per query, higher = more of the behaviour. `contributors` names whose examples
    are left out, by ids as they were passed to `recorder.batch`. For models of text: `texts` of examples, by those ids,
    and `says(query)`; likeness of words can then be told beside influence.
    """

    model: nn.Module
    task: Task
    queries: Mapping[str, Any]
    measure: Callable[[nn.Module, Any], Tensor]
    contributors: Mapping[str, Collection[str]]
    texts: Mapping[str, str] = field(default_factory=dict)
    says: Callable[[Any], str] | None = None
