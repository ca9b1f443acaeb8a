"""The channels that may divide money together: the transport's head and body, EK-FAC, and the words.

The transport tells influence through the last layer and through all before it. EK-FAC says the same of the end of the
run alone. Words say what a text has in common with another, which is no influence, and whoever writes them chooses
them: they take part only where it is asked for, and after the attacks on that very run have been made with them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn

from byline.app.carried import BODY, HEAD, METHOD, aligned, channel_of, log_likelihood
from byline.app.game import weights_of
from byline.app.model import Progress, Training, trained_texts
from byline.app.period import calibration_of
from byline.attribution import EKFAC, GaussNewtonTransport, Task, Trajectory, read_trajectory
from byline.core import ScoreTable
from byline.evaluation import Channelled
from byline.lookup import TFIDF
from byline.training import LanguageTask, Query, single_thread

# Suffixes: Q queries, N training examples

PLAIN = (HEAD, BODY)  # added up, they are the transport that pays without a blend
CURVED, WORDS = EKFAC().method, "words"
Queries = Mapping[str, Sequence[Any]]  # each the sum of some outputs


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What training examples and outputs say: `texts` by example id; `says(output)`."""

    texts: Mapping[str, str]
    says: Callable[[Any], str]

    @cached_property
    def index(self) -> TFIDF:
        return TFIDF(self.texts)

    def scores(self, queries: Queries, more: Mapping[str, str] | None = None) -> ScoreTable:
        """Cosines with each output, added up. `more`: texts that were never trained on, by id; they change no other."""
        others = more or {}
        rows = []
        for outputs in queries.values():
            said = [self.says(output) for output in outputs]
            alike = [(self.index.scores(text), self.index.likeness(text, tuple(others.values()))) for text in said]
            rows.append(np.sum([np.concatenate(both) for both in alike], axis=0))
        return ScoreTable(np.array(rows, dtype=np.float32), tuple(queries), (*self.index.ids, *others), WORDS)


@dataclass(frozen=True, eq=False)
class Source:
    """A recorded run, and how its outputs are measured and read."""

    model: nn.Module
    task: Task
    trajectory: Trajectory
    measure: Callable[[nn.Module, Sequence[Any]], Tensor]
    lexicon: Lexicon | None = None

    def ekfac(self, progress: Progress, seed: int = 0) -> EKFAC:
        """Raises: AttributionError("no-curvature", "rows-first")."""
        with single_thread():
            return EKFAC(seed=seed).fit(self.model, self.task, self.trajectory, progress)

    def scores(
        self, channels: Collection[str], queries: Queries, progress: Progress, resample: int | None = None
    ) -> dict[str, ScoreTable]:
        """Of each of `channels`, examples in the order of the run. `resample`: another stream of batches for the
        transport, and other labels for EK-FAC, to learn what chance did."""
        again = "" if resample is None else f", resampled {resample}"

        def carrying(done: int, of: int) -> None:
            progress(f"carrying the period back through training{again}", done, of)

        with single_thread():
            walk = GaussNewtonTransport(channel_of(self.model), resample=resample)
            carried = walk.score(self.model, self.task, self.trajectory, queries, self.measure, carrying)
        found = dict(carried.channels)
        ids = carried.total.example_ids
        if CURVED in channels:
            curved = self.ekfac(progress, 0 if resample is None else 1 + resample)
            with single_thread():
                found[CURVED] = aligned(curved.score(queries, self.measure, progress), ids)
        if WORDS in channels and self.lexicon is not None:
            found[WORDS] = aligned(self.lexicon.scores(queries), ids)
        return {name: found[name] for name in channels if name in found}

    def mixed(
        self, weights: Channelled, queries: Queries, progress: Progress, resample: int | None = None
    ) -> tuple[ScoreTable, dict[str, ScoreTable]]:
        """The blend, under the transport's name, and its channels. Raises: EvaluationError("bad-channels")."""
        tables = self.scores(weights.channels, queries, progress, resample)
        mixed = weights.mix(tables)
        return ScoreTable(mixed.scores_QN, mixed.query_ids, mixed.example_ids, METHOD), tables


def source_of(training: Training) -> Source:
    """Of a training of ours."""
    return Source(
        training.model(),
        LanguageTask.of(training.corpus),
        read_trajectory(training.run.store),
        log_likelihood,
        lexicon_of(training),
    )


def kept_weights(training: Training, words: bool) -> Channelled:
    """What the audit of this run fitted. Raises: AppError("no-blend")."""
    speaks_of = {"run": training.run.id, "method": METHOD}
    return weights_of(calibration_of(speaks_of, training.home.training(training.name)), words)


def lexicon_of(training: Training) -> Lexicon:
    """Texts of the recorded spans; of an output, what comes after its prompt."""
    decode = training.corpus.tokenizer.decode

    def says(output: Query) -> str:
        return str(decode(list(output.tokens[output.start :])))

    return Lexicon({str(example): text for example, text in trained_texts(training).items()}, says)
