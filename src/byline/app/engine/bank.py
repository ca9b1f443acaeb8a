"""Retrainings of a training of ours, kept one by one as they come: a stopped audit goes on where it was."""

import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
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
    """What a retraining showed: mean log-likelihood per token of each query (nats), and which weights it ended with."""

    log_likelihoods: tuple[float, ...]
    weights: str


@dataclass(frozen=True, slots=True)
class Bank:
    """Retrainings of the training in `folder`, every one of them asked `queries`; kept in `path`, a line each."""

    path: Path
    folder: Path
    queries: tuple[Query, ...]

    def outcomes(self) -> dict[str, Retrained]:
        """What is there already. A last line that was not finished does not count."""
        if not self.path.is_file():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith("\n")]
        return {each["key"]: Retrained(tuple(each["values"]), each["weights"]) for each in told}

    def fill(self, wanted: Mapping[str, frozenset[str]], progress: Progress = silent) -> dict[str, Retrained]:
        """Outcomes of `wanted` (key -> ids of the examples that are left out), making those that are missing, as many
        at a time as there are cores. What comes is written at once."""
        known = self.outcomes()
        todo = [(key, Job(self.folder, without, self.queries)) for key, without in wanted.items() if key not in known]
        done = len(wanted) - len(todo)
        progress("retrainings", done, len(wanted))
        if todo:
            known |= self._make(todo, done, len(wanted), progress)
        return {key: known[key] for key in wanted}

    def _make(self, todo: Sequence[tuple[str, Job]], done: int, of: int, progress: Progress) -> dict[str, Retrained]:
        made: dict[str, Retrained] = {}
        self._end_torn_line()
        context = multiprocessing.get_context("spawn")
        workers = min(len(todo), os.cpu_count() or 1)
        # unlike multiprocessing.Pool, an executor says so when a worker dies, instead of waiting for ever
        with self.path.open("a", encoding="utf-8") as file, ProcessPoolExecutor(workers, context) as pool:
            running = {pool.submit(run_job, 0, job): key for key, job in todo}
            try:
                for future in as_completed(running):
                    outcome, key = future.result(), running[future]
                    line = {"key": key, "values": outcome.log_likelihoods, "weights": outcome.weights}
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    made[key] = Retrained(outcome.log_likelihoods, outcome.weights)
                    progress("retrainings", done + len(made), of)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return made

    def _end_torn_line(self) -> None:
        """Cut off what a killed process left of its last line, or the next one would be glued to it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        raw = self.path.read_bytes() if self.path.is_file() else b""
        if raw and not raw.endswith(b"\n"):
            self.path.write_bytes(raw[: raw.rfind(b"\n") + 1])


def values(outcomes: Sequence[Retrained]) -> Floats:
    """values_MQ of some retrainings."""
    return np.array([outcome.log_likelihoods for outcome in outcomes], dtype=np.float64)
