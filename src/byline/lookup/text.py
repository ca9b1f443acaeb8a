"""Which works does a text share its words with? Verbatim runs, and BM25 and TF-IDF as plain lexical measures.

Words are compared after NFKC and casefolding, without punctuation. A shared run is evidence of copying, not of
influence. Suffixes: P words of all works, one work after the other; M pairs of equal n-grams; R shared runs.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault, Record, WorkId
from byline.lookup.words import some_words, words

Ints = npt.NDArray[np.int64]

_UNKNOWN, _BETWEEN = -1, -2  # in place of a word's number: in no work; between two works


@dataclass(frozen=True, slots=True)
class Overlap(Record):
    """A run of `words` words that a query and a work have in common, word for word. Offsets are characters, end not
    included. `works`: in how many works the same run stands; above 1 it may be a commonplace."""

    work: WorkId
    words: int
    query_start: int
    query_end: int
    work_start: int
    work_end: int
    works: int


class TextIndex:
    """All n-grams of some works, hashed and sorted. Exact: hash collisions are checked away."""

    def __init__(self, works: Mapping[WorkId, str], gram: int) -> None:
        self.gram = gram
        self.works = tuple(works)
        self._numbers: dict[str, int] = {}  # of words
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        first = []
        for text in works.values():
            first.append(len(ids))
            for word, start, end in words(text):
                ids.append(self._numbers.setdefault(word, len(self._numbers)))
                spans.append((start, end))
            ids.append(_BETWEEN)
            spans.append((0, 0))
        self._first = np.array(first, dtype=np.int64)
        self._ids_P = np.array(ids, dtype=np.int32)
        self._spans_P2 = np.array(spans, dtype=np.uint32).reshape(-1, 2)
        hashes = _gram_hashes(self._ids_P, gram)
        self._places = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._places]

    @classmethod
    def build(cls, works: Mapping[WorkId, str], gram: int = 8) -> Self:
        """Index `works` for runs of `gram` words and more. 16 bytes and more per word of text."""
        return cls(works, gram)

    def overlaps(self, text: str, min_words: int = 8) -> list[Overlap]:
        """Runs of `min_words` words and more that `text` shares with a work, longest first.

        For one work, no run lies inside a longer one; where a work has the run more than once, its first place is
        given. Raises: LookupFault("empty-query") if `text` has no word, LookupFault("run-too-short") if `min_words` is
        below the index's `gram`.
        """
        if min_words < self.gram:
            fix = f"ask for {self.gram} words or more, or build the index with gram={min_words}"
            raise LookupFault("run-too-short", f"the index holds no runs of {min_words} words", fix)
        query = some_words(text)
        ids_Q = np.array([self._numbers.get(word, _UNKNOWN) for word, _, _ in query], dtype=np.int32)
        start_R, place_R, words_R = self._runs(ids_Q)
        long_R = words_R >= min_words
        start_R, place_R, words_R = start_R[long_R], place_R[long_R], words_R[long_R]
        work_R = np.searchsorted(self._first, place_R, side="right") - 1
        found = []
        for r in _outermost(work_R, start_R, words_R, place_R):
            same_R = (start_R <= start_R[r]) & (start_R + words_R >= start_R[r] + words_R[r])
            found.append(
                Overlap(
                    work=self.works[work_R[r]],
                    words=int(words_R[r]),
                    query_start=query[start_R[r]][1],
                    query_end=query[start_R[r] + words_R[r] - 1][2],
                    work_start=int(self._spans_P2[place_R[r], 0]),
                    work_end=int(self._spans_P2[place_R[r] + words_R[r] - 1, 1]),
                    works=len(np.unique(work_R[same_R])),
                )
            )
        return sorted(found, key=lambda overlap: (-overlap.words, overlap.query_start, overlap.work))

    def _runs(self, ids_Q: npt.NDArray[np.int32]) -> tuple[Ints, Ints, Ints]:
        """Every run of equal words that cannot be extended: its start in the query, its place in the works, length."""
        hashes = _gram_hashes(ids_Q, self.gram)
        low = np.searchsorted(self._hashes, hashes, side="left")
        high = np.searchsorted(self._hashes, hashes, side="right")
        query_M = np.repeat(np.arange(len(hashes)), high - low)
        place_M = self._places[_ranges(low, high)]
        equal_M = np.ones(len(query_M), dtype=bool)
        for i in range(self.gram):
            equal_M &= ids_Q[query_M + i] == self._ids_P[place_M + i]
        query_M, place_M = query_M[equal_M], place_M[equal_M]
        order = np.lexsort((query_M, place_M - query_M))  # along each diagonal of the query-by-works table
        query_M, place_M = query_M[order], place_M[order]
        follows = (np.diff(query_M) == 1) & (np.diff(place_M) == 1)
        first = np.flatnonzero(np.concatenate([[True], ~follows])) if len(query_M) else np.empty(0, np.int64)
        count = np.diff(np.append(first, len(query_M)))
        return query_M[first], place_M[first], count + self.gram - 1


def _gram_hashes(ids: npt.NDArray[np.int32], gram: int) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each `gram` numbers in a row."""
    mixed = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    count = max(0, len(ids) - gram + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(gram):
        hashes = hashes * np.uint64(0xBF58476D1CE4E5B9) + mixed[i : i + count]
    return hashes


def _ranges(low: Ints, high: Ints) -> Ints:
    """The integers of [low[0], high[0]), then those of [low[1], high[1]), and so on."""
    counts = high - low
    shift: Ints = np.repeat(low - np.cumsum(counts) + counts, counts)
    return np.arange(len(shift)) + shift


def _outermost(work_R: Ints, start_R: Ints, words_R: Ints, place_R: Ints) -> list[int]:
    """Indices of the runs that lie in no other run of the same work; of equal ones, that of the first place."""
    kept, work, end = [], -1, -1
    for r in np.lexsort((place_R, -words_R, start_R, work_R)):
        if work_R[r] != work:
            work, end = work_R[r], -1
        if start_R[r] + words_R[r] > end:
            kept.append(int(r))
            end = start_R[r] + words_R[r]
    return kept


class TFIDF:
    """Cosines of words weighed by inverse document frequency, over `documents`, in their order (`ids`).

    A word that stands f times weighs (1 + ln f) * (1 + ln((1 + N) / (1 + n))), n of N documents having it; words that
    no document has weigh nothing. Every text has length 1, so that a longer one is not thereby nearer. Source: Salton
    and Buckley 1988; scikit-learn's smoothed form with sublinear counts.
    """

    def __init__(self, documents: Mapping[str, str]) -> None:
        self.ids = tuple(documents)
        counts = [_counted(text) for text in documents.values()]
        present = Counter(word for count in counts for word in count)
        self._idf = {word: 1 + np.log((1 + len(counts)) / (1 + n)) for word, n in present.items()}
        self._vectors = [self._vector(count) for count in counts]
        postings: dict[str, list[tuple[int, float]]] = {}
        for i, vector in enumerate(self._vectors):
            for word, weight in vector.items():
                postings.setdefault(word, []).append((i, weight))
        self._postings = {
            word: (np.array([i for i, _ in found]), np.array([weight for _, weight in found]))
            for word, found in postings.items()
        }

    def scores(self, query: str) -> npt.NDArray[np.float64]:
        """Cosine of `query` with each document, 0 where no word is shared."""
        scores = np.zeros(len(self.ids))
        for word, weight in self._vector(_counted(query)).items():
            documents, weights = self._postings[word]
            scores[documents] += weight * weights
        return scores

    def likeness(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Cosine of `query` with each of other texts, by the documents' frequencies."""
        asked = self._vector(_counted(query))
        others = [self._vector(_counted(text)) for text in texts]
        return np.array([sum(w * other.get(word, 0.0) for word, w in asked.items()) for other in others], dtype=float)

    def _vector(self, count: Counter[str]) -> dict[str, float]:
        raw = {word: (1 + float(np.log(f))) * self._idf[word] for word, f in count.items() if word in self._idf}
        length = math.sqrt(sum(weight * weight for weight in raw.values()))
        return {word: weight / length for word, weight in raw.items()}


def _counted(text: str) -> Counter[str]:
    return Counter(word for word, _, _ in words(text))


class BM25:
    """Okapi BM25 over `documents`, in their order (`ids`).

    score = sum over the query's words (each as often as it stands there) of idf * f * (k1 + 1) / (f + k1 * (1 - b +
    b * length / mean length)), f: how often the document has the word. idf = ln(1 + (N - n + 0.5) / (n + 0.5)), n of N
    documents have the word: Lucene's form, never negative. Source: Robertson and Zaragoza 2009, section 3.
    """

    def __init__(self, documents: Mapping[str, str], k1: float = 1.5, b: float = 0.75) -> None:
        self.ids = tuple(documents)
        counts = [Counter(word for word, _, _ in words(text)) for text in documents.values()]
        lengths = [sum(count.values()) for count in counts]
        mean = sum(lengths) / max(1, len(lengths)) or 1.0
        postings: dict[str, list[tuple[int, float]]] = {}
        for i, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, f in count.items():
                weight = f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean))
                postings.setdefault(word, []).append((i, weight))
        self._postings = {word: self._weigh(found) for word, found in postings.items()}

    def scores(self, query: str) -> npt.NDArray[np.float64]:
        """One score per document, 0 where no word is shared. Raises: LookupFault("empty-query")."""
        scores = np.zeros(len(self.ids))
        for word, times in Counter(word for word, _, _ in some_words(query)).items():
            if word in self._postings:
                documents, weights = self._postings[word]
                scores[documents] += times * weights
        return scores

    def _weigh(self, found: list[tuple[int, float]]) -> tuple[Ints, npt.NDArray[Any]]:
        idf = np.log(1 + (len(self.ids) - len(found) + 0.5) / (len(found) + 0.5))
        return np.array([i for i, _ in found]), idf * np.array([weight for _, weight in found])
