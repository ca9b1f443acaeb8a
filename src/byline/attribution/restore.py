"""A training put back to where it stood at a kept state: the same optimizers, weights, moments and random draws.

    optimizers = new_optimizers(model, trajectory)
    restore(model, optimizers, trajectory.state(taken))
    for step in trajectory.steps[taken:]:
        set_rates(optimizers, step)
        ...                                   # forward and backward of step.batches, clipping, optimizer.step()

Settings of an optimizer travel as numbers. Flags are 0 and 1, what is None is left out, `betas` become `beta1` and
`beta2`, other tuples are numbered likewise (`eps1`, `eps2` of Adafactor), and a text is a flag of its own
(`adjust_lr_fn=match_rms_adamw`: 1).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from byline.attribution.trajectory import ParameterGroup, State, Step, Trajectory, Weights
from byline.capture import KINDS, named_buffers, named_parameters
from byline.core import AttributionError

COUNTERS = ("step", "mu_product")  # numbers that torch keeps on the CPU, whatever the parameter's device


def new_optimizers(model: nn.Module, trajectory: Trajectory) -> tuple[torch.optim.Optimizer, ...]:
    """Fresh optimizers of the kinds and settings of the run; their parameter groups, one optimizer after the other, are
    the trajectory's. Raises: AttributionError("unknown-optimizer", "other-model")."""
    kinds = groupby(trajectory.groups, key=lambda group: group.kind or trajectory.optimizer)
    return tuple(_new_optimizer(named_parameters(model), kind, list(groups)) for kind, groups in kinds)


def set_rates(optimizers: Sequence[torch.optim.Optimizer], step: Step) -> None:
    """Give every parameter group the learning rate that it had at this step."""
    groups = (group for optimizer in optimizers for group in optimizer.param_groups)
    for group, rate in zip(groups, step.rates, strict=True):
        group["lr"] = rate


def restore(model: nn.Module, optimizers: Iterable[torch.optim.Optimizer], state: State) -> None:
    """Copy a kept state into the model and the optimizers, and set torch's global random generators to it: wrap it in
    `torch.random.fork_rng()` to have them back. Raises: AttributionError("other-model")."""
    parameters = named_parameters(model)
    _copy_into(parameters, state.weights, "weights")
    _copy_into(named_buffers(model), state.buffers, "buffers")
    names = {id(parameter): name for name, parameter in parameters.items()}
    for optimizer in optimizers:
        optimizer.state.clear()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                held = _moments_of(names[id(parameter)], parameter, state, group)
                if held:
                    optimizer.state[parameter] = held
    _set_generators(state.rng)


def settings_as_numbers(settings: Mapping[str, Any]) -> dict[str, float]:
    """Torch's settings as the head of this file says."""
    numbers: dict[str, float] = {}
    for name, value in settings.items():
        if isinstance(value, list | tuple):
            stem = "beta" if name == "betas" else name
            numbers |= {f"{stem}{i}": float(part) for i, part in enumerate(value, 1) if part is not None}
        elif isinstance(value, str):
            numbers[f"{name}={value}"] = 1.0
        elif value is not None:
            numbers[name] = float(value)
    return numbers


def torch_settings(kind: str, numbers: Mapping[str, float]) -> dict[str, Any]:
    """Inverse of `settings_as_numbers`; what is not in `numbers` is left to torch.

    Raises: AttributionError("unknown-optimizer")."""
    found = {name: _setting(name, default, numbers) for name, default in _defaults(kind).items() if name != "lr"}
    return {name: value for name, value in found.items() if value is not None}


def _setting(name: str, default: Any, numbers: Mapping[str, float]) -> Any:
    if isinstance(default, tuple | list):
        stem = "beta" if name == "betas" else name
        parts = tuple(numbers.get(f"{stem}{i}") for i in range(1, len(default) + 1))
        return parts if any(part is not None for part in parts) else None
    texts = [key.partition("=")[2] for key in numbers if key.startswith(f"{name}=")]
    if texts or name not in numbers:
        return texts[0] if texts else None
    if isinstance(default, bool) or default is None:
        return bool(numbers[name])
    whole = isinstance(default, int) and float(numbers[name]).is_integer()
    return int(numbers[name]) if whole else numbers[name]


def _new_optimizer(
    parameters: Mapping[str, nn.Parameter], kind: str, groups: Sequence[ParameterGroup]
) -> torch.optim.Optimizer:
    missing = [name for group in groups for name in group.parameters if name not in parameters]
    if missing:
        raise AttributionError(
            "other-model",
            f"the run trained {missing[0]}, which this model does not have",
            "pass a model of the architecture that was trained",
        )
    built = [
        {"params": [parameters[name] for name in group.parameters], "lr": 0.0, **torch_settings(kind, group.settings)}
        for group in groups
    ]
    optimizer: torch.optim.Optimizer = _kind(kind)(built)
    return optimizer


def _kind(kind: str) -> Any:
    known = KINDS.get(kind)
    if known is None:
        raise AttributionError(
            "unknown-optimizer",
            f"this version of torch has no optimizer {kind!r}",
            f"it has {', '.join(name for name, held in KINDS.items() if held is not None)}",
        )
    return known


def _defaults(kind: str) -> dict[str, Any]:
    defaults: dict[str, Any] = _kind(kind)([nn.Parameter(torch.zeros(1, 1))]).defaults
    return defaults


def _copy_into(held: Mapping[str, Tensor], values: Weights, kind: str) -> None:
    strange = [name for name in (*values, *held) if name not in held or name not in values]
    strange += [name for name in values if name in held and held[name].shape != values[name].shape]
    if strange:
        raise AttributionError(
            "other-model",
            f"the {kind} of the kept state are not those of this model: {strange[0]}",
            "pass a model of the architecture that was trained",
        )
    with torch.no_grad():
        for name, value in values.items():
            held[name].copy_(value)


def _moments_of(name: str, parameter: nn.Parameter, state: State, group: Mapping[str, Any]) -> dict[str, Tensor]:
    held = {moment: named[name] for moment, named in state.moments.items() if name in named}
    on_device = group.get("capturable") or group.get("fused")
    return {
        moment: value.clone() if moment in COUNTERS and not on_device else value.to(parameter.device, copy=True)
        for moment, value in held.items()
    }


def _set_generators(states: Mapping[str, Tensor]) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
