"""Which pictures of a collection are copies of one another, or hold a part of one another?

Asked of fingerprints alone: no picture is read again. Each picture is held against the few that share most kinds of
detail with it, as it is and mirrored, and against those whose hash is near; what is found is confirmed by details that
lie on each other over a good part of the smaller picture, or, where a picture has too few, by its look. The bounds are
tighter than where somebody asks, for here a false alarm costs a contributor the work's admission.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import PPM, Record
from byline.lookup.image import LEAST_CONTRAST, NEAR_BITS, NEAR_LOOK, PLAIN, ImageIndex
from byline.lookup.picture import POOR, Bytes, agreement, mirrored, turned_hashes
from byline.lookup.visual_words import words_of

COMPARED = 8  # pictures with the most details in common that are compared, and as many with the mirror image
SHARED_PPM = 300_000  # of the smaller picture's region of details must lie on the other one: as of texts
FILLED_PPM = 666_667  # of the cells there must hold a detail that agrees: pictures in one frame differ inside it
LOOK_PART = 0.25  # of its own contrast may two looks differ: a small drawing on a large white page has little


ENOUGH = 0.5  # of the best score: from there on, the first ones registered are compared too


@dataclass(frozen=True, slots=True)
class Alike(Record):
    """Two files, by their digests. `by`: "features", "look" (the whole of a plain picture) or "sound"; `shared_ppm`:
    the part of the smaller one that stands in the other."""

    one: str
    other: str
    by: str
    shared_ppm: int
    mirrored: bool = False


class Family:
    """Which files were found alike so far. A new copy is held against what its likes are copies of as well, so that a
    hundred copies of a work cannot crowd the work itself off the short list of what is compared."""

    def __init__(self, known: Iterable[Alike] = ()) -> None:
        self._alike: defaultdict[str, set[str]] = defaultdict(set)
        self.add(known)

    def add(self, found: Iterable[Alike]) -> None:
        for pair in found:
            self._alike[pair.one].add(pair.other)
            self._alike[pair.other].add(pair.one)

    def further(self, found: Iterable[Alike]) -> set[str]:
        """What those that were found are alike to."""
        return {key for pair in found for key in self._alike[pair.other]}


def listed(scores_N: npt.NDArray[np.float64], first_N: npt.NDArray[np.int64], most: int) -> list[int]:
    """Numbers of what is to be compared: those with the best scores, and of all that come near the best those that
    were registered first (`first_N`: places in the order of registration), `most` of each."""
    best = np.argsort(-scores_N, kind="stable")[:most]
    near = np.flatnonzero(scores_N >= ENOUGH * scores_N.max(initial=0.0))
    early = near[np.argsort(first_N[near], kind="stable")][:most]
    return [int(n) for n in dict.fromkeys([*best, *early]) if scores_N[n] > 0]


class PictureCopies:
    """Near-copies among the pictures of an index. `first`: for each, its place in the order of registration."""

    def __init__(self, index: ImageIndex, first: Sequence[int] | None = None, known: Iterable[Alike] = ()) -> None:
        self._index = index
        self._first_N = np.asarray(range(len(index)) if first is None else first, np.int64)
        self._number = {str(key): number for number, key in enumerate(index.works)}
        self._family = Family(known)

    def of(self, number: int) -> list[Alike]:
        """The pictures that a picture is a copy of, or they of it."""
        found = {other: self._by_look(number, other) for other in self._near_looks(number)}
        for flipped, others in self._candidates(number):
            self._compare(number, flipped, others, found)
        wider = {self._number[key] for key in self._family.further(found.values()) if key in self._number}
        more = sorted(wider - set(found) - {number}, key=lambda other: int(self._first_N[other]))[:COMPARED]
        for flipped in (False, True):
            self._compare(number, flipped, more, found)
        matches = [match for _, match in sorted(found.items())]
        self._family.add(matches)
        return matches

    def _compare(self, number: int, flipped: bool, others: Iterable[int], found: dict[int, Alike]) -> None:
        """Those that agree by their details go into `found`, each in the way in which more of it agrees."""
        for other in others:
            match, best = self._by_features(number, other, flipped), found.get(other)
            if match and (best is None or match.shared_ppm > best.shared_ppm):
                found[other] = match

    def _candidates(self, number: int) -> Iterator[tuple[bool, list[int]]]:
        """(mirrored, numbers) of the pictures that are to be held against one."""
        hashed = self._near_hashes(number)
        features = self._index.features(number)
        for flipped in (False, True):
            asked = words_of((mirrored(features) if flipped else features).descriptors_F)
            scores_N = self._index.shortlist.scores(asked)
            scores_N[number] = 0.0
            yield flipped, list(dict.fromkeys([*hashed, *listed(scores_N, self._first_N, COMPARED)]))

    def _by_features(self, number: int, other: int, flipped: bool) -> Alike | None:
        asked = self._index.features(number)
        found = agreement(mirrored(asked) if flipped else asked, self._index.features(other))
        if found is None or found.shared_ppm < SHARED_PPM or found.filled_ppm < FILLED_PPM:
            return None
        return Alike(self._index.works[number], self._index.works[other], "features", found.shared_ppm, flipped)

    def _by_look(self, number: int, other: int) -> Alike:
        return Alike(self._index.works[number], self._index.works[other], "look", PPM)

    def _near_hashes(self, number: int) -> list[int]:
        if self._index.qualities_N[number] < POOR:
            return []
        positions = turned_hashes(self._index.hashes_N[number])
        far_N = np.bitwise_count(positions[:, None] ^ self._index.hashes_N[None]).sum(-1).min(0)
        near_N = (far_N <= NEAR_BITS) & (self._index.qualities_N >= POOR)
        near_N[number] = False
        return listed(np.where(near_N, 256.0 - far_N, 0.0), self._first_N, COMPARED)

    def _near_looks(self, number: int) -> list[int]:
        """Pictures that look the same, in any of the eight positions: of those with a near hash, and of a plain
        picture all plain ones. A hash alone is not enough: simple drawings of different things have near ones."""
        look, qualities_N = self._index.looks_N[number], self._index.qualities_N
        if look.std(axis=(0, 1)).max() < LEAST_CONTRAST:
            return []
        near = np.array(self._near_hashes(number), np.int64)
        asked = np.union1d(np.flatnonzero(qualities_N < PLAIN), near) if qualities_N[number] < PLAIN else near
        looks = self._index.looks_N[asked].astype(np.int16)
        far = np.min([np.abs(looks - turn.astype(np.int16)).mean((1, 2, 3)) for turn in _turns(look)], axis=0)
        contrast = np.abs(look - look.mean((0, 1))).mean()
        return [int(n) for n in asked[far <= min(NEAR_LOOK, LOOK_PART * contrast)] if n != number]


def _turns(look: Bytes) -> list[Bytes]:
    return [np.rot90(each, k) for each in (look, look[:, ::-1]) for k in range(4)]
