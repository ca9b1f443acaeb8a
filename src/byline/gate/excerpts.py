"""Passages that a work took from an earlier work of other people: a stolen chapter inside a book of one's own.

Two works that share a third of their runs of words are one cluster (`duplicates`). A chapter of a long book inside
another long book is a smaller part of both, and to merge the two books would take from both authors. So it is not the
works that are joined: the passage is found, with its place, and what a training example inside it earns is credited
to the work it was taken from. Who took a page loses the page, and nothing else.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import PPM, Example, GateError, Record, Work, WorkId
from byline.gate.duplicates import (
    _INVISIBLE,
    _WORD,
    COMMON_FLOOR,
    COMMON_PART,
    SHINGLE_WORDS,
    _mix,
    _same_contributors,
    word_hash,
)

MIN_PASSAGE = 120
"""Words from which a passage is more than a quotation: about half a page."""

MAX_GAP = 25
"""Words of difference that are bridged: with one word in ten replaced, a run of five survives every few words."""

MIN_MATCHED_PPM = 250_000
"""Part of a passage's runs of five words that must stand in the earlier work."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Excerpt(Record):
    """Characters `start` to `end` of `work` stand in `earlier`, of which `matched_ppm` word for word."""

    work: WorkId
    earlier: WorkId
    start: int
    end: int
    words: int
    matched_ppm: int


def find_excerpts(works: Sequence[Work], texts: Mapping[WorkId, str]) -> tuple[Excerpt, ...]:
    """Passages of every work that an earlier one by other contributors has. `works` stand in order of registration.

    A run of words belongs to the work that had it first; what stands in many different works is nobody's.
    Raises: GateError("no-text").
    """
    missing = [work.id for work in works if work.id not in texts]
    if missing:
        raise GateError("no-text", f"no text given for {', '.join(missing)}", "pass the text of every work")
    known: dict[str, int] = {}
    placed = [_placed_words(texts[work.id], known) for work in works]
    found = []
    for (later, earlier), starts in sorted(_matches([hashes for hashes, _ in placed]).items()):
        if not _same_contributors(works[later], works[earlier]):
            for first, last, matched in _passages(starts):
                spans = placed[later][1]
                words, ppm = last - first + 1, matched * PPM // max(1, last - first + 2 - SHINGLE_WORDS)
                if words >= MIN_PASSAGE and ppm >= MIN_MATCHED_PPM:
                    place = (int(spans[first, 0]), int(spans[last, 1]))
                    found.append(Excerpt(works[later].id, works[earlier].id, *place, words, ppm))
    return tuple(found)


def credited_works(examples: Iterable[Example], excerpts: Iterable[Excerpt]) -> list[WorkId]:
    """The work that each example's influence is credited to: its own, or that from which half of it and more came."""
    by_work: defaultdict[WorkId, list[Excerpt]] = defaultdict(list)
    for excerpt in excerpts:
        by_work[excerpt.work].append(excerpt)
    return [_credited(example, by_work[example.work]) for example in examples]


def own_lengths(lengths: Mapping[WorkId, int], excerpts: Iterable[Excerpt]) -> dict[WorkId, int]:
    """Characters of each work that it has from nobody else, at least 1: what a prior by length goes by."""
    taken: defaultdict[WorkId, list[tuple[int, int]]] = defaultdict(list)
    for excerpt in excerpts:
        taken[excerpt.work].append((excerpt.start, excerpt.end))
    return {work: max(1, length - _covered(taken[work])) for work, length in lengths.items()}


# Suffixes: P words of a work, M (run of five words, place) incidences of all works


def _placed_words(text: str, known: dict[str, int]) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Hash and (start, end) of every word; the offsets are characters of the text as given."""
    hashes, spans = [], []
    for match in re.finditer(rf"(?:{_WORD.pattern}|{_INVISIBLE.pattern})+", text):
        plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", match[0]).casefold())
        for word in _WORD.findall(plain):
            if word not in known:
                known[word] = word_hash(word)
            hashes.append(known[word])
            spans.append(match.span())
    return np.array(hashes, dtype=np.uint64), np.array(spans, dtype=np.int64).reshape(-1, 2)


def _matches(words: Sequence[npt.NDArray[np.uint64]]) -> dict[tuple[int, int], Ints]:
    """(later, earlier) -> places in the later work where a run of five words begins that the earlier one had first."""
    runs = [_runs(each) for each in words]
    hashes_M = np.concatenate([np.empty(0, np.uint64), *runs])
    owners_M = np.repeat(np.arange(len(runs)), [len(each) for each in runs])
    places_M = np.concatenate([np.empty(0, np.int64), *(np.arange(len(each)) for each in runs)])
    order_M = np.argsort(hashes_M, kind="stable")
    owners_M, places_M = owners_M[order_M], places_M[order_M]
    _, starts_R, counts_R = np.unique(hashes_M[order_M], return_index=True, return_counts=True)
    first_M = np.repeat(owners_M[starts_R] if len(starts_R) else starts_R, counts_R)
    new_M = np.concatenate([[True], np.diff(owners_M) != 0]) if len(owners_M) else np.empty(0, bool)
    new_M[starts_R] = True
    holders_R = np.add.reduceat(new_M.astype(np.int64), starts_R) if len(starts_R) else counts_R
    common_M = np.repeat(holders_R > max(COMMON_FLOOR, len(words) // COMMON_PART), counts_R)
    taken_M = np.flatnonzero((owners_M > first_M) & ~common_M)
    keys_M = owners_M[taken_M] * len(words) + first_M[taken_M]
    order = np.lexsort((places_M[taken_M], keys_M))
    keys, starts = np.unique(keys_M[order], return_index=True)
    parts = np.split(places_M[taken_M][order], starts[1:])
    return {(int(key) // len(words), int(key) % len(words)): part for key, part in zip(keys, parts, strict=False)}


def _runs(words_P: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A hash of every five words in a row, in their order."""
    count = max(0, len(words_P) - SHINGLE_WORDS + 1)
    hashes = np.full(count, SHINGLE_WORDS, dtype=np.uint64)
    for offset in range(SHINGLE_WORDS):
        hashes = _mix(hashes + words_P[offset : offset + count])
    return hashes


def _passages(starts: Ints) -> Iterable[tuple[int, int, int]]:
    """(first word, last word, matched runs) of places that lie close together."""
    for part in np.split(starts, np.flatnonzero(np.diff(starts) > MAX_GAP) + 1):
        if len(part):
            yield int(part[0]), int(part[-1]) + SHINGLE_WORDS - 1, len(part)


def _credited(example: Example, excerpts: Sequence[Excerpt]) -> WorkId:
    inside: defaultdict[WorkId, list[tuple[int, int]]] = defaultdict(list)
    for each in excerpts:
        start, end = max(each.start, example.start), min(each.end, example.end)
        if start < end:
            inside[each.earlier].append((start, end))
    covered = {work: _covered(spans) for work, spans in inside.items()}
    best = max(covered, key=lambda work: (covered[work], work), default=example.work)
    return best if 2 * covered.get(best, 0) >= example.end - example.start > 0 else example.work


def _covered(spans: Iterable[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
