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
from byline.lookup.layout import ARRAYS, FORMAT, begins_word, code, decode, gram_hashes, word_hash

Range = tuple[int, int]  # of the suffix array, end not included
_KEY = 16  # bytes of a run's code that are searched for many runs at once


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
        self._suffixes: Any = memoryview(self._table) if len(self._table) else ()
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
        vocabulary, wanted = self._maps["vocabulary.u64"], np.uint64(word_hash(word))
        at = int(np.searchsorted(vocabulary, wanted))
        found = at < len(vocabulary) and vocabulary[at] == wanted
        return code(int(self._maps["ranks.u32"][at])) if found else None

    def count(self, word_code: bytes) -> int:
        """How often the word of this code stands in the segment."""
        return int(self._maps["counts.u32"][int(decode(np.frombuffer(word_code, "<u2"))[0])])

    # --- runs of words

    def find(self, key: bytes) -> Range | None:
        """Suffixes that begin with these codes; None if no live work has them."""
        size, data, table = len(key), self.data, self._suffixes
        low = bisect_left(table, key, key=lambda at: data[at : at + size])
        if low == len(table) or data[table[low] : table[low] + size] != key:
            return None
        found = low, bisect_right(table, key, lo=low, key=lambda at: data[at : at + size])
        return found if self._lives(found) else None

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

    def may_find(self, keys: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """For many runs at once: False if no suffix has their first 16 bytes. Runs of eight words have as many."""
        wanted = np.array([[int.from_bytes(key[:8]), int.from_bytes(key[8:_KEY])] for key in keys], np.uint64)
        high_K, low_K = wanted.reshape(-1, 2).T
        start_K, end_K = np.zeros(len(keys), np.int64), np.full(len(keys), len(self._table), np.int64)
        for _ in range(len(self._table).bit_length()):
            middle_K = (start_K + end_K) // 2
            first_K, second_K = self._heads(np.minimum(middle_K, len(self._table) - 1))
            less_K = (first_K < high_K) | ((first_K == high_K) & (second_K < low_K))
            open_K = start_K < end_K
            start_K = np.where(open_K & less_K, middle_K + 1, start_K)
            end_K = np.where(open_K & ~less_K, middle_K, end_K)
        first_K, second_K = self._heads(np.minimum(start_K, max(0, len(self._table) - 1)))
        return np.asarray((start_K < len(self._table)) & (first_K == high_K) & (second_K == low_K))

    def _heads(self, ranks: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The first 16 bytes of suffixes as two numbers that rise as the bytes do; zeros stand beyond the end."""
        if not len(self._table):
            return np.zeros(len(ranks), np.uint64), np.zeros(len(ranks), np.uint64)
        at = self._table[ranks].astype(np.int64)[:, None] // 2 + np.arange(_KEY // 2)
        inside = at < len(self.tokens)
        codes = np.where(inside, self.tokens[np.minimum(at, len(self.tokens) - 1)], 0).astype("<u2")
        heads = np.ascontiguousarray(codes).view(">u8").astype(np.uint64)
        return heads[:, 0], heads[:, 1]

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

    def number(self, work: WorkId) -> int:
        return self.works.index(work)

    # --- fingerprints

    def fingerprinted(
        self, words: Sequence[str], most: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Runs of the query that were kept as fingerprints: (word of the query, number of the work, place in tokens).
        A run that stands in more than `most` places is a commonplace and left out."""
        hashed = np.fromiter(map(word_hash, words), np.uint64, len(words))
        runs = gram_hashes(hashed, int(self.told["gram"]))
        low = np.searchsorted(self._maps["fingerprints.u64"], runs, side="left")
        high = np.searchsorted(self._maps["fingerprints.u64"], runs, side="right")
        high = np.where(high - low > most, low, high)
        query = np.repeat(np.arange(len(runs)), high - low)
        at = np.concatenate([np.empty(0, np.int64), *(np.arange(a, b) for a, b in zip(low, high, strict=True) if a < b)])
        places = self._maps["places.u32"][at].astype(np.int64)
        works = np.searchsorted(self._offsets, places, side="right") - 1
        kept = ~self._dead[works] if len(works) else np.empty(0, np.bool_)
        return query[kept], works[kept], places[kept]


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


def _bytes(path: Path) -> Any:
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
