"""The recorded run walked again, step by step, with the optimizer that made it.

    replay(model, task, trajectory)                                  # the state at the end: the very same bits
    replay(model, task, trajectory, {"ex:1": 0.0, "ex:2": 0.0})      # ... had those two examples not been there

Batches, learning rates and denominators stay as they were; only the weights of the named examples change. The walk
drives the real torch optimizer on a copy of the model, so that with all weights at 1 every bit comes out as recorded,
if the recording machine's arithmetic is this one's. Whether that is so is not believed but checked (`check_replay`).
The model's mode (train, eval) is kept; whatever is random in the model itself cannot be walked again.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.attribution.task import Task
from byline.attribution.trajectory import State, Step, Trajectory, Weights
from byline.attribution.update import update_of
from byline.core import AttributionError

# Suffixes: B rows of a batch, N training examples, P parameters of the whole model

Floats = npt.NDArray[np.float64]


class Walk:
    """A copy of the model and the run's own optimizer, standing before one of the run's steps (`taken`).

    `stand` puts it at a state, `step` takes the next step. Raises: AttributionError("unknown-optimizer",
    "other-model").
    """

    def __init__(self, model: nn.Module, task: Task, trajectory: Trajectory) -> None:
        self.model = copy.deepcopy(model)
        self.task = task
        self.trajectory = trajectory
        self.parameters = dict(self.model.named_parameters())
        self.update, self.moments = update_of(trajectory.optimizer, trajectory.groups)
        self.optimizer = _new_optimizer(trajectory, self.parameters)
        self.taken = 0

    def stand(self, state: State) -> None:
        """Load weights, buffers and moments."""
        _load(self.parameters, state.weights, "weights")
        _load(dict(self.model.named_buffers()), state.buffers, "buffers")
        self.optimizer.state.clear()
        for name in (name for group in self.trajectory.groups for name in group.parameters):
            held = {key: state.moments[key][name] for key in self.moments if name in state.moments.get(key, {})}
            if held:
                parameter = self.parameters[name]
                step = {"step": torch.tensor(float(state.taken))} if "exp_avg" in held else {}
                copies = {key: value.to(parameter, copy=True) for key, value in held.items()}
                self.optimizer.state[parameter] = {**step, **copies}
        self.taken = state.taken

    def step(self, weights: Mapping[str, float] | None = None) -> None:
        """One step of the run, with the named examples at other weights than 1."""
        step = self.trajectory.steps[self.taken]
        self._set_rates(step)
        self.loss(step, weights or {}).backward()  # type: ignore[no-untyped-call]
        self._clip(step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.model.zero_grad()  # of parameters that no group holds
        self.taken += 1

    def loss(self, step: Step, weights: Mapping[str, float]) -> Tensor:
        """Weighted losses of the step's rows over its denominator, which the weights do not touch."""
        losses_B = self.losses(step)
        weights_B = losses_B.new_tensor([weights.get(example, 1.0) for example in step.example_ids])
        return (losses_B * weights_B).sum() / step.divisor

    def losses(self, step: Step) -> Tensor:
        batch = self.task.batch(step.example_ids, self.taken)
        losses_B = self.task.losses(self.task.outputs(self.model, batch), batch)
        if losses_B.shape != (len(step.example_ids),):
            raise AttributionError(
                "bad-losses",
                f"step {self.taken}: losses of shape {tuple(losses_B.shape)} for {len(step.example_ids)} examples",
                "Task.losses must return one number per row",
            )
        return losses_B

    def state(self) -> State:
        """A copy of where the walk stands."""
        moments: dict[str, Weights] = {
            key: {
                name: self.optimizer.state[self.parameters[name]][key].clone()
                for group in self.trajectory.groups
                for name in group.parameters
                if key in self.optimizer.state.get(self.parameters[name], {})
            }
            for key in self.moments
        }
        buffers = {name: buffer.detach().clone() for name, buffer in self.model.named_buffers()}
        return State(self.taken, {n: p.detach().clone() for n, p in self.parameters.items()}, moments, buffers)

    def _set_rates(self, step: Step) -> None:
        for group, rate in zip(self.optimizer.param_groups, step.rates, strict=True):
            group["lr"] = rate

    def _clip(self, step: Step) -> None:
        if self.trajectory.max_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.trajectory.max_norm)
        elif step.clip != 1.0:
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(step.clip)


def replay(
    model: nn.Module,
    task: Task,
    trajectory: Trajectory,
    weights: Mapping[str, float] | None = None,
    *,
    from_: int | None = None,
    until: int | None = None,
) -> State:
    """State after `until` steps (all) when the named examples weigh something else than 1; 0 leaves them out.

    `from_`: number of steps taken at the kept state to start from; without it, the last one before any named example
    was read. `model` gives the architecture and is not changed. If the clipping norm is unknown, the recorded factors
    are used: a first-order account of clipping, not an exact one. Nothing is checked here: run `check_replay` first.
    Raises: AttributionError("no-such-state", "starts-too-late", "unknown-example", "unknown-optimizer", "other-model",
    "bad-losses").
    """
    weights = {example: weight for example, weight in (weights or {}).items() if weight != 1}
    first = _first_visit(trajectory, weights)
    start = _start(trajectory, first) if from_ is None else from_
    if start > first:
        raise AttributionError(
            "starts-too-late",
            f"an example with a changed weight was read at step {first}, the walk starts at {start}",
            "start from a state that was kept before it, or leave from_ out",
        )
    end = len(trajectory.steps) if until is None else until
    walk = Walk(model, task, trajectory)
    walk.stand(kept_state(trajectory, start))
    while walk.taken < end:
        walk.step(weights)
    return walk.state()


def check_replay(
    model: nn.Module, task: Task, trajectory: Trajectory, *, from_: int | None = None, tolerance: float = 0.0
) -> str:
    """Walk the run as it was and compare the weights with every state that was kept on the way.

    `tolerance`: largest distance that is let pass, in parts of the norm of the weights; 0 asks for the same bits.
    Returns the SHA-256 (hex) of the weights at the end, to be compared with the one that was published. Raises:
    AttributionError("replay-differs") with the steps between which the walk left the recorded path.
    """
    walk = Walk(model, task, trajectory)
    for _ in checked_walk(walk, from_, tolerance):
        pass
    return digest_of(walk.parameters)


def checked_walk(walk: Walk, from_: int | None = None, tolerance: float = 0.0) -> Iterator[int]:
    """Take the run's steps one after the other, yielding the number taken (the start too) and comparing kept states."""
    trajectory = walk.trajectory
    good = trajectory.kept[0] if from_ is None and trajectory.kept else from_ or 0
    walk.stand(kept_state(trajectory, good))
    yield walk.taken
    while walk.taken < trajectory.kept[-1]:
        walk.step()
        if walk.taken in trajectory.kept:
            _compare(walk, trajectory.state(walk.taken).weights, good, tolerance)
            good = walk.taken
        yield walk.taken


def retrainer(model: nn.Module, task: Task, trajectory: Trajectory) -> Callable[[Floats], Floats]:
    """The run as a function from weights_N to the weights at its end, laid end to end: what metasmoothness and spot
    checks ask for. Examples stand in the order of `visited`; no weight may be left out."""
    names = visited(trajectory)

    def train(weights_N: Floats) -> Floats:
        weights = dict(zip(names, (float(weight) for weight in weights_N), strict=True))
        return flat(replay(model, task, trajectory, weights).weights)

    return train


def visited(trajectory: Trajectory) -> tuple[str, ...]:
    """Every example of the run, in the order in which they were first read."""
    return tuple(dict.fromkeys(example for step in trajectory.steps for example in step.example_ids))


def flat(weights: Weights) -> Floats:
    """weights_P: all parameters laid end to end, in order of their names."""
    return np.concatenate([weights[name].detach().cpu().double().numpy().ravel() for name in sorted(weights)])


def digest_of(weights: Weights) -> str:
    """SHA-256 (hex) over names, shapes, types and bytes, in the model's order: the digest that a recorder writes."""
    state = hashlib.sha256()
    for name, tensor in weights.items():
        state.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        state.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def kept_state(trajectory: Trajectory, taken: int) -> State:
    """Raises: AttributionError("no-such-state")."""
    if taken not in trajectory.kept:
        kept = ", ".join(str(number) for number in trajectory.kept) or "none"
        raise AttributionError(
            "no-such-state", f"no state was kept after {taken} steps", f"start from one of those that were: {kept}"
        )
    return trajectory.state(taken)


# --- parts ----------------------------------------------------------------------------------------------------


def _first_visit(trajectory: Trajectory, weights: Mapping[str, float]) -> int:
    """The step at which any example of changed weight was read first."""
    unseen = set(weights) - set(visited(trajectory))
    if unseen:
        raise AttributionError(
            "unknown-example",
            f"the run never read example {min(unseen)}" + (f" and {len(unseen) - 1} more" if len(unseen) > 1 else ""),
            "name examples that the run's steps name",
        )
    for number, step in enumerate(trajectory.steps):
        if not weights.keys().isdisjoint(step.example_ids):
            return number
    return len(trajectory.steps)


def _start(trajectory: Trajectory, first: int) -> int:
    before = [taken for taken in trajectory.kept if taken <= first]
    return max(before) if before else first


def _compare(walk: Walk, recorded: Weights, good: int, tolerance: float) -> None:
    for name, expected in recorded.items():
        found = walk.parameters[name].detach()
        expected = expected.to(found.device)
        if tolerance == 0 and torch.equal(found, expected):
            continue
        apart = float((found - expected).norm()) / max(float(expected.norm()), 1e-30)
        if not apart <= tolerance or tolerance == 0:
            raise AttributionError(
                "replay-differs",
                f"the walk left the recorded run between steps {good} and {walk.taken}: {name} is {apart:.1e} of its "
                "norm away from the recorded one",
                "replay with the same package versions, hardware, kernels and threads, in the model's recorded mode, "
                "and let the recorder know the clipping norm",
            )


def _load(into: Mapping[str, Tensor], values: Weights, kind: str) -> None:
    wrong = [name for name, value in values.items() if name not in into or into[name].shape != value.shape]
    missing = [name for name in into if name not in values] if kind == "weights" else []
    if wrong or missing:
        raise AttributionError(
            "other-model",
            f"the {kind} of the recorded state are not those of this model: {(wrong + missing)[0]}",
            "pass a model of the architecture that was trained",
        )
    with torch.no_grad():
        for name, value in values.items():
            into[name].copy_(value)


def _new_optimizer(trajectory: Trajectory, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
    unknown = [name for group in trajectory.groups for name in group.parameters if name not in parameters]
    if unknown:
        raise AttributionError(
            "other-model",
            f"the run trained {unknown[0]}, which this model does not have",
            "pass a model of the architecture that was trained",
        )
    groups = [
        {"params": [parameters[name] for name in group.parameters], **_torch_settings(group.settings)}
        for group in trajectory.groups
    ]
    kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer: torch.optim.Optimizer = kinds[trajectory.optimizer](groups, lr=0.0)
    return optimizer


def _torch_settings(settings: Mapping[str, float]) -> dict[str, Any]:
    named = ("eps", "weight_decay", "momentum", "dampening")
    found: dict[str, Any] = {name: settings[name] for name in named if name in settings}
    if "beta1" in settings:
        found["betas"] = (settings["beta1"], settings["beta2"])
    if settings.get("nesterov"):
        found["nesterov"] = True
    return found
