"""Corrections: what a settlement would have posted had it been known then, minus what was posted, and nothing else.

The old entries stay, and so do the statements made from them. Whatever was done in between (held, paid, withheld), the
balances afterwards are those of the corrected settlement posted from the start with the same things done to it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from byline.core import LedgerError, Record, digest, make_id
from byline.ledger.entry import Posting, posting, postings_of
from byline.ledger.settlement import Settlement, settle_again

ADJUSTMENT_RULE = "byline-adjustment-1"


@dataclass(frozen=True, slots=True)
class Adjustment(Record):
    """`settlement` in place of the settlement `replaces`. `after`: the run that last spoke about these events, so that
    going back to an earlier state is a new adjustment. `effective`: the day on which it counts."""

    replaces: str
    after: str
    settlement: Settlement
    effective: date
    because: str

    @property
    def id(self) -> str:
        return make_id("adjustment", digest(self.inputs()))

    def inputs(self) -> dict[str, Any]:
        """JSON of everything but the lines."""
        return {"rule": ADJUSTMENT_RULE, **self.to_json(), "settlement": self.settlement.inputs()}

    def postings(self, posted: Mapping[str, Mapping[str, int]]) -> Iterator[Posting]:
        """The differences to `posted` (event -> account -> nano-units), of the events that have one."""
        for due in postings_of(self.settlement):
            delta = Counter(due.moves())
            delta.subtract(posted[due.reference])
            if any(delta.values()):
                yield posting(f"{due.reference}~{self.id}", self.effective, due.currency, delta)

    def refuse_unless_same_events(self, posted: Mapping[str, Mapping[str, int]]) -> None:
        """Raises: LedgerError("adjustment-differs")."""
        told = {event.id for event in self.settlement.events}
        if told != set(posted):
            strange = sorted(told ^ set(posted))[0]
            raise LedgerError(
                "adjustment-differs",
                f"{self.replaces} and its correction do not settle the same events: {strange} is in one only",
                "correct all events of the settlement, with the money received as it was or as it is known now",
            )


def adjustment_again(inputs: Mapping[str, Any]) -> Adjustment:
    """The adjustment of stored `Adjustment.inputs()`. Raises: those of `settle_again`."""
    day = date.fromisoformat(inputs["effective"])
    settlement = settle_again(inputs["settlement"])
    return Adjustment(inputs["replaces"], inputs["after"], settlement, day, inputs["because"])


def event_of(reference: str, run: str) -> str:
    """The event that an entry of a settlement, or of its adjustment `run`, is about."""
    return reference.removesuffix(f"~{run}")


def posted_by_event(entries: Iterable[tuple[str, str, str, int]]) -> dict[str, Counter[str]]:
    """(reference, run, account, nano-units) rows added up: event -> account -> nano-units."""
    sums: dict[str, Counter[str]] = {}
    for reference, run, account, nano in entries:
        sums.setdefault(event_of(reference, run), Counter())[account] += nano
    return sums
