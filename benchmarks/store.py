"""How fast the feature store writes and reads, beside a plain memmap copy of the same bytes in the same run.

    python benchmarks/store.py [ROWS] [LAYERS] [WIDTH]

Megabytes are of int8 features. Writes end on the disk; reads are the best of three, from the page cache. The figures
depend on the disk and on who else uses the machine: trust the ratios.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from byline.core import RunId
from byline.store import Group, RunSpec, RunWriter, open_store

BATCH = 32


def main(rows=32_768, layers=28, width=256):
    rows -= rows % BATCH
    spec = RunSpec(RunId("run:bench"), "bench", tuple(Group(f"layer{i}", width) for i in range(layers)))
    features_NK = np.random.default_rng(0).standard_normal((BATCH, spec.width)).astype(np.float32)
    megabytes = rows * spec.width / 1e6
    with tempfile.TemporaryDirectory() as folder:
        plain, run = Path(folder) / "plain.i8", Path(folder) / "run"
        timed = {
            "plain memmap write": lambda: write_plain(plain, rows, features_NK.astype(np.int8)),
            "store write": lambda: write_store(run, spec, rows, features_NK),
            "plain memmap read": lambda: np.array(np.memmap(plain, np.int8, "r")),
            "store open, check digests": lambda: check(run),
            "store read, int8": lambda: read_int8(reader),
            "store read, float32": lambda: [None for _ in reader.blocks(1024)],
        }
        rates = {}
        for name, job in timed.items():
            if name == "store read, int8":
                reader = open_store(run)
                read_int8(reader)
            rates[name] = megabytes / min(seconds(job) for _ in range(1 if "write" in name else 3))
    print(f"{rows} rows x {spec.width} int8 ({layers} layers), {megabytes:.0f} MB")
    for name, rate in rates.items():
        plain = rates["plain memmap write" if "write" in name else "plain memmap read"]
        print(f"{name:28s} {rate:8.0f} MB/s   {rate / plain:5.2f} of plain")


def seconds(job):
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def write_plain(path, rows, batch_NK):
    data = np.memmap(path, np.int8, "w+", shape=(rows, batch_NK.shape[1]))
    for i in range(0, rows, BATCH):
        data[i : i + BATCH] = batch_NK
    data.flush()


def write_store(path, spec, rows, features_NK):
    with RunWriter.create(path, spec) as writer:
        for step in range(rows // BATCH):
            writer.append(step, [f"ex:{step * BATCH + i}" for i in range(BATCH)], features_NK)
            writer.end_step(step, {"lr": 0.001})


def check(path):
    problems = open_store(path).verify()
    assert not problems, problems


def read_int8(run):
    return [np.array(run.quantised(shard)[0]) for shard in run.manifest.shards]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
