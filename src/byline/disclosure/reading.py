"""Reading a signed document strictly: a file has exactly one way to say what it says, down to the last blank."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from byline.core import DisclosureError

NEWLINE = b"\n"
NOT_SIGNED = "not-a-signed-document"
_SHAPE: dict[str, dict[str, type]] = {
    "": {"statement": dict, "seal": dict, "digest": str, "signature": str, "log": dict},
    "/seal": {"format": str, "kind": str, "salt": str, "sha256": str, "fields": dict},
    "/log": {"checkpoint": str, "index": int, "size": int, "proof": list},
    "/log/later": {"checkpoint": str, "proof": list},
    "/log/batch": {"index": int, "proof": list, "root": str, "size": int},
}
_OPTIONAL = {"/log": {"later", "batch"}}


def document_text(document: Mapping[str, Any]) -> str:
    """The document for people and programs to read: indented JSON."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_document(path: Path) -> dict[str, Any]:
    """Parsed and of the right shape.

    Raises: DisclosureError("no-document"), DisclosureError("not-a-signed-document") with line and column.
    """
    data = read_bytes(path)
    told = shaped(parsed(data, path.name))
    if told["seal"]["kind"] == "statement":
        _refuse_other_layout(data, document_text(told).encode(errors="surrogatepass"), path.name)
    return told


def read_bytes(path: Path) -> bytes:
    """Raises: DisclosureError("no-document")."""
    try:
        return path.read_bytes()
    except FileNotFoundError as fault:
        raise DisclosureError("no-document", f"there is no file {path}", "name the statement to verify") from fault
    except OSError as fault:
        raise DisclosureError("no-document", f"{path} cannot be read: {fault.strerror}") from fault


def shaped(told: Any) -> dict[str, Any]:
    """Exactly the fields that a signed document has. Raises: DisclosureError("not-a-signed-document")."""
    for where, names in _SHAPE.items():
        part = told
        for step in where.split("/")[1:]:
            part = part.get(step) if isinstance(part, Mapping) else None
        if where in ("/log/later", "/log/batch") and part is None:
            continue
        _refuse_part(where, part, names)
    return dict(told)


def place(data: bytes, at: int) -> str:
    """Line and column of a byte, both from 1."""
    line = data.count(b"\n", 0, at) + 1
    return f"line {line}, column {at - data.rfind(NEWLINE, 0, at)}"


def first_difference(left: bytes, right: bytes) -> int:
    """Where two texts part; the end of the shorter one if it is the beginning of the other."""
    return next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _refuse_part(where: str, part: Any, names: Mapping[str, type]) -> None:
    optional = _OPTIONAL.get(where, set())
    if not isinstance(part, Mapping) or set(part) - optional != set(names):
        found = sorted(set(part) ^ set(names)) if isinstance(part, Mapping) else []
        says = f"{where or 'the document'} does not have exactly the fields {', '.join(names)}"
        raise DisclosureError(NOT_SIGNED, f"{says}: see {', '.join(map(repr, found))}" if found else says)
    for name, kind in names.items():
        if not isinstance(part[name], kind) or isinstance(part[name], bool):
            raise DisclosureError(NOT_SIGNED, f"{where}/{name} is not of the right type")


def parsed(data: bytes, name: str) -> Any:
    """JSON in which no name stands twice. Raises: DisclosureError("not-a-signed-document") with line and column."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins)
    except UnicodeDecodeError as fault:
        raise DisclosureError(NOT_SIGNED, f"{name} is not text at {place(data, fault.start)}") from fault
    except json.JSONDecodeError as fault:
        raise DisclosureError(
            NOT_SIGNED, f"{name} is not JSON: line {fault.lineno}, column {fault.colno}: {fault.msg}"
        ) from fault
    except (ValueError, RecursionError) as fault:
        raise DisclosureError(NOT_SIGNED, f"{name} is not JSON: {fault}") from fault


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice would show one value to a person and another to the program."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twins = sorted({name for name in names if names.count(name) > 1})
        raise DisclosureError(NOT_SIGNED, f"a name stands twice: {', '.join(twins)[:80]}")
    return dict(pairs)


def _refuse_other_layout(data: bytes, written: bytes, name: str) -> None:
    """A blank more or less means nothing, but then the file is not the one that was given out."""
    if data != written:
        at = first_difference(data, written)
        says = f"has {data[at : at + 1]!r} where {written[at : at + 1]!r} was written"
        raise DisclosureError(NOT_SIGNED, f"{name} {says}: {place(data, at)}", "use the file as it was given out")
