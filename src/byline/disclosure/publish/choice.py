"""A contributor's choice: for each of six uses a yes, a no, a yes on terms, or nothing said."""

from collections.abc import Mapping
from dataclasses import dataclass

from byline.core import DisclosureError
from byline.gate.signals import Category, Reading

MINE = (Category.TDM, Category.TRAIN_GEN, Category.TRAIN_OTHER)
TRAIN = (Category.TRAIN_GEN, Category.TRAIN_OTHER)
EVERY = tuple(Category)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is said of each use; a use that is absent is left open. `terms`: address of the terms of a yes on terms."""

    said: Mapping[Category, Reading]
    terms: str = ""

    def __getitem__(self, category: Category) -> Reading:
        return self.said.get(category, Reading.UNKNOWN)

    def same(self, categories: tuple[Category, ...]) -> Reading | None:
        """The one reading of all these uses; None if they differ."""
        readings = {self[category] for category in categories}
        return readings.pop() if len(readings) == 1 else None

    def to_json(self) -> dict[str, str]:
        return {category.value: self[category].value for category in Category}


def _all(reading: Reading, categories: tuple[Category, ...]) -> dict[Category, Reading]:
    return dict.fromkeys(categories, reading)


SHORT: Mapping[str, Mapping[Category, Reading]] = {
    "no": _all(Reading.DENY, EVERY),
    "no-ai": _all(Reading.DENY, (*MINE, Category.GROUND)) | _all(Reading.ALLOW, (Category.INDEX, Category.SEARCH)),
    "no-training": _all(Reading.DENY, MINE),
    "no-generative": _all(Reading.DENY, (Category.TRAIN_GEN,)),
    "paid-training": _all(Reading.CONDITIONAL, MINE),
    "yes": _all(Reading.ALLOW, EVERY),
}
"""Choices that have a name."""


def parse_choice(text: str, terms: str = "") -> Choice:
    """A named choice, or `use=reading` with commas; a later part stands over an earlier one.

    Raises: DisclosureError("bad-choice"), DisclosureError("no-terms") for a yes on terms without an address.
    """
    said: dict[Category, Reading] = {}
    for word in (part.strip() for part in text.split(",")):
        use, sign, reading = word.partition("=")
        if not sign and word in SHORT:
            said |= SHORT[word]
            continue
        try:
            said[Category(use.strip())] = Reading(reading.strip())
        except ValueError:
            fix = f"{', '.join(SHORT)}, or train.gen=deny,search=allow (uses: {', '.join(Category)})"
            raise DisclosureError("bad-choice", f"{word!r} is no choice", fix) from None
    stated = {category: reading for category, reading in said.items() if reading is not Reading.UNKNOWN}
    if Reading.CONDITIONAL in stated.values() and "://" not in terms:
        raise DisclosureError("no-terms", "a yes on terms needs the address of the terms", "--terms https://...")
    if not stated:
        raise DisclosureError("bad-choice", "the choice says nothing", f"name one of {', '.join(SHORT)}")
    return Choice(stated, terms)
