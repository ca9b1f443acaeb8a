"""A filing: the fields of one form about one training, what it rests on, and its digest.

    {"format", "regime", "version", "made", "facts", "fields": [...], "supersedes"}

`facts` repeats the counts, dates, modalities and sizes of the records, so that a filing can be held against them later.
It is kept and published as the body of a signed document, whose salted digest stands in the transparency log.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from byline.core import CoreError, DisclosureError, digest
from byline.disclosure.filings.corpus import FACTS, Corpus
from byline.disclosure.filings.items import Answer, Derived, Disagreement, Field, Item, State, Value, fill, shown

FORMAT = "byline-filing-1"
_KEYS = {"format", "regime", "version", "made", "facts", "fields", "supersedes"}
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Regime:
    """One kind of filing.

    source: the law or specification, and how sure we are of its text. subject: the item that names what it is about.
    derive: what the records say of its items. cross: what a person answered and the records exclude. document: the file
    in the format that machines ask for, with its name `file`; None for a form that people read.
    """

    name: str
    title: str
    source: str
    items: tuple[Item, ...]
    subject: str
    derive: Callable[[Corpus, Mapping[str, Answer]], dict[str, Derived]]
    cross: Callable[[Corpus, Values], list[Disagreement]] = lambda corpus, values: []
    document: Callable[["Filing", Corpus], dict[str, Any]] | None = None
    file: str = ""

    def item(self, item_id: str) -> Item | None:
        return next((item for item in self.items if item.id == item_id), None)


@dataclass(frozen=True)
class Filing:
    regime: Regime
    version: int
    made: date
    facts: dict[str, Any]
    fields: tuple[Field, ...]
    supersedes: str = ""

    @property
    def values(self) -> dict[str, Value]:
        return {field.item.id: field.value for field in self.fields if field.value is not None}

    @property
    def open(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.state is State.OPEN)

    @property
    def draft(self) -> bool:
        return bool(self.open)

    def field(self, item_id: str) -> Field:
        return next(field for field in self.fields if field.item.id == item_id)

    def text(self, item_id: str) -> str:
        """The answer as text, "" if there is none."""
        value = self.values.get(item_id)
        return "" if value is None else shown(value)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "regime": self.regime.name,
            "version": self.version,
            "made": self.made.isoformat(),
            "facts": self.facts,
            "fields": [field.to_json() for field in self.fields],
            "supersedes": self.supersedes,
        }

    def digest(self) -> str:
        """Of all that it says; for what supersedes it."""
        return digest(self.to_json())

    def content(self) -> str:
        """Digest of what it says, whenever it was made: equal for two filings that say the same."""
        told = [field.to_json() for field in self.fields if field.item.id not in TIMES]
        return digest([self.regime.name, self.facts, told])

    @classmethod
    def from_json(cls, value: Any, regimes: Mapping[str, Regime]) -> Self:
        """Raises: DisclosureError("not-a-filing")."""
        try:
            if not isinstance(value, dict) or set(value) != _KEYS or value["format"] != FORMAT:
                raise CoreError("bad-record", f"it does not have exactly the fields {', '.join(sorted(_KEYS))}")
            regime = regimes[value["regime"]]
            items = {item.id: item for item in regime.items}
            fields = tuple(Field.from_json(field, items) for field in value["fields"])
            names = [field.item.id for field in fields]
            if len(set(names)) != len(names) or not {"version", "last_update"} <= set(names):
                raise CoreError("bad-record", "a field stands twice, or its version is missing")
            if set(value["facts"]) != set(FACTS) or type(value["supersedes"]) is not str:
                raise CoreError("bad-record", "its facts or what it supersedes have not the right form")
            made, version = date.fromisoformat(value["made"]), int(value["version"])
            return cls(regime, version, made, value["facts"], fields, value["supersedes"])
        except (CoreError, KeyError, TypeError, ValueError, AttributeError) as fault:
            raise DisclosureError("not-a-filing", f"not a filing: {fault}", "name a filing.json") from fault


TIMES = ("version", "first_made", "last_update")  # fields that say when a filing was made, not what it says


def make_filing(
    regime: Regime, corpus: Corpus, answers: Mapping[str, Answer], made: date, before: Filing | None = None
) -> Filing:
    """The filing as the records and the answers have it; `before` is the newest one of the same training.

    If nothing has changed since, it is `before` itself. Raises: DisclosureError("filing-disagrees") with every
    disagreement between the answers and the records.
    """
    derived = regime.derive(corpus, answers)
    version = before.version + 1 if before else 1
    derived |= {
        "version": Derived(version, "counted by Byline"),
        "first_made": Derived(_first_made(before) or str(made), "the day the first version was made"),
        "last_update": Derived(str(made), "the day it is made"),
    }
    fields, faults = fill(regime.items, derived, answers)
    values = {field.item.id: field.value for field in fields if field.value is not None}
    refuse([*faults, *regime.cross(corpus, values), *_later(answers, made)], regime)
    supersedes = before.digest() if before else ""
    filing = Filing(regime, version, made, corpus.facts(), fields, supersedes)
    return before if before and before.content() == filing.content() else filing


def _first_made(before: Filing | None) -> str:
    """As the version before has it; one of an older form that has no such field was made on its own day."""
    return before.text("first_made") or str(before.made) if before else ""


def refuse(faults: list[Disagreement], regime: Regime) -> None:
    """Raises: DisclosureError("filing-disagrees") if there is any."""
    if faults:
        says = "\n".join(f"  {fault}" for fault in faults)
        whole = f"the {regime.name} filing disagrees with the records in {len(faults)} points:\n{says}"
        raise DisclosureError("filing-disagrees", whole, "correct the answers, or the records with new evidence")


def _later(answers: Mapping[str, Answer], made: date) -> list[Disagreement]:
    late = [(name, answer) for name, answer in answers.items() if answer.on > made]
    return [Disagreement(name, f"answered on {answer.on}", f"today is {made}") for name, answer in late]


def check_filing(filing: Filing, corpus: Corpus) -> list[Disagreement]:
    """Everything in which a filing differs from the records as they are: its facts, and each field that it says the
    records gave. What people answered is held against what the records exclude."""
    now = json.loads(json.dumps(corpus.facts()))
    names = sorted(set(now) | set(filing.facts))
    faults = [
        Disagreement(f"facts.{name}", shown(filing.facts.get(name, "nothing")), shown(now.get(name, "nothing")))
        for name in names
        if filing.facts.get(name) != now.get(name)
    ]
    told = {f.item.id: Answer(f.value, "", filing.made) for f in filing.fields if f.state is State.PERSON}
    derived = filing.regime.derive(corpus, told)
    for field in filing.fields:
        if field.state is State.RECORDS and field.item.id not in TIMES and field.item.id in derived:
            known = derived[field.item.id].value
            if json.loads(json.dumps(known)) != field.value:
                faults.append(Disagreement(field.item.id, shown(field.value), shown(known)))
        elif field.state is not State.RECORDS and field.item.id in derived and field.item.only_if == "":
            faults.append(Disagreement(field.item.id, field.state.value, shown(derived[field.item.id].value)))
    return faults + filing.regime.cross(corpus, filing.values)


@dataclass(frozen=True, slots=True)
class Change:
    """A field or fact that differs between two filings."""

    name: str
    asks: str
    before: str
    after: str


def diff_filings(one: Filing, other: Filing) -> list[Change]:
    """What the second says otherwise than the first. Raises: DisclosureError("filings-differ-in-kind")."""
    if one.regime.name != other.regime.name:
        says = f"one filing is of {one.regime.name}, the other of {other.regime.name}"
        raise DisclosureError("filings-differ-in-kind", says, "compare two filings of one kind")
    changes = [
        Change(f"facts.{name}", "what the records counted", _said(one.facts.get(name)), _said(other.facts.get(name)))
        for name in sorted(set(one.facts) | set(other.facts))
        if one.facts.get(name) != other.facts.get(name)
    ]
    before, after = ({field.item.id: field for field in filing.fields} for filing in (one, other))
    for name in dict.fromkeys([*before, *after]):  # a form grows: an older filing may lack a field
        old, new = before.get(name), after.get(name)
        if old is None or new is None or (old.state, old.value) != (new.state, new.value):
            asks = (old or new or one.fields[0]).item.asks
            changes.append(Change(name, asks, _stated(old), _stated(new)))
    return changes


def _said(value: Any) -> str:
    return "nothing" if value is None else shown(value)


def _stated(field: Field | None) -> str:
    if field is None:
        return "(not asked)"
    return shown(field.value) if field.value is not None else f"({field.state.value})"


def read_filing(path: Path, regimes: Mapping[str, Regime]) -> Filing:
    """The filing in a file, signed or bare; the signature is for `byline verify`.

    Raises: DisclosureError("not-a-filing"), DisclosureError("no-document").
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as fault:
        raise DisclosureError("no-document", f"{path}: {fault.strerror}", "name a filing.json") from fault
    except (ValueError, RecursionError) as fault:
        raise DisclosureError("not-a-filing", f"{path} is not JSON: {fault}", "name a filing.json") from fault
    try:
        return Filing.from_json(value.get("statement", value) if isinstance(value, dict) else value, regimes)
    except DisclosureError as fault:
        raise DisclosureError(fault.code, f"{path}: {fault.message}", fault.fix) from fault
