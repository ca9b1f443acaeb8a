"""A recorded training of your own, and what Byline has to know to measure how right it is about it.

python examples/my_run.py runs/mine
byline evaluate --run runs/mine --subject examples/my_run.py
byline audit --run runs/mine --subject examples/my_run.py
"""

import sys

import torch
from torch import nn

import byline

CONTRIBUTORS, EACH, STEPS = 12, 10, 120

draw = torch.Generator().manual_seed(0)
centres = torch.randn(CONTRIBUTORS, 4, generator=draw)
inputs = (centres[:, None] + 0.3 * torch.randn(CONTRIBUTORS, EACH, 4, generator=draw)).flatten(0, 1)
targets = torch.sin(2 * inputs).sum(1, keepdim=True) + 0.1 * torch.randn(len(inputs), 1, generator=draw)
IDS = [f"contributor {row // EACH}/example {row % EACH}" for row in range(len(inputs))]


def new_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))


class Regression:
    """Batches and losses by example id: the only part of the training that has to be told twice."""

    def batch(self, example_ids, step):
        rows = [IDS.index(example) for example in example_ids]
        return inputs[rows], targets[rows]

    def outputs(self, model, batch):
        return model(batch[0])

    def losses(self, outputs, batch):  # one number per row; the step's loss is their mean
        return (outputs - batch[1]).square().sum(1)


def subject():
    fresh = {f"near contributor {c}": centres[c : c + 1] for c in range(0, CONTRIBUTORS, 3)}
    return byline.Subject(
        model=new_model(),
        task=Regression(),
        queries=fresh,
        measure=lambda model, query: model(query).sum(),  # how high it answers
        contributors={f"contributor {c}": IDS[c * EACH : (c + 1) * EACH] for c in range(CONTRIBUTORS)},
    )


def train(path):
    torch.set_num_threads(1)  # a replay repeats sums in the same order only on as many threads
    model, task = new_model(), Regression()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, eps=1e-3)
    recorder = byline.Recorder(model, optimizer, path=path, checkpoints=6)
    order = torch.Generator().manual_seed(1)
    with recorder:
        for _ in range(STEPS):
            ids = [IDS[row] for row in torch.randperm(len(IDS), generator=order)[:24].tolist()]
            with recorder.batch(ids):
                batch = task.batch(ids, 0)
                task.losses(task.outputs(model, batch), batch).mean().backward()
            optimizer.step()
            optimizer.zero_grad()


if __name__ == "__main__":
    train(sys.argv[1])
