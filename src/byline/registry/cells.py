"""Fields of records as cells of a file, both ways: what is written is read as exactly the same.

Text stands as it is. Lists have `;` between their parts, pairs are `name=value`; where a part holds a `;` or could be
misread, the cell is a JSON list instead. Days are 1865-04-14, moments 2024-02-01T13:05:00+00:00, yes-no is yes or no.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from byline.core import PartyId, RegistryError
from byline.registry.evidence_schema import Column
from byline.registry.rows import joined, parts_of

PARTIES = ("person", "party", "grantor")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_FORMS = {date: "a day such as 1865-04-14", datetime: "a moment such as 2024-02-01T13:05:00+00:00",
          bool: "yes or no", int: "a whole number"}  # fmt: skip


def text_of(value: Any) -> str:
    """The cell that `value_of` reads as this value."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return joined(["=".join(part) if isinstance(part, tuple) else str(part) for part in value]) if value else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, date) else str(value)


def value_of(column: Column, cell: str, party: Callable[[str], PartyId]) -> Any:
    """The value of a filled cell. `party` finds a party by name or id.

    Raises: RegistryError("bad-value") with what would be right.
    """
    try:
        if column.many:
            return tuple(_part(column.item, part) for part in parts_of(cell))
        return party(cell) if column.name in PARTIES else _single(column.base, cell)
    except (ValueError, KeyError, RecursionError) as fault:
        says = f"{column.name} is {cell[:80]!r}; write {_wanted(column)}"
        raise RegistryError("bad-value", says, "docs/registry.md has every column") from fault


def _single(kind: Any, cell: str) -> Any:
    if kind is bool:
        return _YES_NO[cell.lower()]
    if kind is date and not re.fullmatch(r"\d{4}-\d\d-\d\d", cell, re.ASCII):
        raise ValueError("Python reads more forms of a day than people do")
    if kind is date or kind is datetime:
        return kind.fromisoformat(cell)
    if kind is int and not (cell.isascii() and cell.removeprefix("-").isdigit()):
        raise ValueError("a whole number is wanted")
    return kind(cell) if kind is int or issubclass(kind, StrEnum) else cell


def _part(kind: Any, text: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(text)
    if kind is str:
        return text
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError("name=value is wanted")
    return name.strip(), value.strip()


def _wanted(column: Column) -> str:
    kind = column.item if column.many else column.base
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        words = ", ".join(kind)
        return f"some of {words}, with ; between them" if column.many else f"one of {words}"
    if column.many:
        return "parts with ; between them" if kind is str else "name=value, with ; between them"
    return _FORMS.get(column.base, "text")
