"""A task's outputs as a function of named parameters, and its Gauss-Newton products."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp
from torch.nn.attention import SDPBackend, sdpa_kernel

from byline.attribution.task import Task

# Suffixes: B rows of a batch, C channels

Named = dict[str, Tensor]


class Forward(nn.Module):
    """The task's outputs as a function of named parameters."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, batch: Any) -> Tensor:
        return self.task.outputs(self.model, batch)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in (*self.model.named_parameters(), *self.model.named_buffers()):
                if name in weights:
                    parameter.copy_(weights[name])

    def parameters_of(self, channels: Mapping[str, Sequence[str]]) -> Named:
        named = dict(self.model.named_parameters())
        return {name: named[name] for names in channels.values() for name in names}

    def gauss_newton(
        self,
        batch: Any,
        weights_B: Tensor,
        constant: Named,
        active: Named,
        v: Named,
        channels: Sequence[Sequence[str]],
        added_B: Tensor | None = None,
    ) -> tuple[Named, Tensor]:
        """G v with G = sum of weight times J_b^T (d2 loss_b / d outputs2) J_b, and <grad loss_b, v> per channel (C, B).

        `added_B`: the gradient of sum of added times loss_b is added to G v: the same pull-back serves both.
        """

        def outputs(moved: Named) -> Tensor:
            named = {f"model.{name}": value for name, value in (constant | active | moved).items()}
            found: Tensor = functional_call(self, named, (batch,))
            return found

        def losses(found: Tensor) -> Tensor:
            return self.task.losses(found, batch)

        def weighted(found: Tensor, by_B: Tensor) -> Tensor:
            return (losses(found) * by_B).sum()

        along = []
        for names in channels:
            found, tangent = _jvp(outputs, ({n: active[n] for n in names},), ({n: v[n] for n in names},))
            along.append(tangent)
        dots_CB = torch.stack([_jvp(losses, (found,), (tangent,))[1] for tangent in along])
        slope = grad(weighted)
        _, curved = _jvp(partial(slope, by_B=weights_B), (found,), (torch.stack(along).sum(0),))
        if added_B is not None:
            curved = curved + slope(found, added_B)
        pull: Callable[[Tensor], tuple[Named]] = vjp(outputs, active)[1]
        return pull(curved)[0], dots_CB


def _jvp(function: Callable[..., Tensor], at: tuple[Any], along: tuple[Any]) -> tuple[Tensor, Tensor]:
    """Value and derivative along a direction."""
    found = jvp(function, at, along)
    return found[0], found[1]


@contextmanager
def attention_math() -> Iterator[None]:
    """Attention by its definition: the fused kernels have no forward-mode derivative."""
    with sdpa_kernel(SDPBackend.MATH):
        yield
