"""Retraining side by side: the recorded run again, from the same base, with some examples at weight zero.

One process per core, and every process trains on one thread, so the weights do not depend on how many run at once.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

import torch

from byline.capture import weights_digest
from byline.core import TrainingError
from byline.training.folder import load_corpus, load_model
from byline.training.language_model import token_log_likelihood, train

# Suffixes: N training examples, Q queries, T tokens

Steps = Callable[[list[int]], None]  # steps done, per job
_steps: "SynchronizedArray[int] | None" = None


@dataclass(frozen=True, slots=True)
class Query:
    """Token ids; what is measured is the mean log-likelihood of those from `start` on, given those before."""

    tokens: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Job:
    """Retrain without `without` (example ids), then measure `queries`. `seed`: of the order of the examples, if it is
    to be another than the recorded one; the base model stays."""

    folder: Path
    without: frozenset[str]
    queries: tuple[Query, ...]
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    log_likelihoods: tuple[float, ...]  # per query, nats per token
    weights: str  # digest of the final weights
    cpu_seconds: float  # of the training loop


class Retraining:
    """Jobs running in processes of their own. `wait` returns the outcomes in the order of the jobs.

    An executor notices when a process dies (killed for want of memory, say); multiprocessing.Pool waits for ever.
    """

    def __init__(self, jobs: Sequence[Job], processes: int | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self.steps = context.Array("i", len(jobs))
        workers = min(len(jobs), processes or os.cpu_count() or 1)
        self._pool = ProcessPoolExecutor(workers, context, initializer=_share, initargs=(self.steps,))
        self._running = [self._pool.submit(run_job, index, job) for index, job in enumerate(jobs)]

    def wait(self, progress: Steps | None = None) -> list[Outcome]:
        """Raises: TrainingError("worker-died"), and whatever a job raised."""
        try:
            while wait(self._running, 0.2, FIRST_EXCEPTION).not_done and not self._failed():
                if progress is not None:
                    progress(self.steps[:])
            done = [each.result() for each in (*self._failed(), *self._running)]  # a fault first
            if progress is not None:
                progress(self.steps[:])
            return done
        except BrokenProcessPool as fault:
            raise TrainingError(
                "worker-died", "a process that was retraining is gone", "free some memory and run it again"
            ) from fault
        finally:
            self._pool.shutdown(wait=not self._failed(), cancel_futures=True)

    def _failed(self) -> list[Future[Outcome]]:
        return [each for each in self._running if each.done() and each.exception() is not None]


def run_job(index: int, job: Job) -> Outcome:
    corpus, recipe = load_corpus(job.folder)
    recipe = recipe if job.seed is None else replace(recipe, seed=job.seed)
    weights_N = torch.tensor([float(example.id not in job.without) for example in corpus.examples])
    model = load_model(job.folder, recipe, "base")
    trained = train(model, corpus, recipe, weights_N=weights_N, progress=lambda step, steps, loss: _count(index, step))
    values = tuple(measure_query(trained.model, query).item() for query in job.queries)
    return Outcome(values, weights_digest(trained.model).hex(), trained.cpu_seconds)


@torch.no_grad()
def measure_query(model: torch.nn.Module, query: Query) -> torch.Tensor:
    """Mean log-likelihood per token (nats) of a query's tokens from `start` on."""
    return token_log_likelihood(model, torch.tensor([query.tokens]))[0, max(query.start - 1, 0) :].mean()


def _share(steps: "SynchronizedArray[int]") -> None:
    global _steps
    _steps = steps


def _count(index: int, step: int) -> None:
    if _steps is not None:
        _steps[index] = step
