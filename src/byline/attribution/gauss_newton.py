"""Transport: a query carried backwards through the recorded training, with Gauss-Newton products (tier 2).

What example i did to a measurement f of the trained model is d f / d w_i, w_i its weight in the loss. A small step of
the optimizer at time s was  theta <- (1 - lr wd) theta - lr P m,  m <- b1 m + (1 - b1) g,  g = clip/B * sum_i w_i
grad loss_i. So with lam = df/dtheta after the last step and mu the cotangent of the momentum, for s = T-1 ... 0:

    mu  -= lr_s / (1 - b1^(s+1)) * P_s * lam
    u    = (1 - b1) * mu
    tau_i += clip_s / B_s * <grad loss_i, u>          for every i in the batch of s
    lam  = (1 - lr_s wd) * lam + clip_s * G_s u       G_s = Gauss-Newton matrix of the batch's loss
    mu  *= b1

The preconditioner P and the clip factor are treated as constants; the Hessian is replaced by the Gauss-Newton matrix,
which is positive semi-definite, so that weights and moments need not be the exact ones of every step: they are read at
a few kept states and interpolated between them. What it costs is about four thirds of the training for one functional,
whatever the number of outputs it sums over, and a training for each more; no determinism is asked of the machine.

Sources: MAGIC/REPLAY, arXiv 2503.13751 (the exact adjoint); AdamW-aware influence, arXiv 2605.18814; SOURCE, arXiv
2405.12186 (segments). Differs from MAGIC: frozen preconditioner, Gauss-Newton curvature, interpolated states.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from byline.attribution.linear_update import LinearUpdate, zeros_like
from byline.attribution.linearised import Forward, Named, Products
from byline.attribution.path import Path
from byline.attribution.task import Task
from byline.attribution.trajectory import Step, Trajectory
from byline.core import AttributionError, ScoreTable

# Suffixes: Q queries, N training examples, B rows of a batch, C channels

Measure = Callable[[nn.Module, Any], Tensor]
Channels = Callable[[str], str]  # parameter name -> channel; "" leaves the parameter where it is


def one_channel(parameter: str) -> str:
    return "all"


@dataclass(frozen=True, slots=True, eq=False)
class Transported:
    """Scores of each channel of parameters apart (they add up to the influence through all of them), and the cost."""

    channels: Mapping[str, ScoreTable]
    products: int  # Gauss-Newton products per query

    @property
    def total(self) -> ScoreTable:
        tables = list(self.channels.values())
        scores_QN = np.sum([table.scores_QN for table in tables], axis=0)
        return ScoreTable(scores_QN, tables[0].query_ids, tables[0].example_ids, tables[0].method)


class GaussNewtonTransport:
    """`channels` names the group of parameters that each parameter belongs to: influence through each is told apart.
    Parameters of channel "" are held still, as if they had not been trained: cheaper, and for channels that would
    drown the others. `chunk`: queries carried at once (memory).
    `resample`: if given, the seed of a Poisson(1) weight for every row of every Gauss-Newton product: two transports
    that differ in it differ by the products' sampling error.
    `onlookers`: per step (by number), ids of examples that the batch did not hold and that are asked what reading them
    there would have done, to first order. They weigh nothing: the other scores are what they are without them.
    """

    def __init__(
        self,
        channels: Channels = one_channel,
        *,
        chunk: int = 20,
        resample: int | None = None,
        onlookers: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        self.channels = channels
        self.chunk = chunk
        self.resample = resample
        self.onlookers = onlookers or {}

    @property
    def method(self) -> str:
        return "byline-gauss-newton-transport"

    def score(
        self,
        model: nn.Module,
        task: Task,
        trajectory: Trajectory,
        queries: Mapping[str, Any],
        measure: Callable[[nn.Module, Any], Tensor],
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> Transported:
        """Influence of every visited example on every query, positive = proponent, in units of `measure`.

        `model` lends its architecture; its weights are left as they were found. A period's invoice is one query: the
        revenue-weighted sum of its outputs' measurements. Raises: AttributionError("no-queries", "unfinished-run",
        "unknown-optimizer", "not-scalar").
        """
        if not queries:
            raise AttributionError("no-queries", "there is nothing to attribute", "pass at least one query")
        walk = _Walk(self, model, task, trajectory)
        ids, steps = list(queries), len(trajectory.steps)
        chunks = [ids[at : at + self.chunk] for at in range(0, len(ids), self.chunk)]
        parts = [
            walk.back(
                [queries[name] for name in chunk],
                measure,
                lambda step, n=n: progress(n * steps + step, len(chunks) * steps),  # type: ignore[misc]
            )
            for n, chunk in enumerate(chunks)
        ]
        scores_CQN = torch.cat(parts, dim=1).float().numpy()
        tables = {
            channel: ScoreTable(scores_QN, tuple(ids), walk.example_ids, self.method)
            for channel, scores_QN in zip(walk.channels, scores_CQN, strict=True)
        }
        return Transported(tables, steps)


class _Walk:
    """One training walked backwards for a chunk of queries at a time."""

    def __init__(self, transport: GaussNewtonTransport, model: nn.Module, task: Task, trajectory: Trajectory) -> None:
        self.task, self.path = task, Path(trajectory)
        self.resample, self.onlookers = transport.resample, transport.onlookers
        self.update = LinearUpdate(self.path)
        self.forward = Forward(copy.deepcopy(model).eval(), task)
        trained = [name for name in self.path.settings if transport.channels(name)]
        self.channels: dict[str, list[str]] = {}
        for name in trained:
            self.channels.setdefault(transport.channels(name), []).append(name)
        if not trained:
            raise AttributionError("nothing-carried", "every parameter is held still", "name at least one channel")
        read = (self._read(s, step) for s, step in enumerate(trajectory.steps))
        self.example_ids = tuple(dict.fromkeys(example for ids in read for example in ids))
        self.number = {example: n for n, example in enumerate(self.example_ids)}

    def back(self, queries: Sequence[Any], measure: Measure, progress: Callable[[int], None]) -> Tensor:
        """Scores (C, Q, N) of one chunk of queries."""
        steps = self.path.trajectory.steps
        scores_CQN = torch.zeros(len(self.channels), len(queries), len(self.example_ids), dtype=torch.float64)
        self.forward.load(self.path.weights(len(steps)))
        lam = gradients(queries, self.forward.parameters_of(self.channels), self.forward.model, measure)
        mu, products = zeros_like(lam), Products(self.forward)
        for s in reversed(range(len(steps))):
            step = steps[s]
            u = self.update.pull(s, lam, mu)
            pulled, dots_CQB = self._products(products, s, step, u)
            rows = torch.tensor([self.number[example] for example in self._read(s, step)])
            scores_CQN.index_add_(2, rows, dots_CQB.double() * (step.clip / step.divisor))
            for name, value in lam.items():
                value += pulled[name] * step.clip
            progress(len(steps) - s)
        return scores_CQN

    def _read(self, s: int, step: Step) -> tuple[str, ...]:
        return (*step.example_ids, *self.onlookers.get(s, ()))

    def _products(self, products: Products, s: int, step: Step, u: Named) -> tuple[Named, Tensor]:
        """Gauss-Newton products of every query's cotangent, and its dots with the rows' gradients: (C, Q, B)."""
        ids = self._read(s, step)
        rows_B = next(iter(u.values())).new_zeros(len(ids))
        rows_B[: len(step.example_ids)] = self._row_weights(s, len(step.example_ids)) / step.divisor
        return products(self.task.batch(ids, s), self.path.weights(s), u, list(self.channels.values()), rows_B)

    def _row_weights(self, s: int, rows: int) -> Tensor:
        if self.resample is None:
            return torch.ones(rows)
        return torch.from_numpy(np.random.default_rng([self.resample, s]).poisson(1.0, rows).astype(np.float32))


def gradients(queries: Sequence[Any], active: Named, model: nn.Module, measure: Measure) -> Named:
    """Of every query's measurement with respect to the active parameters: (Q, ...) each.

    Raises: AttributionError("not-scalar") if a measurement is not one number.
    """
    rows = []
    for query in queries:
        value = measure(model, query)
        if value.numel() != 1:
            raise AttributionError(
                "not-scalar", f"the measure has {value.numel()} values", "return one number, e.g. a mean"
            )
        rows.append(torch.autograd.grad(value, list(active.values()), allow_unused=True, materialize_grads=True))
    return {name: torch.stack([row[n] for row in rows]) for n, name in enumerate(active)}
