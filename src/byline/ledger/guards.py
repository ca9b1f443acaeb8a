"""What a run would do to the accounts, and what stops it before it is written: references taken, accounts overdrawn."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from byline.core import LedgerError, Record
from byline.ledger.booking import Booking
from byline.ledger.entry import Posting
from byline.ledger.lines import Settlement
from byline.ledger.tables import ENTRY, LEG, batches, summed, whole


@dataclass(frozen=True, slots=True)
class Effect(Record):
    """What a run would do to one account: nano-units before and after, signed as in the journal."""

    currency: str
    account: str
    before_nano: str
    after_nano: str


def refuse_taken(connection: sa.Connection, run: Settlement | Booking, postings: Sequence[Posting]) -> None:
    for references in batches(each.reference for each in postings):
        query = sa.select(ENTRY.c.reference, ENTRY.c.settlement).where(ENTRY.c.reference.in_(references))
        taken = connection.execute(query.order_by(ENTRY.c.seq)).first()
        if taken and isinstance(run, Settlement):
            raise LedgerError(
                "event-settled",
                f"{taken.reference} was paid out by {taken.settlement}; {run.id} would pay it again",
                "leave the event out, settle with the same inputs as before, or adjust the settlement",
            )
        if taken:
            raise LedgerError("reference-taken", f"{taken.reference} was booked by {taken.settlement}", "name it anew")


def refuse_overdrawn(connection: sa.Connection, postings: Sequence[Posting]) -> None:
    """Payees' and held money cannot fall below nothing, nor an advance be paid back twice."""
    for effect in effects(connection, postings):
        before, after = int(effect.before_nano), int(effect.after_nano)
        owed = effect.account.startswith(("payable:", "held:")) and after > max(before, 0)
        lent = effect.account.startswith("assets:advance:") and after < min(before, 0)
        if owed or lent:
            raise LedgerError(
                "overdrawn",
                f"{effect.account} has {abs(before)} nano-{effect.currency}, not the {abs(after - before)} to be taken",
                "take at most what the account holds",
            )


def refuse_given_away(connection: sa.Connection, postings: Sequence[Posting]) -> None:
    """A correction may give held money to whom it belongs, but not what a vote or a claim has given away since."""
    effected = [effect for effect in effects(connection, postings) if effect.account.startswith("held:")]
    gone = booked_only(connection, [(effect.currency, effect.account) for effect in effected])
    for effect in effected:
        before, after = int(effect.before_nano), int(effect.after_nano)
        taken = gone.get((effect.currency, effect.account), 0)
        if taken > 0 and after > max(before, 0):
            raise LedgerError(
                "overdrawn",
                f"{effect.account} would give {after} nano-{effect.currency} more than it holds: {taken} were given "
                "away by a booking",
                "correct the works whose money is still here",
            )


def booked_only(connection: sa.Connection, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Per currency and account, what bookings alone have moved: neither settlements nor their corrections."""
    divided = sa.or_(ENTRY.c.settlement.like("settlement:%"), ENTRY.c.settlement.like("adjustment:%"))
    return _balances_of(connection, wanted, sa.not_(divided))


def effects(connection: sa.Connection, postings: Sequence[Posting]) -> tuple[Effect, ...]:
    moves: dict[tuple[str, str], int] = Counter()
    for each in postings:
        for account, nano in each.moves().items():
            moves[each.currency, account] += nano
    before = _balances_of(connection, moves)
    return tuple(
        Effect(
            currency, account, str(before.get((currency, account), 0)), str(before.get((currency, account), 0) + nano)
        )
        for (currency, account), nano in sorted(moves.items())
    )


def _balances_of(
    connection: sa.Connection, wanted: Iterable[tuple[str, str]], *only: sa.ColumnElement[bool]
) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    query = sa.select(ENTRY.c.currency, LEG.c.account, *summed()).join_from(LEG, ENTRY, LEG.c.entry == ENTRY.c.seq)
    query = query.where(*only).group_by(ENTRY.c.currency, LEG.c.account)
    for accounts in batches(sorted({account for _, account in wanted})):
        rows = connection.execute(query.where(LEG.c.account.in_(accounts)))
        found |= {(row.currency, row.account): whole(row.high, row.low) for row in rows}
    return found
