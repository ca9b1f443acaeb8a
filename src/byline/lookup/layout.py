"""What a segment of the text index is on disk: names, codes of words, and the hash of a word.

A segment is a folder of little-endian arrays. The first three are infini-gram's (arXiv 2401.17377), so that its engine
reads a segment as it stands; the rest says which words and works they are about.

    tokenized.0        u16  0xFFFF before every work, then the codes of its words
    table.0            u32  the suffix array of tokenized.0: byte offsets, in the order of the bytes that follow
    offset.0           u64  byte offset of each work's 0xFFFF
    vocabulary.u64          hashes of the distinct words, rising
    ranks.u32               how many words are more frequent, for each of them
    counts.u32              occurrences, by rank
    piece_tokens.u32        place in tokenized.0 of the first word of each piece of text
    piece_chars.u32         that piece's first character in its work's text
    fingerprints.u64        winnowed hashes of word runs, rising
    places.u32              place in tokenized.0 of each run's first word
    works.txt               work id and SHA-256 of its text (UTF-8), a line each, in the order of offset.0
    segment.json            sizes and digests of all of these, written last

A word of rank r < SINGLE has the code r + 1; a rarer one has two, of which the second begins no word. 0 is no code.
"""

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

U16, U32, U64 = np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8")
FORMAT = "byline-text-segment/1"
ARRAYS: dict[str, np.dtype[Any]] = {
    "tokenized.0": U16,
    "table.0": U32,
    "offset.0": U64,
    "vocabulary.u64": U64,
    "ranks.u32": U32,
    "counts.u32": U32,
    "piece_tokens.u32": U32,
    "piece_chars.u32": U32,
    "fingerprints.u64": U64,
    "places.u32": U32,
}

BREAK = 0xFFFF  # before every work
_PAGE = 4096
SINGLE = BREAK - 1 - 2 * _PAGE  # so many of the most frequent words have a code of two bytes
_HIGH, _LOW = 1 + SINGLE, 1 + SINGLE + _PAGE
MOST_WORDS = SINGLE + _PAGE * _PAGE


def word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


hash_of = lru_cache(2**17)(word_hash)  # for queries


def code(rank: int) -> bytes:
    if rank < SINGLE:
        return (rank + 1).to_bytes(2, "little")
    high, low = divmod(rank - SINGLE, _PAGE)
    return (_HIGH + high).to_bytes(2, "little") + (_LOW + low).to_bytes(2, "little")


def rank(word_code: bytes) -> int:
    """The inverse of `code`."""
    first = int.from_bytes(word_code[:2], "little")
    if len(word_code) == 2:
        return first - 1
    return SINGLE + (first - _HIGH) * _PAGE + int.from_bytes(word_code[2:], "little") - _LOW


def encode(ranks_P: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """The codes of words in a row, and the place of each word's first code among them."""
    rare = np.flatnonzero(ranks_P >= SINGLE)
    first_P = np.arange(len(ranks_P)) + np.searchsorted(rare, np.arange(len(ranks_P)))
    codes = np.empty(len(ranks_P) + len(rare), U16)
    codes[first_P] = (ranks_P + 1).astype(U16)
    high, low = np.divmod(ranks_P[rare] - SINGLE, _PAGE)
    codes[first_P[rare]] = _HIGH + high
    codes[first_P[rare] + 1] = _LOW + low
    return codes, first_P


def decode(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    """Ranks of the words in a row of codes, -1 for a break; of a word cut at the start nothing is told."""
    wide = codes.astype(np.int64)
    begins = wide < _LOW
    begins |= wide == BREAK
    at = np.flatnonzero(begins)
    first, after = wide[at], wide[np.minimum(at + 1, len(wide) - 1)] if len(wide) else wide
    two = SINGLE + (first - _HIGH) * _PAGE + after - _LOW
    return np.asarray(np.where(first == BREAK, -1, np.where(first < _HIGH, first - 1, two)))


def begins_word(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """True where a word begins; a break begins none."""
    return np.asarray(codes < _LOW)


def gram_hashes(words_P: npt.NDArray[np.uint64], gram: int) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each `gram` word hashes in a row."""
    count = max(0, len(words_P) - gram + 1)
    hashes = np.zeros(count, np.uint64)
    for i in range(gram):
        hashes = (hashes ^ words_P[i : i + count]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def winnow(hashes: npt.NDArray[np.uint64], window: int) -> npt.NDArray[np.int64]:
    """Places of the least hash of every `window` in a row (a power of two), of equal ones the first: any run of
    `window` hashes keeps one. Fewer hashes than that keep none.

    Source: Schleimer, Wilkerson and Aiken 2003. Differs: of equal ones, the first is kept.
    """
    least, at, step = hashes, np.arange(len(hashes)), 1
    while step < window:
        less = least[step:] < least[:-step]
        least = np.where(less, least[step:], least[:-step])
        at = np.where(less, at[step:], at[:-step])
        step *= 2
    return np.asarray(at[np.concatenate([np.ones(min(1, len(at)), np.bool_), np.diff(at) != 0])])  # they never fall
