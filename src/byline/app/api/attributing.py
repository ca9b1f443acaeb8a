"""The long job behind /v1/attributions: where some texts came from, one after the other, each kept when it is done."""

from typing import Any

from byline.app.api.current import Place
from byline.app.api.jobs import Held

ATTRIBUTION = "attribution"
Told = dict[str, Any]


def attribute_texts(place: Place, held: Held) -> Told:
    """What `byline attribute` says of each text, without the period: money never follows from a question.

    Raises: those of `Training.open` and `given_passages`.
    """
    held.progress("opening the training", 0, 1)
    from byline.app.answers import attribute_passages
    from byline.app.model import Training
    from byline.app.passages import given_passages

    asked, parts = held.job.body, held.parts()
    training = Training.open(place.home, asked["training"])
    for number, each in enumerate(asked["texts"]):
        if number in parts:
            continue
        passages = given_passages(training, each["text"], each["title"])
        told, _, _ = attribute_passages(training, passages, held.progress)
        parts[number] = told
        held.keep(number, told)
    return merged([parts[number] for number in range(len(asked["texts"]))])


def merged(parts: list[Told]) -> Told:
    """The answers of one training together: the passages in the order of the texts."""
    return parts[0] | {"passages": [passage for part in parts for passage in part["passages"]]}
