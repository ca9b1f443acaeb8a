"""Where scores meet money: the only place that joins share tables to the ledger, and signs what comes of it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byline.app.home import Home, read_json, read_kept, write_json
from byline.core import (
    AppError,
    CoreError,
    EventId,
    LedgerError,
    Manifest,
    Party,
    Problem,
    Reliability,
    RevenueEvent,
    ShareTable,
    Source,
    Split,
    make_id,
)
from byline.disclosure import Verification, sign_statement, verify_document, write_statement
from byline.ledger import (
    Policy,
    Prior,
    Settlement,
    Terms,
    Unattributed,
    amount_text,
    canonical_stakes,
    payable,
    settle,
    statement,
)
from byline.registry import Columns, Row, read_rows

if TYPE_CHECKING:  # verifying a statement needs no torch
    from byline.app.model import Training

EVENTS = Columns(("received", "licensee", "amount", "currency"))
NANO = Decimal(1_000_000_000)
_EXACT = Context(prec=28, traps=[Inexact, InvalidOperation, Overflow])
STANDARD_POLICY = Policy(
    id="policy:standard",
    version=1,
    effective=date(2026, 1, 1),
    commission_ppm=100_000,
    reserve_ppm=50_000,
    train_share_ppm=200_000,
    prior=Prior.EQUAL,
    unattributed=Unattributed.COMMONS,
)


@dataclass(frozen=True, slots=True)
class Settled:
    settlement: Settlement
    posted: bool  # False if the journal held it already
    statements: tuple[tuple[Party, Path], ...]


def read_events(path: Path) -> tuple[list[RevenueEvent], list[Problem]]:
    """Money received, from CSV or JSON lines: received (ISO date), licensee, amount (major units), currency.

    With problems, none of it is to be settled.
    """
    rows, problems = read_rows(path, EVENTS)
    if not rows and not problems:
        problems = [Problem("no-events", Source(str(path)), "names no payment")]
    events = []
    for row in rows:
        try:
            events.append(_event(row))
        except ValueError as fault:
            problems.append(Problem("bad-event", row.at, str(fault)))
    return events, problems


def _event(row: Row) -> RevenueEvent:
    nano, currency = str(_nano(row["amount"])), row["currency"].upper()
    try:
        received = date.fromisoformat(row["received"])
    except ValueError as fault:
        raise ValueError(f"received is {row['received']!r}; write it as 2026-09-01") from fault
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError(f"currency is {row['currency']!r}; write its ISO 4217 code, such as EUR")
    if not row["licensee"]:
        raise ValueError("the licensee has no name")
    name = EventId(make_id("event", row["licensee"], nano, currency, received.isoformat()))
    return RevenueEvent(name, row["licensee"], nano, currency, received)


def _nano(amount: str) -> int:
    """An amount in major units, exactly."""
    try:
        nano = _EXACT.multiply(Decimal(amount), NANO)
    except ArithmeticError:
        nano = Decimal("nan")
    if not nano.is_finite() or nano <= 0 or nano != int(nano):
        raise ValueError(f"amount is {amount!r}; write a number above 0 with at most nine decimals, such as 1250.00")
    if nano >= 2**63:
        raise ValueError(f"amount is {amount!r}; book more than nine thousand million as several events")
    return int(nano)


def read_policy(path: Path | None) -> Policy:
    """The policy in a JSON file, or the standard one. Raises: AppError("no-policy")."""
    if path is None:
        return STANDARD_POLICY
    try:
        return Policy.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, CoreError, LedgerError) as fault:
        fix = "give a JSON file with the fields that docs/money.md lists"
        raise AppError("no-policy", f"{path} is not a policy: {fault}", fix) from fault


def divide(training: "Training", events: Sequence[RevenueEvent], policy: Policy) -> Settlement:
    """The settlement of some payments by what was attributed and how reliable that was measured to be. Pure reading.

    Raises: AppError("not-made-yet"), LedgerError("terms-too-late") and the others of `settle`.
    """
    home = training.home
    shares = ShareTable.from_json(read_kept(home, training.name, "attribution")["period"])
    measured = read_kept(home, training.name, "evaluation")
    terms = Terms(policy, Reliability.from_json(measured["reliability"]), date.fromisoformat(measured["measured"]))
    lengths = {entry.work: len(home.registry.text(entry.work)) for entry in training.manifest.entries}
    stakes = canonical_stakes(training.manifest, lengths)
    return settle(events, shares, stakes, splits_in_force(home, training.manifest, events), terms)


def splits_in_force(home: Home, manifest: Manifest, events: Sequence[RevenueEvent]) -> list[Split]:
    """Every split of an admitted work that is in force on the day of some event."""
    admitted = {entry.work for entry in manifest.entries}
    found = {
        (split.work, split.effective): split
        for event in events
        for split in home.registry.splits_on(event.received).values()
        if split.work in admitted
    }
    return list(found.values())


def pay(training: "Training", events: Sequence[RevenueEvent], policy: Policy, now: datetime) -> Settled:
    """Divide, post to the journal, log its head, and write a signed statement for everybody who is owed something."""
    home = training.home
    settlement = divide(training, events, policy)
    posted = home.journal.post(settlement, now)
    folder = home.path / "statements" / settlement.id.removeprefix("settlement:")
    if posted:
        home.log.append("journal", home.journal.head().digest())
    titles = {entry.work: home.works[entry.work].title for entry in training.manifest.entries}
    owed = {line.account for line in settlement.lines}
    payees = [party for party in home.registry.parties() if payable(party.id) in owed]
    written = []
    for party in sorted(payees, key=lambda party: party.name):
        path = folder / f"{_file_name(party.name)}.json"
        if not path.is_file():
            write_statement(path, sign_statement(statement(party, settlement, titles), home.log, home.key))
        written.append((party, path))
    write_json(home.training(training.name) / "settlement.json", _kept(settlement, home, written))
    return Settled(settlement, posted, tuple(written))


def _kept(settlement: Settlement, home: Home, written: Sequence[tuple[Party, Path]]) -> dict[str, Any]:
    return {
        "settlement": settlement.id,
        "statements": [
            {"party": party.id, "name": party.name, "file": str(path.relative_to(home.path))} for party, path in written
        ],
    }


def conservation(settlement: Settlement) -> str:
    """Where all of the money went, in one sentence."""
    totals = {what: amount_text(nano, settlement.currency) for what, nano in settlement.totals().items()}
    return (
        f"{totals['received']} received = {totals['allocated']} allocated + {totals['held']} held + "
        f"{totals['commission']} commission, to the last nano-unit."
    )


def verify(path: Path, key: Path) -> Verification:
    return verify_document(path, key)


def verify_altered(path: Path, key: Path) -> Verification:
    """What verification says of a copy of the statement in which one digit of the total was changed."""
    document = read_json(path, "byline settle")
    total = document["statement"]["total"]
    total["nano"] = _other_digit(total["nano"])
    return verify_document(document, key)


def _other_digit(number: str) -> str:
    return str((int(number[0]) % 9) + 1) + number[1:]


def _file_name(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
