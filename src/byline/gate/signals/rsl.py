"""Really Simple Licensing 1.0: XML that permits and prohibits uses of assets, and says what they cost.

What we read into it, beyond the vocabulary:
- The content element with the longest matching pattern governs; an empty `url` is the place the document was found at.
- A prohibition in any of its licences beats every permit.
- A permit with a price, a duty to report, a limit on users or regions, or a licence server is a condition.
- A use that no licence mentions is unknown, also where nothing is permitted at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byline.gate.signals.markup import UnreadableXml, local, parse_xml
from byline.gate.signals.observation import (
    EVERY,
    TRAIN,
    Canonical,
    Category,
    Findings,
    Notebook,
    Reading,
    Target,
    merged,
    same,
)
from byline.gate.signals.patterns import matches, normal, path_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SPEC, EARLIER = "RSL 1.0", "RSL 1.0 drafts of 2025"
NAMESPACE = "https://rslstandard.org/rsl"
FURTHEST = 8  # documents that link to one another

USES: Mapping[str, tuple[Category, ...]] = {
    "all": EVERY,
    "ai-all": (*TRAIN, Category.GROUND, Category.INDEX),
    "ai-train": TRAIN,
    "ai-input": (Category.GROUND,),
    "ai-index": (Category.INDEX,),
    "search": (Category.SEARCH,),
}
EARLIER_USES: Mapping[str, tuple[Category, ...]] = {
    "train-ai": TRAIN,
    "train-genai": (Category.TRAIN_GEN,),
    "ai-use": (Category.GROUND,),
    "ai-summarize": (Category.GROUND,),
}


@dataclass(frozen=True, slots=True)
class Licence:
    """canonical: what it permits and prohibits. duties: what its permits ask for."""

    canonical: Canonical
    duties: tuple[str, ...]
    notes: tuple[str, ...]
    spec: str


def read_rsl(body: bytes, target: Target) -> Findings:
    """What an RSL document says of the target's path. Raises: GateError("signals-extra")."""
    notes = Notebook(target, body, "rsl")
    saw_rsl(body, notes)
    return notes.findings()


def read_linked_rsl(documents: Mapping[str, bytes], first: str, target: Target) -> Findings:
    """The document at `first`, and those that it names as standard or alternate licence, each read once.

    documents: texts by URL. A link back to a document on the way is a problem, as is one that nobody fetched, and more
    than `FURTHEST` documents. Raises: GateError("signals-extra").
    """
    parts: list[Findings] = []
    _walk(documents, first, target, (), set(), parts)
    return Findings.all_of(parts)


def _walk(
    documents: Mapping[str, bytes],
    url: str,
    target: Target,
    way: tuple[str, ...],
    read: set[str],
    parts: list[Findings],
) -> None:
    fault = _stopped(documents, url, way, read)
    if fault:
        code, says = fault
        parts.append(Findings((), (target.problem(code, says),)))
    elif url not in read:
        read.add(url)
        parts.append(read_rsl(documents[url], Target(url, target.observed_at, target.path, target.agent)))
        for link in _links(documents[url]):
            _walk(documents, link, target, (*way, url), read, parts)


def _stopped(documents: Mapping[str, bytes], url: str, way: tuple[str, ...], read: set[str]) -> tuple[str, str] | None:
    """Why the walk does not go on to this address: (code, what)."""
    if url in way:
        return "rsl-cycle", f"licences link in a circle: {' -> '.join((*way, url))}"
    if url not in documents:
        return "rsl-unfetched", f"the licence at {url} was not fetched"
    if url not in read and len(read) >= FURTHEST:
        return "rsl-too-many", f"more than {FURTHEST} licences link to one another; {url} is not read"
    return None


def _links(body: bytes) -> list[str]:
    """Addresses of further RSL documents. Whatever cannot be read was a problem of the reading already."""
    try:
        root = parse_xml(body)
    except UnreadableXml:
        return []
    found = [(e.text or "").strip() for e in root.iter() if local(e.tag) == "standard"]
    found += [
        e.get("href") or e.get("url") or (e.text or "").strip()
        for e in root.iter()
        if local(e.tag) == "alternate" and "rsl" in (e.get("type") or "")
    ]
    return sorted({link for link in found if link})[:FURTHEST]


def saw_rsl(body: bytes, notes: Notebook, line: int = 0) -> None:
    """Adds one observation per licence of the content that governs the path."""
    try:
        root = parse_xml(body)
    except UnreadableXml as fault:
        notes.fault("bad-rsl", str(fault), line)
        return
    if local(root.tag) != "rsl" and not any(local(e.tag) == "rsl" for e in root.iter()):
        notes.fault("bad-rsl", f"its root is <{local(root.tag)}>, not <rsl>", line)
        return
    for content in _governing(root, normal(path_of(notes.target.path))):
        licences = [child for child in content if local(child.tag) == "license"]
        where = f"content url={content.get('url', '')!r}"
        if not licences and content.get("server"):
            saw_nothing_but_server(content, where, notes, line)
        for licence in licences:
            read = _read(licence, content)
            raw = _raw(licence)
            notes.saw("rsl", read.spec, raw, where, read.canonical, line=line, duties=read.duties, notes=read.notes)


def saw_nothing_but_server(content: "Element", where: str, notes: Notebook, line: int) -> None:
    duty = (f"obtain a licence from {content.get('server')}",)
    notes.saw("rsl", SPEC, f"server={content.get('server')}", where, _all_conditional(), line=line, duties=duty)


def _all_conditional() -> Canonical:
    return same(Reading.CONDITIONAL, EVERY)


def _governing(root: "Element", path: str) -> list["Element"]:
    """The content elements with the longest pattern that matches."""
    best: list[Element] = []
    length = -1
    for content in (each for each in root.iter() if local(each.tag) == "content"):
        url = (content.get("url") or "").strip()
        pattern = normal(path_of(url)) if url else path
        if matches(pattern, path) and len(pattern) >= length:
            if len(pattern) > length:
                best, length = [], len(pattern)
            best.append(content)
    return best


def _read(licence: "Element", content: "Element") -> Licence:
    permitted, denied = _stated(licence, "permits"), _stated(licence, "prohibits")
    unknown = sorted((permitted | denied) - set(USES) - set(EARLIER_USES))
    duties = tuple(_duties(licence, content))
    yes = Reading.CONDITIONAL if duties else Reading.ALLOW
    said = [same(yes, _uses(word)) for word in permitted] + [same(Reading.DENY, _uses(word)) for word in denied]
    canonical = {each: word for each, word in merged(said).items() if word is not Reading.UNKNOWN}
    spec = EARLIER if (permitted | denied) & set(EARLIER_USES) else SPEC
    return Licence(canonical, duties, tuple(f"not understood: {word}" for word in unknown), spec)


def _uses(word: str) -> tuple[Category, ...]:
    return USES.get(word) or EARLIER_USES.get(word, ())


def _stated(licence: "Element", name: str) -> set[str]:
    """The words of all elements of that name about usage. The drafts put commas between them."""
    found: set[str] = set()
    for child in licence:
        if local(child.tag) == name and (child.get("type") or "usage") == "usage":
            words = (child.text or "").replace(",", " ").split()
            found.update(word.lower() if name == "prohibits" else word for word in words)
    return found


def _duties(licence: "Element", content: "Element") -> Iterator[str]:
    """Everything that a permit is tied to."""
    if content.get("server"):
        yield f"obtain a licence from {content.get('server')}"
    if (content.get("encrypted") or "").lower() == "true":
        yield "obtain the key: the asset is encrypted"
    for child in licence:
        name, kind = local(child.tag), (child.get("type") or "").strip()
        text = " ".join((child.text or "").split())
        if name == "payment" and kind != "free":
            yield f"payment: {kind or 'of a kind not stated'}{_price(child)}"
        elif name == "reporting":
            yield f"report {kind} to {child.get('endpoint') or 'an endpoint not stated'}"
        elif name == "permits" and kind in ("user", "geo"):
            yield f"only {kind}: {text}"
        elif name == "prohibits" and kind in ("user", "geo"):
            yield f"not {kind}: {text}"


def _price(payment: "Element") -> str:
    amounts = [child for child in payment if local(child.tag) == "amount"]
    return "".join(f" {(each.text or '').strip()} {each.get('currency', '')}".rstrip() for each in amounts)


def _raw(licence: "Element") -> str:
    """The licence's own statements, as elements without their namespace."""
    parts = []
    for child in licence:
        kind = f' type="{child.get("type")}"' if child.get("type") else ""
        parts.append(f"<{local(child.tag)}{kind}>{' '.join((child.text or '').split())}</{local(child.tag)}>")
    return "".join(parts) or "<license/>"
