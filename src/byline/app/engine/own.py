"""Somebody else's run folder and training script: what `byline evaluate --run` and `byline audit --run` work on.

Nothing of the user's loop is run again. The run folder holds the kept states and the log of every step; the task makes
the batches; so a retraining without somebody is the recorded run replayed with that somebody's examples at weight zero.
That the replay with everybody in it ends with the recorded weights, bit for bit, is checked first.
"""

import copy
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.app.answers import coverage
from byline.app.blend import Lexicon, Source
from byline.app.carried import METHOD
from byline.app.engine.bank import Bank, Retrained
from byline.app.engine.case import WHOLE, Case, beside, carried, channelled, check_whole
from byline.app.engine.period import PERIOD
from byline.app.home import write_json
from byline.app.model import Progress, silent
from byline.attribution import (
    State,
    Subject,
    Task,
    Trajectory,
    contributor_tangents,
    open_run,
    read_trajectory,
    replay,
    visited,
)
from byline.capture import named_buffers, named_parameters, weights_digest
from byline.core import AppError, digest
from byline.evaluation import LeaveOut, agreement, reliability

# Suffixes: Q queries, C contributors, N training examples

Floats = npt.NDArray[np.float64]
NOBODY = "nobody named"  # line of credit of examples that the subject gives to no contributor


def load_subject(where: str) -> Subject:
    """From `FILE.py` or `FILE.py:NAME` (default: `subject`): a Subject, or a function without arguments that makes one.

    Raises: AppError("no-subject") with what is wrong with the file.
    """
    file, _, name = where.rpartition(":") if ".py:" in where else (where, "", "subject")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise _no_subject(where, f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        made = getattr(module, name)
        made = made if isinstance(made, Subject) else made()
    except Exception as fault:
        raise _no_subject(where, f"{type(fault).__name__}: {fault}") from fault
    if not isinstance(made, Subject):
        raise _no_subject(where, f"{name} made a {type(made).__name__}, not a byline.Subject")
    if not (made.queries and made.contributors):
        raise _no_subject(where, "the subject has no queries or no contributors")
    if PERIOD in made.queries:
        raise _no_subject(where, f"a query is called {PERIOD!r}, which is the name of the sum of all")
    return made


def _no_subject(where: str, why: str) -> AppError:
    fix = "name a file with a function `subject` that returns byline.Subject(...): docs/tiers.md has one"
    return AppError("no-subject", f"{where}: {why}", fix)


def own_run(path: Path, subject: str | None, to: Path | None, contributors: int) -> tuple[Case, Path]:
    """The case of a run folder, and the folder where what is measured of it is kept: `to`, or beside the run.

    Raises: AppError("no-subject"), and those of `run_case`.
    """
    if subject is None:
        raise _no_subject(str(path), "a run of your own needs --subject")
    folder = to or path.with_name(f"{path.name}-evidence")
    return run_case(path, load_subject(subject), folder, contributors), folder


def run_case(path: Path, subject: Subject, kept: Path, contributors: int) -> Case:
    """The run in `path`, asked about the subject's queries; parts are kept in `kept` as they are made.

    Raises: AppError("foreign-examples"); AttributionError("no-trajectory"), StoreError for a damaged folder.
    """
    run = open_run(path)
    trajectory = read_trajectory(run.store)
    mine = _recorded(subject, trajectory)
    largest = sorted(mine, key=lambda name: (-len(mine[name]), name))[:contributors]
    owner = {example: name for name, examples in sorted(mine.items()) for example in examples}

    def measure(model: nn.Module, outputs: Sequence[Any]) -> Tensor:
        return torch.stack([subject.measure(model, output) for output in outputs]).sum()

    model = subject.model
    key = digest([run.id, list(subject.queries), sorted((name, sorted(ids)) for name, ids in mine.items())])
    folder = kept / key[:16]
    return Case(
        run=run.id,
        weights=run.store.blob("weights_sha256").tobytes().hex(),
        model=model,
        task=subject.task,
        trajectory=trajectory,
        outputs=subject.queries,
        measure=measure,
        contributors={f"contributor/{name}": mine[name] for name in largest},
        names={f"contributor/{name}": name for name in largest},
        credits={example: owner.get(example, NOBODY) for example in visited(trajectory)},
        engine=METHOD,
        scorers=carried(model, subject.task, trajectory, measure),
        bank=Bank(folder / "bank.jsonl", replayed(model, subject.task, trajectory, subject)),
        folder=folder,
        channels=channelled(model, subject.task, trajectory, measure),
        beside=beside(Source(model, subject.task, trajectory, measure, _lexicon(subject, trajectory))),
    )


def _lexicon(subject: Subject, trajectory: Trajectory) -> Lexicon | None:
    """None for a subject that says nothing in words."""
    if subject.says is None or not subject.texts:
        return None
    return Lexicon({example: subject.texts.get(example, "") for example in visited(trajectory)}, subject.says)


def _recorded(subject: Subject, trajectory: Trajectory) -> dict[str, frozenset[str]]:
    """Examples of every contributor that the run read. Raises: AppError("foreign-examples") if of one it read none."""
    known = frozenset(visited(trajectory))
    mine = {name: known.intersection(examples) for name, examples in subject.contributors.items()}
    if strangers := [name for name, examples in mine.items() if not examples]:
        raise AppError(
            "foreign-examples",
            f"the run read no example of {strangers[0]}" + (f" and {len(strangers) - 1} more" if strangers[1:] else ""),
            "name examples by the ids that were passed to recorder.batch",
        )
    return mine


def replayed(
    model: nn.Module, task: Task, trajectory: Trajectory, subject: Subject
) -> Callable[[Mapping[str, frozenset[str]]], Iterator[tuple[str, Retrained]]]:
    """Retrainings as replays of the recorded run, one after the other."""

    def retrain(wanted: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, Retrained]]:
        for key, without in wanted.items():
            ended = standing(model, replay(model, task, trajectory, dict.fromkeys(without, 0.0)))
            with torch.no_grad():
                values = tuple(float(subject.measure(ended, query)) for query in subject.queries.values())
            yield key, Retrained(values, weights_digest(ended).hex())

    return retrain


def standing(model: nn.Module, state: State) -> nn.Module:
    """A copy of the model with a state's weights, ready to be measured."""
    held = copy.deepcopy(model).eval()
    with torch.no_grad():
        for name, tensor in (named_parameters(held) | named_buffers(held)).items():
            tensor.copy_(state.weights[name] if name in state.weights else state.buffers[name])
    return held


def evaluate_run(case: Case, folder: Path, today: date, progress: Progress = silent) -> dict[str, Any]:
    """Every contributor's effect on every output, predicted by tangents and found by replay. Kept as evaluation.json
    in `folder`. Raises: AppError("retraining-differs"), EvaluationError("too-few-pairs")."""
    predicted_CQ = _predicted(case, progress)
    outcomes = case.bank.fill({WHOLE: frozenset[str](), **case.contributors}, progress)
    check_whole(case, outcomes[WHOLE])
    full_Q = np.array(outcomes[WHOLE].log_likelihoods)
    without_CQ = np.array([outcomes[key].log_likelihoods for key in case.contributors])
    names = tuple(case.names[key] for key in case.contributors)
    truth = LeaveOut(names, tuple(case.outputs), full_Q, without_CQ)
    chance_CQ = np.random.default_rng(0).standard_normal(predicted_CQ.shape)
    measured = [agreement(METHOD, predicted_CQ, truth), agreement("random", chance_CQ, truth)]
    told = {
        "run": case.run,
        "measured": today.isoformat(),
        "contributors": list(names),
        "queries": list(case.outputs),
        "predicted": predicted_CQ.tolist(),
        "actual": truth.actual_CQ.tolist(),
        "methods": [each.to_json() for each in measured],
        "reliability": reliability(case.run, measured[0], truth).to_json(),
        "coverage": coverage(predicted_CQ, truth.actual_CQ) if len(names) > 2 else None,
    }
    write_json(folder / "evaluation.json", told)
    return told


def _predicted(case: Case, progress: Progress) -> Floats:
    tangents = contributor_tangents(
        case.model,
        case.task,
        case.trajectory,
        case.contributors,
        lambda done, of: progress("carrying contributors through training", done, of),
    )
    model = standing(case.model, case.trajectory.state(case.trajectory.kept[-1]))
    scores_QC = tangents.score(model, {name: [output] for name, output in case.outputs.items()}, case.measure)
    return scores_QC.T.astype(np.float64)
