"""What a vote can bring about, read from the JSON that is voted on; what cannot be read cannot be proposed."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from byline.cooperative.offer import Offer
from byline.cooperative.records import Effect, Fate, Option, Statutes
from byline.core import BylineError, CooperativeError, Record, canonical_json
from byline.ledger import Policy

_READ: Mapping[Effect, Callable[[dict[str, Any]], Record]] = {
    Effect.POLICY: Policy.from_json,
    Effect.OFFER: Offer.from_json,
    Effect.UNCLAIMED: Fate.from_json,
    Effect.STATUTES: Statutes.from_json,
}


def read_document(effect: Effect, told: Any) -> Record:
    """Raises: CooperativeError("bad-document") saying what is wrong with it."""
    try:
        return _READ[effect](told)
    except BylineError as fault:
        fix = f"docs/cooperatives.md shows one; {fault.fix or 'then propose again'}"
        raise CooperativeError("bad-document", f"this is no {effect}: {fault.message}", fix) from fault


def option(name: str, effect: Effect, told: Any) -> Option:
    """Raises: CooperativeError("bad-document")."""
    return Option(name, canonical_json(read_document(effect, told).to_json()).decode())


def document(effect: Effect, chosen: Option) -> Record:
    """What an option brings about. Raises: CooperativeError("bad-document")."""
    return read_document(effect, json.loads(chosen.document))
