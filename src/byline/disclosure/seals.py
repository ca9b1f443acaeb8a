"""The seal over a body: a salted hash of all of it and one of each field; and what is signed of the seal."""

from typing import Any

from byline.core import digest
from byline.disclosure.fields import field_hashes

FORMAT = "byline-signed-1"


def seal_of(body: dict[str, Any], kind: str, salt: str) -> dict[str, Any]:
    """`salt`: 32 hex digits."""
    return {
        "format": FORMAT,
        "kind": kind,
        "salt": salt,
        "sha256": digest([salt, body]),
        "fields": field_hashes(body, salt),
    }


def signed_text(sealed: str) -> str:
    """What is signed of a digest."""
    return f"{FORMAT}\n{sealed}\n"
