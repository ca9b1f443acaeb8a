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
    the other; `sizes_N`: how many each has. Only pictures that have a kind in common with the query are looked at."""

    def __init__(self, words: Words, sizes_N: npt.NDArray[np.int64]) -> None:
        kinds = BRANCHES * BRANCHES
        self._sizes_N, self._total = sizes_N, len(words)
        self._counts_V = np.bincount(words, minlength=kinds)
        self._ends_V = np.concatenate([[0], np.cumsum(self._counts_V)])
        owners = np.repeat(np.arange(len(sizes_N), dtype=np.int32), sizes_N)
        self._owners = owners[np.argsort(words, kind="stable")]  # of the first kind, of the second, and so on

    def best(self, words_F: Words, most: int) -> list[int]:
        """Numbers of the pictures that share most with a query of these kinds, the best first."""
        scores = self.scores(words_F)
        order = np.argsort(-scores, kind="stable")[:most]
        return [int(n) for n in order[scores[order] > 0]]

    def scores(self, words_F: Words) -> npt.NDArray[np.float64]:
        """For each picture how much it shares with a query of these kinds."""
        if not self._total or not len(words_F):
            return np.zeros(len(self._sizes_N))
        kinds, times = np.unique(words_F, return_counts=True)
        weights = np.sqrt(times) * np.log1p(self._total / np.maximum(1, self._counts_V[kinds])) ** 2
        owners = np.concatenate([self._owners[self._ends_V[kind] : self._ends_V[kind + 1]] for kind in kinds])
        sums = np.bincount(owners, np.repeat(weights, self._counts_V[kinds]), len(self._sizes_N))
        return np.asarray(sums / np.sqrt(np.maximum(1, self._sizes_N)))
