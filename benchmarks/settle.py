"""A million outputs of forty clusters, settled: seconds, allocation lines a second, peak memory, and how they grow.

    python benchmarks/settle.py                 # 10 k, 100 k and 1 M outputs; writes results/settle.json
    python benchmarks/settle.py --outputs 10000 # one size, to the terminal only

Each size runs in a process of its own, so that its peak memory is its own. Blocks are made as they are needed, outside
the clock, from a seed; the clock covers dividing, hashing inputs and lines, adding up, settling, posting to a journal
on disk and checking it. A sample of outputs is divided again by a loop over Python integers: any difference ends the
run with an error.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np

from byline.core import PPB, PPM, Reliability, RevenueEvent, Split, digest
from byline.ledger import (
    Outputs,
    Policy,
    Prior,
    Stake,
    Terms,
    Unattributed,
    no_shares,
    open_journal,
    settle,
    sum_outputs,
)
from byline.ledger.terms import AGREED
from byline.registry import open_database

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "settle.json"
SIZES = (10_000, 100_000, 1_000_000)
CLUSTERS, BLOCK, SAMPLE = 40, 50_000, 200
DAY = date(2026, 9, 1)
NOW = datetime(2026, 10, 1, tzinfo=UTC)
EVENT = "event:benchmark"
NAMES = [f"cluster:{w:02}" for w in range(CLUSTERS)]
POLICY = Policy("policy:b", 1, DAY - timedelta(9), 100_000, 50_000, 200_000, Prior.EQUAL, Unattributed.COMMONS)
TERMS = Terms(POLICY, Reliability(AGREED, AGREED, 620_000, 0, PPM, 40, "00" * 32), DAY - timedelta(9))


def block(number, size):
    """Prices around 0.002 of the currency, shares that differ from output to output, a tenth of them all equal."""
    random = np.random.default_rng([7, number])
    raw = random.exponential(size=(size, CLUSTERS)) ** 2
    ppb = raw / raw.sum(axis=1, keepdims=True) * random.uniform(0.3, 0.95, (size, 1)) * PPB
    ppb[::10] = PPB // (2 * CLUSTERS)
    ids = np.array([f"output:{number:04}:{i:06}" for i in range(size)], dtype="S")
    return Outputs(ids, random.integers(1_000_000, 3_000_000, size), ppb.astype(np.uint32))


def sizes_of(outputs):
    return [min(BLOCK, outputs - start) for start in range(0, outputs, BLOCK)]


class Clock:
    """Seconds and CPU seconds between `go` and `stop`, added up."""

    def __init__(self):
        self.wall = self.cpu = 0.0

    def go(self):
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self):
        self.wall += time.perf_counter() - self._wall
        self.cpu += time.process_time() - self._cpu


def measure(outputs):
    received = sum(int(block(n, size).nano_N.sum()) for n, size in enumerate(sizes_of(outputs)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = Clock()

    def blocks():
        for number, size in enumerate(sizes_of(outputs)):
            clock.stop()
            made = block(number, size)
            clock.go()
            yield made

    clock.go()
    sums = sum_outputs(EVENT, blocks(), NAMES, TERMS)
    divided = clock.wall + time.perf_counter() - clock._wall
    posted = settle_and_post(sums, received)
    clock.stop()
    check_sample(sums)
    return {
        "outputs": outputs,
        "clusters": CLUSTERS,
        "lines": outputs * CLUSTERS,
        "seconds": round(clock.wall, 3),
        "cpu_seconds": round(clock.cpu, 3),
        "seconds_dividing": round(divided, 3),
        "lines_per_second": round(outputs * CLUSTERS / clock.wall),
        "lines_per_cpu_second": round(outputs * CLUSTERS / clock.cpu),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_mb_before": round(before / 1024),
        "received_nano": str(received),
        **posted,
    }


def settle_and_post(sums, received):
    stakes = tuple(Stake(name, 1000, ((f"work:{name}", 1),)) for name in NAMES)
    splits = tuple(Split(f"work:{name}", ((f"party:{name}", PPM),), DAY - timedelta(9)) for name in NAMES)
    event = RevenueEvent(EVENT, "Licensee", str(received), "EUR", DAY)
    settlement = settle([event], no_shares("period"), stakes, splits, TERMS, outputs=[sums])
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(Path(folder) / "journal.db")
        journal = open_journal(engine)
        journal.post(settlement, NOW)
        problems = journal.check()
        engine.dispose()
    totals = settlement.totals()
    exact = totals["received"] == totals["allocated"] + totals["held"] + totals["commission"] == received
    if problems or not exact:
        raise SystemExit(f"money was lost: {totals}, {problems}")
    return {"conserved_to_the_nano": exact, "allocated_nano": str(totals["allocated"])}


def check_sample(sums):
    """Some outputs by themselves, line by line, against Python integers; and that the rates are those of the run."""
    whole = block(0, SAMPLE)
    if sums.rates != (100_000, 50_000, 200_000, 620_000, PPM):
        raise SystemExit(f"divided under {sums.rates}")
    for n in range(SAMPLE):
        alone = Outputs(whole.ids_N[n : n + 1], whole.nano_N[n : n + 1], whole.ppb_NW[n : n + 1])
        got = [int(nano) for _, nano in sum_outputs(EVENT, [alone], NAMES, TERMS).clusters]
        if got != by_loop(alone):
            raise SystemExit(f"output {n} is divided wrongly")


def by_loop(one):
    name, nano, ppb = one.ids_N[0], int(one.nano_N[0]), [int(x) for x in one.ppb_NW[0]]
    net = nano - nano * 100_000 // PPM - nano * 50_000 // PPM
    training = largest(net, [200_000, 800_000], f"{EVENT} training", name, ["training", "rest"])[0]
    pot = largest(net - training, [620_000, 380_000], f"{EVENT} attribution", name, ["attribution", "rest"])[0]
    return largest(pot, [PPB - sum(ppb), *ppb], EVENT, name, ["", *NAMES])[1:]


def largest(total, weights, salt, row, parts):
    whole = sum(weights)
    got = [total * weight // whole for weight in weights]
    order = sorted(range(len(parts)), key=lambda w: (-(total * weights[w] % whole), -key(salt, row, parts[w]), w))
    for w in order[: total - sum(got)]:
        got[w] += 1
    return got


def key(salt, row, part):
    hashes = [sha256(salt.encode() + b"\n" + name).digest()[:8] for name in (bytes(row), part.encode())]
    x = int.from_bytes(hashes[0], "big") ^ int.from_bytes(hashes[1], "big")
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def apart(outputs):
    """The figures of one size, from a process of its own."""
    command = [sys.executable, __file__, "--outputs", str(outputs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--outputs", type=int, help="one size only, printed and not kept")
    outputs = asked.parse_args().outputs
    if outputs:
        print(json.dumps(measure(outputs)))
        return
    sizes = [apart(size) for size in SIZES]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = {
        "sizes": sizes,
        "growth_10k_to_1M": {
            "outputs": sizes[-1]["outputs"] / sizes[0]["outputs"],
            "cpu_seconds": round(sizes[-1]["cpu_seconds"] / sizes[0]["cpu_seconds"], 1),
            "peak_mb_more": sizes[-1]["peak_mb"] - sizes[0]["peak_mb"],
        },
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "load_average": [round(x, 1) for x in os.getloadavg()],
        "machine": f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}",
        "policy_sha256": digest(POLICY.to_json()),
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for size in sizes:
        speed = f"{size['seconds']:.2f} s, {size['lines_per_second']:,} lines/s, {size['peak_mb']} MB"
        print(f"{size['outputs']:>9,} outputs: {speed}")


if __name__ == "__main__":
    main()
