"""Build a segment of the text index from works. The folder is whole or not there; a killed build leaves `.part`."""

import hashlib
import importlib
import json
import shutil
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault, WorkId, sha256_hex
from byline.lookup.layout import (
    ARRAYS,
    BREAK,
    FORMAT,
    MOST_WORDS,
    U16,
    U32,
    U64,
    encode,
    gram_hashes,
    winnow,
    word_hash,
)
from byline.lookup.words import pieces, plain_words

GRAM = 5  # words in a fingerprinted run
WINDOW = 8  # of so many runs in a row one fingerprint is kept: 12 words in common always share one
SEGMENT_WORDS = 48_000_000  # a segment is closed behind the work that reaches it

_BLOCK = 2**15  # words that are fingerprinted at a time
_LAST = np.uint64(2**64 - 1)

Arrays = dict[str, npt.NDArray[Any]]


def library(name: str, extra: str) -> Any:
    """Import a package of an optional extra. Raises: LookupFault("lookup-missing") naming what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        says = f"the package {name} is not installed, so this could not be searched; that is no “not found”"
        raise LookupFault("lookup-missing", says, f"pip install 'byline[{extra}]'") from fault


class _Numbers(dict[str, int]):
    """Numbers words in the order in which they come."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


class SegmentBuilder:
    """Takes works one by one, then sorts and writes. 4 bytes of memory per word until `write`, some 30 in it."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._ids = array("I")
        self._first = array("Q")  # of each work, its first word
        self._piece_words, self._piece_chars = array("Q"), array("I")
        self._works: list[tuple[WorkId, str]] = []

    @property
    def words(self) -> int:
        return len(self._ids)

    @property
    def works(self) -> int:
        return len(self._works)

    @property
    def full(self) -> bool:
        return self.words >= SEGMENT_WORDS or len(self._numbers) >= MOST_WORDS // 2

    def add(self, work: WorkId, text: str) -> None:
        self._works.append((work, sha256_hex(text.encode("utf-8", "surrogatepass"))))
        self._first.append(len(self._ids))
        for start, piece in pieces(text):
            self._piece_words.append(len(self._ids))
            self._piece_chars.append(start)
            self._ids.extend(map(self._numbers.__getitem__, plain_words(piece)))

    def write(self, folder: Path) -> None:
        """Raises: LookupFault("lookup-missing") without the extra `lookup`."""
        divsufsort = library("pydivsufsort", "lookup").divsufsort
        arrays = self._arrays()
        suffixes = divsufsort(arrays["tokenized.0"].tobytes())
        arrays["table.0"] = suffixes[suffixes & 1 == 0].astype(U32)  # words begin at even bytes
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        works = "".join(f"{work} {digest}\n" for work, digest in self._works).encode()
        files = {"works.txt": _put(part / "works.txt", lambda file: file.write(works))}
        for name in ARRAYS:
            files[name] = _put(part / name, arrays[name].tofile)
        told = {"format": FORMAT, "words": self.words, "gram": GRAM, "window": WINDOW, "files": files}
        (part / "segment.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        part.replace(folder)

    def _arrays(self) -> Arrays:
        """Everything but the suffix array."""
        ids_P = np.frombuffer(self._ids, np.uint32) if self._ids else np.empty(0, np.uint32)
        hashes_V = np.fromiter(map(word_hash, self._numbers), np.uint64, len(self._numbers))
        counts_V = np.bincount(ids_P, minlength=len(hashes_V))
        by_rank = np.argsort(-counts_V, kind="stable")
        ranks_V = np.empty(len(by_rank), U32)
        ranks_V[by_rank] = np.arange(len(by_rank))
        rising = np.argsort(hashes_V)
        codes, place_P = encode(ranks_V[ids_P])
        first_W = np.frombuffer(self._first, np.uint64).astype(np.int64) if self._first else np.empty(0, np.int64)
        tokens, offset_W, place_P = _with_breaks(codes, place_P, first_W)
        runs, at = _fingerprints(hashes_V, ids_P, first_W)
        order = np.argsort(runs)
        ends = np.append(place_P, len(tokens))
        return {
            "tokenized.0": tokens,
            "offset.0": (2 * offset_W).astype(U64),
            "vocabulary.u64": hashes_V[rising].astype(U64),
            "ranks.u32": ranks_V[rising],
            "counts.u32": counts_V[by_rank].astype(U32),
            "piece_tokens.u32": ends[np.frombuffer(self._piece_words, np.uint64)].astype(U32)
            if self._piece_words
            else np.empty(0, U32),
            "piece_chars.u32": np.frombuffer(self._piece_chars, np.uint32).astype(U32)
            if self._piece_chars
            else np.empty(0, U32),
            "fingerprints.u64": runs[order].astype(U64),
            "places.u32": place_P[at[order]].astype(U32),
        }


def _fingerprints(
    hashes_V: npt.NDArray[np.uint64], ids_P: npt.NDArray[np.uint32], first_W: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The kept runs' hashes and first words; no run spans two works."""
    runs, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    ends_W = np.append(first_W[1:], len(ids_P))
    start = 0
    while start < len(first_W):
        stop = max(start + 1, int(np.searchsorted(ends_W, first_W[start] + _BLOCK, side="right")))
        some = ids_P[first_W[start] : ends_W[stop - 1]]
        kept_runs, kept = _kept(hashes_V[some], first_W[start:stop] - first_W[start])
        runs.append(kept_runs)
        places.append(first_W[start] + kept)
        start = stop
    return np.concatenate(runs), np.concatenate(places)


def _kept(
    words_P: npt.NDArray[np.uint64], first_W: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Works are set apart by so many runs of the greatest hash that no window sees two works."""
    lengths_W = np.diff(np.append(first_W, len(words_P)))
    grams = gram_hashes(words_P, GRAM)
    within = np.arange(len(words_P)) - np.repeat(first_W, lengths_W)
    whole = np.flatnonzero((within + GRAM <= np.repeat(lengths_W, lengths_W))[: len(grams)])
    apart = whole + WINDOW * (1 + np.repeat(np.arange(len(first_W)), lengths_W)[whole])
    padded = np.full(len(words_P) + WINDOW * (len(first_W) + 2), _LAST, np.uint64)
    padded[apart] = grams[whole]
    origin = np.full(len(padded), -1)
    origin[apart] = whole
    kept = origin[winnow(padded, WINDOW)]
    kept = kept[kept >= 0]
    return grams[kept], kept


def _with_breaks(
    codes: npt.NDArray[np.uint16], place_P: npt.NDArray[np.int64], first_W: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Codes with a break before each work, the place of each work's break, the place of each word."""
    before_W = np.append(place_P, len(codes))[first_W]  # codes in front of each work
    offset_W = before_W + np.arange(len(first_W))
    tokens = np.empty(len(codes) + len(first_W), U16)
    mask = np.ones(len(tokens), np.bool_)
    mask[offset_W] = False
    tokens[offset_W] = BREAK
    tokens[mask] = codes
    lengths_W = np.diff(np.append(first_W, len(place_P)))
    return tokens, offset_W, place_P + np.repeat(np.arange(1, len(first_W) + 1), lengths_W)


def _put(path: Path, write: Callable[[Any], Any]) -> dict[str, Any]:
    """Write, and tell size and digest."""
    with path.open("wb") as file:
        write(file)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
