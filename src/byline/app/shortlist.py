"""The evidence list: which training examples stand behind a passage, by gradients and by words, blended and apart.

For reading, never for money. The weights of the blend are those that the last `byline evaluate` fitted on its
retrainings; before it, both channels weigh the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from byline.app.carried import log_likelihood
from byline.app.home import read_json
from byline.app.model import Training, trained_texts
from byline.app.passages import Passage
from byline.attribution import (
    EVEN,
    Blend,
    Shortlist,
    build_shortlist,
    evidence,
    fit_blend,
    lexical_scores,
    open_shortlist,
)
from byline.core import ExampleId, WorkId
from byline.lookup import BM25, words

# Suffixes: Q queries, N training examples, C contributors

Floats = npt.NDArray[np.float64]
SHOWN = 5  # examples per passage


class Channels:
    """Both channels of a training, over the examples in the shortlist's order."""

    def __init__(self, training: Training) -> None:
        self.training = training
        path = training.home.training(training.name) / "shortlist"
        self.shortlist: Shortlist = open_shortlist(path) if path.is_dir() else build_shortlist(training.run.store, path)
        self.ids = self.shortlist.example_ids
        text_of = trained_texts(training)
        self.texts: dict[str, str] = {example: text_of[WorkId(example)] for example in self.ids}
        self.words = BM25(self.texts)

    def gradient(self, passages: Sequence[Passage]) -> Floats:
        """scores_QN by the sketches: one backward pass per passage, and a scan."""

        def measure(model: nn.Module, passage: Passage) -> Tensor:
            return log_likelihood(model, [passage.query])

        rows_QK = self.training.run.featurise(self.training.model(), {p.id: p for p in passages}, measure)
        return self.shortlist.score([p.id for p in passages], rows_QK).scores_QN.astype(np.float64)

    def lexical(self, passages: Sequence[Passage]) -> Floats:
        """scores_QN by the words; a passage without a word scores 0 everywhere."""
        decode = self.training.corpus.tokenizer.decode
        texts = [decode(list(p.tokens[p.start :])) for p in passages]
        nothing = np.zeros(len(self.ids))
        return np.stack([lexical_scores(self.words, text, self.ids) if words(text) else nothing for text in texts])


def evidence_lists(training: Training, passages: Sequence[Passage]) -> tuple[list[list[dict[str, Any]]], Blend]:
    """For each passage its first SHOWN examples with work, credit, text and both channels; and the blend used."""
    channels, blend = Channels(training), kept_blend(training)
    gradient_QN, lexical_QN = channels.gradient(passages), channels.lexical(passages)
    work_of = {example.id: example.work for example in training.corpus.examples}

    def told(example: ExampleId) -> dict[str, Any]:
        work = work_of[example]
        return {
            "work": work,
            "title": training.home.works[work].title,
            "contributor": training.credit(work),
            "text": channels.texts[example],
        }

    lists = [
        [found.to_json() | told(found.example) for found in evidence(channels.ids, one_N, other_N, SHOWN, blend)]
        for one_N, other_N in zip(gradient_QN, lexical_QN, strict=True)
    ]
    return lists, blend


def fitted_blend(
    channels: Channels, passages: Sequence[Passage], members: Sequence[set[str]], actual_CQ: Floats
) -> Blend:
    """Weights of both channels, by what retraining showed of contributors: a list by it is for other passages."""
    member_NC = np.array([[float(example in mine) for mine in members] for example in channels.ids])
    sums = {"gradient": channels.gradient(passages) @ member_NC, "lexical": channels.lexical(passages) @ member_NC}
    return fit_blend(sums, actual_CQ.T)


def kept_blend(training: Training) -> Blend:
    path = training.home.training(training.name) / "evaluation.json"
    told = read_json(path, "byline evaluate").get("blend") if path.is_file() else None
    return Blend(tuple(told["channels"]), tuple(told["weights"]), told["pairs"], told["correlation"]) if told else EVEN
