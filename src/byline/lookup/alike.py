"""Which pictures of a collection are copies of one another, or hold a part of one another?

Asked of fingerprints alone: no picture is read again. Each picture is held against the few that share most kinds of
detail with it, as it is and mirrored, and against those whose hash is near; what is found is confirmed by details that
lie on each other over a good part of the smaller picture, or, where a picture has too few, by its look. The bounds are
tighter than where somebody asks, for here a false alarm costs a contributor the work's admission.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from byline.core import PPM, Record
from byline.lookup.image import LEAST_CONTRAST, NEAR_BITS, NEAR_LOOK, PLAIN, ImageIndex
from byline.lookup.picture import POOR, Bytes, agreement, mirrored, turned_hashes
from byline.lookup.visual_words import words_of

COMPARED = 8  # pictures with the most details in common that are compared, and as many with the mirror image
SHARED_PPM = 300_000  # of the smaller picture's region of details must lie on the other one: as of texts
FILLED_PPM = 666_667  # of the cells there must hold a detail that agrees: pictures in one frame differ inside it
LOOK_PART = 0.25  # of its own contrast may two looks differ: a small drawing on a large white page has little


@dataclass(frozen=True, slots=True)
class Alike(Record):
    """Two files, by their digests. `by`: "features", "look" (the whole of a plain picture) or "sound"; `shared_ppm`:
    the part of the smaller one that stands in the other."""

    one: str
    other: str
    by: str
    shared_ppm: int
    mirrored: bool = False


class PictureCopies:
    """Near-copies among the pictures of an index."""

    def __init__(self, index: ImageIndex) -> None:
        self._index = index

    def of(self, number: int) -> list[Alike]:
        """The pictures that a picture is a copy of, or they of it."""
        found = {other: self._by_look(number, other) for other in self._near_looks(number)}
        for flipped, other in self._candidates(number):
            match = self._by_features(number, other, flipped)
            best = found.get(other)
            if match and (best is None or match.shared_ppm > best.shared_ppm):
                found[other] = match
        return [match for _, match in sorted(found.items())]

    def _candidates(self, number: int) -> Iterator[tuple[bool, int]]:
        """(mirrored, number) of the pictures that are to be held against one."""
        hashed = self._near_hashes(number)
        features = self._index.features(number)
        for flipped in (False, True):
            asked = words_of((mirrored(features) if flipped else features).descriptors_F)
            listed = self._index.shortlist.best(asked, COMPARED + 1)
            for other in dict.fromkeys([*hashed, *listed]):
                if other != number:
                    yield flipped, other

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
        near = np.flatnonzero((far_N <= NEAR_BITS) & (self._index.qualities_N >= POOR))
        return [int(n) for n in near[np.argsort(far_N[near], kind="stable")] if n != number][:COMPARED]

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
