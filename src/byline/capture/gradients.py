"""What happens to gradients between the backward pass and the optimizer's step, seen on one layer.

Clipping by norm and unscaling multiply every gradient by one number, so a few thousand numbers of the smallest layer's
gradient tell it as well as all of them together would, at a thousandth of the cost. Where they are all zero they tell
nothing: then the whole layer is asked, then the next larger one.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

PART = 4096  # numbers of a gradient that are looked at first


class Gauge:
    """`read` after the last backward pass, `factor` before the step: by what the gradients were multiplied."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self._weights = sorted(weights, key=lambda weight: weight.numel())
        self._read: tuple[nn.Parameter, int | None, float] | None = (
            None  # how many numbers were looked at: None for all
        )

    @property
    def moved(self) -> bool:
        """Whether any gradient was other than zero when it was read."""
        return self._read is not None

    def read(self) -> None:
        norms = ((weight, part, norm_of(grad, part)) for weight, grad in self._grads() for part in (PART, None))
        self._read = next((found for found in norms if found[2] != 0), None)

    def factor(self) -> float:
        """1 if every gradient was zero."""
        if self._read is None:
            return 1.0
        weight, part, before = self._read
        return 0.0 if weight.grad is None else norm_of(weight.grad, part) / before

    def any_left(self) -> bool:
        """Whether any gradient is other than zero now."""
        return any(bool(_local(grad).any()) for _, grad in self._grads())

    def _grads(self) -> Iterator[tuple[nn.Parameter, Tensor]]:
        return ((weight, weight.grad) for weight in self._weights if weight.grad is not None)


def norm_of(grad: Tensor, part: int | None = None) -> float:
    """Euclidean norm of all numbers or the first `part`, summed in double precision; of this process's part, if the
    gradient is spread over several."""
    numbers = _local(grad).detach().reshape(-1)  # a view, but of rare layouts
    return float(torch.linalg.vector_norm(numbers[:part].cpu(), dtype=torch.float64))


def _local(tensor: Tensor) -> Tensor:
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part
