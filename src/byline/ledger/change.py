"""Why a payee got more or less than in an earlier period, taken apart so that the parts add up to the last nano-unit.

One thing after the other is changed from how it was to how it is, always in the same order, and everything is settled
again each time: first the money that came in, then the measured shares (and which works are in the model), then the
reliability lambda, then the policy, then the agreed splits, then the pricing of single outputs. Each part is what its
step changed. The order matters where two things change together: what the later one does to what the earlier one
changed counts as the later one's. The result of the last step is what was really settled.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from byline.core import EventId, LedgerError, Record, RevenueEvent, Split, WorkId
from byline.ledger.lines import Line
from byline.ledger.settlement import Settlement, settle
from byline.ledger.terms import Mode, Terms

MONEY, SHARES, LAMBDA, POLICY, SPLITS, OUTPUTS = "money", "shares", "lambda", "policy", "splits", "outputs"
ORDER = (MONEY, SHARES, LAMBDA, POLICY, SPLITS, OUTPUTS)
Sums = Counter[str]  # account -> nano-units


@dataclass(frozen=True, slots=True)
class Slice:
    """The events of one settlement that fall in a period."""

    settlement: Settlement
    events: frozenset[EventId]

    @property
    def received(self) -> tuple[RevenueEvent, ...]:
        return tuple(event for event in self.settlement.events if event.id in self.events)

    def sums(self) -> Sums:
        """What each account got of these events."""
        return _sums(line for line in self.settlement.lines if line.event in self.events)


@dataclass(frozen=True, slots=True)
class Step(Record):
    """What one step changed for one account, in nano-units as text. `with_next`: the step could not be settled by
    itself, and its effect is in the following one."""

    name: str
    amount_nano: str
    with_next: bool


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """The steps between two periods, for every account at once."""

    steps: tuple[tuple[str, Sums, bool], ...]

    def of(self, account: str) -> tuple[Step, ...]:
        return tuple(Step(name, str(sums[account]), joined) for name, sums, joined in self.steps)


def bridge(before: Sequence[Slice], after: Sequence[Slice]) -> Bridge:
    """The steps from what `before` gave to what `after` gave. Nothing is written.

    Where a period has several settlements, each of the later ones is compared with the last of the earlier ones."""
    earned, totals = _total(before), {name: Counter[str]() for name in ORDER}
    joined: set[str] = set()
    if not before or not after:
        totals[MONEY] = _minus(_total(after), earned)
    else:
        last = max(before, key=lambda each: max(event.received for event in each.received))
        totals[MONEY].subtract(earned)
        for each in after:
            _walk(last, each, totals, joined)
    return Bridge(tuple((name, totals[name], name in joined) for name in ORDER))


def _walk(last: Slice, each: Slice, totals: dict[str, Sums], joined: set[str]) -> None:
    """From the earlier settlement's ways to the later one's, step by step. A step that cannot be settled (an earlier
    policy that needs what the later payments do not tell) is left to the next."""
    reached: Sums = Counter()
    for name, made in _stages(last, each):
        try:
            sums = made()
        except LedgerError:
            joined.add(name)
            continue
        totals[name].update(_minus(sums, reached))
        reached = sums


def _stages(last: Slice, each: Slice) -> Iterator[tuple[str, Callable[[], Sums]]]:
    old, new = last.settlement, each.settlement
    frozen = _frozen(last, new)
    lam = replace(
        new.terms.reliability,
        lambda_ppm=old.terms.reliability.lambda_ppm,
        low_ppm=old.terms.reliability.low_ppm,
        high_ppm=old.terms.reliability.high_ppm,
    )
    published = min(old.terms.published, new.terms.published)
    policy = old.terms.policy
    yield MONEY, lambda: _settled(each, old, old.terms, frozen)
    yield SHARES, lambda: _settled(each, new, Terms(policy, lam, published), frozen)
    yield LAMBDA, lambda: _settled(each, new, Terms(policy, new.terms.reliability, new.terms.published), frozen)
    yield POLICY, lambda: _settled(each, new, new.terms, frozen)
    yield SPLITS, lambda: _settled(each, new, new.terms, new.splits)
    yield OUTPUTS, each.sums


def _settled(each: Slice, ways: Settlement, terms: Terms, splits: Sequence[Split]) -> Sums:
    """The later payments, divided by the shares and stakes of `ways`."""
    named = terms.policy.mode is not Mode.SHARES
    uses = [use for use in each.settlement.uses if named and use.event in each.events]
    return _sums(settle(each.received, ways.shares, ways.stakes, splits, terms, uses=uses).lines)


def _frozen(last: Slice, new: Settlement) -> list[Split]:
    """The splits as they were on the last day of the earlier payments, from the beginning of time; of works that were
    not there then, those of the later settlement."""
    day = max(event.received for event in last.received)
    old = last.settlement
    known = {work for stake in old.stakes for work, _ in stake.works}
    then: dict[WorkId, Split] = {split.work: split for split in old.splits if split.effective <= day}
    kept = [replace(split, effective=date.min) for split in then.values()]
    return kept + [split for split in new.splits if split.work not in known]


def _total(slices: Sequence[Slice]) -> Sums:
    total: Sums = Counter()
    for each in slices:
        total.update(each.sums())
    return total


def _sums(lines: Iterable[Line]) -> Sums:
    sums: Sums = Counter()
    for line in lines:
        sums[line.account] += line.nano
    return sums


def _minus(left: Sums, right: Sums) -> Sums:
    found: Sums = Counter(left)
    found.subtract(right)
    return found
