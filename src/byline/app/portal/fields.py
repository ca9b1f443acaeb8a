"""Fields that several forms have: names with shares, a day, a part in per cent, a document that leaves its digest."""

from collections.abc import Mapping
from datetime import date

from byline.app.portal.visit import Visit
from byline.core import PPM, AppError, sha256_hex
from byline.registry import parse_share

ROWS = 6  # of names and shares in a form


def percent_field(visit: Visit, name: str) -> int:
    """Parts per million; the form asks in per cent. Raises: AppError("bad-share"), ("empty-field")."""
    text = visit.needed(name, "write it in per cent, such as 60", 20)
    ppm = _ppm(text)
    if ppm is None:
        raise AppError(
            "bad-share", f"“{text}” is no share", "write it in per cent, above 0 and at most 100, such as 60"
        )
    return ppm


def _ppm(text: str) -> int | None:
    return parse_share(f"{text.replace(',', '.').removesuffix('%').strip()}%")


def day_field(visit: Visit, name: str) -> date:
    """Raises: AppError("bad-date"), ("empty-field")."""
    text = visit.needed(name, "write the day, such as 2026-09-01", 20)
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise AppError("bad-date", f"“{text}” is no day", "write it as 2026-09-01") from fault


def name_field(visit: Visit, name: str, spelt: Mapping[str, str]) -> str:
    """A name as it is registered, whatever its capitals and spaces. `spelt`: those names by their small letters."""
    text = " ".join(visit.field(name, 200).split())
    return spelt.get(text.casefold(), text)


def shares_field(visit: Visit) -> list[tuple[str, int]]:
    """Names with parts per million from the rows `name-1`, `share-1` ...; every fault beside its field.

    Raises: AppError("bad-share"), ("empty-field").
    """
    found: dict[str, int] = {}
    spelt = {name.casefold(): name for name in visit.home.names.values()}
    for row in range(1, ROWS + 1):
        name, share = name_field(visit, f"name-{row}", spelt), visit.field(f"share-{row}", 20)
        if not name and not share:
            continue
        with visit.at(f"name-{row}"):
            visit.needed(f"name-{row}", "whose share is it?", 200)
            if name in found:
                raise AppError("bad-share", f"{name} stands here twice", "one line for each")
        with visit.at(f"share-{row}"):
            found[name] = percent_field(visit, f"share-{row}")
    with visit.at(""):
        if not found and not visit.faults:
            raise AppError("bad-share", "nobody is named", "write at least one name with a share")
        if sum(found.values()) > PPM:
            says = f"together that is {sum(found.values()) / 10_000:g} per cent"
            raise AppError("bad-share", says, "at most 100; what is left over waits until it is known whose it is")
    return list(found.items())


def document_field(visit: Visit) -> tuple[str, str]:
    """What the document is called, and its SHA-256; both empty if none was sent. The file itself is kept nowhere.

    Raises: AppError("empty-field").
    """
    name, content = visit.field("document", 200), visit.upload.content if visit.upload else b""
    if content and not name:
        raise AppError("empty-field", "the document has no name", "write what it is, such as: contract of 3 May 2020")
    return name, sha256_hex(content) if content else ""


def share_rows(shares: Mapping[str, int]) -> list[tuple[int, str, str]]:
    """(row, name, per cent) to fill in a form with."""
    filled = [(name, f"{ppm / 10_000:g}") for name, ppm in shares.items()][:ROWS]
    filled += [("", "")] * (ROWS - len(filled))
    return [(at, *each) for at, each in enumerate(filled, 1)]


def decider(visit: Visit) -> str:
    """The name under which an officer decides; a missing one is a fault of the form."""
    by = ""
    with visit.at("by"):
        by = visit.me.name or visit.field("by", 200)
        if not by:
            raise AppError("no-name", "nobody is named who decides", "write your name")
    return by
