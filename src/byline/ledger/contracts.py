"""What single parties have agreed with the operator, on top of the policy: a lower commission, the most favoured rate,
a guaranteed minimum, an advance that earnings pay back.

Applied once per period to what the period's settlements gave each party, in this order: rebate of commission, top-up to
the guarantee, recoupment. Rebates come out of the commission and top-ups out of the policy's guarantor, so that no
other payee pays for them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from byline.core import PPM, LedgerError, PartyId, Record
from byline.ledger.allocate import allocate
from byline.ledger.booking import BANK, Booking, Kind, book_moves
from byline.ledger.lines import COMMISSION, RESERVE, Settlement, payable
from byline.ledger.terms import Policy
from byline.ledger.whatif import by_account


@dataclass(frozen=True, slots=True)
class Contract(Record):
    """A party's own terms from a day on, one version after the other.

    `commission_ppm`: commission on the party's part of the gross, at most the policy's. `favoured`: never a higher
    commission than any other contract in force has (most favoured nation). `guarantee_nano`: least earnings of a
    period, in `currency`. Raises: LedgerError("bad-contract").
    """

    id: str
    version: int
    party: PartyId
    effective: date
    currency: str
    commission_ppm: int = PPM
    favoured: bool = False
    guarantee_nano: str = "0"

    def __post_init__(self) -> None:
        if not 0 <= self.commission_ppm <= PPM or not self.guarantee_nano.isdigit():
            raise LedgerError("bad-contract", f"{self.id}: a rate or a guarantee is out of range", "0 to 1e6 ppm; nano")


@dataclass(frozen=True, slots=True)
class Due(Record):
    """What a contract changes for one party in one period, in nano-units as text."""

    party: PartyId
    contract: str
    earned_nano: str
    commission_ppm: int
    rebate_nano: str
    top_up_nano: str
    recouped_nano: str


def advance_account(party: PartyId) -> str:
    return f"assets:advance:{party}"


def advance(party: PartyId, nano: int, currency: str, day: date, contract: str) -> Booking:
    """Money paid to a party before it is earned. Later earnings pay it back; if none come, it is not asked back."""
    if nano <= 0:
        raise LedgerError("bad-amount", f"an advance of {nano} nano", "give an amount above zero")
    moves = {advance_account(party): nano, BANK: -nano}
    reference = f"advance:{contract}:{party}"
    return book_moves(Kind.ADVANCE, "advance on earnings", day, {currency: moves}, {"contract": contract}, reference)


def in_force(contracts: Sequence[Contract], day: date, currency: str) -> dict[PartyId, Contract]:
    """The latest contract of each party on that day, in that currency."""
    dated = sorted(
        (each for each in contracts if each.effective <= day), key=lambda each: (each.effective, each.version)
    )
    return {each.party: each for each in dated if each.currency == currency}


def own_commission(contract: Contract, all_in_force: Mapping[PartyId, Contract], policy: Policy) -> int:
    """Parts per million: at most the policy's; of a favoured party, the least that anybody has agreed."""
    agreed = [contract, *(all_in_force.values() if contract.favoured else ())]
    least: int = min(policy.commission_ppm, *(each.commission_ppm for each in agreed))
    return least


def dues(
    settlements: Sequence[Settlement], contracts: Sequence[Contract], advances: Mapping[PartyId, int], day: date
) -> list[Due]:
    """What the contracts in force on `day` change for a period that was settled, all in one currency and under one
    policy. `advances`: nano-units of each party that are not paid back yet.

    Raises: LedgerError("mixed-currencies"), LedgerError("mixed-policies").
    """
    policy, currency = _one_policy(settlements), _one_currency(settlements)
    earned: Counter[str] = Counter()
    for settlement in settlements:
        for line in settlement.lines:
            earned[line.account] += line.nano
    binding = in_force(contracts, day, currency)
    found = [
        _due(each, earned[payable(party)], own_commission(each, binding, policy), advances.get(party, 0), policy)
        for party, each in sorted(binding.items())
    ]
    owing = sorted(party for party in advances if party not in binding)
    bare = [Contract("", 0, party, day, currency) for party in owing]
    return found + [
        _due(each, earned[payable(each.party)], policy.commission_ppm, advances[each.party], policy) for each in bare
    ]


def contract_booking(found: Sequence[Due], policy: Policy, currency: str, day: date, period: str) -> Booking:
    """The booking of a period's `dues`. Raises: LedgerError("bad-contract") if they change nothing."""
    moves: Counter[str] = Counter()
    for due in found:
        rebate, top_up, back = int(due.rebate_nano), int(due.top_up_nano), int(due.recouped_nano)
        moves[payable(due.party)] -= rebate + top_up - back
        moves[COMMISSION] += rebate
        moves[policy.guarantee_from] += top_up
        moves[advance_account(due.party)] -= back
    if not any(moves.values()):
        raise LedgerError("bad-contract", f"no contract changes anything in {period}", "book nothing")
    facts = {f"{due.party} {due.contract}": due.digest() for due in found}
    reference = f"contracts:{period}:{currency}"
    return book_moves(Kind.CONTRACT, f"contracts, {period}", day, {currency: moves}, facts, reference)


def reserve_release(settlement: Settlement, day: date, because: str) -> Booking:
    """What the settlement put into the reserve, to all who got the rest of its money and in the same proportions; what
    waits for a work or for the commons gets its part as well. Once for each settlement.

    `settlement` as it stands by now. Raises: LedgerError("bad-amount") if it has no reserve.
    """
    sums = by_account(settlement)
    reserve = sums.pop(RESERVE, 0)
    weights = {account: nano for account, nano in sums.items() if nano > 0 and account != COMMISSION}
    if reserve <= 0 or not weights:
        raise LedgerError("bad-amount", f"{settlement.id} holds no reserve to release", "name one that does")
    reference = f"reserve:{settlement.events[0].id}"
    moves = {RESERVE: reserve, **{name: -part for name, part in allocate(reserve, weights, reference).items()}}
    facts = {"settlement": settlement.id}
    return book_moves(Kind.RESERVE, because, day, {settlement.currency: moves}, facts, reference)


def _due(contract: Contract, earned: int, commission: int, advance: int, policy: Policy) -> Due:
    left = PPM - policy.commission_ppm - policy.reserve_ppm
    rebate = max(earned, 0) * (policy.commission_ppm - commission) // left if left else 0
    top_up = max(0, int(contract.guarantee_nano) - earned - rebate)
    back: int = min(advance, max(0, earned + rebate + top_up) * policy.recoup_ppm // PPM)
    amounts = [str(nano) for nano in (rebate, top_up, back)]
    return Due(contract.party, contract.id, str(earned), commission, *amounts)


def _one_policy(settlements: Sequence[Settlement]) -> Policy:
    policies = {settlement.terms.policy.digest(): settlement.terms.policy for settlement in settlements}
    if len(policies) != 1:
        raise LedgerError("mixed-policies", f"{len(policies)} policies in one period", "apply contracts per policy")
    return next(iter(policies.values()))


def _one_currency(settlements: Sequence[Settlement]) -> str:
    currencies = sorted({settlement.currency for settlement in settlements})
    if len(currencies) != 1:
        raise LedgerError("mixed-currencies", f"events in {', '.join(currencies)}", "apply contracts per currency")
    return currencies[0]
