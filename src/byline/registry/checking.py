"""Checks that records of evidence make of themselves. Each says which field is wrong and what would be right."""

import re
from collections.abc import Sequence, Sized
from datetime import date
from typing import Any

from byline.core import Record, RegistryError

Facts = tuple[tuple[str, str], ...]  # in the words of the law packs: (("lawful_access", "yes"),)

_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)
_FACT = re.compile("[a-z][a-z0-9_]*", re.ASCII)


VERBATIM = frozenset({"raw", "rule", "because", "opt_out_checkpoint"})
"""Texts in somebody else's words: blanks at their ends are kept."""


def fields_of(record: Record) -> tuple[str, ...]:
    """Names of a record's fields, in their order."""
    return tuple(record.__slots__)


def check_texts(record: Record) -> None:
    """Texts can be stored and written to a file, and read again as the same. Raises: RegistryError("bad-text")."""
    for name in fields_of(record):
        value = getattr(record, name)
        if isinstance(value, str):
            _check_text(name, value, name in VERBATIM)
        elif isinstance(value, tuple):
            for text in _flat(value):
                _check_text(name, text, True)


def _flat(value: Sequence[Any]) -> list[str]:
    return [text for item in value for text in (item if isinstance(item, tuple) else (item,))]


def _check_text(name: str, text: str, verbatim: bool) -> None:
    if not verbatim and text != text.strip():
        raise RegistryError("bad-text", f"{name} {text[:80]!r} has blanks at its ends", "leave them out")
    if text.isprintable():
        return
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise RegistryError("bad-text", f"{name} holds what is no text: {text[:80]!r}", "replace those characters")


def check_filled(field: str, value: Sized | str) -> None:
    """Raises: RegistryError("empty-field")."""
    if not (value.strip() if isinstance(value, str) else value):
        raise RegistryError("empty-field", f"{field} is empty", "fill it in")


def check_dates(field: str, effective: date, until: date | None) -> None:
    """Raises: RegistryError("bad-dates")."""
    if until is not None and until < effective:
        raise RegistryError("bad-dates", f"{field}: {until} lies before {effective}", "the last day is not the first")


def check_sha256(value: str) -> None:
    """Nothing, or 64 hexadecimal digits. Raises: RegistryError("bad-digest")."""
    if value and not _SHA256.fullmatch(value):
        raise RegistryError(
            "bad-digest", f"{value!r} is no SHA-256", "hash the document: sha256sum FILE; or leave it empty"
        )


def check_amount(nano: str, currency: str) -> None:
    """Whole nano-units and an ISO 4217 code, or neither. Raises: RegistryError("bad-amount")."""
    written = re.fullmatch("0|[1-9][0-9]{0,29}", nano, re.ASCII) and re.fullmatch("[A-Z]{3}", currency, re.ASCII)
    if (nano or currency) and not written:
        says = f"{nano!r} nano-units of {currency!r}"
        raise RegistryError("bad-amount", says, "write a whole number of nano-units and a code such as EUR, or neither")


def check_readings(canonical: Facts) -> None:
    """Uses with what is said of each. Raises: RegistryError("bad-facts")."""
    words = all(re.fullmatch("[a-z._]+", word, re.ASCII) for pair in canonical for word in pair)
    if not words or len(dict(canonical)) != len(canonical):
        says = "; ".join(f"{use}={word}" for use, word in canonical)
        raise RegistryError("bad-facts", f"{says!r} are no readings", "write each use once: train.gen=deny;tdm=allow")


def check_facts(facts: Facts) -> None:
    """Raises: RegistryError("bad-facts")."""
    names = [name for name, _ in facts]
    if len(set(names)) != len(names):
        raise RegistryError("bad-facts", f"a fact is stated twice: {', '.join(names)}", "state each fact once")
    for name, value in facts:
        if not _FACT.fullmatch(name) or not value or value != value.strip() or set(";=\n") & set(value):
            raise RegistryError("bad-facts", f"{name!r} = {value!r}", "write fact=value, as docs/rights.md names them")
