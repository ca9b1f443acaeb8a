"""dattri 0.3.0: TracIn over the kept states, and LoGra for language models.

Its attributors return (train, query) with the target's own sign; the target here is a loss, minus the measurement, so a
positive score is a proponent. TracIn always sketches to 512 numbers through its constructor; the projection is taken
out afterwards, so that it is judged in full dimension.
"""

import torch
from baselines.gradients import masses, passes
from dattri.algorithm.logra import LoGraAttributor
from dattri.algorithm.tracin import TracInAttributor
from dattri.task import AttributionTask
from torch import nn
from torch.func import functional_call
from torch.utils.data import DataLoader, Dataset, TensorDataset

PROJECTION = 1024  # of LoGra: 32 by 32 per layer, the rank of the bench's own sketches
DAMPING = None  # of LoGra: the library's default rule


def run(bench, recorded, folder):
    found = {"peer-dattri-tracin": tracin(bench, recorded)}
    if bench.example_texts:
        found["peer-dattri-logra"] = logra(bench, recorded)
    return found


class Asked(nn.Module):
    """Loss or minus the measurement of one row, as a forward pass."""

    def __init__(self, bench, model):
        super().__init__()
        self.model, self.bench = model, bench

    def forward(self, row, query):
        if query:
            return -self.bench.measure(self.model, row if len(row) > 1 else row[0])
        batch = tuple(part[None] for part in row) if len(row) > 1 else row[0][None]
        return self.bench.task.losses(self.bench.task.outputs(self.model, batch), batch)[0]


def tracin(bench, recorded):
    asked, weights = Asked(bench, recorded.model), masses(recorded)
    states = [recorded.trajectory.state(taken).weights for taken in weights]
    task = AttributionTask(
        loss_func=lambda parameters, row: functional_call(asked, parameters, (row, False)),
        target_func=lambda parameters, row: functional_call(asked, parameters, (row, True)),
        model=asked,
        checkpoints=[{f"model.{name}": value for name, value in state.items()} for state in states],
        checkpoints_load_func=_loaded,
    )
    attributor = TracInAttributor(task, torch.tensor(list(weights.values())), normalized_grad=False)
    attributor.projector_kwargs = None
    examples = bench.task.batch(bench.example_ids, 0)
    queries = recorded.queries
    asked_of = [torch.stack(part) for part in zip(*queries, strict=True)] if isinstance(queries[0], tuple) else None
    scores_NQ = attributor.attribute(
        _loader(examples if isinstance(examples, tuple) else (examples,), 256),
        _loader(asked_of or (torch.stack(queries),), len(queries)),
    )
    settings = {"checkpoints": list(weights), "weights": "summed learning rate around each", "projection": None}
    return scores_NQ.T.numpy(), passes(bench, recorded) * len(weights), settings


def logra(bench, recorded):
    """Every linear layer, head included."""
    task = AttributionTask(
        loss_func=lambda model, batch, device: model(**batch).loss,
        model=recorded.model,
        checkpoints=[recorded.model.state_dict()],
    )
    attributor = LoGraAttributor(task, hessian="eFIM", damping=DAMPING, proj_dim=PROJECTION)
    tokens_NT = bench.task.batch(bench.example_ids, 0)
    loaders = [DataLoader(Sequences(rows), batch_size=16) for rows in (tokens_NT, torch.stack(recorded.queries))]
    attributor.cache(loaders[0])
    scores_NQ = attributor.attribute(*loaders)
    settings = {"hessian": "eFIM", "damping": DAMPING, "proj_dim": PROJECTION, "layers": "all linear"}
    return scores_NQ.T.numpy(), passes(bench, recorded), settings


class Sequences(Dataset):
    def __init__(self, tokens_NT):
        self.tokens_NT = tokens_NT

    def __len__(self):
        return len(self.tokens_NT)

    def __getitem__(self, n):
        return {"input_ids": self.tokens_NT[n], "labels": self.tokens_NT[n]}


def _loader(parts, batch):
    return DataLoader(TensorDataset(*parts), batch_size=batch, shuffle=False)


def _loaded(model, state):
    model.load_state_dict(state, strict=False)
    return model
