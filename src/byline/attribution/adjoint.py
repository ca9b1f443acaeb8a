"""A step of the optimizer, walked backwards: from cotangents on the state after it to those on the state before.

What `torch.optim` does in place is written out as functions that can be differentiated. All updates are elementwise, so
one reverse pass over a few vectors serves every parameter; clipping couples them by one number, the norm of the whole
gradient.

Oracle: tests hold each function against the torch optimizer it stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from byline.attribution.trajectory import ParameterGroup, State, Step, Trajectory, Weights
from byline.core import AttributionError

# Suffixes: P parameters of a group, laid end to end

Cotangent = dict[str, dict[str, Tensor]]  # "weights" and each moment -> parameter name -> d measure / d value


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


class StepAdjoint:
    """One step of the optimizer, ready to carry cotangents from the state after it to the state before it.

    The update and the clipping are recorded once as a graph over plain vectors; `back` walks it for each query.
    """

    def __init__(self, trajectory: Trajectory, state: State, step: Step, grads: Weights, frozen: bool) -> None:
        self.grads = {name: grad.clone().requires_grad_() for name, grad in grads.items()}
        factor = clip_factor(self.grads, trajectory.max_norm, step.clip)
        if frozen and isinstance(factor, Tensor):
            factor = factor.detach()
        self.parts = [
            _Part(trajectory, state, group, counted, self.grads, factor, Instant(rate, count, frozen))
            for group, rate in zip(trajectory.groups, step.rates, strict=True)
            for count, counted in _by_count(state, group, self.grads).items()
        ]

    def back(self, after: Cotangent) -> tuple[Cotangent, dict[str, Tensor]]:
        """Cotangents on the state before, as far as they come through the optimizer, and on the raw gradients."""
        before: Cotangent = {key: dict(values) for key, values in after.items()}  # what no group moved stays
        outputs, inputs, given = [], list(self.grads.values()), []
        for part in self.parts:
            outputs += list(part.after.values())
            inputs += list(part.before.values())
            given += [part.gather(after.get(key, {}), value) for key, value in part.after.items()]
        if not outputs:
            return before, {name: torch.zeros_like(grad) for name, grad in self.grads.items()}
        found = iter(torch.autograd.grad(outputs, inputs, given, retain_graph=True, materialize_grads=True))
        pull = {name: next(found) for name in self.grads}
        for part in self.parts:
            for key in part.before:
                before.setdefault(key, {}).update(part.scatter(next(found)))
        return before, pull


class _Part:
    """Parameters of one group, `names`, that had a gradient, laid end to end, before and after the update."""

    def __init__(
        self,
        trajectory: Trajectory,
        state: State,
        group: ParameterGroup,
        names: Sequence[str],
        grads: Weights,
        factor: Tensor | float,
        at: Instant,
    ) -> None:
        update, moments = update_of(group.kind or trajectory.optimizer, group)
        self.shapes = {name: state.weights[name].shape for name in names}
        sources = {"weights": state.weights, **{key: state.moments.get(key, {}) for key in moments}}
        grads_P = torch.cat([grads[name].reshape(-1) for name in names])
        self.before = {key: self.gather(values, grads_P).requires_grad_() for key, values in sources.items()}
        self.after = update(group.settings, at, self.before, grads_P * factor)
        if at.frozen:
            self.after.pop("exp_avg_sq", None)

    def gather(self, values: Weights, like: Tensor) -> Tensor:
        """One vector of the group's parameters; zeros where `values` has none."""
        zeros = {name: like.new_zeros(shape.numel()) for name, shape in self.shapes.items() if name not in values}
        return torch.cat([values[name].reshape(-1) if name in values else zeros[name] for name in self.shapes])

    def scatter(self, vector_P: Tensor) -> dict[str, Tensor]:
        parts = torch.split(vector_P, [shape.numel() for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}


def _by_count(state: State, group: ParameterGroup, grads: Weights) -> dict[int, list[str]]:
    """The group's parameters that have a gradient, by the number of steps that their optimizer had taken of them: it
    passes over those without a gradient. SGD counts no steps; what matters there is whether there is a buffer yet."""
    counts, buffers = state.moments.get("step", {}), state.moments.get("momentum_buffer", {})
    found: dict[int, list[str]] = {}
    for name in group.parameters:
        if name in grads:
            found.setdefault(int(counts[name]) if name in counts else int(name in buffers), []).append(name)
    return found
