"""EK-FAC, as the product has it (`byline.attribution.EKFAC`), with and without the head and from the head alone."""

import functools

import torch
from torch import Tensor

from baselines.gradients import passes
from baselines.recorded import Recorded, head_of
from byline.attribution import EKFAC
from byline.attribution.ekfac import PASSES


def with_head(bench, recorded: Recorded):
    return _summed(bench, recorded, lambda name: True)


def without_head(bench, recorded: Recorded):
    head = head_of(recorded.model)
    return _summed(bench, recorded, lambda name: name != head)


def head_alone(bench, recorded: Recorded):
    head = head_of(recorded.model)
    return _summed(bench, recorded, lambda name: name == head)


@functools.lru_cache(maxsize=1)
def layer_scores(recorded: Recorded) -> dict[str, Tensor]:
    """Scores (Q, N) of every layer apart, examples in the order of the task; influence is their sum."""
    bench = recorded.bench
    fitted = EKFAC().fit(recorded.model, bench.task, recorded.trajectory)
    queries = {str(q): query for q, query in enumerate(recorded.queries)}
    found = fitted.by_layer(queries, bench.measure, example_ids=bench.example_ids)
    return {name: torch.from_numpy(table.scores_QN.copy()) for name, table in found.items()}


def _summed(bench, recorded: Recorded, wanted):
    parts = [scores_QN for name, scores_QN in layer_scores(recorded).items() if wanted(name)]
    return torch.stack(parts).sum(0), passes(bench, recorded, fixed=float(PASSES))
