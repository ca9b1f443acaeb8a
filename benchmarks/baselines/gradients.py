"""Baselines that compare gradients: dot products, cosines, sums along the run (TracIn), and a TrackStar-like cosine.

A measurement f is likelihood-like, an example's gradient that of its loss, so the influence of raising the example's
weight is minus their product: positive = proponent everywhere.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from baselines.recorded import Recorded, columns, example_gradients, load, query_gradients, size
from byline.attribution.path import Path

# Suffixes: N training examples, Q queries, P parameters laid end to end, S steps


def passes(bench, recorded: Recorded, fixed: float = 1.0) -> float:
    """Cost in epochs: one backward pass per query, and `fixed` epochs over the training examples."""
    return fixed * len(recorded.steps) + len(recorded.queries) / len(bench.example_ids)


def grad_dot(bench, recorded: Recorded):
    return -(recorded.queries_QP @ recorded.gradients_NP.T), passes(bench, recorded)


def grad_cos(bench, recorded: Recorded):
    return -(_unit(recorded.queries_QP) @ _unit(recorded.gradients_NP).T), passes(bench, recorded)


def tracin(bench, recorded: Recorded):
    """TracInCP, arXiv 2002.08484: dots at every kept state, weighed by the learning rate around it."""
    return _along(bench, recorded, preconditioned=False)


def tracin_adam(bench, recorded: Recorded):
    """The same for what Adam did with the gradient: divided by the root of its second moment at that state."""
    return _along(bench, recorded, preconditioned=True)


def trackstar(bench, recorded: Recorded, damping: float = 0.1):
    """Cosine after Adam's scale and the inverse root of the empirical Fisher, as TrackStar (arXiv 2410.17413).

    Differs: no projection. Per parameter, R = G^T G / N + damping * (mean of R's eigenvalues that are not zero); what
    is needed of R^-1 follows from dots of gradients (Woodbury), so R is never formed. R is of training examples only.
    """
    scale_P = preconditioner(bench, recorded, len(recorded.trajectory.steps))
    sizes = len(bench.example_ids), len(recorded.queries)
    dots_QN, norms_N, norms_Q = torch.zeros(sizes[1], sizes[0]), torch.zeros(sizes[0]), torch.zeros(sizes[1])
    for part in columns(recorded.model).values():
        gradients = recorded.gradients_NP[:, part] * scale_P[part]
        queries = recorded.queries_QP[:, part] * scale_P[part]
        dots, own_N, own_Q = _whitened(queries, gradients, damping)
        dots_QN, norms_N, norms_Q = dots_QN + dots, norms_N + own_N, norms_Q + own_Q
    return -dots_QN / (norms_Q[:, None] * norms_N).clamp_min(1e-30).sqrt(), passes(bench, recorded)


def preconditioner(bench, recorded: Recorded, step: int) -> Tensor:
    """(P,): 1 / (root of the bias-corrected second moment + epsilon) after `step` steps, 1 for SGD; 0 where no gradient
    ever came."""
    found = Path(recorded.trajectory).preconditioners(max(step - 1, 0))
    layout = columns(recorded.model)
    return torch.cat([found[name].expand(recorded.model.get_parameter(name).shape).reshape(-1) for name in layout])


def masses(recorded: Recorded) -> dict[int, float]:
    """Each kept state's part of the summed learning rate: half of what lies between it and its neighbours."""
    travelled_S = np.concatenate([[0.0], np.cumsum([step.rates[0] for step in recorded.trajectory.steps])])
    found = dict.fromkeys(recorded.trajectory.kept, 0.0)
    for before, after in pairwise(recorded.trajectory.kept):
        half = float(travelled_S[after] - travelled_S[before]) / 2
        found[before] += half
        found[after] += half
    return found


def _along(bench, recorded: Recorded, preconditioned: bool):
    scores_QN = torch.zeros(len(recorded.queries), len(bench.example_ids))
    model = bench.model(0).eval()
    for taken, mass in masses(recorded).items():
        load(model, recorded.trajectory.state(taken).weights)
        scale_P = preconditioner(bench, recorded, taken) if preconditioned else torch.ones(size(model))
        queries_QP = query_gradients(bench, model, recorded.queries) * scale_P * (mass / len(bench.example_ids))
        for n, row_P in enumerate(example_gradients(bench, model, recorded.steps)):
            scores_QN[:, n] -= queries_QP @ row_P
    return scores_QN, passes(bench, recorded) * len(recorded.trajectory.kept)


def _whitened(queries_QP: Tensor, gradients_NP: Tensor, damping: float) -> tuple[Tensor, Tensor, Tensor]:
    """q^T R^-1 g of all pairs (Q, N), and g^T R^-1 g and q^T R^-1 q: (N,), (Q,)."""
    count = len(gradients_NP)
    gram_NN, cross_QN = (gradients_NP @ gradients_NP.T).double(), (queries_QP @ gradients_NP.T).double()
    ridge = damping * float(gram_NN.trace()) / count / min(gradients_NP.shape)
    if ridge == 0:
        return torch.zeros(cross_QN.shape), torch.zeros(count), torch.zeros(len(queries_QP))
    inner_NN = gram_NN + count * ridge * torch.eye(count, dtype=torch.float64)
    solved_NN, solved_NQ = (torch.linalg.solve(inner_NN, right) for right in (gram_NN, cross_QN.T))
    dots_QN = cross_QN - cross_QN @ solved_NN
    own_N = gram_NN.diagonal() - (gram_NN * solved_NN).sum(0)
    own_Q = queries_QP.double().square().sum(1) - (cross_QN.T * solved_NQ).sum(0)
    return tuple((part / ridge).float() for part in (dots_QN, own_N, own_Q))


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
