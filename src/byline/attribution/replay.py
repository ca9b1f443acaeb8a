"""The recorded run walked again, step by step, with the optimizer that made it.

    replay(model, task, trajectory)                                  # the state at the end: the very same bits
    replay(model, task, trajectory, {"ex:1": 0.0, "ex:2": 0.0})      # ... had those two examples not been there

Batches, learning rates, denominators and random draws stay as they were; only the weights of the named examples change.
Whether this machine repeats the recorded arithmetic bit by bit is not believed but checked (`check_replay`).
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from byline.attribution.task import Task
from byline.attribution.trajectory import State, Trajectory, Weights
from byline.attribution.walk import Walk
from byline.capture import weights_digest
from byline.core import AttributionError

# Suffixes: N training examples

Floats = npt.NDArray[np.float64]


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
    return weights_digest(walk.model).hex()


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
