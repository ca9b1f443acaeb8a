"""A recorded training on its way again: a copy of the model, the run's own optimizers, one step after the other."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from byline.attribution.restore import new_optimizers, restore, set_rates
from byline.attribution.task import Task
from byline.attribution.trajectory import State, Step, Trajectory, Weights
from byline.capture import named_buffers, named_parameters, random_states
from byline.core import AttributionError

# Suffixes: B rows of a batch


class Walk:
    """`stand` puts it at a state, `step` takes the next step of the run; `taken` steps lie behind it.

    It drives the real torch optimizers, so that with all weights at 1 every bit comes out as recorded, if the recording
    machine's arithmetic is this one's. The model's mode (train, eval) is the caller's. Torch's global random generators
    are left as they were. Raises: AttributionError("unknown-optimizer", "other-model").
    """

    def __init__(self, model: nn.Module, task: Task, trajectory: Trajectory) -> None:
        self.model = copy.deepcopy(model)
        self.task = task
        self.trajectory = trajectory
        self.parameters = named_parameters(self.model)
        self.optimizers = new_optimizers(self.model, trajectory)
        self.rng: Mapping[str, Tensor] = {}
        self.taken = 0

    def stand(self, state: State) -> None:
        """Load weights, buffers, moments and random generators."""
        with torch.random.fork_rng(self._devices()):
            restore(self.model, self.optimizers, state)
        self.rng, self.taken = state.rng, state.taken

    def step(self, weights: Mapping[str, float] | None = None) -> None:
        """One step of the run, with the named examples at other weights than 1."""
        step, weights = self.trajectory.steps[self.taken], weights or {}
        set_rates(self.optimizers, step)
        with self.random():
            for ids, losses_B in self.losses(step):
                weights_B = losses_B.new_tensor([weights.get(example, 1.0) for example in ids])
                loss = (losses_B * weights_B).sum() / step.divisor
                loss.backward()  # type: ignore[no-untyped-call]
        self._clip(step)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        self.taken += 1

    def losses(self, step: Step) -> Iterator[tuple[Sequence[str], Tensor]]:
        """Ids and losses_B of each micro-batch; to be taken inside `random`."""
        for ids in step.skipped:
            with torch.no_grad():
                self._losses(ids)  # it taught nothing, but drew random numbers
        for ids in step.batches:
            yield ids, self._losses(ids)

    @contextmanager
    def random(self) -> Iterator[None]:
        """Inside, torch draws what the run drew at this step, if the run's states say what that was."""
        if not self.rng:
            yield
            return
        with torch.random.fork_rng(self._devices()):
            torch.set_rng_state(self.rng["cpu"])
            if "cuda" in self.rng and torch.cuda.is_available():
                torch.cuda.set_rng_state(self.rng["cuda"])
            yield
            self.rng = random_states()

    def state(self) -> State:
        """A copy of where the walk stands."""
        buffers = {name: buffer.detach().clone() for name, buffer in named_buffers(self.model).items()}
        return State(self.taken, self.weights(), self._moments(), buffers, self.rng)

    def weights(self) -> Weights:
        return {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    def _losses(self, ids: Sequence[str]) -> Tensor:
        batch = self.task.batch(ids, self.taken)
        losses_B = self.task.losses(self.task.outputs(self.model, batch), batch)
        if losses_B.shape != (len(ids),):
            raise AttributionError(
                "bad-losses",
                f"step {self.taken}: losses of shape {tuple(losses_B.shape)} for {len(ids)} examples",
                "Task.losses must return one number per row",
            )
        return losses_B

    def _clip(self, step: Step) -> None:
        if self.trajectory.max_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.trajectory.max_norm)
        elif step.clip != 1.0:
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(step.clip)

    def _moments(self) -> dict[str, Weights]:
        names = {id(parameter): name for name, parameter in self.parameters.items()}
        moments: dict[str, dict[str, Tensor]] = {}
        for optimizer in self.optimizers:
            for parameter, held in optimizer.state.items():
                for key, value in held.items():
                    if isinstance(value, Tensor):
                        moments.setdefault(key, {})[names[id(parameter)]] = value.detach().clone()
        return dict(moments)

    def _devices(self) -> list[int]:
        return [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
