"""The writing side of a run folder, without threads: whole steps go in, commits make them durable.

Files of a shard are written under `.part`, synced and renamed; only then does the manifest name them. So a process
killed at any moment leaves the last commit, and files that the next writer sweeps away.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import StoreError
from byline.store.codec import Float32, Int8, UInt32, encode_ids, quantise, step_line
from byline.store.files import PartFile, bytes_of, lock_folder, sync_folder, write_file
from byline.store.format import MANIFEST, SUFFIXES, Blob, Digests, RunManifest, RunSpec, Shard
from byline.store.read import RunReader, read_manifest, stray_files

SHARD_BYTES = 2**28  # of features, after which a shard is closed unless `shard_rows` says otherwise


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one backward pass: an id and K features each."""

    ids: tuple[str, ...]
    features_NK: Float32


@dataclass(frozen=True, slots=True)
class Step:
    """A whole optimizer step: its rows, in order, and its log line."""

    number: int
    batches: tuple[Batch, ...]
    line: bytes

    @property
    def rows(self) -> int:
        return sum(len(batch.ids) for batch in self.batches)


class OpenShard:
    """The five files of the shard that is being written."""

    def __init__(self, path: Path, name: str, first_step: int) -> None:
        self._shard = Shard(name, 0, first_step, 0, 0, Digests("", "", "", "", ""))
        self._files = {kind: PartFile(path / self._shard.file(kind)) for kind in SUFFIXES}

    @property
    def rows(self) -> int:
        return self._shard.rows

    @property
    def steps(self) -> int:
        return self._shard.steps

    def add_rows(self, q_NK: Int8, scales_NL: Float32, rows_N2: UInt32, new_ids: Sequence[str]) -> None:
        self._files["features"].write(q_NK)
        self._files["scales"].write(scales_NL)
        self._files["rows"].write(rows_N2)
        self._files["ids"].write(encode_ids(new_ids))
        old = self._shard
        self._shard = replace(old, rows=old.rows + len(q_NK), ids=old.ids + len(new_ids))

    def add_steps(self, lines: Sequence[bytes]) -> None:
        self._files["steps"].write(b"".join(lines))
        self._shard = replace(self._shard, steps=self._shard.steps + len(lines))

    def close(self) -> Shard:
        digests = {kind: file.commit() for kind, file in self._files.items()}
        return replace(self._shard, sha256=Digests(**digests))

    def discard(self) -> None:
        for file in self._files.values():
            file.discard()


class RunFolder:
    """A run folder taken for writing. `manifest` is the last commit."""

    def __init__(
        self, path: Path, manifest: RunManifest, ids: Sequence[str], shard_rows: int | None, lock: int
    ) -> None:
        self.path, self.manifest = path, manifest
        self._index = {name: i for i, name in enumerate(ids)}
        self._shard_rows = shard_rows or max(1, SHARD_BYTES // manifest.spec.width)
        self._lock = lock
        self._shard: OpenShard | None = None
        self._blobs: list[Blob] = []
        self._dropped: set[str] = set()

    @classmethod
    def create(cls, path: Path, spec: RunSpec, shard_rows: int | None) -> "RunFolder":
        path.mkdir(parents=True, exist_ok=True)
        lock = lock_folder(path)
        try:
            if any(file.name != MANIFEST + ".part" for file in path.iterdir()):
                fix = "choose another folder, or continue the run with RunWriter.resume(path, step)"
                raise StoreError("not-empty", f"{path}: the folder is not empty", fix)
            manifest = RunManifest(spec)
            write_file(path / MANIFEST, manifest.to_bytes())
            sync_folder(path.parent)
            return cls(path, manifest, (), shard_rows, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def resume(cls, path: Path, step: int, spec: RunSpec | None, shard_rows: int | None) -> "RunFolder":
        manifest = read_manifest(path)
        lock = lock_folder(path)
        try:
            manifest = read_manifest(path)
            _check_resumable(path, manifest, step, spec)
            kept, ids = _cut(path, manifest, step)
            if kept != manifest:
                write_file(path / MANIFEST, kept.to_bytes())
            for file in stray_files(path, kept):
                file.unlink()
            return cls(path, kept, ids, shard_rows, lock)
        except BaseException:
            os.close(lock)
            raise

    def add_steps(self, steps: Sequence[Step]) -> None:
        """Write steps, in order, as `add_step` does."""
        for step in steps:
            self.add_step(step)

    def add_step(self, step: Step) -> None:
        """Write a step; commits when the shard has reached its size."""
        if self._shard is None:
            self._shard = _open_shard(self.path, self.manifest, step.number)
        for batch in step.batches:
            q_NK, scales_NL = quantise(batch.features_NK, self.manifest.spec.groups)
            new = self._number(batch.ids)
            examples = [self._index[name] for name in batch.ids]
            rows_N2 = np.array([examples, [step.number] * len(examples)], dtype=np.uint32).T
            self._shard.add_rows(q_NK, scales_NL, rows_N2, new)
        self._shard.add_steps([step.line])
        if self._shard.rows >= self._shard_rows:
            self.commit()

    def put_blob(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write the file now, name it at the next commit."""
        data = bytes_of(array)
        step = self.manifest.n_steps + (self._shard.steps if self._shard else 0)
        blob = Blob(name, array.dtype.name, array.shape, step, hashlib.sha256(data).hexdigest())
        (self.path / "blobs").mkdir(exist_ok=True)
        write_file(self.path / blob.file, array)
        self._blobs.append(blob)
        self._dropped.discard(name)

    def drop_blob(self, name: str) -> None:
        """Forget an array: at once if no commit has named it, else with the next commit."""
        self._dropped.add(name)
        committed = self.manifest.files()
        for blob in self._blobs:
            if blob.name == name and blob.file not in committed:
                (self.path / blob.file).unlink(missing_ok=True)
        self._blobs = [blob for blob in self._blobs if blob.name != name]

    def commit(self) -> None:
        """Make every step and blob added so far durable and visible."""
        if self._shard is None and not self._blobs and not self._dropped:
            return
        shards = self.manifest.shards
        if self._shard is not None:
            shards = (*shards, self._shard.close())
            sync_folder(self.path / "shards")
            self._shard = None
        known = (*self.manifest.blobs, *self._blobs)
        blobs = {blob.name: blob for blob in known if blob.name not in self._dropped}
        replaced = self.manifest.files() | {blob.file for blob in self._blobs}
        named = replace(self.manifest, shards=shards, blobs=tuple(blobs[name] for name in sorted(blobs)))
        write_file(self.path / MANIFEST, named.to_bytes())
        self.manifest, self._blobs, self._dropped = named, [], set()
        for file in replaced - named.files():
            (self.path / file).unlink()

    def _number(self, ids: Sequence[str]) -> list[str]:
        """Give the ids not seen before the next numbers; returns them."""
        new = list(dict.fromkeys(name for name in ids if name not in self._index))
        self._index.update(zip(new, range(len(self._index), len(self._index) + len(new)), strict=True))
        return new

    def close(self) -> None:
        """Free the folder; what was not committed is gone."""
        if self._shard is not None:
            self._shard.discard()
        os.close(self._lock)


def _open_shard(path: Path, manifest: RunManifest, first_step: int) -> OpenShard:
    (path / "shards").mkdir(exist_ok=True)
    number = int(manifest.shards[-1].name) + 1 if manifest.shards else 0
    return OpenShard(path, f"{number:05d}", first_step)


def _check_resumable(path: Path, manifest: RunManifest, step: int, spec: RunSpec | None) -> None:
    if spec is not None and spec != manifest.spec:
        names = [name for name, value in spec.to_json().items() if value != manifest.spec.to_json()[name]]
        fix = "record into a new folder: rows of two kinds cannot share a run"
        raise StoreError("spec-differs", f"{path}: was recorded with another {', '.join(names)}", fix)
    if not 0 <= step <= manifest.n_steps:
        last = manifest.n_steps
        says = f"{path}: steps {last} to {step - 1} were never committed" if step > 0 else f"{path}: no step {step}"
        raise StoreError("missing-steps", says, f"restart training from a checkpoint of step {last} or earlier")


def _cut(path: Path, manifest: RunManifest, step: int) -> tuple[RunManifest, tuple[str, ...]]:
    """The run up to `step` (not included) and its example ids. A shard that `step` divides is written anew, under a
    name of its own, so that the old manifest stays true until the new one replaces it."""
    needed = replace(manifest, shards=tuple(shard for shard in manifest.shards if shard.first_step < step))
    run = RunReader(path, needed)
    rows = int(np.searchsorted(run.steps_N, step))
    ids = run.example_ids[: int(run.examples_N[:rows].max()) + 1 if rows else 0]
    shards = needed.shards
    if shards and shards[-1].end_step > step:
        shards = (*shards[:-1], _rewrite(run, manifest, step, rows, len(ids)))
    blobs = tuple(blob for blob in manifest.blobs if blob.step <= step)
    return replace(manifest, shards=shards, blobs=blobs), ids


def _rewrite(run: RunReader, manifest: RunManifest, step: int, rows: int, ids: int) -> Shard:
    """The last shard of `run` up to `step`, where the run has `rows` rows and `ids` ids."""
    *before, last = run.manifest.shards
    first_row, first_id = sum(shard.rows for shard in before), sum(shard.ids for shard in before)
    q_NK, scales_NL = run.quantised(last)
    part = _open_shard(run.path, manifest, last.first_step)
    rows_N2 = np.stack([run.examples_N, run.steps_N], axis=1)[first_row:rows]
    part.add_rows(q_NK[: len(rows_N2)], scales_NL[: len(rows_N2)], rows_N2, run.example_ids[first_id:ids])
    part.add_steps([step_line(record) for record in run.step_log[last.first_step : step]])
    shard = part.close()
    sync_folder(run.path / "shards")
    return shard
