"""Rows of one backward pass on their way to the store."""

import math
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
    def reached(self) -> bool:
        """Whether the backward pass has come to any layer."""
        return bool(self.features or self.held)

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

    def rows(self, taps: Sequence[Tap], ranks: int) -> npt.NDArray[np.float32]:
        """(B, K): features of all layers side by side, zeros for a layer that was not reached; their part in a gradient
        that is the mean over so many ranks."""
        parts = [self.features.get(tap.name) for tap in taps]
        filled = [
            torch.zeros(len(self.ids), tap.width) if part is None else part
            for tap, part in zip(taps, parts, strict=True)
        ]
        on_one_device = len({part.device for part in filled}) == 1
        whole = torch.cat(filled if on_one_device else [part.cpu() for part in filled], dim=1).cpu()
        rows_BK: npt.NDArray[np.float32] = (whole / ranks if ranks > 1 else whole).numpy()
        return rows_BK


def check_batch(
    step: int, example_ids: Sequence[str], allowed: frozenset[str] | None, denominator: float | None
) -> None:
    """Raises: CaptureError("no-ids", "not-in-manifest", "bad-denominator")."""
    if not example_ids:
        raise CaptureError("no-ids", f"step {step}: the batch has no example ids", "pass one id per row of the batch")
    if allowed is not None and not allowed.issuperset(example_ids):
        stranger = next(name for name in example_ids if name not in allowed)
        raise CaptureError(
            "not-in-manifest",
            f"step {step}: example {stranger} is not in the frozen manifest",
            "freeze a manifest that admits its work, or take it out of the data",
        )
    if denominator is not None and not 0 < denominator < math.inf:
        raise CaptureError(
            "bad-denominator",
            f"step {step}: losses cannot be divided by {denominator}",
            "give the number by which the sum of the rows' losses was divided, or leave it out",
        )


def check_layers(taps: Sequence[Tap], batches: Sequence[Batch]) -> None:
    """A layer with a gradient that no row explains is used without being called: CaptureError("missed-layer")."""
    seen = {name for batch in batches for name in batch.layers}
    for tap in taps:
        if tap.name not in seen and tap.weight.grad is not None and tap.weight.grad.any():
            raise CaptureError(
                "missed-layer",
                f"{tap.name}.weight has a gradient, but no forward pass called the layer",
                "call the module instead of using its weight, or freeze it",
            )


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
