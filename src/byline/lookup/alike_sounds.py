"""Which recordings of a collection hold a part of one another? Asked of chromaprint's fingerprints alone.

Two recordings are held against each other if they share fingerprints bit by bit, which re-encoded ones do many times a
second; all are, where there are few. The shorter one is cut into parts of ten seconds, and each part is looked for in
the longer one: what is found of it is the part that they share.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from byline.core import PPM
from byline.lookup.alike import Alike
from byline.lookup.audio import LEAST, PART, AudioIndex, Prints, differing

FEW = 16  # recordings: so many are all compared
COMPARED = 16  # recordings with the most fingerprints in common that are compared
COMMON = 20  # recordings that may have a fingerprint before it says nothing: silence, a steady tone
SAME_PPM = 200_000  # of the bits of a part may differ: less than where somebody asks
TELLING = 16  # different fingerprints that a part must have: silence and a steady tone have one or two
SHARED_PPM = 300_000  # of the shorter recording must stand in the longer one: as of texts


class SoundCopies:
    """Near-copies among the recordings of an index."""

    def __init__(self, index: AudioIndex) -> None:
        self._index = index
        prints = index.prints
        owners = np.repeat(np.arange(len(prints)), [len(each) for each in prints])
        values = np.concatenate([np.empty(0, np.uint32), *prints])
        pairs = np.unique(np.stack([values.astype(np.int64), owners]), axis=1)  # by value, each recording once
        self._values, self._owners = pairs

    def of(self, number: int) -> list[Alike]:
        """The recordings that one is a copy or a part of, or they of it."""
        found = []
        for other in self._candidates(number):
            shared = shared_part(self._index.prints[number], self._index.prints[other])
            if shared >= SHARED_PPM:
                found.append(Alike(self._index.works[number], self._index.works[other], "sound", shared))
        return found

    def _candidates(self, number: int) -> Sequence[int]:
        count = len(self._index.prints)
        if count <= FEW:
            return [n for n in range(count) if n != number]
        asked = np.unique(self._index.prints[number]).astype(np.int64)
        first, last = np.searchsorted(self._values, asked), np.searchsorted(self._values, asked, "right")
        telling = last - first <= COMMON
        holders = [self._owners[a:b] for a, b in zip(first[telling], last[telling], strict=True)]
        shared_N = np.bincount(np.concatenate([np.empty(0, np.int64), *holders]), minlength=count)
        shared_N[number] = 0
        order = np.argsort(-shared_N, kind="stable")[:COMPARED]
        return [int(n) for n in order if shared_N[n]]


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
