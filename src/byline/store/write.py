"""Recording a run without making the training wait: a thread quantises and writes behind a bounded queue.

A step is written whole or not at all. `flush` at every checkpoint: a run resumed from it loses nothing.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from byline.core import StoreError
from byline.store.codec import encode_step
from byline.store.folder import Batch, RunFolder, Step
from byline.store.format import DTYPES, RunSpec, is_blob_name

QUEUE = 8  # times that the writing thread may be behind before the training has to wait
TOGETHER = 64  # rows, or steps without rows, that it is woken for: waking it costs more than writing a few


class RunWriter:
    """Writes one run. Steps count from 0 and every optimizer step ends once, with or without rows.

    with RunWriter.create(path, spec) as writer:
        writer.append(0, ids, features_NK)    # once per backward pass
        writer.end_step(0, {"lr": 1e-3})      # once per optimizer step
        writer.flush()                        # at a checkpoint
    A fault of the disk shows up in the next call. Leaving the block commits every ended step; rows of a step that
    never ended taught the model nothing and are dropped.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._next_step = folder.manifest.n_steps
        self._batches: list[Batch] = []
        self._ended: list[Step] = []  # not yet handed to the writing thread
        self._queue: Queue[tuple[Callable[[], None], threading.Event | None] | None] = Queue(QUEUE)
        self._fault: StoreError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="byline-store", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, path: str | Path, spec: RunSpec, shard_rows: int | None = None) -> Self:
        """A new run in an empty or absent folder. Raises: StoreError("not-empty", "locked")."""
        return cls(RunFolder.create(Path(path), spec, shard_rows))

    @classmethod
    def resume(cls, path: str | Path, step: int, spec: RunSpec | None = None, shard_rows: int | None = None) -> Self:
        """Continue a run with step `step`: rows and blobs of the steps before it stay, all others are dropped.

        Raises: StoreError("missing-steps") if steps before `step` were never committed, StoreError("spec-differs") if
        `spec` is given and is not that of the run, StoreError("locked"), and those of `open_store`.
        """
        return cls(RunFolder.resume(Path(path), step, spec, shard_rows))

    @property
    def spec(self) -> RunSpec:
        return self._folder.manifest.spec

    @property
    def next_step(self) -> int:
        """The optimizer step whose rows are expected now."""
        return self._next_step

    @property
    def committed_steps(self) -> int:
        """How many steps would survive a power cut now; `resume` accepts steps up to it."""
        return self._folder.manifest.n_steps

    def append(self, step: int, example_ids: Sequence[str], features_NK: npt.NDArray[np.floating[Any]]) -> None:
        """Add the rows of one backward pass; the array is copied. Several calls per step: gradient accumulation.

        Raises: StoreError("step-order", "bad-features", "closed"), and StoreError("not-finite", "bad-id",
        "write-failed") of earlier rows.
        """
        self._expect(step)
        shape = (len(example_ids), self.spec.width)
        if features_NK.shape != shape:
            says = f"step {step}: features have shape {features_NK.shape}, ids and groups say {shape}"
            raise StoreError("bad-features", says, "give one row per example id, and the columns of all groups")
        self._batches.append(Batch(tuple(example_ids), np.array(features_NK, dtype=np.float32, order="C")))

    def end_step(self, step: int, record: Mapping[str, Any]) -> None:
        """Close the optimizer step; `record` is its line in the step log (JSON; floats allowed).

        Raises: StoreError("step-order", "bad-record", "closed") and those of earlier rows, as `append`.
        """
        self._expect(step)
        self._ended.append(Step(step, tuple(self._batches), encode_step(step, record)))
        self._batches = []
        self._next_step += 1
        if sum(max(1, whole.rows) for whole in self._ended) >= TOGETHER:
            self._hand_over_steps()

    def put_blob(self, name: str, array: npt.NDArray[Any], *, wait: bool = True) -> None:
        """Keep an array beside the rows; it replaces one of the same name. Visible after the next commit.

        Without `wait` the array, which must not be changed any more, is written behind the training's back, and a fault
        of the disk shows up in a later call.
        Raises: StoreError("bad-name", "bad-blob", "closed") and those of earlier rows, as `append`.
        """
        if not is_blob_name(name):
            fix = "letters, digits, dot, dash and underscore; begins with a letter or digit; at most 150"
            raise StoreError("bad-name", f"blob name {name!r} is not a plain file name", fix)
        if array.dtype.name not in DTYPES:
            fix = "give plain numbers; view bfloat16 as uint16 and say so in the spec's extra"
            raise StoreError("bad-blob", f"blob {name}: dtype {array.dtype} has no place in the format", fix)
        job = partial(self._folder.put_blob, name, array)
        if wait:
            self._wait_for(job)
        else:
            self._hand_over(job)

    def drop_blob(self, name: str) -> None:
        """Forget the array of that name, if there is one, with the next commit. Raises: as `flush`."""
        self._hand_over(partial(self._folder.drop_blob, name))

    def flush(self) -> None:
        """Return when every ended step and every blob is durable. Raises: as `append`, of earlier rows."""
        self._wait_for(self._folder.commit)

    def close(self) -> None:
        """Commit the ended steps and free the folder. A second call does nothing. Raises: as `flush`."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _expect(self, step: int) -> None:
        self._check()
        if step != self._next_step:
            fix = "end each optimizer step once, in order; after a restart use RunWriter.resume(path, step)"
            raise StoreError("step-order", f"{self._folder.path}: got step {step}, expected {self._next_step}", fix)

    def _check(self) -> None:
        if self._closed:
            raise StoreError("closed", f"{self._folder.path}: the writer is closed", "RunWriter.resume(path, step)")
        if self._fault is not None:
            raise self._fault

    def _hand_over_steps(self) -> None:
        steps, self._ended = self._ended, []
        if steps:
            self._queue.put((partial(self._folder.add_steps, steps), None))

    def _hand_over(self, job: Callable[[], None]) -> None:
        self._check()
        self._hand_over_steps()
        self._queue.put((job, None))

    def _wait_for(self, job: Callable[[], None]) -> None:
        self._check()
        self._hand_over_steps()
        done = threading.Event()
        self._queue.put((job, done))
        done.wait()
        self._check()

    def _work(self) -> None:
        """The writing thread: after a fault it only empties the queue, so that nobody waits for ever."""
        while (item := self._queue.get()) is not None:
            job, done = item
            if self._fault is None:
                self._try(job)
            if done is not None:
                done.set()

    def _try(self, job: Callable[[], None]) -> None:
        try:
            job()
        except StoreError as fault:
            self._fault = fault
        except Exception as fault:
            step = self._folder.manifest.n_steps
            fix = f"make room or mend the disk, then train again from step {step}: RunWriter.resume(path, {step})"
            self._fault = StoreError("write-failed", f"{self._folder.path}: {fault!r}", fix)
            self._fault.__cause__ = fault
