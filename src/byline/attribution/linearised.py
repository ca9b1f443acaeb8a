"""Gauss-Newton products of a task by differences: two forward passes, one backward pass, plain PyTorch.

With outputs z = f(theta) and a small e, z' = f(theta + e v) gives J v = (z' - z) / e, and the gradients of the losses
at both outputs give the rest: H_L J v = (grad L(z') - grad L(z)) / e, which is pulled back through the graph of z. No
forward-mode derivative is asked of any operation, so fused kernels and models that functorch cannot trace will do, and
a product costs about what a training step costs. The error is of the order of e: it is chosen so that outputs move by
the square root of the machine's epsilon, relative to their size, where truncation and rounding balance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from byline.attribution.task import Task

# Suffixes: B rows of a batch, K vectors carried at once, C channels

Named = dict[str, Tensor]
TRIES, NEAR = 4, 30.0  # a reach that misses the wanted move of the outputs by more than NEAR is corrected


class Forward(nn.Module):
    """The task's outputs as a function of named weights."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, batch: Any) -> Tensor:
        return self.task.outputs(self.model, batch)

    def at(self, weights: Mapping[str, Tensor], batch: Any) -> Tensor:
        found: Tensor = functional_call(self, {f"model.{name}": value for name, value in weights.items()}, (batch,))
        return found

    def slope(self, outputs: Tensor, batch: Any) -> Tensor:
        """Gradient of each row's loss with respect to its outputs."""
        free = outputs.detach().requires_grad_()
        return torch.autograd.grad(self.task.losses(free, batch).sum(), free)[0]

    def load(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in (*self.model.named_parameters(), *self.model.named_buffers()):
                if name in weights:
                    parameter.copy_(weights[name])

    def parameters_of(self, channels: Mapping[str, Sequence[str]]) -> Named:
        named = dict(self.model.named_parameters())
        return {name: named[name] for names in channels.values() for name in names}


@dataclass(slots=True)
class Products:
    """Gauss-Newton products along one walk through a training. How far a vector may be followed is remembered from the
    step before, for each vector by itself: which others are carried beside it changes nothing."""

    forward: Forward
    reaches: dict[tuple[int, int], float] = field(default_factory=dict)  # (vector, channel) -> e

    def __call__(
        self,
        batch: Any,
        weights: Mapping[str, Tensor],
        vectors: Named,
        channels: Sequence[Sequence[str]],
        rows_B: Tensor,
        added_KB: Tensor | None = None,
    ) -> tuple[Named, Tensor]:
        """For every vector v of `vectors` (K, ...): G v with G = sum over rows of rows_B times J^T (d2 loss / d z2) J,
        and <grad loss_b, v> per channel: (C, K, B). `weights` are all of the model's.

        `added_KB`: the gradient of sum of added times loss_b is added to G v: the same pull-back serves both.
        """
        leaves = {name: weights[name].detach().requires_grad_() for name in vectors}
        z = self.forward.at({**weights, **leaves}, batch)
        slope = self.forward.slope(z, batch)
        wanted = torch.finfo(z.dtype).eps ** 0.5 * (_size([z.detach()]) or 1.0)
        pulled: Named = {name: torch.empty_like(value) for name, value in vectors.items()}
        dots = []
        count = len(next(iter(vectors.values())))
        for k in range(count):
            vector = {name: value[k] for name, value in vectors.items()}
            along = [self._along(batch, weights, vector, names, (k, c), z, wanted) for c, names in enumerate(channels)]
            dots.append(torch.stack([torch.linalg.vecdot(slope.flatten(1), dz.flatten(1)) for dz, _ in along]))
            back = self._curved(batch, z.detach(), slope, along).mul_(_rows(rows_B, z))
            if added_KB is not None:
                back.addcmul_(_rows(added_KB[k], z), slope)
            found = torch.autograd.grad(
                z,
                list(leaves.values()),
                back,
                retain_graph=k + 1 < count,
                allow_unused=True,
                materialize_grads=True,
            )
            for name, value in zip(leaves, found, strict=True):
                pulled[name][k] = value
        return pulled, torch.stack(dots, dim=1)

    @torch.no_grad()
    def _along(
        self,
        batch: Any,
        weights: Mapping[str, Tensor],
        vector: Named,
        names: Sequence[str],
        key: tuple[int, int],
        z: Tensor,
        wanted: float,
    ) -> tuple[Tensor, float]:
        """J v through the parameters `names`, and the reach at which it was taken (0: J v is none). `wanted`: root mean
        square of the move of the outputs."""
        reach = self.reaches.get(key) or _first_reach(weights, vector, names, z.dtype)
        dz = torch.zeros_like(z)
        for _ in range(TRIES if reach else 0):
            moved = {name: torch.add(weights[name], vector[name], alpha=reach) for name in names}
            dz = self.forward.at({**weights, **moved}, batch).sub_(z).div_(reach)
            size = _size([dz])
            if size == 0.0:
                return dz, 0.0
            tried, reach = reach, wanted / size
            if 1 / NEAR < reach / tried < NEAR:
                self.reaches[key] = reach
                return dz, tried
        return dz, reach

    def _curved(self, batch: Any, z: Tensor, slope: Tensor, along: Sequence[tuple[Tensor, float]]) -> Tensor:
        """Second derivative of the losses times J v of all channels together."""
        reach = min((reach for _, reach in along if reach), default=0.0)
        if not reach:
            return torch.zeros_like(z)
        moved = z.clone()
        for dz, _ in along:
            moved.add_(dz, alpha=reach)
        return self.forward.slope(moved, batch).sub_(slope).div_(reach)


def _first_reach(weights: Mapping[str, Tensor], vector: Named, names: Sequence[str], dtype: torch.dtype) -> float:
    """Moves the weights by the square root of epsilon, relative to their norm; 0 for no vector at all."""
    long = _size([vector[name] for name in names])
    return torch.finfo(dtype).eps ** 0.5 * (_size([weights[name] for name in names]) or 1.0) / long if long else 0.0


def _size(tensors: Sequence[Tensor]) -> float:
    """Root mean square."""
    count = sum(t.numel() for t in tensors)
    return math.hypot(*(float(torch.linalg.vector_norm(t)) for t in tensors)) / math.sqrt(count)


def _rows(values_B: Tensor, like: Tensor) -> Tensor:
    """One value per row, to be multiplied with a tensor of rows."""
    return values_B.view(-1, *[1] * (like.ndim - 1))
