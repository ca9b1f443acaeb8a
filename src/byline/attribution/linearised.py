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

        def along(names: Sequence[str], at: Named) -> tuple[Tensor, Tensor]:
            def moved(some: Named) -> Tensor:
                return outputs(at | some)

            return _jvp(moved, ({n: at[n] for n in names},), ({n: v[n] for n in names},))

        # the last channel's forward pass is also the one that is pulled back: one pass less
        tangents = [along(names, active)[1] for names in channels[:-1]]
        found, pull, last = _vjp(partial(along, channels[-1]), active)
        tangents.append(last)

        def total(free: Tensor) -> Tensor:
            return self.task.losses(free, batch).sum()

        slope, curved = _jvp(grad(total), (found,), (torch.stack(tangents).sum(0),))
        dots_CB = torch.stack([(slope * tangent).flatten(1).sum(1) for tangent in tangents])
        pulled_back = _rows(weights_B, curved) * curved
        if added_B is not None:
            pulled_back = pulled_back + _rows(added_B, slope) * slope
        pulled: Named = pull(pulled_back)[0]
        return pulled, dots_CB


def _rows(values_B: Tensor, like: Tensor) -> Tensor:
    """One value per row, to be multiplied with a tensor of rows."""
    return values_B.view(-1, *[1] * (like.ndim - 1))


def _jvp(function: Callable[..., Tensor], at: tuple[Any], along: tuple[Any]) -> tuple[Tensor, Tensor]:
    """Value and derivative along a direction."""
    found = jvp(function, at, along)
    return found[0], found[1]


def _vjp(function: Callable[[Named], tuple[Tensor, Tensor]], at: Named) -> tuple[Tensor, Any, Tensor]:
    """Value, pull-back, and the second result, which is not pulled back."""
    made: tuple[Any, ...] = vjp(function, at, has_aux=True)
    return made[0], made[1], made[2]


@contextmanager
def attention_math() -> Iterator[None]:
    """Attention by its definition: the fused kernels have no forward-mode derivative."""
    with sdpa_kernel(SDPBackend.MATH):
        yield
