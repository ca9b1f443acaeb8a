"""What a run folder is: its file names, its manifest, and the checks that a manifest alone allows. No I/O.

RUN/manifest.json             the commit point, canonical JSON: what it does not name does not exist
RUN/shards/00000.features.i8  rows x K int8, one row per (example, visit), columns grouped by layer
RUN/shards/00000.scales.f32   rows x L float32, one scale per row and layer
RUN/shards/00000.rows.u32     rows x 2 uint32: index of the example, optimizer step
RUN/shards/00000.ids.jsonl    ids of the examples first seen in this shard, in order of first appearance
RUN/shards/00000.steps.jsonl  one JSON object per optimizer step
RUN/blobs/<name>.<digest>     raw little-endian arrays: optimizer factors, final weights
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import CoreError, Record, RunId, StoreError, canonical_json

FORMAT = "byline-store/1"
MANIFEST = "manifest.json"
SUFFIXES = {
    "features": "features.i8",
    "scales": "scales.f32",
    "rows": "rows.u32",
    "ids": "ids.jsonl",
    "steps": "steps.jsonl",
}
DTYPES = frozenset(
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()
)  # of blobs; bfloat16 travels as uint16

_SHARD_NAME = re.compile(r"[0-9]{5,}")
_BLOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
_HEX = re.compile(r"[0-9a-f]{64}")
_RESTORE = "restore the run folder from a copy, or record the run again"


@dataclass(frozen=True, slots=True)
class Group(Record):
    """A captured layer: the next `width` columns."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class RunSpec(Record):
    """What the rows of a run mean. `projector` and `extra` are JSON text: how gradients became features, and notes
    such as the modules that were not hooked. Raises: StoreError("bad-spec")."""

    run: RunId
    model: str
    groups: tuple[Group, ...]
    projector: str = "{}"
    extra: str = "{}"
    dtype: str = "int8"

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        if not names or len(set(names)) != len(names) or any(group.width < 1 for group in self.groups):
            raise StoreError("bad-spec", f"run {self.run}: groups {names[:5]} are none, repeated or of width 0")
        if self.dtype != "int8":
            raise StoreError("bad-spec", f"run {self.run}: dtype {self.dtype!r}", "this version writes int8 only")
        for text in (self.projector, self.extra):
            try:
                json.loads(text)
            except ValueError as fault:
                raise StoreError("bad-spec", f"run {self.run}: {text[:40]!r} is not JSON text: {fault}") from fault

    @property
    def width(self) -> int:
        return sum(group.width for group in self.groups)

    def columns(self, name: str) -> slice:
        """Columns of the layer `name`. Raises: StoreError("no-group")."""
        start = 0
        for group in self.groups:
            if group.name == name:
                return slice(start, start + group.width)
            start += group.width
        known = ", ".join(group.name for group in self.groups)
        raise StoreError("no-group", f"run {self.run} has no group {name!r}", f"it has: {known}")


@dataclass(frozen=True, slots=True)
class Digests(Record):
    """SHA-256 (hex) of each of a shard's files."""

    features: str
    scales: str
    rows: str
    ids: str
    steps: str


@dataclass(frozen=True, slots=True)
class Shard(Record):
    """One closed piece of a run: `rows` rows of the `steps` optimizer steps from `first_step` on."""

    name: str
    rows: int
    first_step: int
    steps: int
    ids: int
    sha256: Digests

    @property
    def end_step(self) -> int:
        return self.first_step + self.steps

    def file(self, kind: str) -> str:
        return f"shards/{self.name}.{SUFFIXES[kind]}"


@dataclass(frozen=True, slots=True)
class Blob(Record):
    """A named array kept beside the rows; `step` is the number of steps that had ended when it was put."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    step: int
    sha256: str

    @property
    def file(self) -> str:
        return f"blobs/{self.name}.{self.sha256[:12]}"

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class RunManifest(Record):
    spec: RunSpec
    shards: tuple[Shard, ...] = ()
    blobs: tuple[Blob, ...] = ()
    format: str = FORMAT

    @property
    def n_steps(self) -> int:
        return self.shards[-1].end_step if self.shards else 0

    def files(self) -> set[str]:
        """Every file of the run but the manifest, relative to the run folder."""
        return {shard.file(kind) for shard in self.shards for kind in SUFFIXES} | {blob.file for blob in self.blobs}

    def to_bytes(self) -> bytes:
        return canonical_json(self.to_json())


def parse_manifest(data: bytes, where: str) -> RunManifest:
    """The manifest in `data`; `where` names its file in errors.

    Raises: StoreError("format-version", "bad-manifest", "bad-name", "bad-steps", "bad-spec").
    """
    value = _json_object(data, where)
    if value.get("format") != FORMAT:
        fix = f"this version reads {FORMAT!r}: read it with the version of Byline that wrote it"
        raise StoreError("format-version", f"{where}: format is {value.get('format')!r}", fix)
    try:
        manifest = RunManifest.from_json(value)
        canonical = manifest.to_bytes()
    except (CoreError, ValueError, TypeError) as fault:
        raise StoreError("bad-manifest", f"{where}: {fault}", _RESTORE) from fault
    if canonical != data:
        raise StoreError("bad-manifest", f"{where}: is not in canonical form (RFC 8785)", _RESTORE)
    _check_names(manifest, where)
    _check_counts(manifest, where)
    return manifest


def is_blob_name(name: str) -> bool:
    """A plain file name: letters, digits, dot, dash and underscore; begins with a letter or digit; at most 150."""
    return _BLOB_NAME.fullmatch(name) is not None


def group_starts(groups: tuple[Group, ...]) -> npt.NDArray[np.intp]:
    """First column of each group."""
    return np.cumsum([0, *(group.width for group in groups[:-1])], dtype=np.intp)


def _json_object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as fault:
        raise StoreError("bad-manifest", f"{where}: is not JSON: {fault}", _RESTORE) from fault
    if not isinstance(value, dict):
        raise StoreError("bad-manifest", f"{where}: is not a JSON object", _RESTORE)
    return value


def _check_names(manifest: RunManifest, where: str) -> None:
    last = -1
    for shard in manifest.shards:
        number = int(shard.name) if _SHARD_NAME.fullmatch(shard.name) and shard.name.isascii() else -1
        if f"{number:05d}" != shard.name or number <= last:
            says = f"{where}: shard name {shard.name!r} is not a number of five digits above the one before"
            raise StoreError("bad-name", says, _RESTORE)
        last = number
    for blob in manifest.blobs:
        if not is_blob_name(blob.name):
            raise StoreError("bad-name", f"{where}: blob name {blob.name!r} is not a plain file name", _RESTORE)
    if len({blob.name for blob in manifest.blobs}) != len(manifest.blobs):
        raise StoreError("bad-name", f"{where}: names a blob twice", _RESTORE)


def _check_counts(manifest: RunManifest, where: str) -> None:
    step = 0
    for shard in manifest.shards:
        if shard.first_step != step or shard.steps < 1:
            kind = "a hole" if shard.first_step > step else "an overlap" if shard.steps > 0 else "no steps"
            says = f"{where}: shard {shard.name} begins at step {shard.first_step}, expected {step}: {kind}"
            raise StoreError("bad-steps", says, _RESTORE)
        step = shard.end_step
        digests = shard.sha256.to_json().values()
        if min(shard.rows, shard.ids) < 0 or not all(_HEX.fullmatch(text) for text in digests):
            raise StoreError("bad-manifest", f"{where}: shard {shard.name} has a bad count or digest", _RESTORE)
    for blob in manifest.blobs:
        if blob.dtype not in DTYPES or min(blob.shape, default=0) < 0 or not _HEX.fullmatch(blob.sha256):
            raise StoreError("bad-manifest", f"{where}: blob {blob.name} has a bad dtype, shape or digest", _RESTORE)
