"""Which pictures share details with a query? A shortlist by visual words, so that few pictures are held against it.

A vocabulary of 4,096 kinds of detail comes with the package (`vocabulary.npy`, made by benchmarks/lookup_vocabulary.py
from other pictures than those that the benchmark measures on). Every feature is told by the kind it is nearest to, and
pictures are ranked by the kinds that they have in common with the query, the rare ones counting more.
Source: Sivic and Zisserman, Video Google (ICCV 2003); two levels as Nister and Stewenius (CVPR 2006).
"""

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

BRANCHES = 64  # kinds at the first level, and below each

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]

# Suffixes: F features, V kinds, N pictures


@cache
def vocabulary() -> npt.NDArray[np.float32]:
    """(1 + BRANCHES, BRANCHES, 128): the first level, then for each of its kinds those below it."""
    with resources.files("byline.lookup").joinpath("vocabulary.npy").open("rb") as file:
        kinds: npt.NDArray[np.float32] = np.load(file, allow_pickle=False).astype(np.float32)
    return kinds


def words_of(descriptors_F: Bytes) -> Words:
    """The kind of each feature: (F, 128) -> (F,)."""
    features = descriptors_F.astype(np.float32)
    kinds, words_F = vocabulary(), np.zeros(len(features), np.uint16)
    first_F = nearest(features, kinds[0])
    for branch in np.unique(first_F):
        here = np.flatnonzero(first_F == branch)
        words_F[here] = branch * BRANCHES + nearest(features[here], kinds[1 + branch])
    return words_F


def nearest(features: npt.NDArray[np.float32], kinds: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Index of the nearest kind of each feature, by Euclid's distance."""
    near: npt.NDArray[np.int64] = ((kinds**2).sum(1) - 2 * features @ kinds.T).argmin(1)
    return near


class Shortlist:
    """Ranks pictures by what they share with a query. `words`: the kinds of all pictures' features, one picture behind
    the other; `sizes_N`: how many each has."""

    def __init__(self, words: Words, sizes_N: npt.NDArray[np.int64]) -> None:
        self._words, self._sizes_N = words, sizes_N
        self._counts_V = np.bincount(words, minlength=BRANCHES * BRANCHES)
        self._some = np.flatnonzero(sizes_N)  # pictures without features have no place in the sums
        self._starts = (np.cumsum(sizes_N) - sizes_N)[self._some]

    def best(self, words_F: Words, most: int) -> list[int]:
        """Numbers of the pictures that share most with a query of these kinds, the best first."""
        if not len(self._some) or not len(words_F):
            return []
        rare_V = np.log1p(len(self._words) / np.maximum(1, self._counts_V))
        weight_V = np.sqrt(np.bincount(words_F, minlength=len(rare_V))) * rare_V**2
        sums = np.add.reduceat(weight_V[self._words], self._starts)
        scores = sums / np.sqrt(self._sizes_N[self._some])
        order = np.argsort(-scores, kind="stable")[:most]
        return [int(n) for n in self._some[order[scores[order] > 0]]]
