"""The bench's tasks: small trainings whose counterfactuals can be had by retraining, hundreds of times.

A task names its examples, the works they are spans of and the contributors of those; how its model is made, trained
and asked. `truth.py` retrains it without works and contributors; `bench.py` compares methods with what that showed.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from byline.attribution import Task
from byline.training import Plan

NAMES = ("finetune", "scratch", "digits", "diffusion")


@dataclass(frozen=True, eq=False)
class Bench:
    """`fresh`: every retraining draws its own initial weights and order (what would this recipe have made?); else they
    are the recorded run's and only the order changes with the seed (what would this very model have become?)."""

    name: str
    example_ids: tuple[str, ...]
    works: tuple[str, ...]  # of each example
    contributors: Mapping[str, str]  # of each work
    task: Task
    model: Callable[[int], nn.Module]  # seed -> the model as it stands when recording begins
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    plan: Callable[[int], Plan]  # seed -> order and learning rates
    held_out: tuple[Any, ...]  # queries that were never trained on
    generate: Callable[[nn.Module], tuple[Any, ...]]  # queries that the trained model makes
    measure: Callable[[nn.Module, Any], Tensor]  # one query -> scalar, higher = more of it
    measure_all: Callable[[nn.Module, Sequence[Any]], Tensor]  # the same for many queries, without gradients: (Q,)
    fresh: bool = False
    example_texts: tuple[str, ...] = ()  # for lexical baselines; empty if the task is not text
    query_text: Callable[[Any], str] | None = None
    features: Callable[[], tuple[Tensor, Callable[[Any], Tensor]]] | None = None  # pixels, for similarity baselines
    notes: Mapping[str, Any] = field(default_factory=dict)

    def examples_of(self, works: Sequence[str]) -> list[int]:
        chosen = set(works)
        return [n for n, work in enumerate(self.works) if work in chosen]


def load(name: str) -> Bench:
    """Build a task; language models read real text and take some seconds."""
    if name not in NAMES:
        raise SystemExit(f"task {name!r} is not one of {', '.join(NAMES)}")
    made: Bench = importlib.import_module(f"tasks.{'language' if name in ('finetune', 'scratch') else name}").make(name)
    return made
