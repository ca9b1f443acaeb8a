"""The book of payouts: batches, the files made of them, and every move of a payment, in SQL. Append-only.

Balances are the journal's alone. A move is written here first, in the same transaction in which it was decided, and
then booked there under its reference, which the journal takes once; what a crash left between the two is booked before
anything else is done. So the same money is never sent twice, and never credited twice.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from byline.core import LedgerError, PartyId, canonical_json, sha256_hex
from byline.ledger.payout import Batch, Payee, PayoutRule, Withholding, plan_payout
from byline.ledger.payout_bank import BankReport
from byline.ledger.payout_moves import Applied, Move, MoveKind, follow, sent
from byline.registry import upgrade, writing

_META = sa.MetaData()
_BATCH = sa.Table(
    "payout_batch", _META, sa.Column("number", sa.BigInteger), sa.Column("id", sa.Text), sa.Column("body", sa.Text)
)
_FILE = sa.Table("payout_file", _META, *(sa.Column(name, sa.Text) for name in ("batch", "form", "sha256")))
_MOVE = sa.Table(
    "payout_move",
    _META,
    sa.Column("seq", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("reference", "end_to_end", "body")),
)
_BOOKED = sa.Table("payout_booked", _META, sa.Column("reference", sa.Text))


class Accounts(Protocol):
    """Where balances are: the journal, through `JournalAccounts`."""

    def balances(self, currency: str) -> Mapping[str, int]:
        """Nano-units per account, signed as legs are."""

    def book(self, move: Move) -> None:
        """Write the move down; a second time it changes nothing."""


def open_payout_book(engine: sa.Engine, accounts: Accounts) -> "PayoutBook":
    """The book in this database; its tables are made or migrated if need be."""
    upgrade(engine, Path(__file__).parent / "payout_migrations", "payout_version")
    return PayoutBook(engine, accounts)


class PayoutBook:
    """Batches and moves in a database that `open_payout_book` has prepared. `now` has a time zone."""

    def __init__(self, engine: sa.Engine, accounts: Accounts) -> None:
        self.engine = engine
        self.accounts = accounts

    def send(
        self,
        payees: Sequence[Payee],
        rule: PayoutRule,
        execution: date,
        now: datetime,
        merged: Mapping[PartyId, PartyId] | None = None,
        taxed: Sequence[Withholding] = (),
    ) -> Batch:
        """Draw up the batch that pays what is owed, and book it as sent.

        Balances are read where nobody else can write, so two senders at a time cannot pay the same money. A batch
        without payments is returned and not kept. Raises: LedgerError("naive-time").
        """
        _refuse_naive(now)
        with self._booked_and_writing() as connection:
            batch = self._plan(connection, payees, rule, execution, now, merged, taxed)
            if batch.instructions:
                row = {"number": batch.number, "id": batch.id, "body": _text(batch)}
                connection.execute(sa.insert(_BATCH), row)
                _append(connection, sent(batch))
        self.catch_up()
        return batch

    def preview(
        self,
        payees: Sequence[Payee],
        rule: PayoutRule,
        execution: date,
        now: datetime,
        merged: Mapping[PartyId, PartyId] | None = None,
        taxed: Sequence[Withholding] = (),
    ) -> Batch:
        """What `send` would draw up now; nothing is kept."""
        _refuse_naive(now)
        self.catch_up()
        with self.engine.connect() as connection:
            return self._plan(connection, payees, rule, execution, now, merged, taxed)

    def keep_file(self, batch: Batch, form: str, content: bytes) -> bool:
        """Remember the digest of the file made of a batch; False if the same file was made before.

        Raises: LedgerError("payout-file-differs") if another was: the bank would get two files under one id, or an
        account number was changed after the money was put on its way.
        """
        sha256 = sha256_hex(content)
        with writing(self.engine) as connection:
            kept = connection.execute(sa.select(_FILE).where(_FILE.c.batch == batch.id)).first()
            if kept is None:
                connection.execute(sa.insert(_FILE), {"batch": batch.id, "form": form, "sha256": sha256})
                return True
        if kept.sha256 != sha256:
            fix = "send the first file, made with the payees of that day"
            raise LedgerError("payout-file-differs", f"{batch.id} was made as {kept.form}, another file", fix)
        return False

    def apply(self, reports: Sequence[BankReport], now: datetime) -> Applied:
        """Book what the reports say (see `payout_moves.follow`), in any order and any number of times.

        Raises: LedgerError("naive-time").
        """
        _refuse_naive(now)
        with self._booked_and_writing() as connection:
            applied = follow(reports, _batches(connection), _moves(connection), now)
            _append(connection, applied.moves)
        self.catch_up()
        return applied

    def release(self, moves: Sequence[Move]) -> int:
        """Book moves of money that waited (see `payout_held`); how many were new.

        Raises: LedgerError("unbalanced"), LedgerError("overdrawn") if an account would give more than it holds,
        LedgerError("naive-time").
        """
        for move in moves:
            _refuse_naive(move.recorded)
            if sum(int(nano) for _, nano in move.legs):
                raise LedgerError("unbalanced", f"{move.reference}: the legs do not add up to zero")
        with self._booked_and_writing() as connection:
            known = {move.reference for move in _moves(connection)}
            new = [move for move in moves if move.reference not in known]
            for currency in sorted({move.currency for move in new}):
                same = [move for move in new if move.currency == currency]
                _refuse_overdrawing(dict(self.accounts.balances(currency)), same)
            _append(connection, new)
        self.catch_up()
        return len(new)

    def catch_up(self) -> int:
        """Book in the journal what is written here and was not booked yet; how many moves that were."""
        with self.engine.connect() as connection:
            waiting = _unbooked(connection)
        for move in waiting:
            self.accounts.book(move)
            with writing(self.engine) as connection:
                seen = connection.execute(sa.select(_BOOKED).where(_BOOKED.c.reference == move.reference)).first()
                if seen is None:
                    connection.execute(sa.insert(_BOOKED), {"reference": move.reference})
        return len(waiting)

    # --- asking

    def batches(self) -> list[Batch]:
        with self.engine.connect() as connection:
            return _batches(connection)

    def batch(self, batch_id: str) -> Batch:
        """Raises: LedgerError("no-such-batch")."""
        found = [batch for batch in self.batches() if batch.id == batch_id]
        if not found:
            raise LedgerError(
                "no-such-batch", f"no batch {batch_id!r} was sent", "`byline payout` without files lists them"
            )
        return found[0]

    def moves(self) -> list[Move]:
        """All, oldest first."""
        with self.engine.connect() as connection:
            return _moves(connection)

    def totals(self, currency: str) -> dict[str, int]:
        """Minor units: sent = settled for good + rejected + returned + on their way."""
        amounts = {one.end_to_end: one.minor for batch in self.batches() for one in batch.instructions}
        sums = dict.fromkeys((MoveKind.SENT, MoveKind.SETTLED, MoveKind.REJECTED, MoveKind.RETURNED), 0)
        for move in self.moves():
            if move.currency == currency and move.kind in sums:
                sums[move.kind] += amounts[move.end_to_end]
        told = {kind.value: minor for kind, minor in sums.items()}
        told["settled"] -= told["returned"]
        return {**told, "on_their_way": told["sent"] - told["settled"] - told["rejected"] - told["returned"]}

    # --- parts

    def _booked_and_writing(self) -> "_BookedAndWriting":
        return _BookedAndWriting(self)

    def _plan(
        self,
        connection: sa.Connection,
        payees: Sequence[Payee],
        rule: PayoutRule,
        execution: date,
        now: datetime,
        merged: Mapping[PartyId, PartyId] | None,
        taxed: Sequence[Withholding],
    ) -> Batch:
        count: int = connection.execute(sa.select(sa.func.count()).select_from(_BATCH)).scalar_one()
        return plan_payout(
            self.accounts.balances(rule.currency),
            payees,
            rule,
            number=count + 1,
            execution=execution,
            recorded=now,
            merged=merged,
            taxed=taxed,
        )


class _BookedAndWriting:
    """The writing transaction, entered when every move of the book stands in the journal. What another writer left
    unbooked in the meantime is booked first: their balances would be missing here."""

    def __init__(self, book: PayoutBook) -> None:
        self._book = book

    def __enter__(self) -> sa.Connection:
        while True:
            self._book.catch_up()
            self._transaction = writing(self._book.engine)
            connection = self._transaction.__enter__()
            if not _unbooked(connection):
                return connection
            self._transaction.__exit__(None, None, None)

    def __exit__(self, kind: object, fault: object, trace: object) -> None:
        self._transaction.__exit__(kind, fault, trace)  # type: ignore[arg-type]


def _append(connection: sa.Connection, moves: Sequence[Move]) -> None:
    last: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(_MOVE.c.seq), 0))).scalar_one()
    rows = [
        {"seq": seq, "reference": move.reference, "end_to_end": move.end_to_end, "body": _text(move)}
        for seq, move in enumerate(moves, last + 1)
    ]
    if rows:
        connection.execute(sa.insert(_MOVE), rows)


def _text(record: Batch | Move) -> str:
    return canonical_json(record.to_json()).decode()


def _batches(connection: sa.Connection) -> list[Batch]:
    bodies = connection.execute(sa.select(_BATCH.c.body).order_by(_BATCH.c.number)).scalars()
    return [Batch.from_json(json.loads(body)) for body in bodies]


def _moves(connection: sa.Connection) -> list[Move]:
    bodies = connection.execute(sa.select(_MOVE.c.body).order_by(_MOVE.c.seq)).scalars()
    return [Move.from_json(json.loads(body)) for body in bodies]


def _unbooked(connection: sa.Connection) -> list[Move]:
    booked = sa.select(_BOOKED.c.reference)
    query = sa.select(_MOVE.c.body).where(_MOVE.c.reference.not_in(booked)).order_by(_MOVE.c.seq)
    return [Move.from_json(json.loads(body)) for body in connection.execute(query).scalars()]


def _refuse_overdrawing(balances: dict[str, int], moves: Sequence[Move]) -> None:
    after = dict(balances)
    for move in moves:
        for account, nano in move.legs:
            after[account] = after.get(account, 0) + int(nano)
    for account in sorted({account for move in moves for account, nano in move.legs if int(nano) > 0}):
        if after[account] > 0:
            fix = "compute the moves again from the balances of now"
            raise LedgerError("overdrawn", f"{account} would give {after[account]} nano more than it holds", fix)


def _refuse_naive(now: datetime) -> None:
    if now.tzinfo is None:
        raise LedgerError("naive-time", f"{now} has no time zone", "pass datetime.now(timezone.utc)")
