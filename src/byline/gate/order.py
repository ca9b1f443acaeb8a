"""Texts that are words in no order: generated to fill a catalogue, and held until a person has looked at them.

In any text that somebody wrote, words stand beside each other that stand so elsewhere too, in other works or in the
same one ("of the"). Shuffled, the same words do so far less. The order index of a text is how far it is above its own
shuffles, 0 for words in no order, 1 if every pair were known:

    (part of its pairs of neighbours that stand elsewhere too - that of its shuffles) / (1 - that of its shuffles)

It is a reason to look and no proof, and it sees through one trick only. Text that a model wrote, sentences copied and
mixed, or a shuffled work in which a tenth is real, have the order of language and pass; a dictionary, a list of names
or the only work of its language may be held although somebody wrote it.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import PPM, Record, Work, WorkId
from byline.gate.duplicates import Hashes, _mix, _words

MIN_ORDER_PPM = 80_000
"""Index below which a text is held. Measured (benchmarks/duplicates.py): the least of 237 State of the Union addresses
has 0.45; 250 words of one among eight others have 0.20 at least; of 200 texts of 250 words drawn at random 98 in a
hundred are below it. With a tenth of real text a third is held, with a quarter none."""

MIN_WORDS = 250
MIN_CATALOGUE = 20_000
"""Shorter texts, and texts in a catalogue of fewer words, are not judged: few pairs are known there, and a poem may
have none in common with anything."""

MAX_WORDS = 20_000  # of a text that are looked at, from its beginning
SHUFFLES = 5


@dataclass(frozen=True, slots=True)
class Disorder(Record):
    """A work whose words stand in no order that its neighbours know: its index, in parts per million."""

    work: WorkId
    order_ppm: int

    @property
    def rule(self) -> str:
        return "no-order"

    @property
    def because(self) -> str:
        return (
            f"Its words stand in no order: next to each other they are found elsewhere hardly more often than shuffled "
            f"(index {self.order_ppm / PPM:.2f}). Held until a person has looked at it."
        )

    @property
    def evidence(self) -> tuple[str, ...]:
        return (f"order:{self.order_ppm}",)


def find_disorder(works: Sequence[Work], texts: Mapping[WorkId, str]) -> tuple[Disorder, ...]:
    """Works of `MIN_WORDS` and more whose order index is below `MIN_ORDER_PPM`, by id; none in a small catalogue."""
    known: dict[str, int] = {}
    words = {work.id: _words(texts[work.id], known)[:MAX_WORDS] for work in works}
    if sum(map(len, words.values())) < MIN_CATALOGUE:
        return ()
    pairs, counts = _pairs_of_all(list(words.values()))
    found = []
    for work, hashes in sorted(words.items()):
        if len(hashes) >= MIN_WORDS:
            ppm = round(_order(hashes, pairs, counts) * PPM)
            found += [Disorder(work, ppm)] if ppm < MIN_ORDER_PPM else []
    return tuple(found)


def _order(words: Hashes, pairs: Hashes, counts: npt.NDArray[np.int64]) -> float:
    own = _pairs(words)
    real = float(np.mean(counts[np.searchsorted(pairs, own)] > 1))
    draw = random.Random(int(words[0]))  # the text's own: the same at every check
    by_chance = 0.0
    for _ in range(SHUFFLES):
        mixed = _pairs(words[np.array(draw.sample(range(len(words)), len(words)))])
        at = np.minimum(np.searchsorted(pairs, mixed), len(pairs) - 1)
        by_chance += float(np.mean(pairs[at] == mixed)) / SHUFFLES
    return (real - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def _pairs_of_all(words: Sequence[Hashes]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Distinct pairs of neighbours in all texts, sorted, and how often each stands there."""
    every = [_pairs(each) for each in words if len(each) > 1]
    found, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *every]), return_counts=True)
    return found, counts


def _pairs(words: Hashes) -> Hashes:
    return _mix(_mix(words[:-1]) + words[1:])
