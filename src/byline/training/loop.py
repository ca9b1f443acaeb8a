"""One training loop for every reference task: deterministic, replayable, and the same with and without a recorder.

A `Plan` is all that the loop needs to know beside the task: which examples at which step, at which learning rate.
Training under weights other than 1 keeps every batch and every denominator, which is what leaving examples out means
here (docs/method.md).
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor, nn

from byline.attribution import Task
from byline.core import TrainingError

Progress = Callable[[int, int, float], None]  # step, steps, loss


class Recording(Protocol):
    """What the loop needs of a recorder; `Unrecorded` is the one that records nothing."""

    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...
    def batch(self, example_ids: Sequence[str]) -> AbstractContextManager[None]: ...


class Unrecorded:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...
    def batch(self, example_ids: Sequence[str]) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`rows[s]` are the numbers (into `example_ids`) of the examples of step s, `rates[s]` its learning rate."""

    example_ids: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    rates: tuple[float, ...]
    clip: float = 1.0  # norm to which gradients are clipped

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.rates):
            raise TrainingError("bad-plan", f"{len(self.rows)} steps and {len(self.rates)} learning rates")

    @classmethod
    def epochs(
        cls,
        example_ids: Sequence[str],
        *,
        epochs: int,
        batch: int,
        rate: float,
        warmup: float = 0.1,
        clip: float = 1.0,
        seed: int = 0,
    ) -> "Plan":
        """A fresh permutation per epoch, the incomplete last batch dropped; linear warm-up, then cosine to zero."""
        generator = torch.Generator().manual_seed(seed)
        size = min(batch, len(example_ids))
        rows: list[tuple[int, ...]] = []
        for _ in range(epochs):
            order = torch.randperm(len(example_ids), generator=generator)[: len(example_ids) // size * size]
            rows += [tuple(part.tolist()) for part in order.view(-1, size)]
        rates = tuple(learning_rate(rate, warmup, step, len(rows)) for step in range(len(rows)))
        return cls(tuple(example_ids), tuple(rows), rates, clip)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    model: nn.Module
    losses: tuple[float, ...]  # mean weighted loss of each step's batch
    cpu_seconds: float  # of the loop, all threads of the process


def learning_rate(peak: float, warmup: float, step: int, steps: int) -> float:
    """Linear warm-up over a part of the steps, and cosine to zero over all of them."""
    warm = min(1.0, (step + 1) / max(1, round(warmup * steps)))
    return peak * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    task: Task,
    plan: Plan,
    *,
    weights_N: Tensor | None = None,
    recorder: Recording | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train `model` in place, on the thread it is called from. `weights_N` in [0, 1] weighs the examples (None: all 1).

    The same arguments give the same weights bit for bit on one thread (`single_thread`)."""
    weights_N = torch.ones(len(plan.example_ids)) if weights_N is None else weights_N
    recorder = recorder or Unrecorded()
    losses = []
    started = time.process_time()
    with recorder:
        for step, (rows, rate) in enumerate(zip(plan.rows, plan.rates, strict=True)):
            for group in optimizer.param_groups:
                group["lr"] = rate
            ids = [plan.example_ids[row] for row in rows]
            with recorder.batch(ids):
                loss = weighted_loss(task, model, task.batch(ids, step), weights_N[list(rows)])
                loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if progress is not None:
                progress(step + 1, len(plan.rows), losses[-1])
    return Trained(model, tuple(losses), time.process_time() - started)


def weighted_loss(task: Task, model: nn.Module, batch: object, weights_B: Tensor) -> Tensor:
    """Sum of weight times loss over the rows, divided by the number of rows whatever the weights."""
    return (task.losses(task.outputs(model, batch), batch) * weights_B).sum() / len(weights_B)
