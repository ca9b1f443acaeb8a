"""A small world to attack: authors, and a model that counts.

The model predicts a word from the one before it by counting, so training takes milliseconds and the influence of an
example on an output is known exactly: it is the derivative of the output's log-likelihood by the example's weight.
"""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from byline.app.attack_pay import Market, Upload
from byline.core import Example, ScoreTable, WorkId

SPAN = 60  # words of an example
SMOOTHING = 60.0  # examples of a base model that were read before: it keeps the scores from adding up to zero
ATTACKER = "Attacker"


@dataclass(frozen=True, slots=True)
class World:
    """Uploads in the order of registration, and the outputs that were sold."""

    uploads: tuple[Upload, ...]
    outputs: tuple[tuple[str, ...], ...]

    def market(self) -> Market:
        return Market(self.uploads, lambda examples, texts: influence(examples, texts, self.outputs))


def spans_of(words: Sequence[str]) -> tuple[str, ...]:
    """`SPAN` words each."""
    return tuple(" ".join(words[first : first + SPAN]) for first in range(0, len(words), SPAN))


def small_world(seed: int = 0, authors: int = 8, words: int = 1500, outputs: int = 64) -> World:
    """Authors who write from habits of their own over a common vocabulary; outputs in the manner of each in turn."""
    chance = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(600)]
    common = [1 / (rank + 3) for rank in range(600)]
    names = [f"Author {chr(65 + number)}" for number in range(authors - 1)] + [ATTACKER]
    habits = {name: {word: chance.choices(vocabulary, common, k=4) for word in vocabulary} for name in names}
    texts = {name: _write(habits[name], vocabulary, words, chance) for name in names}
    uploads = tuple(Upload(name, f"Work of {name}", spans_of(text), name) for name, text in texts.items())
    said = tuple(_write(habits[names[n % authors]], vocabulary, 50, chance) for n in range(outputs))
    return World(uploads, said)


def _write(
    habit: Mapping[str, Sequence[str]], vocabulary: Sequence[str], count: int, chance: random.Random
) -> tuple[str, ...]:
    word, text = chance.choice(vocabulary), []
    for _ in range(count):
        word = chance.choice(habit[word]) if chance.random() < 0.95 else chance.choice(vocabulary)
        text.append(word)
    return tuple(text)


# --- training and scoring -------------------------------------------------------------------------------------


def influence(examples: Sequence[Example], texts: Mapping[WorkId, str], outputs: Sequence[Sequence[str]]) -> ScoreTable:
    """scores_QN: derivative of the mean log-likelihood (nats) of each output's words by the weight of each example.

    p(w after c) = (k(c, w) + s u(w)) / (k(c) + s), with counts k over all examples, s the smoothing, u uniform.
    """
    pairs: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    befores: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for n, example in enumerate(examples):
        words = texts[example.work][example.start : example.end].split(" ")
        for before, word in itertools.pairwise(words):
            pairs[before, word][n] += 1
            befores[before][n] += 1
    uniform = 1 / max(1, len(befores))
    scores_QN = np.zeros((len(outputs), len(examples)), dtype=np.float64)
    for q, output in enumerate(outputs):
        for before, word in itertools.pairwise(output):
            seen, after = pairs.get((before, word), Counter()), befores.get(before, Counter())
            top, below = sum(seen.values()) + SMOOTHING * uniform, sum(after.values()) + SMOOTHING
            for n, count in after.items():
                scores_QN[q, n] += (seen[n] / top - count / below) / (len(output) - 1)
    names = tuple(f"query:{q}" for q in range(len(outputs)))
    return ScoreTable(scores_QN.astype(np.float32), names, tuple(example.id for example in examples), "counts")
