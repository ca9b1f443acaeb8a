"""What the folder of a shortlist is: files without pickle, named with their digests by a manifest that is written last.

SHORTLIST/manifest.json   the commit point, canonical JSON: run, layers, number of rows, SHA-256 of each file
SHORTLIST/rows.i8         rows x K int8, one row per example, columns grouped by layer
SHORTLIST/scales.f32      rows float32: feature = scale * int8
SHORTLIST/norms.f32       rows float32: length of each row, rounded up; lets a scan pass over most rows
SHORTLIST/ids.jsonl       id of each row, ascending
SHORTLIST/turns.f32       per layer a matrix k x k, row-major: its columns are the eigenvectors of the second moment
SHORTLIST/spectrum.f64    K float64: the eigenvalues, layer by layer

All numbers are little-endian. A folder is never changed: for another run, another folder.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import AttributionError, CoreError, Record, RunId, StoreError, canonical_json
from byline.store import Group, PartFile, decode_ids, encode_ids, map_checked, read_checked, write_file

# Suffixes: N examples, K features of all layers, k of one layer

FORMAT = "byline-shortlist/1"
MANIFEST = "manifest.json"
_FIX = "restore the folder from a copy, or build the shortlist again from its run"


@dataclass(frozen=True, slots=True)
class Digests(Record):
    """SHA-256 (hex) of each file."""

    rows: str
    scales: str
    norms: str
    ids: str
    turns: str
    spectrum: str


@dataclass(frozen=True, slots=True)
class ShortlistManifest(Record):
    """`run_sha256`: of the manifest of the run's store, from which the rows were made."""

    run: RunId
    run_sha256: str
    model: str
    projector: str
    groups: tuple[Group, ...]
    rows: int
    sha256: Digests
    format: str = FORMAT

    @property
    def width(self) -> int:
        return sum(group.width for group in self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class ShortlistData:
    """The arrays of a folder, mapped from disk. `turns`: one (k, k) matrix per layer; its columns are eigenvectors."""

    manifest: ShortlistManifest
    rows_NK: npt.NDArray[np.int8]
    scales_N: npt.NDArray[np.float32]
    norms_N: npt.NDArray[np.float32]
    ids: tuple[str, ...]
    turns: tuple[npt.NDArray[np.float32], ...]
    spectrum_K: npt.NDArray[np.float64]


FILES = {
    "rows": "rows.i8",
    "scales": "scales.f32",
    "norms": "norms.f32",
    "ids": "ids.jsonl",
    "turns": "turns.f32",
    "spectrum": "spectrum.f64",
}


class FolderWriter:
    """An empty folder into which the files of a shortlist are written; they count once the manifest stands.

    Raises: AttributionError("shortlist-exists") if the folder is not empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            fix = "choose another folder; delete what a killed build left behind"
            raise AttributionError("shortlist-exists", f"{path}: the folder is not empty", fix)
        self._files = {kind: PartFile(path / name) for kind, name in FILES.items()}

    def write(self, kind: str, data: bytes | npt.NDArray[Any]) -> None:
        self._files[kind].write(data)

    def write_ids(self, ids: tuple[str, ...]) -> None:
        self.write("ids", encode_ids(ids))

    def commit(
        self, run: RunId, run_sha256: str, model: str, projector: str, groups: tuple[Group, ...], n: int
    ) -> None:
        digests = Digests(**{kind: file.commit() for kind, file in self._files.items()})
        manifest = ShortlistManifest(run, run_sha256, model, projector, groups, n, digests)
        write_file(self._path / MANIFEST, canonical_json(manifest.to_json()))

    def discard(self) -> None:
        """Leave nothing behind but the folder."""
        for kind, file in self._files.items():
            file.discard()
            (self._path / FILES[kind]).unlink(missing_ok=True)


def read_folder(path: Path) -> ShortlistData:
    """Everything in the folder, after sizes and digests were checked.

    Raises: AttributionError("not-a-shortlist", "bad-shortlist"), StoreError("missing-file", "wrong-size",
    "wrong-digest").
    """
    manifest = _manifest(path)
    n, width, sums = manifest.rows, manifest.width, manifest.sha256
    widths = [group.width for group in manifest.groups]
    turns = map_checked(path / FILES["turns"], (sum(k * k for k in widths),), "float32", sums.turns, _FIX)
    data = ShortlistData(
        manifest,
        map_checked(path / FILES["rows"], (n, width), "int8", sums.rows, _FIX),
        map_checked(path / FILES["scales"], (n,), "float32", sums.scales, _FIX),
        map_checked(path / FILES["norms"], (n,), "float32", sums.norms, _FIX),
        _ids(path / FILES["ids"], manifest),
        tuple(x.reshape(k, k) for x, k in zip(np.split(turns, np.cumsum(np.square(widths))[:-1]), widths, strict=True)),
        map_checked(path / FILES["spectrum"], (width,), "float64", sums.spectrum, _FIX),
    )
    _check_numbers(path, data)
    return data


def _manifest(path: Path) -> ShortlistManifest:
    file = path / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as fault:
        fix = "give the folder that build_shortlist wrote; if it was killed, delete the folder and build again"
        raise AttributionError("not-a-shortlist", f"{file}: {fault.strerror}", fix) from fault
    try:
        manifest = ShortlistManifest.from_json(json.loads(data))
        canonical = canonical_json(manifest.to_json())
    except (CoreError, StoreError, ValueError, TypeError) as fault:
        raise AttributionError("bad-shortlist", f"{file}: {fault}", _FIX) from fault
    names = {group.name for group in manifest.groups}
    whole = len(names) == len(manifest.groups) > 0 and min(group.width for group in manifest.groups) > 0
    if canonical != data or manifest.format != FORMAT or manifest.rows < 1 or not whole:
        raise AttributionError("bad-shortlist", f"{file}: is not a manifest of {FORMAT} as it was written", _FIX)
    return manifest


def _ids(path: Path, manifest: ShortlistManifest) -> tuple[str, ...]:
    try:
        ids = decode_ids(read_checked(path, manifest.sha256.ids, _FIX))
    except ValueError as fault:
        raise AttributionError("bad-shortlist", f"{path}: {fault}", _FIX) from fault
    if len(ids) != manifest.rows or any(a >= b for a, b in pairwise(ids)):
        raise AttributionError("bad-shortlist", f"{path}: not {manifest.rows} ids in ascending order", _FIX)
    return tuple(ids)


def _check_numbers(path: Path, data: ShortlistData) -> None:
    for name in ("scales_N", "norms_N", "spectrum_K"):
        array = getattr(data, name)
        if not (array >= 0).all() or np.isinf(array).any():
            raise AttributionError("bad-shortlist", f"{path}: {name} has a number below 0 or not finite", _FIX)
