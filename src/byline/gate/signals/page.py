"""What a page of HTML says: `<meta>`, `<link rel="license">` and inline RSL.

The scanner walks over tags once and never back, so a hostile page takes no longer than an honest one. (Python's own
parser takes time in the square of the length for a page of unclosed comments.)
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from byline.gate.signals.agents import known_agents
from byline.gate.signals.observation import Findings, Notebook, Target
from byline.gate.signals.robots_tokens import saw_tokens
from byline.gate.signals.rsl import saw_rsl
from byline.gate.signals.rsl_link import saw_licence_link
from byline.gate.signals.tdmrep import Policies, saw_reservation

CARRIER = "html-meta"
LARGEST = 2**20
_TAG = re.compile(r"<(?:!--|/?[a-zA-Z][a-zA-Z0-9:-]{0,40})")
_ATTRIBUTE = re.compile(
    r"""([^\s"'<>/=]{1,100})(?:\s{0,20}=\s{0,20}(?:"([^"]{0,4000})"|'([^']{0,4000})'|([^\s"'=<>`]{1,4000})))?"""
)
_RAW_TEXT = ("script", "style", "textarea", "title", "template", "xmp")


@dataclass(frozen=True, slots=True)
class Tag:
    """name: lower case. text: what stands between a script's tags."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""


def read_page(body: bytes, target: Target, *, policies: Policies | None = None) -> Findings:
    """TDMRep, noai and RSL in a page. Raises: GateError("signals-extra") if defusedxml is needed and not installed."""
    notes = Notebook(target, body, CARRIER)
    text = decoded(body[:LARGEST], notes)
    tags = list(_tags(text))
    lower = text.lower()
    if ("<head" in lower or len(body) > LARGEST) and "</head" not in lower and "<body" not in lower:
        notes.fault("bad-html", f"its head does not end within {LARGEST:,} bytes")
    for tag in tags:
        if tag.name == "#unclosed":
            notes.fault("bad-html", f"{tag.text} is not closed, and hides what follows", tag.line)
    _tdm(tags, notes, policies)
    for tag in tags:
        _robots(tag, notes)
        _licence(tag, notes)
    return notes.findings()


def decoded(body: bytes, notes: Notebook) -> str:
    """The text; ASCII is all that matters here, so every encoding that contains it is good enough."""
    marked = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = body.decode("utf-16" if marked else "utf-8", "replace")
    if "\0" in text:
        notes.fault("bad-encoding", "it holds zero bytes: UTF-16 without a mark, UTF-32, or binary")
        return ""
    return text


def _tags(text: str) -> Iterator[Tag]:
    """Opening tags of meta, link and script, outside comments and raw text."""
    at, line, counted = 0, 1, 0
    while found := _TAG.search(text, at):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        if found[0] == "<!--":
            at = text.find("-->", found.end())
            if at < 0:
                yield Tag("#unclosed", {}, line, "a comment")
                return
            continue
        name, end = found[0][1:].lower(), _end_of_tag(text, found.end())
        if end < 0:
            yield Tag("#unclosed", {}, line, f"<{name}>")
            return
        at, inner = end + 1, ""
        if name in _RAW_TEXT:
            close = re.compile(f"</{name}", re.IGNORECASE).search(text, at)
            if close is None:
                yield Tag("#unclosed", {}, line, f"<{name}>")
                return
            inner, at = text[at : close.start()], close.start()
        if name in ("meta", "link", "script"):
            yield Tag(name, _attributes(text[found.end() : end]), line, inner)


def _end_of_tag(text: str, at: int) -> int:
    """Where the `>` stands that ends a tag, past quoted values; -1 if nowhere within 64 KiB."""
    quote = before = ""
    for position in range(at, min(len(text), at + 65_536)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character == ">":
            return position
        elif character in "\"'" and before == "=":
            quote = character
        before = before if character.isspace() else character
    return -1


def _attributes(text: str) -> dict[str, str]:
    read: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(text[:16_384]):
        read.setdefault(found[1].lower(), html.unescape(found[2] or found[3] or found[4] or ""))
    return read


def _tdm(tags: list[Tag], notes: Notebook, policies: Policies | None) -> None:
    named = [(tag.attributes.get("name", "").lower().strip(), tag) for tag in tags if tag.name == "meta"]
    policy = next((tag.attributes.get("content", "") for name, tag in named if name == "tdm-policy"), "")
    for name, tag in named:
        if name == "tdm-reservation":
            value = tag.attributes.get("content", "")
            saw_reservation(notes, value, policy.strip(), "meta tdm-reservation", policies, tag.line)


def _robots(tag: Tag, notes: Notebook) -> None:
    name = tag.attributes.get("name", "").lower().strip()
    if tag.name == "meta" and (name == "robots" or name in known_agents().purposes):
        content = tag.attributes.get("content", "")
        agent = "" if name == "robots" else name
        saw_tokens(content, notes, agent=agent, line=tag.line, raw=f'<meta name="{name}" content="{content}">')


def _licence(tag: Tag, notes: Notebook) -> None:
    kind = tag.attributes.get("type", "").lower()
    if "rsl+xml" not in kind:
        return
    if tag.name == "script":
        saw_rsl(tag.text.strip().encode("utf-8", "replace"), notes, line=tag.line)
    elif tag.name == "link" and "license" in tag.attributes.get("rel", "").lower().split():
        href = tag.attributes.get("href", "")
        saw_licence_link(href, 'link rel="license"', f'<link rel="license" href="{href}">', tag.line, notes)
