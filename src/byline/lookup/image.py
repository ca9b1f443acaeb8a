"""Which registered picture does a picture come from? PDQ finds the same picture, SIFT with RANSAC parts of it.

A perceptual hash of the whole picture survives re-encoding, resizing and colour, and neither a crop nor a turn. So
every picture's local features are kept too. A query, as it is and mirrored, is held against those of a shortlist: the
pictures that share most of its details (`visual_words`), some seven milliseconds for each, and, where the optional
embedder is installed, as many that it finds nearest (`embedder`). Of a picture too plain for a hash, the look at
16 x 16 pixels is compared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from byline.core import Record, WorkId
from byline.lookup.embedder import Embeddings
from byline.lookup.media_folder import Arrays, MediaFolder, MediaFormat
from byline.lookup.picture import (
    LOOK,
    POOR,
    Alignment,
    Bytes,
    Features,
    Picture,
    align,
    describe,
    dihedral_hashes,
    local_features,
    look_of,
    read_image,
)
from byline.lookup.visual_words import Shortlist, words_of

NEAR_BITS = 31  # of 256 may differ: the bound that PDQ's authors give
SHORTLIST = 64  # pictures whose features are compared with the query, and as many with its mirror image
PLAIN = 70  # PDQ's quality below which the looks are compared too: re-encoding moves a quality by some
NEAR_LOOK = 5.0  # levels of 255, the mean difference of two looks that are the same plain picture
LEAST_CONTRAST = 8.0  # levels of 255 by which a look must vary: a single colour is like any other


@dataclass(frozen=True, slots=True)
class ImageMatch(Record):
    """`by`: "hash" (the whole picture; `bits` of 256 differ), "look" (the whole of a plain picture) or "features" (a
    part of it; `inliers` agree). `turned`: the query shows it mirrored, or in another of its eight positions.
    `mirrored`, `alignment`: how it lies on the work, where features say so."""

    work: WorkId
    by: str
    bits: int
    inliers: int
    turned: bool
    mirrored: bool = False
    alignment: Alignment | None = None


class ImageIndex:
    """Pictures by work, or by the digest of their file; in memory, or mapped from a folder of segments."""

    def __init__(
        self,
        works: Sequence[WorkId],
        blocks: Sequence[Arrays],
        shortlist: int = SHORTLIST,
        embeddings: Embeddings | None = None,
    ) -> None:
        self.works, self._blocks, self._most = list(works), list(blocks), shortlist
        self._embeddings = embeddings

    @classmethod
    def build(cls, items: Iterable[tuple[WorkId, bytes]], shortlist: int = SHORTLIST) -> Self:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-image")."""
        index = cls([], [], shortlist)
        for work, content in items:
            index.add(work, content)
        return index

    @classmethod
    def of(cls, folder: MediaFolder[Picture], embeddings: Embeddings | None = None) -> Self:
        """The works are the digests of their files, and so are the keys of `embeddings`."""
        keys = [WorkId(key) for segment in folder.segments for key in segment.keys]
        return cls(keys, [segment.arrays for segment in folder.segments], embeddings=embeddings)

    def add(self, work: WorkId, content: bytes) -> None:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-image")."""
        self._blocks.append(lay_out([describe(read_image(content, work))]))
        self.works.append(work)
        for kept in ("hashes_N", "qualities_N", "looks_N", "_places", "_numbers", "shortlist"):
            self.__dict__.pop(kept, None)

    def __len__(self) -> int:
        return len(self.works)

    @property
    def shortlists(self) -> tuple[str, ...]:
        """By what the pictures are chosen whose details are compared with a query's: "words", "embedder"; none if all
        of them are."""
        if len(self.works) <= self._most:
            return ()
        return ("words",) if self._embeddings is None else ("words", "embedder")

    def search(self, content: bytes, name: str = "the picture", features: bool = True) -> list[ImageMatch]:
        """Works that the picture, or a part of it, comes from; the surest first.

        Raises: LookupFault("bad-image"), LookupFault("lookup-missing"): without opencv nothing is answered, because a
        hash alone would call every crop a “no”.
        """
        return self.matches(read_image(content, name), features)

    def matches(self, pixels: Any, features: bool = True) -> list[ImageMatch]:
        """As `search`, of pixels from `read_image`."""
        if not self.works:
            return []
        found = self._whole(pixels)
        if features:
            for number, match in self._by_features(pixels, list(found)):
                found[number] = _together(found[number], match) if number in found else match
        return sorted(found.values(), key=_surest_first)

    # --- the whole picture

    def _whole(self, pixels: Any) -> dict[int, ImageMatch]:
        positions, quality = dihedral_hashes(pixels)
        found = dict(self._by_look(look_of(pixels))) if quality < PLAIN else {}
        return found | (self._by_hash(positions) if quality >= POOR else {})

    def _by_hash(self, positions: Bytes) -> dict[int, ImageMatch]:
        bits_8N = np.bitwise_count(positions[:, None, :] ^ self.hashes_N[None]).sum(-1)
        near = np.flatnonzero((bits_8N.min(0) <= NEAR_BITS) & (self.qualities_N >= POOR))
        return {int(n): self._match(n, "hash", int(bits_8N[:, n].min()), bool(bits_8N[:, n].argmin())) for n in near}

    def _by_look(self, look: Bytes) -> Iterable[tuple[int, ImageMatch]]:
        """Plain pictures that look the same, in any of the eight positions."""
        if look.std(axis=(0, 1)).max() < LEAST_CONTRAST:
            return
        turns = [np.rot90(each, k) for each in (look, look[:, ::-1]) for k in range(4)]
        plain = np.flatnonzero(self.qualities_N < PLAIN)
        looks = self.looks_N[plain].astype(np.int16)
        far_8N = np.array([np.abs(looks - turn.astype(np.int16)).mean((1, 2, 3)) for turn in turns])
        for at in np.flatnonzero(far_8N.min(0) <= NEAR_LOOK):
            yield int(plain[at]), self._match(plain[at], "look", 256, bool(far_8N[:, at].argmin()))

    def _match(self, number: Any, by: str, bits: int, turned: bool) -> ImageMatch:
        return ImageMatch(self.works[number], by, bits, 0, turned)

    # --- parts of it

    def _by_features(self, pixels: Any, known: Sequence[int]) -> Iterable[tuple[int, ImageMatch]]:
        """Of both ways in which the query may lie on a work, the one on which more features agree."""
        best: dict[int, ImageMatch] = {}
        for mirrored in (False, True):
            turned = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
            query = local_features(turned)
            for number in dict.fromkeys([*known, *self._candidates(query, turned)]):
                found = align(query, self.features(number))
                if found and (number not in best or found.inliers > best[number].inliers):
                    best[number] = ImageMatch(
                        self.works[number], "features", 256, found.inliers, mirrored, mirrored, found
                    )
        return best.items()

    def _candidates(self, query: Features, pixels: Any) -> list[int]:
        if not self.shortlists:
            return list(range(len(self.works)))
        near = self._embeddings.best(pixels, self._most) if self._embeddings else []
        return [
            *self.shortlist.best(words_of(query.descriptors_F), self._most),
            *(self._numbers[key] for key in near if key in self._numbers),
        ]

    def features(self, number: int) -> Features:
        block, at = self._places[number]
        arrays = self._blocks[block]
        ends = arrays["ends"]
        rows = slice(int(ends[at]), int(ends[at + 1]))
        return Features(np.array(arrays["points"][rows]), np.array(arrays["descriptors"][rows]), arrays["shapes"][at])

    # --- columns of all blocks

    @cached_property
    def hashes_N(self) -> Bytes:
        return self._column("hashes")

    @cached_property
    def qualities_N(self) -> npt.NDArray[np.int32]:
        return self._column("qualities")

    @cached_property
    def looks_N(self) -> Bytes:
        return self._column("looks")

    def _column(self, name: str) -> npt.NDArray[Any]:
        return np.concatenate([np.asarray(block[name]) for block in self._blocks])

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        return [(n, at) for n, block in enumerate(self._blocks) for at in range(len(block["hashes"]))]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {str(key): number for number, key in enumerate(self.works)}

    @cached_property
    def shortlist(self) -> Shortlist:
        sizes = [np.diff(np.asarray(block["ends"])) for block in self._blocks]
        return Shortlist(self._column("words"), np.concatenate(sizes))


def _together(whole: ImageMatch, part: ImageMatch) -> ImageMatch:
    """The whole picture, with what the features say of how it lies."""
    return replace(whole, inliers=part.inliers, mirrored=part.mirrored, alignment=part.alignment)


def _surest_first(match: ImageMatch) -> tuple[int, int, int, WorkId]:
    return (("hash", "look", "features").index(match.by), match.bits, -match.inliers, match.work)


# --- on disk


def lay_out(pictures: Sequence[Picture]) -> Arrays:
    """Pictures as columns; of their features `ends` says where each picture's are."""
    features = [picture.features for picture in pictures]
    descriptors = np.concatenate([np.empty((0, 128), np.uint8), *(each.descriptors_F for each in features)])
    return {
        "hashes": np.array([p.hash for p in pictures], np.uint8).reshape(-1, 32),
        "qualities": np.array([p.quality for p in pictures], np.int32),
        "looks": np.array([p.look for p in pictures], np.uint8).reshape(-1, LOOK, LOOK, 3),
        "shapes": np.array([each.shape_2 for each in features], np.float32).reshape(-1, 2),
        "ends": np.cumsum([0, *(len(each.points_F2) for each in features)]).astype(np.int64),
        "points": np.concatenate([np.empty((0, 2), np.float32), *(each.points_F2 for each in features)]),
        "descriptors": descriptors,
        "words": words_of(descriptors),
    }


PICTURES: MediaFormat[Picture] = MediaFormat(
    "byline-pictures/1", lambda content, name: describe(read_image(content, name)), lay_out, "bad-image"
)
