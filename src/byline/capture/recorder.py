"""The recorder: three lines in a training loop that write down what every example taught the model.

    recorder = Recorder(model, optimizer, path="runs/a")
    with recorder:
        for ids, batch in loader:
            with recorder.batch(ids):              # one id per row of the batch
                loss = ...; loss.backward()
            optimizer.step(); optimizer.zero_grad()

What is recorded for a row is that row's own part of the gradient which the loss put into `.grad`: with `loss.mean()`
over the batch it carries the 1/batch (or 1/tokens) that the optimizer saw, with `loss.sum()` it does not, and a loss
divided by the number of accumulated micro-batches carries that too. So the rows of a step always add up to the
gradient of the step, whatever the convention. Clipping and loss scaling come after the backward pass; the step log
keeps the one factor by which the gradients of all layers were multiplied between it and `optimizer.step()`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from byline.capture.hooks import Scale, Tap, find_taps, tapped
from byline.capture.optimizer import OptimizerView
from byline.capture.projector import Projector
from byline.core import CaptureError, RunId, digest, make_id
from byline.store import Group, RunSpec, RunWriter, open_store

REFRESH = 10  # optimizer steps between two looks at the second moment, after the first ten


@dataclass(slots=True)
class Batch:
    """Rows of one `recorder.batch`: their ids and, per layer, the features that the backward pass has brought."""

    ids: tuple[str, ...]
    features: dict[str, Tensor] = field(default_factory=dict)
    held: list[tuple[Tap, Tensor, Tensor]] = field(default_factory=list)  # until Adam has a second moment

    @property
    def layers(self) -> set[str]:
        """Names of the layers that the backward pass has reached."""
        return {*self.features, *(tap.name for tap, _, _ in self.held)}

    def add(self, tap: Tap, features_BK: Tensor) -> None:
        before = self.features.get(tap.name)
        self.features[tap.name] = features_BK if before is None else before + features_BK


class Recorder:
    """Writes a run folder while the model trains; the trained weights are bit-identical with and without it.

    `path`: the run folder, which must not exist unless `resume_at` names the optimizer step to go on from: load that
    step's checkpoint of model and optimizer first; recorded rows of that step and later are dropped, the loop makes
    them again. `projector`: rank and seed of the sketch. `allowed`: if given, ids of the manifest's examples; any other
    is refused before it can teach anything.
    Raises: CaptureError("nothing-to-capture", "unknown-optimizer", "not-optimised"); on entering, StoreError
    ("not-empty") if the folder holds something, and when resuming those of `RunWriter.resume`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        path: str | Path,
        *,
        projector: Projector | None = None,
        allowed: frozenset[str] | None = None,
        resume_at: int | None = None,
    ) -> None:
        self.model = model
        self.path = Path(path)
        self.projector = projector or Projector()
        self.allowed = allowed
        self.taps, self.uncaptured = find_taps(model, self.projector)
        self._view = OptimizerView.of(optimizer, self.taps)
        self._scales: dict[str, Scale | None] = {}
        self._step = resume_at or 0
        self._resume = resume_at is not None
        self._batch: Batch | None = None
        self._pending: list[Batch] = []
        self._layers_checked = False
        self._norm_after_backward = 0.0
        self._clip = 1.0
        self._open: ExitStack | None = None
        self._writer: RunWriter | None = None

    def __enter__(self) -> Self:
        spec = self._spec()
        if self._resume:
            spec = replace(spec, run=open_store(self.path).spec.run)  # named after the weights it began with
            self._writer = RunWriter.resume(self.path, self._step, spec)
        else:
            self._writer = RunWriter.create(self.path, spec)
        self._open = ExitStack()
        self._open.enter_context(tapped(self.taps, self._receive))
        optimizer = self._view.optimizer
        self._open.callback(optimizer.register_step_pre_hook(self._before_step).remove)
        self._open.callback(optimizer.register_step_post_hook(self._after_step).remove)
        self._look_at_optimizer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.close()
        writer, self._writer = self._opened(), None
        try:
            if kind is None:
                self._write_end(writer)
        finally:
            writer.close()

    def flush(self) -> None:
        """Make all whole steps durable. Call it when you save a checkpoint: from there the run can be resumed.

        The optimizer is looked at as a resumed run will look at it, so that both go on with the same scales.
        """
        self._look_at_optimizer()
        self._opened().flush()

    @contextmanager
    def batch(self, example_ids: Sequence[str]) -> Iterator[None]:
        """Forward and backward of one (micro-)batch; `example_ids[b]` names row b.

        Raises: CaptureError("no-ids", "not-in-manifest", "no-backward", "batch-size", "not-open").
        """
        self._opened()
        ids = tuple(example_ids)
        self._check_ids(ids)
        self._batch = Batch(ids)
        try:
            yield
            if not self._batch.layers:
                raise CaptureError(
                    "no-backward",
                    f"step {self._step}: the batch ended and no gradient had reached a recorded layer",
                    "call the model and loss.backward() inside `with recorder.batch(ids):`",
                )
            self._pending.append(self._batch)
            self._norm_after_backward = self._norm()
        finally:
            self._batch = None

    # --- hooks --------------------------------------------------------------------------------------------------

    def _receive(self, tap: Tap, input_BTI: Tensor, grad_BTO: Tensor) -> None:
        batch = self._batch
        if batch is None:
            raise CaptureError(
                "outside-batch",
                f"step {self._step}: a backward pass reached layer {tap.name} outside any recorded batch",
                "put it inside `with recorder.batch(ids):`, or evaluate under torch.no_grad()",
            )
        if not batch.layers:
            self._forget_skipped_step()
        if len(grad_BTO) != len(batch.ids):
            raise CaptureError(
                "batch-size",
                f"layer {tap.name} saw {len(grad_BTO)} rows, the batch has {len(batch.ids)} example ids",
                "pass one id per row; layers whose first dimension is not the batch cannot be recorded",
            )
        if tap.name in self._scales:
            batch.add(tap, tap.project(input_BTI, grad_BTO, self._scales[tap.name]))
        else:
            batch.held.append((tap, input_BTI.clone(), grad_BTO.clone()))

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._pending:
            raise CaptureError(
                "unrecorded-step",
                f"optimizer step {self._step} follows no recorded batch: its examples would be lost",
                "put forward and backward inside `with recorder.batch(ids):`",
            )
        self._check_layers()
        after = self._norm_after_backward
        self._clip = self._norm() / after if after > 0 else 1.0

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if self._step < 10 or self._step % REFRESH == 0 or any(batch.held for batch in self._pending):
            self._look_at_optimizer()
        writer = self._opened()
        for batch in self._pending:
            for tap, inputs, grads in batch.held:
                if tap.name in self._scales:  # else its gradient was thrown away before the step
                    batch.add(tap, tap.project(inputs, grads, self._scales[tap.name]))
            rows = [batch.features.get(tap.name, torch.zeros(len(batch.ids), tap.width)).cpu() for tap in self.taps]
            writer.append(self._step, batch.ids, torch.cat(rows, dim=1).numpy())
        writer.end_step(self._step, {"clip": self._clip, "lr": self._learning_rates()})
        self._pending = []
        self._step += 1

    # --- parts --------------------------------------------------------------------------------------------------

    def _look_at_optimizer(self) -> None:
        self._scales = {tap.name: self._view.scale(tap) for tap in self.taps if self._view.ready(tap)}

    def _learning_rates(self) -> dict[str, float]:
        return {tap.name: self._view.learning_rate(tap.weight) for tap in self.taps}

    def _norm(self) -> float:
        """Norm of all recorded layers' gradients: clipping and unscaling multiply it as they multiply them."""
        return float(nn.utils.get_total_norm(self._gradients()))

    def _gradients(self) -> list[Tensor]:
        return [tap.weight.grad for tap in self.taps if tap.weight.grad is not None]

    def _forget_skipped_step(self) -> None:
        """Gradients that were thrown away without a step (a loss scaler skipping an overflow) taught nothing."""
        if self._pending and self._norm_after_backward != 0.0 and not any(grad.any() for grad in self._gradients()):
            self._pending = []

    def _check_layers(self) -> None:
        """At the first step: a layer with a gradient that no row explains is used without being called."""
        if self._layers_checked:
            return
        seen = {name for batch in self._pending for name in batch.layers}
        for tap in self.taps:
            if tap.name not in seen and tap.weight.grad is not None and tap.weight.grad.any():
                raise CaptureError(
                    "missed-layer",
                    f"{tap.name}.weight has a gradient, but no forward pass called the layer",
                    "call the module instead of using its weight, or freeze it",
                )
        self._layers_checked = True

    def _check_ids(self, ids: tuple[str, ...]) -> None:
        if not ids:
            raise CaptureError(
                "no-ids", f"step {self._step}: the batch has no example ids", "pass one id per row of the batch"
            )
        if self.allowed is not None and not self.allowed.issuperset(ids):
            stranger = next(i for i in ids if i not in self.allowed)
            raise CaptureError(
                "not-in-manifest",
                f"step {self._step}: example {stranger} is not in the frozen manifest",
                "freeze a manifest that admits its work, or take it out of the data",
            )

    def _opened(self) -> RunWriter:
        if self._writer is None:
            raise CaptureError("not-open", "the recorder is not open", "use `with recorder:` around the training loop")
        return self._writer

    def _spec(self) -> RunSpec:
        groups = tuple(Group(tap.name, tap.width) for tap in self.taps)
        shapes = [[name, list(p.shape)] for name, p in self.model.named_parameters()]
        notes = {
            "optimizer": self._view.kind,
            "uncaptured": [item.to_json() for item in self.uncaptured],
            "parameters": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
            "captured": sum(tap.weight.numel() for tap in self.taps),
        }
        model = f"{type(self.model).__name__}:{digest(shapes)[:16]}"
        run = RunId(
            make_id("run", self.path.name, model, weights_digest(self.model).hex(), digest(self.projector.to_json()))
        )
        return RunSpec(run, model, groups, json.dumps(self.projector.to_json()), json.dumps(notes))

    def _write_end(self, writer: RunWriter) -> None:
        """What a query needs later: the square root of the preconditioner at the end, and which weights these were."""
        self._look_at_optimizer()
        for index, tap in enumerate(self.taps):
            scale = self._scales.get(tap.name)
            if scale is not None:
                writer.put_blob(f"scale_out.{index}", scale.out_O.detach().cpu().numpy())
                writer.put_blob(f"scale_in.{index}", scale.in_I.detach().cpu().numpy())
        writer.put_blob(
            "weights_sha256", torch.frombuffer(bytearray(weights_digest(self.model)), dtype=torch.uint8).numpy()
        )


def weights_digest(model: nn.Module) -> bytes:
    """SHA-256 over the names, shapes and bytes of all parameters, in order."""
    state = hashlib.sha256()
    for name, parameter in model.named_parameters():
        state.update(f"{name}{tuple(parameter.shape)}{parameter.dtype}".encode())
        state.update(parameter.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return state.digest()
