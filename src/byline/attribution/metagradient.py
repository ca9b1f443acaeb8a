"""The exact first-order effect of every training example: reverse mode through the whole recorded training.

    audit = Metagradient().fit(model, task, trajectory)       # walks the run again and checks it bit by bit
    scores = audit.score(queries, measure)                    # ScoreTable, positive = proponent
    audit.cost_.trainings                                     # what it cost, in trainings

The score of example n is d measure(weights at the end) / d w_n at w = 1, where w_n weighs the losses of n at every
visit and all denominators stay fixed. Going backwards, a step turns the cotangents on the state after it (weights,
moments) into those on the state before it: through the optimizer's update to a cotangent u on the gradient of the
step, then by one differentiation of that gradient to <grad loss_n, u> for every row and to H u for the weights.
The states come from walking segments of the run again, so that about 2 sqrt(T) of them are in memory at a time.

`measure(model, query)` may be any scalar: a weighted sum over a period's outputs costs as much as a single output.

Source: MAGIC, arXiv 2504.16430, and REPLAY, arXiv 2503.13751. Differs: square-root checkpoints instead of a tree, all
queries share the walk, and the clipping coefficient is differentiated too.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from byline.attribution.adjoint import Cotangent, StepAdjoint
from byline.attribution.replay import checked_walk, visited
from byline.attribution.task import Task
from byline.attribution.trajectory import State, Step, Trajectory
from byline.attribution.update import update_of
from byline.attribution.walk import Walk
from byline.capture import weights_digest
from byline.core import AttributionError, ScoreTable

# Suffixes: Q queries, N training examples, B rows of a batch

Measure = Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True, slots=True)
class AuditCost:
    """What an audit took. A `gradient` is forward and backward of one step's batch; a `product` is one differentiation
    of such a gradient, which counts as two (it goes through twice as many operations)."""

    steps: int
    gradients: int
    products: int
    epochs_per_training: float
    seconds: float

    @property
    def trainings(self) -> float:
        return (self.gradients + 2 * self.products) / max(1, self.steps)

    @property
    def epochs(self) -> float:
        return self.trainings * self.epochs_per_training


class Metagradient:
    """`frozen`: hold Adam's second moment and the clipping coefficient constant, which is nearly as good and steadier.
    `segments`: parts into which the run is cut (None: the square root of its steps). `tolerance`: see `check_replay`.
    `together`: queries carried backwards at a time; each needs the memory of one optimizer state.

    After `fit`: `digest_` (hex) of the replayed weights. After `score`: `cost_`.
    """

    def __init__(
        self, frozen: bool = False, segments: int | None = None, tolerance: float = 0.0, together: int = 8
    ) -> None:
        self.frozen = frozen
        self.segments = segments
        self.tolerance = tolerance
        self.together = together

    @property
    def method(self) -> str:
        return "byline-metagradient(frozen)" if self.frozen else "byline-metagradient"

    def fit(self, model: nn.Module, task: Task, trajectory: Trajectory) -> Self:
        """Walk the run from its beginning, compare it with every kept state, and keep the beginning of each segment.

        Raises: AttributionError("replay-differs", "no-beginning", "moving-buffers", "unknown-optimizer") and those of
        `replay`. It differentiates through SGD, Adam and AdamW only.
        """
        _refuse_unwalkable(trajectory)
        started = time.perf_counter()
        self.walk_ = Walk(model, task, trajectory)
        self.starts_: list[State] = []
        for taken in checked_walk(self.walk_, tolerance=self.tolerance):
            if taken % self._stride(trajectory) == 0 and taken < len(trajectory.steps):
                self.starts_.append(self.walk_.state())
        self.end_ = self.walk_.state()
        _refuse_moving_buffers(self.starts_[0], self.end_)
        self.digest_ = weights_digest(self.walk_.model).hex()
        self.seconds_ = time.perf_counter() - started
        return self

    def score(self, queries: Mapping[str, Any], measure: Measure) -> ScoreTable:
        """scores_QN: d measure / d weight of every example that the run read, in the order of first reading.

        `measure(model, query)` gives a scalar, higher = more of the behaviour; its unit is that of the scores. The sum
        of some examples' scores estimates what the measurement loses when they are left out. Raises:
        AttributionError("not-fitted", "no-queries", "not-scalar", "flat-query").
        """
        if not hasattr(self, "starts_"):
            raise AttributionError("not-fitted", "the metagradient was used before fit", "call .fit first")
        if not queries:
            raise AttributionError("no-queries", "there is nothing to attribute", "pass at least one query")
        started = time.perf_counter()
        names, items = tuple(queries), list(queries.items())
        self.gradients_, self.products_ = len(self.walk_.trajectory.steps), 0
        rows = [
            row
            for first in range(0, len(items), self.together)
            for row in self._carry(items[first : first + self.together], measure)
        ]
        self.cost_ = self._cost(time.perf_counter() - started)
        return ScoreTable(np.stack(rows), names, visited(self.walk_.trajectory), self.method)

    # --- backwards ----------------------------------------------------------------------------------------------

    def _carry(self, items: Sequence[tuple[str, Any]], measure: Measure) -> list[np.ndarray[Any, Any]]:
        """scores_N of some queries that walk back together."""
        self.walk_.stand(self.end_)
        cotangents: list[Cotangent] = [self._at_end(name, query, measure) for name, query in items]
        position = {example: n for n, example in enumerate(visited(self.walk_.trajectory))}
        scores_QN = torch.zeros(len(items), len(position), dtype=torch.float64)
        for state in self._backwards():
            step = self.walk_.trajectory.steps[state.taken]
            into_B = torch.tensor([position[example] for example in step.example_ids])
            for q, dots_B in enumerate(self._step_back(state, step, cotangents)):
                scores_QN[q].index_add_(0, into_B, dots_B.detach().cpu().double())
        return [row.numpy() for row in scores_QN.float()]

    def _at_end(self, name: str, query: Any, measure: Measure) -> Cotangent:
        parameters = {n: p for n, p in self.walk_.parameters.items() if p.requires_grad}
        with sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
            value = measure(self.walk_.model, query)
        if value.numel() != 1:
            raise AttributionError(
                "not-scalar", f"the measure of query {name} has {value.numel()} values", "return one number"
            )
        if not value.requires_grad:
            raise AttributionError("flat-query", f"query {name} has no gradient", "measure must depend on the weights")
        grads = torch.autograd.grad(value.sum(), list(parameters.values()), allow_unused=True)
        found = {n: grad for n, grad in zip(parameters, grads, strict=True) if grad is not None}
        if not all(bool(grad.isfinite().all()) for grad in found.values()):
            raise AttributionError("flat-query", f"query {name} has a gradient that is not finite", "is it empty?")
        return {"weights": found}

    def _backwards(self) -> Iterator[State]:
        """States before each step, the last first, made anew segment by segment."""
        end = len(self.walk_.trajectory.steps)
        for start in reversed(self.starts_):
            self.walk_.stand(start)
            states = [start]
            while self.walk_.taken < end - 1:
                self.walk_.step()
                self.gradients_ += 1
                states.append(self.walk_.state())
            yield from reversed(states)
            end = start.taken

    def _step_back(self, state: State, step: Step, cotangents: list[Cotangent]) -> Iterator[Tensor]:
        """For each query the dots_B of its rows with the cotangent on the gradient; `cotangents` move a step back."""
        walk = self.walk_
        walk.stand(state)
        trained = {name: p for name, p in walk.parameters.items() if p.requires_grad}
        with sdpa_kernel(SDPBackend.MATH), walk.random():
            losses_B = torch.cat([part_B for _, part_B in walk.losses(step)])
            weights_B = torch.ones_like(losses_B, requires_grad=True)
            total = (losses_B * weights_B).sum() / step.divisor
            made = torch.autograd.grad(total, list(trained.values()), create_graph=True, allow_unused=True)
        self.gradients_ += 1
        grads = {name: grad for name, grad in zip(trained, made, strict=True) if grad is not None}
        adjoint = StepAdjoint(walk.trajectory, state, step, {n: g.detach() for n, g in grads.items()}, self.frozen)
        for q, after in enumerate(cotangents):
            before, pull = adjoint.back(after)
            found = torch.autograd.grad(
                list(grads.values()),
                [weights_B, *(trained[name] for name in grads)],
                [pull[name] for name in grads],
                retain_graph=q + 1 < len(cotangents),
                allow_unused=True,
            )
            self.products_ += 1
            for name, moved in zip(grads, found[1:], strict=True):
                if moved is not None:
                    before["weights"][name] = before["weights"].get(name, 0) + moved
            cotangents[q] = before
            yield found[0]

    # --- parts --------------------------------------------------------------------------------------------------

    def _stride(self, trajectory: Trajectory) -> int:
        steps = len(trajectory.steps)
        return math.ceil(steps / (self.segments or max(1, math.isqrt(steps))))

    def _cost(self, seconds: float) -> AuditCost:
        steps = self.walk_.trajectory.steps
        visits = sum(len(step.example_ids) for step in steps)
        epochs = visits / max(1, len(visited(self.walk_.trajectory)))
        return AuditCost(len(steps), self.gradients_, self.products_, epochs, self.seconds_ + seconds)


def _refuse_unwalkable(trajectory: Trajectory) -> None:
    for group in trajectory.groups:
        update_of(group.kind or trajectory.optimizer, group)
    kept = trajectory.kept
    if not trajectory.steps or not kept or kept[0] != 0 or kept[-1] != len(trajectory.steps):
        raise AttributionError(
            "no-beginning",
            f"the run has {len(trajectory.steps)} steps and states were kept after {list(kept)}",
            "keep the state before the first step and the one after the last when recording",
        )


def _refuse_moving_buffers(first: State, last: State) -> None:
    """What buffers carry from step to step (batch norm's running averages) has no adjoint here."""
    for name, buffer in first.buffers.items():
        if buffer.is_floating_point() and not torch.equal(buffer, last.buffers[name]):
            raise AttributionError(
                "moving-buffers",
                f"buffer {name} changed during the run; its influence on the measurement would be left out",
                "train without running statistics (layer or group norm), or audit by retraining",
            )
