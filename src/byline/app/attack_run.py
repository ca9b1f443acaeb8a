"""The same attacks on a finished run of a project: its works, its model, its outputs, and the scores that pay.

Nothing is trained again: `attack_read` says what that means for spans that an attack makes up.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from byline.app.attack import ATTACKS, COPIES, Entry, Outcome, Scene, bought_outputs, by_length, outcomes, staged
from byline.app.attack_pay import POLICY, Doubts, Market, Upload
from byline.app.attack_read import Book, read_spans, spans_by_example, tokens_of
from byline.app.echo import text_excess, usual_excess
from byline.app.home import read_kept
from byline.app.model import Progress, Training, silent
from byline.core import AppError, ShareTable, WorkId
from byline.evaluation import Channelled
from byline.gate import Echo, find_echoes
from byline.ledger import Policy
from byline.training import Query, generate

ATTACKERS = 3
PERIOD = "period"
MACHINE, TEMPERATURES = "machine-written", (0.7, 1.0, 1.3, 1.6)


@dataclass(frozen=True, slots=True)
class Found(Outcome):
    """The worst of several attackers: the one whose defended gain is furthest above the bound, or least below it."""

    attacker: str


def attack_training(
    training: Training,
    seed: int = 0,
    progress: Progress = silent,
    policy: Policy = POLICY,
    weights: Channelled | None = None,
) -> dict[str, Found]:
    """Every attack by the contributors at the quartiles of what the period owes; of each attack, the one who gains
    most. `weights`: of the blend that pays. Raises: AppError("not-made-yet"), AppError("no-passage")."""
    uploads, outputs = uploads_of(training), period_outputs(training)
    ranked = _by_share(training, uploads)
    attacks = ATTACKS | {f"{MACHINE} at {t}": _machine_written(training, uploads, t) for t in TEMPERATURES}
    scenes = [Scene(uploads, name, _victims(uploads, ranked, name)) for name in _quartiles(ranked)]
    attacked = [staged(scene, attacks, random.Random(seed)) for scene in scenes]
    queries = {PERIOD: outputs} | {scene.attacker: quotes(training, scene) for scene in scenes}
    book = read_spans(training, queries, _spans(one for each in attacked for one in each.values()), progress, weights)
    measured = int(read_kept(training.home, training.name, "evaluation")["reliability"]["lambda_ppm"])
    doubts, worst = _doubts(training, uploads), dict[str, Found]()
    for scene, after in zip(scenes, attacked, strict=True):
        found = outcomes(scene, after, attacks, Market(uploads, book.of(PERIOD), measured, doubts, policy=policy))
        found["self-prompting"] = _self_prompting(scene, book, measured, policy)
        for name, each in _best_variants(found).items():
            if name not in worst or _margin(each) > _margin(worst[name]):
                worst[name] = Found(**{f: getattr(each, f) for f in Outcome.__slots__}, attacker=scene.attacker)
    return worst


def _best_variants(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Of an attack in several variants the one that gains most by each way of paying."""
    best: dict[str, Outcome] = {}
    for variant, each in found.items():
        name = variant.partition(" at ")[0]
        known = best.get(name, each)
        worse = max(known, each, key=_margin)
        best[name] = replace(
            worse,
            gain_undefended_ppm=max(known.gain_undefended_ppm, each.gain_undefended_ppm),
            gain_if_passed_ppm=max(known.gain_if_passed_ppm, each.gain_if_passed_ppm),
        )
    return best


def _margin(found: Outcome) -> int:
    return found.gain_defended_ppm - found.bound_ppm


def _spans(scenes: Iterable[Scene]) -> list[str]:
    return [span for scene in scenes for upload in scene.uploads for span in upload.spans]


# --- who, whom, and with what ---------------------------------------------------------------------------------


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


def period_outputs(training: Training) -> tuple[Query, ...]:
    """The outputs that the period's money went by. Raises: AppError("not-made-yet"), AppError("no-passage")."""
    told = read_kept(training.home, training.name, "attribution")["passages"]
    chosen = [one for one in told if one["kind"] == "generated"] or told
    if not chosen:
        raise AppError("no-passage", f"{training.name} was asked about nothing", "byline attribute")
    return tuple(Query(tuple(one["tokens"]), one["start"]) for one in chosen)


def _by_share(training: Training, uploads: Sequence[Upload]) -> list[str]:
    """Names by their share of the period, least first; who has none cannot gain a multiple of it, unless
    nobody has any and all is paid by length."""
    table = ShareTable.from_json(read_kept(training.home, training.name, "attribution")["period"])
    owners, shares = training.owners(), Counter[str]()
    for line in table.lines:
        for name in owners[line.id]:
            shares[name] += line.ppb
    paid = {upload.purse for upload in uploads if shares[upload.purse] or not any(shares.values())}
    return sorted(paid, key=lambda name: (shares[name], name))


def _quartiles(ranked: Sequence[str]) -> list[str]:
    return [ranked[len(ranked) * part // (ATTACKERS + 1)] for part in range(1, ATTACKERS + 1)]


def _victims(uploads: Sequence[Upload], ranked: Sequence[str], attacker: str) -> tuple[Upload, ...]:
    """A work each of the three others with the largest shares: of them it pays to take."""
    rich = [name for name in reversed(ranked) if name != attacker][:3]
    return tuple(max((u for u in uploads if u.purse == name), key=lambda u: len(u.spans)) for name in rich)


def _machine_written(training: Training, uploads: Sequence[Upload], temperature: float) -> Entry:
    """Works that the attacked model itself wrote; at a higher temperature they are harder to tell, and pay less."""
    texts: list[tuple[str, ...]] = []

    def attack(scene: Scene, chance: random.Random) -> Scene:
        if not texts:  # writing takes longest; every attacker sends in the same
            texts.extend(_essays(training, uploads, temperature))
        return scene.and_also(scene.puppets("Essay", texts))

    return attack, by_length, f"works that the model wrote; of four temperatures {temperature} pays best"


def _essays(training: Training, uploads: Sequence[Upload], temperature: float) -> list[tuple[str, ...]]:
    """`COPIES` works of two spans each, begun with the first words of other works."""
    model, chance = training.model(), random.Random(training.recipe.seed)
    begun = [" ".join(chance.choice(uploads).words[:4]) for _ in range(2 * COPIES)]
    written = [_written(training, model, prompt, seed, temperature) for seed, prompt in enumerate(begun)]
    return [(written[at], written[at + 1]) for at in range(0, len(written), 2)]


def _written(training: Training, model: nn.Module, prompt: str, seed: int, temperature: float) -> str:
    begun = tokens_of(training, prompt)
    made = generate(model, begun, training.recipe.sequence - len(begun), seed, temperature)
    return " ".join(training.corpus.tokenizer.decode(made).split())


def _doubts(training: Training, uploads: Sequence[Upload]) -> Doubts:
    """As the gate before the next training: what is new is read by this model, what this one was trained on is not."""
    usual, known = usual_excess(training), {upload.text for upload in uploads}
    kept: dict[str, float | None] = {}

    def doubts(texts: Mapping[WorkId, str]) -> tuple[Echo, ...]:
        new = [text for text in texts.values() if text not in known and text not in kept]
        kept.update(zip(new, text_excess(training, new), strict=True))
        excess = {work: kept.get(text) for work, text in texts.items()}
        return find_echoes({w: value for w, value in excess.items() if value is not None}, usual, training.name)

    return doubts


def quotes(training: Training, scene: Scene) -> tuple[Query, ...]:
    """Outputs that repeat what the attacker wrote."""
    return tuple(Query(tokens_of(training, span), 1) for span in scene.own.spans)


def _self_prompting(scene: Scene, book: Book, measured: int, policy: Policy) -> Outcome:
    """The attacker buys such outputs."""
    asked = ((PERIOD,), (PERIOD, scene.attacker), (scene.attacker,))
    markets = (Market(scene.uploads, book.of(*queries), measured, policy=policy) for queries in asked)
    return bought_outputs(scene.attacker, *markets)
