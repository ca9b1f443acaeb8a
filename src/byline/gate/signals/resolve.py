"""From many observations to one reading per use.

1. Inside a family the carrier that stands closer to the work speaks: its statement replaces those further away,
   category by category; what it leaves open it does not reset.
2. Across families the strictest reading of each category holds: a no, else a condition, else a yes, else unknown.
3. Where something could not be read, no yes stands: the unread might have been a no.
4. A grant whose scope covers the use lifts what was left, and the record says so. It lifts nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from byline.core import Problem, Record
from byline.gate.signals.observation import Category, Observation, Reading, strictest
from byline.gate.signals.patterns import path_of
from byline.gate.signals.rsl_link import linked

# Further away first. Carriers of a family that are not listed are all as close as each other.
CLOSENESS = {"tdmrep": ("tdmrep.json", "http-header", "html-meta", "epub", "pdf", "xmp")}
SAME_PLACE = {"epub": "embedded", "pdf": "embedded", "xmp": "embedded"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A licence or consent that is held. uses: what it covers. evidence: id of the contract or consent."""

    evidence: str
    uses: frozenset[Category]
    begins: date
    ends: date | None = None

    def covers(self, category: Category, on: date) -> bool:
        return category in self.uses and self.begins <= on and (self.ends is None or on <= self.ends)


@dataclass(frozen=True, slots=True)
class Resolved(Record):
    """The reading of one category, and what it rests on: rules, problems or the grant, in words. lifted: what the
    signals alone would have said where a grant changed it, else ""."""

    category: Category
    reading: Reading
    because: tuple[str, ...]
    duties: tuple[str, ...] = ()
    lifted: str = ""


def resolve(
    observations: Sequence[Observation],
    problems: Sequence[Problem] = (),
    *,
    grants: Sequence[Grant] = (),
    on: date | None = None,
    media: str = "",
) -> tuple[Resolved, ...]:
    """One reading per category, in the order of `Category`.

    observations, problems: of one target. on: the day of use; needed for grants to count. media: the kind of the
    target ("image"); what is said of another kind is left out, what is said of images counts where it is not known.
    """
    about = [seen for seen in observations if not seen.media or not media or seen.media == media]
    spoken = _without_read_links(about)
    return tuple(_resolved(category, spoken, problems, grants, on) for category in Category)


def canonical(resolved: Iterable[Resolved]) -> dict[str, str]:
    """Category to reading, as plain text: what the gate takes as facts."""
    return {each.category.value: each.reading.value for each in resolved}


def access(observations: Iterable[Observation]) -> Reading:
    """May the crawler fetch it? Not a use, and never a consent to one."""
    return strictest(seen.access for seen in observations)


def _resolved(
    category: Category,
    observations: Sequence[Observation],
    problems: Sequence[Problem],
    grants: Sequence[Grant],
    on: date | None,
) -> Resolved:
    families: defaultdict[str, list[Observation]] = defaultdict(list)
    for seen in observations:
        if seen.reading(category) is not Reading.UNKNOWN:
            families[seen.family].append(seen)
    closest = [seen for family, members in families.items() for seen in _closest(family, members)]
    reading = strictest(seen.reading(category) for seen in closest)
    deciding = [seen for seen in closest if seen.reading(category) is reading]
    because = tuple(f"{seen.carrier}: {seen.rule}" for seen in deciding) or ("nothing is said",)
    duties = tuple(dict.fromkeys(duty for seen in deciding for duty in seen.duties))
    if problems and reading in (Reading.ALLOW, Reading.UNKNOWN):
        because = tuple(f"unread: {fault}" for fault in problems)
        reading, duties = Reading.UNKNOWN, ()
    held = [grant for grant in grants if on is not None and grant.covers(category, on)]
    if held and reading is not Reading.ALLOW:
        lifted = tuple(f"granted by {grant.evidence}" for grant in held)
        return Resolved(category, Reading.ALLOW, (*lifted, *because), (), reading.value)
    return Resolved(category, reading, because, duties)


def _closest(family: str, members: list[Observation]) -> list[Observation]:
    order = CLOSENESS.get(family)
    if order is None:
        return members
    rank = max(_rank(order, seen) for seen in members)
    return [seen for seen in members if _rank(order, seen) == rank]


def _rank(order: Sequence[str], seen: Observation) -> int:
    place = SAME_PLACE.get(seen.carrier, seen.carrier)
    return next((n for n, carrier in enumerate(order) if SAME_PLACE.get(carrier, carrier) == place), -1)


def _without_read_links(observations: Sequence[Observation]) -> list[Observation]:
    """A link to a licence is a condition until that licence was read; then the licence speaks for itself."""
    read = [seen.source for seen in observations if seen.carrier == "rsl"]
    return [seen for seen in observations if not _was_read(linked(seen), read)]


def _was_read(url: str, sources: Sequence[str]) -> bool:
    """By its address; or, in a folder that mirrors a site, by its path."""
    if not url:
        return False
    path = path_of(url).partition("?")[0]
    return any(source == url or ("://" not in source and source.endswith(path) and path != "/") for source in sources)


def overall(resolved: Sequence[Resolved], categories: Iterable[Category]) -> Reading:
    """The reading of several uses at once: a yes only if each has one."""
    asked = set(categories)
    readings = [each.reading for each in resolved if each.category in asked]
    if all(reading is Reading.ALLOW for reading in readings):
        return Reading.ALLOW if readings else Reading.UNKNOWN
    return strictest(reading for reading in readings if reading is not Reading.ALLOW)
