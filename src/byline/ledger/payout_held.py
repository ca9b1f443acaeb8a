"""Money that waits: releasing it to whom it is found to belong, listing what nobody claims, and deciding its fate.

What settling could not pay (contested, disputed, claimed by nobody) waits in an account of the work. When a claim, a
withdrawal or a decision comes, the works are divided again as they were on the day of each payment but with what is
known now, and everybody who holds more than was paid gets exactly that, back to the first payment. What a person now
holds less is not taken back here; that is an adjustment, for the ledger to make.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from byline.core import PPM, EventId, LedgerError, PartyId, Problem, Record, Source, WorkId, digest, make_id
from byline.ledger.allocate import allocate
from byline.ledger.payout_moves import Move, MoveKind
from byline.ledger.settlement import COMMONS, Settlement, payable, unclaimed
from byline.registry import Division, Lines, inherited

Divide = Callable[[WorkId, date], Division]
_UNCLAIMED = unclaimed(WorkId(""))


@dataclass(frozen=True, slots=True)
class Unclaimed(Record):
    """One line of the public list: what waits for a work, in nano-units, and since when."""

    work: WorkId
    title: str
    amount_nano: str
    currency: str
    since: date


@dataclass(frozen=True, slots=True)
class Vote(Record):
    """A members' vote, as the cooperative's records have it. `proposal_sha256` is of the text that was voted on."""

    proposal_sha256: str
    ayes: int
    nays: int
    closed: date


def release_moves(
    settlement: Settlement, divide: Divide, done: Iterable[Move], recorded: datetime
) -> tuple[list[Move], list[Problem]]:
    """What the held money of one settlement has become, less what `done` moves have paid of it already.

    `divide` gives a work's division on a day by what is known now. Doing it again gives no moves. Problem code:
    "share-reduced" for a payee who holds less now than was paid.
    """
    released = _released(settlement.id, done)
    received = {event.id: event.received for event in settlement.events}
    moves, problems = [], []
    for (event, work), waiting in _waiting(settlement).items():
        now = divide(work, received[event])
        more = {payable(party): ppm - waiting.paid[payable(party)] for party, ppm in now.lines}
        reduced = [account for account, ppm in waiting.paid.items() if ppm > 0 and more.get(account, -ppm) < 0]
        if reduced:
            says = f"{', '.join(reduced)} holds less of {work} on {received[event]} than was paid; nothing was released"
            problems.append(Problem("share-reduced", Source(settlement.id), says))
            continue
        move = _release(settlement, (event, work), waiting, more, released[event, work], received[event], recorded)
        moves += [move] if move else []
    return moves, problems


def unclaimed_list(
    settlements: Sequence[Settlement], balances: Mapping[str, int], currency: str, titles: Mapping[WorkId, str]
) -> list[Unclaimed]:
    """Every work for which money waits, largest amount first: to be published, so that people find themselves in it."""
    since: dict[str, date] = {}
    for settlement in settlements:
        received = {event.id: event.received for event in settlement.events}
        for line in settlement.lines if settlement.currency == currency else ():
            day = received[line.event]
            since[line.account] = min(day, since.get(line.account, day))
    found = []
    for account, nano in balances.items():
        if account.startswith(_UNCLAIMED) and nano < 0:
            work = WorkId(account.removeprefix(_UNCLAIMED))
            found.append(Unclaimed(work, titles.get(work, ""), str(-nano), currency, since[account]))
    return sorted(found, key=lambda one: (-int(one.amount_nano), one.work))


def voted_move(waiting: Unclaimed, weights: Mapping[str, int], vote: Vote, years: int, recorded: datetime) -> Move:
    """Money that nobody claimed for `years` goes where the members voted: to payees or to the commons.

    It never goes to the operator, and not by default: without a vote it waits for ever. Raises: LedgerError("no-vote")
    if the vote did not carry, LedgerError("too-early"), LedgerError("operator-gains").
    """
    if vote.ayes <= vote.nays or len(vote.proposal_sha256) != 64:
        says = f"{vote.ayes} for and {vote.nays} against"
        raise LedgerError("no-vote", f"{waiting.work}: {says}", "unclaimed money waits until a vote carries")
    if _years_after(waiting.since, years) > vote.closed:
        fix = f"vote again {years} years after the money came"
        raise LedgerError(
            "too-early", f"{waiting.work} waits since {waiting.since}, the vote was on {vote.closed}", fix
        )
    strangers = [account for account in weights if account != COMMONS and not account.startswith("payable:")]
    if strangers:
        raise LedgerError(
            "operator-gains", f"{strangers[0]} is no payee and not the commons", "name payees or the commons"
        )
    nano = int(waiting.amount_nano)
    name = make_id("move", "voted", vote.digest(), waiting.digest())
    legs = Counter({unclaimed(waiting.work): nano})
    legs.subtract(allocate(nano, weights, name))
    return Move(
        reference=name,
        kind=MoveKind.VOTED,
        end_to_end="",
        currency=waiting.currency,
        effective=vote.closed,
        recorded=recorded,
        legs=_ordered(legs),
        source=f"proposal:{vote.proposal_sha256}",
        reason=f"{vote.ayes} for, {vote.nays} against",
    )


def inherited_moves(
    balances: Mapping[str, int], heirs: Mapping[PartyId, Lines], currency: str, day: date, recorded: datetime
) -> list[Move]:
    """What is still owed to parties that others succeeded goes to these; what was paid before stays as it was.

    A part for which no heir is named waits in `held:estate:<party>`. The reference comes of the balance, so that later
    money of the same party can follow; there is nothing to move twice, for a balance moved is gone.
    """
    moves = []
    for party in sorted(heirs):
        owed = -balances.get(payable(party), 0)
        parts = inherited(party, PPM, heirs)
        weights = {payable(heir): ppm for heir, ppm in parts.items()}
        weights[f"held:estate:{party}"] = PPM - sum(parts.values())
        name = make_id("move", "inherited", party, digest([str(owed), recorded.isoformat(), sorted(weights.items())]))
        legs = Counter({payable(party): owed})
        legs.subtract(allocate(owed, weights, name) if owed > 0 else {})
        if owed > 0 and _ordered(legs):
            told = ("", currency, day, recorded, _ordered(legs), f"succession of {party}")
            moves.append(Move(name, MoveKind.INHERITED, *told))
    return moves


@dataclass(slots=True)
class _Waiting:
    """Of one payment for one work: what waits, and parts per million that each account was paid."""

    nano: int
    paid: Counter[str]


def _waiting(settlement: Settlement) -> dict[tuple[EventId, WorkId], _Waiting]:
    """Only where something waits; the shares are the same on every basis of a payment."""
    found: defaultdict[tuple[EventId, WorkId], _Waiting] = defaultdict(lambda: _Waiting(0, Counter()))
    for line in settlement.lines:
        if line.work is not None and line.account == unclaimed(line.work):
            found[line.event, line.work].nano += line.nano
    received = {event.id: event.received for event in settlement.events}
    for event, work in found:
        in_force = [one for one in settlement.splits if one.work == work and one.effective <= received[event]]
        for party, ppm in in_force[-1].lines if in_force else ():  # a settlement's splits are ordered by date
            found[event, work].paid[payable(party)] += ppm
    return dict(found)


def _release(
    settlement: Settlement,
    key: tuple[EventId, WorkId],
    waiting: _Waiting,
    more: Mapping[str, int],
    released: Counter[str],
    received: date,
    recorded: datetime,
) -> Move | None:
    own = unclaimed(key[1])
    weights = {account: ppm for account, ppm in more.items() if ppm > 0}
    weights[own] = PPM - sum(waiting.paid.values()) - sum(weights.values())
    due = Counter(allocate(waiting.nano, weights, f"release {settlement.id} {key[0]} {key[1]}"))
    due.pop(own)
    legs: Counter[str] = Counter()
    for account in {*due, *released}:
        legs[account] = released[account] - due[account]  # owed is negative
    legs[own] = -sum(legs.values())
    if not _ordered(legs):
        return None
    return Move(
        reference=make_id("move", "released", settlement.id, *key, digest([list(leg) for leg in _ordered(due)])),
        kind=MoveKind.RELEASED,
        end_to_end="",
        currency=settlement.currency,
        effective=received,
        recorded=recorded,
        legs=_ordered(legs),
        source=settlement.id,
        reason=f"{key[0]} {key[1]}",
    )


def _released(settlement: str, done: Iterable[Move]) -> defaultdict[tuple[EventId, WorkId], Counter[str]]:
    sums: defaultdict[tuple[EventId, WorkId], Counter[str]] = defaultdict(Counter)
    for move in done:
        if move.kind is MoveKind.RELEASED and move.source == settlement:
            event, _, work = move.reason.partition(" ")
            for account, nano in move.legs:
                if account != unclaimed(WorkId(work)):
                    sums[EventId(event), WorkId(work)][account] -= int(nano)
    return sums


def _ordered(legs: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((account, str(nano)) for account, nano in sorted(legs.items()) if nano)


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)
