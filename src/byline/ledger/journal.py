"""The journal: double entry, append-only, in SQL. One entry per revenue event; balances are sums over all legs.

Amounts are signed: what comes in (`assets:...`) is positive, what is owed, held or earned is negative, so every entry
sums to zero. Accounts: `assets:receivable`, `payable:<party>`, `held:reserve`, `held:unclaimed:<work>`, `held:commons`,
`income:commission`. Nothing is edited: the database itself refuses updates and deletions, and `check` finds what was
changed behind its back, by computing every hash, sum and settlement again.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa

from byline.core import (
    BylineError,
    EventId,
    LedgerError,
    Problem,
    Record,
    Source,
    canonical_json,
    leaf_hash,
    merkle_root,
)
from byline.ledger.settlement import RECEIVABLE, Settlement, settle_again
from byline.registry import upgrade, writing

_META = sa.MetaData()
_SETTLEMENT = sa.Table("ledger_settlement", _META, sa.Column("id", sa.Text), sa.Column("inputs", sa.Text))
_ENTRY = sa.Table(
    "ledger_entry",
    _META,
    sa.Column("seq", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("settlement", "reference", "effective", "recorded", "currency", "leaf")),
)
_LEG = sa.Table(
    "ledger_leg",
    _META,
    sa.Column("entry", sa.BigInteger),
    sa.Column("account", sa.Text),
    sa.Column("amount_nano", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class Entry(Record):
    """One booking. `effective` is the day it counts for, `recorded` the moment it was written down; `legs` are
    (account, nano-units as text), ordered by account; `leaf` (hex) is the hash of all the rest."""

    seq: int
    settlement: str
    reference: EventId
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


@dataclass(frozen=True, slots=True)
class Head(Record):
    """Size of the journal and Merkle root (hex) over the leaves of its entries: publish it, and nothing can be undone
    unseen."""

    size: int
    root: str


def open_journal(engine: sa.Engine) -> "Journal":
    """The journal in this database; its tables are made or migrated if need be."""
    upgrade(engine, Path(__file__).parent / "migrations", "ledger_version")
    return Journal(engine)


class Journal:
    """Entries in a database that `open_journal` has prepared."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def post(self, settlement: Settlement, recorded: datetime) -> bool:
        """Book every event of `settlement`, in one transaction. False if the same settlement stands there already.

        Raises: LedgerError("event-settled") if another settlement has paid out one of the events,
        LedgerError("naive-time") if `recorded` has no time zone.
        """
        if recorded.tzinfo is None:
            raise LedgerError("naive-time", f"{recorded} has no time zone", "pass datetime.now(timezone.utc)")
        with writing(self.engine) as connection:
            if connection.execute(sa.select(_SETTLEMENT.c.id).where(_SETTLEMENT.c.id == settlement.id)).first():
                return False
            _refuse_settled_events(connection, settlement)
            last: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(_ENTRY.c.seq), 0))).scalar_one()
            inputs = canonical_json(settlement.inputs()).decode()
            connection.execute(sa.insert(_SETTLEMENT), {"id": settlement.id, "inputs": inputs})
            for entry in entries_of(settlement, last + 1, recorded):
                _insert(connection, entry)
        return True

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with self.engine.connect() as connection:
            legs: dict[int, list[tuple[str, str]]] = {}
            for entry, account, nano in connection.execute(sa.select(_LEG).order_by(_LEG.c.entry)):
                legs.setdefault(entry, []).append((account, str(nano)))
            rows = connection.execute(sa.select(_ENTRY).order_by(_ENTRY.c.seq)).mappings().all()
        return [_entry(row, legs.get(row["seq"], [])) for row in rows]

    def balances(self, currency: str) -> dict[str, int]:
        """Nano-units per account, signed as the legs are; they sum to zero."""
        total = sa.cast(sa.func.sum(_LEG.c.amount_nano), sa.BigInteger)
        query = sa.select(_LEG.c.account, total).join_from(_LEG, _ENTRY, _LEG.c.entry == _ENTRY.c.seq)
        query = query.where(_ENTRY.c.currency == currency).group_by(_LEG.c.account).order_by(_LEG.c.account)
        with self.engine.connect() as connection:
            return {account: int(nano) for account, nano in connection.execute(query)}

    def settlement(self, settlement_id: str) -> Settlement:
        """The settlement with its lines, computed again from the inputs kept here.

        Raises: LedgerError("no-such-settlement"), LedgerError("settlement-altered") if the inputs no longer have the
        hash that is its id.
        """
        query = sa.select(_SETTLEMENT.c.inputs).where(_SETTLEMENT.c.id == settlement_id)
        with self.engine.connect() as connection:
            inputs = connection.execute(query).scalar_one_or_none()
        if inputs is None:
            raise LedgerError("no-such-settlement", f"the journal has no {settlement_id}")
        settlement = settle_again(json.loads(inputs))
        if settlement.id != settlement_id:
            raise LedgerError("settlement-altered", f"the inputs of {settlement_id} now hash to {settlement.id}")
        return settlement

    def settlement_ids(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(_SETTLEMENT.c.id).order_by(_SETTLEMENT.c.id)).scalars())

    def head(self) -> Head:
        leaves = [bytes.fromhex(entry.leaf) for entry in self.entries()]
        return Head(len(leaves), merkle_root(leaves).hex())

    def check(self) -> list[Problem]:
        """Every hash, sum, number and settlement computed again; empty if the journal is what it was when written.

        Codes: "entry-altered", "entry-unbalanced", "entry-missing", "settlement-altered", "posting-differs".
        """
        entries = self.entries()
        problems = [problem for seq, entry in enumerate(entries, 1) for problem in _entry_problems(seq, entry)]
        for settlement_id in self.settlement_ids():
            try:
                settlement = self.settlement(settlement_id)
            except (BylineError, ValueError) as fault:
                problems.append(_problem("settlement-altered", settlement_id, f"cannot be computed again: {fault}"))
                continue
            problems += _posting_problems(settlement, [e for e in entries if e.settlement == settlement_id])
        return problems


def entries_of(settlement: Settlement, first: int, recorded: datetime) -> Iterator[Entry]:
    """The booking of each event, numbered from `first`: what came in on one side, whom it is owed to on the other."""
    sums = {event.id: Counter({RECEIVABLE: event.nano}) for event in settlement.events}
    for line in settlement.lines:
        sums[line.event][line.account] -= line.nano
    for seq, event in enumerate(settlement.events, first):
        legs = tuple((account, str(nano)) for account, nano in sorted(sums[event.id].items()) if nano)
        yield Entry(seq, settlement.id, event.id, event.received, recorded, event.currency, legs).sealed()


def _refuse_settled_events(connection: sa.Connection, settlement: Settlement) -> None:
    ids = [event.id for event in settlement.events]
    query = sa.select(_ENTRY.c.reference, _ENTRY.c.settlement).where(_ENTRY.c.reference.in_(ids))
    taken = connection.execute(query.order_by(_ENTRY.c.seq)).first()
    if taken:
        raise LedgerError(
            "event-settled",
            f"{taken.reference} was paid out by {taken.settlement}; {settlement.id} would pay it again",
            "leave the event out, or settle with the same inputs as before",
        )


def _insert(connection: sa.Connection, entry: Entry) -> None:
    row = {name: value for name, value in entry.to_json().items() if name != "legs"}
    connection.execute(sa.insert(_ENTRY), row)
    legs = [{"entry": entry.seq, "account": account, "amount_nano": int(nano)} for account, nano in entry.legs]
    if legs:
        connection.execute(sa.insert(_LEG), legs)


def _entry(row: sa.RowMapping, legs: list[tuple[str, str]]) -> Entry:
    return Entry.from_json({**row, "legs": [list(leg) for leg in sorted(legs)]})


def _entry_problems(seq: int, entry: Entry) -> Iterator[Problem]:
    name = f"entry {entry.seq}"
    if entry.seq != seq:
        yield _problem("entry-missing", name, f"stands where entry {seq} should be")
    if entry.hash().hex() != entry.leaf:
        yield _problem("entry-altered", name, f"does not have the hash it was written with ({entry.leaf[:12]})")
    total = sum(int(nano) for _, nano in entry.legs)
    if total:
        yield _problem("entry-unbalanced", name, f"legs add up to {total} nano, not to zero")


def _posting_problems(settlement: Settlement, entries: Sequence[Entry]) -> Iterator[Problem]:
    posted = {entry.reference: entry for entry in entries}
    for due in entries_of(settlement, 1, datetime.min):
        entry = posted.get(due.reference)
        if entry is None:
            yield _problem("entry-missing", settlement.id, f"{due.reference} has no entry")
        elif replace(due, seq=entry.seq, recorded=entry.recorded, leaf=entry.leaf) != entry:
            yield _problem("posting-differs", f"entry {entry.seq}", f"is not what {settlement.id} allocates")


def _problem(code: str, where: str, says: str) -> Problem:
    return Problem(code, Source("journal"), f"{where} {says}")
