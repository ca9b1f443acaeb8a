"""The front page and its search: "was my work used?", asked with a text, a file, or a name."""

from collections.abc import Sequence
from typing import Any

from byline.app.cli_lookup import PICTURES, SOUNDS
from byline.app.home import Home
from byline.app.lookup import LEAST, Library, look_up_text
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Page, Portal, Upload, Visit
from byline.core import AppError, Work
from byline.lookup import words
from byline.registry import domain_of

MOST = 60_000  # characters of a text; look-up takes about a thirtieth of a millisecond a word
SHOWN = 40  # works in a list of matches


def add(doors: Doors) -> None:
    doors.page("GET", "/")(front)
    doors.page("POST", "/search", reads=True, back="/")(search)


def front(visit: Visit) -> Answer:
    home = visit.home
    return Page("front.html", "Was my work used?", {"works": len(home.works), "people": len(home.names)})


def search(visit: Visit) -> Answer:
    """Whoever asks: nothing of the question is kept. Raises: AppError("too-often"), ("too-long"), ("not-text")."""
    if not visit.portal.searches.admits(visit.address, visit.now):
        raise AppError("too-often", "that were thirty searches within a minute", "wait a minute")
    if visit.upload is not None and visit.upload.content:
        kind = sniff(visit.upload)
        if kind != "text":
            return Page("not-searched.html", "That was not searched", {"kind": kind})
        return _text(visit, visit.upload.content.decode("utf-8-sig"))
    asked = visit.field("text", MOST)
    if not asked:
        raise AppError("empty-query", "nothing was asked", "paste a text, choose a file, or write a name")
    if len(words(asked)) < LEAST or asked.startswith(("work:", "domain:", "http://", "https://")):
        return _named(visit, asked)
    return _text(visit, asked)


def sniff(upload: Upload) -> str:
    """text, picture or sound: what the bytes say counts, not the name. Raises: AppError("not-text")."""
    content = upload.content
    if content.startswith(PICTURES) or content[8:12] == b"WEBP" or content[4:12] in (b"ftypavif", b"ftypheic"):
        return "picture"
    if content.startswith(SOUNDS):
        return "sound"
    try:
        plain = "\x00" not in content.decode("utf-8")
    except UnicodeDecodeError:
        plain = False
    if not plain or content.startswith(b"%PDF"):
        raise AppError("not-text", "this file is no plain text", "save it as plain text (UTF-8), or paste a few pages")
    return "text"


def _text(visit: Visit, text: str) -> Answer:
    if len(text) > MOST:
        raise AppError(
            "too-long", f"the text has {len(text):,} characters", f"a part of it is enough: {MOST:,} or less"
        )
    told = look_up_text(indexed(visit.portal, visit.home), text)
    return Page("answer.html", _VERDICTS[told["verdict"]], {"found": told, "head": _VERDICTS[told["verdict"]]})


def indexed(portal: Portal, home: Home) -> Library:
    """The works ready to be searched; one request at a time brings the index up to date."""
    library = Library(home, portal.clock().date())
    if library.manifests:
        with portal.indexing:
            library.update()
    return library


_VERDICTS = {
    "found": "Yes, word for word",
    "resembles": "Something much like it",
    "phrases": "Only common turns of phrase",
    "not-found": "Not found here",
    "too-short": "Too short to say",
}


# --- names --------------------------------------------------------------------------------------------------------


def _named(visit: Visit, asked: str) -> Answer:
    home = visit.home
    works, people = named(home, asked)
    data = {
        "asked": asked,
        "works": [shown(home, work) for work in works[:SHOWN]],
        "more": max(0, len(works) - SHOWN),
        "people": people[:SHOWN],
        "total": len(home.works),
        "least": LEAST,
    }
    return Page("names.html", f"“{asked[:60]}”", data)


def named(home: Home, asked: str) -> tuple[list[Work], list[dict[str, Any]]]:
    """Works whose title or source, and contributors whose name, the words stand in; exact ones first."""
    wanted = " ".join(asked.casefold().removeprefix("domain:").split())
    domain = domain_of(wanted) if "." in wanted and " " not in wanted else ""
    works = [work for work in home.works.values() if _hits(work, wanted, domain)]
    works.sort(key=lambda work: (work.title.casefold() != wanted, work.title, work.id))
    counts = credited(home)
    people = [{"id": party, "name": name, "works": counts.get(party, 0)} for party, name in home.names.items()
              if wanted in name.casefold() or wanted == party]  # fmt: skip
    return works, sorted(people, key=lambda each: (each["name"].casefold() != wanted, each["name"]))


def _hits(work: Work, wanted: str, domain: str) -> bool:
    if wanted in work.title.casefold() or wanted == work.id:
        return True
    source = domain_of(work.source) if domain else ""
    return bool(domain) and (source == domain or source.endswith(f".{domain}"))


def credited(home: Home) -> dict[str, int]:
    """How many works each contributor has a part in."""
    counts: dict[str, int] = {}
    for work in home.works.values():
        for party in {part.party for part in work.contributions}:
            counts[party] = counts.get(party, 0) + 1
    return counts


def shown(home: Home, work: Work) -> dict[str, Any]:
    return {"id": work.id, "title": work.title, "by": home.contributors(work.id), "created": work.created}


def listed(home: Home, works: Sequence[Work]) -> list[dict[str, Any]]:
    return [shown(home, work) for work in works]
