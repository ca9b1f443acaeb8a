"""What an audit costs and how right it is: the metagradient against the recorded run walked again without examples.

    python benchmarks/audit.py [TASK] [--subsets 24] [--queries 8]

Records one training of a bench task, reads it back from its folder, and prints CPU seconds relative to that training's
plain loop: of the checked walk, of the metagradient for one query and for several, exact and with frozen moments; then
metasmoothness with what it allows, and the LDS on random subsets of works that leave out 2 % and 10 % (weight zero,
same order: the estimand of the single run). Nothing is tuned here. Writes benchmarks/results/audit-TASK.json.
"""

import argparse
import copy
import datetime
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from tasks import NAMES, load

from byline.attribution import Metagradient, read_trajectory, replay, retrainer, visited
from byline.capture import Recorder
from byline.evaluation import lds, metasmoothness, slope, smoothness_gate, subset_predictions
from byline.training import fit, single_thread

RESULTS = Path(__file__).parent / "results"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=NAMES, nargs="?", default="digits")
    parser.add_argument("--subsets", type=int, default=24)
    parser.add_argument("--queries", type=int, default=8)
    chosen = parser.parse_args()
    with single_thread():
        found = measure(load(chosen.task), chosen.queries, chosen.subsets)
    (RESULTS / f"audit-{chosen.task}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def measure(bench, n_queries, subsets):
    start = bench.model(0)
    plain = train(bench, start).cpu_seconds
    trajectory = recorded(bench, start)
    queries = dict(list({f"q{n}": query for n, query in enumerate(bench.held_out)}.items())[:n_queries])
    one = dict(list(queries.items())[:1])
    began = time.process_time()
    audit = Metagradient().fit(start, bench.task, trajectory)
    walked = time.process_time() - began
    tables, seconds = {}, {}
    for name, method, asked in [
        ("exact, one query", audit, one),
        ("exact", audit, queries),
        ("frozen", as_frozen(audit), queries),
    ]:
        began = time.process_time()
        tables[name] = method.score(asked, bench.measure)
        seconds[name] = (time.process_time() - began) / plain
    smooth = metasmoothness(retrainer(start, bench.task, trajectory), len(visited(trajectory)))
    return {
        "task": bench.name,
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "steps": len(trajectory.steps),
        "parameters": sum(p.numel() for p in start.parameters()),
        "examples": len(visited(trajectory)),
        "queries": len(queries),
        "training_cpu_seconds": plain,
        "checked_walk_in_trainings": walked / plain,
        "score_in_trainings": seconds,
        "counted_trainings": audit.cost_.trainings,
        "metasmoothness": smooth.score,
        "largest_drop": smoothness_gate(smooth.score).largest_drop,
        "removal": {
            f"{part:.0%}": removal(bench, start, trajectory, tables, queries, part, subsets) for part in (0.02, 0.1)
        },
    }


def train(bench, start, path=None):
    """One training from `start`, recorded if a path is given."""
    model = copy.deepcopy(start)
    optimizer, plan = bench.optimizer(model), bench.plan(0)
    recorder = Recorder(model, optimizer, path, max_norm=plan.clip) if path else None
    return fit(model, optimizer, bench.task, plan, recorder=recorder)


def recorded(bench, start):
    """The trajectory of one recorded training, read back from its folder, which stays as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="byline-audit-")) / "run"
    train(bench, start, folder)
    return read_trajectory(folder)


def as_frozen(audit):
    """The same walk with the second moment held constant when differentiating."""
    other = copy.copy(audit)
    other.frozen = True
    return other


def removal(bench, start, trajectory, tables, queries, part, subsets):
    """LDS and slope of exact and frozen scores against replays without random works."""
    names = visited(trajectory)
    work_of = dict(zip(bench.example_ids, bench.works, strict=True))
    works = sorted({work_of[name] for name in names})
    generator = np.random.default_rng(int(part * 1000))
    kept_MN, actual_QM = [], []
    full_Q = outcome(bench, start, trajectory, {}, queries)
    for _ in range(subsets):
        out = set(generator.choice(works, max(1, round(part * len(works))), replace=False))
        weights = {name: 0.0 for name in names if work_of[name] in out}
        kept_MN.append([weights.get(name, 1.0) for name in names])
        actual_QM.append(outcome(bench, start, trajectory, weights, queries))
    actual_QM = np.array(actual_QM).T
    found = {}
    for name in ("exact", "frozen"):
        predicted_QM = subset_predictions(tables[name].scores_QN, np.array(kept_MN))
        agreed = lds(predicted_QM, actual_QM)
        change_QM = predicted_QM - tables[name].scores_QN.sum(1, keepdims=True)
        found[name] = {
            "lds": agreed.mean,
            "se": agreed.se,
            "slope": slope(change_QM.ravel(), (actual_QM - full_Q[:, None]).ravel()),
        }
    return found | {"subsets": subsets, "works": len(works)}


def outcome(bench, start, trajectory, weights, queries):
    """What every query measures at the end of the run under these weights."""
    model = copy.deepcopy(start)
    end = replay(start, bench.task, trajectory, weights, from_=0)
    model.load_state_dict({**end.weights, **end.buffers}, strict=False)
    return bench.measure_all(model, list(queries.values())).double().numpy()


if __name__ == "__main__":
    main()
