"""What an audit works on: a recorded run, the outputs that are asked about, and whom to leave out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from byline.app.answers import examples_of
from byline.app.blend import CURVED, WORDS, Source, lexicon_of
from byline.app.carried import channel_of, log_likelihood
from byline.app.engine.bank import Bank, Retrained, pooled
from byline.app.engine.period import outputs_of
from byline.app.home import read_kept
from byline.app.model import Progress, Training
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
    `channels` of the transport, told apart; `beside` it, other channels that may be joined with them. `under`:
    retrainings in another order, by its seed; None where the run cannot be trained in another one."""

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
    beside: Mapping[str, Callable[[Queries, Progress], ScoreTable]] = field(default_factory=dict)


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


def beside(source: Source) -> dict[str, Callable[[Queries, Progress], ScoreTable]]:
    """EK-FAC, and the words where examples and outputs have texts."""
    fitted = lru_cache(maxsize=1)(source.ekfac)  # factors once for all queries

    def curved(queries: Queries, progress: Progress) -> ScoreTable:
        return fitted(progress).score(queries, source.measure, progress)

    found: dict[str, Callable[[Queries, Progress], ScoreTable]] = {CURVED: curved}
    if (lexicon := source.lexicon) is not None:
        found[WORDS] = lambda queries, progress: lexicon.scores(queries)
    return found


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
        beside=beside(Source(model, task, trajectory, log_likelihood, lexicon_of(training))),
    )


def check_whole(case: Case, whole: Retrained) -> None:
    """Raises: AppError("retraining-differs")."""
    if whole.weights != case.weights:
        raise AppError(
            "retraining-differs",
            "the training, repeated with everybody in it, did not end with the recorded weights",
            "measure with the package versions and the kind of machine that trained",
        )
