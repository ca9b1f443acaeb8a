"""Was a text, a picture or a sound in it? The index of a project, brought up to date, and answers with their scope."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from byline.app.home import Home
from byline.core import AppError, Example, Manifest, WorkId
from byline.gate import read_manifest
from byline.lookup import (
    STANDARD,
    CorpusIndex,
    Guard,
    GuardPolicy,
    NearMatch,
    Place,
    Verbatim,
    measured,
    most_telling,
    near_matches,
    ranked_works,
    read_policy,
    telling,
    verbatim,
    words,
)

POLICY = "guard.json"
LEAST = 8  # words: a query with fewer cannot be answered
Told = dict[str, Any]
Count = Callable[[int], None]


def _uncounted(count: int) -> None:
    pass


class Library:
    """The works of a project as look-up sees them: every work of every frozen manifest, and apart from them the works
    whose contributors said no by a day."""

    def __init__(self, home: Home, on: date) -> None:
        self.home, self.on = home, on
        self._text = lru_cache(maxsize=64)(home.registry.text)

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        """In order of their days. Raises: those of `read_manifest`."""
        files = (self.home.path / "manifests").glob("*.json")
        found = [read_manifest(path) for path in files if ".snapshot." not in path.name]
        return tuple(sorted(found, key=lambda manifest: (manifest.frozen, manifest.id)))

    @cached_property
    def corpus(self) -> CorpusIndex:
        return CorpusIndex(self.home.path / "lookup" / "works", self._text)

    @cached_property
    def opted_out(self) -> CorpusIndex:
        return CorpusIndex(self.home.path / "lookup" / "opted-out", self._text)

    def wanted(self) -> tuple[frozenset[WorkId], frozenset[WorkId]]:
        """Texts of manifests, texts of those who said no; a work that the register no longer has is in neither."""
        works = self.home.works
        frozen = {entry.work for manifest in self.manifests for entry in manifest.entries}
        refused = self.home.opted_out(self.on)
        return (
            frozenset(work for work in frozen if work in works and works[work].kind == "text"),
            frozenset(work for work in refused if work in works and works[work].kind == "text"),
        )

    def update(self, again: bool = False, done: Count = _uncounted) -> Told:
        """Bring both indexes up to date, or build them again. Asking does this first, so that no answer comes from an
        index that lacks a work.

        Raises: LookupFault("index-busy"), LookupFault("lookup-missing"), RegistryError for a text that is gone.
        """
        told: Told = {}
        frozen, refused = self.wanted()
        told["works"] = _bring(self.corpus, frozen, self._text, again, done) | self.corpus.size.to_json()
        told["opted_out"] = (
            _bring(self.opted_out, refused, self._text, again, _uncounted) | self.opted_out.size.to_json()
        )
        return told

    # --- what an answer says of works

    def told_of(self, place: Place) -> Told:
        text = self._text(place.work)
        return {
            "work": place.work,
            "title": self.home.works[place.work].title,
            "contributor": self.home.contributors(place.work),
            "start": place.start,
            "end": place.end,
            "quote": text[place.start : place.end],
            "read_by": self.read_by(place),
        }

    def read_by(self, place: Place) -> list[Told]:
        """Trainings that read some of the passage, and how much of it (in ppm of its characters)."""
        told = []
        for name, spans in self._trained.items():
            inside = [(max(s, place.start), min(e, place.end)) for s, e in spans.get(place.work, ())]
            read = sum(end - start for start, end in inside if start < end)
            if read:
                told.append({"training": name, "part_ppm": read * 1_000_000 // (place.end - place.start)})
        return told

    @cached_property
    def _trained(self) -> dict[str, dict[WorkId, list[tuple[int, int]]]]:
        """For each finished training the spans of each work that it read, disjoint."""
        found: dict[str, dict[WorkId, list[tuple[int, int]]]] = {}
        for path in sorted((self.home.path / "trainings").glob("*/examples.jsonl")):
            if (path.parent / "training.json").is_file():
                spans = found.setdefault(path.parent.name, {})
                for line in path.read_text(encoding="utf-8").splitlines():
                    example = Example.from_json(json.loads(line))
                    spans.setdefault(example.work, []).append((example.start, example.end))
        return found

    def scope(self) -> Told:
        """What was searched: told with every answer."""
        return {
            "manifests": [manifest.id for manifest in self.manifests],
            "works": len(self.corpus.works),
            "words": self.corpus.size.words,
            "trainings": sorted(self._trained),
        }


def _bring(
    index: CorpusIndex, wanted: frozenset[WorkId], text: Callable[[WorkId], str], again: bool, done: Count
) -> Told:
    if again:
        return {"added": index.rebuild((work, text(work)) for work in sorted(wanted)), "struck_off": 0}
    gone = index.works - wanted
    missing = sorted(wanted - index.works)
    return {
        "struck_off": index.remove(gone) if gone else 0,
        "added": index.add(((work, text(work)) for work in missing), done) if missing else 0,
    }


# --- texts


def look_up_text(library: Library, text: str, show_all: bool = False) -> Told:
    """The answer to "was this in it?".

    `verdict`: found (word for word), resembles, phrases (short runs only, which may be nobody's), not-found, or
    too-short, which is no answer. Raises: AppError("nothing-frozen") if there is no manifest,
    LookupFault("empty-query").
    """
    if not library.manifests:
        raise AppError("nothing-frozen", "no manifest was frozen yet, so there is nothing to search", "byline freeze")
    count = len(words(text))
    found = verbatim(library.corpus, text) if count >= LEAST else []
    near = [match for match in near_matches(library.corpus, text) if not _told_already(match, found)] if count else []
    shown = sorted(found, key=lambda each: each.start) if show_all else most_telling(found, count)
    sure = any(telling(each, count) for each in found)
    verdict = "found" if sure else "resembles" if near else "phrases" if found else "not-found"
    kept_out = verbatim(library.opted_out, text) if count >= LEAST else []
    recall = measured("text")
    return {
        "kind": "text",
        "verdict": verdict if count >= LEAST else "too-short",
        "words": count,
        "covered_words": covered_words(found, text),
        "verbatim": [_passage(library, each, text) for each in shown],
        "passages": len(found),
        "works": [_work(library, work) for work in ranked_works(found, text, library.corpus.text_of)] if found else [],
        "near": [_near(library, match, text) for match in near],
        "kept_out": [_passage(library, each, text) for each in most_telling(kept_out, count)],
        "scope": library.scope(),
        "measured": recall.to_json() if recall else None,
    }


def covered_words(found: Sequence[Verbatim], text: str) -> int:
    """Words of the text that stand in a passage found word for word."""
    spans = [(each.start, each.end) for each in found]
    return sum(any(start <= at and end <= stop for start, stop in spans) for _, at, end in words(text)) if spans else 0


def _told_already(match: NearMatch, found: Sequence[Verbatim]) -> bool:
    """True if word-for-word passages in the same work are nine tenths of the near one."""
    same = [each for each in found if any(place.work == match.work for place in each.places)]
    inside = sum(max(0, min(each.end, match.end) - max(each.start, match.start)) for each in same)
    return inside * 10 >= (match.end - match.start) * 9


def _passage(library: Library, found: Verbatim, text: str) -> Told:
    told = found.to_json() | {"quote": text[found.start : found.end]}
    return told | {"places": [library.told_of(place) for place in found.places]}


def _near(library: Library, match: NearMatch, text: str) -> Told:
    place = library.told_of(Place(match.work, match.work_start, match.work_end))
    return match.to_json() | {"quote": text[match.start : match.end], "place": place}


def _work(library: Library, work: WorkId) -> Told:
    return {"work": work, "title": library.home.works[work].title, "contributor": library.home.contributors(work)}


# --- guard


def policy_of(home: Home) -> GuardPolicy:
    """The operator's limits: those of `guard.json` in the project folder, else the standard ones.

    Raises: LookupFault("bad-policy").
    """
    path = home.path / POLICY
    return read_policy(path) if path.is_file() else STANDARD


def guard_of(library: Library, policy: GuardPolicy = STANDARD) -> Guard:
    """Raises: LookupFault("bad-policy")."""
    return Guard(library.corpus, library.opted_out, policy)


def named(library: Library, report: Told) -> Told:
    """A guard's report with the titles and contributors of the works that it names."""
    found: Iterable[str] = dict.fromkeys(
        place["work"]
        for part in (report["works"], report["opted_out"])
        for place in [*(part["longest"]["places"] if part["longest"] else []), *filter(None, [part["nearest"]])]
    )
    return report | {"named": [_work(library, WorkId(work)) for work in found]}


# --- pictures and sounds, against a folder of files


def folder_works(folder: Path) -> list[tuple[WorkId, Path]]:
    """Files of a folder and those below it, each under its path. Raises: AppError("no-file")."""
    if not folder.is_dir():
        raise AppError("no-file", f"{folder} is not a folder", "check the path")
    return [(WorkId(str(p.relative_to(folder))), p) for p in sorted(folder.rglob("*")) if p.is_file()]
