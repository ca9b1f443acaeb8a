"""What a span is worth to some outputs by the scores that pay: recorded ones, and such as an attack makes up.

Nothing is trained again. A span that was recorded has the score that the transport gives it, and so has every exact
copy of it: a copy pushes the model where its original does. A span that an attack makes up is an onlooker of the same
walk: it is read once per epoch, at steps drawn by chance, and scores what reading it there would have done, to first
order. A model really trained on the attack would share influence out among copies, so what attacks gain undefended is
overstated, if anything.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from byline.app.attack_pay import Score
from byline.app.blend import CURVED, WORDS, source_of
from byline.app.carried import aligned, channel_of, log_likelihood
from byline.app.model import Progress, Training
from byline.attribution import GaussNewtonTransport, one_channel, read_trajectory
from byline.core import Example, ScoreTable, WorkId
from byline.evaluation import Channelled
from byline.training import LanguageTask, Query, single_thread

# Suffixes: Q queries, S spans, B rows of a batch, T tokens

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """What every span is worth to every query; `places` says which column of scores_QS is a span's."""

    queries: tuple[str, ...]
    places: Mapping[str, int]
    scores_QS: Floats

    def of(self, *queries: str) -> Score:
        """Scores of any examples on these queries."""
        rows = [self.queries.index(query) for query in queries]

        def score(examples: Sequence[Example], texts: Mapping[WorkId, str]) -> ScoreTable:
            spans = [texts[example.work][example.start : example.end] for example in examples]
            scores_QN = self.scores_QS[np.ix_(rows, [self.places[span] for span in spans])]
            return ScoreTable(scores_QN, queries, tuple(example.id for example in examples), "transport")

        return score


def read_spans(
    training: Training,
    queries: Mapping[str, Sequence[Query]],
    spans: Iterable[str],
    progress: Progress,
    weights: Channelled | None = None,
) -> Book:
    """One walk back through the training, for all queries and all spans. A query is a sum of outputs. `weights`: of the
    blend that pays; then EK-FAC and the words say of made-up spans too what they would say of recorded ones."""
    recorded = spans_by_example(training)
    known = set(recorded.values())
    made_up = [span for span in dict.fromkeys(spans) if span not in known]
    trajectory = read_trajectory(training.run.store)
    task = SpanTask(LanguageTask.of(training.corpus), {_id(n): tokens_of(training, s) for n, s in enumerate(made_up)})
    model, onlookers = training.model(), _visits(training, len(trajectory.steps), len(made_up))
    with single_thread():
        found = GaussNewtonTransport(channel_of(model) if weights else one_channel, onlookers=onlookers).score(
            model,
            task,
            trajectory,
            queries,
            log_likelihood,
            lambda done, of: progress("reading the attacks beside the training", done, of),
        )
    named = recorded | {_id(n): span for n, span in enumerate(made_up)}
    paying = found.total
    if weights is not None:
        tables = dict(found.channels) | _beside(training, weights, queries, task, paying.example_ids, named, progress)
        paying = weights.mix(tables)
    places = {named[example]: column for column, example in enumerate(paying.example_ids)}
    return Book(tuple(queries), places, paying.scores_QN)


def _beside(
    training: Training,
    weights: Channelled,
    queries: Mapping[str, Sequence[Query]],
    task: "SpanTask",
    ids: Sequence[str],
    named: Mapping[str, str],
    progress: Progress,
) -> dict[str, ScoreTable]:
    """Scores of `ids` by the blend's other channels, as far as they are wanted. Curvature and frequencies of words are
    those of the recorded spans."""
    source, found = source_of(training), dict[str, ScoreTable]()
    if CURVED in weights.channels:
        fitted = source.ekfac(progress)
        with single_thread():
            found[CURVED] = fitted.score(queries, log_likelihood, progress, task=task, example_ids=ids)
    if WORDS in weights.channels and (lexicon := source.lexicon) is not None:
        more = {example: named[example] for example in ids if example in task.more}
        found[WORDS] = aligned(lexicon.scores(queries, more), ids)
    return found


class SpanTask:
    """The language task with more spans, which may be shorter than a training example: a loss is the mean over the
    tokens that its row has."""

    def __init__(self, task: LanguageTask, more: Mapping[str, Sequence[int]]) -> None:
        self.task, self.more = task, {name: torch.tensor(tokens) for name, tokens in more.items()}

    def batch(self, example_ids: Sequence[str], step: int) -> tuple[Tensor, Tensor]:
        """Token ids, filled up on the right, and the part of its row's loss that each but the first carries:
        (B, T), (B, T - 1)."""
        rows = [self.more[one] if one in self.more else self.task.tokens_of[one] for one in example_ids]
        parts = [torch.full((len(row) - 1,), 1 / max(1, len(row) - 1)) for row in rows]
        return pad_sequence(rows, batch_first=True), pad_sequence(parts, batch_first=True)

    def outputs(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self.task.outputs(model, batch[0])

    def losses(self, outputs: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens_BT, parts_BT = batch
        losses_BT = F.cross_entropy(outputs.transpose(1, 2), tokens_BT[:, 1:], reduction="none")
        return (losses_BT * parts_BT).sum(1)


def tokens_of(training: Training, span: str) -> tuple[int, ...]:
    """As many as the model reads at once."""
    ids: list[int] = training.corpus.tokenizer.encode(span).ids
    return tuple(ids[: training.recipe.sequence])


@lru_cache(maxsize=1)
def spans_by_example(training: Training) -> dict[str, str]:
    """Text of every recorded span, one blank between words, in the order of the run's examples."""
    texts = {entry.work: training.home.registry.text(entry.work) for entry in training.manifest.entries}
    return {e.id: " ".join(texts[e.work][e.start : e.end].split()) for e in training.examples()}


def _id(number: int) -> str:
    return f"made up {number}"


def _visits(training: Training, steps: int, spans: int) -> dict[int, list[str]]:
    """The step of every epoch at which each made-up span is read."""
    draw, epochs = random.Random(training.recipe.seed), training.recipe.epochs
    visits: dict[int, list[str]] = defaultdict(list)
    for number in range(spans):
        for epoch in range(epochs):
            visits[draw.randrange(steps * epoch // epochs, steps * (epoch + 1) // epochs)].append(_id(number))
    return visits
