"""The journal: double entry, append-only, in SQL; balances are sums over all legs.

What is posted is a run: a settlement (one entry per revenue event), an adjustment of one, or a booking. A run's id is
the hash of its inputs, so that the same run twice adds nothing, and each reference is taken once, so that no event is
paid out by two settlements. Nothing is edited: the database itself refuses updates and deletions, and `check` finds
what was changed behind its back, by computing every hash, sum and run again.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.core import LedgerError, Problem, canonical_json, merkle_root
from byline.ledger.adjustment import Adjustment, adjustment_again, posted_by_event
from byline.ledger.audit import problems_of
from byline.ledger.booking import Booking
from byline.ledger.entry import Balances, Checkpoint, Entry, Head, Posting, add_up, flat, postings_of, write_down
from byline.ledger.guards import Effect, booked_only, effects, refuse_given_away, refuse_overdrawn, refuse_taken
from byline.ledger.settlement import Settlement, settle_again
from byline.ledger.tables import CHECKPOINT, ENTRY, LEG, RUN, insert_entries, read_entries, summed, whole
from byline.registry import upgrade, writing


def open_journal(engine: sa.Engine) -> "Journal":
    """The journal in this database; its tables are made or migrated if need be."""
    upgrade(engine, Path(__file__).parent / "migrations", "ledger_version")
    return Journal(engine)


class Journal:
    """Entries in a database that `open_journal` has prepared."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    # --- writing: each of these is one transaction, and False means that it stood there already ----------------

    def post(self, settlement: Settlement, recorded: datetime) -> bool:
        """Book every event of `settlement`.

        Raises: LedgerError("event-settled") if another settlement has paid out one of the events,
        LedgerError("naive-time") if `recorded` has no time zone.
        """
        with writing(self.engine) as connection:
            return _write(connection, settlement, postings_of(settlement), recorded)

    def adjust(self, corrected: Settlement, replaces: str, effective: date, because: str, recorded: datetime) -> bool:
        """Book the differences between `corrected` and what stands for its events: settlement `replaces` and the
        adjustments of it so far. False if there are none: a correction that moves no money is not recorded.

        Raises: LedgerError("no-such-settlement"), LedgerError("adjustment-differs"), LedgerError("naive-time"),
        LedgerError("overdrawn") if it gives held money that a booking (a vote, a claim) has given away already.
        """
        with writing(self.engine) as connection:
            adjustment, postings = _planned(connection, corrected, replaces, effective, because)
            if postings:
                refuse_given_away(connection, postings)
                _insert(connection, adjustment, postings, recorded, replaces)
        return bool(postings)

    def book(self, booking: Booking, recorded: datetime) -> bool:
        """Book a hold, a release, a payment out...

        Raises: LedgerError("overdrawn") if it takes more than there is, LedgerError("reference-taken") if another run
        has booked its reference, LedgerError("naive-time") and those of `Booking.refuse_if_wrong`.
        """
        return bool(self.book_all([booking], recorded))

    def book_all(self, bookings: Sequence[Booking], recorded: datetime) -> int:
        """Book them in this order, all or none; how many were new. Raises: those of `book`."""
        with writing(self.engine) as connection:
            return sum(_book(connection, booking, recorded) for booking in bookings)

    def checkpoint(self, recorded: datetime) -> Checkpoint:
        """Keep the balances of now, for `check` to add up to; the one that stands there if nothing was added since."""
        with writing(self.engine) as connection:
            entries = read_entries(connection)
            found = (
                connection.execute(sa.select(CHECKPOINT).where(CHECKPOINT.c.size == len(entries))).mappings().first()
            )
            if found:
                return _checkpoint(found)
            made = Checkpoint(len(entries), _root(entries), flat(add_up(entries)), _utc(recorded))
            row = {**made.to_json(), "balances": json.dumps(made.balances)}
            connection.execute(sa.insert(CHECKPOINT), row)
        return made

    # --- asking before ------------------------------------------------------------------------------------------

    def rehearse(self, bookings: Sequence[Booking], recorded: datetime) -> list[Booking]:
        """Those that `book_all` would book, for they do not stand there yet. Nothing is written.

        Raises: those of `book`.
        """
        options = {"sqlite_begin": "BEGIN IMMEDIATE"}
        with self.engine.connect().execution_options(**options) as connection, connection.begin() as change:
            new = [booking for booking in bookings if _book(connection, booking, recorded)]
            change.rollback()
        return new

    def preview(self, run: Settlement | Booking) -> tuple[Effect, ...]:
        """What posting the run would do to each account it touches. Nothing is written."""
        postings = list(run.postings if isinstance(run, Booking) else postings_of(run))
        with self.engine.connect() as connection:
            return effects(connection, postings)

    def preview_adjustment(
        self, corrected: Settlement, replaces: str, effective: date, because: str
    ) -> tuple[Effect, ...]:
        """What `adjust` would do to each account. Nothing is written."""
        with self.engine.connect() as connection:
            _, postings = _planned(connection, corrected, replaces, effective, because)
            return effects(connection, postings)

    # --- reading ------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with self.engine.connect() as connection:
            return read_entries(connection)

    def balances(
        self, currency: str, effective: date | None = None, recorded: datetime | None = None
    ) -> dict[str, int]:
        """Nano-units per account, signed as the legs are; they sum to zero. With `effective` or `recorded`, of the
        entries that count up to that day, or were written down up to that moment."""
        query = sa.select(LEG.c.account, *summed()).join_from(LEG, ENTRY, LEG.c.entry == ENTRY.c.seq)
        query = query.where(ENTRY.c.currency == currency).group_by(LEG.c.account).order_by(LEG.c.account)
        if effective:
            query = query.where(ENTRY.c.effective <= effective.isoformat())
        if recorded:
            # by bytes: the order of a language skips the marks that a fraction of a second begins with
            column = sa.collate(ENTRY.c.recorded, "BINARY" if self.engine.dialect.name == "sqlite" else "C")
            query = query.where(column <= _utc(recorded).isoformat())
        with self.engine.connect() as connection:
            return {row.account: whole(row.high, row.low) for row in connection.execute(query)}

    def currencies(self) -> list[str]:
        with self.engine.connect() as connection:
            query = sa.select(ENTRY.c.currency).distinct().order_by(ENTRY.c.currency)
            return list(connection.execute(query).scalars())

    def all_balances(self) -> Balances:
        return {currency: self.balances(currency) for currency in self.currencies()}

    def settlement(self, settlement_id: str) -> Settlement:
        """The settlement with its lines, computed again from the inputs kept here.

        Raises: LedgerError("no-such-settlement"), LedgerError("settlement-altered") if the inputs no longer have the
        hash that is its id.
        """
        settlement = settle_again(self.inputs(settlement_id))
        if settlement.id != settlement_id:
            raise LedgerError("settlement-altered", f"the inputs of {settlement_id} now hash to {settlement.id}")
        return settlement

    def adjustments(self, settlement_id: str) -> list[Adjustment]:
        """The corrections of a settlement, oldest first; the last one holds what is due for its events now."""
        query = sa.select(RUN.c.inputs).join_from(RUN, ENTRY, RUN.c.id == ENTRY.c.settlement)
        query = query.where(RUN.c.replaces == settlement_id).group_by(RUN.c.id, RUN.c.inputs)
        with self.engine.connect() as connection:
            found = connection.execute(query.order_by(sa.func.min(ENTRY.c.seq))).scalars().all()
        return [adjustment_again(json.loads(inputs)) for inputs in found]

    def standing(self, settlement_id: str) -> Settlement:
        """What is due for the events of a settlement by now: the settlement itself, or its last correction.

        Raises: those of `settlement`.
        """
        corrections = self.adjustments(settlement_id)
        return corrections[-1].settlement if corrections else self.settlement(settlement_id)

    def given_away(self, accounts: Sequence[str], currency: str) -> dict[str, int]:
        """Nano-units that bookings have taken from these accounts, whatever settlements and corrections put there."""
        with self.engine.connect() as connection:
            found = booked_only(connection, [(currency, account) for account in accounts])
        return {account: nano for (_, account), nano in found.items() if nano > 0}

    def inputs(self, run_id: str) -> dict[str, Any]:
        """What a run was made of. Raises: LedgerError("no-such-settlement")."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(RUN.c.inputs).where(RUN.c.id == run_id)).scalar_one_or_none()
        if found is None:
            raise LedgerError("no-such-settlement", f"the journal has no {run_id}")
        told: dict[str, Any] = json.loads(found)
        return told

    def has_booked(self, reference: str) -> bool:
        with self.engine.connect() as connection:
            return connection.execute(sa.select(ENTRY.c.seq).where(ENTRY.c.reference == reference)).first() is not None

    def run_ids(self) -> list[str]:
        """Ids of all runs: settlements, adjustments, bookings."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(RUN.c.id).order_by(RUN.c.id)).scalars())

    def settlement_ids(self) -> list[str]:
        return [run for run in self.run_ids() if run.startswith("settlement:")]

    def first_settlement(self) -> Settlement | None:
        """The one that was posted before all others. Raises: LedgerError("settlement-altered")."""
        query = sa.select(RUN.c.id).join_from(RUN, ENTRY, RUN.c.id == ENTRY.c.settlement)
        query = query.where(RUN.c.id.like("settlement:%")).order_by(ENTRY.c.seq).limit(1)
        with self.engine.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return self.settlement(found) if found else None

    def checkpoints(self) -> list[Checkpoint]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(CHECKPOINT).order_by(CHECKPOINT.c.size)).mappings().all()
        return [_checkpoint(row) for row in rows]

    def head(self) -> Head:
        entries = self.entries()
        return Head(len(entries), _root(entries))

    def check(self) -> list[Problem]:
        """Every hash, sum, number, run and checkpoint computed again; empty if the journal is what it was when
        written. Codes: "entry-altered", "entry-unbalanced", "entry-missing", "settlement-altered", "posting-differs",
        "checkpoint-differs"."""
        with self.engine.connect() as connection:
            runs = {row.id: row.inputs for row in connection.execute(sa.select(RUN).order_by(RUN.c.id))}
        return problems_of(self.entries(), runs, self.checkpoints())


# --- inside a transaction -------------------------------------------------------------------------------------


def _book(connection: sa.Connection, booking: Booking, recorded: datetime) -> bool:
    booking.refuse_if_wrong()
    return _write(connection, booking, booking.postings, recorded)


def _write(
    connection: sa.Connection,
    run: Settlement | Booking,
    postings: Sequence[Posting] | Iterator[Posting],
    recorded: datetime,
) -> bool:
    if connection.execute(sa.select(RUN.c.id).where(RUN.c.id == run.id)).first():
        return False
    postings = list(postings)
    refuse_taken(connection, run, postings)
    if isinstance(run, Booking):
        refuse_overdrawn(connection, postings)
    _insert(connection, run, postings, recorded)
    return True


def _planned(
    connection: sa.Connection, corrected: Settlement, replaces: str, effective: date, because: str
) -> tuple[Adjustment, list[Posting]]:
    """The adjustment as of now and its postings."""
    if not connection.execute(sa.select(RUN.c.id).where(RUN.c.id == replaces)).first():
        raise LedgerError("no-such-settlement", f"the journal has no {replaces}")
    about = sa.or_(RUN.c.id == replaces, RUN.c.replaces == replaces)
    heads = sa.select(ENTRY.c.reference, ENTRY.c.settlement).join_from(ENTRY, RUN, ENTRY.c.settlement == RUN.c.id)
    found = connection.execute(heads.where(about).order_by(ENTRY.c.seq)).all()
    legs = sa.select(ENTRY.c.reference, ENTRY.c.settlement, LEG.c.account, LEG.c.amount_nano)
    legs = legs.join_from(LEG, ENTRY, LEG.c.entry == ENTRY.c.seq).join(RUN, ENTRY.c.settlement == RUN.c.id).where(about)
    posted = {head.reference: Counter[str]() for head in found if head.settlement == replaces}
    posted |= posted_by_event((row[0], row[1], row[2], row[3]) for row in connection.execute(legs))
    adjustment = Adjustment(replaces, found[-1].settlement, corrected, effective, because)
    adjustment.refuse_unless_same_events(posted)
    return adjustment, list(adjustment.postings(posted))


def _insert(
    connection: sa.Connection,
    run: Settlement | Adjustment | Booking,
    postings: Sequence[Posting],
    recorded: datetime,
    replaces: str | None = None,
) -> None:
    if recorded.tzinfo is None:
        raise LedgerError("naive-time", f"{recorded} has no time zone", "pass datetime.now(timezone.utc)")
    last: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(ENTRY.c.seq), 0))).scalar_one()
    row = {"id": run.id, "inputs": canonical_json(run.inputs()).decode(), "replaces": replaces}
    connection.execute(sa.insert(RUN), row)
    written = [write_down(each, seq, run.id, _utc(recorded)) for seq, each in enumerate(postings, last + 1)]
    insert_entries(connection, written)


def _checkpoint(row: sa.RowMapping) -> Checkpoint:
    return Checkpoint.from_json({**row, "balances": json.loads(row["balances"])})


def _root(entries: Sequence[Entry]) -> str:
    return merkle_root([bytes.fromhex(entry.leaf) for entry in entries]).hex()


def _utc(moment: datetime) -> datetime:
    """Moments are written in one zone, so that their texts are in the order of time."""
    if moment.tzinfo is None:
        raise LedgerError("naive-time", f"{moment} has no time zone", "pass datetime.now(timezone.utc)")
    return moment.astimezone(UTC)
