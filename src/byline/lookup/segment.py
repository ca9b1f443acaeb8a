"""Read a segment of the text index through memory maps: which suffixes begin with a run of words, and in which work."""

import hashlib
import json
import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault, WorkId
from byline.lookup.layout import ARRAYS, FORMAT, begins_word, code, gram_hashes, hash_of, rank

_NONE = np.empty(0, np.int64)
Range = tuple[int, int]  # of the suffix array, end not included


class Segment:
    """One immutable segment. `dead`: works that are found no more.

    Raises: LookupFault("bad-segment") for a folder that is not as it was written (sizes; `verify` checks digests).
    """

    def __init__(self, path: Path, dead: Collection[WorkId] = ()) -> None:
        self.path = path
        self.told = _told(path)
        self._maps = {name: _array(path / name, dtype) for name, dtype in ARRAYS.items()}
        self.tokens, self._table = self._maps["tokenized.0"], self._maps["table.0"]
        self.data: Any = _bytes(path / "tokenized.0")
        self._suffixes: Any = _integers(self._table)
        self._vocabulary: Any = _integers(self._maps["vocabulary.u64"])
        self._ranks: Any = _integers(self._maps["ranks.u32"])
        self._counts: Any = _integers(self._maps["counts.u32"])
        self._beginnings: dict[bytes, Range] = {}
        lines = (path / "works.txt").read_text(encoding="utf-8").splitlines()
        self.works = tuple(WorkId(line.split(" ")[0]) for line in lines)
        self.digests = tuple(line.split(" ")[1] for line in lines)
        self._offsets = np.array(self._maps["offset.0"], np.int64) // 2
        self._dead = np.array([work in dead for work in self.works], np.bool_)
        self._any_dead = bool(self._dead.any())
        self._codes: dict[str, bytes | None] = {}

    def verify(self) -> list[str]:
        """Names of files whose content is not what was written."""
        wrong = []
        for name, file in self.told["files"].items():
            with (self.path / name).open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != file["sha256"]:
                    wrong.append(name)
        return wrong

    @property
    def live(self) -> tuple[WorkId, ...]:
        return tuple(work for work, dead in zip(self.works, self._dead, strict=True) if not dead)

    @property
    def words(self) -> int:
        return int(self.told["words"])

    @property
    def disk_bytes(self) -> int:
        return sum(int(file["bytes"]) for file in self.told["files"].values())

    # --- words to codes

    def code(self, word: str) -> bytes | None:
        """None for a word that stands in no work."""
        if word not in self._codes:
            if len(self._codes) > 2**17:
                self._codes.clear()
            self._codes[word] = self._code(word)
        return self._codes[word]

    def _code(self, word: str) -> bytes | None:
        vocabulary, wanted = self._vocabulary, hash_of(word)
        at = bisect_left(vocabulary, wanted)
        found = at < len(vocabulary) and vocabulary[at] == wanted
        return code(self._ranks[at]) if found else None

    def count(self, word_code: bytes) -> int:
        """How often the word of this code stands in the segment."""
        return int(self._counts[rank(word_code)])

    # --- runs of words

    def find(self, key: bytes) -> Range | None:
        """Suffixes that begin with these codes; None if no live work has them."""
        size, data, table = len(key), self.data, self._suffixes
        low, high = self._beginning(key[:2])
        low = bisect_left(table, key, low, high, key=lambda at: data[at : at + size])
        if low == high or data[table[low] : table[low] + size] != key:
            return None
        found = low, bisect_right(table, key, low, high, key=lambda at: data[at : at + size])
        return found if self._lives(found) else None

    def _beginning(self, first: bytes) -> Range:
        """All suffixes that begin with these two bytes; kept, because texts share their frequent words."""
        if first not in self._beginnings:
            data, table = self.data, self._suffixes
            low = bisect_left(table, first, key=lambda at: data[at : at + 2])
            self._beginnings[first] = low, bisect_right(table, first, lo=low, key=lambda at: data[at : at + 2])
        return self._beginnings[first]

    def narrow(self, within: Range, size: int, more: bytes) -> Range | None:
        """Of the suffixes `within`, which all begin with the same `size` bytes, those that go on with `more`."""
        data, table, end = self.data, self._suffixes, size + len(more)
        low, high = within
        low = bisect_left(table, more, lo=low, hi=high, key=lambda at: data[at + size : at + end])
        if low == high or data[table[low] + size : table[low] + end] != more:
            return None
        found = low, bisect_right(table, more, lo=low, hi=high, key=lambda at: data[at + size : at + end])
        return found if self._lives(found) else None

    def _lives(self, found: Range) -> bool:
        if not self._any_dead:
            return True
        low, high = found
        parts = (self._table[at : min(at + 1024, high)] for at in range(low, high, 1024))
        return any(not self._dead[self.works_at(part)].all() for part in parts)

    # --- places

    def works_at(self, suffixes: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """The number of the work that each byte offset stands in."""
        return np.searchsorted(self._offsets, suffixes.astype(np.int64) // 2, side="right") - 1

    def holders(self, found: Range, most: int) -> dict[WorkId, int]:
        """Live works that have the run, by order of their places, each with its first place (in tokens); places beyond
        `most` are not looked at."""
        at = np.sort(self._table[found[0] : min(found[1], found[0] + most)])
        numbers, first = np.unique(self.works_at(at), return_index=True)
        return {
            self.works[number]: int(at[place]) // 2
            for number, place in zip(numbers, first, strict=True)
            if not self._dead[number]
        }

    def bounds(self, number: int) -> Range:
        """First and last place of a work's codes, in tokens; end not included."""
        end = int(self._offsets[number + 1]) if number + 1 < len(self._offsets) else len(self.tokens)
        return int(self._offsets[number]) + 1, end

    def piece(self, place: int) -> tuple[int, int]:
        """(first character of the piece of text that a token stands in, how many words of the piece stand before)."""
        starts = self._maps["piece_tokens.u32"]
        at = int(np.searchsorted(starts, place, side="right")) - 1
        return int(self._maps["piece_chars.u32"][at]), int(begins_word(self.tokens[int(starts[at]) : place]).sum())

    @staticmethod
    def begins(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
        return begins_word(codes)

    # --- fingerprints

    def fingerprinted(
        self, words: Sequence[str], most: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Runs of the query that were kept as fingerprints: (word of the query, number of the work, place in tokens).
        A run that stands in more than `most` places is a commonplace and left out."""
        if not len(self._maps["fingerprints.u64"]):
            return _NONE, _NONE, _NONE
        hashed = np.fromiter(map(hash_of, words), np.uint64, len(words))
        runs, kept = gram_hashes(hashed, int(self.told["gram"])), self._maps["fingerprints.u64"]
        low = np.searchsorted(kept, runs, side="left")
        high = low if not (kept[np.minimum(low, len(kept) - 1)] == runs).any() else np.searchsorted(kept, runs, "right")
        if not (high > low).any():
            return _NONE, _NONE, _NONE
        high = np.where(high - low > most, low, high)
        query = np.repeat(np.arange(len(runs)), high - low)
        at = np.concatenate([_NONE, *(np.arange(a, b) for a, b in zip(low, high, strict=True) if a < b)])
        places = self._maps["places.u32"][at].astype(np.int64)
        works = np.searchsorted(self._offsets, places, side="right") - 1
        live = ~self._dead[works]
        return query[live], works[live], places[live]


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads((path / "segment.json").read_text(encoding="utf-8"))
        files = {name: file["bytes"] for name, file in told["files"].items()}
        if told["format"] != FORMAT or set(files) != {*ARRAYS, "works.txt"}:
            raise ValueError(f"its format is not {FORMAT}")
        for name, size in files.items():
            if (path / name).stat().st_size != size:
                raise ValueError(f"{name} is not {size} bytes long")
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise LookupFault("bad-segment", f"{path} is damaged: {fault}", "byline index --again") from fault
    return dict(told)


def _array(path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r"))


def _integers(array: Any) -> Any:
    """The same memory as Python integers, which are faster than numpy's where they are read one by one."""
    return memoryview(array)


def _bytes(path: Path) -> Any:
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
