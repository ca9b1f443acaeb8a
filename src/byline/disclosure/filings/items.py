"""The questions of a filing, and the answers: from the records, from a named person, or none yet.

An `Item` is one question of a form. A `Field` is the item with its state. Nothing is ever made up to fill one: what the
records do not say and nobody has answered stays open, and a filing with an open field is a draft.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Self

from byline.core import CoreError, Record

Value = str | int | bool | list[Any]
"""Text (dates and months too, ISO 8601), a whole number, yes or no, a list of texts, or rows of a table."""


class Kind(StrEnum):
    """What an answer must look like."""

    TEXT = "text"
    YES_NO = "yes-no"
    DATE = "date"
    MONTH = "month"
    NUMBER = "number"
    LIST = "list"
    CHOICE = "choice"
    ADDRESS = "address"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `only_if`: the id of a yes-no item that must be yes for this one to apply. `optional`: it may stay
    empty. `options`: what a choice chooses from. A table comes from the records only."""

    id: str
    section: str
    asks: str
    kind: Kind = Kind.TEXT
    optional: bool = False
    only_if: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A value that the records give, and which records."""

    value: Value
    because: str


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """What a person answered, who, and when. `line`: where it stands in the answers file."""

    value: Any
    by: str
    on: date
    line: int = 0


class State(StrEnum):
    RECORDS = "records"
    PERSON = "person"
    OPEN = "open"
    WAITING = "waiting"
    EMPTY = "empty"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class Field:
    """An item as it stands in a filing. `because`: the records, or who answered and when."""

    item: Item
    state: State
    value: Value | None
    because: str

    def to_json(self) -> dict[str, Any]:
        told = {"id": self.item.id, "section": self.item.section, "asks": self.item.asks, "kind": self.item.kind.value}
        return told | {"state": self.state.value, "value": self.value, "because": self.because}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], items: Mapping[str, Item]) -> Self:
        """A field that the form no longer has stays as it was filed. Raises: CoreError("bad-record")."""
        names = ("id", "section", "asks", "kind", "state", "value", "because")
        if not isinstance(value, dict) or set(value) != set(names):
            raise CoreError("bad-record", f"not a field of a filing: {str(value)[:80]}")
        told = [value[name] for name in ("id", "section", "asks", "because")]
        if not all(isinstance(text, str) for text in told):
            raise CoreError("bad-record", f"not a field of a filing: {str(value)[:80]}")
        item = items.get(told[0]) or Item(told[0], told[1], told[2], Kind(value["kind"]), optional=True)
        return cls(item, State(value["state"]), value["value"], told[3])


# --- answers ----------------------------------------------------------------------------------------------------


def parse_answer(item: Item, value: Any) -> tuple[Value | None, str]:
    """The value as the item wants it, or None and what it should look like."""
    parsed = _PARSERS[item.kind](value, item)
    return parsed, "" if parsed is not None else SHAPES[item.kind].format(options=" or ".join(item.options))


SHAPES = {
    Kind.TEXT: "a text that is not empty",
    Kind.YES_NO: "yes or no",
    Kind.DATE: "a day such as 2026-11-22",
    Kind.MONTH: "a month such as 2026-11",
    Kind.NUMBER: "a whole number, 0 or more",
    Kind.LIST: "a list of texts",
    Kind.CHOICE: "{options}",
    Kind.ADDRESS: "an address such as https://example.com/data",
    Kind.TABLE: "nothing: it comes from the records alone",
}


def _text(value: Any, item: Item) -> Value | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def _yes_no(value: Any, item: Item) -> Value | None:
    words: dict[Any, bool] = {"yes": True, "no": False, "true": True, "false": False}
    return value if isinstance(value, bool) else words.get(value.strip().lower()) if isinstance(value, str) else None


def _date(value: Any, item: Item) -> Value | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _month(value: Any, item: Item) -> Value | None:
    fits = isinstance(value, str) and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value)
    return str(value) if fits else None


def _number(value: Any, item: Item) -> Value | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return value if type(value) is int and 0 <= value < 2**53 else None


def _list(value: Any, item: Item) -> Value | None:
    listed = value if isinstance(value, list) else [value]
    texts = [each.strip() for each in listed if isinstance(each, str) and each.strip()]
    return texts if texts and len(texts) == len(listed) else None


def _choice(value: Any, item: Item) -> Value | None:
    return value if isinstance(value, str) and value in item.options else None


def _address(value: Any, item: Item) -> Value | None:
    fits = isinstance(value, str) and re.fullmatch(r"https?://[^\s/\"<>\\^`{|}]+[^\s\"<>\\^`{|}]*", value.strip())
    return value.strip() if isinstance(value, str) and fits else None


def _table(value: Any, item: Item) -> Value | None:
    return None


_PARSERS: Mapping[Kind, Callable[[Any, Item], Value | None]] = {
    Kind.TEXT: _text,
    Kind.YES_NO: _yes_no,
    Kind.DATE: _date,
    Kind.MONTH: _month,
    Kind.NUMBER: _number,
    Kind.LIST: _list,
    Kind.CHOICE: _choice,
    Kind.ADDRESS: _address,
    Kind.TABLE: _table,
}


# --- items, what the records say, and answers: the fields ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disagreement(Record):
    """Two statements on the same thing that differ."""

    field: str
    filing: str
    records: str

    def __str__(self) -> str:
        return f"{self.field}: the filing says {self.filing}, the records say {self.records}"


def fill(
    items: Sequence[Item], derived: Mapping[str, Derived], answers: Mapping[str, Answer]
) -> tuple[tuple[Field, ...], list[Disagreement]]:
    """The fields in the order of the items, and every answer that contradicts the records."""
    fields: dict[str, Field] = {}
    disagreements = []
    for item in items:
        condition = fields.get(item.only_if)
        if condition is not None and condition.value is False:
            field = Field(item, State.NOT_APPLICABLE, None, f"{item.only_if} is no")
            if item.id in answers:
                disagreements.append(Disagreement(item.id, shown(answers[item.id].value), field.because))
        else:
            field = _filled(item, derived.get(item.id), answers.get(item.id), condition)
            if item.id in derived and item.id in answers and answers[item.id].value != derived[item.id].value:
                told, known = answers[item.id].value, derived[item.id]
                disagreements.append(Disagreement(item.id, shown(told), f"{shown(known.value)} ({known.because})"))
        fields[item.id] = field
    return tuple(fields.values()), disagreements


def _filled(item: Item, derived: Derived | None, answer: Answer | None, condition: Field | None) -> Field:
    if derived is not None:
        return Field(item, State.RECORDS, derived.value, derived.because)
    if answer is not None:
        return Field(item, State.PERSON, answer.value, f"answered by {answer.by} on {answer.on}")
    if condition is not None and condition.value is None:
        return Field(item, State.WAITING, None, f"asked only if {item.only_if} is yes")
    if item.optional:
        return Field(item, State.EMPTY, None, "it need not be filled in")
    if item.kind is Kind.TABLE:
        return Field(item, State.OPEN, None, "it comes from the records alone, and they do not say")
    return Field(item, State.OPEN, None, "the records do not say, and nobody has answered")


def shown(value: Any) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return "; ".join(shown(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(each)}" for name, each in value.items())
    return str(value)
