"""Dry runs: the same money under another policy or other splits, and what that changes for everybody."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta

from byline.core import LedgerError, Record
from byline.ledger.lines import Settlement
from byline.ledger.settlement import resettle
from byline.ledger.terms import Policy, Terms


@dataclass(frozen=True, slots=True)
class Change(Record):
    """What an account would have got instead: nano-units as text."""

    account: str
    before_nano: str
    after_nano: str

    @property
    def nano(self) -> int:
        return int(self.after_nano) - int(self.before_nano)


def what_if(settlement: Settlement, policy: Policy) -> Settlement:
    """The settlement as it would have been, had `policy` been in force. It is for showing: only its policy's date is
    moved to the day before the money, so its lines are those of a real run under that policy.

    Raises: LedgerError("outputs-differ") where money was divided per output and the policy has other rates: then the
    outputs have to be divided again.
    """
    first = min(event.received for event in settlement.events) - timedelta(1)
    earlier = replace(policy, effective=min(policy.effective, first))
    terms = Terms(earlier, settlement.terms.reliability, min(settlement.terms.published, first))
    return resettle(replace(settlement, terms=terms))


def compare(before: Settlement, after: Settlement) -> tuple[Change, ...]:
    """Every account that gets something in either, ordered by account. The changes add up to zero.

    Raises: LedgerError("not-comparable") unless both divide the same money.
    """
    if before.events != after.events:
        raise LedgerError("not-comparable", f"{before.id} and {after.id} divide different payments", "settle the same")
    old, new = by_account(before), by_account(after)
    return tuple(Change(name, str(old[name]), str(new[name])) for name in sorted({*old, *new}))


def by_account(settlement: Settlement) -> Counter[str]:
    """Nano-units per account, over all events."""
    sums: Counter[str] = Counter()
    for line in settlement.lines:
        sums[line.account] += line.nano
    return sums
