"""What retraining shows: the bench's ground truth, hundreds of trainings without some works or a contributor.

    python benchmarks/truth.py TASK [--workers 2] [--minutes 40] [--only '50%/*/0']

Left out means weight zero with every batch and denominator kept (docs/method.md). Works are left out at 2, 10 and 50 %,
and every contributor in turn; everything under three seeds (2 %: one). What a retrained model says of every query is
appended to `.bench/TASK/outcomes.jsonl` as it comes, so the script can be stopped and run again, and more subsets can
be asked for later; the whole is written to `benchmarks/results/truth/TASK.safetensors` and signed beside it.

`finetune`, `digits` and `diffusion` retrain from the recorded run's own initial weights: seed 0 keeps its order too,
seeds 1 and 2 change it. `scratch` draws weights and order anew for every single retraining.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tasks import NAMES, Bench, load

from byline.disclosure import create_key, load_key, load_public
from byline.training import fit, single_thread

ROOT = Path(__file__).parent
SUBSETS = {"2%": 50, "10%": 64, "50%": 64}
CALIBRATION = 14  # the first of the subsets at 10 and 50 %: blends are fitted on them, the others are reported
DROP = {"2%": 0.02, "10%": 0.1, "50%": 0.5}
SEEDS = {"2%": 1, "10%": 3, "50%": 3, "contributor": 3, "full": 3}


@dataclass(frozen=True)
class Retrained:
    """One retraining: what kind of subset, which of them, under which seed."""

    kind: str  # "full", "contributor", or a key of DROP
    number: int
    seed: int

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.number}/{self.seed}"


def works_of(bench: Bench) -> list[str]:
    return sorted(bench.contributors)


def left_out(bench: Bench, job: Retrained) -> list[str]:
    """The works that this retraining goes without."""
    works = works_of(bench)
    if job.kind == "full":
        return []
    if job.kind == "contributor":
        name = sorted(set(bench.contributors.values()))[job.number]
        return [work for work in works if bench.contributors[work] == name]
    chance = np.random.default_rng([list(DROP).index(job.kind), job.number])
    chosen = chance.choice(len(works), round(DROP[job.kind] * len(works)), replace=False)
    return [works[i] for i in sorted(chosen)]


def jobs_of(bench: Bench) -> list[Retrained]:
    """All retrainings, those of the first seed first. Later seeds leave out the subsets that only calibrate."""
    count = {"full": 1, "contributor": len(set(bench.contributors.values())), **SUBSETS}
    return [
        Retrained(kind, number, seed)
        for seed in range(max(SEEDS.values()))
        for kind in ("full", "contributor", "50%", "10%", "2%")
        if seed < SEEDS[kind]
        for number in range(CALIBRATION if seed and kind in DROP and not bench.fresh else 0, count[kind])
    ]


def seed_of(bench: Bench, job: Retrained) -> int:
    """The recorded run is seed 0. A task with fresh seeds shares no seed between any two retrainings."""
    if not bench.fresh or job == Retrained("full", 0, 0):
        return job.seed
    kinds = ("full", "contributor", *DROP)
    return 1 + job.seed + 10 * (job.number + 1000 * kinds.index(job.kind))


def retrain(bench: Bench, job: Retrained, queries) -> list[float]:
    out = set(left_out(bench, job))
    weights_N = torch.tensor([float(work not in out) for work in bench.works])
    seed = seed_of(bench, job)
    with single_thread():
        model = bench.model(seed)
        fit(model, bench.optimizer(model), bench.task, bench.plan(seed), weights_N=weights_N)
        model.eval()
        return [float(value) for value in bench.measure_all(model, queries)]


def queries_of(bench: Bench) -> tuple:
    """Held-out queries, then those that the recorded training's model generates; trains it (seconds)."""
    with single_thread():
        model = bench.model(0)
        fit(model, bench.optimizer(model), bench.task, bench.plan(0))
        model.eval()
        return (*bench.held_out, *bench.generate(model))


_STATE: dict = {}


def _begin(name: str) -> None:
    torch.set_num_threads(1)
    _STATE["bench"] = load(name)
    _STATE["queries"] = queries_of(_STATE["bench"])


def _run(job: Retrained) -> tuple[Retrained, list[float], float]:
    started = time.process_time()
    values = retrain(_STATE["bench"], job, _STATE["queries"])
    return job, values, time.process_time() - started


def outcomes(name: str) -> dict[str, dict]:
    path = ROOT.parent / ".bench" / name / "outcomes.jsonl"
    if not path.is_file():
        return {}
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {told["key"]: told for told in map(json.loads, whole)}


def gather(name: str, workers: int, minutes: float, only: str) -> None:
    """Retrain what is still missing, until the time is up; `only` is a pattern of keys, e.g. "50%/*/0"."""
    bench = load(name)
    done = outcomes(name)
    todo = [job for job in jobs_of(bench) if job.key not in done and fnmatch(job.key, only)]
    path = ROOT.parent / ".bench" / name / "outcomes.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * minutes
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _begin, (name,)) as pool, path.open("a") as file:
        for n, (job, values, seconds) in enumerate(pool.imap_unordered(_run, todo), len(done) + 1):
            told = {"key": job.key, **asdict(job), "values": values, "cpu_seconds": round(seconds, 2)}
            file.write(json.dumps(told) + "\n")
            file.flush()
            if n % 20 == 0 or n == len(done) + len(todo):
                print(f"{name}: {n} of {len(done) + len(todo)} retrainings, the last {seconds:.1f} s", flush=True)
            if time.monotonic() > until:
                pool.terminate()
                print(f"{name}: {minutes:.0f} minutes are up; run again to go on", flush=True)
                return


def write(name: str) -> Path:
    """All outcomes as arrays: values_RQ, out_RW (1 = work left out), kind, number, seed of every retraining."""
    bench, told = load(name), outcomes(name)
    jobs = [job for job in jobs_of(bench) if job.key in told]
    works = works_of(bench)
    kinds = ["full", "contributor", *DROP]
    arrays = {
        "values_RQ": np.array([told[job.key]["values"] for job in jobs], dtype=np.float32),
        "out_RW": np.array([np.isin(works, left_out(bench, job)) for job in jobs], dtype=np.uint8),
        "kind_R": np.array([kinds.index(job.kind) for job in jobs], dtype=np.uint8),
        "number_R": np.array([job.number for job in jobs], dtype=np.int32),
        "seed_R": np.array([job.seed for job in jobs], dtype=np.int32),
    }
    seconds = sum(told[job.key]["cpu_seconds"] for job in jobs)
    notes = {
        "task": name,
        "works": works,
        "kinds": kinds,
        "contributors": dict(sorted(bench.contributors.items())),
        "held_out": len(bench.held_out),
        "cpu_seconds": round(seconds),
        "recipe": bench.notes,
    }
    path = ROOT / "results" / "truth" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(arrays, str(part), metadata={"notes": json.dumps(notes, sort_keys=True)})
    part.replace(path)
    seal(path)
    print(f"{name}: {len(jobs)} of {len(jobs_of(bench))} retrainings, {seconds / 60:.0f} CPU minutes, in {path.name}")
    return path


def seal(path: Path) -> None:
    """Sign the file's digest with the key of whoever ran the retrainings; the public half stands beside it."""
    folder = ROOT.parent / ".bench" / "key"
    key = load_key(folder) if (folder / "byline.key").is_file() else create_key(folder, "byline-bench")
    text = sealed_text(path)
    path.with_suffix(".note").write_text(f"{text}\n{key.sign(text)}\n", encoding="utf-8")
    (path.parent / "byline.pub").write_text(f"{key.public}\n", encoding="utf-8")


def sealed_text(path: Path) -> str:
    return f"truth by retraining\n{path.name}\nsha256 {hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def is_sealed(path: Path) -> bool:
    """True if the note beside the file signs this very content with the key that is published there."""
    note = path.with_suffix(".note")
    if not note.is_file():
        return False
    text, _, line = note.read_text(encoding="utf-8").rpartition("\n\n")
    return text + "\n" == sealed_text(path) and load_public(path.parent / "byline.pub").accepts(
        text + "\n", line.rstrip("\n")
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("task", choices=NAMES)
    asked.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked.add_argument("--minutes", type=float, default=40.0)
    asked.add_argument("--only", default="*", help="pattern of kind/number/seed, e.g. '50%%/*/0'")
    told = asked.parse_args()
    gather(told.task, told.workers, told.minutes, told.only)
    write(told.task)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path.insert(0, str(ROOT))
    main()
