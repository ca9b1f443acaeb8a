"""What the optimizer does to a gradient, in the form in which capture can use it.

Adam and AdamW move a weight by lr * m / (sqrt(v) + eps): the same gradient counts for more where v is small. A feature
must know that, or it describes a training that did not happen (arXiv 2605.18814, 2602.00329). The second moment v of an
`out x in` weight is factored into row and column means (Adafactor, arXiv 1804.04235 section 3), v ~ u w^T / mean, so
that v**(-1/4) can be applied from both sides before projecting: features of training and of queries each carry the
square root of the preconditioner and their inner product carries all of it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from byline.capture.hooks import Scale, Tap
from byline.core import CaptureError

FLOOR = 1e-3  # a row or column whose second moment is below this part of the mean is treated as if it were at it


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerView:
    """Read-only view of a torch optimizer: learning rate and second moment of each tapped weight.

    Raises: CaptureError("unknown-optimizer") for an update that is not understood, CaptureError("not-optimised") for a
    tapped weight that it does not hold.
    """

    optimizer: torch.optim.Optimizer
    kind: str  # "adam" | "sgd"

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, taps: tuple[Tap, ...]) -> "OptimizerView":
        if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW | torch.optim.NAdam):
            kind = "adam"
        elif isinstance(optimizer, torch.optim.SGD):
            kind = "sgd"
        else:
            raise CaptureError(
                "unknown-optimizer",
                f"{type(optimizer).__name__} is not an optimizer whose update Byline can follow",
                "train with torch.optim.AdamW, Adam or SGD",
            )
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for tap in taps:
            if id(tap.weight) not in held:
                raise CaptureError(
                    "not-optimised",
                    f"{tap.name}.weight requires a gradient but is not among the optimizer's parameters",
                    "pass the optimizer that trains this model, or freeze the layer",
                )
        return cls(optimizer, kind)

    def learning_rate(self, weight: nn.Parameter) -> float:
        """Of the parameter group that holds `weight`; negative if it maximises."""
        group = self._group(weight)
        return -float(group["lr"]) if group.get("maximize") else float(group["lr"])

    def ready(self, tap: Tap) -> bool:
        """False while Adam has not yet moved the tap's weight and so has no second moment of it."""
        return self.kind == "sgd" or bool(self.optimizer.state.get(tap.weight))

    def scale(self, tap: Tap) -> Scale | None:
        """The two-sided square root of the preconditioner of a tap's weight now; None for plain SGD."""
        if self.kind == "sgd":
            return None
        state = self.optimizer.state.get(tap.weight)
        if not state:
            return None
        second_OI = state["exp_avg_sq"].T if tap.transposed else state["exp_avg_sq"]
        beta2 = float(self._group(tap.weight)["betas"][1])
        corrected_OI = second_OI.float() / (1 - beta2 ** float(state["step"]))
        return factored_scale(corrected_OI)

    def _group(self, weight: nn.Parameter) -> dict[str, Any]:
        groups = self.optimizer.param_groups
        return next(group for group in groups if any(parameter is weight for parameter in group["params"]))


def factored_scale(second_OI: Tensor) -> Scale:
    """`Scale` whose outer product is second_OI**(-1/4) when second_OI has rank one.

    Rows and columns below FLOOR of their mean (tokens that hardly occur) are held there: their true preconditioner is
    so large that noise would outweigh everything else. A layer that never had a gradient gets zeros.
    """
    mean = second_OI.mean()
    if not mean > 0:
        return Scale(torch.zeros_like(second_OI[:, 0]), torch.zeros_like(second_OI[0]))
    rows_O = (second_OI.mean(1) / mean).clamp(min=FLOOR)
    columns_I = (second_OI.mean(0) / mean).clamp(min=FLOOR)
    root = float(mean) ** -0.125
    return Scale(root * rows_O**-0.25, root * columns_I**-0.25)
