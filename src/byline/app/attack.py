"""Attacks on the pay, each made for real on a small world, with and without the defences: what does cheating bring?

The gain is the attacker's income after the attack over the income of the same attacker playing fair, under the same
rules. For self-prompting it is what comes back of the money that was spent. `bound` is what we claim that the defended
gain does not exceed; a test holds every attack to it on several worlds.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from byline.app.attack_corpus import ATTACKER, POLICY, SPAN, Upload, World, pay, small_world
from byline.core import PPM, Record

SLACK_PPM = 50_000
"""What is granted above 1: honest pay of a work moves by a few per cent when others' texts or its own spans change."""

COPIES = 8


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """Gains in parts per million of the honest income, or of the money spent."""

    gain_undefended_ppm: int
    gain_defended_ppm: int
    bound_ppm: int
    says: str


Attack = Callable[[World, random.Random], World]


def run_attacks(seed: int = 0) -> dict[str, Outcome]:
    """Every attack on one world."""
    world = small_world(seed)
    fair = {defended: pay(world, defended=defended)[ATTACKER] for defended in (False, True)}
    found = {}
    for name, (attack, bound, says) in ATTACKS.items():
        attacked = attack(world, random.Random(seed))
        gains = [pay(attacked, defended=on).get(ATTACKER, 0) * PPM // fair[on] for on in (False, True)]
        found[name] = Outcome(gains[0], gains[1], bound(world, attacked), says)
    found["self-prompting"] = self_prompting(world)
    return found


# --- the attacks ----------------------------------------------------------------------------------------------


def duplicate_stuffing(world: World, chance: random.Random) -> World:
    mine = _own(world)
    return _with(world, [replace(mine, title=f"{mine.title}, edition {n}") for n in range(2, COPIES)])


def sock_puppets(world: World, chance: random.Random) -> World:
    mine = _own(world)
    return _with(world, [replace(mine, name=f"Puppet {n}", title=f"Tale {n}") for n in range(COPIES)])


def near_duplicates(world: World, chance: random.Random) -> World:
    """Another author's work with one word in twenty changed, under several names."""
    victim = world.uploads[0]
    copies = [_edited(victim.words, 0.05, chance) for _ in range(COPIES)]
    return _with(world, [Upload(f"Puppet {n}", f"Tale {n}", words, ATTACKER) for n, words in enumerate(copies)])


def excerpt(world: World, chance: random.Random) -> World:
    """A chapter out of each of three works, put into a work of the attacker's own, so that no two works are near."""
    mine, size = _own(world), 300
    stolen = [word for victim in world.uploads[:3] for word in victim.words[size : 2 * size]]
    middle = len(mine.words) // 2 // SPAN * SPAN
    longer = replace(mine, words=(*mine.words[:middle], *stolen, *mine.words[middle:]))
    return replace(world, uploads=tuple(longer if one == mine else one for one in world.uploads))


def slicing(world: World, chance: random.Random) -> World:
    """The attacker's one work cut into several, each under another name."""
    mine, size = _own(world), SPAN * 4
    parts = [mine.words[at : at + size] for at in range(0, len(mine.words), size)]
    rest = tuple(one for one in world.uploads if one != mine)
    puppets = tuple(Upload(f"Puppet {n}", f"Part {n}", part, ATTACKER) for n, part in enumerate(parts))
    return replace(world, uploads=rest + puppets)


def outlier_works(world: World, chance: random.Random) -> World:
    """Works of common words in no order: they influence nothing, and hope for the noise of a measurement."""
    words = [word for upload in world.uploads for word in upload.words]
    junk = [tuple(chance.choice(words) for _ in range(SPAN * 2)) for _ in range(COPIES)]
    return _with(world, [Upload(f"Puppet {n}", f"Poem {n}", text, ATTACKER) for n, text in enumerate(junk)])


def self_prompting(world: World) -> Outcome:
    """The attacker buys outputs that quote the attacker: what comes back of what was spent?

    Undefended, all money is one pool: outputs bought for a tenth of it draw from all of it. Defended, a payment pays by
    its own outputs alone, so that commission and reserve are lost at least.
    """
    mine, count = _own(world).words, len(world.outputs)
    quotes = tuple(mine[at : at + 50] for at in range(0, 50 * count, 50) if len(mine[at : at + 50]) > 1)
    alone = replace(world, outputs=quotes)
    pooled = replace(world, outputs=world.outputs + quotes)
    pool, spent = 10**12, 10**12 // 10
    fair = pay(world, defended=False, revenue_nano=pool)[ATTACKER]
    gained = pay(pooled, defended=False, revenue_nano=pool + spent)[ATTACKER] - fair
    returned = pay(alone, defended=True, revenue_nano=spent)[ATTACKER]
    bound = PPM - POLICY.commission_ppm - POLICY.reserve_ppm
    says = "outputs quoting oneself are bought for a tenth of the pool; the gain is what comes back of the money"
    return Outcome(gained * PPM // spent, returned * PPM // spent, bound, says)


def _own(world: World) -> Upload:
    return next(upload for upload in world.uploads if upload.name == ATTACKER)


def _with(world: World, more: list[Upload]) -> World:
    return replace(world, uploads=world.uploads + tuple(more))


def _edited(words: tuple[str, ...], part: float, chance: random.Random) -> tuple[str, ...]:
    return tuple(chance.choice(words) if chance.random() < part else word for word in words)


# --- what is claimed ------------------------------------------------------------------------------------------


def _nothing(world: World, attacked: World) -> int:
    return PPM + SLACK_PPM


def _diluted(world: World, attacked: World) -> int:
    """The stolen passages earn nothing, but a model that reads them twice is another model, and its influences move."""
    return PPM + 2 * SLACK_PPM


def _by_length(world: World, attacked: World) -> int:
    """A prior by length pays for length, also where it is junk: the attacker's words after over those before."""
    before, after = (sum(len(one.words) for one in w.uploads if one.purse == ATTACKER) for w in (world, attacked))
    return after * PPM // before + SLACK_PPM


ATTACKS: dict[str, tuple[Attack, Callable[[World, World], int], str]] = {
    "duplicate-stuffing": (duplicate_stuffing, _nothing, "one's own work handed in again and again"),
    "sock-puppets": (sock_puppets, _nothing, "one's own work handed in under many names"),
    "near-duplicates": (near_duplicates, _nothing, "another's work, one word in twenty changed, under many names"),
    "excerpt": (excerpt, _diluted, "three stolen chapters inside one's own work"),
    "slicing": (slicing, _nothing, "one's own work cut into many"),
    "outlier-works": (
        outlier_works,
        _by_length,
        "many works of words in no order: a prior by length pays for length",
    ),
}
