"""Hashes of single fields: with them a document that was changed can say which field, and often what stood there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from byline.core import BylineError, digest

FIELD_HEX = 12  # enough to name a field; the whole body stands in the seal's own hash
_LONGEST = 400  # bytes of a value whose signed form is looked for


def field_hashes(body: Any, salt: str) -> dict[str, str]:
    """JSON pointer (RFC 6901) of every field without fields of its own -> beginning of its salted hash."""
    return {pointer: field_hash(salt, pointer, value) for pointer, value in fields(body)}


def field_hash(salt: str, pointer: str, value: Any) -> str:
    """Empty if `value` is what a signed document cannot hold."""
    return (digest_or_none([salt, pointer, value]) or "")[:FIELD_HEX]


def fields(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from fields(item, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from fields(item, f"{pointer}/{index}")
    else:
        yield pointer, value


def escaped(name: str) -> str:
    """A name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def digest_or_none(value: Any) -> str | None:
    """None if `value` holds what a signed document cannot hold."""
    try:
        return digest(value)
    except BylineError:
        return None


def one_byte_away(text: bytes, fits: Callable[[bytes], bool]) -> bytes | None:
    """The first text that differs from `text` in one byte and fits; None for texts too long to try."""
    if len(text) > _LONGEST:
        return None
    for at in range(len(text)):
        for byte in range(256):
            tried = text[:at] + bytes([byte]) + text[at + 1 :]
            if byte != text[at] and fits(tried):
                return tried
    return None


def signed_value(salt: str, pointer: str, value: Any, wanted: str) -> tuple[Any] | None:
    """The value that was signed, if one byte of its JSON was changed: the hash tells when it is found."""

    def fits(text: bytes) -> bool:
        try:
            return field_hash(salt, pointer, json.loads(text)) == wanted
        except ValueError:
            return False

    found = one_byte_away(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"), fits)
    return None if found is None else (json.loads(found),)
