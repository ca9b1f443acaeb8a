"""What one payee is told about one period: what was there, what was added and taken, what is left, and why.

The lines lead from the opening to the closing balance of the payee's account. A statement that is signed is never
altered: what the journal learns later about its days stands in the next one, marked as late.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from byline.core import EventId, Party, WorkId
from byline.ledger.account import Movement, PayeeAccounts
from byline.ledger.account_lines import ADJUSTMENT, EARNING, account_lines, event_of_settlement
from byline.ledger.change import Bridge, Slice, bridge
from byline.ledger.contracts import advance_account
from byline.ledger.division import deductions, sums_of
from byline.ledger.lines import NEW, Basis, Settlement, payable, unclaimed
from byline.ledger.period import Period
from byline.ledger.period_words import PERIOD_KIND, change_words, summary
from byline.ledger.statement import amount_text, remainder_nano, terms_told

EARNED_BY = ("settlement", "adjustment")


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement that was signed earlier: its period, how many entries the journal had, its closing balance."""

    period: Period
    entries: int
    closing_nano: str
    digest: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom and what a statement is about, and what is known beside the journal.

    `issued`: the payee's last signed statement of an earlier period, if there is one. `signed`: settlement -> digest
    of the payee's statement about it. `evidence`: outputs and passages behind the works, ready for canonical JSON.
    `carried`: why money was not paid out, as (day, reason, nano-units) of each payout that passed the payee over.
    """

    party: Party
    period: Period
    currency: str
    drawn: date
    titles: Mapping[WorkId, str]
    issued: Issued | None = None
    signed: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    carried: Sequence[tuple[date, str, str]] = ()


class Bridges:
    """Bridges between periods, which are the same for all payees, made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Bridge] = {}

    def between(self, before: Sequence[Slice], after: Sequence[Slice]) -> Bridge:
        key = tuple(tuple((each.settlement.id, each.events) for each in side) for side in (before, after))
        if key not in self._made:
            self._made[key] = bridge(before, after)
        return self._made[key]


def period_statement(accounts: PayeeAccounts, asked: Asked, bridges: Bridges) -> dict[str, Any]:
    """The statement's body: canonical-JSON-able, amounts as text in nano-units."""
    every = accounts.movements(asked.party.id, asked.currency)
    opening, mine = _divided(every, asked)
    lines = [
        {"line": str(number), **line}
        for number, line in enumerate(
            (line for movement in mine for line in _lines(accounts, movement, asked)),
            1,
        )
    ]
    settled = [movement for movement in mine if movement.kind == "settlement"]
    terms = {movement.run: accounts.settlement(movement.run) for movement in settled}
    closing = opening + sum(movement.nano for movement in mine)
    body: dict[str, Any] = {
        "kind": PERIOD_KIND,
        "payee": asked.party.to_json(),
        "period": {**asked.period.to_json(), "says": str(asked.period)},
        "currency": asked.currency,
        "drawn": {"on": asked.drawn.isoformat(), "entries": accounts.head.size, "root": accounts.head.root},
        "opening": {**_amount(opening, asked.currency), "statement": asked.issued.digest if asked.issued else ""},
        "lines": lines,
        "sums": _sums(lines),
        "earned": _amount(_earned(lines), asked.currency),
        "closing": {
            **_amount(closing, asked.currency),
            "remainder_nano": str(remainder_nano(closing, asked.currency)),
        },
        "carried": [
            {"day": day.isoformat(), "because": because, "amount_nano": nano} for day, because, nano in asked.carried
        ],
        "waiting": _waiting(accounts, asked, lines, terms.values()),
        "payments": [_payment(accounts.settlement(each.run), each) for each in settled],
        "terms": [{"settlement": run, **terms_told(terms[run])} for run in sorted(terms)],
        "evidence": dict(asked.evidence),
        "change": _change(accounts, asked, every, bridges, _earned(lines)),
    }
    return {**body, "summary": summary(body)}


# --- which movements ------------------------------------------------------------------------------------------


def _divided(every: Sequence[Movement], asked: Asked) -> tuple[int, list[Movement]]:
    """The opening balance, and the movements that this statement tells: with an earlier statement, that one's closing
    balance and everything that it did not tell; without one, what was there before the first day."""
    told = [each for each in every if _tells(asked, each)]
    if asked.issued is not None:
        return int(asked.issued.closing_nano), told
    return sum(each.nano for each in every if each.effective < asked.period.start), told


def _tells(asked: Asked, each: Movement) -> bool:
    """Up to the end of the period: what no earlier statement tells."""
    if each.effective > asked.period.end:
        return False
    last = asked.issued
    if last is None:
        return each.effective >= asked.period.start
    return each.effective > last.period.end or each.entry > last.entries


def _lines(accounts: PayeeAccounts, movement: Movement, asked: Asked) -> list[dict[str, Any]]:
    late = movement.effective < asked.period.start
    lines = account_lines(accounts, asked.party.id, movement, asked.titles, asked.signed)
    return [{**line, "late": late} for line in lines]


def _earned(lines: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(line["amount_nano"]) for line in lines if line["kind"] in (EARNING, ADJUSTMENT))


def _sums(lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each kind of line, and of earnings by their basis."""
    sums: Counter[str] = Counter()
    for line in lines:
        sums[line["kind"]] += int(line["amount_nano"])
        if line["kind"] == EARNING:
            sums[f"{EARNING}:{line['basis']}"] += int(line["amount_nano"])
    return {f"{name}_nano": str(nano) for name, nano in sorted(sums.items())}


# --- where all of the money went ------------------------------------------------------------------------------


def _payment(settlement: Settlement, movement: Movement) -> dict[str, Any]:
    """One payment that the payee has a part in, and where the whole of it went."""
    event = event_of_settlement(settlement, movement.event)
    commission, reserve = deductions(event, settlement)
    sides: Counter[str] = Counter()
    for line in settlement.lines:
        if line.event == event.id:
            sides[line.basis.value if line.basis is Basis.UNATTRIBUTED else line.account.partition(":")[0]] += line.nano
    sums = sums_of(settlement, event.id)
    return {
        "event": event.id,
        "licensee": event.licensee,
        "received": event.received.isoformat(),
        "received_nano": event.amount_nano,
        "commission_nano": str(commission),
        "reserve_nano": str(reserve),
        "payees_nano": str(sides["payable"]),
        "unattributed_nano": str(sides[Basis.UNATTRIBUTED.value]),
        "unclaimed_nano": str(sides["held"] - reserve),
        "you_nano": movement.amount_nano,
        "outputs": sums.outputs if sums else 0,
        "outputs_sha256": sums.inputs_sha256 if sums else "",
        "settlement": settlement.id,
        "entry": movement.entry,
    }


def _waiting(
    accounts: PayeeAccounts, asked: Asked, lines: Sequence[Mapping[str, Any]], settled: Iterable[Settlement]
) -> list[dict[str, str]]:
    """Money that is not in the payee's account but may come to be, or is owed by it, as of the last day."""
    new = {work for each in settled for works in each.on_probation().values() for work in works}
    balances = accounts.journal.balances(asked.currency, asked.period.end)
    works = sorted({line["work"] for line in lines if line.get("work")})
    found = []
    for work in works:
        nano = -balances.get(unclaimed(WorkId(work)), 0)
        if nano:
            title = asked.titles.get(WorkId(work), "")
            why = NEW if work in new else "no agreed split names it"
            found.append({"work": work, "title": title, "amount_nano": str(nano), "why": why})
    for account, nano in sorted(balances.items()):
        if account.startswith("held:dispute:") and account.endswith(f":{asked.party.id}") and nano:
            case = account.removeprefix("held:dispute:").removesuffix(f":{asked.party.id}")
            found.append({"work": "", "title": "", "amount_nano": str(-nano), "why": f"contested in case {case}"})
    lent = balances.get(advance_account(asked.party.id), 0)
    if lent:
        why = "advance that later earnings pay back"
        found.append({"work": "", "title": "", "amount_nano": str(-lent), "why": why})
    return found


# --- why it changed -------------------------------------------------------------------------------------------


def _change(
    accounts: PayeeAccounts, asked: Asked, every: Sequence[Movement], bridges: Bridges, earned: int
) -> dict[str, Any]:
    """What was earned, against the last period before it in which anything was, in parts that add up exactly."""
    earlier = [each for each in every if each.kind in EARNED_BY and each.effective < asked.period.start]
    earlier = [each for each in earlier if not _tells(asked, each)]
    if not earlier:
        return {}
    since = asked.period.around(max(each.effective for each in earlier))
    before = [each for each in earlier if each.effective in since]
    now = [each for each in every if _tells(asked, each)]
    settled = accounts.settled(asked.currency)
    then = _slices(accounts, [each for each in settled if each.effective in since and not _tells(asked, each)])
    after = _slices(accounts, [each for each in settled if _tells(asked, each)])
    steps = bridges.between(then, after).of(payable(asked.party.id))
    was = _nano(before, *EARNED_BY)
    parts = by_count(
        [step.to_json() for step in steps], _nano(before, "settlement"), outputs_of(then), outputs_of(after)
    )
    corrections = _nano(now, "adjustment") - _nano(before, "adjustment")
    parts.append({"name": "corrections", "amount_nano": str(corrections), "with_next": False})
    return {
        "since": {**since.to_json(), "says": str(since)},
        "before_nano": str(was),
        "after_nano": str(earned),
        "difference_nano": str(earned - was),
        "parts": [{**part, "says": change_words(part["name"], int(part["amount_nano"]))} for part in parts],
    }


def outputs_of(slices: Sequence[Slice]) -> int | None:
    """How many outputs were paid for; None unless it is known of every payment."""
    sums = [sums_of(each.settlement, event.id) for each in slices for event in each.received]
    return sum(each.outputs for each in sums if each) if sums and all(sums) else None


def by_count(parts: list[dict[str, Any]], was: int, then: int | None, now: int | None) -> list[dict[str, Any]]:
    """The first part in two, where outputs were counted: as many more or fewer of them at the old earnings each, and
    the rest, which is what one of them brought."""
    if not then or now is None:
        return parts
    counted = was * now // then - was
    money = int(parts[0]["amount_nano"])
    first = [("count", counted), ("price", money - counted)]
    named = [{**parts[0], "name": name, "amount_nano": str(nano)} for name, nano in first]
    return [*named, *parts[1:]]


def _slices(accounts: PayeeAccounts, settled: Sequence[Movement]) -> list[Slice]:
    events: dict[str, set[EventId]] = {}
    for each in settled:
        events.setdefault(each.run, set()).add(EventId(each.event))
    return [Slice(accounts.settlement(run), frozenset(names)) for run, names in sorted(events.items())]


def _nano(movements: Sequence[Movement], *kinds: str) -> int:
    return sum(each.nano for each in movements if each.kind in kinds)


def _amount(nano: int, currency: str) -> dict[str, str]:
    return {"nano": str(nano), "text": amount_text(nano, currency)}
