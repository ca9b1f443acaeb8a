"""What a proposal would change for each member, computed on money that was really divided, before anybody votes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from byline.core import PartyId, Record
from byline.ledger import Policy, Settlement, Unclaimed, allocate, compare, payable, what_if


@dataclass(frozen=True, slots=True)
class Impact(Record):
    """Nano-units of one currency that somebody got, and would have got: a member, others together, or an account."""

    who: str
    before_nano: str
    after_nano: str

    @property
    def nano(self) -> int:
        return int(self.after_nano) - int(self.before_nano)


OTHERS = "others"  # payees who are no members, together: their pay is nobody's business but theirs


def policy_impact(settlement: Settlement, policy: Policy, members: Iterable[PartyId]) -> tuple[Impact, ...]:
    """Every member's pay of one settlement as it was and under `policy`; then the others together, and every account
    that is nobody's (held money, commission). The changes add up to zero.

    Raises: what `what_if` raises, where the money cannot be divided again by another policy.
    """
    changes = {change.account: change for change in compare(settlement, what_if(settlement, policy))}
    mine = {payable(party): party for party in members}
    sums: dict[str, tuple[int, int]] = {party: (0, 0) for party in mine.values()}
    for account, change in changes.items():
        who = mine.get(account, OTHERS if account.startswith("payable:") else _plain(account))
        before, after = sums.get(who, (0, 0))
        sums[who] = (before + int(change.before_nano), after + int(change.after_nano))
    return tuple(Impact(who, str(before), str(after)) for who, (before, after) in sorted(sums.items()))


def fate_impact(waiting: Sequence[Unclaimed], to: str, members: Iterable[PartyId]) -> tuple[Impact, ...]:
    """What every member, or the commons, would get of unclaimed money (all of one currency)."""
    sums: dict[str, int] = {party: 0 for party in members}
    for one in waiting:
        for who, nano in allocate(int(one.amount_nano), fate_weights(to, members), one.work).items():
            sums[who] = sums.get(who, 0) + nano
    return tuple(Impact(who, "0", str(nano)) for who, nano in sorted(sums.items()))


def fate_weights(to: str, members: Iterable[PartyId]) -> Mapping[str, int]:
    """Who gets unclaimed money, each with the same weight."""
    return {"held:commons": 1} if to == "commons" else {party: 1 for party in members}


def _plain(account: str) -> str:
    """Held money of single works is told together."""
    return "held:unclaimed" if account.startswith("held:unclaimed:") else account
