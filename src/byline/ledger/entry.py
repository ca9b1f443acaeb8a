"""What is written in the journal: postings, which say what moves, and entries, which are postings written down.

Amounts are signed: what comes in (`assets:...`) is positive, what is owed, held or earned is negative, so every entry
sums to zero. Accounts: `assets:receivable`, `assets:bank`, `assets:advance:<party>`, `payable:<party>`,
`held:reserve`, `held:unclaimed:<work>`, `held:commons`, `held:dispute:<case>:<party>`, `held:withholding:<country>`,
`income:commission`, `equity:fx`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

from byline.core import Record, canonical_json, leaf_hash
from byline.ledger.lines import RECEIVABLE, Settlement

Balances: TypeAlias = dict[str, dict[str, int]]  # currency -> account -> nano-units


@dataclass(frozen=True, slots=True)
class Posting(Record):
    """What moves between accounts: `legs` are (account, nano-units as text), ordered by account, and sum to zero.
    `reference` is the event, case or payment it is about; the journal takes each reference once."""

    reference: str
    effective: date
    currency: str
    legs: tuple[tuple[str, str], ...]

    def moves(self) -> dict[str, int]:
        return {account: int(nano) for account, nano in self.legs}


@dataclass(frozen=True, slots=True)
class Entry(Record):
    """One booking. `settlement` is the run that made it, `effective` the day it counts for, `recorded` the moment it
    was written down; `leaf` (hex) is the hash of all the rest."""

    seq: int
    settlement: str
    reference: str
    effective: date
    recorded: datetime
    currency: str
    legs: tuple[tuple[str, str], ...]
    leaf: str = ""

    def sealed(self) -> "Entry":
        return replace(self, leaf=self.hash().hex())

    def hash(self) -> bytes:
        """RFC 6962 leaf hash of the canonical JSON of the entry without `leaf`."""
        return leaf_hash(canonical_json({name: value for name, value in self.to_json().items() if name != "leaf"}))

    def posting(self) -> Posting:
        return Posting(self.reference, self.effective, self.currency, self.legs)


@dataclass(frozen=True, slots=True)
class Head(Record):
    """Size of the journal and Merkle root (hex) over the leaves of its entries: publish it, and nothing can be undone
    unseen."""

    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Checkpoint(Record):
    """The balances at a size of the journal, as (currency, account, nano-units as text), zeros left out; `check` adds
    the entries up again and compares."""

    size: int
    root: str
    balances: tuple[tuple[str, str, str], ...]
    recorded: datetime


def posting(reference: str, effective: date, currency: str, moves: Mapping[str, int]) -> Posting:
    """The posting of these moves (account -> nano-units), ordered, without those of nothing."""
    legs = tuple((account, str(nano)) for account, nano in sorted(moves.items()) if nano)
    return Posting(reference, effective, currency, legs)


def postings_of(settlement: Settlement) -> Iterator[Posting]:
    """The posting of each event: what came in on one side, whom it is owed to on the other."""
    sums = {event.id: Counter({RECEIVABLE: event.nano}) for event in settlement.events}
    for line in settlement.lines:
        sums[line.event][line.account] -= line.nano
    for event in settlement.events:
        yield posting(event.id, event.received, event.currency, sums[event.id])


def write_down(posting: Posting, seq: int, run: str, recorded: datetime) -> Entry:
    fields = (posting.reference, posting.effective, recorded, posting.currency, posting.legs)
    return Entry(seq, run, *fields).sealed()


def add_up(entries: Iterator[Entry] | list[Entry]) -> Balances:
    """Balances of these entries, zeros left out."""
    sums: dict[str, Counter[str]] = {}
    for entry in entries:
        for account, nano in entry.legs:
            sums.setdefault(entry.currency, Counter())[account] += int(nano)
    return {
        currency: {name: nano for name, nano in sorted(of.items()) if nano} for currency, of in sorted(sums.items())
    }


def flat(balances: Balances) -> tuple[tuple[str, str, str], ...]:
    """Balances as a checkpoint holds them."""
    lines = ((currency, name, str(nano)) for currency, of in balances.items() for name, nano in of.items() if nano)
    return tuple(sorted(lines))
