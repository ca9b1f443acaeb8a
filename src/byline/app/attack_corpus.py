"""A small world to attack: authors, a model that counts, and pay with and without the defences.

The model predicts a word from the one before it by counting, so training takes milliseconds and the influence of an
example on an output is known exactly: it is the derivative of the output's log-likelihood by the example's weight.
Everything after the scores is what pays in earnest: the gate, shares by cluster, and the settlement in nano-units.
"""

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from byline.attribution import group_scores, share_table
from byline.core import (
    PPB,
    PPM,
    Contribution,
    EventId,
    Example,
    Reliability,
    RevenueEvent,
    Role,
    ScoreTable,
    Share,
    ShareTable,
    Split,
    Verdict,
    Work,
    WorkId,
    account_id,
    cluster_id,
    example_id,
    party_id,
    quantise,
    sha256_hex,
    work_id,
)
from byline.gate import credited_works, decide_all, find_clusters, find_excerpts, own_lengths
from byline.ledger import Policy, Prior, Stake, Terms, Unattributed, payable, settle

DAY = date(2026, 9, 1)
SPAN = 60  # words of an example
SMOOTHING = 60.0  # examples of a base model that were read before: it keeps the scores from adding up to zero
LAMBDA_PPM = 600_000
ATTACKER = "Attacker"
POLICY = Policy(
    id="policy:attack",
    version=1,
    effective=DAY - timedelta(30),
    commission_ppm=100_000,
    reserve_ppm=50_000,
    train_share_ppm=200_000,
    prior=Prior.LENGTH,
    unattributed=Unattributed.COMMONS,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A text as somebody handed it in. Sock puppets share a purse: `name` uploads, `purse` gets the money."""

    name: str
    title: str
    words: tuple[str, ...]
    purse: str

    def work(self) -> Work:
        account = account_id(self.name)
        text = " ".join(self.words)
        return Work(
            id=work_id(account, self.title, sha256_hex(text.encode())),
            title=self.title,
            kind="text",
            account=account,
            contributions=(Contribution(party_id(self.name), Role.AUTHOR),),
            created=DAY,
            source="",
            licence="CC0-1.0",
            sha256=sha256_hex(text.encode()),
        )


@dataclass(frozen=True, slots=True)
class World:
    """Uploads in the order of registration, and the outputs that were sold."""

    uploads: tuple[Upload, ...]
    outputs: tuple[tuple[str, ...], ...]


def small_world(seed: int = 0, authors: int = 8, words: int = 1500, outputs: int = 64) -> World:
    """Authors who write from habits of their own over a common vocabulary; outputs in the manner of each in turn."""
    chance = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(600)]
    common = [1 / (rank + 3) for rank in range(600)]
    names = [f"Author {chr(65 + number)}" for number in range(authors - 1)] + [ATTACKER]
    habits = {name: {word: chance.choices(vocabulary, common, k=4) for word in vocabulary} for name in names}
    texts = {name: _write(habits[name], vocabulary, words, chance) for name in names}
    uploads = tuple(Upload(name, f"Work of {name}", text, name) for name, text in texts.items())
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


def examples_of(works: Sequence[Work], texts: Mapping[WorkId, str]) -> list[Example]:
    """Spans of `SPAN` words of every work."""
    made = []
    for work in works:
        words, at = texts[work.id].split(" "), 0
        for first in range(0, len(words), SPAN):
            text = " ".join(words[first : first + SPAN])
            sha256, end = sha256_hex(text.encode()), at + len(text)
            made.append(Example(example_id(work.id, at, end, sha256), work.id, at, end, sha256))
            at = end + 1
    return made


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


# --- pay ------------------------------------------------------------------------------------------------------


def pay(world: World, *, defended: bool, revenue_nano: int = 10**12) -> dict[str, int]:
    """Nano-units that each purse gets for the outputs of `world`."""
    works = [upload.work() for upload in world.uploads]
    texts = {work.id: " ".join(upload.words) for work, upload in zip(works, world.uploads, strict=True)}
    shares, stakes = _defended(works, texts, world) if defended else _undefended(works, texts, world)
    splits = [Split(work.id, ((work.contributions[0].party, PPM),), DAY - timedelta(99)) for work in works]
    reliability = Reliability("run:attack", "counts", LAMBDA_PPM, LAMBDA_PPM, LAMBDA_PPM, 1, "0" * 64)
    terms = Terms(POLICY, reliability, DAY - timedelta(9))
    event = RevenueEvent(EventId("event:attack"), "Licensee", str(revenue_nano), "EUR", DAY)
    settled = settle([event], shares, stakes, splits, terms)
    purses = {payable(party_id(upload.name)): upload.purse for upload in world.uploads}
    income: Counter[str] = Counter()
    for line in settled.lines:
        if line.account in purses:
            income[purses[line.account]] += line.nano
    return dict(income)


def _defended(works: Sequence[Work], texts: Mapping[WorkId, str], world: World) -> tuple[ShareTable, list[Stake]]:
    """Gate first; influence by cluster, stolen passages to whom they were taken from, summed before it is clipped."""
    clusters, excerpts = find_clusters(works, texts), find_excerpts(works, texts)
    verdicts = {decision.work: decision.verdict for decision in decide_all(works, clusters, [], DAY)}
    admitted = [work for work in works if verdicts[work.id] is Verdict.ADMIT]
    examples = examples_of(admitted, texts)
    cluster_of = dict(clusters.cluster_of)
    groups = [cluster_of[work] for work in credited_works(examples, excerpts)]
    found = group_scores(influence(examples, texts, world.outputs), groups)
    lengths = own_lengths({work.id: len(texts[work.id]) for work in admitted}, excerpts)
    canonical = [work for work in admitted if cluster_id(work.id) == cluster_of[work.id]]
    stakes = [Stake(cluster_of[work.id], lengths[work.id], ((work.id, 1),)) for work in canonical]
    return share_table(found, "period", "cluster", "counts", "run:attack"), stakes


def _undefended(works: Sequence[Work], texts: Mapping[WorkId, str], world: World) -> tuple[ShareTable, list[Stake]]:
    """Every upload for itself, clipped output by output: what a plain similarity or influence scheme does."""
    examples = examples_of(works, texts)
    names, sums_QG = influence(examples, texts, world.outputs).sum_by([example.work for example in examples])
    kept_QG = np.maximum(sums_QG, 0)
    parts_G = (kept_QG / np.maximum(kept_QG.sum(1, keepdims=True), 1e-12)).mean(0)
    parts = quantise([*parts_G, max(0.0, 1 - math.fsum(parts_G))], PPB)[:-1]
    lines = tuple(Share(cluster_id(WorkId(name)), part, part, part) for name, part in zip(names, parts, strict=True))
    stakes = [Stake(cluster_id(work.id), len(texts[work.id]), ((work.id, 1),)) for work in works]
    rest = PPB - sum(parts)
    return ShareTable("period", "cluster", "counts", "run:attack", 900_000, lines, rest), stakes
