"""Weights and preconditioners along a recorded training, interpolated between the states that were kept."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from byline.attribution.linearised import Named
from byline.attribution.trajectory import State, Trajectory
from byline.core import AttributionError

FOLLOWED = ("sgd", "adam", "adamw")


class Path:
    """Linear in the summed learning rate between two kept states; at a kept state, that state itself.

    Raises: AttributionError("unfinished-run") without a state after the last step, ("unknown-optimizer") for an update
    rule that is neither SGD nor Adam or AdamW.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        if not trajectory.kept or trajectory.kept[-1] != len(trajectory.steps):
            raise AttributionError(
                "unfinished-run", "the trajectory has no state after its last step", "finish or resume the training"
            )
        strange = sorted({g.kind or trajectory.optimizer for g in trajectory.groups} - set(FOLLOWED))
        if strange:
            raise AttributionError(
                "unknown-optimizer",
                f"transport cannot follow the updates of {', '.join(strange)}",
                f"use scores of the recorded sketches, or train with one of {', '.join(FOLLOWED)}",
            )
        self.trajectory = trajectory
        self.settings = {name: g.settings for g in trajectory.groups for name in g.parameters}
        self._group = {name: index for index, group in enumerate(trajectory.groups) for name in group.parameters}
        rates = [abs(step.rates[0]) for step in trajectory.steps]
        self._travelled = np.concatenate([[0.0], np.cumsum(rates)])
        self._loaded: dict[int, State] = {}

    def rate(self, name: str, step: int) -> float:
        return self.trajectory.steps[step].rates[self._group[name]]

    def weights(self, taken: int) -> Named:
        """Of every parameter, and the buffers of the nearer kept state, after `taken` steps."""
        low, high, part = self._between(taken)
        nearer = high if part > 0.5 else low
        mixed = {name: torch.lerp(low.weights[name], high.weights[name], part) for name in low.weights}
        return mixed | dict(nearer.buffers)

    def preconditioners(self, step: int) -> Named:
        """P of every optimised parameter as step number `step` applied it: 1/(sqrt(v) + eps), v bias-corrected."""
        low, high, part = self._between(step + 1)
        if not low.taken:  # no step lies behind the first state: it has no second moment
            low = high
        return {name: self._preconditioner(name, low, high, part) for name in self.settings}

    def _preconditioner(self, name: str, low: State, high: State, part: float) -> Tensor:
        settings = self.settings[name]
        if "beta2" not in settings:
            return torch.ones(())
        first, second = (_second_moment(name, state, settings) for state in (low, high))
        if second is None:  # never had a gradient: it stands still
            return torch.zeros(())
        between = second if first is None else torch.lerp(first, second, part)
        return 1 / (between.sqrt() + settings["eps"])

    def _between(self, taken: int) -> tuple[State, State, float]:
        kept = self.trajectory.kept
        if taken < kept[0]:
            raise AttributionError("unfinished-run", f"no state was kept before step {kept[0]}", "keep the first state")
        at = max(index for index, known in enumerate(kept) if known <= taken)
        low, high = kept[at], kept[min(at + 1, len(kept) - 1)]
        states = self._load((low, high))
        span = self._travelled[high] - self._travelled[low]
        part = (self._travelled[taken] - self._travelled[low]) / span if span > 0 else 0.0
        return states[0], states[1], float(part)

    def _load(self, wanted: Sequence[int]) -> list[State]:
        """Two states in memory at most."""
        self._loaded = {taken: self._loaded.get(taken) or self.trajectory.state(taken) for taken in wanted}
        return [self._loaded[taken] for taken in wanted]


def _second_moment(name: str, state: State, settings: Mapping[str, float]) -> Tensor | None:
    """Bias-corrected; None for a parameter that had no gradient so far."""
    moment = state.moments.get("max_exp_avg_sq" if settings.get("amsgrad") else "exp_avg_sq", {}).get(name)
    if moment is None:
        return None
    taken = state.moments.get("step", {}).get(name)
    return moment / (1 - settings["beta2"] ** (state.taken if taken is None else float(taken)))
