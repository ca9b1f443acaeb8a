"""Attacks on the pay, each made for real, with and without the defences: what does cheating bring?

The gain is the attacker's income after the attack over the income of the same attacker playing fair, under the same
rules. For self-prompting it is what comes back of the money that was spent. What waits until a person has looked at it
is no income; the gain if that person lets everything pass is told apart. `bound` is what we claim that the defended
gain does not exceed; tests hold every attack to it, in small worlds (`attack_corpus`) and on a finished run
(`attack_run`).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from byline.app.attack_corpus import ATTACKER, World, small_world, spans_of
from byline.app.attack_pay import POLICY, Guard, Market, Upload, pay
from byline.core import PPM, Record
from byline.ledger import Policy

SLACK_PPM = 50_000
"""What is granted above 1: honest pay of a work moves by a few per cent when others' texts or its own spans change."""

COPIES = 8


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """Gains in parts per million of the honest income, or of the money spent."""

    gain_undefended_ppm: int
    gain_defended_ppm: int
    gain_if_passed_ppm: int
    bound_ppm: int
    says: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Uploads before the attack, and who attacks whom: `victims` in the order in which they are worth copying."""

    uploads: tuple[Upload, ...]
    attacker: str
    victims: tuple[Upload, ...]

    @property
    def own(self) -> Upload:
        """The attacker's longest work."""
        mine = [upload for upload in self.uploads if upload.purse == self.attacker]
        return max(mine, key=lambda upload: len(upload.spans))

    def and_also(self, more: Sequence[Upload]) -> "Scene":
        return replace(self, uploads=self.uploads + tuple(more))

    def puppets(self, what: str, texts: Sequence[tuple[str, ...]]) -> list[Upload]:
        return [Upload(f"Puppet {n}", f"{what} {n}", spans, self.attacker) for n, spans in enumerate(texts)]


Attack = Callable[[Scene, random.Random], Scene]


def run_attacks(seed: int = 0, policy: Policy = POLICY) -> dict[str, Outcome]:
    """Every attack on one small world, paid by a policy."""
    world = small_world(seed)
    scene = Scene(world.uploads, ATTACKER, world.uploads[:3])
    market = replace(world.market(), policy=policy)
    found = outcomes(scene, staged(scene, ATTACKS, random.Random(seed)), ATTACKS, market)
    return {**found, "self-prompting": self_prompting(world, policy)}


def staged(scene: Scene, attacks: Mapping[str, "Entry"], chance: random.Random) -> dict[str, Scene]:
    """Uploads after each attack."""
    return {name: attack(scene, random.Random(chance.random())) for name, (attack, _, _) in attacks.items()}


def outcomes(
    scene: Scene, attacked: Mapping[str, Scene], attacks: Mapping[str, "Entry"], market: Market
) -> dict[str, Outcome]:
    """What each attack brings this attacker; `market` knows the score of every span that an attack makes."""
    founded = replace(market, uploads=scene.uploads, founding=frozenset(upload.text for upload in scene.uploads))
    fair = {guard: pay(founded, guard) for guard in Guard}
    found = {}
    for name, (_, bound, says) in attacks.items():
        after = replace(founded, uploads=attacked[name].uploads)
        gains = [_gain(pay(after, guard), fair[guard], scene.attacker) for guard in Guard]
        found[name] = Outcome(gains[0], gains[1], gains[2], bound(scene, attacked[name]), says)
    return found


def _gain(after: Mapping[str, int], fair: Mapping[str, int], attacker: str) -> int:
    return after.get(attacker, 0) * PPM // max(1, fair.get(attacker, 0))


# --- the attacks ----------------------------------------------------------------------------------------------


def duplicate_stuffing(scene: Scene, chance: random.Random) -> Scene:
    mine = scene.own
    return scene.and_also([replace(mine, title=f"{mine.title}, edition {n}") for n in range(2, COPIES)])


def sock_puppets(scene: Scene, chance: random.Random) -> Scene:
    return scene.and_also(scene.puppets("Tale", [scene.own.spans] * COPIES))


def near_duplicates(scene: Scene, chance: random.Random) -> Scene:
    """Another author's work with one word in twenty changed, under several names."""
    spans = scene.victims[0].spans
    return scene.and_also(scene.puppets("Tale", [_edited(spans, 0.05, chance) for _ in range(COPIES)]))


def excerpt(scene: Scene, chance: random.Random) -> Scene:
    """A chapter out of each of three works, put into a work of the attacker's own, so that no two works are near."""
    mine = scene.own
    size = max(2, len(mine.spans) // 5)
    stolen = [span for victim in scene.victims for span in victim.spans[size : 2 * size]]
    middle = len(mine.spans) // 2
    longer = replace(mine, spans=(*mine.spans[:middle], *stolen, *mine.spans[middle:]))
    return replace(scene, uploads=tuple(longer if one == mine else one for one in scene.uploads))


def slicing(scene: Scene, chance: random.Random) -> Scene:
    """The attacker's longest work cut into several, each under another name."""
    mine = scene.own
    size = max(1, len(mine.spans) // 6)
    parts = [mine.spans[at : at + size] for at in range(0, len(mine.spans), size)]
    rest = replace(scene, uploads=tuple(one for one in scene.uploads if one != mine))
    return rest.and_also(scene.puppets("Part", parts))


def outlier_works(scene: Scene, chance: random.Random) -> Scene:
    """Works of common words in no order: they influence nothing, and hope for the prior and for noise."""
    words = [word for upload in scene.uploads for word in upload.words]
    junk = [spans_of([chance.choice(words) for _ in range(300)]) for _ in range(COPIES)]
    return scene.and_also(scene.puppets("Poem", junk))


def self_prompting(world: World, policy: Policy) -> Outcome:
    """The attacker buys outputs that quote the attacker."""
    mine, count = next(one.words for one in world.uploads if one.name == ATTACKER), len(world.outputs)
    quotes = tuple(mine[at : at + 50] for at in range(0, 50 * count, 50) if len(mine[at : at + 50]) > 1)
    markets = [replace(world, outputs=said).market() for said in (world.outputs, world.outputs + quotes, quotes)]
    return bought_outputs(ATTACKER, *(replace(market, policy=policy) for market in markets))


def bought_outputs(attacker: str, fair: Market, pooled: Market, alone: Market) -> Outcome:
    """Outputs bought for a tenth of the pool: what comes back of what was spent?

    Undefended, all money is one pool: the outputs draw from all of it. Defended, a payment pays by its own outputs
    alone, so that commission and reserve are lost at least.
    """
    pool, spent = 10**12, 10**12 // 10
    before = pay(fair, Guard.OFF, pool).get(attacker, 0)
    gained = pay(pooled, Guard.OFF, pool + spent).get(attacker, 0) - before
    returned = pay(alone, Guard.ON, spent).get(attacker, 0) * PPM // spent
    bound = PPM - alone.policy.commission_ppm - alone.policy.reserve_ppm
    says = "outputs quoting oneself are bought for a tenth of the pool; the gain is what comes back of the money"
    return Outcome(gained * PPM // spent, returned, returned, bound, says)


def _edited(spans: tuple[str, ...], part: float, chance: random.Random) -> tuple[str, ...]:
    words = " ".join(spans).split(" ")
    return tuple(
        " ".join(chance.choice(words) if chance.random() < part else word for word in span.split(" ")) for span in spans
    )


# --- what is claimed ------------------------------------------------------------------------------------------


def nothing(scene: Scene, attacked: Scene) -> int:
    return PPM + SLACK_PPM


def diluted(scene: Scene, attacked: Scene) -> int:
    """The stolen passages earn nothing, but a model that reads them twice is another model, and its influences move."""
    return PPM + 2 * SLACK_PPM


def by_length(scene: Scene, attacked: Scene) -> int:
    """A prior by length pays for length, also where it is junk: the attacker's words after over those before."""
    before, after = (sum(len(u.words) for u in s.uploads if u.purse == scene.attacker) for s in (scene, attacked))
    return after * PPM // before + SLACK_PPM


Entry = tuple[Attack, Callable[[Scene, Scene], int], str]
ATTACKS: dict[str, Entry] = {
    "duplicate-stuffing": (duplicate_stuffing, nothing, "one's own work handed in again and again"),
    "sock-puppets": (sock_puppets, nothing, "one's own work handed in under many names"),
    "near-duplicates": (near_duplicates, nothing, "another's work, one word in twenty changed, under many names"),
    "excerpt": (excerpt, diluted, "three stolen chapters inside one's own work"),
    "slicing": (slicing, nothing, "one's own work cut into many"),
    "outlier-works": (outlier_works, by_length, "works of words in no order; a small catalogue cannot tell"),
}
