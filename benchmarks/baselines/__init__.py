"""Attribution methods of the bench's table, each `(bench, recorded) -> (scores_QN, cost in epochs)`.

Positive = proponent. The cost counts passes forward and backward over the training examples, in epochs of the training,
for every query that the method was asked, one by one; nothing is timed, and what the training recorded anyway costs
nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from baselines import ekfac, gradients, lexical, own
from baselines.recorded import Recorded


@dataclass(frozen=True)
class Method:
    """`names`: the rows of the table that one computation yields. `applies(bench)`: whether the task has what it needs.
    `partly`: "few" or "asked", computed only for those queries, which it is told: a few, or all that the table uses."""

    names: tuple[str, ...]
    compute: Callable[..., Any]
    applies: Callable[[Any], bool] = lambda bench: True
    partly: str = ""


METHODS = (
    Method(("random",), lexical.chance),
    Method(("bm25",), lexical.bm25, lexical.has_text),
    Method(("tfidf",), lexical.tfidf, lexical.has_text),
    Method(("lsa",), lexical.latent, lexical.has_text),
    Method(("embedding",), lexical.embedding, lexical.has_embedder),
    Method(("pixels",), lexical.pixels, lexical.has_images),
    Method(("components",), lexical.components, lexical.has_images),
    Method(("grad-dot",), gradients.grad_dot),
    Method(("grad-cos",), gradients.grad_cos),
    Method(("tracin",), gradients.tracin),
    Method(("tracin-adam",), gradients.tracin_adam),
    Method(("trackstar",), gradients.trackstar),
    Method(("ekfac-head",), ekfac.with_head),
    Method(("ekfac-nohead",), ekfac.without_head),
    Method(("ekfac-head-alone",), ekfac.head_alone),
    Method(("byline-sketch",), own.sketch),
    Method(("byline-transport", "byline-body", "byline-head"), own.transport, partly="asked"),
    Method(("byline-head-alone",), own.head_transport, partly="asked"),
    Method(("byline-audit",), own.audit, partly="few"),
)
NAMES = tuple(name for method in METHODS for name in method.names)


def compute(
    method: Method, bench: Any, recorded: Recorded, some: dict[str, list[int]]
) -> Iterator[tuple[str, Any, float, list[int]]]:
    """Name, scores_QN, cost and query numbers of each row of the table; `some` names the queries of costly methods."""
    queries = some[method.partly] if method.partly else list(range(len(recorded.queries)))
    found = method.compute(bench, recorded, queries) if method.partly else method.compute(bench, recorded)
    rows = found if isinstance(found, dict) else {method.names[0]: found}
    for name in method.names:
        yield name, *rows[name], queries
