"""Small recorded trainings of the models of the capture tests, and queries about them."""

import sys
from pathlib import Path

import torch

from byline.attribution import open_run
from byline.capture import Projector, Recorder

sys.path.insert(0, str(Path(__file__).parents[1] / "capture"))
from oracle import WORLDS

QUERIES = {"query:a": [0], "query:b": [2, 5], "query:c": [7]}


def record(path, name, optimizer_of, steps=15, order=(0, 1, 2, 3), examples=8, rank=4):
    """Train a model of the capture tests; wherever example 1 stands in a batch, so does a copy of it, "ex:twin"."""
    world = WORLDS[name]
    model, data = world.model(), world.examples(examples)
    optimizer = optimizer_of(model)
    with Recorder(model, optimizer, path, projector=Projector(rank)) as recorder:
        for step in range(steps):
            rows = [(step + i) % examples for i in order]
            ids = [f"ex:{row}" for row in rows]
            if 1 in rows:
                rows, ids = [*rows, 1], [*ids, "ex:twin"]
            with recorder.batch(ids):
                total, terms = world.loss(model, [data[row] for row in rows])
                (total / terms).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.param_groups[0]["lr"] = 0.02 / (1 + step)
            optimizer.step()
            optimizer.zero_grad()
    return model, open_run(path)


def measure_of(name):
    """Log-likelihood-like: minus the loss of the examples that a query lists."""
    world = WORLDS[name]
    data = world.examples(8)
    return lambda model, query: -world.loss(model, [data[row] for row in query])[0]


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.02)
