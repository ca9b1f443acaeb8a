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

What is recorded of the run is enough to walk it again (byline.attribution.read_trajectory): a line per step, chained to
the line before (`capture.steplog`), and the states of weights, buffers, moments and random generators before the first
step, at the end and between them at equal amounts of summed learning rate (`capture.checkpoint`).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from byline.capture.batches import Batch, check_batch, check_layers, common_denominator
from byline.capture.calls import Early, tapped
from byline.capture.checkpoint import (
    Schedule,
    random_states,
    state_name,
    take_snapshot,
    weights_digest,
)
from byline.capture.gradients import Gauge
from byline.capture.hooks import Scale, Tap, find_taps
from byline.capture.notes import run_spec
from byline.capture.optimizer import Optimizers, OptimizerView
from byline.capture.projector import Projector
from byline.capture.ranks import Ranks
from byline.capture.steplog import StepLog, random_digest
from byline.core import CaptureError
from byline.store import RunSpec, RunWriter, open_store

REFRESH = 10  # optimizer steps between two looks at the second moment, after the first ten


class Scaler(Protocol):
    """torch.amp.GradScaler, or what behaves like it."""

    def get_scale(self) -> float: ...


class Recorder:
    """Writes a run folder while the model trains; the trained weights are bit-identical with and without it.

    `optimizer`: the one that trains the model, or a list of several that step in turn (Muon and AdamW).
    `path`: the run folder, which must not exist unless `resume_at` names the optimizer step to go on from: load that
    step's checkpoint of model and optimizer first; recorded rows of that step and later are dropped, the loop makes
    them again.
    `projector`: rank and seed of the sketch.
    `allowed`: if given, ids of the manifest's examples; any other is refused before it can teach anything.
    `checkpoints`: that many states, up to twice as many, are kept on the way, beside those at the start and the end;
    0 keeps none, and the run cannot be walked again.
    `max_norm`: norm to which the loop clips gradients; without it a replay can only repeat the factors.
    `scaler`: the gradient scaler, if the loss goes through one.
    `hash_weights_every`: optimizer steps between two digests of all weights in the step log, beside those at kept
    states; 0 for none.
    Raises: CaptureError("nothing-to-capture", "unknown-optimizer", "not-optimised", "foreign-parameter"); on entering,
    StoreError("not-empty") if the folder holds something, and when resuming those of `RunWriter.resume`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizers,
        path: str | Path,
        *,
        projector: Projector | None = None,
        allowed: frozenset[str] | None = None,
        resume_at: int | None = None,
        checkpoints: int = 6,
        max_norm: float | None = None,
        scaler: Scaler | None = None,
        hash_weights_every: int = 0,
    ) -> None:
        self.model = model
        self.path = Path(path)
        self._ranks = Ranks.of(model)
        self._folder = self._ranks.folder(self.path)
        self.projector = projector or Projector()
        self.allowed = allowed
        self.max_norm = max_norm
        self.scaler = scaler
        self.hash_weights_every = hash_weights_every
        self.taps, self.uncaptured = find_taps(model, self.projector)
        self._view = OptimizerView.of(optimizer, self.taps)
        self._view.describe(model)
        self._settings = self._view.settings()  # as the log has them
        self._gauge = Gauge(tap.weight for tap in self.taps)
        self._schedule = Schedule(checkpoints)
        self._scales: dict[str, Scale | None] = {}  # changed in place: the hooks look at it
        self._step = resume_at or 0
        self._resume = resume_at is not None
        self._batch: Batch | None = None
        self._pending: list[Batch] = []
        self._log = StepLog()
        self._stepped: set[int] = set()  # optimizers that have taken the step, while others have not
        self._layers_checked = False
        self._open: ExitStack | None = None
        self._writer: RunWriter | None = None

    def __enter__(self) -> Self:
        self._writer = self._begin()
        self._open = ExitStack()
        self._open.enter_context(tapped(self.taps, self._receive, Early(self._scales, self._add)))
        for optimizer in self._view.optimizers:
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
    def batch(self, example_ids: Sequence[str], denominator: float | None = None) -> Iterator[None]:
        """Forward and backward of one (micro-)batch; `example_ids[b]` names row b.

        `denominator`: what the sum of the rows' losses was divided by, before any loss scaling; the same for all
        micro-batches of a step. Without it, the number of rows of the whole step, which is right for `loss.mean()` and
        for equal micro-batches whose mean is divided by their number.
        Raises: CaptureError("no-ids", "not-in-manifest", "no-backward", "batch-size", "bad-denominator", "not-open").
        """
        self._opened()
        ids = tuple(example_ids)
        check_batch(self._step, ids, self.allowed, denominator)
        if not self._log.begun:
            self._begin_step()
        self._batch = Batch(ids, denominator)
        try:
            yield
            if not self._batch.reached:
                raise CaptureError(
                    "no-backward",
                    f"step {self._step}: the batch ended and no gradient had reached a recorded layer",
                    "call the model and loss.backward() inside `with recorder.batch(ids):`",
                )
            self._pending.append(self._batch)
            self._gauge.read()
        except BaseException:
            self._log.skip(ids)
            raise
        finally:
            self._batch = None

    # --- hooks --------------------------------------------------------------------------------------------------

    def _receive(self, tap: Tap, inputs: Tensor, grads: Tensor) -> None:
        """What a layer's inputs could not be projected for before."""
        if tap.name in self._scales:
            self._add(tap, tap.project(inputs, grads, self._scales[tap.name]))
        else:
            self._reached(tap, len(grads)).held.append((tap, inputs.clone(), grads.clone()))

    def _add(self, tap: Tap, features_BK: Tensor) -> None:
        self._reached(tap, len(features_BK)).add(tap, features_BK)

    def _reached(self, tap: Tap, rows: int) -> Batch:
        """The batch that so many rows of a layer belong to."""
        batch = self._batch
        if batch is None:
            raise CaptureError(
                "outside-batch",
                f"step {self._step}: a backward pass reached layer {tap.name} outside any recorded batch",
                "put it inside `with recorder.batch(ids):`, or evaluate under torch.no_grad()",
            )
        if not batch.reached:
            self._forget_skipped_step()
        if rows != len(batch.ids):
            raise CaptureError(
                "batch-size",
                f"layer {tap.name} saw {rows} rows, the batch has {len(batch.ids)} example ids",
                f"pass one id per row; a layer that sees all rows at once: Projector(skip=({tap.name!r},))",
            )
        return batch

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._pending:
            raise CaptureError(
                "unrecorded-step",
                f"optimizer step {self._step} follows no recorded batch: its examples would be lost",
                "put forward and backward inside `with recorder.batch(ids):`",
            )
        if id(optimizer) in self._stepped:
            raise CaptureError(
                "uneven-steps",
                f"{type(optimizer).__name__} steps again before the other optimizers have taken step {self._step}",
                "let every optimizer step once after each batch, or record without the one that does not",
            )
        if not self._stepped:
            if not self._layers_checked:
                check_layers(self.taps, self._pending)
                self._layers_checked = True
            self._note_update()

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._stepped.add(id(optimizer))
        if len(self._stepped) == len(self._view.optimizers):
            self._stepped = set()
            self._end_step()

    # --- steps ----------------------------------------------------------------------------------------------------

    def _begin_step(self) -> None:
        """Before the first batch: the state that a replay of this step has to start from."""
        states = random_states()
        self._log.note(rng=random_digest(states))
        keep, dropped = self._schedule.due()
        if keep or (self.hash_weights_every and self._step % self.hash_weights_every == 0):
            sha256 = weights_digest(self.model).hex()
            self._log.note(weights=sha256)
            if keep:
                self._keep_state(self._opened(), states, sha256, wait=False)
        for taken in dropped:
            self._opened().drop_blob(state_name(taken))

    def _note_update(self) -> None:
        """What the optimizers are about to do with the gradients."""
        rates = self._view.rates()
        self._log.note(
            lr=self._view.learning_rates(self.taps),
            rates=rates,
            clip=self._gauge.factor(),
            denominator=self._ranks.count * common_denominator(self._pending, self._step),
        )
        if self.scaler is not None and (scale := float(self.scaler.get_scale())) != 1:
            self._log.note(scale=scale)
        settings = self._view.settings()
        if settings != self._settings:
            self._log.note(settings=settings)
            self._settings = settings

    def _end_step(self) -> None:
        if self._step < 10 or self._step % REFRESH == 0 or any(batch.held for batch in self._pending):
            self._look_at_optimizer()
        writer = self._opened()
        for batch in self._pending:
            batch.project_held(self._scales)
            writer.append(self._step, batch.ids, batch.rows(self.taps, self._ranks.count))
        line = self._log.close(self._step, [batch.ids for batch in self._pending])
        writer.end_step(self._step, line)
        self._schedule.ended(line["rates"])
        self._pending = []
        self._step += 1

    def _keep_state(self, writer: RunWriter, states: dict[str, Tensor], sha256: str, *, wait: bool) -> None:
        snapshot = take_snapshot(self.model, self._view.optimizers, states, self._step, sha256)
        if self._ranks.number == 0:  # the others have had to help gather it
            writer.put_blob(state_name(self._step), snapshot.to_array(), wait=wait)

    # --- parts --------------------------------------------------------------------------------------------------

    def _look_at_optimizer(self) -> None:
        found = {tap.name: self._view.scale(tap) for tap in self.taps if self._view.ready(tap)}
        self._scales.clear()
        self._scales.update(found)

    def _forget_skipped_step(self) -> None:
        """Gradients that were thrown away without a step (a loss scaler skipping an overflow) taught nothing."""
        if self._pending and self._gauge.moved and not self._gauge.any_left():
            for batch in self._pending:
                self._log.skip(batch.ids)
            self._pending = []

    def _opened(self) -> RunWriter:
        if self._writer is None:
            raise CaptureError("not-open", "the recorder is not open", "use `with recorder:` around the training loop")
        return self._writer

    def _begin(self) -> RunWriter:
        """A new run, or an old one cut back to the step to resume at, with its log taken up."""
        if not self._resume:
            writer = RunWriter.create(self._folder, self._spec(self._settings))
            self._log = StepLog(writer.spec.run)
            return writer
        before = open_store(self._folder).spec
        # named after the weights that it began with, and described by the settings, which a schedule may have changed
        settings = [group.get("settings") for group in json.loads(before.extra).get("groups", ())]
        writer = RunWriter.resume(self._folder, self._step, replace(self._spec(settings), run=before.run))
        self._log, self._settings = StepLog(before.run), settings
        for line in open_store(self._folder).step_log:
            self._schedule.due()
            self._schedule.ended(line["rates"])
            self._log = StepLog(line["chain"])
            self._settings = line.get("settings", self._settings)
        return writer

    def _spec(self, settings: Sequence[Any]) -> RunSpec:
        described = zip(self._view.describe(self.model), settings, strict=False)
        notes = {
            "optimizer": self._view.kind,
            "groups": [{**group, "settings": said} for group, said in described],
            "max_norm": self.max_norm,
            "ranks": self._ranks.count,
        }
        return run_spec(self.path.name, self.model, self.taps, self.uncaptured, self.projector, notes)

    def _write_end(self, writer: RunWriter) -> None:
        """What a query needs later: the square root of the preconditioner at the end, and which weights these were."""
        self._look_at_optimizer()
        for index, tap in enumerate(self.taps):
            scale = self._scales.get(tap.name)
            if scale is not None:
                writer.put_blob(f"scale_out.{index}", scale.out_O.detach().cpu().numpy(), wait=False)
                writer.put_blob(f"scale_in.{index}", scale.in_I.detach().cpu().numpy(), wait=False)
        weights = weights_digest(self.model)
        writer.put_blob("weights_sha256", torch.frombuffer(bytearray(weights), dtype=torch.uint8).numpy())
        if self._schedule.wanted:
            self._keep_state(writer, random_states(), weights.hex(), wait=True)
