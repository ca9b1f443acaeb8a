"""TDMRep in the package document of an EPUB (TDMRep, section on EPUB): EPUB 2 writes `name`, EPUB 3 `property`."""

import io
import zipfile
from typing import TYPE_CHECKING

from byline.core import BylineError
from byline.gate.signals.markup import LARGEST, UnreadableXml, local, parse_xml
from byline.gate.signals.observation import Findings, Notebook, Target
from byline.gate.signals.tdmrep import Policies, saw_reservation

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CONTAINER = "META-INF/container.xml"


class TornBook(ValueError):
    """Why a book's package document cannot be read."""


def read_epub(body: bytes, target: Target, *, policies: Policies | None = None) -> Findings:
    """The reservation in a book's metadata. Raises: GateError("signals-extra")."""
    notes = Notebook(target, body, "epub")
    try:
        package = _package(body)
    except (TornBook, UnreadableXml) as fault:
        notes.fault("bad-epub", str(fault))
        return notes.findings()
    metas = [each for each in package.iter() if local(each.tag) == "meta"]
    policy = next((value for each in metas if (value := _named(each, "tdm:policy")) is not None), "")
    for each in metas:
        value = _named(each, "tdm:reservation")
        if value is not None:
            saw_reservation(notes, value, policy, "package metadata tdm:reservation", policies)
    return notes.findings()


def _named(meta: "Element", name: str) -> str | None:
    if meta.get("property") == name:
        return (meta.text or "").strip()
    return (meta.get("content") or "").strip() if meta.get("name") == name else None


def _package(body: bytes) -> "Element":
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            container = parse_xml(_member(book, CONTAINER))
            paths = [each.get("full-path", "") for each in container.iter() if local(each.tag) == "rootfile"]
            if not paths:
                raise TornBook("its container names no package document")
            return parse_xml(_member(book, paths[0]))
    except (UnreadableXml, TornBook, BylineError):
        raise
    except Exception as fault:  # zipfile answers damage with every kind of exception; none may end the reading
        raise TornBook(f"not a readable EPUB: {type(fault).__name__}: {fault}") from fault


def _member(book: zipfile.ZipFile, name: str) -> bytes:
    """One file of the book; a file that unpacks to more than is ever read is refused before it does."""
    with book.open(name) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise TornBook(f"{name} unpacks to more than {LARGEST:,} bytes")
    return content
