"""The outputs of a period, as the last `byline attribute` kept them, and what an audit asks of them."""

from collections.abc import Mapping
from typing import Any

from byline.app.model import Training
from byline.core import AppError
from byline.training import Query

PERIOD = "period"  # the query that is the sum of all outputs


def outputs_of(told: Mapping[str, Any], training: Training) -> dict[str, Query]:
    """The outputs that make the period: generated ones if there are any, as `byline attribute` adds them up."""
    passages = told["passages"]
    if any("tokens" not in passage or "start" not in passage for passage in passages):
        again = f"byline attribute --name {training.name} --home {training.home.path}"
        raise AppError("unreadable", "attribution.json was made by a version that did not keep its tokens", again)
    made = [passage for passage in passages if passage["kind"] == "generated"] or passages
    return {passage["id"]: Query(tuple(passage["tokens"]), passage["start"]) for passage in made}


def queries_of(outputs: Mapping[str, Any], alone: int) -> dict[str, tuple[Any, ...]]:
    """The period, and some of its outputs alone, evenly spread. A period of one output is that output."""
    names = list(outputs)
    count = min(alone, len(names))
    chosen = [names[i * len(names) // count] for i in range(count)]
    period = {PERIOD: tuple(outputs.values())} if len(names) > 1 else {}
    return period | {name: (outputs[name],) for name in chosen}
