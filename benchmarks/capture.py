"""What recording costs: CPU time of a training loop with the recorder over the same loop without, and bytes on disk.

    python benchmarks/capture.py [STEPS]

Models of several widths, sketches of two ranks. The two loops take turns in one process, a few steps each, so that
whoever else uses the machine disturbs both alike: trust the ratios. Writes benchmarks/results/capture.json.
"""

import contextlib
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from byline import Projector, Recorder, open_run
from byline.training import Recipe, new_model, single_thread, token_log_likelihood

WIDTHS, RANKS = (128, 192, 384), (8, 32)
BATCH, SEQUENCE, WARM = 16, 128, 2
RESULTS = Path(__file__).parent / "results" / "capture.json"


class Loop:
    """A training that is taken a step at a time; with a path, it is recorded there."""

    def __init__(self, recipe, rank, path=None):
        self.model = new_model(recipe)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.recorder = Recorder(self.model, self.optimizer, path, projector=Projector(rank)) if path else None
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


def measure(width, rank, steps):
    recipe = Recipe(width=width, inner=3 * width)
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        plain, recorded = Loop(recipe, rank), Loop(recipe, rank, path)
        with recorded.recorder:
            others = time.process_time() - time.thread_time()
            for number in range(WARM + steps):
                tokens_BT = torch.randint(recipe.vocabulary, (BATCH, SEQUENCE), generator=generator)
                for loop in (plain, recorded) if number % 2 else (recorded, plain):
                    loop.step(number, tokens_BT)
        same = all(map(torch.equal, plain.model.parameters(), recorded.model.parameters()))
        run = open_run(path).store
        size = sum(file.stat().st_size for file in (path / "shards").iterdir())
    others = time.process_time() - time.thread_time() - others  # the writer's thread: all of it is the recorder's
    seconds = sum(plain.seconds[WARM:]) / steps
    with_recorder = sum(recorded.seconds[WARM:]) / steps + others / (WARM + steps)
    return {
        "width": width,
        "rank": rank,
        "parameters": sum(p.numel() for p in plain.model.parameters()),
        "milliseconds_plain": round(1000 * seconds, 1),
        "overhead_ratio": round(with_recorder / seconds, 3),
        "bytes_per_example": round(size / run.n_rows),
        "identical_weights": same,
    }


def main(steps=10):
    print(f"{BATCH} sequences of {SEQUENCE} tokens a step, {steps} steps, one thread; CPU time")
    print(f"{'width':>6}{'rank':>6}{'parameters':>13}{'ms a step':>11}{'ratio':>8}{'bytes/example':>15}  same weights")
    rows = []
    with single_thread():
        for width in WIDTHS:
            for rank in RANKS:
                row = measure(width, rank, steps)
                rows.append(row)
                print(
                    f"{width:6d}{rank:6d}{row['parameters']:13,}{row['milliseconds_plain']:11.1f}"
                    f"{row['overhead_ratio']:8.3f}{row['bytes_per_example']:15,}  {row['identical_weights']}"
                )
    told = {
        "date": datetime.date.today().isoformat(),
        "hardware": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, torch {torch.__version__}",
        "steps": steps,
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
