"""Byline's own tiers in the bench's table: the sketch that training left behind, transport, and the exact audit."""

import torch

from baselines.recorded import Recorded, head_of
from byline.attribution import Metagradient, open_run
from byline.attribution.gauss_newton import GaussNewtonTransport

# Suffixes: N training examples, Q queries


def sketch(bench, recorded: Recorded):
    """Tier 0: what the recorder wrote while training; each query costs one backward pass."""
    table = open_run(recorded.folder).score(recorded.model, _named(recorded.queries), bench.measure)
    return aligned(bench, table), len(recorded.queries) / len(bench.example_ids)


def transport(bench, recorded: Recorded, numbers: list[int]):
    """Tier 2 through all parameters, told apart by channel: the head, and all that comes before it."""
    head = head_of(recorded.model)
    found = _transported(bench, recorded, numbers, lambda name: "head" if name.startswith(f"{head}.") else "body")
    cost = 4 / 3 * recorded.epochs * len(numbers)
    return {
        "byline-transport": (aligned(bench, found.total), cost),
        **{f"byline-{channel}": (aligned(bench, table), cost) for channel, table in found.channels.items()},
    }


def head_transport(bench, recorded: Recorded, numbers: list[int]):
    """Tier 2 through the head alone, everything else held still. The forward pass of the run is shared by the queries;
    a product then goes through the head's parameters only, which is what the cost counts."""
    head = head_of(recorded.model)
    found = _transported(bench, recorded, numbers, lambda name: "head" if name.startswith(f"{head}.") else "")
    matrices = {name: p.numel() for name, p in recorded.model.named_parameters() if p.ndim > 1}
    part = sum(count for name, count in matrices.items() if name.startswith(f"{head}.")) / sum(matrices.values())
    cost = recorded.epochs * (1 / 3 + 4 / 3 * part * len(numbers))
    return aligned(bench, found.total), cost


def audit(bench, recorded: Recorded, numbers: list[int]):
    """Tier 3: the exact metagradient, of a few queries."""
    metagradient = Metagradient().fit(recorded.model, bench.task, recorded.trajectory)
    queries = {str(q): recorded.queries[q] for q in numbers}
    return aligned(bench, metagradient.score(queries, bench.measure)), metagradient.cost_.epochs


def aligned(bench, table):
    """scores_QN of a table in the order of the task's examples; 0 for those that the run never read."""
    place = {example: n for n, example in enumerate(table.example_ids)}
    scores_QN = torch.zeros(len(table.query_ids), len(bench.example_ids))
    known = [n for n, example in enumerate(bench.example_ids) if example in place]
    scores_QN[:, known] = torch.from_numpy(table.scores_QN[:, [place[bench.example_ids[n]] for n in known]].copy())
    return scores_QN


def _transported(bench, recorded: Recorded, numbers, channels):
    transport, queries = GaussNewtonTransport(channels), {str(q): recorded.queries[q] for q in numbers}
    return transport.score(recorded.model, bench.task, recorded.trajectory, queries, bench.measure)


def _named(queries):
    return {str(q): query for q, query in enumerate(queries)}
