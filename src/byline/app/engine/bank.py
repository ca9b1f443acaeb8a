"""Retrainings, kept one by one as they come: a stopped audit goes on where it was."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byline.app.model import Progress, silent
from byline.training import Job, Query, run_job

# Suffixes: Q queries, M retrainings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a retraining showed: each query's measurement, as a rule a log-likelihood, and the digest of its weights."""

    log_likelihoods: tuple[float, ...]
    weights: str


Retrain = Callable[[Mapping[str, frozenset[str]]], Iterator[tuple[str, Retrained]]]  # key -> ids left out


@dataclass(frozen=True, slots=True)
class Bank:
    """Retrainings as `retrain` makes them; kept in `path`, a line each."""

    path: Path
    retrain: Retrain

    def outcomes(self) -> dict[str, Retrained]:
        """What is there already. A last line that was not finished does not count."""
        if not self.path.is_file():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith("\n")]
        return {each["key"]: Retrained(tuple(each["values"]), each["weights"]) for each in told}

    def fill(self, wanted: Mapping[str, frozenset[str]], progress: Progress = silent) -> dict[str, Retrained]:
        """Outcomes of `wanted` (key -> ids of the examples that are left out), making those that are missing. What
        comes is written at once."""
        known = self.outcomes()
        todo = {key: without for key, without in wanted.items() if key not in known}
        progress("retrainings", len(wanted) - len(todo), len(wanted))
        if todo:
            self._end_torn_line()
            with self.path.open("a", encoding="utf-8") as file:
                for key, made in self.retrain(todo):
                    line = {"key": key, "values": made.log_likelihoods, "weights": made.weights}
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    known[key] = made
                    progress("retrainings", sum(each in known for each in wanted), len(wanted))
        return {key: known[key] for key in wanted}

    def _end_torn_line(self) -> None:
        """Cut off what a killed process left of its last line, or the next one would be glued to it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        raw = self.path.read_bytes() if self.path.is_file() else b""
        if raw and not raw.endswith(b"\n"):
            self.path.write_bytes(raw[: raw.rfind(b"\n") + 1])


def pooled(folder: Path, queries: tuple[Query, ...], seed: int | None = None) -> Retrain:
    """Retrainings of the training in `folder`, every one of them asked `queries`, as many at a time as there are
    cores. `seed`: of another order of the examples than the recorded one."""

    def retrain(wanted: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, Retrained]]:
        context = multiprocessing.get_context("spawn")
        workers = min(len(wanted), os.cpu_count() or 1)
        # unlike multiprocessing.Pool, an executor says so when a worker dies, instead of waiting for ever
        with ProcessPoolExecutor(workers, context) as pool:
            running = {
                pool.submit(run_job, 0, Job(folder, without, queries, seed)): key for key, without in wanted.items()
            }
            try:
                for future in as_completed(running):
                    outcome = future.result()
                    yield running[future], Retrained(outcome.log_likelihoods, outcome.weights)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    return retrain


def values(outcomes: Sequence[Retrained]) -> Floats:
    """values_MQ of some retrainings."""
    return np.array([outcome.log_likelihoods for outcome in outcomes], dtype=np.float64)
