"""Train while recording, and open what a training left behind."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from byline.app.exclusion import begin_run, finish_run
from byline.app.home import Home, new_training, read_kept, write_json
from byline.app.run_start import refuse_run
from byline.attribution import Run, SketchTransport, open_run
from byline.core import AppError, Example, Manifest, WorkId
from byline.training import (
    Corpus,
    Job,
    Outcome,
    Recipe,
    Retraining,
    build_corpus,
    load_corpus,
    load_model,
    mean_log_likelihood,
    pretrain,
    save_corpus,
    save_model,
    train,
    unigram,
)

# Suffixes: Q queries, N training examples, C contributors

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, int, int], None]  # what, done, of


def silent(what: str, done: int, of: int) -> None:
    """Show no progress."""


# --- train ------------------------------------------------------------------------------------------------------


def train_model(
    home: Home,
    manifest: Manifest,
    recipe: Recipe,
    name: str,
    *,
    base: Sequence[str] = (),
    twin: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """A base model from other texts, then the recorded training on the manifest's works; what it showed is kept.

    `twin`: train once more beside it without the recorder, to measure what recording costs and that it changes nothing.
    After an error nothing of it is left. Raises: AppError("nothing-held-out"), ("opted-out-since") and those of
    `new_training`, TrainingError, StoreError.
    """
    refuse_run(home, manifest)
    with new_training(home, name) as folder:  # refuses a taken name before any work is done
        begun = begin_run(home, manifest)
        corpus = _corpus(home, manifest, recipe, base, progress)
        told = _train(home, manifest, recipe, name, folder, corpus, twin, progress)
        told |= {"started": begun.started.isoformat(), "opt_out_checkpoint": begun.checkpoint}
        weights = open_run(home.run(name)).store.blob("weights_sha256").tobytes().hex()
        finish_run(home, manifest, begun, told, weights)
        write_json(folder / "training.json", told)  # last: a training without it is not finished
    return told


def _corpus(home: Home, manifest: Manifest, recipe: Recipe, base: Sequence[str], progress: Progress) -> Corpus:
    progress("vocabulary and examples", 0, 1)
    texts = {entry.work: home.registry.text(entry.work) for entry in manifest.entries}
    corpus = build_corpus(texts, recipe, base)
    if not corpus.held_out:
        says = f"no work has more than {recipe.spans_per_work} x {recipe.sequence} tokens, so no span can be held out"
        raise AppError("nothing-held-out", says, "register at least one longer work")
    return corpus


def _train(
    home: Home,
    manifest: Manifest,
    recipe: Recipe,
    name: str,
    folder: Path,
    corpus: Corpus,
    twin: bool,
    progress: Progress,
) -> dict[str, Any]:
    save_corpus(folder, corpus, recipe)
    progress("vocabulary and examples", 1, 1)
    model = pretrain(corpus, recipe, lambda step, steps, _: progress("base model, not recorded", step, steps))
    save_model(folder, model, "base")
    beside = Retraining([Job(folder, frozenset(), ())]) if twin else None
    trained = train(
        model,
        corpus,
        recipe,
        record_to=home.run(name),
        progress=lambda step, steps, _: progress("training while recording", step, steps),
    )
    save_model(folder, model, "final")
    run = open_run(home.run(name))
    held_out = corpus.held_out_MT
    told = {
        "name": name,
        "run": run.id,
        "manifest": manifest.id,
        "recipe": recipe.to_json(),
        "examples": len(corpus.examples),
        "held_out": len(held_out),
        "parameters": sum(p.numel() for p in model.parameters()),
        "losses": list(trained.losses),
        "unigram": -float(unigram(corpus, recipe)[held_out[:, 1:]].mean()),
        "heldout": -float(mean_log_likelihood(model, held_out).mean()),
        "captured": run.notes["captured"] / run.notes["parameters"],
        "uncaptured": run.notes["uncaptured"],
        "bytes_per_example": _bytes_per_row(run),
        "cpu_seconds": trained.cpu_seconds,
        "hardware": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}",
    }
    if beside is not None:
        steps = len(trained.losses)
        outcome = beside.wait(lambda done: progress("the same without recording", sum(done), steps))[0]
        told |= _compare(outcome, run, trained.cpu_seconds)
    return told


def _compare(outcome: Outcome, run: Run, cpu_seconds: float) -> dict[str, Any]:
    return {
        "overhead_ratio": cpu_seconds / outcome.cpu_seconds,
        "identical_weights": outcome.weights == run.store.blob("weights_sha256").tobytes().hex(),
    }


def _bytes_per_row(run: Run) -> int:
    """Bytes on disk per visit of an example."""
    return round(sum(file.stat().st_size for file in (run.store.path / "shards").iterdir()) / run.store.n_rows)


# --- a finished training, opened --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Training:
    home: Home
    name: str
    told: dict[str, Any]
    corpus: Corpus
    recipe: Recipe
    run: Run
    manifest: Manifest

    @classmethod
    def open(cls, home: Home, name: str) -> "Training":
        """Raises: AppError("not-made-yet"), TrainingError("no-training"), StoreError for a damaged run folder."""
        folder = home.training(name)
        told = read_kept(home, name, "training")
        corpus, recipe = load_corpus(folder)
        run = open_run(home.run(name))
        return cls(home, name, told, corpus, recipe, run, home.registry.manifest(told["manifest"]))

    @cached_property
    def sketch(self) -> SketchTransport:
        """Fitted once for all questions that are asked of the run."""
        return SketchTransport().fit(self.run.store)

    def model(self, stage: str = "final") -> nn.Module:
        return load_model(self.home.training(self.name), self.recipe, stage)

    def examples(self) -> tuple[Example, ...]:
        """The recorded examples, in the order of the run's example ids."""
        found = {example.id: example for example in self.corpus.examples}
        return tuple(found[example] for example in self.run.store.example_ids)

    def works(self) -> tuple[WorkId, ...]:
        """The work of each recorded example, in the order of the run's example ids."""
        return tuple(example.work for example in self.examples())

    def credit(self, work: WorkId) -> str:
        """The contributors of a work as one line of credit."""
        return " and ".join(self.home.names[part.party] for part in self.home.works[work].contributions)

    def owners(self) -> dict[str, dict[str, float]]:
        """The line of credit that each cluster's share goes to."""
        return {entry.cluster: {self.credit(entry.work): 1.0} for entry in self.manifest.entries}


def trained_texts(training: Training) -> dict[WorkId, str]:
    """The texts of the training examples, by example id: what the model really read, without the held-out spans."""
    texts = {entry.work: training.home.registry.text(entry.work) for entry in training.manifest.entries}
    return {WorkId(e.id): texts[e.work][e.start : e.end] for e in training.corpus.examples}


def texts_of(files: Sequence[Path]) -> list[str]:
    """Texts of files. Raises: AppError("no-file"), AppError("not-text") with the byte that is not UTF-8."""
    texts = []
    for file in files:
        try:
            texts.append(file.read_text(encoding="utf-8"))
        except OSError as fault:
            raise AppError("no-file", f"{file}: {fault.strerror}", "check the path") from fault
        except UnicodeDecodeError as fault:
            fix = "save the file as UTF-8"
            raise AppError("not-text", f"{file} is not UTF-8: byte {fault.start} is {fault.reason}", fix) from fault
    return texts
