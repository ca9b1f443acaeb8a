"""A bench task that retrains in milliseconds: twelve contributors, a perceptron, and the truth of all its subsets."""

import numpy as np
import torch
from measures import Truth
from tasks import Bench
from torch import nn
from truth import DROP, Retrained, left_out, retrain

from byline.training import Plan
from byline.training.classifier import ClassifierTask, classify, log_odds

CONTRIBUTORS, WORKS, SPANS = 12, 3, 3
SUBSETS = {"2%": 0, "10%": 26, "50%": 26}
CALIBRATION = 8
FEATURES, CLASSES = 6, 3


def tiny_bench(fresh=False):
    generator = torch.Generator().manual_seed(5)
    count = CONTRIBUTORS * WORKS * SPANS
    centres = torch.randn(CONTRIBUTORS, FEATURES, generator=generator)
    owner = torch.arange(count) // (WORKS * SPANS)
    inputs = centres[owner] + 0.7 * torch.randn(count, FEATURES, generator=generator)
    rule = torch.randn(FEATURES, CLASSES, generator=generator)
    labels = (inputs @ rule + torch.randn(count, CLASSES, generator=generator)).argmax(1)
    ids = tuple(f"ex:{n:03}" for n in range(count))
    asked = centres.repeat_interleave(3, 0) + 0.7 * torch.randn(3 * CONTRIBUTORS, FEATURES, generator=generator)
    task = ClassifierTask(dict(zip(ids, inputs, strict=True)), dict(zip(ids, labels.tolist(), strict=True)))
    return Bench(
        name="tiny",
        example_ids=ids,
        works=tuple(f"work:{n // SPANS:02}" for n in range(count)),
        contributors={f"work:{w:02}": f"c{w // WORKS:02}" for w in range(CONTRIBUTORS * WORKS)},
        task=task,
        model=lambda seed: new_model(seed if fresh else 0),
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2, eps=1e-3, weight_decay=0.01),
        plan=lambda seed: Plan.epochs(ids, epochs=4, batch=18, rate=1e-2, seed=seed),
        held_out=tuple((row, label) for row, label in zip(asked, (asked @ rule).argmax(1), strict=True)),
        generate=lambda model: tuple((row, classify(model, row[None])[0]) for row in centres[:4]),
        measure=lambda model, query: log_odds(model, query[0][None], query[1][None])[0],
        measure_all=lambda model, queries: torch.stack([_measured(model, query) for query in queries]),
        fresh=fresh,
        features=lambda: (inputs, lambda query: query[0]),
        notes={"recipe": "tiny", "fresh": fresh},
    )


def new_model(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(FEATURES, 5), nn.GELU(), nn.Linear(5, CLASSES))


def tiny_truth(bench, queries, seeds=2):
    """Every job retrained, as benchmarks/truth.py does it."""
    counts = {"full": 1, "contributor": CONTRIBUTORS, **SUBSETS}
    jobs = [
        Retrained(kind, n, s)
        for s in range(seeds)
        for kind in counts
        for n in range(CALIBRATION if s and kind in DROP else 0, counts[kind])
    ]
    works = tuple(sorted(bench.contributors))
    assert set(counts) == {"full", "contributor", *DROP}
    return Truth(
        values_RQ=np.array([retrain(bench, job, queries) for job in jobs], dtype=np.float32),
        out_RW=np.array([np.isin(works, left_out(bench, job)) for job in jobs], dtype=np.uint8),
        kind_R=np.array([job.kind for job in jobs]),
        number_R=np.array([job.number for job in jobs]),
        seed_R=np.array([job.seed for job in jobs]),
        works=works,
        contributors=dict(bench.contributors),
        held_out=len(bench.held_out),
        fresh=bench.fresh,
        calibration=CALIBRATION,
    )


@torch.no_grad()
def _measured(model, query):
    return log_odds(model, query[0][None], query[1][None])[0]
