"""Reading a run folder, also while it is still being written: the reader sees the last commit.

Structure is checked when the folder is opened; the digest of a large file is checked once, before the first of its
bytes is handed out. Suffixes: N rows, K features, L layer groups.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import ExampleId, Problem, Source, StoreError
from byline.store.codec import Float32, Int8, UInt32, decode_ids, decode_steps, dequantise
from byline.store.files import PART, check_size, map_checked, read_checked
from byline.store.format import MANIFEST, RunManifest, RunSpec, Shard, parse_manifest


def open_store(path: str | Path) -> "RunReader":
    """The run in the folder `path`, as of its last commit.

    Raises: StoreError("not-a-run", "format-version", "bad-manifest", "bad-name", "bad-steps", "missing-file",
    "wrong-size", "wrong-digest", "bad-ids", "bad-rows").
    """
    path = Path(path)
    return RunReader(path, read_manifest(path))


def read_manifest(path: Path) -> RunManifest:
    """Raises: StoreError("not-a-run") and what `parse_manifest` raises."""
    file = path / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as fault:
        fix = "give the folder that a recorder wrote (it holds a manifest.json)"
        raise StoreError("not-a-run", f"{file}: {fault.strerror}", fix) from fault
    return parse_manifest(data, str(file))


class RunReader:
    """One recorded run. A row is one visit of a training example: the example was in the batch of a step.

    example_ids    ids in order of first appearance
    examples_N     uint32: index into `example_ids` of each row
    steps_N        uint32: optimizer step of each row, never decreasing
    step_log       one record per optimizer step, from step 0 on
    """

    def __init__(self, path: Path, manifest: RunManifest) -> None:
        self.path = path
        self.manifest = manifest
        self.spec: RunSpec = manifest.spec
        self._maps: dict[str, tuple[Int8, Float32]] = {}
        ids: list[str] = []
        rows_N2: list[UInt32] = []
        self.step_log: list[dict[str, Any]] = []
        for shard in manifest.shards:
            self._check_sizes(shard)
            rows_N2.append(self._read_rows(shard, len(ids)))
            ids += self._read_ids(shard)
            self.step_log += self._read_steps(shard)
        self._check_unique(ids)
        self.example_ids: tuple[ExampleId, ...] = tuple(ExampleId(name) for name in ids)
        rows = np.concatenate(rows_N2) if rows_N2 else np.empty((0, 2), dtype=np.uint32)
        self.examples_N: UInt32 = np.ascontiguousarray(rows[:, 0])
        self.steps_N: UInt32 = np.ascontiguousarray(rows[:, 1])

    @property
    def n_rows(self) -> int:
        return len(self.steps_N)

    @property
    def n_steps(self) -> int:
        return self.manifest.n_steps

    @property
    def blob_names(self) -> tuple[str, ...]:
        return tuple(blob.name for blob in self.manifest.blobs)

    def quantised(self, shard: Shard) -> tuple[Int8, Float32]:
        """q_NK and scales_NL of one of `manifest.shards`, mapped from disk: feature = q * scale of its row and group.

        Raises: StoreError("missing-file", "wrong-size", "wrong-digest", "bad-scales").
        """
        if shard.name not in self._maps:
            fix, sums, layers = _fix(shard), shard.sha256, len(self.spec.groups)
            path = self.path / shard.file("scales")
            scales_NL = map_checked(path, (shard.rows, layers), "float32", sums.scales, fix)
            if not (scales_NL >= 0).all() or np.isinf(scales_NL).any():
                raise StoreError("bad-scales", f"{path}: a scale is negative or not finite", fix)
            path = self.path / shard.file("features")
            q_NK = map_checked(path, (shard.rows, self.spec.width), "int8", sums.features, fix)
            self._maps[shard.name] = q_NK, scales_NL
        return self._maps[shard.name]

    def read(self, start: int, stop: int, groups: Sequence[str] | None = None) -> Float32:
        """Features of the rows [start, stop) as float32, all columns or those of `groups` in the order given.

        Raises: StoreError("no-group", "no-row") and those of `quantised`.
        """
        if not 0 <= start <= stop <= self.n_rows:
            raise StoreError("no-row", f"{self.path}: rows {start} to {stop} of {self.n_rows}")
        columns, layers = self._select(groups)
        widths = [self.spec.groups[layer].width for layer in layers]
        out_NK = np.empty((stop - start, sum(widths)), dtype=np.float32)
        first = 0
        for shard in self.manifest.shards:
            a, b = max(start, first), min(stop, first + shard.rows)
            if a < b:
                q_NK, scales_NL = self.quantised(shard)
                q_NK, scales_NL = q_NK[a - first : b - first], scales_NL[a - first : b - first]
                if groups is not None:
                    q_NK, scales_NL = q_NK[:, columns], scales_NL[:, layers]
                dequantise(q_NK, scales_NL, widths, out_NK[a - start : b - start])
            first += shard.rows
        return out_NK

    def blocks(self, rows_per_block: int = 4096, groups: Sequence[str] | None = None) -> Iterator[Float32]:
        """All rows in order, `rows_per_block` at a time (the last block may be shorter), as `read` gives them."""
        for start in range(0, self.n_rows, rows_per_block):
            yield self.read(start, min(start + rows_per_block, self.n_rows), groups)

    def blob(self, name: str) -> npt.NDArray[Any]:
        """The array put under `name`, read-only. Raises: StoreError("no-blob") and those of a bad file."""
        for blob in self.manifest.blobs:
            if blob.name == name:
                fix = "restore the file from a copy, or put the array again"
                return map_checked(self.path / blob.file, blob.shape, blob.dtype, blob.sha256, fix)
        known = ", ".join(self.blob_names) or "none"
        raise StoreError("no-blob", f"{self.path}: has no blob {name!r}", f"it has: {known}")

    def verify(self) -> list[Problem]:
        """Every fault of the bytes that opening does not read: digests of features, scales and blobs, stray files."""
        problems = []
        for shard in self.manifest.shards:
            try:
                self._maps.pop(shard.name, None)
                self.quantised(shard)
            except StoreError as fault:
                problems.append(self._problem(fault, shard.file("features")))
        for blob in self.manifest.blobs:
            try:
                self.blob(blob.name)
            except StoreError as fault:
                problems.append(self._problem(fault, blob.file))
        says = "is not in the manifest: a writer is at work, or was killed; resuming the run removes it"
        for file in stray_files(self.path, self.manifest):
            problems.append(Problem("stray-file", Source(str(file)), says))
        return problems

    def _problem(self, fault: StoreError, file: str) -> Problem:
        return Problem(fault.code, Source(str(self.path / file)), fault.message)

    def _check_sizes(self, shard: Shard) -> None:
        sizes = {"features": shard.rows * self.spec.width, "scales": shard.rows * len(self.spec.groups) * 4}
        for kind, size in sizes.items():
            check_size(self.path / shard.file(kind), size, _fix(shard))

    def _read_rows(self, shard: Shard, n_ids: int) -> UInt32:
        """rows_N2 of the shard, checked against its ids and steps and the `n_ids` ids of the shards before."""
        path = self.path / shard.file("rows")
        rows_N2 = map_checked(path, (shard.rows, 2), "uint32", shard.sha256.rows, _fix(shard))
        examples_N, steps_N = rows_N2[:, 0].astype(np.int64), rows_N2[:, 1].astype(np.int64)
        known_N = np.maximum.accumulate(np.concatenate([[n_ids - 1], examples_N]))  # highest index up to each row
        if (examples_N > known_N[:-1] + 1).any() or known_N[-1] != n_ids + shard.ids - 1:
            says = f"{path}: example indices are out of range, or not in order of first appearance"
            raise StoreError("bad-rows", says, _fix(shard))
        bounds_N = np.concatenate([[shard.first_step], steps_N, [shard.end_step - 1]])
        if (np.diff(bounds_N) < 0).any():
            says = f"{path}: steps decrease or leave the shard's {shard.first_step} to {shard.end_step - 1}"
            raise StoreError("bad-rows", says, _fix(shard))
        return rows_N2

    def _read_ids(self, shard: Shard) -> list[str]:
        path = self.path / shard.file("ids")
        try:
            ids = decode_ids(read_checked(path, shard.sha256.ids, _fix(shard)))
        except ValueError as fault:
            raise StoreError("bad-ids", f"{path}: {fault}", _fix(shard)) from fault
        if len(ids) != shard.ids:
            raise StoreError("bad-ids", f"{path}: {len(ids)} ids, the manifest says {shard.ids}", _fix(shard))
        return ids

    def _read_steps(self, shard: Shard) -> list[dict[str, Any]]:
        path = self.path / shard.file("steps")
        try:
            data = read_checked(path, shard.sha256.steps, _fix(shard))
            return decode_steps(data, shard.first_step, shard.steps)
        except (ValueError, TypeError, AttributeError) as fault:
            raise StoreError("bad-steps", f"{path}: {fault}", _fix(shard)) from fault

    def _check_unique(self, ids: list[str]) -> None:
        seen: set[str] = set()
        first = 0
        for shard in self.manifest.shards:
            for name in ids[first : first + shard.ids]:
                if name in seen:
                    path = self.path / shard.file("ids")
                    raise StoreError("bad-ids", f"{path}: id {name!r} stands in the run twice", _fix(shard))
                seen.add(name)
            first += shard.ids

    def _select(self, groups: Sequence[str] | None) -> tuple[list[int], list[int]]:
        """Column and layer indices of the groups named (layers only, when all are meant)."""
        if groups is None:
            return [], list(range(len(self.spec.groups)))
        names = [group.name for group in self.spec.groups]
        columns = [column for name in groups for column in range(*self.spec.columns(name).indices(self.spec.width))]
        return columns, [names.index(name) for name in groups]


def stray_files(path: Path, manifest: RunManifest) -> list[Path]:
    """Files in the run's folders that the manifest does not name, sorted."""
    named = {path / file for file in manifest.files()}
    found = [file for folder in ("shards", "blobs") for file in sorted((path / folder).glob("*"))]
    return [file for file in [*found, *path.glob(MANIFEST + PART)] if file not in named]


def _fix(shard: Shard) -> str:
    step = shard.first_step
    return f"restore the file from a copy, or train again from step {step} on: RunWriter.resume(path, {step}) drops it"
