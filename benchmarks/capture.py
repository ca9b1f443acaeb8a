"""What recording costs: CPU time of a training loop with the recorder over the same loop without, and bytes on disk.

    python benchmarks/capture.py [STEPS]

Overhead: language models of several widths, sketches of two ranks. The two loops take turns in one process, a step
each, so that whoever else uses the machine disturbs both alike: trust the ratios. The first steps, in which the
recorder looks at the optimizer every time, are left out. States that are kept on the way come a few times per run, not
per step, so the loops keep none and what one costs is measured apart. Growth: the same small model over more and more
examples. Writes benchmarks/results/capture.json.
"""

import contextlib
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from byline import Projector, Recorder, open_run
from byline.training import Recipe, new_model, single_thread, token_log_likelihood

WIDTHS, RANKS = (128, 192, 384), (8, 32)
BATCH, SEQUENCE, WARM = 16, 128, 11
EXAMPLES, GROWTH_BATCH, GROWTH_RANK = (1_000, 3_000, 10_000, 30_000, 100_000), 100, 8
ROWS_KINDS = ("features", "scales", "rows", "ids")
RESULTS = Path(__file__).parent / "results" / "capture.json"


class Loop:
    """A training that is taken a step at a time; with a path, it is recorded there."""

    def __init__(self, recipe, rank, path=None, checkpoints=0):
        self.model = new_model(recipe)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        projector = Projector(rank)
        self.recorder = (
            Recorder(self.model, self.optimizer, path, projector=projector, checkpoints=checkpoints) if path else None
        )
        self.seconds = []

    def step(self, number, tokens_BT):
        ids = [f"ex:{number}:{row}" for row in range(len(tokens_BT))]
        start = time.thread_time()
        with self.recorder.batch(ids) if self.recorder else contextlib.nullcontext():
            (-token_log_likelihood(self.model, tokens_BT).mean()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seconds.append(time.thread_time() - start)


def others_seconds():
    """CPU time of all threads but this one: the writer's."""
    return time.process_time() - time.thread_time()


def measure(width, rank, steps):
    recipe = Recipe(width=width, inner=3 * width)
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        plain, recorded = Loop(recipe, rank), Loop(recipe, rank, path)
        with recorded.recorder:
            for number in range(WARM + steps):
                if number == WARM:
                    others = others_seconds()
                tokens_BT = torch.randint(recipe.vocabulary, (BATCH, SEQUENCE), generator=generator)
                for loop in (plain, recorded) if number % 2 else (recorded, plain):
                    loop.step(number, tokens_BT)
            recorded.recorder.flush()
            others = (others_seconds() - others) / steps
        same = all(map(torch.equal, plain.model.parameters(), recorded.model.parameters()))
        run = open_run(path).store
        rows, log = sizes(path)
        layers = len(run.spec.groups)
    pairs = [((b + others) / a, a) for a, b in zip(plain.seconds[WARM:], recorded.seconds[WARM:], strict=True)]
    seconds = sum(plain.seconds[WARM:]) / steps
    return {
        "width": width,
        "rank": rank,
        "parameters": sum(p.numel() for p in plain.model.parameters()),
        "layers": layers,
        "milliseconds_plain": round(1000 * seconds, 1),
        "overhead_ratio": round((sum(recorded.seconds[WARM:]) / steps + others) / seconds, 4),
        "overhead_ratio_median": round(statistics.median(ratio for ratio, _ in pairs), 4),
        "bytes_per_example": round(rows / run.n_rows, 1),
        "bytes_allowed": round(1.1 * layers * rank**2, 1),
        "log_bytes_per_step": round(log / run.n_steps),
        "state_milliseconds": round(1000 * state_seconds(recipe, rank), 1),
        "identical_weights": same,
    }


def sizes(path):
    """Bytes of all rows with their ids, and of the step log."""
    files = [(file.name, file.stat().st_size) for file in (path / "shards").iterdir()]
    rows = sum(size for name, size in files if any(kind in name for kind in ROWS_KINDS))
    return rows, sum(size for _, size in files) - rows


def state_seconds(recipe, rank):
    """CPU time of entering and leaving a recorder that keeps one state at each end, less that of one without states."""
    spent = {}
    for checkpoints in (0, 1):
        with tempfile.TemporaryDirectory() as folder:
            loop = Loop(recipe, rank, Path(folder) / "run", checkpoints)
            start = time.process_time()
            with loop.recorder:
                loop.step(0, torch.zeros(1, 8, dtype=torch.long))
            spent[checkpoints] = time.process_time() - start
    return (spent[1] - spent[0]) / 2


def grow(examples):
    """CPU seconds and bytes of recording so many examples once each, over a small model's own."""
    generator = torch.Generator().manual_seed(0)
    spent = []
    for record in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 8))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            start = time.process_time()
            recorder = Recorder(model, optimizer, path, projector=Projector(GROWTH_RANK)) if record else None
            with recorder or contextlib.nullcontext():
                for first in range(0, examples, GROWTH_BATCH):
                    x = torch.randn(GROWTH_BATCH, 32, generator=generator)
                    ids = [f"ex:{row}" for row in range(first, first + GROWTH_BATCH)]
                    with recorder.batch(ids) if recorder else contextlib.nullcontext():
                        (model(x) ** 2).mean().backward()
                    optimizer.step()
                    optimizer.zero_grad()
            spent.append(time.process_time() - start)
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if record else 0
    return {
        "examples": examples,
        "microseconds_per_example": round(1e6 * (spent[1] - spent[0]) / examples, 2),
        "bytes_per_example": round(size / examples, 1),
    }


def fit_line(rows, key):
    """Least squares of the total over the number of examples: slope, and the part of the variance that it explains."""
    n = np.array([row["examples"] for row in rows], float)
    total = np.array([row[key] for row in rows]) * n
    slope, start = np.polyfit(n, total, 1)
    left = ((total - slope * n - start) ** 2).sum() / ((total - total.mean()) ** 2).sum()
    return {"slope": round(float(slope), 3), "start": round(float(start), 1), "r2": round(1 - float(left), 5)}


def overheads(steps):
    print(f"{BATCH} sequences of {SEQUENCE} tokens a step, {steps} steps, one thread; CPU time; bytes of rows and ids")
    print(
        f"{'width':>6}{'rank':>5}{'parameters':>12}{'ms a step':>11}{'ratio':>8}{'median':>8}{'bytes/example':>15}"
        f"{'allowed':>9}{'log/step':>10}{'ms/state':>10}  same weights"
    )
    rows = []
    for width in WIDTHS:
        for rank in RANKS:
            row = measure(width, rank, steps)
            rows.append(row)
            print(
                f"{width:6d}{rank:5d}{row['parameters']:12,}{row['milliseconds_plain']:11.1f}{row['overhead_ratio']:8.3f}"
                f"{row['overhead_ratio_median']:8.3f}{row['bytes_per_example']:15,}{row['bytes_allowed']:9,}"
                f"{row['log_bytes_per_step']:10,}{row['state_milliseconds']:10.1f}  {row['identical_weights']}"
            )
    return rows


def growth():
    print(f"growth: 3 linear layers, rank {GROWTH_RANK}, {GROWTH_BATCH} examples a step; recording only")
    print(f"{'examples':>10}{'microseconds each':>19}{'bytes each':>12}")
    rows = []
    for examples in EXAMPLES:
        row = grow(examples)
        rows.append(row)
        print(f"{examples:10,}{row['microseconds_per_example']:19.2f}{row['bytes_per_example']:12.1f}")
    fits = {key: fit_line(rows, key) for key in ("microseconds_per_example", "bytes_per_example")}
    print(f"linear fit of the totals: {fits}")
    return {"rows": rows, "fit": fits}


def main(steps=20):
    with single_thread():
        told = {
            "date": datetime.date.today().isoformat(),
            "hardware": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, torch {torch.__version__}",
            "steps": steps,
            "load": round(os.getloadavg()[0], 1),
            "rows": overheads(steps),
            "growth": growth(),
        }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
