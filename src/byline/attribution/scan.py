"""Exact search in int8 rows: which rows have the largest inner products with these queries?

A row is `scale * int8s`, as the disk holds it. A query is rounded to 16 bits, q = step * (255 * high + low) with two
int8 vectors, so that everything multiplied is an int8 and every sum is an integer: scores are exact for the stored
rows and the rounded query, and the same for every batch, block and number of threads.

The second product is only made where it can matter. |low . row| is at most the product of the two lengths, so the first
product bounds the score from above; rows whose bound is not above the k-th best score found so far are done with.
Ties go to the row that stands first.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from byline.core import AttributionError

# Suffixes: Q queries, N rows, K features, M rows found per query, C candidates (of all queries), R rows of a block

Int8 = npt.NDArray[np.int8]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_Spare = tuple[Tensor, Tensor]  # int32 and float32, a block of rows by Q

BLOCK = 32768  # rows at a time; the first blocks are smaller, so that there soon is something to beat
_PRODUCTS = 2**20  # of rows and queries at a time: with more than 32 queries, fewer rows
_FIRST = 1024
_HALF = 255  # weight of the high half of a query
_ROUND = 1e-6  # above the relative error of the float32 arithmetic by which rows are passed over
_NEVER = 1e30  # stands for 1 / 0
_COLUMNS = 2**17  # 127 * 127 of as many columns still fit into int32


def int8_product(rows_NK: Tensor, queries_KQ: Tensor, out_NQ: Tensor | None = None) -> Tensor:
    """Integer product of two int8 matrices, exact: int32, or int64 where there are more than 131,072 columns.

    `out_NQ`: an int32 matrix that may be overwritten with the result, to spare the memory of another."""
    if rows_NK.shape[1] <= _COLUMNS:
        return _product(rows_NK, queries_KQ, out_NQ)
    pieces = [slice(k, k + _COLUMNS) for k in range(0, len(queries_KQ), _COLUMNS)]
    return torch.stack([_product(rows_NK[:, k], queries_KQ[k]).long() for k in pieces]).sum(0)


def _product(rows_NK: Tensor, queries_KQ: Tensor, out_NQ: Tensor | None = None) -> Tensor:
    """By the integer GEMM of torch, which has a private name and may go; else by numpy."""
    multiply = getattr(torch, "_int_mm", None)
    if multiply is None or 0 in (*rows_NK.shape, *queries_KQ.shape):
        return torch.from_numpy(product_by_numpy(rows_NK.numpy(), queries_KQ.numpy()))
    found: Tensor = multiply(rows_NK, queries_KQ, out=out_NQ)
    return found


def product_by_numpy(rows_NK: Int8, queries_KQ: Int8) -> npt.NDArray[np.int32]:
    """The same without torch: float32 holds the sums of 1024 products of int8s exactly."""
    found_NQ = np.zeros((len(rows_NK), queries_KQ.shape[1]), dtype=np.int32)
    for k in range(0, len(queries_KQ), 1024):
        piece_NQ = rows_NK[:, k : k + 1024].astype(np.float32) @ queries_KQ[k : k + 1024].astype(np.float32)
        found_NQ += piece_NQ.astype(np.int32)
    return found_NQ


@dataclass(frozen=True, slots=True, eq=False)
class SplitQueries:
    """q = step * (255 * high + low), both in [-127, 127]; |q - that| <= step / 2 = absmax / 65,024.

    `slack_Q`: times the length of a row, above |low . row| / 255 and the rounding of a float32 high . row."""

    high_QK: Int8
    low_QK: Int8
    step_Q: Float64
    slack_Q: Float64


def split(queries_QK: npt.NDArray[np.floating]) -> SplitQueries:
    """Queries rounded to 16 bits, one step per query. Raises: AttributionError("bad-query-rows") if not finite."""
    if not np.isfinite(queries_QK).all():
        raise AttributionError("bad-query-rows", "a query's features are not finite", "is the query empty?")
    exact_QK = queries_QK.astype(np.float64)
    step_Q = np.abs(exact_QK).max(axis=1, initial=0) / (_HALF * 127 + 127)
    whole_QK = np.rint(exact_QK / np.where(step_Q > 0, step_Q, 1)[:, None])
    high_QK = np.rint(whole_QK / _HALF)
    low_QK = whole_QK - _HALF * high_QK
    slack_Q = _lengths(low_QK) / _HALF * (1 + _ROUND) + _lengths(high_QK) * _ROUND * 2
    return SplitQueries(high_QK.astype(np.int8), low_QK.astype(np.int8), step_Q, slack_Q)


@dataclass(frozen=True, slots=True, eq=False)
class Top:
    """The best rows of each query, best first; of equal scores, the row that stands first."""

    rows_QM: Ints
    scores_QM: Float64


class Scan:
    """Search in `rows_NK` (int8, may be mapped from disk) times `scales_N`. `norms_N`: lengths of the scaled rows, or
    above them; computed if not given.

    `threads`: of the product; by default, as many as this process has processors. Raises:
    AttributionError("bad-rows") if shapes or types do not fit.
    """

    def __init__(
        self,
        rows_NK: Int8,
        scales_N: Float32,
        norms_N: Float32 | None = None,
        *,
        threads: int | None = None,
        block: int = BLOCK,
    ) -> None:
        if rows_NK.dtype != np.int8 or rows_NK.ndim != 2 or scales_N.shape != rows_NK.shape[:1]:
            says = f"rows are {rows_NK.dtype} of shape {rows_NK.shape}, scales have shape {scales_N.shape}"
            raise AttributionError("bad-rows", says, "give int8 rows and one scale for each")
        self._rows_NK = _tensor(rows_NK)
        self._scales_N = scales_N.astype(np.float64)
        norms_N = row_norms(rows_NK, scales_N) if norms_N is None else norms_N
        over_N = np.divide(1, self._scales_N, out=np.full(len(scales_N), _NEVER), where=scales_N > 0)
        self._bound_N2 = torch.from_numpy(np.stack([norms_N * over_N, over_N], axis=1).astype(np.float32))
        self._threads = threads or processors()
        self._block = block

    def __len__(self) -> int:
        return len(self._rows_NK)

    def top(self, queries_QK: npt.NDArray[np.floating], k: int) -> Top:
        """The `k` rows (or all, if there are fewer) with the highest scores. Raises: AttributionError("bad-query-rows",
        "bad-count")."""
        if k < 1:
            raise AttributionError("bad-count", f"the best {k} rows were asked for", "ask for 1 or more")
        queries = self._split(queries_QK)
        best = _Best(len(queries_QK), k)
        block = self._rows_at_once(len(queries_QK))
        shape = min(block, len(self)), len(queries_QK)
        spare = torch.empty(shape, dtype=torch.int32), torch.empty(shape)  # of all blocks: fresh memory costs a tenth
        with _threads(self._threads):
            for start, stop in _blocks(len(self), block):
                self._search(queries, start, stop, best, spare)
        return best.top()

    def scores(self, queries_QK: npt.NDArray[np.floating]) -> Float32:
        """scores_QN: all of them. Raises: AttributionError("bad-query-rows")."""
        queries = self._split(queries_QK)
        scores_QN = np.empty((len(queries_QK), len(self)), dtype=np.float32)
        with _threads(self._threads):
            for start, stop in _blocks(len(self), self._rows_at_once(len(queries_QK))):
                rows_RK = self._rows_NK[start:stop]
                high_RQ, low_RQ = (int8_product(rows_RK, _columns(x)) for x in (queries.high_QK, queries.low_QK))
                scores_QN[:, start:stop] = self._exact(high_RQ, low_RQ, self._scales_N[start:stop], queries).T
        return scores_QN

    def _rows_at_once(self, queries: int) -> int:
        return min(self._block, max(_FIRST, _PRODUCTS // queries))

    def _search(self, queries: SplitQueries, start: int, stop: int, best: "_Best", spare: _Spare) -> None:
        rows_RK = self._rows_NK[start:stop]
        ints_RQ, floats_RQ = (tensor[: stop - start] for tensor in spare)
        high_RQ = int8_product(rows_RK, _columns(queries.high_QK), ints_RQ)
        near_C = self._near(queries, floats_RQ.copy_(high_RQ), start, stop, best.least_Q)
        if len(near_C):
            low_CQ = int8_product(rows_RK.index_select(0, near_C), _columns(queries.low_QK))
            rows_C = start + near_C.numpy()
            best.add(rows_C, self._exact(high_RQ.index_select(0, near_C), low_CQ, self._scales_N[rows_C], queries))

    def _near(self, queries: SplitQueries, above_RQ: Tensor, start: int, stop: int, least_Q: Float64) -> Tensor:
        """Rows of the block that can still be among the best of some query: high + bound on low > least / scale.

        `above_RQ`: the products with `high`; overwritten."""
        if not np.isfinite(least_Q).all():
            return torch.arange(stop - start)
        unit_Q = np.where(queries.step_Q > 0, queries.step_Q, 1) * _HALF
        floor_Q = (least_Q - np.abs(least_Q) * _ROUND) / unit_Q
        bound_2Q = torch.from_numpy(np.stack([queries.slack_Q, -floor_Q]).astype(np.float32))
        above_RQ.addmm_(self._bound_N2[start:stop], bound_2Q)
        return torch.nonzero(above_RQ.amax(1) >= 0).flatten()

    def _exact(self, high_CQ: Tensor, low_CQ: Tensor, scales_C: Float64, queries: SplitQueries) -> Float64:
        found_CQ: Float64 = high_CQ.numpy().astype(np.float64)
        found_CQ *= _HALF
        found_CQ += low_CQ.numpy()  # integers below 2**53: no rounding yet
        found_CQ *= queries.step_Q
        found_CQ *= scales_C[:, None]
        return found_CQ

    def _split(self, queries_QK: npt.NDArray[np.floating]) -> SplitQueries:
        if queries_QK.ndim != 2 or queries_QK.shape[1] != self._rows_NK.shape[1] or not len(queries_QK):
            says = f"queries have shape {queries_QK.shape}, rows have {self._rows_NK.shape[1]} features"
            raise AttributionError("bad-query-rows", says, "give one row of features per query, at least one")
        return split(queries_QK)


class _Best:
    """The best `k` candidates of each query so far; `least_Q` is the score that a row must now exceed."""

    def __init__(self, queries: int, k: int) -> None:
        self._k = k
        self.least_Q: Float64 = np.full(queries, -np.inf)
        self._best = [np.empty(0)] * queries  # the best k scores of each query, in no order
        self._found: list[tuple[Ints, Ints, Float64]] = []  # query, row, score
        self._settled = self._count = 0

    def add(self, rows_C: Ints, scores_CQ: Float64) -> None:
        """Rows must come in ascending order: a later row does not displace an equal one."""
        which_C, query_C = np.nonzero(scores_CQ > self.least_Q)
        self._found.append((query_C, rows_C[which_C], scores_CQ[which_C, query_C]))
        self._count += len(which_C)
        if self._count > self._k * len(self._best) // 2 or not np.isfinite(self.least_Q).all():
            self._settle()

    def _settle(self) -> None:
        """Raise `least_Q` by what was found since the last time."""
        query_C, _, score_C = (np.concatenate(parts) for parts in zip(*self._found[self._settled :], strict=True))
        order_C = np.argsort(query_C, kind="stable")
        edges_Q = np.searchsorted(query_C[order_C], np.arange(len(self._best) + 1))
        for q, old in enumerate(self._best):
            scores = np.concatenate([old, score_C[order_C[edges_Q[q] : edges_Q[q + 1]]]])
            if len(scores) >= self._k:
                scores = np.partition(scores, -self._k)[-self._k :]
                self.least_Q[q] = scores[0]
            self._best[q] = scores
        self._settled, self._count = len(self._found), 0

    def top(self) -> Top:
        query_C, row_C, score_C = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        kept_C = score_C >= self.least_Q[query_C]
        query_C, row_C, score_C = query_C[kept_C], row_C[kept_C], score_C[kept_C]
        order_C = np.lexsort((row_C, -score_C, query_C))
        rank_C = (
            np.arange(len(order_C)) - np.searchsorted(query_C[order_C], np.arange(len(self._best)))[query_C[order_C]]
        )
        order_C = order_C[rank_C < self._k]
        shape = (len(self._best), -1)
        return Top(row_C[order_C].reshape(shape), score_C[order_C].reshape(shape))


def processors() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def row_norms(rows_NK: Int8, scales_N: Float32) -> Float32:
    """Euclidean length of each scaled row, rounded up."""
    norms_N = np.empty(len(rows_NK), dtype=np.float32)
    for start in range(0, len(rows_NK), BLOCK):
        block = slice(start, start + BLOCK)
        squares_R = np.square(rows_NK[block].astype(np.float32)).sum(axis=1, dtype=np.float64)
        norms_N[block] = np.sqrt(squares_R) * scales_N[block].astype(np.float64) * (1 + _ROUND)
    return norms_N


def _tensor(rows_NK: Int8) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # nothing here writes to them
        return torch.from_numpy(np.ascontiguousarray(rows_NK))


def _columns(halves_QK: Int8) -> Tensor:
    return torch.from_numpy(halves_QK.T)


def _lengths(vectors_QK: Float64) -> Float64:
    lengths_Q: Float64 = np.sqrt(np.square(vectors_QK).sum(axis=1))
    return lengths_Q


def _blocks(rows: int, largest: int) -> Iterator[tuple[int, int]]:
    start, size = 0, min(_FIRST, largest)
    while start < rows:
        yield start, min(start + size, rows)
        start, size = start + size, min(2 * size, largest)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
