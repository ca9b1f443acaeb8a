"""The recorded run that all methods are asked about: seed 0 of a bench task, written by the recorder while it trains.

It is kept under `.bench/TASK/run-DIGEST`, the digest being that of the task's recipe and examples: a changed task is
recorded anew, and scores that were kept for another recipe are not found.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from byline.attribution import Trajectory, read_trajectory
from byline.capture import Projector, Recorder
from byline.core import digest
from byline.training import fit, single_thread

# Suffixes: N training examples, Q queries, P parameters laid end to end

RANK = 32  # of the recorder's projector and of the sketched baselines
DRAWS = 8  # of noise and time, for losses that draw them
UNSEEN = 1 << 20  # steps from here on were never trained: their draws are new


@dataclass(frozen=True, eq=False)
class Recorded:
    """`model` has the weights at the end of the run, `folder` is the run's."""

    bench: Any
    model: nn.Module
    trajectory: Trajectory
    queries: tuple[Any, ...]
    folder: Path

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Steps whose random draws a loss at the final weights is averaged over; one, if it draws nothing."""
        first = self.bench.example_ids[:1]
        one, two = (_tensors(self.bench.task.batch(first, step)) for step in (0, 1))
        same = all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        return (0,) if same else tuple(range(UNSEEN, UNSEEN + DRAWS))

    @cached_property
    def gradients_NP(self) -> Tensor:
        """Loss gradients of every training example at the end of the run."""
        rows = example_gradients(self.bench, self.model, self.steps)
        found_NP = torch.empty(len(self.bench.example_ids), size(self.model))
        for n, row_P in enumerate(rows):
            found_NP[n] = row_P
        return found_NP

    @cached_property
    def queries_QP(self) -> Tensor:
        """Gradients of every query's measurement at the end of the run."""
        return query_gradients(self.bench, self.model, self.queries)

    @property
    def epochs(self) -> float:
        """Passes over the examples that the training made."""
        return sum(len(step.example_ids) for step in self.trajectory.steps) / len(self.bench.example_ids)


def recipe_digest(bench: Any) -> str:
    return digest([str(bench.notes), list(bench.example_ids), len(bench.held_out)])[:12]


def record(bench: Any, root: Path) -> Recorded:
    """The task's recorded run below `root`, trained now unless it is there."""
    folder = root / f"run-{recipe_digest(bench)}"
    if not folder.is_dir():
        _train(bench, bench.model(0), folder)
    model, trajectory = bench.model(0), read_trajectory(folder)
    load(model, trajectory.state(len(trajectory.steps)).weights)
    model.eval()
    with single_thread():
        queries = (*bench.held_out, *bench.generate(model))
    return Recorded(bench, model, trajectory, queries, folder)


def _train(bench: Any, model: nn.Module, folder: Path) -> None:
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    plan, optimizer = bench.plan(0), bench.optimizer(model)
    recorder = Recorder(model, optimizer, part, projector=Projector(RANK), max_norm=plan.clip)
    with single_thread():
        fit(model, optimizer, bench.task, plan, recorder=recorder)
    part.rename(folder)


def load(model: nn.Module, weights: Any) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in trained(model).values())


def columns(model: nn.Module) -> dict[str, slice]:
    """Where each parameter lies in a row of P numbers."""
    found, start = {}, 0
    for name, parameter in trained(model).items():
        found[name] = slice(start, start + parameter.numel())
        start += parameter.numel()
    return found


def head_of(model: nn.Module) -> str:
    """The name of the last linear layer: a language model's head, a classifier's, a denoiser's output."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]


def flat_gradient(value: Tensor, model: nn.Module) -> Tensor:
    parameters = list(trained(model).values())
    parts = torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([part.reshape(-1) for part in parts])


def example_gradients(bench: Any, model: nn.Module, steps: tuple[int, ...]) -> Iterator[Tensor]:
    """Loss gradient (P,) of each example, one backward pass each; the mean over the draws of `steps`."""
    for example in bench.example_ids:
        batches = [bench.task.batch([example], step) for step in steps]
        losses = [bench.task.losses(bench.task.outputs(model, batch), batch)[0] for batch in batches]
        yield flat_gradient(torch.stack(losses).mean(), model)


def query_gradients(bench: Any, model: nn.Module, queries: tuple[Any, ...]) -> Tensor:
    return torch.stack([flat_gradient(bench.measure(model, query), model) for query in queries])


def _tensors(batch: Any) -> tuple[Tensor, ...]:
    return (batch,) if isinstance(batch, Tensor) else tuple(batch)
