"""What happens to gradients between the backward pass and the optimizer's step, seen on one layer.

Clipping by norm and unscaling multiply every gradient by one number, so the gradient of the smallest layer tells it as
well as all of them together would, at a thousandth of the cost. A layer whose gradient is zero tells nothing: then the
next larger one is asked.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class Gauge:
    """`read` after the last backward pass, `factor` before the step: by what the gradients were multiplied."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self._weights = sorted(weights, key=lambda weight: weight.numel())
        self._read: tuple[nn.Parameter, float] | None = None

    @property
    def moved(self) -> bool:
        """Whether any gradient was other than zero when it was read."""
        return self._read is not None

    def read(self) -> None:
        norms = ((weight, norm_of(grad)) for weight, grad in self._grads())
        self._read = next(((weight, norm) for weight, norm in norms if norm != 0), None)

    def factor(self) -> float:
        """1 if every gradient was zero."""
        if self._read is None:
            return 1.0
        weight, before = self._read
        return 0.0 if weight.grad is None else norm_of(weight.grad) / before

    def any_left(self) -> bool:
        """Whether any gradient is other than zero now."""
        return any(bool(_local(grad).any()) for _, grad in self._grads())

    def _grads(self) -> Iterator[tuple[nn.Parameter, Tensor]]:
        return ((weight, weight.grad) for weight in self._weights if weight.grad is not None)


def norm_of(grad: Tensor) -> float:
    """Euclidean norm, summed in double precision; of this process's part, if the gradient is spread over several."""
    return float(torch.linalg.vector_norm(_local(grad).detach().cpu(), dtype=torch.float64))


def _local(tensor: Tensor) -> Tensor:
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part
