"""What an audit works on: a recorded run, the outputs that are asked about, and whom to leave out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from byline.app.answers import examples_of
from byline.app.carried import channel_of, log_likelihood
from byline.app.engine.bank import Bank, Retrained, pooled
from byline.app.engine.period import outputs_of
from byline.app.home import read_kept
from byline.app.model import Training
from byline.app.passages import most_recorded
from byline.attribution import GaussNewtonTransport, Task, Trajectory, read_trajectory
from byline.core import AppError, ScoreTable, digest
from byline.training import LanguageTask

Queries = Mapping[str, Sequence[Any]]  # each the sum of some outputs
WHOLE = "whole"  # key of the retraining that leaves nobody out


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """`weights`: SHA-256 (hex) of those that the recorded run ended with. `measure` sums over the outputs it is given.
    `contributors`: ids of the examples of each that is to be left out, by key of the bank; `names` of them. `credits`:
    line of credit of every example. `engine`: the method that pays; `scorers`: methods that can be asked for scores;
    `channels` of the transport, told apart. `under`: retrainings in another order, by its seed; None where the run
    cannot be trained in another one."""

    run: str
    weights: str
    model: nn.Module
    task: Task
    trajectory: Trajectory
    outputs: Mapping[str, Any]
    measure: Callable[[nn.Module, Sequence[Any]], Tensor]
    contributors: Mapping[str, frozenset[str]]
    names: Mapping[str, str]
    credits: Mapping[str, str]
    engine: str
    scorers: Mapping[str, Callable[[Queries], ScoreTable]]
    bank: Bank
    folder: Path
    seeds: tuple[int, ...] = ()
    channels: Callable[[Queries], Mapping[str, ScoreTable]] | None = None
    under: Callable[[int], Bank] | None = None


def carried(
    model: nn.Module, task: Task, trajectory: Trajectory, measure: Callable[[nn.Module, Sequence[Any]], Tensor]
) -> dict[str, Callable[[Queries], ScoreTable]]:
    """The transport, by its name."""
    transport = GaussNewtonTransport()
    return {transport.method: lambda queries: transport.score(model, task, trajectory, queries, measure).total}


def channelled(
    model: nn.Module, task: Task, trajectory: Trajectory, measure: Callable[[nn.Module, Sequence[Any]], Tensor]
) -> Callable[[Queries], Mapping[str, ScoreTable]] | None:
    """The transport's channels; None for a model whose weights are all in one channel."""
    transport = GaussNewtonTransport(channel_of(model))
    if len({transport.channels(name) for name, _ in model.named_parameters()}) < 2:
        return None
    return lambda queries: transport.score(model, task, trajectory, queries, measure).channels


def training_case(training: Training, contributors: int) -> Case:
    """A training of ours with the outputs of its last `byline attribute`, audited for the method that then paid.

    Raises: AppError("not-made-yet", "unreadable"); AttributionError("no-trajectory").
    """
    told = read_kept(training.home, training.name, "attribution")
    outputs = outputs_of(told, training)
    folder = training.home.training(training.name)
    key = digest([training.run.id, [[list(q.tokens), q.start] for q in outputs.values()]])
    kept = folder / "audit" / key[:16]
    model, task = training.model(), LanguageTask.of(training.corpus)
    trajectory = read_trajectory(training.run.store)
    sketch = training.sketch
    return Case(
        run=training.run.id,
        weights=training.run.store.blob("weights_sha256").tobytes().hex(),
        model=model,
        task=task,
        trajectory=trajectory,
        outputs=outputs,
        measure=log_likelihood,
        contributors={
            f"contributor/{party}": frozenset(examples_of(training, party))
            for party in most_recorded(training, contributors)
        },
        names={f"contributor/{party}": name for party, name in training.home.names.items()},
        credits={str(example.id): training.credit(example.work) for example in training.corpus.examples},
        engine=str(told["period"]["method"]),
        scorers=carried(model, task, trajectory, log_likelihood)
        | {sketch.method: lambda queries: training.run.score(model, queries, log_likelihood, sketch)},
        bank=Bank(kept / "bank.jsonl", pooled(folder, tuple(outputs.values()))),
        folder=kept,
        seeds=(training.recipe.seed,),
        channels=channelled(model, task, trajectory, log_likelihood),
        under=lambda seed: Bank(kept / f"bank-{seed}.jsonl", pooled(folder, tuple(outputs.values()), seed)),
    )


def check_whole(case: Case, whole: Retrained) -> None:
    """Raises: AppError("retraining-differs")."""
    if whole.weights != case.weights:
        raise AppError(
            "retraining-differs",
            "the training, repeated with everybody in it, did not end with the recorded weights",
            "measure with the package versions and the kind of machine that trained",
        )
