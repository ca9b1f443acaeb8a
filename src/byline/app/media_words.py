"""What is said of pictures and sounds that were looked up, in plain words."""

from collections.abc import Sequence
from typing import Any

from byline.core import PPM

Told = dict[str, Any]
PLURAL = {"image": "pictures", "audio": "sounds"}
SINGULAR = {"image": "picture", "audio": "sound"}
PLAIN = "No answer: there is too little in this picture to compare it with others. Give a larger part of it."
NO_PROOF = "Not found. That is no proof that it was not in them: see below what this search finds and misses."
WHOLE_PPM, PART_PPM = 900_000, 900_000  # from which a part counts as the whole
SAID_DEGREES = 3  # smaller turns are not worth a word
NAMED = 5  # works in a sentence


def match_words(kind: str, match: Told) -> str:
    """How what was asked comes from the work."""
    if match["same_file"]:
        return "the very same file, byte for byte"
    return _picture_words(match) if kind == "image" else _sound_words(match)


def _picture_words(match: Told) -> str:
    lies: Told | None = match.get("alignment")
    part = match["by"] == "features" and (lies is None or lies["work_ppm"] < WHOLE_PPM)
    words = "a part of it" if part else "the same picture, saved again, resized or recoloured"
    if part and lies:
        words = f"a part of it, about {_percent(lies['work_ppm'])} of the picture"
    turned = _turned(match)
    shown = lies["query_ppm"] if lies else PPM
    within = f", which is about {_percent(shown)} of what was sent" if shown < PART_PPM else ""
    return words + (f", {turned}" if turned else "") + within + f" ({_evidence(match)})"


def _turned(match: Told) -> str:
    lies = match.get("alignment")
    if lies is None:
        return "mirrored or turned" if match["turned"] else ""
    degrees = abs(lies["degrees"])
    said = ["mirrored"] if match["mirrored"] else []
    return " and ".join([*said, f"turned by {degrees} degrees"] if degrees >= SAID_DEGREES else said)


def _evidence(match: Told) -> str:
    if match["by"] == "hash":
        return f"{match['bits']} of 256 bits of its hash differ"
    return f"{match['inliers']} details agree" if match["inliers"] else "its colours agree, it has few details"


def _sound_words(match: Told) -> str:
    alike = f"{match['seconds']:.0f} seconds alike, from second {max(0, match['work_start']):.0f} of the work"
    return f"{alike} ({_percent(match['differing_ppm'])} of the bits of its fingerprint differ)"


def _percent(ppm: int) -> str:
    return f"{100 * ppm / PPM:.0f} %"


# --- whole answers ----------------------------------------------------------------------------------------------


def sentences(told: Told) -> list[str]:
    """The answer about a project's works."""
    what, scope = PLURAL[told["kind"]], told["scope"]
    if told["verdict"] == "nothing-searched":
        unread = _unread(told)
        return [f"No answer: no {what} are registered here that could be searched. That is no “not found”.", *unread]
    if told["verdict"] == "too-plain":
        return [PLAIN]
    searched = f"Searched: {scope['works']:,} {what} registered here, {scope['listed']:,} of them on a list of works "
    searched += f"that may train, {scope['opted_out']:,} of people who said no. Not searched: works of other projects."
    if told["verdict"] == "found":
        return [*map(_found, told["matches"]), searched, *_unread(told)]
    return [NO_PROOF, searched, *_compared(told), *_unread(told), *recall_lines(told["measured"])]


def _found(match: Told) -> str:
    state = "It stands on a list of works that may train." if match["listed"] else "It stands on no list for training."
    if match["opted_out"]:
        state = "Whoever made it has said no to training" + (
            "; it stands on an earlier list." if match["listed"] else ", and it stands on no list."
        )
    return f"Found: “{match['title']}” by {match['contributor']}: {match['says']}. {state}"


def _unread(told: Told) -> list[str]:
    titles: Sequence[str] = told["scope"]["not_searched"]
    if not titles:
        return []
    more = f" and {len(titles) - NAMED} more" if len(titles) > NAMED else ""
    return [f"Could not be read, and so were not searched: {', '.join(titles[:NAMED])}{more}."]


def folder_sentences(told: Told) -> list[str]:
    """The answer about a folder of files."""
    what, scope = PLURAL[told["kind"]], told["scope"]
    unread = len(scope["not_searched"])
    skipped = f"; {unread} files there could not be read as {what} and were not searched" if unread else ""
    searched = f"Searched: {scope['works']} {what} in {scope['folder']}{skipped}."
    if told["verdict"] == "found":
        return [f"Found: it comes from {len(told['matches'])} of them, or they from it.", searched]
    if told["verdict"] == "nothing-searched":
        return [f"No answer: there are no {what} in {scope['folder']}{skipped}."]
    if told["verdict"] == "too-plain":
        return [PLAIN]
    return [NO_PROOF, searched, *_compared(told), *recall_lines(told["measured"])]


def _compared(told: Told) -> list[str]:
    return [told["compared"]] if "compared" in told else []


def recall_lines(measured: Told | None) -> list[str]:
    """How often a search finds what is there, as it was measured."""
    if measured is None:
        return ["How often this search misses what is there was not measured: run benchmarks/lookup.py."]
    lines = [f"What it found of {measured['what']} ({measured['on']}):"]
    return lines + [f"  {each['change']}: {each['found']} of {each['asked']}" for each in measured["recalls"]]
