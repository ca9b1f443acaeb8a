"""A recorded run opened for asking: which training examples raised the likelihood of this output?

    scores = open_run("runs/a").score(model, queries, measure)      # ScoreTable, positive = proponent

A query goes through the same taps that recorded the training: its gradient is scaled by the optimizer's preconditioner
as it stood at the end of the run and projected by the same matrices. Nothing of the training data is read again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.attribution.transport import SketchTransport
from byline.capture import Early, Projector, Scale, Tap, find_taps, tapped, weights_digest
from byline.core import AttributionError, ScoreTable
from byline.store import RunReader, open_store

# Suffixes: Q queries, N training examples, K features

Floats = npt.NDArray[np.float32]
Measure = Callable[[nn.Module, Any], Tensor]


def open_run(path: str | Path) -> "Run":
    """Raises: StoreError if the folder is not a whole, unaltered run."""
    return Run(open_store(path))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished run. `store` gives its rows, step log and blobs."""

    store: RunReader

    @property
    def id(self) -> str:
        return self.store.spec.run

    @property
    def notes(self) -> dict[str, Any]:
        """What was and was not captured: `captured`, `parameters`, `uncaptured`, `optimizer`."""
        notes: dict[str, Any] = json.loads(self.store.spec.extra)
        return notes

    def score(
        self,
        model: nn.Module,
        queries: Mapping[str, Any],
        measure: Measure,
        transport: SketchTransport | None = None,
    ) -> ScoreTable:
        """Influence of every recorded example on every query.

        `model`: with the weights that the run ended with. `queries`: id -> whatever `measure` takes. `measure(model,
        query)` gives a scalar tensor, log-likelihood-like (higher = more of the behaviour, e.g. mean log p per token).
        Returns scores_QN, positive = proponent; the unit is that of `measure`, up to a factor that calibration against
        retraining gives. Raises: AttributionError("no-queries", "unfinished-run", "other-model", "other-weights",
        "not-scalar", "flat-query", "empty-run").
        """
        queries_QK = self.featurise(model, queries, measure)
        transport = transport or SketchTransport().fit(self.store)
        scores_QN = transport.score(self.store, queries_QK)
        return ScoreTable(scores_QN, tuple(queries), self.store.example_ids, transport.method)

    def featurise(self, model: nn.Module, queries: Mapping[str, Any], measure: Measure) -> Floats:
        """queries_QK: projected gradients of `measure`, one row per query."""
        if not queries:
            raise AttributionError("no-queries", "there is nothing to attribute", "pass at least one query")
        if "weights_sha256" not in self.store.blob_names:
            raise AttributionError(
                "unfinished-run",
                f"run {self.id} stopped after {self.store.n_steps} steps and has no final weights",
                "resume the training from its last checkpoint with Recorder(..., resume_at=step)",
            )
        taps = self._taps(model)
        if weights_digest(model) != self.store.blob("weights_sha256").tobytes():
            raise AttributionError(
                "other-weights",
                f"the model's weights are not those with which run {self.id} ended",
                "load the checkpoint that was saved at the end of the recorded training",
            )
        scales = {tap.name: self._scale(index) for index, tap in enumerate(taps)}
        rows = [_gradient(model, name, query, measure, taps, scales) for name, query in queries.items()]
        return np.stack(rows)

    def _taps(self, model: nn.Module) -> tuple[Tap, ...]:
        taps, _ = find_taps(model, Projector.from_json(json.loads(self.store.spec.projector)))
        recorded = [(group.name, group.width) for group in self.store.spec.groups]
        if [(tap.name, tap.width) for tap in taps] != recorded:
            raise AttributionError(
                "other-model",
                f"the model's trained layers are not those that run {self.id} recorded",
                "pass the model that was trained, with the same layers requiring gradients",
            )
        return taps

    def _scale(self, layer: int) -> Scale | None:
        if f"scale_out.{layer}" not in self.store.blob_names:
            return None
        out, into = (self.store.blob(f"scale_{side}.{layer}").copy() for side in ("out", "in"))
        return Scale(torch.from_numpy(out), torch.from_numpy(into))


def _gradient(
    model: nn.Module, name: str, query: Any, measure: Measure, taps: tuple[Tap, ...], scales: dict[str, Scale | None]
) -> Floats:
    parts: dict[str, Tensor] = {}

    def add(tap: Tap, features_BK: Tensor) -> None:
        row = features_BK.sum(0)
        parts[tap.name] = parts[tap.name] + row if tap.name in parts else row

    def receive(tap: Tap, inputs: Tensor, grads: Tensor) -> None:
        add(tap, tap.project(inputs, grads, scales[tap.name]))

    with tapped(taps, receive, Early(scales, add)), torch.enable_grad():
        value = measure(model, query)
        if value.numel() != 1:
            raise AttributionError(
                "not-scalar",
                f"the measure of query {name} has {value.numel()} values",
                "return one number, e.g. a mean",
            )
        if value.requires_grad:
            torch.autograd.grad(value, [tap.weight for tap in taps], allow_unused=True)
    if not parts:
        raise AttributionError(
            "flat-query", f"query {name} has no gradient", "measure must depend on the model's output"
        )
    row = torch.cat([parts.get(tap.name, torch.zeros(tap.width)) for tap in taps]).cpu().numpy()
    if not np.isfinite(row).all():
        raise AttributionError("flat-query", f"query {name} has a gradient that is not finite", "is the query empty?")
    return row
