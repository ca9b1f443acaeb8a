"""Fingerprints of pictures or sounds on disk: a folder of immutable segments, each whole or not there.

A segment is a folder of numpy arrays, which are mapped and not read, with `keys.txt` (one digest a line, of the file
that each fingerprint is of) and `segment.json`, the digests of its files. Files that could not be read stand in
`unread.json`, with the reason, so that they are not tried again each time. A killed build loses the segment that it was
at; what it left ends in `.part` and is cleared away by the next.

Who adds a file at a time makes a segment each time, so small ones are joined: the new segment says which ones it
`replaces`, and from its rename on they count for nothing and are removed. Arrays are joined end to end, but for `ends`,
which says where in another array each file's rows end.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault, Problem, Source

EACH = 256  # fingerprints in a segment
SMALL = 8  # segments with fewer than half of that: so many are joined
TRIES = 5  # at reading a folder in which another process joins segments

Arrays = Mapping[str, npt.NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class MediaSegment:
    path: Path
    keys: tuple[str, ...]
    arrays: Arrays
    replaces: tuple[str, ...] = ()  # names of segments that it was joined from


@dataclass(frozen=True)
class MediaFormat(Generic[T]):
    """How fingerprints of one kind are made and laid out. `name` stands in each segment: others are built again."""

    name: str
    make: Callable[[bytes, str], T]  # of a content, under a name for messages
    lay_out: Callable[[Sequence[T]], Arrays]
    unreadable: str  # code of the LookupFault of a file that is no such medium


class MediaFolder(Generic[T]):
    def __init__(self, path: Path, form: MediaFormat[T]) -> None:
        self.path, self._form = path, form
        self._read()

    def _read(self) -> None:
        found = self._segments()
        self._replaced = {name for segment in found for name in segment.replaces}
        self.segments = tuple(segment for segment in found if segment.path.name not in self._replaced)
        self.keys = frozenset(key for segment in self.segments for key in segment.keys)
        self.unread = self._unread()

    def _segments(self) -> list[MediaSegment]:
        """Of all folders. One that is gone when it is opened was joined into another since: read again."""
        for _ in range(TRIES):
            names = sorted(path.name for path in self.path.glob("segment-*") if not path.name.endswith(".part"))
            try:
                return [self._segment(self.path / name) for name in names]
            except LookupFault:
                if all((self.path / name).exists() for name in names):
                    raise
        return [self._segment(self.path / name) for name in names]

    def _segment(self, path: Path) -> MediaSegment:
        try:
            told = json.loads((path / "segment.json").read_text(encoding="utf-8"))
            if told["format"] != self._form.name:
                raise ValueError(f"its format is {told['format']!r}, not {self._form.name!r}")
            keys = tuple((path / "keys.txt").read_text("ascii").split())
            names = [name for name in told["files"] if name.endswith(".npy")]
            arrays = {name.removesuffix(".npy"): np.load(path / name, "r", allow_pickle=False) for name in names}
            return MediaSegment(path, keys, arrays, tuple(told.get("replaces", ())))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as fault:
            raise LookupFault("bad-index", f"{path} is damaged: {fault}", "byline index --again") from fault

    def _unread(self) -> dict[str, str]:
        path = self.path / "unread.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
        except ValueError:
            return {}  # only a note: what it named is tried again

    @property
    def disk_bytes(self) -> int:
        return sum(file.stat().st_size for segment in self.segments for file in segment.path.iterdir())

    def add(
        self,
        wanted: Iterable[str],
        content_of: Callable[[str], bytes],
        done: Callable[[int], None] = lambda count: None,
    ) -> int:
        """Fingerprint the contents that are not there yet, by digest; how many were added. `done` is told how many were
        looked at.

        Raises: LookupFault("index-busy"), LookupFault("lookup-missing"), and what `content_of` raises.
        """
        missing = [key for key in dict.fromkeys(wanted) if key not in self.keys and key not in self.unread]
        if not missing:
            return 0
        before = len(self.keys)
        with self._writing():
            missing = [key for key in missing if key not in self.keys and key not in self.unread]
            for start in range(0, len(missing), EACH):
                self._put(missing[start : start + EACH], content_of, partial(_counted, done, start))
            self._join()
        return len(self.keys) - before

    def _put(self, keys: Sequence[str], content_of: Callable[[str], bytes], done: Callable[[int], None]) -> None:
        made: dict[str, T] = {}
        unread = dict(self.unread)
        for count, key in enumerate(keys, 1):
            try:
                made[key] = self._form.make(content_of(key), key)
            except LookupFault as fault:
                if fault.code != self._form.unreadable:
                    raise
                unread[key] = fault.message
            done(count)
        if unread != self.unread:
            part = self.path / "unread.json.part"
            part.write_text(json.dumps(unread, indent=1) + "\n", encoding="utf-8")
            part.replace(self.path / "unread.json")
        if made:
            self._write(list(made), self._form.lay_out(list(made.values())))
        self._read()

    def _join(self) -> None:
        """Join small segments, as many as fit into one, when there are many of them."""
        small = [segment for segment in self.segments if 2 * len(segment.keys) < EACH]
        if len(small) < SMALL:
            return
        taken, count = [], 0
        for segment in small:
            count += len(segment.keys)
            if count > EACH:
                break
            taken.append(segment)
        if len(taken) > 1:
            keys = [key for segment in taken for key in segment.keys]
            self._write(keys, joined([segment.arrays for segment in taken]), [segment.path.name for segment in taken])
            self._read()
            self._clear()

    def _clear(self) -> None:
        """Remove what was joined into others, and what a killed build left."""
        for left in [*self.path.glob("*.part"), *(self.path / name for name in self._replaced)]:
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)

    def _write(self, keys: Sequence[str], arrays: Arrays, replaces: Sequence[str] = ()) -> None:
        names = [path.name for path in self.path.glob("segment-*") if not path.name.endswith(".part")]
        number = 1 + max((int(name.removeprefix("segment-")) for name in names), default=0)
        folder = self.path / f"segment-{number:06d}"
        part = folder.with_name(folder.name + ".part")
        part.mkdir()
        (part / "keys.txt").write_text("".join(f"{key}\n" for key in keys), "ascii")
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array, allow_pickle=False)
        files = {file.name: _digest(file) for file in sorted(part.iterdir())}
        told = {"format": self._form.name, "files": files, "replaces": list(replaces)}
        (part / "segment.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        part.replace(folder)

    def problems(self) -> list[Problem]:
        """Every file whose digest is not what was written."""
        return [
            Problem("bad-segment", Source(str(segment.path / name)), "is not what was written; byline index --again")
            for segment in self.segments
            for name, digest in json.loads((segment.path / "segment.json").read_text("utf-8"))["files"].items()
            if not (segment.path / name).is_file() or _digest(segment.path / name) != digest
        ]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                says = f"another process is building the index in {self.path}"
                raise LookupFault("index-busy", says, "wait for it and ask again") from fault
            self._read()
            self._clear()
            yield
        finally:
            os.close(handle)


def joined(parts: Sequence[Arrays]) -> Arrays:
    """The arrays of several segments as those of one."""
    names = list(parts[0])
    return {
        name: (_joined_ends if name == "ends" else np.concatenate)([part[name] for part in parts]) for name in names
    }


def _joined_ends(ends: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    rows = np.concatenate([np.diff(each) for each in ends])
    return np.concatenate([[0], np.cumsum(rows)]).astype(ends[0].dtype)


def _counted(done: Callable[[int], None], before: int, count: int) -> None:
    done(before + count)


def forget(path: Path) -> None:
    """Remove an index, also one that is damaged and cannot be opened; the next `add` builds it anew."""
    shutil.rmtree(path, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
