"""Payout moves in the journal: each is a booking under the move's own reference, which the journal takes once."""

from collections.abc import Mapping

from byline.ledger.booking import Kind, book_moves
from byline.ledger.journal import Journal
from byline.ledger.payout_moves import Move, MoveKind

_KINDS = {
    MoveKind.SENT: Kind.PAYOUT,
    MoveKind.SETTLED: Kind.PAYOUT,
    MoveKind.REJECTED: Kind.RETURN,
    MoveKind.RETURNED: Kind.RETURN,
    MoveKind.RELEASED: Kind.RELEASE,
    MoveKind.INHERITED: Kind.RELEASE,
    MoveKind.VOTED: Kind.CLAIM,
}


class JournalAccounts:
    """`payout_book.Accounts` over a journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def balances(self, currency: str) -> Mapping[str, int]:
        return self.journal.balances(currency)

    def book(self, move: Move) -> None:
        facts = {"source": move.source, "reason": move.reason, "end_to_end": move.end_to_end}
        legs = {account: int(nano) for account, nano in move.legs}
        told = {name: value for name, value in facts.items() if value}
        booking = book_moves(
            _KINDS[move.kind], move.kind.value, move.effective, {move.currency: legs}, told, move.reference
        )
        self.journal.book(booking, move.recorded)
