"""The user's side of attribution: how examples become losses. Whatever reruns a training asks this and no more."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

# Suffixes: B rows of a batch


class Task(Protocol):
    """Training examples of a plain PyTorch model, and their losses.

    The loss of a step is `(weights_B * losses(outputs, batch)).sum() / denominator`: a weight of 0 takes an example out
    and leaves the denominator as it was (docs/method.md). `losses` must be convex in `outputs`, as cross-entropy is in
    logits and squared error in a prediction: Gauss-Newton products are taken through that seam.

    A task may also have `sampled(outputs, generator) -> Tensor`: a scalar whose gradient in the outputs is random with
    the Hessian of the losses as covariance, e.g. the cross-entropy of labels drawn from the outputs. EK-FAC asks for
    it, and makes it from the losses where it is missing, which takes longer (byline.attribution.sampled).
    """

    def batch(self, example_ids: Sequence[str], step: int) -> Any:
        """What the model reads at this step: a tensor or a tuple of tensors, rows first. Random draws (noise, time) are
        made from the ids and the step alone, so that a replay sees the same ones."""
        ...

    def outputs(self, model: nn.Module, batch: Any) -> Tensor:
        """The model's prediction for each row: (B, ...)."""
        ...

    def losses(self, outputs: Tensor, batch: Any) -> Tensor:
        """Each row's loss before it is weighed and divided: (B,)."""
        ...
