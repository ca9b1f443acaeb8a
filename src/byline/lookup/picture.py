"""One picture as look-up sees it: a hash of the whole, its look at 16 x 16 pixels, and its local features."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import PPM, LookupFault, Record
from byline.lookup.build import library

POOR = 50  # PDQ's quality (0..100) below which a hash says little: flat or blank pictures
FEATURES = 500
CONTRAST = 0.01  # of a detail: a quarter of what SIFT's author gives, for wallpapers and skies have few stronger ones
SIDE = 640  # pixels of the longer side when features are taken
READ_SIDE = 1280  # pixels of the longer side that are kept of a larger picture
LOOK = 16  # pixels a side of the small picture that plain ones are compared by
RATIO = 0.75  # Lowe's test
INLIERS = 16  # matched features that agree on one place, size and turn
SPREAD = 0.01  # of the query's area that they must span: a logo or a line of text matches anywhere
PIXELS = 170_000_000  # more are refused, before any is unpacked

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Suffixes: F features of a picture, N pictures


@dataclass(frozen=True, eq=False)
class Features:
    """SIFT features of a picture whose longer side has SIDE pixels. `shape_2`: its width and height there."""

    points_F2: Floats
    descriptors_F: Bytes  # (F, 128)
    shape_2: Floats


@dataclass(frozen=True, eq=False)
class Picture:
    """`hash`: 32 bytes of PDQ; `quality`: of the hash, 0..100; `look`: LOOK x LOOK x 3 colours."""

    hash: Bytes
    quality: int
    look: Bytes
    features: Features


@dataclass(frozen=True, slots=True)
class Alignment(Record):
    """How a query lies on a work. `inliers`: features that agree; `degrees`: clockwise turn of the query; `work_ppm`:
    part of the work's area that the query shows; `query_ppm`: part of the query's area that shows the work; `corners`:
    the query's corners on the work, x and y in turn, from the upper left one on, in ppm of its width and height."""

    inliers: int
    degrees: int
    work_ppm: int
    query_ppm: int
    corners: tuple[int, ...]


def read_image(content: bytes, name: str, most: int = PIXELS) -> Any:
    """RGB pixels (H, W, 3), turned as the camera says, on white where it is transparent, at most READ_SIDE a side; of
    a moving picture the first.

    Raises: LookupFault("bad-image"), also for more than `most` pixels, of which none is unpacked.
    """
    pillow = library("PIL.Image", "images")
    ops = library("PIL.ImageOps", "images")
    try:
        with pillow.open(io.BytesIO(content)) as image:
            if image.width * image.height > most:
                raise ValueError(f"{image.width} x {image.height} pixels are too many; {most:,} are read")
            image.draft("RGB", (READ_SIDE, READ_SIDE))
            image.thumbnail((READ_SIDE, READ_SIDE))
            return np.asarray(_on_white(pillow, ops.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError, EOFError, pillow.DecompressionBombError) as fault:
        raise LookupFault("bad-image", f"{name} cannot be read as a picture: {fault}", "save it as PNG") from fault
    except Exception as fault:  # damaged files make Pillow's readers raise whatever their parsing met
        says = f"{name} cannot be read as a picture: {type(fault).__name__}"
        raise LookupFault("bad-image", says, "save it as PNG") from fault


def _on_white(pillow: Any, image: Any) -> Any:
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = pillow.new("RGBA", seen.size, "white")
    return pillow.alpha_composite(ground, seen).convert("RGB")


def dihedral_hashes(pixels: Any) -> tuple[Bytes, int]:
    """PDQ of the eight positions (8, 32), as it is first, and the quality."""
    bits, quality = library("pdqhash", "images").compute_dihedral(pixels)
    return np.packbits(np.array(bits, np.uint8), axis=1), int(quality)


def describe(pixels: Any) -> Picture:
    hashes, quality = dihedral_hashes(pixels)
    return Picture(hashes[0], quality, look_of(pixels), local_features(pixels))


def look_of(pixels: Any) -> Bytes:
    """(LOOK, LOOK, 3)."""
    cv2 = library("cv2", "images")
    look: Bytes = cv2.resize(pixels, (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    return look


def local_features(pixels: Any) -> Features:
    cv2 = library("cv2", "images")
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(grey.shape)
    size = tuple(max(1, round(side * scale)) for side in grey.shape[::-1])
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    finder = cv2.SIFT_create(nfeatures=FEATURES, contrastThreshold=CONTRAST)
    points, descriptors = finder.detectAndCompute(grey, None)
    shape = np.array(size, np.float32)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8), shape)
    places = np.array([point.pt for point in points], np.float32)
    return Features(places[:FEATURES], descriptors.astype(np.uint8)[:FEATURES], shape)


def align(query: Features, work: Features) -> Alignment | None:
    """How the query lies on the work; None if too few features agree on one turn, size and place, or all of them lie
    on one spot of the query."""
    fitted = _fitted(query, work)
    return _placed(fitted.matrix, query, work, int(fitted.agree_F.sum())) if fitted else None


@dataclass(frozen=True, eq=False)
class _Fitted:
    """`matrix`: from the query to the work, (2, 3); `agree_F`, `agree_W`: which features of query and work agree."""

    matrix: Any
    agree_F: npt.NDArray[np.bool_]
    agree_W: npt.NDArray[np.bool_]


def _fitted(query: Features, work: Features) -> _Fitted | None:
    cv2 = library("cv2", "images")
    if min(len(query.descriptors_F), len(work.descriptors_F)) < INLIERS:
        return None
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    pairs = matcher.knnMatch(query.descriptors_F.astype(np.float32), work.descriptors_F.astype(np.float32), k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    good = list({match.trainIdx: match for match in sorted(good, key=lambda m: -m.distance)}.values())
    if len(good) < INLIERS:
        return None
    asked, there = np.array([m.queryIdx for m in good]), np.array([m.trainIdx for m in good])
    source, target = query.points_F2[asked], work.points_F2[there]
    cv2.setRNGSeed(0)  # the same question has the same answer
    matrix, mask = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=4.0)
    if mask is None:
        return None
    agree_F, agree_W = np.zeros(len(query.points_F2), np.bool_), np.zeros(len(work.points_F2), np.bool_)
    agree_F[asked[mask.ravel() == 1]] = agree_W[there[mask.ravel() == 1]] = True
    inside = query.points_F2[agree_F]
    spread = float(np.prod(np.ptp(inside, axis=0))) / float(query.shape_2.prod()) if len(inside) else 0.0
    return _Fitted(matrix, agree_F, agree_W) if len(inside) >= INLIERS and spread >= SPREAD else None


def _placed(matrix: Any, query: Features, work: Features, inliers: int) -> Alignment | None:
    cv2 = library("cv2", "images")
    corners = _box(query.shape_2) @ matrix[:, :2].T + matrix[:, 2]
    whole, own = float(work.shape_2.prod()), float(cv2.contourArea(corners.astype(np.float32)))
    if own <= 0:
        return None
    shared = max(0.0, float(cv2.intersectConvexConvex(corners.astype(np.float32), _box(work.shape_2))[0]))
    return Alignment(
        inliers,
        -round(float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))),
        min(PPM, round(PPM * shared / whole)),
        min(PPM, round(PPM * shared / own)),
        tuple(int(n) for n in np.rint(PPM * corners / work.shape_2).ravel()),
    )


def _box(shape_2: Floats) -> Floats:
    width, height = shape_2
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def too_plain(content: bytes, name: str = "the picture") -> bool:
    """True for a picture with so little in it that neither hash nor features say anything: no “no” may rest on it."""
    pixels = read_image(content, name)
    return dihedral_hashes(pixels)[1] < POOR and len(local_features(pixels).points_F2) < 4 * INLIERS


# --- two pictures of which neither is the question


_MIRROR = np.array([((3 - row) * 4 + column) * 8 + (8 - turn) % 8 for row in range(4) for column in range(4) for turn in range(8)])  # fmt: skip  # noqa: E501


def mirrored(features: Features) -> Features:
    """The features of the mirror image, without its pixels: SIFT's 4 x 4 x 8 histograms with rows and turns reversed.
    They are those that would be found but for rounding (a test holds both side by side)."""
    width = features.shape_2[0]
    points = np.stack([width - 1 - features.points_F2[:, 0], features.points_F2[:, 1]], axis=1)
    return Features(points.astype(np.float32), features.descriptors_F[:, _MIRROR], features.shape_2)


def turned_hashes(hash_32: Bytes) -> Bytes:
    """(8, 32): PDQ of the eight positions from that of one: mirroring changes the sign of every second frequency, a
    quarter turn swaps the two directions. Some bits near the median differ from the hashes of the turned pixels."""
    bits = np.unpackbits(hash_32).reshape(16, 16)
    odd = np.arange(16, dtype=np.uint8) % 2
    flips = [bits ^ (odd[None, :] * across) ^ (odd[:, None] * down) for across in (0, 1) for down in (0, 1)]
    both = [each for flip in flips for each in (flip, flip.T)]
    return np.packbits(np.array(both, np.uint8).reshape(8, 256), axis=1)


CELLS, BUSY = 6, 3  # the region that agrees is cut into 6 x 6 cells; one with three details is busy


@dataclass(frozen=True, slots=True)
class Agreement(Record):
    """How much of two pictures agrees. `shared_ppm`: the region of the details that agree, as a part of the region of
    all details of the picture that has the smaller one; `filled_ppm`: of the busy cells of that region, those in which
    some detail agrees, in the picture where it is more."""

    inliers: int
    shared_ppm: int
    filled_ppm: int


def agreement(one: Features, other: Features) -> Agreement | None:
    """None if the two do not lie on each other. What agrees in one corner only, such as a mark, has a small region;
    different pictures in one frame, or on the same sheet, agree around cells that differ."""
    fitted = _fitted(one, other)
    if fitted is None:
        return None
    cv2 = library("cv2", "images")
    scale = float(abs(np.linalg.det(fitted.matrix[:, :2])))
    ours, theirs = one.points_F2, other.points_F2
    whole = min(_hull_area(ours), _hull_area(theirs) / scale if scale else 0.0)
    if whole <= 0:
        return None
    region = float(cv2.contourArea(cv2.convexHull(ours[fitted.agree_F])))
    filled = max(_filled(ours, fitted.agree_F), _filled(theirs, fitted.agree_W))
    return Agreement(int(fitted.agree_F.sum()), min(PPM, round(PPM * region / whole)), round(PPM * filled))


def _hull_area(points_F2: Floats) -> float:
    cv2 = library("cv2", "images")
    return float(cv2.contourArea(cv2.convexHull(points_F2)))


def _filled(points_F2: Floats, agree_F: npt.NDArray[np.bool_]) -> float:
    """Of the busy cells of the box around what agrees, the part in which something agrees."""
    low, high = points_F2[agree_F].min(0), points_F2[agree_F].max(0)
    inside = ((points_F2 >= low) & (points_F2 <= high)).all(1)
    at = np.minimum(CELLS - 1, (CELLS * (points_F2 - low) / np.maximum(high - low, 1e-6)).astype(np.int64))
    cell_F = at[:, 0] * CELLS + at[:, 1]
    busy = np.bincount(cell_F[inside], minlength=CELLS**2) >= BUSY
    some = np.bincount(cell_F[inside & agree_F], minlength=CELLS**2) > 0
    return float(some[busy].mean()) if busy.any() else 1.0
