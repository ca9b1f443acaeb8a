"""The optimizers' updates as functions that can be differentiated: what `torch.optim` does in place, written out.

An audit walks a run backwards: it must know how a change of weights, moments or gradient before a step changes weights
and moments after it (`adjoint`). The transport holds second moments fixed and has an update of its own.

Oracle: tests hold each function against the torch optimizer it stands for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from byline.attribution.trajectory import ParameterGroup
from byline.core import AttributionError

# Suffixes: P parameters of a group, laid end to end


@dataclass(frozen=True, slots=True)
class Instant:
    """Where in the run an update stands: rate of its group, steps that the optimizer had taken of these parameters, and
    whether the second moment is held constant when differentiating."""

    rate: float
    taken: int
    frozen: bool = False


Update = Callable[[Mapping[str, float], Instant, Mapping[str, Tensor], Tensor], dict[str, Tensor]]


def sgd(settings: Mapping[str, float], at: Instant, state: Mapping[str, Tensor], grads_P: Tensor) -> dict[str, Tensor]:
    """State after a step of SGD with momentum, dampening, Nesterov's variant and coupled weight decay."""
    weights_P, momentum = state["weights"], settings.get("momentum", 0.0)
    step_P = grads_P + settings.get("weight_decay", 0.0) * weights_P
    if not momentum:
        return {"weights": weights_P - at.rate * step_P}
    part = 1 - settings.get("dampening", 0.0) if at.taken else 1.0  # torch begins the buffer with the whole gradient
    buffer_P = momentum * state["momentum_buffer"] + part * step_P
    step_P = step_P + momentum * buffer_P if settings.get("nesterov", 0.0) else buffer_P
    return {"weights": weights_P - at.rate * step_P, "momentum_buffer": buffer_P}


def adam(settings: Mapping[str, float], at: Instant, state: Mapping[str, Tensor], grads_P: Tensor) -> dict[str, Tensor]:
    """State after a step of Adam: weight decay is added to the gradient, unless it is decoupled."""
    if settings.get("decoupled_weight_decay", 0.0):
        return adamw(settings, at, state, grads_P)
    decayed_P = grads_P + settings.get("weight_decay", 0.0) * state["weights"]
    return _adam(settings, at, state["weights"], state, decayed_P)


def adamw(
    settings: Mapping[str, float], at: Instant, state: Mapping[str, Tensor], grads_P: Tensor
) -> dict[str, Tensor]:
    """State after a step of AdamW: the weights decay by themselves."""
    decayed_P = (1 - at.rate * settings.get("weight_decay", 0.0)) * state["weights"]
    return _adam(settings, at, decayed_P, state, grads_P)


def _adam(
    settings: Mapping[str, float], at: Instant, weights_P: Tensor, state: Mapping[str, Tensor], grads_P: Tensor
) -> dict[str, Tensor]:
    beta1, beta2, eps = settings["beta1"], settings["beta2"], settings["eps"]
    first_P = beta1 * state["exp_avg"] + (1 - beta1) * grads_P
    second_P = beta2 * state["exp_avg_sq"] + (1 - beta2) * grads_P**2
    correction1, correction2 = 1 - beta1 ** (at.taken + 1), 1 - beta2 ** (at.taken + 1)
    seen_P = second_P.detach() if at.frozen else second_P
    # a coordinate that never had a gradient: the root has no derivative there, and the true one is that of eps alone
    root_P = torch.where(seen_P > 0, seen_P, 1.0).sqrt() * (seen_P > 0)
    moved_P = weights_P - at.rate / correction1 * first_P / (root_P / correction2**0.5 + eps)
    return {"weights": moved_P, "exp_avg": first_P, "exp_avg_sq": second_P}


UPDATES: Mapping[str, tuple[Update, tuple[str, ...]]] = {
    "sgd": (sgd, ("momentum_buffer",)),
    "adam": (adam, ("exp_avg", "exp_avg_sq")),
    "adamw": (adamw, ("exp_avg", "exp_avg_sq")),
}


def update_of(kind: str, group: ParameterGroup) -> tuple[Update, tuple[str, ...]]:
    """The update of a group and the moments that it keeps. Raises: AttributionError("unknown-optimizer")."""
    strange = [name for name in ("amsgrad", "maximize") if group.settings.get(name)]
    if kind not in UPDATES or strange:
        raise AttributionError(
            "unknown-optimizer",
            f"the steps of {' '.join([kind, *strange])} cannot be differentiated",
            f"train with one of {', '.join(sorted(UPDATES))}, without amsgrad and maximize, or audit by retraining",
        )
    update, moments = UPDATES[kind]
    return update, () if kind == "sgd" and not group.settings.get("momentum") else moments


def clip_factor(grads: Mapping[str, Tensor], max_norm: float | None, recorded: float) -> Tensor | float:
    """By which clipping multiplies all gradients: torch's formula if the norm is known, else as it was recorded."""
    if max_norm is None:
        return recorded
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in grads.values()]))
    return torch.clamp(max_norm / (norm + 1e-6), max=1.0)
