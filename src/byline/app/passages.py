"""Passages: the outputs whose origin is asked, generated, held out or given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byline.app.model import Training
from byline.core import AttributionError, PartyId, QueryId, query_id
from byline.lookup import words
from byline.training import Query, generate

EVALUATION_PROMPTS = (
    "The condition of the country",
    "It is the duty of Congress to",
    "Peace with other nations",
    "The people of the United States",
    "I recommend that",
)


@dataclass(frozen=True, slots=True)
class Passage:
    """An output whose origin is asked: token ids, of which those from `start` on are measured."""

    id: QueryId
    kind: str  # "generated" | "held-out" | "given"
    title: str
    author: str  # of a held-out passage
    tokens: tuple[int, ...]
    start: int

    @property
    def query(self) -> Query:
        return Query(self.tokens, self.start)


def generated_passages(training: Training, prompts: Sequence[str], tokens: int = 96) -> list[Passage]:
    """Raises: AttributionError("empty-query") for a prompt without text."""
    model, passages = training.model(), []
    for number, prompt in enumerate(prompts):
        ids = _tokens(training, prompt, prompt)
        made = generate(model, ids, tokens, seed=training.recipe.seed + number)
        name = query_id(training.corpus.tokenizer.decode(made), "generated")
        passages.append(Passage(name, "generated", prompt, "", tuple(made), len(ids)))
    return passages


def held_out_passages(training: Training, parties: Iterable[PartyId], each: int) -> list[Passage]:
    """Up to `each` passages per contributor from works that were trained on, but from spans that were not."""
    passages, wanted = [], dict.fromkeys(parties, each)
    for example, row in zip(training.corpus.held_out, training.corpus.held_out_MT.tolist(), strict=True):
        work = training.home.works[example.work]
        party = work.contributions[0].party
        if wanted.get(party, 0) > 0 and len(work.contributions) == 1:
            wanted[party] -= 1
            name = query_id(example.id, "held-out")
            passages.append(Passage(name, "held-out", work.title, training.credit(work.id), tuple(row), 1))
    return passages


def given_passages(training: Training, text: str, title: str) -> list[Passage]:
    """A text of any length, in windows of the training's sequence length. Raises: AttributionError("empty-query")."""
    ids = _tokens(training, text, title)
    if len(ids) < 2:
        raise AttributionError("empty-query", f"{title} is a single token", "give at least two words")
    size = training.recipe.sequence
    windows = [ids[at : at + size] for at in range(0, len(ids), size)]
    windows = [window for window in windows if len(window) > 1]
    named = [f"{title} ({n} of {len(windows)})" if len(windows) > 1 else title for n in range(1, len(windows) + 1)]
    return [
        Passage(query_id(f"{name}:{window}", "given"), "given", name, "", tuple(window), 1)
        for name, window in zip(named, windows, strict=True)
    ]


def _tokens(training: Training, text: str, title: str) -> list[int]:
    ids: list[int] = training.corpus.tokenizer.encode(text).ids
    if not ids or not words(text):
        raise AttributionError("empty-query", f"{title!r} has no words", "give at least two words of text")
    return ids


def evaluation_passages(training: Training, parties: Sequence[PartyId]) -> list[Passage]:
    """What retraining is asked about: two held-out passages of everybody left out, one of four others, and five
    generated ones; chosen by size of the record and fixed prompts, not by any result."""
    others = [party for party in most_recorded(training, 4 * len(parties)) if party not in parties][-4:]
    passages = generated_passages(training, EVALUATION_PROMPTS)
    passages += held_out_passages(training, parties, each=2) + held_out_passages(training, others, each=1)
    return list({passage.id: passage for passage in passages}.values())


def most_recorded(training: Training, count: int) -> list[PartyId]:
    """The contributors with the most recorded examples, ties by name: a rule that looks at no result."""
    sizes: dict[PartyId, int] = {}
    for work in training.works():
        for part in training.home.works[work].contributions:
            sizes[part.party] = sizes.get(part.party, 0) + 1
    return sorted(sizes, key=lambda party: (-sizes[party], training.home.names[party]))[:count]
