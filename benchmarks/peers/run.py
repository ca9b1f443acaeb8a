"""Other people's attribution libraries on the bench's own runs and queries: `make bench-peers`.

    .bench/peers/bin/python benchmarks/peers/run.py [TASK ...] [--peers kronfluence,dattri]

Scores are kept as `peer-...` beside those of the baselines, so `bench.py` measures them in the same table on the same
truth. What ran, with which settings and versions, what failed and why, goes to benchmarks/results/peers.json.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import scores
import torch
from baselines.recorded import recipe_digest, record
from tasks import load

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
PEERS = ("kronfluence", "dattri", "bergson")  # each in a file of its own, with the name of its package


def attempt(peer, name):
    """Scores of one library on one task, kept; returns what is told of it."""
    bench = load(name)
    recorded = record(bench, scores.BENCH / name)
    told = {"version": importlib.metadata.version(peer), "torch": torch.__version__}
    started = time.perf_counter()
    try:
        found = importlib.import_module(f"peers.with_{peer}").run(bench, recorded, scores.BENCH / "peers-work" / name)
    except Exception as error:
        traceback.print_exc()
        return told | {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
    seconds = time.perf_counter() - started
    for method, (scores_QN, cost, settings) in found.items():
        queries = range(len(recorded.queries))
        recipe = recipe_digest(bench)
        scores.save(name, method, scores_QN, queries=list(queries), cost=cost, seconds=seconds, recipe=recipe)
        told[method] = {"settings": settings, "cost_epochs": round(cost, 2)}
        print(f"{name}: {method} in {seconds:.0f} s", flush=True)
    return told | {"seconds": round(seconds, 1)}


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("tasks", nargs="*", metavar="TASK")
    asked.add_argument("--peers", default=",".join(PEERS))
    told = asked.parse_args()
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in told.tasks or ["finetune"]:
        for peer in told.peers.split(","):
            results.setdefault(name, {})[peer] = attempt(peer, name)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
