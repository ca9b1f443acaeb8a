"""Money that waits: listing what nobody claims, deciding its fate, and handing over what is owed to those who died.

What settling could not pay (contested, disputed, claimed by nobody) waits in an account of the work. When a claim, a
withdrawal or a decision comes, the settlements are corrected (`adjustment`): the works are divided again as they were
on the day of each payment but with what is known now, and everybody gets exactly that, back to the first payment.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from byline.core import PPM, LedgerError, PartyId, Record, WorkId, digest, make_id
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
            found.append(Unclaimed(work, titles.get(work, ""), str(-nano), currency, since.get(account, date.max)))
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


def _ordered(legs: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((account, str(nano)) for account, nano in sorted(legs.items()) if nano)


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)
