"""The doctor's look at a training of ours: its model and optimizer as they were, and what its record allows."""

import json
from collections.abc import Iterator

from byline.app.engine.audit import measure_smoothness
from byline.app.engine.findings import Finding, Report, doctor
from byline.app.model import Progress, Training, silent
from byline.attribution import Trajectory, read_trajectory
from byline.capture import Projector, weights_digest
from byline.core import AttributionError
from byline.training import LanguageTask, new_optimizer, single_thread


def checkup(training: Training, *, smoothness: bool = False, progress: Progress = silent) -> Report:
    """`smoothness`: measure it too, which walks the training three times."""
    with single_thread():
        model = training.model("base").train()
        optimizer = new_optimizer(model, training.recipe)
        trajectory, found = _walkable(training)
        found += [*_ending(training)]
        smooth = None
        if smoothness and trajectory is not None:
            smooth = measure_smoothness(training.model(), LanguageTask.of(training.corpus), trajectory, progress)
        projector = Projector.from_json(json.loads(training.run.store.spec.projector))
        return doctor(model, optimizer, projector=projector, smoothness=smooth, more=found)


def _ending(training: Training) -> Iterator[Finding]:
    """The run must end with the weights that questions will be asked of."""
    store = training.run.store
    if "weights_sha256" not in store.blob_names:
        says = f"the record stops after {store.n_steps} steps: the training was not finished"
        yield Finding("run", "wrong", says, "byline train again, under another --name")
    elif weights_digest(training.model()) != store.blob("weights_sha256").tobytes():
        says = "final.safetensors does not hold the weights with which the recorded run ended"
        yield Finding("run", "wrong", says, "restore the training's folder from a copy")
    else:
        yield Finding("run", "ok", f"{store.n_rows} rows of {store.n_steps} steps end with the model's weights")


def _walkable(training: Training) -> tuple[Trajectory | None, list[Finding]]:
    """What transport and audit need beside the rows: a chained log, and states at both ends."""
    try:
        trajectory = read_trajectory(training.run.store)
    except AttributionError as fault:
        grade = "wrong" if fault.code == "broken-chain" else "warning"
        return None, [Finding("run", grade, f"it cannot be walked again: {fault.message}", fault.fix)]
    found = [Finding("run", "ok", f"states were kept after {', '.join(map(str, trajectory.kept))} steps")]
    if not trajectory.kept or (trajectory.kept[0], trajectory.kept[-1]) != (0, len(trajectory.steps)):
        says = f"no state was kept at the start or the end, only after {list(trajectory.kept)} steps: no audit"
        found = [Finding("run", "warning", says, "record with Recorder(..., checkpoints=6)")]
    if trajectory.max_norm is None and any(step.clip != 1 for step in trajectory.steps):
        says = "gradients were clipped and the recorder was not told the norm: a replay repeats the factors only"
        found.append(Finding("run", "warning", says, "record with Recorder(..., max_norm=the norm)"))
    return trajectory, found
