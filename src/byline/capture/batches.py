"""Rows of one backward pass on their way to the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from byline.capture.hooks import Scale, Tap
from byline.core import CaptureError

# Suffixes: B rows of a batch, K features


@dataclass(slots=True)
class Batch:
    """Rows of one `recorder.batch`: their ids and, per layer, the features that the backward pass has brought."""

    ids: tuple[str, ...]
    denominator: float | None = None
    features: dict[str, Tensor] = field(default_factory=dict)
    held: list[tuple[Tap, Tensor, Tensor]] = field(default_factory=list)  # until Adam has a second moment

    @property
    def layers(self) -> set[str]:
        """Names of the layers that the backward pass has reached."""
        return {*self.features, *(tap.name for tap, _, _ in self.held)}

    def add(self, tap: Tap, features_BK: Tensor) -> None:
        before = self.features.get(tap.name)
        self.features[tap.name] = features_BK if before is None else before + features_BK

    def project_held(self, scales: Mapping[str, Scale | None]) -> None:
        """What still waits for its scale; a layer that has none now had its gradient thrown away before the step."""
        for tap, inputs, grads in self.held:
            if tap.name in scales:
                self.add(tap, tap.project(inputs, grads, scales[tap.name]))

    def rows(self, taps: Sequence[Tap]) -> npt.NDArray[np.float32]:
        """(B, K): features of all layers side by side; zeros for a layer that was not reached."""
        parts = [self.features.get(tap.name, torch.zeros(len(self.ids), tap.width)).cpu() for tap in taps]
        rows_BK: npt.NDArray[np.float32] = torch.cat(parts, dim=1).numpy()
        return rows_BK


def common_denominator(batches: Sequence[Batch], step: int) -> float:
    """What the losses of a step were divided by: as was said, or the number of its rows.

    Raises: CaptureError("bad-denominator").
    """
    said = {batch.denominator for batch in batches}
    if len(said) > 1:
        raise CaptureError(
            "bad-denominator",
            f"step {step}: its micro-batches were divided by {' and '.join(str(number) for number in said)}",
            "divide every loss of a step by the same number, the step's rows or tokens",
        )
    return next(iter(said)) or float(sum(len(batch.ids) for batch in batches))
