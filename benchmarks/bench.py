"""The bench: what attribution methods say, beside what hundreds of retrainings showed.

    python benchmarks/bench.py [TASK ...] [--methods a,b]

For every task with truth (`truth.py`): computes the scores that are not kept yet (`scores.py`; `--methods` names those
to compute, "none" computes nothing), then measures every method that has scores, also ones that others put there:
LDS at each drop, leave-one-contributor-out, coverage of intervals, blends of methods, everything beside the ceiling
that the noise of retraining sets and with a paired bootstrap against the best baseline. It works with a truth that is
not complete and says how much there is. Writes benchmarks/results/bench-TASK.json, and latest.json for all tasks.

The column `lds` is at the drop that the task is about: 10 %, or 50 % where every retraining draws fresh seeds.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import baselines
import numpy as np
import scores
from baselines.recorded import recipe_digest, record
from measures import Truth, blended, effects, lds_of, loco_of, targets
from safetensors import safe_open
from tasks import NAMES, load
from truth import CALIBRATION, is_sealed

from byline.training import single_thread

ROOT = Path(__file__).parent
RESULTS = ROOT / "results"
DROPS = ("2%", "10%", "50%")
BLENDS = {  # at least one channel of Byline's own; the last is the control without any
    "blend": ("byline-head", "byline-body", "byline-head-alone", "ekfac-head", "tfidf"),
    "blend-no-words": ("byline-head", "byline-body", "byline-head-alone", "ekfac-head"),
    "control-blend": ("ekfac-head", "tfidf"),
}
COLUMNS = (
    ("lds", "lds"),
    ("se", "lds_se"),
    ("/ceil", "of_ceiling"),
    ("other", "lds_other"),
    ("2%", "lds_2"),
    ("10%", "lds_10"),
    ("50%", "lds_50"),
    ("loco rho", "loco_spearman"),
    ("r", "loco_pearson"),
    ("slope", "slope"),
    ("top1", "top1"),
    ("cover", "coverage"),
    ("-best", "over_best"),
    ("se", "over_best_se"),
    ("p", "over_best_p"),
)


def main_drop(truth):
    return "50%" if truth.fresh else "10%"


def read_truth(name, bench):
    """The kept truth of a task; None if there is none. Exits if it was made by another recipe."""
    path = RESULTS / "truth" / f"{name}.safetensors"
    if not path.is_file():
        return None
    if not is_sealed(path):
        sys.exit(f"{path.name} is not what its note signs: python benchmarks/truth.py {name}")
    with safe_open(str(path), "np") as file:
        notes = json.loads(file.metadata()["notes"])
        arrays = {key: file.get_tensor(key) for key in file.keys()}
    if notes["recipe"] != json.loads(json.dumps(bench.notes)):
        sys.exit(f"{path.name} was made by another recipe of {name}: python benchmarks/truth.py {name}")
    return Truth(
        values_RQ=arrays["values_RQ"],
        out_RW=arrays["out_RW"],
        kind_R=np.array(notes["kinds"])[arrays["kind_R"]],
        number_R=arrays["number_R"],
        seed_R=arrays["seed_R"],
        works=tuple(notes["works"]),
        contributors=notes["contributors"],
        held_out=notes["held_out"],
        fresh=bench.fresh,
        calibration=CALIBRATION,
    )


def compute(name, bench, wanted, some, root):
    """Scores that are not kept yet, one method after the other."""
    recipe, recorded = recipe_digest(bench), None
    for method in baselines.METHODS:
        asked = wanted is None or set(method.names) & wanted
        if not asked or not method.applies(bench) or all(scores.read(name, n, recipe, root) for n in method.names):
            continue
        recorded = recorded or record(bench, root / name)
        started = time.perf_counter()
        with single_thread():
            found = list(baselines.compute(method, bench, recorded, some))
        seconds = time.perf_counter() - started
        for row, scores_QN, cost, queries in found:
            scores.save(name, row, scores_QN, queries=queries, cost=cost, seconds=seconds, recipe=recipe, root=root)
        print(f"{name}: {', '.join(method.names)} in {seconds:.0f} s", flush=True)


def measure(truth, works, methods):
    """Everything that is told of the methods (name -> scores.Scores), best LDS first, and the blends' weights."""

    methods = dict(methods)
    weights = add_blends(truth, works, methods)
    drops = {kind: targets(truth, kind) for kind in DROPS}
    best = best_baseline(truth, works, methods, drops[main_drop(truth)].get(""))
    left_out = effects(truth)
    table = {name: _measured(kept, truth, works, drops, methods.get(best), left_out) for name, kept in methods.items()}
    order = sorted(table, key=lambda name: -table[name].get("lds", table[name].get("loco_pearson", -1)))
    return {
        "truth": coverage_of(truth, drops, left_out),
        "best_baseline": best,
        "blends": weights,
        "methods": {name: table[name] for name in order},
    }


def add_blends(truth, works, methods):
    """Adds the blends whose channels are there to `methods`; returns the weights by blend and channel."""

    told = {}
    for name, wanted in BLENDS.items():
        channels = [channel for channel in wanted if channel in methods]
        own = any(channel.startswith("byline") for channel in channels)
        found = blended([methods[c] for c in channels], works, truth) if len(channels) > 1 else None
        if found is not None and own == (name != "control-blend"):
            told[name] = dict(zip(channels, (round(float(weight), 4) for weight in found[0]), strict=True))
            methods[name] = replace(found[1], cost=_cost(channels, methods))
    return told


def _cost(channels, methods):
    """Of computing all channels; those that one computation yields are counted once."""
    once = {next((m.names for m in baselines.METHODS if channel in m.names), channel): channel for channel in channels}
    return sum(methods[channel].cost for channel in once.values())


def best_baseline(truth, works, methods, target):
    """The method that is not Byline's, knows all reported queries and reads the highest LDS."""

    others = {name: kept for name, kept in methods.items() if name not in BLENDS and not name.startswith("byline")}
    whole = {n: s for n, s in others.items() if len(s.of(truth.reported)[1]) == len(truth.reported)}
    if target is None or not whole:
        return None
    return max(whole, key=lambda name: lds_of(whole[name], works, truth, target)["lds"])


def _measured(kept, truth, works, drops, best, left_out):

    told = {"cost_epochs": round(kept.cost, 2), "seconds": round(kept.seconds, 1)}
    for kind, groups in drops.items():
        for group, target in groups.items():
            main = kind == main_drop(truth) and not group
            found = lds_of(kept, works, truth, target, best if main else None)
            told |= found if main else {f"{k}_{kind[:-1]}{'_other' if group else ''}": v for k, v in found.items()}
    if "lds" in told:
        told[f"lds_{main_drop(truth)[:-1]}"] = told["lds"]
    if f"lds_{main_drop(truth)[:-1]}_other" in told:
        told["lds_other"] = told[f"lds_{main_drop(truth)[:-1]}_other"]
    if left_out is not None:
        told |= loco_of(kept, works, truth, left_out)
    return told


def coverage_of(truth, drops, left_out):
    """How much truth there is, and the ceilings."""
    told = {"retrainings": len(truth.kind_R), "seeds": len(set(truth.seed_R.tolist())), "fresh_seeds": truth.fresh}
    for kind, groups in drops.items():
        for group, target in groups.items():
            key = f"{kind}{' ' + group if group else ''}"
            told[key] = {"subsets": len(target.numbers), "seeds": target.seeds, "ceiling": target.ceiling}
    if left_out is not None:
        told["contributors"] = {
            "left_out": len(left_out.names),
            "seeds": left_out.seeds,
            "ceiling_pearson": left_out.ceiling,
        }
    return told | {"queries": len(truth.reported)}


def printed(name, found):
    """The table of one task, as text."""
    told, methods = found["truth"], found["methods"]
    parts = {kind: part for kind, part in told.items() if "%" in kind}
    drops = "; ".join(
        f"{kind}: {part['subsets']} subsets x {part['seeds']:.1f} seeds, ceiling {_cell(part['ceiling'])}"
        for kind, part in parts.items()
    )
    loco = told.get("contributors", {"left_out": 0, "ceiling_pearson": None})
    lines = [
        f"{name}: {told['retrainings']} retrainings, {told['queries']} reported queries. {drops}. "
        f"{loco['left_out']} contributors left out, ceiling of r {_cell(loco['ceiling_pearson'])}. "
        f"Best baseline: {found['best_baseline']}.",
        f"{'method':<22}{'epochs':>9}" + "".join(f"{title:>9}" for title, _ in COLUMNS),
    ]
    for method, row in methods.items():
        cells = "".join(f"{_cell(row.get(key)):>9}" for _, key in COLUMNS)
        few = f" ({row['queries']} queries)" if row.get("queries", told["queries"]) < told["queries"] else ""
        lines.append(f"{method:<22}{row['cost_epochs']:>9.1f}{cells}{few}")
    lines += [f"{blend}: {weights}" for blend, weights in found["blends"].items()]
    return "\n".join(lines)


def _cell(value):
    return "-" if value is None else f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


BESIDE = ("capture", "scan", "invoice")  # what these benchmarks kept; bytes that are stored stand in the first


def keep(name, found, results=RESULTS):
    """bench-TASK.json, and the task's methods in latest.json beside what other benchmarks keep there."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    stamp = {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "hardware": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}",
    }
    results.mkdir(parents=True, exist_ok=True)
    _write(results / f"bench-{name}.json", {"task": name, **stamp, **found})
    latest = results / "latest.json"
    told = json.loads(latest.read_text(encoding="utf-8")) if latest.is_file() else {}
    beside = {part: results / f"{part}.json" for part in BESIDE}
    told |= {part: json.loads(path.read_text(encoding="utf-8")) for part, path in beside.items() if path.is_file()}
    _write(latest, told | {name: found["methods"]})


def _write(path, value):
    path.write_text(json.dumps(_rounded(value), indent=1, sort_keys=False) + "\n", encoding="utf-8")


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def run(name, wanted):
    bench = load(name)
    truth = read_truth(name, bench)
    if truth is None:
        print(f"{name}: no truth yet: python benchmarks/truth.py {name}")
        return
    if wanted != set():
        some = {
            "few": [*truth.calibrating[::3], *truth.reported[::5]],
            "asked": sorted({*truth.calibrating, *truth.reported}),
        }
        compute(name, bench, wanted, some, scores.BENCH)
    recipe = recipe_digest(bench)
    methods = {method: scores.read(name, method, recipe) for method in scores.kept(name, recipe)}
    if not methods:
        print(f"{name}: no scores are kept")
        return
    found = measure(truth, bench.works, methods)
    keep(name, found)
    print(printed(name, found), flush=True)


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(NAMES))
    asked.add_argument("--methods", help="compute only these where they are missing, comma-separated; none: nothing")
    told = asked.parse_args()
    wanted = None if told.methods is None else set(told.methods.split(",")) - {"none"}
    for name in told.tasks or NAMES:
        run(name, wanted)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
