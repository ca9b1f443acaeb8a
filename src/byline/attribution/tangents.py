"""Contributor tangents: what every contributor did to the final weights, told once for all outputs to come (tier 2).

The same linearised training as in `gauss_newton`, walked forwards: the derivative of the final weights with respect to
the common weight of a contributor's examples is carried along for all contributors at once. Any later output then
costs its own gradient and one dot product per contributor; its scores are those of the transport, by transposition.

A tangent costs about as much as the training, and one byte per parameter to keep: rows of a weight are quantised
to int8, each with its own scale. Tangents are never sketched: the cosine between a tangent and a query is far below
what a random projection can resolve (docs/method.md).
"""

import copy
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from byline.attribution.gauss_newton import Measure, gradients
from byline.attribution.linear_update import LinearUpdate, zeros_like
from byline.attribution.linearised import Forward, Named, Products
from byline.attribution.path import Path
from byline.attribution.task import Task
from byline.attribution.trajectory import Trajectory
from byline.core import AttributionError

# Suffixes: Q queries, C contributors, P parameters, B rows of a batch

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Tangents:
    """`values_CP` (int8) times `scales_CR` spread over the rows of every weight are the tangents, laid out as the
    parameters `shapes` one behind the other. Positive = proponent, in units of the measure per unit of weight."""

    names: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    values_CP: Tensor
    scales_CR: Tensor

    def score(self, model: nn.Module, queries: Mapping[str, Any], measure: Measure) -> Floats:
        """scores_QC of the model that the training ended with: one backward pass and C dot products per query.

        Raises: AttributionError("not-scalar", "no-queries").
        """
        if not queries:
            raise AttributionError("no-queries", "there is nothing to attribute", "pass at least one query")
        named = dict(model.named_parameters())
        active: Named = {name: named[name] for name in self.shapes}
        return np.stack([self.dots(gradients([query], active, model, measure)) for query in queries.values()])

    def dots(self, gradient: Named) -> Floats:
        """One query's gradient, (1, ...) per parameter, against every tangent: (C,)."""
        total_C = torch.zeros(len(self.names))
        at = row = 0
        for name, shape in self.shapes.items():
            flat_RW = gradient[name].reshape(_rows(shape), -1)
            size = flat_RW.numel()
            values_CRW = self.values_CP[:, at : at + size].view(-1, *flat_RW.shape)
            scales_CR = self.scales_CR[:, row : row + len(flat_RW)]
            for c in range(len(self.names)):  # one contributor in float at a time
                total_C[c] += (values_CRW[c].float() * flat_RW.float()).sum(1) @ scales_CR[c].float()
            at, row = at + size, row + len(flat_RW)
        return total_C.numpy()

    def save(self, path: str | FilePath) -> None:
        """One safetensors file, written aside and renamed."""
        path = FilePath(path)
        part = path.with_name(path.name + ".part")
        told = {"names": json.dumps(self.names), "shapes": json.dumps({n: list(s) for n, s in self.shapes.items()})}
        save_file({"values": self.values_CP, "scales": self.scales_CR}, str(part), metadata=told)
        part.replace(path)

    @classmethod
    def load(cls, path: str | FilePath) -> "Tangents":
        """Raises: AttributionError("bad-tangents") if the file is not one that `save` wrote."""
        try:
            with safe_open(str(path), "pt") as file:
                told = file.metadata()
                shapes = {name: tuple(shape) for name, shape in json.loads(told["shapes"]).items()}
                return cls(
                    tuple(json.loads(told["names"])), shapes, file.get_tensor("values"), file.get_tensor("scales")
                )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as fault:
            raise AttributionError("bad-tangents", f"{path}: {fault}", "make the tangents again") from fault


def contributor_tangents(
    model: nn.Module,
    task: Task,
    trajectory: Trajectory,
    members: Mapping[str, Collection[str]],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Tangents:
    """Walk the recorded training forwards with every contributor's tangent.

    `members[name]` are the ids of a contributor's examples; an example may have several owners or none.
    Raises: AttributionError("unfinished-run", "unknown-optimizer") as the transport does, ("no-members") for an empty
    mapping.
    """
    if not members:
        raise AttributionError("no-members", "nobody's tangent is asked for", "name at least one contributor")
    path = Path(trajectory)
    update, products = LinearUpdate(path), Products(Forward(copy.deepcopy(model).eval(), task))
    names, owned = tuple(members), [frozenset(mine) for mine in members.values()]
    weights = {name: value.new_zeros(len(names), *value.shape) for name, value in _active(path).items()}
    dtype = next(iter(weights.values())).dtype
    momenta = zeros_like(weights)
    for s, step in enumerate(trajectory.steps):
        part = step.clip / step.divisor
        owned_CB = torch.tensor([[part * (i in mine) for i in step.example_ids] for mine in owned], dtype=dtype)
        batch = task.batch(step.example_ids, s)
        rows_B = torch.full((len(step.example_ids),), part, dtype=dtype)
        # tangents of the clipped gradient: through the weights, and through the contributor's own examples
        pushed, _ = products(batch, path.weights(s), weights, [list(weights)], rows_B, owned_CB)
        update.push(s, weights, momenta, pushed)
        progress(s + 1, len(trajectory.steps))
    return quantised(names, weights)


def _active(path: Path) -> Named:
    end = path.weights(len(path.trajectory.steps))
    return {name: end[name] for name in path.settings}


def quantised(names: Sequence[str], weights: Named) -> Tangents:
    """int8 rows, each scaled by its largest magnitude; the rows of a weight are those of its first dimension."""
    values, scales, shapes = [], [], {}
    for name, value in weights.items():
        shapes[name] = tuple(value.shape[1:])
        rows_CRW = value.reshape(len(names), _rows(shapes[name]), -1)
        scale_CR = rows_CRW.abs().amax(2) / 127
        values.append((rows_CRW / scale_CR.clamp(min=1e-38)[..., None]).round().to(torch.int8).flatten(1))
        scales.append(scale_CR)
    return Tangents(tuple(names), shapes, torch.cat(values, 1), torch.cat(scales, 1))


def _rows(shape: Sequence[int]) -> int:
    return shape[0] if len(shape) > 1 else 1
