"""A step of the optimizer, walked backwards: from cotangents on the state after it to those on the state before.

All updates are elementwise, so one reverse pass over a few vectors serves every parameter; clipping couples them by one
number, the norm of the whole gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from byline.attribution.trajectory import ParameterGroup, State, Step, Trajectory, Weights
from byline.attribution.update import Instant, clip_factor, update_of

# Suffixes: P parameters of a group, laid end to end

Cotangent = dict[str, dict[str, Tensor]]  # "weights" and each moment -> parameter name -> d measure / d value


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
