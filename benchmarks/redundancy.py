"""Does the redundancy game predict retrainings without pairs and subsets better than the linear game does?

    python benchmarks/redundancy.py [TASK ...] [--pairs 80]

Retrains without pairs of contributors (drawn once, kept in `.bench/TASK/pairs.jsonl`), and holds both games against
them, against the kept truth of single contributors and of half of the works. Both start from the same scores, those of
the transport; nothing is fitted to a retraining. `interaction` is what a pair's drop has beyond its two single drops:
the linear game says 0. Writes benchmarks/results/redundancy.json.
"""

import argparse
import itertools
import json
import os
from pathlib import Path

import numpy as np
import scores
import torch
import truth as truths
from baselines.recorded import recipe_digest
from bench import read_truth
from measures import effects, targets
from tasks import load

from byline.attribution import RIDGE, WIDTH, displacements, held_game, leading
from byline.evaluation import pearson, slope, spearman
from byline.store import open_store
from byline.training import fit, single_thread

# Suffixes: Q queries, N training examples, P pairs, C contributors, M subsets, W works

RESULTS = Path(__file__).parent / "results"


def pairs_of(name, bench, count):
    """[(two names, value of every query without both)], made now where they are missing."""
    path = scores.BENCH / name / "pairs.jsonl"
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    names = sorted(set(bench.contributors.values()))
    wanted = list(itertools.combinations(range(len(names)), 2))
    np.random.default_rng(0).shuffle(wanted)
    queries = truths.queries_of(bench) if len(kept) < count else ()
    with path.open("a") as file:
        for pair in wanted[len(kept) : count]:
            told = {"pair": [names[i] for i in pair], "values": retrained(bench, {names[i] for i in pair}, queries)}
            file.write(json.dumps(told) + "\n")
            file.flush()
            kept.append(told)
    return kept[:count]


def retrained(bench, out, queries):
    weights_N = torch.tensor([float(bench.contributors[work] not in out) for work in bench.works])
    with single_thread():
        model = bench.model(0)
        fit(model, bench.optimizer(model), bench.task, bench.plan(0), weights_N=weights_N)
        model.eval()
        return [float(value) for value in bench.measure_all(model, queries)]


def linear(scores_QN, works):
    """value_Q of a set of works (kept_W in the order of their names)."""
    names, index_N = np.unique(works, return_inverse=True)
    sums_QW = np.stack([np.bincount(index_N, row_N, len(names)) for row_N in scores_QN])
    return lambda kept_W: sums_QW @ kept_W


def redundant(scores_QN, works, features_ND):
    """The same by the redundancy game, with the works as players."""
    held = [held_game(features_ND, row_N, works) for row_N in scores_QN]
    moments_WDD, targets_WD = held[0].game.moments(range(len(held[0].players)))
    psi_QD, rest_QW = np.stack([one.psi_D for one in held]), np.stack([one.rest_G for one in held])
    ridge_DD = RIDGE * np.eye(features_ND.shape[1])

    def value(kept_W):
        theta_D = np.linalg.solve(np.tensordot(kept_W, moments_WDD, 1) + ridge_DD, kept_W @ targets_WD)
        return psi_QD @ theta_D + rest_QW @ kept_W

    return value


def measured(value, truth, works, pairs, known):
    """Agreement of one game with pairs, single contributors and halves, over the reported queries."""
    names = np.unique(works)
    owners_W = np.array([truth.contributors[work] for work in names])
    loco, target = effects(truth), targets(truth, "50%")[""]
    whole_Q, real_Q = value(np.ones(len(names))), truth.values_RQ[truth.row("full", 0, 0)][known]
    single = {name: whole_Q - value((owners_W != name) * 1.0) for name in loco.names}
    real = dict(zip(loco.names, loco.actual_CQ[:, known], strict=True))
    drops_PQ = np.array([whole_Q - value(~np.isin(owners_W, p["pair"]) * 1.0) for p in pairs])
    lost_PQ = np.array([real_Q - np.array(p["values"])[known] for p in pairs])
    beyond_PQ, truly_PQ = (
        both - np.array([one[p["pair"][0]] + one[p["pair"][1]] for p in pairs])
        for both, one in ((drops_PQ, single), (lost_PQ, real))
    )
    kept_MW = truth.kept(list(names), "50%", target.numbers)
    halves_QM = np.stack([value(kept_W) for kept_W in kept_MW], axis=1)
    actual_QM = target.actual_QM[known]
    alone_CQ = np.array([single[name] for name in loco.names])
    return {
        "pairs_spearman": spearman(drops_PQ.ravel(), lost_PQ.ravel()),
        "pairs_slope": slope(drops_PQ.ravel(), lost_PQ.ravel()),
        "interaction_pearson": pearson(beyond_PQ.ravel(), truly_PQ.ravel()) if np.ptp(beyond_PQ) > 1e-9 else None,
        "loco_spearman": spearman(alone_CQ.ravel(), loco.actual_CQ[:, known].ravel()),
        "loco_slope": slope(alone_CQ.ravel(), loco.actual_CQ[:, known].ravel()),
        "lds_50": float(np.mean([spearman(p, a) for p, a in zip(halves_QM, actual_QM, strict=True)])),
        "slope_50": slope(centred(halves_QM), centred(actual_QM)),
        "whole_over_linear": float(whole_Q.sum()),
    }


def centred(values_QM):
    return (values_QM - values_QM.mean(1, keepdims=True)).ravel()


def run(name, count):
    bench = load(name)
    truth, recipe = read_truth(name, bench), recipe_digest(bench)
    rows, known = scores.read(name, "byline-transport", recipe).of(truth.reported)
    store, works = open_store(scores.BENCH / name / f"run-{recipe}"), np.array(bench.works)
    place = {example: n for n, example in enumerate(store.example_ids)}
    features_ND = leading(displacements(store)[[place[e] for e in bench.example_ids]])
    pairs, scores_QN = pairs_of(name, bench, count), rows.astype(np.float64)
    found = {
        game: measured(value, truth, works, pairs, known)
        for game, value in {
            "linear": linear(scores_QN, works),
            "redundancy": redundant(scores_QN, works, features_ND),
        }.items()
    }
    whole = found["linear"]["whole_over_linear"]
    for row in found.values():
        row["whole_over_linear"] /= whole
    print(name, f"{len(pairs)} pairs, ridge {RIDGE}, width {WIDTH}", json.dumps(found, indent=1), flush=True)
    return {"pairs": len(pairs), "queries": len(known), "ridge": RIDGE, "width": WIDTH} | found


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("tasks", nargs="*", default=[], metavar="TASK", help="default: digits, finetune")
    asked.add_argument("--pairs", type=int, default=40)
    told = asked.parse_args()
    path = RESULTS / "redundancy.json"
    kept = json.loads(path.read_text()) if path.is_file() else {}
    for name in told.tasks or ("digits", "finetune"):
        found = run(name, told.pairs)
        kept[name] = json.loads(json.dumps(found), parse_float=lambda x: round(float(x), 4))
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
