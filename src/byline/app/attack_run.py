"""The same attacks on a finished run of a project: its works, its model, its outputs, its scores.

Nothing is trained again. A span that was recorded has the score that the run gives it, and so has every exact copy of
it: a copy pushes the model where its original does. A span that an attack makes up is read by the finished model, its
gradient taken by the same taps that recorded the training, and carried as if it had been read once per epoch; such
scores are brought to the scale of recorded ones by a factor measured on recorded spans. That is a first-order answer:
a model really trained on the attack would share influence out among copies, so what the attacks gain undefended is
overstated, if anything. Scores are those of the sketches (tier 1), which are quick; money goes by the transport.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.app.attack import ATTACKS, COPIES, Entry, Outcome, Scene, bought_outputs, by_length, outcomes
from byline.app.attack_pay import Market, Upload
from byline.app.home import read_kept
from byline.app.model import Progress, Training, silent
from byline.core import AppError, Example, ScoreTable, WorkId
from byline.training import Query, generate, token_log_likelihood

Floats = npt.NDArray[np.float32]
ATTACKERS = 3
SAMPLE = 200  # recorded spans on which the scale of made-up ones is measured

# Suffixes: Q queries, N recorded examples, M made-up spans, K features


@dataclass(frozen=True, slots=True)
class Found(Outcome):
    """The worst of several attackers: the one with the largest defended gain."""

    attacker: str


@dataclass(eq=False)
class Book:
    """What every span is worth to some outputs: recorded ones from the run, others measured once and kept."""

    training: Training
    queries: Mapping[str, Query]

    def score(self, examples: Sequence[Example], texts: Mapping[WorkId, str]) -> ScoreTable:
        spans = [texts[example.work][example.start : example.end] for example in examples]
        self._measure([span for span in dict.fromkeys(spans) if span not in self._known])
        scores_QN = np.stack([self._known[span] for span in spans], axis=1)
        return ScoreTable(scores_QN, tuple(self.queries), tuple(example.id for example in examples), "sketch")

    @cached_property
    def _known(self) -> dict[str, Floats]:
        return dict(zip(spans_by_example(self.training).values(), self._recorded_QN.T, strict=True))

    @cached_property
    def _recorded_QN(self) -> Floats:
        run = self.training.run
        return run.score(self.training.model(), self.queries, _mean, self.training.sketch).scores_QN

    @cached_property
    def _turned_QK(self) -> Floats:
        """Queries as a visit at the average step of the run would meet them: what a new row is multiplied with."""
        sketch, store = self.training.sketch, self.training.run.store
        queries_QK = self.training.run.featurise(self.training.model(), self.queries, _mean)
        turned_QK = np.zeros_like(queries_QK)
        for columns, vectors, weights_SK in zip(sketch.columns_, sketch.vectors_, sketch.weights_, strict=True):
            mean_K = weights_SK[store.steps_N].mean(0)
            turned_QK[:, columns] = ((queries_QK[:, columns] @ vectors) * mean_K) @ vectors.T
        return turned_QK

    @cached_property
    def scale(self) -> float:
        """Recorded over made-up: root mean square of the scores of the same spans."""
        spans = list(spans_by_example(self.training).values())
        draw = random.Random(0).sample(range(len(spans)), min(SAMPLE, len(spans)))
        again_QM = self._raw([spans[n] for n in draw])
        return float(np.sqrt((self._recorded_QN[:, draw] ** 2).mean() / (again_QM**2).mean()))

    def _measure(self, spans: Sequence[str]) -> None:
        if spans:
            for span, column_Q in zip(spans, (self.scale * self._raw(spans)).T, strict=True):
                self._known[span] = column_Q.astype(np.float32)

    def _raw(self, spans: Sequence[str]) -> Floats:
        """(Q, M): a row is minus the gradient of the log-likelihood, and a step goes against it: the signs cancel."""
        tokens = {f"span {n}": Query(_tokens(self.training, span), 1) for n, span in enumerate(spans)}
        rows_MK = self.training.run.featurise(self.training.model(), tokens, _mean)
        return np.asarray(self._turned_QK @ rows_MK.T)


def _mean(model: nn.Module, query: Query) -> Tensor:
    values_T = token_log_likelihood(model, torch.tensor([query.tokens]))[0]
    return values_T[max(query.start - 1, 0) :].mean()


def _tokens(training: Training, span: str) -> tuple[int, ...]:
    ids: list[int] = training.corpus.tokenizer.encode(span).ids
    return tuple(ids[: training.recipe.sequence])


@lru_cache(maxsize=1)  # the same for every book of outputs
def spans_by_example(training: Training) -> dict[str, str]:
    """Text of every recorded span, one blank between words, in the order of the run's examples."""
    texts = {entry.work: training.home.registry.text(entry.work) for entry in training.manifest.entries}
    return {e.id: " ".join(texts[e.work][e.start : e.end].split()) for e in training.examples()}


def uploads_of(training: Training) -> tuple[Upload, ...]:
    """The trained works in the order of registration, of each what the model read."""
    spans: dict[WorkId, list[tuple[int, str]]] = {}
    for example, text in zip(training.examples(), spans_by_example(training).values(), strict=True):
        spans.setdefault(example.work, []).append((example.start, text))
    order = training.home.registry.registration_order()
    return tuple(
        Upload(
            training.credit(w), training.home.works[w].title, tuple(t for _, t in sorted(spans[w])), training.credit(w)
        )
        for w in sorted(spans, key=order.__getitem__)
    )


def period_queries(training: Training) -> dict[str, Query]:
    """The outputs that the period's money went by. Raises: AppError("not-made-yet"), AppError("no-passage")."""
    told = read_kept(training.home, training.name, "attribution")["passages"]
    chosen = [one for one in told if one["kind"] == "generated"] or told
    if not chosen:
        raise AppError("no-passage", f"{training.name} was asked about nothing", "byline attribute")
    return {one["id"]: Query(tuple(one["tokens"]), one["start"]) for one in chosen}


def attack_training(training: Training, seed: int = 0, progress: Progress = silent) -> dict[str, Found]:
    """Every attack by the contributors at the quartiles of fair pay; of each attack, the attacker who gains most."""
    uploads, book = uploads_of(training), Book(training, period_queries(training))
    measured = read_kept(training.home, training.name, "evaluation")["reliability"]["lambda_ppm"]
    market = Market(uploads, book.score, int(measured))
    ranked = _by_pay(market)
    attacks = {**ATTACKS, "machine-written": _machine_written(training, uploads)}
    worst: dict[str, Found] = {}
    for number, attacker in enumerate(_quartiles(ranked), 1):
        progress("attacking a finished run", number, ATTACKERS)
        scene = Scene(uploads, attacker, _victims(uploads, ranked, attacker))
        found = outcomes(scene, market, attacks, random.Random(seed))
        found["self-prompting"] = _self_prompting(training, scene, market)
        for name, each in found.items():
            if name not in worst or each.gain_defended_ppm - each.bound_ppm > _margin(worst[name]):
                worst[name] = Found(**{**{f: getattr(each, f) for f in Outcome.__slots__}, "attacker": attacker})
    return worst


def _margin(found: Outcome) -> int:
    return found.gain_defended_ppm - found.bound_ppm


def _by_pay(market: Market) -> list[str]:
    """Names by what they earn without any attack, least first; who earns nothing cannot gain a multiple of it."""
    from byline.app.attack_pay import pay

    fair = pay(market, defended=True)
    return sorted((name for name, nano in fair.items() if nano), key=lambda name: (fair[name], name))


def _quartiles(ranked: Sequence[str]) -> list[str]:
    return [ranked[len(ranked) * part // (ATTACKERS + 1)] for part in range(1, ATTACKERS + 1)]


def _victims(uploads: Sequence[Upload], ranked: Sequence[str], attacker: str) -> tuple[Upload, ...]:
    """A work each of the three others who earn most: of them it pays to take."""
    rich = [name for name in reversed(ranked) if name != attacker][:3]
    return tuple(max((u for u in uploads if u.purse == name), key=lambda u: len(u.spans)) for name in rich)


def _machine_written(training: Training, uploads: Sequence[Upload]) -> Entry:
    """Works that the attacked model itself wrote: they read like language, and nothing here tells them from it."""
    texts: list[tuple[str, ...]] = []

    def attack(scene: Scene, chance: random.Random) -> Scene:
        if not texts:  # writing takes longest; every attacker sends in the same
            texts.extend(_essays(training, uploads))
        return scene.and_also(scene.puppets("Essay", texts))

    return attack, by_length, "works that the model wrote; nothing here tells them from honest ones"


def _essays(training: Training, uploads: Sequence[Upload]) -> list[tuple[str, ...]]:
    """`COPIES` works of two spans each, begun with the first words of other works."""
    model, chance = training.model(), random.Random(training.recipe.seed)
    begun = [" ".join(chance.choice(uploads).words[:4]) for _ in range(2 * COPIES)]
    written = [_written(training, model, prompt, seed) for seed, prompt in enumerate(begun)]
    return [(written[at], written[at + 1]) for at in range(0, len(written), 2)]


def _written(training: Training, model: nn.Module, prompt: str, seed: int) -> str:
    made = generate(model, list(_tokens(training, prompt)), training.recipe.sequence - 16, seed=seed)
    return " ".join(training.corpus.tokenizer.decode(made).split())


def _self_prompting(training: Training, scene: Scene, market: Market) -> Outcome:
    """The attacker buys outputs that repeat what the attacker wrote."""
    said = period_queries(training)
    own = {f"quote {n}": Query(_tokens(training, span), 1) for n, span in enumerate(scene.own.spans)}
    books = (Book(training, queries) for queries in (said, {**said, **own}, own))
    fair = replace(market, uploads=scene.uploads)
    return bought_outputs(scene.attacker, *(replace(fair, score=book.score) for book in books))
