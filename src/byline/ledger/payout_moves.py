"""Moves of money that payouts make, and what follows from a bank's answers: pure functions, any order, any repetition.

A move's legs add up to zero and are signed as in the journal. Sending takes money out of `payable:` and puts it into
clearing, a settled payment leaves through the bank account, and a rejected or returned one goes back to the accounts
where it lay. A move's reference is made of the payment and what happened to it: so a return that comes as pacs.004,
camt.054 and camt.053, each read twice, is one move.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from byline.core import Problem, Record, Source, make_id
from byline.ledger.booking import BANK
from byline.ledger.payout import CLEARING, PREFIX, Batch, Instruction, nano_per_minor
from byline.ledger.payout_bank import Answer, BankReport


class MoveKind(StrEnum):
    SENT = "sent"
    SETTLED = "settled"
    REJECTED = "rejected"
    RETURNED = "returned"
    RELEASED = "released"  # money that was held goes to whom it was found to belong to
    INHERITED = "inherited"  # what was owed to a party is owed to its heirs
    VOTED = "voted"  # unclaimed money goes where the members voted


@dataclass(frozen=True, slots=True)
class Move(Record):
    """One change of balances. `reference` is unique; `source` is the message, decision or batch that it rests on."""

    reference: str
    kind: MoveKind
    end_to_end: str
    currency: str
    effective: date
    recorded: datetime
    legs: tuple[tuple[str, str], ...]
    source: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Applied(Record):
    """What a bank's answers did: new moves, reports that say nothing new, and contradictions, which are not booked."""

    moves: tuple[Move, ...]
    unchanged: int
    foreign: int  # reports on payments that are not ours
    problems: tuple[Problem, ...]


def sent(batch: Batch) -> list[Move]:
    """The moves of putting a batch on its way."""
    return [
        Move(
            reference=make_id("move", one.end_to_end, MoveKind.SENT.value),
            kind=MoveKind.SENT,
            end_to_end=one.end_to_end,
            currency=batch.rule.currency,
            effective=batch.execution,
            recorded=batch.recorded,
            legs=one.legs,
            source=batch.id,
            reason=one.ground,
        )
        for one in batch.instructions
    ]


def follow(reports: Sequence[BankReport], batches: Sequence[Batch], before: Sequence[Move], now: datetime) -> Applied:
    """What the reports add to the moves made before, recorded `now`.

    Problem codes: "unknown-payment", "amount-differs", "bank-contradicts", "duplicate-file".
    """
    following = _Following(batches, before, now)
    for report in reports:
        following.follow(report)
    return Applied(tuple(following.moves), following.unchanged, following.foreign, tuple(following.problems))


class _Following:
    """Reports held against what is known of each payment."""

    def __init__(self, batches: Sequence[Batch], before: Sequence[Move], now: datetime) -> None:
        self.batches = {batch.id: batch for batch in batches}
        self.sent = {one.end_to_end: (batch, one) for batch in batches for one in batch.instructions}
        self.known: dict[str, set[MoveKind]] = {name: set() for name in self.sent}
        for move in before:
            self.known.setdefault(move.end_to_end, set()).add(move.kind)
        self.now = now
        self.moves: list[Move] = []
        self.problems: list[Problem] = []
        self.unchanged = self.foreign = 0

    def follow(self, report: BankReport) -> None:
        if not report.end_to_end:
            self._file(report)
        elif report.answer is Answer.DUPLICATE and report.end_to_end in self.sent:
            self._problem("duplicate-file", report, "was received before; the first one counts and nothing is undone")
        elif report.end_to_end in self.sent:
            self._payment(report, *self.sent[report.end_to_end])
        elif report.end_to_end.startswith(PREFIX):
            self._problem("unknown-payment", report, "has our mark and was never sent from here")
        else:
            self.foreign += 1

    def _file(self, report: BankReport) -> None:
        batch = self.batches.get(report.message)
        if batch is None:
            self.foreign += 1
        elif report.answer is Answer.DUPLICATE:
            self._problem("duplicate-file", report, "was received before; the first file counts and nothing is undone")
        elif report.answer is Answer.REJECTED:
            for one in batch.instructions:
                self._payment(report, batch, one)
        else:
            self.unchanged += 1

    def _payment(self, report: BankReport, batch: Batch, one: Instruction) -> None:
        if report.amount_minor and (report.amount_minor, report.currency) != (one.amount_minor, batch.rule.currency):
            says = f"is {report.amount_minor} {report.currency} at the bank, {one.amount_minor} was sent"
            self._problem("amount-differs", report, says, one)
            return
        known = self.known[one.end_to_end]
        due = _due(report.answer, known)
        if due is None:
            before = ", ".join(sorted(kind.value for kind in known))
            self._problem("bank-contradicts", report, f"is {report.answer.value} after {before}", one)
            return
        self.unchanged += not due
        known.update(due)
        self.moves += [_moved(kind, one, batch, report, self.now) for kind in due]

    def _problem(self, code: str, report: BankReport, says: str, one: Instruction | None = None) -> None:
        what = one.end_to_end if one else report.end_to_end or report.message
        self.problems.append(Problem(code, Source(report.source or "bank"), f"{what} {says}"))


def _due(answer: Answer, known: set[MoveKind]) -> tuple[MoveKind, ...] | None:
    """Moves that follow from an answer; none if they are made already; None if it contradicts what is known."""
    if answer is Answer.REJECTED:
        if known & {MoveKind.SETTLED, MoveKind.RETURNED}:
            return None
        return () if MoveKind.REJECTED in known else (MoveKind.REJECTED,)
    if answer in (Answer.SETTLED, Answer.RETURNED) and MoveKind.REJECTED in known:
        return None
    # A return tells that the payment had settled, also where the bank's messages come in another order.
    wanted = {Answer.SETTLED: (MoveKind.SETTLED,), Answer.RETURNED: (MoveKind.SETTLED, MoveKind.RETURNED)}
    return tuple(kind for kind in wanted.get(answer, ()) if kind not in known)


def _moved(kind: MoveKind, one: Instruction, batch: Batch, report: BankReport, now: datetime) -> Move:
    """Settled: from clearing out of the bank. Rejected: all legs back. Returned: out of the bank to the accounts."""
    nano = one.minor * nano_per_minor(batch.rule.currency)
    back = {account: -int(amount) for account, amount in one.legs}
    legs = {
        MoveKind.SETTLED: {CLEARING: nano, BANK: -nano},
        MoveKind.REJECTED: back,
        MoveKind.RETURNED: {**{account: n for account, n in back.items() if account != CLEARING}, BANK: nano},
    }[kind]
    return Move(
        reference=make_id("move", one.end_to_end, kind.value),
        kind=kind,
        end_to_end=one.end_to_end,
        currency=batch.rule.currency,
        effective=report.on or now.date(),
        recorded=now,
        legs=tuple((account, str(amount)) for account, amount in sorted(legs.items())),
        source=report.source,
        reason=report.reason,
    )
