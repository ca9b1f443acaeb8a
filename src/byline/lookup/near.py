"""Passages that resemble a work without being it word for word: fingerprints find them, an alignment measures them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import PPM, Record, WorkId
from byline.lookup.build import library
from byline.lookup.corpus import CorpusIndex
from byline.lookup.layout import decode, rank
from byline.lookup.segment import Segment
from byline.lookup.verbatim import locate
from byline.lookup.words import some_words

Ints = npt.NDArray[np.int64]
Word = tuple[str, int, int]

COMMON = 64  # places: a run of five words that stands in more is no evidence
HITS = 2  # fingerprints that must agree before a passage is aligned
GAP = 60  # words between two of them, at most
DRIFT = 20  # words inserted or dropped between them, at most
SLACK = 12  # words on each side that the alignment may add
LONGEST = 4_000  # words that are aligned in one piece
LEAST_WORDS = 12  # words that must agree
LEAST_PPM = 450_000  # and the part of the passage that they are
WORKS = 20  # that are aligned, those with most fingerprints first


@dataclass(frozen=True, slots=True)
class NearMatch(Record):
    """A passage of the query that resembles one of a work. `same_words` of its `words` stand in the same order in the
    work's passage; `similarity_ppm` is their part of the longer of both. All offsets are characters, end not included.
    """

    work: WorkId
    words: int
    same_words: int
    similarity_ppm: int
    start: int
    end: int
    work_start: int
    work_end: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    segment: Segment
    number: int  # of the work in its segment
    hits: int
    query: tuple[int, int]  # first and last word, as far as fingerprints say
    place: tuple[int, int]  # the same in the work, in tokens


@dataclass(frozen=True, slots=True)
class Alignment:
    """A NearMatch before its characters are looked up. Words of the query count from where the search began."""

    segment: Segment
    work: WorkId
    query: tuple[int, int]  # first and last word that agree
    tokens: tuple[int, int]  # where these two stand in the segment
    same_words: int
    similarity_ppm: int

    def located(self, index: CorpusIndex, asked: Sequence[Word]) -> NearMatch:
        """`asked`: the words that were searched for. Raises: LookupFault("index-differs")."""
        ends = [asked[i] for i in self.query]
        places = [
            locate(index, self.segment, self.work, token, [word[0]])
            for token, word in zip(self.tokens, ends, strict=True)
        ]
        return NearMatch(
            work=self.work,
            words=self.query[1] - self.query[0] + 1,
            same_words=self.same_words,
            similarity_ppm=self.similarity_ppm,
            start=ends[0][1],
            end=ends[1][2],
            work_start=places[0].start,
            work_end=places[1].end,
        )


def near_matches(index: CorpusIndex, text: str, least_ppm: int = LEAST_PPM) -> list[NearMatch]:
    """The passages most like one of a work, longest agreement first; per work each is told once.

    Raises: LookupFault("empty-query"), LookupFault("lookup-missing"), LookupFault("index-differs").
    """
    asked = some_words(text)
    found = [each for each in alignments(index.segments, asked, WORKS) if each.similarity_ppm >= least_ppm]
    return [each.located(index, asked) for each in _apart(found)]


def alignments(segments: Sequence[Segment], asked: Sequence[Word], most: int) -> list[Alignment]:
    """The `most` candidates that share most fingerprints, aligned; those below LEAST_WORDS left out."""
    names = [word for word, _, _ in asked]
    candidates = [each for segment in segments for each in _candidates(segment, names)]
    candidates.sort(key=lambda each: -each.hits)
    aligned = (_aligned(candidate, names) for candidate in candidates[:most])
    return [each for each in aligned if each is not None]


def _apart(found: list[Alignment]) -> list[Alignment]:
    """Without those that tell the same passage of the same work again."""
    kept: list[Alignment] = []
    for each in sorted(found, key=lambda each: (-each.same_words, each.query, each.work)):
        if not any(other.work == each.work and _overlap(other.query, each.query) for other in kept):
            kept.append(each)
    return kept


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """More than the pieces of a long passage do, or more than half of the shorter one."""
    common = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return common > 2 * SLACK or 2 * common > min(one[1] - one[0], other[1] - other[0]) + 1


# --- candidates


def _candidates(segment: Segment, names: Sequence[str]) -> Iterator[_Candidate]:
    """Fingerprints of one work that follow each other in the query and in the work."""
    query_M, work_M, place_M = segment.fingerprinted(names, COMMON)
    if len(query_M) < HITS:
        return
    order = np.lexsort((query_M, place_M - query_M, work_M))
    query_M, work_M, place_M = query_M[order], work_M[order], place_M[order]
    drift_M = place_M - query_M
    new_M = np.concatenate([[True], (np.diff(work_M) != 0) | (np.diff(drift_M) > DRIFT)])[: len(work_M)]
    for part in np.split(np.arange(len(work_M)), np.flatnonzero(new_M)[1:]):
        if len(part) < HITS:
            continue
        part = part[np.argsort(query_M[part], kind="stable")]
        apart = (np.diff(query_M[part]) > GAP) | (np.diff(query_M[part] // LONGEST) != 0)
        for chain in np.split(part, np.flatnonzero(apart) + 1):
            hits = len(np.unique(query_M[chain]))
            if hits >= HITS:
                query = int(query_M[chain].min()), int(query_M[chain].max()) + 4
                place = int(place_M[chain].min()), int(place_M[chain].max()) + 4
                yield _Candidate(segment, int(work_M[chain[0]]), hits, query, place)


# --- alignment


def _aligned(found: _Candidate, names: Sequence[str]) -> Alignment | None:
    """The passage around a candidate, cut to the first and last word that agree."""
    first, last = max(0, found.query[0] - SLACK), min(len(names), found.query[1] + 1 + SLACK)
    ranks_T, places_T = _work_words(found)
    pairs = _pairs(_numbered(found.segment, names[first:last]), ranks_T.tolist())
    if len(pairs) < LEAST_WORDS:
        return None
    (q0, t0), (q1, t1) = pairs[0], pairs[-1]
    ppm = len(pairs) * PPM // (max(q1 - q0, t1 - t0) + 1)
    tokens = int(places_T[t0]), int(places_T[t1])
    work = found.segment.works[found.number]
    return Alignment(found.segment, work, (first + q0, first + q1), tokens, len(pairs), ppm)


def _work_words(found: _Candidate) -> tuple[Ints, Ints]:
    """Ranks of the work's words around the candidate, and their places in tokens."""
    first, end = found.segment.bounds(found.number)
    low, high = max(first, found.place[0] - 2 * SLACK), min(end, found.place[1] + 1 + 2 * SLACK)
    codes = found.segment.tokens[low:high]
    places = low + np.flatnonzero(found.segment.begins(codes))
    return decode(codes), places


def _numbered(segment: Segment, names: Sequence[str]) -> list[int]:
    """Ranks of words; those of no work are told apart below zero."""
    ranks, unknown = [], -2
    for name in names:
        code = segment.code(name)
        if code is None:
            unknown -= 1
        ranks.append(unknown if code is None else rank(code))
    return ranks


def _pairs(query: list[int], work: list[int]) -> list[tuple[int, int]]:
    """A longest common subsequence; loose words at its ends, far from the rest, are cut off."""
    lcs: Any = library("rapidfuzz.distance", "lookup").LCSseq
    pairs = [
        (op.src_start + i, op.dest_start + i)
        for op in lcs.opcodes(query, work)
        if op.tag == "equal"
        for i in range(op.src_end - op.src_start)
    ]
    return _trimmed(pairs)


def _trimmed(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop ends where fewer than half of the next eight words agree."""
    low, high = 0, len(pairs)
    while high - low > 4 and _loose(pairs[low], pairs[low + 3]):
        low += 1
    while high - low > 4 and _loose(pairs[high - 4], pairs[high - 1]):
        high -= 1
    return pairs[low:high]


def _loose(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(other[0] - one[0], other[1] - one[1]) > 8
