"""What an optimizer does to a gradient, in the form in which capture can use it.

Adam and AdamW move a weight by lr * m / (sqrt(v) + eps): the same gradient counts for more where v is small. A feature
must know that, or it describes a training that did not happen (arXiv 2605.18814, 2602.00329). What the gradient is
multiplied by, P = 1 / (sqrt(v) + eps), is taken as 1 / sqrt(v') of an `out x in` weight, and v' is factored into row
and column means (Adafactor, arXiv 1804.04235 section 3), v' ~ u w^T / mean, so that v'**(-1/4) can be applied from both
sides before projecting: features of training and of queries each carry the square root of the preconditioner and their
inner product carries all of it.

    SGD                  P = 1; momentum sums gradients over time and is the same for all directions
    Adam, AdamW, NAdam   v' = (sqrt(v / (1 - beta2^t)) + eps)^2; with amsgrad the largest v so far
    Adafactor            v' is factored by the optimizer itself; its relative step size max(eps2, RMS(weight)) *
                         min(1, 1 / (lr sqrt(t))) belongs to P. Its clipping of the update's RMS (`d`) is left out
    Muon                 the step is U V^T of the momentum U S V^T. As a preconditioner that is (M M^T)^(-1/2), which no
                         diagonal comes near where M has low rank; so P is one number per layer, the norm of the step
                         over the norm of the momentum, and the directions inside a layer keep the gradient's weights

Weight decay and momentum are not in P: the run's notes have them, for those who carry influence through the steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from byline.capture.checkpoint import named_parameters
from byline.capture.hooks import Scale, Tap
from byline.core import CaptureError

FLOOR = 1e-3  # a row or column whose second moment is below this part of the mean is treated as if it were at it

KINDS: Mapping[str, type[torch.optim.Optimizer] | None] = {  # subclasses first
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "sgd": torch.optim.SGD,
    "adafactor": torch.optim.Adafactor,
    "muon": getattr(torch.optim, "Muon", None),
}

Optimizers = torch.optim.Optimizer | Sequence[torch.optim.Optimizer]


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerView:
    """Read-only view of the torch optimizers of one training: learning rates, settings, preconditioners.

    Raises: CaptureError("unknown-optimizer") for an update that is not understood, CaptureError("not-optimised") for a
    tapped weight that none of them holds.
    """

    optimizers: tuple[torch.optim.Optimizer, ...]
    kinds: tuple[str, ...]  # of each optimizer, as in KINDS
    places: Mapping[int, tuple[int, int]]  # id of a parameter -> its optimizer, and its group there

    @classmethod
    def of(cls, optimizers: Optimizers, taps: tuple[Tap, ...]) -> "OptimizerView":
        held = (optimizers,) if isinstance(optimizers, torch.optim.Optimizer) else tuple(optimizers)
        places = {
            id(parameter): (number, index)
            for number, optimizer in enumerate(held)
            for index, group in enumerate(optimizer.param_groups)
            for parameter in group["params"]
        }
        for tap in taps:
            if id(tap.weight) not in places:
                raise CaptureError(
                    "not-optimised",
                    f"{tap.name}.weight requires a gradient but is not among the optimizer's parameters",
                    "pass the optimizer that trains this model (a list, if there are several), or freeze the layer",
                )
        return cls(held, tuple(kind_of(optimizer) for optimizer in held), places)

    @property
    def kind(self) -> str:
        """Kinds of the optimizers, joined: "adamw", "muon+adamw"."""
        return "+".join(dict.fromkeys(self.kinds))

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of all optimizers, one optimizer after the other."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def rates(self) -> list[float]:
        """Learning rate of each parameter group."""
        return [float(group["lr"]) for group in self.groups]

    def settings(self) -> list[dict[str, Any]]:
        """Settings of each parameter group that are its optimizer's own, all but the learning rate; for JSON."""
        return [
            {name: _plain(group[name]) for name in sorted(optimizer.defaults) if name != "lr" and name in group}
            for optimizer in self.optimizers
            for group in optimizer.param_groups
        ]

    def describe(self, model: nn.Module) -> list[dict[str, Any]]:
        """Kind, names of parameters and settings of each group, for the notes of a run.

        Raises: CaptureError("foreign-parameter") if an optimizer trains what is not the model's.
        """
        names = {id(parameter): name for name, parameter in named_parameters(model).items()}
        kinds = [kind for kind, held in zip(self.kinds, self.optimizers, strict=True) for _ in held.param_groups]
        for number, group in enumerate(self.groups):
            if any(id(parameter) not in names for parameter in group["params"]):
                raise CaptureError(
                    "foreign-parameter",
                    f"parameter group {number} of the optimizer holds a parameter that is not the recorded model's",
                    "pass a module that holds everything that is trained, or the run could not be replayed",
                )
        return [
            {"kind": kind, "parameters": [names[id(parameter)] for parameter in group["params"]], "settings": settings}
            for kind, group, settings in zip(kinds, self.groups, self.settings(), strict=True)
        ]

    def group_number(self, weight: nn.Parameter) -> int:
        """Which of `groups` holds a tapped weight."""
        number, index = self.places[id(weight)]
        return sum(len(optimizer.param_groups) for optimizer in self.optimizers[:number]) + index

    def learning_rates(self, taps: Sequence[Tap]) -> dict[str, float]:
        """Of the parameter group that holds each tap's weight; negative if it maximises."""
        rates = [
            [-float(group["lr"]) if group.get("maximize") else float(group["lr"]) for group in optimizer.param_groups]
            for optimizer in self.optimizers
        ]
        places = ((tap.name, self.places[id(tap.weight)]) for tap in taps)
        return {name: rates[number][index] for name, (number, index) in places}

    def ready(self, tap: Tap) -> bool:
        """False while the optimizer has not yet moved the tap's weight and so has no moments of it."""
        return self._kind(tap) == "sgd" or bool(self._state(tap))

    def scale(self, tap: Tap) -> Scale | None:
        """The two-sided square root of the preconditioner of a tap's weight now; None for plain SGD."""
        kind, state = self._kind(tap), self._state(tap)
        if kind == "sgd" or not state:
            return None
        group = self.groups[self.group_number(tap.weight)]
        if kind == "muon":
            return _muon_scale(tap, group, _whole(state["momentum_buffer"]))
        if kind == "adafactor":
            scale = factored_scale(tap.matrix(_adafactor_second(group, state, tap.weight.dtype)))
            return _times(scale, _relative_step(group, state, tap.weight))
        return _adam_scale(tap, group, state)

    def _kind(self, tap: Tap) -> str:
        return self.kinds[self.places[id(tap.weight)][0]]

    def _state(self, tap: Tap) -> dict[str, Any]:
        state: dict[str, Any] = self.optimizers[self.places[id(tap.weight)][0]].state.get(tap.weight) or {}
        return state


def kind_of(optimizer: torch.optim.Optimizer) -> str:
    """Raises: CaptureError("unknown-optimizer")."""
    for kind, known in KINDS.items():
        if known is not None and isinstance(optimizer, known):
            return kind
    raise CaptureError(
        "unknown-optimizer",
        f"{type(optimizer).__name__} is not an optimizer whose update Byline can follow",
        "train with torch.optim.AdamW, Adam, NAdam, SGD, Adafactor or Muon",
    )


def factored_scale(second_OI: Tensor) -> Scale:
    """`Scale` whose outer product is second_OI**(-1/4) when second_OI has rank one.

    Rows and columns below FLOOR of their mean (tokens that hardly occur) are held there: their true preconditioner is
    so large that noise would outweigh everything else. A layer that never had a gradient gets zeros.
    """
    return _scale_of(second_OI.mean(1), second_OI.mean(0))


def _scale_of(rows_O: Tensor, columns_I: Tensor, factor: float = 1.0) -> Scale:
    """From the means of the rows and columns of a second moment, of a preconditioner `factor` times as large."""
    mean = float(rows_O.mean())
    if not mean > 0:
        return Scale(torch.zeros_like(rows_O), torch.zeros_like(columns_I))
    root: float = mean**-0.125 * factor**0.25
    rows_O, columns_I = ((means / mean).clamp_(min=FLOOR).pow_(-0.25).mul_(root) for means in (rows_O, columns_I))
    return Scale(rows_O, columns_I)


def _adam_scale(tap: Tap, group: Mapping[str, Any], state: Mapping[str, Any]) -> Scale:
    """Of P = 1 / (sqrt(v / c) + eps) = sqrt(c) / (sqrt(v) + eps sqrt(c)), c being what corrects v for its start. An eps
    that changes no row or column by a thousandth is left out, which saves two copies of v."""
    second_OI = tap.matrix(_whole(state["max_exp_avg_sq" if group.get("amsgrad") else "exp_avg_sq"]).float())
    correction = 1 - float(group["betas"][1]) ** float(state["step"])
    rows_O, columns_I = second_OI.mean(1), second_OI.mean(0)
    eps, mean = float(group["eps"]) * correction**0.5, float(rows_O.mean())
    if mean > 0 and eps > 5e-4 * (FLOOR * mean) ** 0.5:
        return _times(factored_scale((second_OI.sqrt() + eps).square()), correction**0.5)
    return _scale_of(rows_O, columns_I, correction**0.5)


def _adafactor_second(group: Mapping[str, Any], state: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    """The optimizer's own estimate: outer product of row and column means over the mean, floored at eps1 squared."""
    rows, columns = _whole(state["row_var"]).float(), _whole(state["col_var"]).float()
    if not rows.any():
        return rows @ columns
    eps = torch.finfo(dtype).eps if group["eps"][0] is None else float(group["eps"][0])
    second: Tensor = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp(min=eps)
    return second.clamp(min=eps * eps)


def _relative_step(group: Mapping[str, Any], state: Mapping[str, Any], weight: Tensor) -> float:
    """By how much Adafactor's step is larger than lr / sqrt(v)."""
    rate, steps = float(group["lr"]), float(state["step"])
    size = float(_whole(weight.detach()).float().square().mean().sqrt())
    return max(float(group["eps"][1]), size) * min(1.0, 1 / (rate * steps**0.5) if rate > 0 else 1.0)


def _muon_scale(tap: Tap, group: Mapping[str, Any], momentum: Tensor) -> Scale:
    """Norm of the orthogonalised step over the norm of what it was made from, the same in all directions."""
    rows, columns = momentum.shape
    matched = group.get("adjust_lr_fn") == "match_rms_adamw"
    adjusted = 0.2 * max(rows, columns) ** 0.5 if matched else max(1.0, rows / columns) ** 0.5
    norm = float(momentum.float().norm())
    stepped = _orthogonalised_norm(momentum, group["ns_coefficients"], int(group["ns_steps"])) if norm > 0 else 0.0
    like_OI = tap.matrix(momentum).float()
    ones = Scale(torch.ones_like(like_OI[:, 0]), torch.ones_like(like_OI[0]))
    return _times(ones, adjusted * stepped / norm if norm > 0 else 0.0)


def _orthogonalised_norm(momentum: Tensor, coefficients: Sequence[float], steps: int) -> float:
    """Norm of what Muon's Newton-Schulz iteration makes of the momentum: near the root of its numerical rank, which is
    low where the batches are small. Only the smaller Gram matrix G is iterated: X' = (a + b G + c G^2) X."""
    scaled = momentum.float() / momentum.float().norm()
    gram = scaled @ scaled.T if len(scaled) <= scaled.shape[1] else scaled.T @ scaled
    a, b, c = coefficients
    for _ in range(steps):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        gram = factor @ gram @ factor
    return float(gram.trace().clamp(min=0).sqrt())


def _times(scale: Scale, factor: float) -> Scale:
    """The scale of a preconditioner that is `factor` times as large, spread evenly over both sides."""
    root: float = factor**0.25
    return Scale(scale.out_O * root, scale.in_I * root)


def _whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be spread over processes."""
    gathered: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return gathered


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, Tensor) else value
