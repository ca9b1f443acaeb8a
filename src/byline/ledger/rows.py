"""Largest remainder on millions of rows at once, exactly, in 64-bit integers.

Suffixes: N rows (outputs), W parts (clusters).

Why nothing overflows. A part is floor(total * weight / whole). With total = q * whole + r and 0 <= r < whole,

    floor(total * weight / whole) = q * weight + floor(r * weight / whole).

Here weight <= whole <= 2**30, so r * weight < 2**60, and q * weight <= total < 2**63. The remainder of the product
with the total is that of r * weight. Every number in between fits 64 bits with its sign, whatever the total.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from byline.core import LedgerError

Ints = npt.NDArray[np.int64]
Rests = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
WHOLE_MAX = 2**30


@dataclass(frozen=True, slots=True)
class Ties:
    """The order among equal remainders: by a 64-bit mix of two hashes, of (salt, row) and of (salt, part), the larger
    first; so it depends on the run and the row, and favours nobody."""

    salt: str
    parts: tuple[str, ...]

    def keys_NW(self, rows: Sequence[bytes]) -> npt.NDArray[np.uint64]:
        row_N = np.array([_hash(self.salt.encode(), row) for row in rows], dtype=np.uint64)
        part_W = np.array([_hash(self.salt.encode(), part.encode()) for part in self.parts], dtype=np.uint64)
        return _mixed(row_N[:, None] ^ part_W[None, :])


def divide_rows(total_N: Ints, weights_NW: Ints, whole: int, rows: Sequence[bytes], ties: Ties) -> Ints:
    """Parts of each row's total in proportion to its weights, which add up to `whole`; each row adds up to its total.

    total_N >= 0, weights_NW >= 0 -> parts_NW, each the exact quota rounded down or up; a weight of zero gets zero.
    Raises: LedgerError("bad-rows").
    Source: as `allocate`, whose slow loop over Python integers is the oracle in the tests.
    """
    _refuse_rows(total_N, weights_NW, whole)
    times_N, over_N = np.divmod(total_N, whole)
    product_NW = over_N[:, None] * weights_NW
    parts_NW = product_NW // whole
    rest_NW = (product_NW - parts_NW * whole).astype(np.int32)
    parts_NW += times_N[:, None] * weights_NW
    left_N = rest_NW.sum(axis=1, dtype=np.int64) // whole
    parts_NW += _largest(rest_NW, left_N, rows, ties)
    return parts_NW


def scaled_down(total_N: Ints, ppm: int, whole: int) -> Ints:
    """floor(total * ppm / whole) of each total >= 0; ppm <= whole <= 2**30."""
    times_N, over_N = np.divmod(total_N, whole)
    down_N: Ints = times_N * ppm + over_N * ppm // whole
    return down_N


def exact_sum(values: Ints) -> list[int]:
    """Sums of the columns as Python integers: the upper and the lower 32 bits apart, so that up to 2**31 rows fit."""
    high, low = (values >> 32).sum(axis=0), (values & 0xFFFFFFFF).sum(axis=0)
    return [(int(h) << 32) + int(l) for h, l in zip(np.atleast_1d(high), np.atleast_1d(low), strict=True)]


def _largest(rest_NW: Rests, left_N: Ints, rows: Sequence[bytes], ties: Ties) -> Bools:
    """True at the `left` largest remainders of each row."""
    width = rest_NW.shape[1]
    cut_N = np.sort(rest_NW, axis=1)[np.arange(len(rest_NW)), np.minimum(width - left_N, width - 1)]
    chosen_NW: Bools = rest_NW >= cut_N[:, None]
    chosen_NW[left_N == 0] = False
    tied = np.flatnonzero(chosen_NW.sum(axis=1) != left_N)
    if len(tied):
        chosen_NW[tied] = _by_key(
            rest_NW[tied], cut_N[tied], left_N[tied], ties.keys_NW([rows[i] for i in tied.tolist()])
        )
    return chosen_NW


def _by_key(
    rest_NW: npt.NDArray[np.int32], cut_N: npt.NDArray[np.int32], left_N: Ints, keys_NW: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Rows in which more remainders equal the last one chosen than can be chosen: the largest keys go first."""
    chosen_NW = rest_NW > cut_N[:, None]
    equal_NW = rest_NW == cut_N[:, None]
    order_NW = np.lexsort((~keys_NW, ~equal_NW), axis=1)
    wanted_N = left_N - chosen_NW.sum(axis=1)
    take_NW = np.arange(rest_NW.shape[1])[None, :] < wanted_N[:, None]
    picked_NW = np.zeros_like(chosen_NW)
    np.put_along_axis(picked_NW, order_NW, take_NW, axis=1)
    return chosen_NW | picked_NW


def _refuse_rows(total_N: Ints, weights_NW: Ints, whole: int) -> None:
    if not 0 < whole <= WHOLE_MAX:
        raise LedgerError("bad-rows", f"weights that add to {whole}", f"scale them to at most {WHOLE_MAX}")
    if len(total_N) and (total_N.min() < 0 or weights_NW.min() < 0):
        raise LedgerError("bad-rows", "an amount or a weight is negative", "turn signs around after the division")
    if (weights_NW.sum(axis=1) != whole).any():
        row = int(np.flatnonzero(weights_NW.sum(axis=1) != whole)[0])
        raise LedgerError("bad-rows", f"weights of row {row} add to {weights_NW[row].sum()}, not to {whole}")


def _hash(salt: bytes, name: bytes) -> int:
    return int.from_bytes(sha256(salt + b"\n" + name).digest()[:8], "big")


def _mixed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014), modulo 2**64."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
