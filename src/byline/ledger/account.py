"""One payee's account as the journal has it: every movement, from which run it came, and what that run was made of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from byline.core import PartyId, Record, Share
from byline.ledger.adjustment import Adjustment, adjustment_again, event_of
from byline.ledger.entry import Head
from byline.ledger.journal import Journal
from byline.ledger.lines import Basis, Line, Settlement, payable
from byline.ledger.tables import ENTRY, LEG


@dataclass(frozen=True, slots=True)
class Movement(Record):
    """What one entry of the journal did to the account, in nano-units as text: positive is to the payee's good.

    `others`: the other legs of a booking, signed as in the journal.
    """

    entry: int
    leaf: str
    run: str
    reference: str
    effective: date
    recorded: str
    amount_nano: str
    others: tuple[tuple[str, str], ...]

    @property
    def nano(self) -> int:
        return int(self.amount_nano)

    @property
    def kind(self) -> str:
        """settlement, adjustment, hold, release, claim, withholding, fx, contract, payout, return ..."""
        return self.run.partition(":")[0]

    @property
    def event(self) -> str:
        """The event that an entry of a settlement or of an adjustment is about."""
        return event_of(self.reference, self.run)


class PayeeAccounts:
    """Reads a journal for many payees; what runs were made of is computed once."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._settlements: dict[str, Settlement] = {}
        self._adjustments: dict[str, Adjustment] = {}
        self._lines: dict[str, dict[tuple[str, str], list[Line]]] = {}
        self._shares: dict[str, dict[str, Share]] = {}

    @cached_property
    def head(self) -> Head:
        """The journal at the moment of the first question."""
        return self.journal.head()

    def movements(self, party: PartyId, currency: str) -> list[Movement]:
        """All of the account, oldest entry first. Entries of settlements have a leg for everybody: those of others are
        not read."""
        account, run = payable(party), ENTRY.c.settlement
        mine = sa.select(LEG.c.entry).where(LEG.c.account == account)
        several = sa.or_(run.like("settlement:%"), run.like("adjustment:%"))
        query = sa.select(ENTRY, LEG.c.account, LEG.c.amount_nano).join_from(LEG, ENTRY, LEG.c.entry == ENTRY.c.seq)
        query = query.where(ENTRY.c.currency == currency, ENTRY.c.seq.in_(mine))
        query = query.where(sa.or_(LEG.c.account == account, sa.not_(several))).order_by(ENTRY.c.seq)
        rows: dict[int, list[Any]] = {}
        with self.journal.engine.connect() as connection:
            for row in connection.execute(query):
                rows.setdefault(row.seq, []).append(row)
        return [_movement(of, account) for of in rows.values()]

    def settled(self, currency: str) -> list[Movement]:
        """Every event that a settlement paid out, to whomever: without amounts."""
        query = sa.select(ENTRY).where(ENTRY.c.currency == currency, ENTRY.c.settlement.like("settlement:%"))
        with self.journal.engine.connect() as connection:
            rows = connection.execute(query.order_by(ENTRY.c.seq)).all()
        return [
            Movement(row.seq, row.leaf, row.settlement, row.reference, date.fromisoformat(row.effective), "", "0", ())
            for row in rows
        ]

    def currencies(self, party: PartyId) -> list[str]:
        """In which the account has entries."""
        query = sa.select(ENTRY.c.currency).join_from(LEG, ENTRY, LEG.c.entry == ENTRY.c.seq)
        query = query.where(LEG.c.account == payable(party)).distinct().order_by(ENTRY.c.currency)
        with self.journal.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def parties(self) -> list[PartyId]:
        """Everybody who has an account."""
        query = sa.select(LEG.c.account).where(LEG.c.account.like("payable:%")).distinct().order_by(LEG.c.account)
        with self.journal.engine.connect() as connection:
            return [PartyId(name.removeprefix("payable:")) for name in connection.execute(query).scalars()]

    def settlement(self, run: str) -> Settlement:
        """Of a settlement, or the corrected one of an adjustment. Raises: those of `Journal.settlement`."""
        if run.startswith("adjustment:"):
            return self.adjustment(run).settlement
        if run not in self._settlements:
            self._settlements[run] = self.journal.settlement(run)
        return self._settlements[run]

    def adjustment(self, run: str) -> Adjustment:
        if run not in self._adjustments:
            self._adjustments[run] = adjustment_again(self.journal.inputs(run))
        return self._adjustments[run]

    def lines(self, run: str, event: str, account: str) -> Sequence[Line]:
        """What a run says that the account is due of an event."""
        if run not in self._lines:
            found: dict[tuple[str, str], list[Line]] = {}
            for line in self.settlement(run).lines:
                found.setdefault((line.event, line.account), []).append(line)
            self._lines[run] = found
        return self._lines[run].get((event, account), [])

    def measured(self, run: str, line: Line) -> Share | None:
        """The measured share behind a line, with its interval; None where the line follows no measurement."""
        if line.basis is not Basis.ATTRIBUTION:
            return None
        if run not in self._shares:
            self._shares[run] = {share.id: share for share in self.settlement(run).shares.lines}
        return self._shares[run].get(line.cluster or "")

    def because(self, run: str) -> tuple[str, dict[str, str]]:
        """The reason and the facts of a booking."""
        inputs = self.journal.inputs(run)
        return inputs["because"], dict(inputs["facts"])


def _movement(rows: list[Any], account: str) -> Movement:
    first, sums = rows[0], Counter[str]()
    for row in rows:
        sums[row.account] += int(row.amount_nano)
    others = tuple((name, str(nano)) for name, nano in sorted(sums.items()) if name != account)
    fields = (first.seq, first.leaf, first.settlement, first.reference)
    return Movement(*fields, date.fromisoformat(first.effective), first.recorded, str(-sums[account]), others)
