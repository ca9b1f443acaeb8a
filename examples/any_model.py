"""Record the training of any torch.nn.Module, then ask which examples stand behind an answer of its."""

import tempfile

import torch
from torch import nn

import byline

torch.manual_seed(0)
inputs, weights = torch.randn(64, 8), torch.randn(8, 1)
targets = inputs @ weights
targets[7] += 20  # one example is labelled wrongly
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
folder = tempfile.TemporaryDirectory()

recorder = byline.Recorder(model, optimizer, path=f"{folder.name}/run")
with recorder:
    for _ in range(20):
        for rows in torch.randperm(64).split(16):
            with recorder.batch([f"example {row}" for row in rows.tolist()]):
                (model(inputs[rows]) - targets[rows]).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()


def fit(model, case):  # higher is better: a loss is negated
    return -(model(case) - case @ weights).square().mean()


table = byline.open_run(f"{folder.name}/run").score(model, {"a case like 7": inputs[7:8]}, fit)
ranked = [table.example_ids[n] for n in table.scores_QN[0].argsort()]
print("pushed the answer away from the truth:", ranked[0])
print("pulled it there:", ", ".join(ranked[:-4:-1]))
folder.cleanup()
