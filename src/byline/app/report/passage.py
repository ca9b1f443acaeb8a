"""A passage as it is printed: each run of words tinted and numbered by its likeliest source, borrowed words underlined.

A person has one number on the whole page, in order of first appearance. Colours are six: each passage gives them to
the people who stand behind most of its words, and a person keeps the colour of the passage before if it is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from markupsafe import Markup

from byline.app.report.markup import HUES, node, percent


@dataclass(frozen=True, slots=True)
class Source:
    """One person as shown in one passage: `colour` 0 is neutral, `anchor` the id of the entry in its legend."""

    name: str
    number: int
    colour: int
    anchor: str


def number_people(data: dict[str, Any]) -> dict[str, int]:
    """Number of each person, from 1, by first appearance in the segments, then the lists, then the check."""
    passages = data["passages"]
    names = [segment["contributor"] for passage in passages for segment in passage["segments"]]
    names += [person["name"] for passage in passages for person in (*passage["contributors"], *passage["opposed"])]
    names += [pair["contributor"] for pair in data["check"]["pairs"]]
    return {name: number for number, name in enumerate(dict.fromkeys(name for name in names if name), start=1)}


def weightiest(passage: dict[str, Any]) -> list[str]:
    """The people to colour: at most six, those whose runs are longest, weighted by how sure the segments are."""
    weights: dict[str, float] = {}
    for segment in passage["segments"]:
        weight = len(segment["text"]) * max(segment["share"], 0.01)
        weights[segment["contributor"]] = weights.get(segment["contributor"], 0.0) + weight
    weights.pop("", None)
    return sorted(weights, key=lambda name: -weights[name])[:HUES]


def assign_colours(groups: Sequence[Sequence[str]]) -> list[dict[str, int]]:
    """Colour (1 to 6) of the first six of each group, all different inside it, kept from group to group if free."""
    usual: dict[str, int] = {}
    result: list[dict[str, int]] = []
    for group in groups:
        mine: dict[str, int] = {}
        for name in group[:HUES]:
            if name in usual and usual[name] not in mine.values():
                mine[name] = usual[name]
        free = [colour for colour in range(1, HUES + 1) if colour not in mine.values()]
        for name in group[:HUES]:
            if name not in mine:
                mine[name] = free.pop(0)
        usual = {**mine, **usual}
        result.append(mine)
    return result


def sources_of(passage: dict[str, Any], numbers: dict[str, int], colours: dict[str, int], prefix: str) -> list[Source]:
    """People behind at least one segment, in order of their numbers."""
    names = {segment["contributor"] for segment in passage["segments"]} - {""}
    sources = [Source(name, numbers[name], colours.get(name, 0), f"{prefix}-{numbers[name]}") for name in names]
    return sorted(sources, key=lambda source: source.number)


def annotated(passage: dict[str, Any], sources: Sequence[Source], prefix: str) -> Markup:
    """The text with its runs: neighbouring segments of one person make a run, with one number at its end.

    Blanks around a run stay outside it, so that no tint hangs over the edge of a word.
    """
    people = {source.name: source for source in sources}
    overlaps = [{**overlap, "end": _last_word(passage["text"], overlap)} for overlap in passage["overlaps"]]
    result, start = Markup(), 0
    for name, group in groupby(passage["segments"], key=lambda segment: segment["contributor"]):
        segments = list(group)
        text = "".join(segment["text"] for segment in segments)
        core = text.strip()
        lead = text[: text.index(core)]
        words = _run(segments, start, (start + len(lead), start + len(lead) + len(core)), overlaps, prefix)
        body = _sourced(words, people[name], segments) if name and core else words
        result += Markup.escape(lead) + body + text[len(lead) + len(core) :]
        start += len(text)
    return result


def letter(index: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    return letter(index // 26 - 1) + letter(index % 26) if index >= 26 else chr(ord("a") + index)


def _sourced(words: Markup, source: Source, segments: list[dict[str, Any]]) -> Markup:
    best = percent(max(segment["share"] for segment in segments))
    says = f"{source.name} · {best} of the score of these words"
    number = node("a", source.number, href=f"#{source.anchor}", data_who=says, aria_label=says)
    return node("span", words, node("sup", number), class_=f"run c{source.colour}")


def _run(
    segments: list[dict[str, Any]], start: int, core: tuple[int, int], overlaps: list[dict[str, Any]], prefix: str
) -> Markup:
    """The segments of one run, cut to `core` (offsets into the passage) and split where an overlap begins or ends."""
    result = Markup()
    for segment in segments:
        end = start + len(segment["text"])
        inside = max(start, core[0]), min(end, core[1])
        for left, right in pairwise(_cuts(overlaps, *inside)):
            words = segment["text"][left - start : right - start]
            result += _piece(
                words, _strength(segment), [o for o in overlaps if o["start"] <= left and right <= o["end"]]
            )
            result += Markup().join(_note(i, o, prefix) for i, o in enumerate(overlaps) if o["end"] == right)
        start = end
    return result


def _last_word(text: str, overlap: dict[str, Any]) -> int:
    """Where the overlap ends if the blanks after its last word are left out."""
    return len(text[: overlap["end"]].rstrip())


def _cuts(overlaps: list[dict[str, Any]], start: int, end: int) -> list[int]:
    edges = {edge for overlap in overlaps for edge in (overlap["start"], overlap["end"])}
    return sorted({start, end} | {edge for edge in edges if start < edge < end}) if start < end else []


def _strength(segment: dict[str, Any]) -> str | None:
    """Class of the tint: one source may hold nearly all of a segment's score, or just more than the next."""
    if not segment["contributor"]:
        return None
    return "s3" if segment["share"] >= 0.5 else "s2" if segment["share"] >= 0.25 else "s1"


def _piece(words: str, strength: str | None, overlaps: list[dict[str, Any]]) -> Markup:
    body = node("u", words, title=f"word for word in “{overlaps[0]['title']}”") if overlaps else Markup.escape(words)
    return node("span", body, class_=strength) if strength else body


def _note(index: int, overlap: dict[str, Any], prefix: str) -> Markup:
    says = f"{overlap['words']} words as in “{overlap['title']}”, {overlap['contributor']}"
    link = node("a", letter(index), href=f"#{prefix}-{letter(index)}", data_who=says, aria_label=says)
    return node("sup", link, class_="note")
