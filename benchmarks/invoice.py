"""What tier 2 costs: a period's invoice in trainings, and every contributor's part in a new output in milliseconds.

    python benchmarks/invoice.py [TASK]

Trains and records a task of the bench, then carries a period of 1 and of 20 outputs back through it: CPU time over
that of the training, taken in the same process. Then tangents of 43 contributors of a model of a million parameters
(made-up numbers: only their size matters) are asked about one output: the time beyond its one backward pass. Writes
benchmarks/results/invoice.json.
"""

import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from baselines.recorded import record
from tasks import load

from byline.attribution import GaussNewtonTransport
from byline.attribution.gauss_newton import gradients
from byline.attribution.tangents import quantised
from byline.training import Recipe, fit, new_model, single_thread, token_log_likelihood

RESULTS = Path(__file__).parent / "results" / "invoice.json"
CONTRIBUTORS = 43


def invoice(task):
    """CPU seconds of a training and of an invoice over 1 and over 20 outputs."""
    bench = load(task)
    with single_thread(), tempfile.TemporaryDirectory() as folder:
        recorded = record(bench, Path(folder) / task)
        model = bench.model(0)
        optimizer, plan = bench.optimizer(model), bench.plan(0)
        started = time.process_time()
        fit(model, optimizer, bench.task, plan)
        told = {"task": task, "training": time.process_time() - started}
        for outputs in (1, 20):
            period = {"period": recorded.queries[:outputs]}
            started = time.process_time()
            GaussNewtonTransport().score(
                recorded.model,
                bench.task,
                recorded.trajectory,
                period,
                lambda m, asked: torch.stack([bench.measure(m, query) for query in asked]).sum(),
            )
            told[f"outputs_{outputs}"] = time.process_time() - started
    return told


def latency(rounds=7):
    """Milliseconds of one backward pass, and of the dot products with every tangent after it."""
    with single_thread():
        model = new_model(Recipe(width=128, inner=384, vocabulary=2048))
        named = dict(model.named_parameters())
        made = [torch.randn(CONTRIBUTORS, *p.shape) for p in named.values()]
        tangents = quantised([f"c{n}" for n in range(CONTRIBUTORS)], dict(zip(named, made, strict=True)))
        query, backward, dots = torch.randint(2048, (64,)), [], []
        for _ in range(rounds):
            started = time.process_time()
            found = gradients([query], named, model, lambda m, q: token_log_likelihood(m, q[None]).mean())
            between = time.process_time()
            tangents.dots(found)
            backward.append(between - started)
            dots.append(time.process_time() - between)
        return {
            "contributors": CONTRIBUTORS,
            "parameters": sum(p.numel() for p in named.values()),
            "bytes": tangents.values_CP.numel() + 4 * tangents.scales_CR.numel(),
            "backward_ms": 1000 * statistics.median(backward),
            "dots_ms": 1000 * statistics.median(dots),
        }


def main(task="finetune"):
    cost, new = invoice(task), latency()
    ratios = {outputs: cost[f"outputs_{outputs}"] / cost["training"] for outputs in (1, 20)}
    print(f"{task}: training {cost['training']:.1f} s CPU; an invoice over 1 output {ratios[1]:.2f} trainings,")
    print(f"over 20 outputs {ratios[20]:.2f} (bar: at most 2)")
    print(
        f"{new['contributors']} contributors, {new['parameters']:,} parameters: {new['dots_ms']:.0f} ms beyond one "
        f"backward pass of {new['backward_ms']:.0f} ms (bar: at most 100)"
    )
    told = {
        "date": datetime.date.today().isoformat(),
        "hardware": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, torch {torch.__version__}",
        "invoice": cost | {f"trainings_{outputs}": ratio for outputs, ratio in ratios.items()},
        "tangents": new,
    }
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
