"""The path that a training took, as it was recorded: enough to walk it again, forwards or backwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from torch import Tensor

Weights = Mapping[str, Tensor]  # by parameter name, as model.named_parameters() gives them


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that an optimizer treats alike, and its settings for them, all but the learning rate.

    `settings` are torch's own, as numbers: `eps`, `weight_decay`, `momentum`, `beta1` and `beta2` (of `betas`), flags
    such as `nesterov` as 0 or 1; what is None in torch is left out (byline.attribution.restore has the whole rule).
    `kind` names the group's optimizer where a training had several (Muon for matrices, AdamW for the rest); "" is the
    trajectory's one.
    """

    parameters: tuple[str, ...]
    settings: Mapping[str, float]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step. Its gradient was `clip * (losses of example_ids).sum() / denominator`, differentiated.

    With gradient accumulation `parts` has the number of rows of each micro-batch, in order: floating-point sums are
    repeated bit for bit only in the same pieces. `skipped` are batches that were run before this step and thrown away
    (a loss scaler does so on overflow): they taught nothing, but drew random numbers and moved running statistics.
    """

    example_ids: tuple[str, ...]
    rates: tuple[float, ...]  # learning rate of each parameter group
    clip: float = 1.0  # factor by which clipping multiplied the gradient
    denominator: float = 0.0  # 0: the number of rows
    parts: tuple[int, ...] = ()  # (): one batch
    skipped: tuple[tuple[str, ...], ...] = ()

    @property
    def divisor(self) -> float:
        return self.denominator or float(len(self.example_ids))

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """The ids of each micro-batch."""
        sizes = self.parts or (len(self.example_ids),)
        ends = list(accumulate(sizes))
        return tuple(self.example_ids[end - size : end] for size, end in zip(sizes, ends, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Weights, buffers and the optimizer's moments before a step: `moments["exp_avg_sq"][name]` and so on.

    `taken` is the number of optimizer steps that lie behind. `rng` is the state of torch's random generators before the
    step's first batch, by device ("cpu", "cuda"), for trainings with dropout.
    """

    taken: int
    weights: Weights
    moments: Mapping[str, Weights]
    buffers: Weights
    rng: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """Steps in order, the optimizer's kind ("sgd", "adam", "adamw", ...) and the states that were kept.

    The kinds of several optimizers are joined, "muon+adamw", and each group then names its own.

    `kept` are the numbers of steps taken at which a state was kept, ascending; `state(taken)` loads one of them. The
    last is the end of the training, `len(steps)`, unless the run is unfinished. `max_norm` is the norm to which
    gradients were clipped, if the recorder was told it: needed only to differentiate through the clipping.
    """

    optimizer: str
    groups: tuple[ParameterGroup, ...]
    steps: tuple[Step, ...]
    kept: tuple[int, ...]
    state: Callable[[int], State]
    max_norm: float | None = None
