"""Tier 2 on a training of ours: the recorded run walked again, backwards for a period, forwards for contributors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.app.model import Progress, Training
from byline.app.passages import Passage
from byline.attribution import GaussNewtonTransport, Transported, contributor_tangents, read_trajectory
from byline.core import PartyId, ScoreTable
from byline.training import LanguageTask, Query, single_thread, token_log_likelihood

# Suffixes: Q queries, N training examples, C contributors

Floats = npt.NDArray[np.float64]
METHOD = GaussNewtonTransport().method
HEAD, BODY = "head", "body"  # channels of the transport


def log_likelihood(model: nn.Module, outputs: Sequence[Query]) -> Tensor:
    """Sum over outputs of the mean log-likelihood per token, nats; with gradients."""
    return torch.stack([_mean(model, output) for output in outputs]).sum()


def _mean(model: nn.Module, output: Query) -> Tensor:
    values_T = token_log_likelihood(model, torch.tensor([output.tokens]))[0]
    return values_T[max(output.start - 1, 0) :].mean()


def channel_of(model: nn.Module) -> Callable[[str], str]:
    """Parameter name -> "head" for the last linear layer, "body" for all that comes before it."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    head = f"{linear[-1]}." if linear else ""
    return lambda parameter: HEAD if head and parameter.startswith(head) else BODY


def period_scores(
    training: Training, passages: Sequence[Passage], progress: Progress, transport: GaussNewtonTransport | None = None
) -> Transported:
    """What every example did to the sum of the passages: one query, whatever their number. Same on every machine.

    `transport`: another than the plain one, by its channels or its batches."""
    transport = transport or GaussNewtonTransport()
    again = "" if transport.resample is None else f", resampled {transport.resample}"
    with single_thread():
        found = transport.score(
            training.model(),
            LanguageTask.of(training.corpus),
            read_trajectory(training.run.store),
            {"period": [passage.query for passage in passages]},
            log_likelihood,
            lambda done, of: progress(f"carrying the period back through training{again}", done, of),
        )
    ids = training.run.store.example_ids
    return Transported({name: aligned(table, ids) for name, table in found.channels.items()}, found.products)


def left_out_effects(
    training: Training, passages: Sequence[Passage], members: Mapping[PartyId, set[str]], progress: Progress
) -> Floats:
    """predicted_CQ: what every passage owes to each set of examples, by tangents carried forwards together."""
    model = training.model()
    tangents = contributor_tangents(
        model,
        LanguageTask.of(training.corpus),
        read_trajectory(training.run.store),
        {str(party): mine for party, mine in members.items()},
        lambda done, of: progress("carrying contributors through training", done, of),
    )
    scores_QC = tangents.score(model, {p.id: [p.query] for p in passages}, log_likelihood)
    return scores_QC.T.astype(np.float64)


def aligned(table: ScoreTable, example_ids: Sequence[str]) -> ScoreTable:
    """The table with its examples in another order; an example that was never visited scores 0."""
    place: dict[str, Any] = {example: n for n, example in enumerate(table.example_ids)}
    scores_QN = np.zeros((len(table.query_ids), len(example_ids)), dtype=np.float32)
    for n, example in enumerate(example_ids):
        if example in place:
            scores_QN[:, n] = table.scores_QN[:, place[example]]
    return ScoreTable(scores_QN, table.query_ids, tuple(example_ids), table.method)
