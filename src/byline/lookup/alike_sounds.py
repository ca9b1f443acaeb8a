"""Which recordings of a collection hold a part of one another? Asked of chromaprint's fingerprints alone.

Two recordings are held against each other if they share fingerprints bit by bit, which re-encoded ones do many times a
second; all are, where there are few. The shorter one is cut into parts of ten seconds, and each part is looked for in
the longer one: what is found of it is the part that they share.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from byline.core import PPM
from byline.lookup.alike import Alike, Family, listed
from byline.lookup.audio import LEAST, PART, AudioIndex, Prints, differing

FEW = 16  # recordings: so many are all compared
COMPARED = 8  # recordings with the most fingerprints in common that are compared, and as many of the first ones
COMMON, COMMON_PART = 20, 5  # a fingerprint of more than 20 recordings, and of a fifth of all, says nothing
SAME_PPM = 200_000  # of the bits of a part may differ: less than where somebody asks
TELLING = 16  # different fingerprints that a part must have: silence and a steady tone have one or two
SHARED_PPM = 300_000  # of the shorter recording must stand in the longer one: as of texts


class SoundCopies:
    """Near-copies among the recordings of an index."""

    def __init__(self, index: AudioIndex, first: Sequence[int] | None = None, known: Iterable[Alike] = ()) -> None:
        self._index = index
        prints = index.prints
        self._first_N = np.asarray(range(len(prints)) if first is None else first, np.int64)
        self._number = {str(key): number for number, key in enumerate(index.works)}
        self._family = Family(known)
        owners = np.repeat(np.arange(len(prints)), [len(each) for each in prints])
        values = np.concatenate([np.empty(0, np.uint32), *prints])
        pairs = np.unique(np.stack([values.astype(np.int64), owners]), axis=1)  # by value, each recording once
        self._values, self._owners = pairs

    def of(self, number: int) -> list[Alike]:
        """The recordings that one is a copy or a part of, or they of it."""
        asked = self._candidates(number)
        found = self._alike(number, asked)
        wider = {self._number[key] for key in self._family.further(found) if key in self._number}
        more = sorted(wider - {number, *asked}, key=lambda other: int(self._first_N[other]))[:COMPARED]
        found += self._alike(number, more)
        self._family.add(found)
        return found

    def _alike(self, number: int, others: Iterable[int]) -> list[Alike]:
        works, prints = self._index.works, self._index.prints
        shared = ((other, shared_part(prints[number], prints[other])) for other in others)
        return [Alike(works[number], works[other], "sound", ppm) for other, ppm in shared if ppm >= SHARED_PPM]

    def _candidates(self, number: int) -> list[int]:
        count = len(self._index.prints)
        if count <= FEW:
            return [n for n in range(count) if n != number]
        asked = np.unique(self._index.prints[number]).astype(np.int64)
        first, last = np.searchsorted(self._values, asked), np.searchsorted(self._values, asked, "right")
        telling = last - first <= max(COMMON, count // COMMON_PART)
        holders = [self._owners[a:b] for a, b in zip(first[telling], last[telling], strict=True)]
        shared_N = np.bincount(np.concatenate([np.empty(0, np.int64), *holders]), minlength=count).astype(np.float64)
        shared_N[number] = 0.0
        return listed(shared_N, self._first_N, COMPARED)


def shared_part(one: Prints, other: Prints) -> int:
    """Part of the shorter recording that stands in the longer one, in ppm."""
    shorter, longer = sorted((one, other), key=len)
    parts = _parts(shorter)
    size = 1 << (len(longer) + max(map(len, parts))).bit_length()
    found = differing(parts, longer, size)
    telling = [len(np.unique(part)) >= TELLING for part in parts]
    same = sum(len(part) for part, ppm, tells in zip(parts, found, telling, strict=True) if tells and ppm <= SAME_PPM)
    return PPM * same // len(shorter)


def _parts(prints: Prints) -> list[npt.NDArray[np.uint32]]:
    """Parts of ten seconds, of which the last is longer."""
    starts = list(range(0, max(1, len(prints) - PART + 1), PART))
    return (
        [prints[a:b] for a, b in zip(starts, [*starts[1:], len(prints)], strict=True)] if len(prints) >= LEAST else []
    )
