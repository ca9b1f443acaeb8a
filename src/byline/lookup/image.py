"""Which registered picture does a picture come from? PDQ finds the same picture, SIFT with RANSAC parts of it.

A perceptual hash of the whole picture survives re-encoding, resizing and colour, and neither a crop nor a turn. So
every picture's local features are kept too, and a query is held against those of all pictures, as it is and mirrored:
some ten milliseconds for each.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault, Record, WorkId
from byline.lookup.build import library

NEAR_BITS = 31  # of 256 may differ: the bound that PDQ's authors give
POOR = 50  # PDQ's quality (0..100) below which a hash says little: flat or blank pictures
FEATURES = 500
SIDE = 640  # pixels of the longer side when features are taken
RATIO = 0.75  # Lowe's test
INLIERS = 16  # matched features that agree on one place, size and turn
SPREAD = 0.01  # of the query's area that they must span: a logo or a line of text matches anywhere
PIXELS = 200_000_000  # more are refused


@dataclass(frozen=True, slots=True)
class ImageMatch(Record):
    """`by`: "hash" (the whole picture; `bits` of 256 differ) or "features" (of a part of it; `inliers` agree).
    `turned`: the query shows it mirrored or, by the hash, in another of its eight positions."""

    work: WorkId
    by: str
    bits: int
    inliers: int
    turned: bool


@dataclass(frozen=True, eq=False)
class _Picture:
    hash: npt.NDArray[np.uint8]  # 32 bytes
    quality: int
    points: npt.NDArray[np.float32]  # (features, 2)
    descriptors: npt.NDArray[np.uint8]  # (features, 128)


class ImageIndex:
    """Pictures by work, in memory; `save` and `load` keep them in one file without pickles."""

    def __init__(self, works: Sequence[WorkId], pictures: Sequence[_Picture]) -> None:
        self.works, self._pictures = list(works), list(pictures)

    @classmethod
    def build(cls, items: Iterable[tuple[WorkId, bytes]]) -> Self:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-image")."""
        index = cls([], [])
        for work, content in items:
            index.add(work, content)
        return index

    def add(self, work: WorkId, content: bytes) -> None:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-image")."""
        self._pictures.append(describe(read_image(content, work)))
        self.works.append(work)
        self.__dict__.pop("_hashes", None)

    def __len__(self) -> int:
        return len(self.works)

    def save(self, path: Path) -> None:
        sizes = [len(picture.points) for picture in self._pictures]
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez(
                file,
                works=np.array(self.works, np.str_),
                hashes=np.array([p.hash for p in self._pictures], np.uint8).reshape(-1, 32),
                qualities=np.array([p.quality for p in self._pictures], np.int32),
                sizes=np.array(sizes, np.int64),
                points=np.concatenate([np.empty((0, 2), np.float32), *(p.points for p in self._pictures)]),
                descriptors=np.concatenate([np.empty((0, 128), np.uint8), *(p.descriptors for p in self._pictures)]),
            )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: LookupFault("bad-index")."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                ends = np.cumsum(kept["sizes"])[:-1]
                points, descriptors = np.split(kept["points"], ends), np.split(kept["descriptors"], ends)
                columns = zip(kept["hashes"], kept["qualities"], points, descriptors, strict=False)
                return cls(
                    [WorkId(str(w)) for w in kept["works"]], [_Picture(h, int(q), p, d) for h, q, p, d in columns]
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as fault:
            raise LookupFault("bad-index", f"{path} is damaged: {fault}", "byline index --again") from fault

    def search(self, content: bytes, name: str = "the picture", features: bool = True) -> list[ImageMatch]:
        """Works that the picture, or a part of it, comes from; the surest first.

        Raises: LookupFault("bad-image"), LookupFault("lookup-missing"): without opencv nothing is answered, because a
        hash alone would call every crop a “no”.
        """
        pixels = read_image(content, name)
        found = {match.work: match for match in self._by_hash(pixels)}
        if features:
            for match in self._by_features(pixels):
                found.setdefault(match.work, match)
        return sorted(found.values(), key=lambda match: (match.by != "hash", match.bits, -match.inliers, match.work))

    def _by_hash(self, pixels: Any) -> Iterable[ImageMatch]:
        positions, quality = dihedral_hashes(pixels)
        if quality < POOR or not self._pictures:
            return
        bits_8N = np.bitwise_count(positions[:, None, :] ^ self._hashes[None]).sum(-1)
        for number, column in enumerate(bits_8N.T):
            if column.min() <= NEAR_BITS and self._pictures[number].quality >= POOR:
                yield ImageMatch(self.works[number], "hash", int(column.min()), 0, bool(column.argmin() != 0))

    @cached_property
    def _hashes(self) -> npt.NDArray[np.uint8]:
        return np.array([picture.hash for picture in self._pictures], np.uint8)

    def _by_features(self, pixels: Any) -> Iterable[ImageMatch]:
        for mirrored in (False, True):
            points, descriptors, area = local_features(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels)
            for work, picture in zip(self.works, self._pictures, strict=True):
                inliers = agreeing(points, descriptors, area, picture.points, picture.descriptors)
                if inliers >= INLIERS:
                    yield ImageMatch(work, "features", 256, inliers, mirrored)


def too_plain(content: bytes, name: str = "the picture") -> bool:
    """True for a picture with so little in it that neither hash nor features say anything: no “no” may rest on it."""
    pixels = read_image(content, name)
    return dihedral_hashes(pixels)[1] < POOR and len(local_features(pixels)[0]) < 4 * INLIERS


# --- one picture


def read_image(content: bytes, name: str) -> Any:
    """RGB pixels (H, W, 3), turned as the camera says. Raises: LookupFault("bad-image")."""
    pillow = library("PIL.Image", "images")
    ops = library("PIL.ImageOps", "images")
    try:
        with pillow.open(io.BytesIO(content)) as image:
            if image.width * image.height > PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            return np.asarray(ops.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as fault:
        raise LookupFault(
            "bad-image", f"{name} cannot be read as a picture: {fault}", "save it again as PNG"
        ) from fault


def dihedral_hashes(pixels: Any) -> tuple[npt.NDArray[np.uint8], int]:
    """PDQ of the picture in its eight positions (8, 32), the first as it is; and its quality."""
    bits, quality = library("pdqhash", "images").compute_dihedral(pixels)
    return np.packbits(np.array(bits, np.uint8), axis=1), int(quality)


def describe(pixels: Any) -> _Picture:
    hashes, quality = dihedral_hashes(pixels)
    points, descriptors, _ = local_features(pixels)
    return _Picture(hashes[0], quality, points, descriptors)


def local_features(pixels: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], float]:
    """SIFT features of the picture at SIDE pixels: points, descriptors, and the picture's area in these pixels."""
    cv2 = library("cv2", "images")
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(grey.shape)
    size = tuple(max(1, round(side * scale)) for side in grey.shape[::-1])
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    points, descriptors = cv2.SIFT_create(nfeatures=FEATURES).detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8), float(grey.size)
    return np.array([p.pt for p in points], np.float32), descriptors.astype(np.uint8), float(grey.size)


def agreeing(
    points: npt.NDArray[np.float32],
    descriptors: npt.NDArray[np.uint8],
    area: float,
    other_points: npt.NDArray[np.float32],
    other_descriptors: npt.NDArray[np.uint8],
) -> int:
    """How many features of the query agree with one turn, size and place of the other picture; 0 if they lie on one
    spot of the query."""
    cv2 = library("cv2", "images")
    if len(descriptors) < INLIERS or len(other_descriptors) < INLIERS:
        return 0
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    pairs = matcher.knnMatch(descriptors.astype(np.float32), other_descriptors.astype(np.float32), k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    good = list({match.trainIdx: match for match in sorted(good, key=lambda m: -m.distance)}.values())
    if len(good) < INLIERS:
        return 0
    source = np.array([points[m.queryIdx] for m in good], np.float32)
    target = np.array([other_points[m.trainIdx] for m in good], np.float32)
    cv2.setRNGSeed(0)  # the same question has the same answer
    _, mask = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=4.0)
    if mask is None:
        return 0
    inside = source[mask.ravel() == 1]
    spread = float(np.prod(np.ptp(inside, axis=0))) / area if len(inside) else 0.0
    return len(inside) if spread >= SPREAD else 0
