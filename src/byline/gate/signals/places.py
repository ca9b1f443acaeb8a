"""Signals of a file, a folder or a web archive: which works there are, what speaks of each, and what it comes to.

A folder stands for a site: robots.txt, ai.txt, tdmrep.json (also in .well-known) and RSL documents at its top speak of
every file below it, by the file's path. In an archive they speak of the pages of their host.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from byline.core import GateError, Problem, Source
from byline.gate.signals.archive import Capture, breaks_off, captures
from byline.gate.signals.headers import read_headers
from byline.gate.signals.kinds import SITE_WIDE, Options, kind_of, read_as
from byline.gate.signals.observation import Findings, Target
from byline.gate.signals.patterns import path_of
from byline.gate.signals.resolve import Resolved, resolve
from byline.gate.signals.robots import robots_unavailable

LARGEST = 512 * 2**20  # of one file that is not an archive


@dataclass(frozen=True, slots=True)
class Answer:
    """About one work: everything that speaks of it, and the reading of each use. kind: what it was read as, "" if
    nothing was looked for inside it. seen: when its bytes were fetched."""

    source: str
    path: str
    kind: str
    findings: Findings
    resolved: tuple[Resolved, ...]
    seen: datetime


@dataclass(slots=True)
class Site:
    """The documents that speak for a whole site: (kind, source, body, seen)."""

    documents: list[tuple[str, str, bytes, datetime]] = field(default_factory=list)
    failures: list[Findings] = field(default_factory=list)

    @property
    def seen(self) -> datetime:
        """When the first of them was fetched; the year 1 if that is not known."""
        return min((at for *_, at in self.documents), default=datetime.min.replace(tzinfo=UTC))

    def speaks(self, path: str, agent: str, options: Options) -> Findings:
        said = [
            read_as(kind, body, Target(source, at, path, agent), options) for kind, source, body, at in self.documents
        ]
        return Findings.all_of([*said, *self.failures])


def read_place(place: Path, at: datetime, *, path: str = "", agent: str = "", options: Options) -> list[Answer]:
    """Answers for a file (one), a folder (one per file) or a WARC archive (one per captured work).

    at: when files were seen; captures carry their own time. path: for a single file, the path on its site to ask about.
    Raises: GateError("no-signal-file") if there is nothing there. GateError("signals-extra").
    """
    if place.is_dir():
        return list(_folder(place, at, agent, options))
    if not place.is_file():
        raise GateError("no-signal-file", f"{place}: no such file or folder", "check the path")
    if place.name.lower().endswith((".warc", ".warc.gz")):
        return list(_archive(place, agent, options))
    kind, found = _read_file(place, Target(str(place), at, path or "/", agent), options)
    return [_answer(str(place), path or "/", kind, found, at)]


def _read_file(file: Path, target: Target, options: Options) -> tuple[str, Findings]:
    if file.stat().st_size > LARGEST:
        says = f"{file.stat().st_size:,} bytes; at most {LARGEST:,} are read"
        return "", Findings((), (target.problem("file-too-long", says),))
    body = file.read_bytes()
    kind = kind_of(file.name, body)
    return kind, read_as(kind, body, target, options)


def _answer(source: str, path: str, kind: str, found: Findings, seen: datetime) -> Answer:
    media = "image" if kind == "media" and source.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".tif")) else ""
    return Answer(source, path, kind, found, resolve(found.observations, found.problems, media=media), seen)


def _folder(folder: Path, at: datetime, agent: str, options: Options) -> Iterator[Answer]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    site = Site()
    for file in files:
        if file.parent == folder or file.parent == folder / ".well-known":
            body = file.read_bytes() if file.stat().st_size <= LARGEST else b""
            kind = kind_of(file.name, body)
            if kind in SITE_WIDE:
                site.documents.append((kind, str(file), body, at))
    speaking = {source for _, source, _, _ in site.documents}
    works = [file for file in files if str(file) not in speaking]
    if not works and site.documents:
        yield _answer(str(folder), "/", "site", site.speaks("/", agent, options), at)
    for file in works:
        path = "/" + file.relative_to(folder).as_posix()
        if file.name.lower().endswith((".warc", ".warc.gz")):
            yield from _archive(file, agent, options)
            continue
        kind, own = _read_file(file, Target(str(file), at, path, agent), options)
        yield _answer(str(file), path, kind, own + site.speaks(path, agent, options), at)


def _archive(file: Path, agent: str, options: Options) -> Iterator[Answer]:
    """Captures of works, after a first pass over the archive for what speaks of whole hosts."""
    sites: dict[str, Site] = {}
    torn: list[Problem] = []
    if breaks_off(file):
        torn.append(Problem("bad-warc", Source(str(file)), "the archive breaks off inside its last record"))
    for capture in captures(file, torn):
        _take_site_wide(capture, sites.setdefault(_host(capture.url), Site()))
    damage = Findings((), tuple(torn))
    found = 0
    for capture in captures(file, []):
        if _site_kind(capture) or 300 <= capture.status < 400:  # a redirect is no work
            continue
        found += 1
        path = path_of(capture.url)
        target = Target(capture.url, capture.at, path, agent)
        kind = kind_of(_name(capture), capture.body)
        own = read_headers(capture.headers, target, status=capture.status)
        if 200 <= capture.status < 300:
            own += read_as(kind, capture.body, target, options)
        said = own + sites[_host(capture.url)].speaks(path, agent, options) + damage
        yield _answer(capture.url, path, kind, said, capture.at)
    if not found:
        for host, site in sites.items():
            yield _answer(host, "/", "site", site.speaks("/", agent, options) + damage, site.seen)
    if not found and not sites:
        yield _answer(str(file), "/", "warc", damage, datetime.min.replace(tzinfo=UTC))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme}://{parts.netloc}"


def _name(capture: Capture) -> str:
    """A name whose ending tells the kind: that of the path, or what the server said it is."""
    path = path_of(capture.url).partition("?")[0]
    said = next((value.lower() for name, value in capture.headers if name.lower() == "content-type"), "")
    endings = {"text/html": ".html", "application/pdf": ".pdf", "epub+zip": ".epub", "rsl+xml": ".rsl"}
    return next((path + ending for kind, ending in endings.items() if kind in said), path)


def _site_kind(capture: Capture) -> str:
    """The kind of a document that speaks for its host; only where such a document has to stand."""
    path = path_of(capture.url).partition("?")[0]
    if path in ("/robots.txt", "/ai.txt"):
        return path[1:]
    if path == "/.well-known/tdmrep.json":
        return "tdmrep.json"
    return "rsl" if kind_of(_name(capture), capture.body) == "rsl" else ""


def _take_site_wide(capture: Capture, site: Site) -> None:
    kind = _site_kind(capture)
    if not kind:
        return
    if 200 <= capture.status < 300:
        site.documents.append((kind, capture.url, capture.body, capture.at))
    elif kind == "robots.txt":
        site.failures.append(robots_unavailable(Target(capture.url, capture.at), capture.status))
    elif not 400 <= capture.status < 500:
        target = Target(capture.url, capture.at)
        says = f"{kind} could not be fetched (status {capture.status})"
        site.failures.append(Findings((), (target.problem("fetch-failed", says),)))
