"""ISCC (ISO 24138): the fingerprint of a text, and how far two of them are apart.

An ISCC-CODE is made of units. The Instance-Code is a hash of the bytes: equal only for the same file. The Content-Code
is a similarity hash of the words: equal for the same text in another file, a few bits apart for a near copy, about
half of its bits apart for another text. An excerpt is not found by it (half a text was 14 of 64 bits away).
"""

import io
from dataclasses import dataclass
from typing import Any

from byline.core import RegistryError

NEAR_BITS = 8  # of 64: reported for a person to look at, never acted on by itself


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a code that works are compared by, in text form; empty where a code has none."""

    content: str
    instance: str


def parse_iscc(text: str) -> Units:
    """The units of an ISCC-CODE or of a single unit. Raises: RegistryError("bad-iscc"), ("iscc-missing")."""
    core = _core()
    try:
        core.iscc_validate(core.iscc_normalize(text), strict=True)
        units = core.iscc_decompose(core.iscc_normalize(text))
        kinds = {core.iscc_explain(unit).partition("-")[0]: unit for unit in units}
    except Exception as fault:  # the library raises whatever its decoder met
        raise RegistryError("bad-iscc", f"{text!r} is no ISCC: {fault}", "as in ISCC:KACT...") from fault
    found = Units(kinds.get("CONTENT", ""), kinds.get("INSTANCE", ""))
    if not (found.content or found.instance):
        fix = "give a code with a Content-Code or an Instance-Code in it"
        raise RegistryError("bad-iscc", f"{text} says nothing about the content", fix)
    return found


def text_units(text: str, content: bytes) -> Units:
    """Of a text and of the file that it came in."""
    core = _core()
    return Units(core.gen_text_code_v0(text)["iscc"].removeprefix("ISCC:"), instance_unit(content))


def instance_unit(content: bytes) -> str:
    """The Instance-Code of a file of any kind. Raises: RegistryError("iscc-missing")."""
    return str(_core().gen_instance_code_v0(io.BytesIO(content))["iscc"]).removeprefix("ISCC:")


def bits_apart(one: str, other: str) -> int | None:
    """Of two Content-Codes; None if they are of different kinds or lengths and cannot be compared."""
    core = _core()
    head = [core.iscc_explain(code).rsplit("-", 1)[0] for code in (one, other)]
    return int(core.iscc_distance(one, other)) if head[0] == head[1] else None


def _core() -> Any:
    try:
        import iscc_core
    except ModuleNotFoundError as fault:
        raise RegistryError("iscc-missing", "iscc-core is not installed", "pip install 'byline[rights]'") from fault
    return iscc_core
