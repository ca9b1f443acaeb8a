"""One run of the folders that the ranks of a distributed training have written."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from byline.capture.steplog import StepLog
from byline.core import CaptureError
from byline.store import RunReader, RunWriter, open_store

SHARED = ("lr", "rates", "denominator", "scale", "settings", "weights")  # of a step's line: the same on every rank


def join_ranks(path: str | Path) -> Path:
    """Make the run `path` of `path.rank-0`, `path.rank-1` ..., which stay; call it once, after the training.

    A step's rows stand in the order of the ranks. What all ranks know alike (settings, scales, weights, kept states) is
    taken from rank 0, and so are the clip factor and the digest of random generators. Features are quantised a second
    time, which moves none by more than rounding in float32.
    Raises: CaptureError("ranks-differ") if the folders are not those of one training; StoreError("not-empty") if `path`
    is there already, StoreError("not-a-run") if a rank's folder is missing, and those of `open_store`.
    """
    path = Path(path)
    ranks = _open_ranks(path)
    with RunWriter.create(path, ranks[0].spec) as writer:
        log = StepLog(writer.spec.run)
        bounds = [np.searchsorted(rank.steps_N, np.arange(rank.n_steps + 1)) for rank in ranks]
        for step in range(ranks[0].n_steps):
            parts = [_ids(rank, *rows[step : step + 2]) for rank, rows in zip(ranks, bounds, strict=True)]
            for rank, rows, ids in zip(ranks, bounds, parts, strict=True):
                writer.append(step, ids, rank.read(int(rows[step]), int(rows[step + 1])))
            log.note(**_joined([rank.step_log[step] for rank in ranks], [len(ids) for ids in parts]))
            writer.end_step(step, log.close(step, [[name for ids in parts for name in ids]]))
        for name in ranks[0].blob_names:
            writer.put_blob(name, ranks[0].blob(name))
    return path


def _open_ranks(path: Path) -> list[RunReader]:
    first = open_store(path.with_name(f"{path.name}.rank-0"))
    count = json.loads(first.spec.extra).get("ranks", 1)
    ranks = [first, *(open_store(path.with_name(f"{path.name}.rank-{number}")) for number in range(1, count))]
    for number, rank in enumerate(ranks):
        if (rank.spec, rank.n_steps) != (first.spec, first.n_steps):
            raise CaptureError(
                "ranks-differ",
                f"{rank.path}: {rank.n_steps} steps of run {rank.spec.run}, but rank 0 holds {first.n_steps} of "
                f"{first.spec.run}",
                f"let rank {number} record the same training, to the same step",
            )
    return ranks


def _ids(rank: RunReader, start: int, stop: int) -> list[str]:
    return [rank.example_ids[example] for example in rank.examples_N[start:stop]]


def _joined(lines: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> dict[str, Any]:
    """Line of a step from those of the ranks. Each rank's micro-batches are parts of the step."""
    first = {key: value for key, value in lines[0].items() if key not in ("step", "chain", "parts", "skipped")}
    for number, line in enumerate(lines):
        differs = [key for key in SHARED if line.get(key) != first.get(key)]
        if differs:
            raise CaptureError(
                "ranks-differ",
                f"step {line['step']}: rank {number} has another {differs[0]} than rank 0",
                "give every rank the same settings and the same number of rows, or pass `denominator` to each batch",
            )
    parts = [part for line, count in zip(lines, rows, strict=True) for part in line.get("parts", [count])]
    skipped = [ids for line in lines for ids in line.get("skipped", [])]
    return {**first, **({"parts": parts} if len(parts) > 1 else {}), **({"skipped": skipped} if skipped else {})}
