"""The text index of a corpus: a folder of immutable segments and one file that says which of them count.

Works are added in new segments, never into old ones; a removed work is struck off (a tombstone) and found no more. The
list is replaced in one step, so a killed build changes nothing and what it left is cleared away by the next.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.core import LookupFault, Problem, Record, Source, WorkId
from byline.lookup.build import SegmentBuilder
from byline.lookup.segment import Segment

FORMAT = "byline-text-index/1"
LIST = "index.json"


@dataclass(frozen=True, slots=True)
class IndexSize(Record):
    """`bytes` on disk; `removed`: works struck off whose words still stand in a segment until the next rebuild."""

    works: int
    words: int
    segments: int
    bytes: int
    removed: int


class CorpusIndex:
    """Texts by work. `text_of` gives the text that was indexed; it is asked when an answer quotes a work."""

    def __init__(self, path: Path, text_of: Callable[[WorkId], str]) -> None:
        self.path, self.text_of = path, text_of
        self._read()

    def _read(self) -> None:
        told = _list(self.path / LIST)
        self._removed: dict[str, list[str]] = told["removed"]
        self._names: list[str] = told["segments"]
        self.segments = tuple(self._segment(name) for name in self._names)

    def _segment(self, name: str) -> Segment:
        return Segment(self.path / name, {WorkId(work) for work in self._removed.get(name, ())})

    @property
    def works(self) -> frozenset[WorkId]:
        """Those that are searched."""
        return frozenset(work for segment in self.segments for work in segment.live)

    @property
    def size(self) -> IndexSize:
        return IndexSize(
            works=len(self.works),
            words=sum(segment.words for segment in self.segments),
            segments=len(self.segments),
            bytes=sum(segment.disk_bytes for segment in self.segments),
            removed=sum(map(len, self._removed.values())),
        )

    def add(self, works: Iterable[tuple[WorkId, str]], done: Callable[[int], None] = lambda count: None) -> int:
        """Index the works that are not there yet, in segments of their own; how many that were. Segments that were
        closed before a build was killed are kept. `done` is told how many works are read.

        Raises: LookupFault("lookup-missing"), LookupFault("index-busy").
        """
        with self._writing():
            known, builder, count = set(self.works), SegmentBuilder(), 0
            for work, text in works:
                if work not in known:
                    known.add(work)
                    builder.add(work, text)
                    count += 1
                    done(count)
                if builder.full:
                    self._close(builder)
                    builder = SegmentBuilder()
            if builder.works:
                self._close(builder)
            return count

    def remove(self, works: Iterable[WorkId]) -> int:
        """Strike works off; how many were there. Their words leave the disk with the next rebuild."""
        with self._writing():
            wanted, count = set(works), 0
            for name, segment in zip(self._names, self.segments, strict=True):
                gone = sorted(wanted.intersection(segment.live))
                count += len(gone)
                if gone:
                    self._removed.setdefault(name, []).extend(gone)
            if count:
                self._write(self._names)
            return count

    def rebuild(self, works: Iterable[tuple[WorkId, str]]) -> int:
        """Index these works and no others, from nothing; the old segments serve until the new ones are whole."""
        with self._writing():
            before = self._names
            self._names, self._removed, self.segments = [], {}, ()
            fresh: list[str] = []
            builder = SegmentBuilder()
            for work, text in works:
                builder.add(work, text)
                if builder.full:
                    fresh.append(self._put(builder, before + fresh))
                    builder = SegmentBuilder()
            if builder.works:
                fresh.append(self._put(builder, before + fresh))
            self._write(fresh)
            self._clear()
            return len(self.works)

    def problems(self) -> list[Problem]:
        """Every file whose digest is not what was written."""
        return [
            Problem("bad-segment", Source(str(segment.path / name)), "is not what was written; byline index --again")
            for segment in self.segments
            for name in segment.verify()
        ]

    # --- writing

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
        except BaseException:
            self._read()
            raise
        finally:
            os.close(handle)

    def _clear(self) -> None:
        """Remove what a killed build left."""
        for left in self.path.iterdir():
            if left.name not in (*self._names, LIST):
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _close(self, builder: SegmentBuilder) -> None:
        self._write([*self._names, self._put(builder, self._names)])

    def _put(self, builder: SegmentBuilder, taken: list[str]) -> str:
        number = 1 + max((int(name.removeprefix("segment-")) for name in taken), default=0)
        name = f"segment-{number:06d}"
        builder.write(self.path / name)
        return name

    def _write(self, names: list[str]) -> None:
        told = {"format": FORMAT, "segments": names, "removed": self._removed}
        part = self.path / (LIST + ".part")
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path / LIST)
        self._read()


def _list(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"segments": [], "removed": {}}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT or not set(told["removed"]) <= set(told["segments"]):
            raise ValueError(f"its format is not {FORMAT}")
    except (ValueError, KeyError, TypeError) as fault:
        fix = f"delete {path.parent} and run `byline index`"
        raise LookupFault("bad-index", f"{path} is damaged: {fault}", fix) from fault
    return dict(told)
