"""Which works hold the same text: copies, edited copies, and excerpts of one work inside another.

Works are compared by their runs of five words. What is measured is containment, |A and B| / min(|A|, |B|), so that a
chapter lifted out of a book counts as a copy of it. It sees through case, punctuation, layout and invisible
characters; it does not see through translation, paraphrase, look-alike letters, or a work stitched together from
small pieces of many.

Not by ISCC text codes (ISO 24138), though they are quick to compare. Measured on addresses with real edits, at as many
false alarms: there is no kind of edit of which they find more than the passage search (`excerpts`) does, and they miss
four in five copies of a fifth of a work (benchmarks/duplicates.py). They are for finding a whole work by its number.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import PPM, ClusterId, GateError, Record, Work, WorkId, cluster_id

NEAR_PPM = 300_000
"""Containment from which two works count as near-copies. Copies with one word in ten replaced keep 0.6, with one in
five 0.33. Of the 27,966 pairs of State of the Union addresses the nearest by different presidents reach 0.07, the
nearest by one president 0.17."""

SHINGLE_WORDS = 5
MIN_SHARED = 12
"""Runs that two works must share (16 words in a row), so that one quotation makes no copy; a shorter work must be
contained whole."""

COMMON_PART = 5
COMMON_FLOOR = 20
"""A run that stands in more than 20 different texts and in more than a fifth of all is boilerplate and no evidence. The
bound is a part of the catalogue, so that a few dozen edited copies do not turn another's work into boilerplate."""

FIRST_HOLDERS = 20
"""A run is compared with the 20 works that had it first. That is every pair up to 20 holders, and beyond it a cost that
grows with the text and not with its square."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # written without spaces: every character is a word
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NearCopy(Record):
    """Two works that share text. `prior`: the earlier one has the better claim, being by other contributors and not
    itself a copy of somebody's work."""

    work: WorkId
    earlier: WorkId
    containment_ppm: int
    prior: bool


@dataclass(frozen=True, slots=True)
class SharedFile(Record):
    """Two pictures or sounds of which look-up says that a part of the one stands in the other, and how much of the
    smaller one. In no order."""

    one: WorkId
    other: WorkId
    shared_ppm: int


@dataclass(frozen=True, slots=True)
class Clusters(Record):
    """`cluster_of` names the cluster of every work, by work id; `near` lists all pairs, by the two ids."""

    cluster_of: tuple[tuple[WorkId, ClusterId], ...]
    near: tuple[NearCopy, ...]


def find_clusters(works: Sequence[Work], texts: Mapping[WorkId, str], shared: Sequence[SharedFile] = ()) -> Clusters:
    """Clusters of near-identical works. `works` stand in the order of their registration. `shared` are the pairs of
    pictures and sounds that were found to be near-copies; they count as pairs of texts do.

    A work joins the cluster of the earliest registered work that it is a near-copy of; a cluster is named after its
    first work. Copies of other people's works link nothing: an anthology registered without the authors' consent does
    not merge the authors into one cluster, nor does it spoil their later editions.

    What rests on trust: that who registers first is entitled to. `created` is what a submitter says and decides
    nothing, else a copycat would only have to write an early date. An author who comes second is refused here with
    the other work's id, and has to claim it.
    Raises: GateError("no-text") if a work's text is not given.
    """
    missing = [work.id for work in works if work.id not in texts]
    if missing:
        raise GateError("no-text", f"no text given for {', '.join(missing)}", "pass the text of every work")
    pairs: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for earlier, later, ppm in _all_pairs(works, texts, shared):
        pairs[later].append((earlier, ppm))
    cluster_of: dict[WorkId, ClusterId] = {}
    near: list[NearCopy] = []
    copies: set[int] = set()
    for index, work in enumerate(works):
        cluster_of[work.id] = cluster_id(work.id)
        originals = [earlier for earlier, _ in pairs[index] if earlier not in copies]
        if originals:
            cluster_of[work.id] = cluster_of[works[min(originals)].id]
        for earlier, ppm in pairs[index]:
            prior = earlier not in copies and not _same_contributors(work, works[earlier])
            near.append(NearCopy(work.id, works[earlier].id, ppm, prior))
            if prior:
                copies.add(index)
    return Clusters(tuple(sorted(cluster_of.items())), tuple(sorted(near, key=lambda pair: (pair.work, pair.earlier))))


def _same_contributors(one: Work, other: Work) -> bool:
    """All of them: else one of two authors could register their work again as his alone, or a copycat put the
    author's name beside his own."""
    return {part.party for part in one.contributions} == {part.party for part in other.contributions}


def _all_pairs(
    works: Sequence[Work], texts: Mapping[WorkId, str], shared: Sequence[SharedFile]
) -> list[tuple[int, int, int]]:
    """(earlier, later, containment in ppm) by position, of words and of files; the greater one of a pair counts."""
    place = {work.id: index for index, work in enumerate(works)}
    found: dict[tuple[int, int], int] = {}
    files = [(*sorted((place[pair.one], place[pair.other])), pair.shared_ppm) for pair in shared]
    for earlier, later, ppm in [*_near_pairs([texts[work.id] for work in works]), *files]:
        found[earlier, later] = max(ppm, found.get((earlier, later), 0))
    return [(earlier, later, ppm) for (earlier, later), ppm in sorted(found.items())]


def _near_pairs(texts: Sequence[str]) -> list[tuple[int, int, int]]:
    """(earlier, later, containment in ppm) of all pairs of positions that are near-copies."""
    word_hashes: dict[str, int] = {}
    words = [_words(text, word_hashes) for text in texts]
    shingles = [_shingles(hashes) for hashes in words]
    hashes_M = np.concatenate([np.empty(0, np.uint64), *shingles])
    owners_M = np.repeat(np.arange(len(texts)), [len(shingle) for shingle in shingles])
    earlier_P, later_P, shared_P, sizes_N = _shared(hashes_M, owners_M, _distinct(words))
    smaller_P = np.minimum(sizes_N[earlier_P], sizes_N[later_P])
    near_P = (shared_P * PPM >= smaller_P * NEAR_PPM) & (shared_P >= np.minimum(smaller_P, MIN_SHARED))
    ppm_P = shared_P * PPM // smaller_P
    columns = (column[near_P].tolist() for column in (earlier_P, later_P, ppm_P))
    return list(zip(*columns, strict=True))


# Suffixes: N works, M (shingle, work) incidences sorted by shingle, R runs of equal shingles, P pairs of works


def _shared(
    hashes_M: Hashes, owners_M: Indices, distinct_N: npt.NDArray[np.bool_]
) -> tuple[Indices, Indices, Indices, Indices]:
    """Pairs of works with the number of shingles they share, and each work's number of shingles; no boilerplate."""
    order_M = np.argsort(hashes_M, kind="stable")  # stable: within a run, works stand in order of registration
    hashes_M, owners_M = hashes_M[order_M], owners_M[order_M]
    _, starts_R, counts_R = np.unique(hashes_M, return_index=True, return_counts=True)
    texts_R = np.add.reduceat(distinct_N[owners_M].astype(np.int64), starts_R) if len(starts_R) else counts_R
    limit = max(COMMON_FLOOR, int(distinct_N.sum()) // COMMON_PART)
    evidence_M = np.repeat(texts_R <= limit, counts_R)
    first_M = np.repeat(starts_R, counts_R)
    works = len(distinct_N)
    sizes_N = np.bincount(owners_M[evidence_M], minlength=works)
    rank_M = np.arange(len(owners_M)) - first_M
    keys = [np.empty(0, np.int64)]
    for holder in range(FIRST_HOLDERS):
        behind = np.flatnonzero(evidence_M & (rank_M > holder))
        keys.append(owners_M[first_M[behind] + holder] * works + owners_M[behind])
    keys_P, shared_P = np.unique(np.concatenate(keys), return_counts=True)
    return keys_P // works, keys_P % works, shared_P, sizes_N


def _distinct(words: Sequence[Hashes]) -> npt.NDArray[np.bool_]:
    """True for the first work with its very words, False for those that repeat them: a thousand exact copies of a text
    are one text when boilerplate is looked for."""
    seen: set[bytes] = set()
    first = []
    for hashes in words:
        digest = hashlib.sha256(hashes.tobytes()).digest()
        first.append(digest not in seen)
        seen.add(digest)
    return np.array(first, dtype=np.bool_)


def _words(text: str, known: dict[str, int]) -> Hashes:
    """Hash of every word. `known` keeps the hashes of words met before."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())
    found = _WORD.findall(plain)
    for word in set(found).difference(known):
        known[word] = word_hash(word)
    return np.array([known[word] for word in found], dtype=np.uint64)


def word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())


def _shingles(words: Hashes) -> Hashes:
    """Sorted distinct hashes of the runs of five words; a text shorter than that is one run."""
    length = min(SHINGLE_WORDS, len(words))
    if length == 0:
        return words
    hashes = np.full(len(words) - length + 1, length, dtype=np.uint64)
    for offset in range(length):
        hashes = _mix(hashes + words[offset : len(words) - length + 1 + offset])
    return np.unique(hashes)


def _mix(hashes: Hashes) -> Hashes:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
