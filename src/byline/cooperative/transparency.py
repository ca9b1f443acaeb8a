"""The yearly report of a cooperative: every unit that came in, where it is, what was deducted, what was decided.

It follows what Directive 2014/26/EU asks of collective management organisations (article 22 and its annex, points 1
and 2: rights revenue, cost and deductions, amounts due to rightholders, paid, not yet distributed and not
distributable) for the facts that a journal holds. What was collected is the debit side, where it is the credit side,
so the table adds up or the report is not written.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from byline.core import CooperativeError, Record
from byline.ledger import Entry

RECEIVED, PAID, DUE = "received", "paid out or on its way", "due to rightholders"
ADVANCES = "less advances that earnings pay back"
UNCLAIMED, COMMONS, RESERVE = "unclaimed", "commons", "reserve"
CONTESTED, COSTS, OTHER = "other money held", "costs (commission)", "other accounts"

_KINDS: tuple[tuple[str, str], ...] = (
    ("assets:receivable", RECEIVED),
    ("assets:advance:", ADVANCES),
    ("assets:", PAID),
    ("payable:", DUE),
    ("held:unclaimed:", UNCLAIMED),
    ("held:commons", COMMONS),
    ("held:reserve", RESERVE),
    ("held:", CONTESTED),
    ("income:", COSTS),
)


@dataclass(frozen=True, slots=True)
class Flow(Record):
    """One kind of money over a year, in nano-units: at its beginning, what came, what went, at its end. Signs are of
    the reader: what is owed, held or earned is positive, and so is what was received in all and what was paid."""

    kind: str
    opening_nano: str
    in_nano: str
    out_nano: str
    closing_nano: str


@dataclass(frozen=True, slots=True)
class Accounts(Record):
    """The year in one currency. `flows`: each kind of money; what was received is all that is due, paid, held or
    earned, at the beginning and at the end."""

    currency: str
    first: date
    last: date
    flows: tuple[Flow, ...]

    def closing(self, kind: str) -> int:
        return next((int(flow.closing_nano) for flow in self.flows if flow.kind == kind), 0)


def year_accounts(entries: Iterable[Entry], currency: str, first: date, last: date) -> Accounts:
    """The accounts of a period by the days for which entries count. Order-independent.

    Raises: CooperativeError("report-off") if they do not add up.
    """
    before: Counter[str] = Counter()
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    for entry in entries:
        if entry.currency == currency and entry.effective <= last:
            for kind, nano in _moved(entry).items():
                if entry.effective < first:
                    before[kind] += nano
                else:
                    came[kind] += max(nano, 0)
                    went[kind] -= min(nano, 0)
    flows = tuple(_flow(kind, before, came, went) for kind in _order(before, came, went))
    accounts = Accounts(currency, first, last, flows)
    for what in ("opening_nano", "closing_nano"):
        _refuse_off({flow.kind: int(getattr(flow, what)) for flow in flows}, f"{what} of {currency}")
    return accounts


def _moved(entry: Entry) -> dict[str, int]:
    """By kind, what an entry changes in all: a move between two payees moves nothing between kinds."""
    sums: Counter[str] = Counter()
    for account, nano in entry.legs:
        kind = next((kind for prefix, kind in _KINDS if account.startswith(prefix)), OTHER)
        sums[kind] += int(nano) if kind == RECEIVED else -int(nano)
    return dict(sums)


def _order(*sums: Mapping[str, int]) -> Sequence[str]:
    kinds = {kind for one in sums for kind in one}
    return [kind for kind in (*dict.fromkeys(kind for _, kind in _KINDS), OTHER) if kind in kinds]


def _flow(kind: str, before: Counter[str], came: Counter[str], went: Counter[str]) -> Flow:
    closing = before[kind] + came[kind] - went[kind]
    return Flow(kind, *(str(nano) for nano in (before[kind], came[kind], went[kind], closing)))


def _refuse_off(sums: Mapping[str, int], what: str) -> None:
    received = sums.get(RECEIVED, 0)
    rest = sum(nano for kind, nano in sums.items() if kind != RECEIVED)
    if received != rest:
        says = f"{what}: {received} nano received, {rest} accounted for"
        raise CooperativeError("report-off", says, "`byline journal --check` says where the journal was changed")
