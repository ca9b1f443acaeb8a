"""The front page and its search: "was my work used?", asked with a text, a file, or a name."""

from collections.abc import Sequence
from typing import Any

from byline.app.home import Home
from byline.app.lookup import LEAST, Library, look_up_text
from byline.app.lookup_media import MediaLibrary
from byline.app.media_words import PLURAL, SINGULAR
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Page, Portal, Upload, Visit
from byline.app.thumbnails import Views, views
from byline.core import AppError, LookupFault, PartyId, Work, WorkId, sha256_hex
from byline.lookup import words
from byline.registry import COUNTED, MEDIA, Found, Person, content_kind, domain_of

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
            return _media(visit, kind, visit.upload.content)
        return _text(visit, visit.upload.content.decode("utf-8-sig"))
    asked = visit.field("text", MOST)
    if not asked:
        raise AppError("empty-query", "nothing was asked", "paste a text, choose a file, or write a name")
    if len(words(asked)) < LEAST or asked.startswith(("work:", "domain:", "http://", "https://")):
        return _named(visit, asked)
    return _text(visit, asked)


def _media(visit: Visit, kind: str, content: bytes) -> Answer:
    """Raises: LookupFault("bad-image"), LookupFault("bad-audio")."""
    digest = sha256_hex(content)
    name = "the picture that you sent" if kind == "image" else "the sound that you sent"
    try:
        told = media_library(visit.portal, visit.home, [kind]).look_up(kind, content, name)
    except LookupFault as fault:
        if fault.code != "lookup-missing":
            raise
        return Page("not-searched.html", "That was not searched", {"kind": SINGULAR[kind], "digest": digest}, 503)
    head = _MEDIA_VERDICTS[told["verdict"]]
    seen = views(visit.home, visit.now.date(), content, told["matches"]) if kind == "image" else Views(None, {})
    data = {"found": told, "head": head, "digest": digest, "one": SINGULAR[kind], "many": PLURAL[kind], "seen": seen}
    return Page("answer-media.html", head, data)


def media_library(portal: Portal, home: Home, kinds: Sequence[str]) -> MediaLibrary:
    """Pictures or sounds ready to be searched; one request at a time brings their index up to date.

    Raises: LookupFault("lookup-missing"), LookupFault("index-busy").
    """
    asked = home.registry.stamp(), portal.clock().date()
    with portal.indexing:
        kept = portal.read.get("media")
        library: MediaLibrary = kept[1] if kept and kept[0] == asked else MediaLibrary(home, asked[1])
        library.update(kinds=kinds)
        portal.read["media"] = asked, library
    return library


def media_ready(portal: Portal, home: Home) -> None:
    """Where a part is not installed, whoever asks is told so. Raises: LookupFault("index-busy")."""
    for kind in MEDIA:
        try:
            media_library(portal, home, [kind])
        except LookupFault as fault:
            if fault.code == "index-busy":
                raise


def sniff(upload: Upload) -> str:
    """text, image or audio: what the bytes say counts, not the name. Raises: AppError("not-text")."""
    kind = content_kind(upload.content)
    if not kind:
        raise AppError("not-text", "this file is no plain text", "save it as plain text (UTF-8), or paste a few pages")
    return kind


def _text(visit: Visit, text: str) -> Answer:
    if len(text) > MOST:
        raise AppError(
            "too-long", f"the text has {len(text):,} characters", f"a part of it is enough: {MOST:,} or less"
        )
    told = look_up_text(indexed(visit.portal, visit.home), text)
    return Page("answer.html", _VERDICTS[told["verdict"]], {"found": told, "head": _VERDICTS[told["verdict"]]})


def indexed(portal: Portal, home: Home) -> Library:
    """The works ready to be searched; one request at a time brings the index up to date."""
    asked = home.registry.stamp(), portal.clock().date()
    with portal.indexing:
        kept = portal.read.get("library")
        if kept is not None and kept[0] == asked:
            found: Library = kept[1]
            return found
        library = Library(home, asked[1])
        if library.manifests:
            library.update()
        portal.read["library"] = asked, library
    return library


_VERDICTS = {
    "found": "Yes, word for word",
    "resembles": "Something much like it",
    "phrases": "Only common turns of phrase",
    "not-found": "Not found here",
    "too-short": "Too short to say",
}


_MEDIA_VERDICTS = {
    "found": "Yes, it is here",
    "not-found": "Not found here",
    "too-plain": "Too plain to say",
    "nothing-searched": "That could not be searched",
}


# --- names --------------------------------------------------------------------------------------------------------


def _named(visit: Visit, asked: str) -> Answer:
    home = visit.home
    works, people = named(home, asked)
    data = {
        "asked": asked,
        "works": listed(home, works.works),
        "more": max(0, min(works.count, COUNTED) - SHOWN),
        "many": works.count > COUNTED,
        "people": [{"id": each.id, "name": each.name, "works": each.works} for each in people],
        "total": len(home.works),
        "least": LEAST,
    }
    return Page("names.html", f"“{asked[:60]}”", data)


def named(home: Home, asked: str) -> tuple[Found, Sequence[Person]]:
    """Works with these words in their title, or from this domain, and contributors with them in their name; exact ones
    first."""
    wanted = " ".join(asked.removeprefix("domain:").split())
    domain = domain_of(wanted) if "." in wanted and " " not in wanted else ""
    one = home.works.get(WorkId(wanted)) if wanted.startswith("work:") else None
    party = home.names.get(PartyId(wanted)) if wanted.startswith("party:") else None
    if one is not None:
        return Found((one,), 1), ()
    if party is not None:
        return Found((), 0), (Person(PartyId(wanted), party, home.shelf.works_of(PartyId(wanted), 0).count),)
    works = home.shelf.from_domain(domain, SHOWN) if domain else Found((), 0)
    return works if works.count else home.shelf.titled(wanted, SHOWN), home.shelf.named(wanted, SHOWN)


def shown(home: Home, work: Work) -> dict[str, Any]:
    by = " and ".join(home.names[part.party] for part in work.contributions)
    return {"id": work.id, "title": work.title, "by": by, "created": work.created}


def listed(home: Home, works: Sequence[Work]) -> list[dict[str, Any]]:
    home.at_hand(works)
    return [shown(home, work) for work in works]
