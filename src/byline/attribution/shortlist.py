"""The shortlist: which examples to look at first for an answer. For reading and evidence; never used for money.

    build_shortlist(run.store, "runs/a.shortlist")                     # once
    top = open_shortlist("runs/a.shortlist").top(run.featurise(model, queries, measure), k=100)

One row per example, x = sum over its visits of lr * clip * captured row. With H the second moment of the captured rows
of a layer,

    score(q, n) = - sum over layers of  q' (H + damping * mean eigenvalue)^-1 x_n        (positive = proponent)

Inside, a row is kept in the eigenvectors of H, divided by sqrt(eigenvalue + 0.1 * mean), and rounded to int8 with one
scale per row; the query takes the rest of the inverse. So one integer product scores all layers, no direction drowns in
the rounding of a louder one, and the damping and the weights of the layers can still be chosen with every question.

Why not for money: a sketch of rank 8 that knows the curvature only as a second moment of gradients ranks examples; it
does not measure what leaving them out would do (docs/method.md). `ScoreTable.method` says so wherever the scores go.

Source: preconditioned sketches of TrackStar, arXiv 2410.17413, without the unit norm, and LoGra, arXiv 2405.13954.
Differs: gradients as they were during training, weighted by the learning rate at which they acted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byline.attribution.scan import Scan, Top, row_norms
from byline.attribution.shortlist_folder import FolderWriter, ShortlistData, read_folder
from byline.core import AttributionError, ExampleId, RunId, ScoreTable, sha256_hex
from byline.store import Group, RunReader, quantise

# Suffixes: Q queries, N examples, R rows of the store, K features of all layers, k features of a layer, L layers

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DAMPING = 0.1  # of the rows on disk (part of the format), and of a query unless it asks for another
_ROWS = 4096  # at a time; fixed, because the order of additions decides the last bit
_SUMS = "sums.part"


def build_shortlist(store: RunReader, path: str | Path) -> "Shortlist":
    """Write the shortlist of a recorded run into an absent or empty folder, and open it.

    Two passes, memory for a block of rows and one (k, k) matrix per layer; on disk, for the time of the building, four
    times the size of the result. Raises: AttributionError("empty-run", "shortlist-exists"), StoreError.
    """
    if not store.n_rows:
        raise AttributionError("empty-run", f"run {store.spec.run} holds no rows", "record a training first")
    path = Path(path)
    writer = FolderWriter(path)
    try:
        _write(store, writer, path / _SUMS)
    except BaseException:
        writer.discard()
        raise
    finally:
        (path / _SUMS).unlink(missing_ok=True)
    return open_shortlist(path)


def open_shortlist(path: str | Path, threads: int | None = None) -> "Shortlist":
    """`threads` of a scan; by default as many as the process has processors.

    Raises: AttributionError("not-a-shortlist", "bad-shortlist"), StoreError("missing-file", "wrong-size",
    "wrong-digest").
    """
    data = read_folder(Path(path))
    return Shortlist(data, Scan(data.rows_NK, data.scales_N, data.norms_N, threads=threads))


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """One row per example of a run, in ascending order of ids. Never used for money."""

    data: ShortlistData
    scan: Scan

    @property
    def run(self) -> RunId:
        return self.data.manifest.run

    @property
    def example_ids(self) -> tuple[ExampleId, ...]:
        return tuple(ExampleId(name) for name in self.data.ids)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The layers, in the order of a query's columns."""
        return self.data.manifest.groups

    def top(
        self,
        queries_QK: npt.NDArray[np.floating],
        k: int,
        damping: float = DAMPING,
        weights: Mapping[str, float] | None = None,
    ) -> Top:
        """The `k` examples with the highest scores: `rows_QM` index `example_ids`; ties by id.

        `queries_QK`: as `Run.featurise` gives them; `weights` of layers by name, 1 if not named.
        Raises: AttributionError("bad-query-rows", "bad-count", "bad-damping", "unknown-layer").
        """
        return self.scan.top(self.turn(queries_QK, damping, weights), k)

    def score(
        self,
        query_ids: Sequence[str],
        queries_QK: npt.NDArray[np.floating],
        damping: float = DAMPING,
        weights: Mapping[str, float] | None = None,
    ) -> ScoreTable:
        """All scores. Raises: as `top`."""
        scores_QN = self.scan.scores(self.turn(queries_QK, damping, weights))
        return ScoreTable(scores_QN, tuple(query_ids), self.example_ids, method(damping))

    def turn(
        self, queries_QK: npt.NDArray[np.floating], damping: float, weights: Mapping[str, float] | None = None
    ) -> Float64:
        """Queries as vectors whose inner products with the stored rows are scores."""
        if not damping > 0:
            raise AttributionError("bad-damping", f"damping is {damping}", "give a number above 0, e.g. 0.1")
        weight_of = self._weights(weights or {})
        if queries_QK.ndim != 2 or queries_QK.shape[1] != self.data.manifest.width:
            says = f"queries have shape {queries_QK.shape}, the rows {self.data.manifest.width} features"
            raise AttributionError("bad-query-rows", says, "featurise them with the run of this shortlist")
        turned_QK = np.empty(queries_QK.shape)
        for group, columns, turn_kk in zip(self.groups, _columns(self.groups), self.data.turns, strict=True):
            values_k = self.data.spectrum_K[columns]
            scale_k = weight_of.get(group.name, 1.0) * _root(values_k) * _inverse(values_k, damping)
            turned_QK[:, columns] = queries_QK[:, columns].astype(np.float64) @ turn_kk * scale_k
        return turned_QK

    def _weights(self, weights: Mapping[str, float]) -> Mapping[str, float]:
        unknown = sorted(set(weights) - {group.name for group in self.groups})
        if unknown:
            known = ", ".join(group.name for group in self.groups)
            raise AttributionError("unknown-layer", f"run {self.run} has no layer {unknown[0]!r}", f"it has: {known}")
        return weights


def method(damping: float) -> str:
    return f"byline-shortlist(damping={damping}; for evidence, not for money)"


def _write(store: RunReader, writer: FolderWriter, sums_file: Path) -> None:
    spec, n = store.spec, len(store.example_ids)
    order_N = sorted(range(n), key=store.example_ids.__getitem__)
    sums_NK = np.memmap(sums_file, np.float32, "w+", shape=(n, spec.width))
    moments = _accumulate(store, sums_NK, np.argsort(order_N))
    turns = []
    for moment_kk in moments:
        values_k, turn_kk = np.linalg.eigh(moment_kk)
        writer.write("spectrum", np.maximum(values_k, 0))
        writer.write("turns", turn_kk.astype(np.float32))
        turns.append(turn_kk.astype(np.float32) * _over(_root(np.maximum(values_k, 0))))
    one = (Group("all layers", spec.width),)
    for start in range(0, n, _ROWS):
        q_RK, scales_R1 = quantise(_turned(sums_NK[start : start + _ROWS], turns), one)
        writer.write("rows", q_RK)
        writer.write("scales", scales_R1)
        writer.write("norms", row_norms(q_RK, scales_R1[:, 0]))
    writer.write_ids(tuple(store.example_ids[i] for i in order_N))
    run_sha256 = sha256_hex(store.manifest.to_bytes())
    writer.commit(spec.run, run_sha256, spec.model, spec.projector, spec.groups, n)


def _accumulate(store: RunReader, sums_NK: Float32, place_N: npt.NDArray[np.intp]) -> list[Float64]:
    """Add every visit to its example's row; return the second moment of the visits, (k, k) per layer."""
    columns, widths = _columns(store.spec.groups), [group.width for group in store.spec.groups]
    moments = [np.zeros((k, k)) for k in widths]
    rates_SL = _rates(store)
    start = 0
    for block_RK in store.blocks(_ROWS):
        for moment_kk, layer in zip(moments, columns, strict=True):
            part_Rk = block_RK[:, layer].astype(np.float64)
            moment_kk += part_Rk.T @ part_Rk / store.n_rows
        rows = slice(start, start + len(block_RK))
        block_RK *= np.repeat(rates_SL[store.steps_N[rows]], widths, axis=1)
        place_R = place_N[store.examples_N[rows]]
        order_R = np.argsort(place_R, kind="stable")
        examples, first = np.unique(place_R[order_R], return_index=True)
        sums_NK[examples] += np.add.reduceat(block_RK[order_R], first, axis=0)
        start = rows.stop
    return moments


def _turned(sums_RK: Float32, turns: Sequence[Float64]) -> Float32:
    """Rows as they are stored: in eigenvectors, divided by the root of the damped eigenvalues, and negated: the
    optimizer stepped against the gradients."""
    parts, start = [], 0
    for turn_kk in turns:
        parts.append(-(sums_RK[:, start : start + len(turn_kk)].astype(np.float64) @ turn_kk))
        start += len(turn_kk)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _rates(store: RunReader) -> Float32:
    """(S, L): learning rate of the layer times clip factor, at every step."""
    names = [group.name for group in store.spec.groups]
    rates = [[step["lr"][name] * step["clip"] for name in names] for step in store.step_log]
    return np.array(rates, dtype=np.float32).reshape(-1, len(names))


def _columns(groups: Sequence[Group]) -> list[slice]:
    ends = np.cumsum([group.width for group in groups])
    return [slice(int(end) - group.width, int(end)) for end, group in zip(ends, groups, strict=True)]


def _root(values_k: Float64) -> Float64:
    root_k: Float64 = np.sqrt(values_k + DAMPING * values_k.mean())
    return root_k


def _inverse(values_k: Float64, damping: float) -> Float64:
    return _over(values_k + damping * values_k.mean())


def _over(x: Float64) -> Float64:
    """1 / x, and 0 in a layer that never had a gradient."""
    found: Float64 = np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)
    return found
