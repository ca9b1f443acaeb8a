"""Random projections that nobody has to store: each is regenerated from the run's seed and the layer's name.

A layer's gradient is an `out x in` matrix G. It is projected from both sides, `L^T G R`, with Rademacher matrices of
`rank` columns scaled so that inner products of projected gradients are unbiased estimates of those of gradients.
Source: two-sided projection of LoGra, arXiv 2405.13954 section 3.2; signs by the Philox counter generator keyed by
layer name, so that every process and machine draws the same ones.
"""

from dataclasses import dataclass

import numpy as np
import torch

from byline.core import CaptureError, Record, digest


@dataclass(frozen=True, slots=True)
class Projector(Record):
    """`rank` rows per side, the seed, and the names of layers to leave out. Raises: CaptureError("bad-rank").

    Layers are left out whose rows cannot be told apart, such as a table of positions that is looked up once for all
    rows; their weights are then reported as uncaptured.
    """

    rank: int = 16
    seed: int = 0
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise CaptureError("bad-rank", f"rank {self.rank} of the projector", "use a rank of 1 or more")

    def width(self, rows: int, columns: int) -> int:
        """Features per example of a `rows x columns` layer."""
        return min(self.rank, rows) * min(self.rank, columns)

    def side(self, layer: str, side: str, size: int) -> torch.Tensor:
        """Matrix (size, k), k = min(rank, size): signs / sqrt(k), or the identity where it is not wider than rank."""
        if size <= self.rank:
            return torch.eye(size)
        key = int(digest([self.seed, layer, side])[:32], 16)
        bits = np.random.Generator(np.random.Philox(key=key)).integers(0, 2, (size, self.rank), dtype=np.int8)
        return torch.from_numpy((bits * 2 - 1).astype(np.float32) / np.float32(self.rank) ** 0.5)
