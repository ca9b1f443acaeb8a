"""By how much predicted effects have to be multiplied to become retrained ones, by size of what is left out.

First-order scores tend to underestimate what a whole group does (Koh et al., arXiv 1905.13289). Slopes are fitted on
audit pairs and used where an effect is stated in nats. Shares need none of it: one slope cancels, and slopes by size
would pay for merging. Not to be confused with `Reliability`, which says how far predictions can be believed at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byline.core import PPM, EvaluationError, Record, digest
from byline.evaluation.correlation import Floats, bootstrap_pairs, slope

# Suffixes: C contributors left out, Q queries, G groups


@dataclass(frozen=True, slots=True)
class Bucket(Record):
    """Groups of up to `largest` training examples: slope with its 90 % interval in parts per million, pairs behind it.

    The interval resamples contributors and queries, since pairs share both.
    """

    largest: int
    slope_ppm: int
    low_ppm: int
    high_ppm: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """Slopes of one method on one run, smallest groups first; the last bucket serves all that are larger.

    `evidence` is the digest of the pairs that it was fitted on.
    """

    run: str
    method: str
    buckets: tuple[Bucket, ...]
    evidence: str

    def factors(self, sizes_G: Sequence[int]) -> Floats:
        """The slope of each group, by its number of training examples. Outside the sizes that were audited it is that
        of the nearest bucket: nothing is extrapolated."""
        edges = [bucket.largest for bucket in self.buckets[:-1]]
        slopes = np.array([bucket.slope_ppm for bucket in self.buckets]) / PPM
        return np.asarray(slopes[np.searchsorted(edges, sizes_G)])


def calibrate(
    run: str, method: str, predicted_CQ: Floats, actual_CQ: Floats, sizes_C: Sequence[int], *, buckets: int = 1
) -> Calibration:
    """Slopes through the origin of retrained on predicted effects, in buckets of about equally many contributors.

    The edges depend on the sizes alone. Contributors of one size share a bucket.
    Raises: EvaluationError("shape-mismatch"), ("too-few-pairs") with fewer than 3 contributors in a bucket,
    ("no-slope") if a bucket's slope is not positive, since that method cannot be mended by multiplying.
    """
    if predicted_CQ.shape != actual_CQ.shape or len(sizes_C) != len(predicted_CQ):
        raise EvaluationError(
            "shape-mismatch", f"predictions {predicted_CQ.shape}, retrained {actual_CQ.shape}, {len(sizes_C)} sizes"
        )
    sizes = np.asarray(sizes_C)
    edges = sorted({int(np.sort(sizes)[-(-len(sizes) * (b + 1) // buckets) - 1]) for b in range(buckets)})
    index_C = np.searchsorted(edges, sizes)
    made = [_bucket(edge, predicted_CQ[index_C == b], actual_CQ[index_C == b], method) for b, edge in enumerate(edges)]
    return Calibration(run, method, tuple(made), _evidence(predicted_CQ, actual_CQ, sizes_C))


def _bucket(largest: int, predicted_CQ: Floats, actual_CQ: Floats, method: str) -> Bucket:
    if len(predicted_CQ) < 3:
        raise EvaluationError(
            "too-few-pairs", f"{len(predicted_CQ)} contributors up to size {largest}", "fewer buckets"
        )
    found = slope(predicted_CQ.ravel(), actual_CQ.ravel())
    if not found > 0:
        raise EvaluationError(
            "no-slope",
            f"{method}: up to size {largest} retrained effects have slope {found:.3g} on predicted ones",
            "use fewer buckets or more pairs; if it stays, do not state effects by this method",
        )
    interval = bootstrap_pairs(slope, predicted_CQ, actual_CQ)
    low, value, high = (round(x * PPM) for x in (interval.low, found, interval.high))
    return Bucket(largest, value, min(low, value), max(high, value), predicted_CQ.size)


def _evidence(predicted_CQ: Floats, actual_CQ: Floats, sizes_C: Sequence[int]) -> str:
    """Values in whole nano-nats, since no float enters a hashed record."""
    whole = [[[str(round(float(x) * 1e9)) for x in row] for row in side] for side in (predicted_CQ, actual_CQ)]
    return digest({"predicted": whole[0], "actual": whole[1], "sizes": [int(size) for size in sizes_C]})
