"""From a run folder to the path that the training took."""

import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from byline.attribution.restore import settings_as_numbers
from byline.attribution.trajectory import ParameterGroup, State, Step, Trajectory
from byline.capture import Snapshot, broken_link, state_name, states_in
from byline.core import AttributionError
from byline.store import RunReader, open_store

_AGAIN = "record the training again with this version's Recorder"


def read_trajectory(run: RunReader | str | Path) -> Trajectory:
    """The steps of a recorded run, and the states that were kept of it; also of one that is not finished.

    The chain of the step log is walked from the run's id to its end.
    Raises: AttributionError("no-trajectory") for a run whose log does not have what a walk needs, ("broken-chain"),
    ("changed-settings") if anything but a learning rate changed on the way, and those of `open_store`. `state` raises
    AttributionError("no-such-state"), ("broken-chain") for weights that the log does not name, and StoreError and
    CaptureError("bad-state") for damaged ones.
    """
    store = run if isinstance(run, RunReader) else open_store(run)
    notes = json.loads(store.spec.extra)
    if "groups" not in notes or any("chain" not in line for line in store.step_log):
        raise AttributionError("no-trajectory", f"{store.path}: the run's log does not tell how it trained", _AGAIN)
    ids = _ids_of_steps(store)
    _check_log(store, ids)
    return Trajectory(
        optimizer=notes["optimizer"],
        groups=tuple(_group(group, notes["optimizer"]) for group in notes["groups"]),
        steps=tuple(_step(line, names) for line, names in zip(store.step_log, ids, strict=True)),
        kept=states_in(store.blob_names),
        state=partial(_state, store),
        max_norm=notes["max_norm"],
    )


def _ids_of_steps(store: RunReader) -> list[tuple[str, ...]]:
    bounds = np.searchsorted(store.steps_N, np.arange(store.n_steps + 1))
    numbers = [store.examples_N[start:stop] for start, stop in pairwise(bounds)]
    return [tuple(store.example_ids[number] for number in part) for part in numbers]


def _check_log(store: RunReader, ids: list[tuple[str, ...]]) -> None:
    broken = broken_link(store.spec.run, store.step_log, ids)
    if broken is not None:
        raise AttributionError(
            "broken-chain",
            f"{store.path}: step {broken} of the log is not the one that was chained to the steps before it",
            "restore the run folder from a copy",
        )
    changed = next((line["step"] for line in store.step_log if "settings" in line), None)
    if changed is not None:
        raise AttributionError(
            "changed-settings",
            f"{store.path}: at step {changed} settings of the optimizer changed, not only its learning rates",
            "train with schedules of the learning rate alone (OneCycleLR: cycle_momentum=False)",
        )


def _group(group: dict[str, Any], optimizer: str) -> ParameterGroup:
    kind = "" if group["kind"] == optimizer else group["kind"]
    return ParameterGroup(tuple(group["parameters"]), settings_as_numbers(group["settings"]), kind)


def _step(line: dict[str, Any], names: tuple[str, ...]) -> Step:
    return Step(
        names,
        tuple(line["rates"]),
        clip=line["clip"] * line.get("scale", 1.0),
        denominator=line["denominator"],
        parts=tuple(line.get("parts", ())),
        skipped=tuple(tuple(ids) for ids in line.get("skipped", ())),
    )


def _state(store: RunReader, taken: int) -> State:
    kept = states_in(store.blob_names)
    if taken not in kept:
        raise AttributionError(
            "no-such-state",
            f"{store.path}: no state was kept after {taken} steps",
            f"start from one of those that were: {', '.join(map(str, kept)) or 'none'}",
        )
    found = Snapshot.from_array(store.blob(state_name(taken)))
    if taken < store.n_steps and found.weights_sha256 != store.step_log[taken].get("weights"):
        raise AttributionError(
            "broken-chain",
            f"{store.path}: the state after {taken} steps does not have the weights that the step log names",
            "restore the run folder from a copy",
        )
    return State(taken, found.weights, found.moments, found.buffers, found.rng)
