"""Where scores meet money: the only place that joins share tables to the ledger, and signs what comes of it."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_json, write_json
from byline.app.model import Training, read_kept
from byline.core import (
    AppError,
    EventId,
    Manifest,
    Party,
    PartyId,
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
    canonical_stakes,
    payable,
    settle,
    statement,
)

EVENT_COLUMNS = ("received", "licensee", "amount", "currency")
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
    """Money received, from a CSV file: received (ISO date), licensee, amount (major units), currency."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as fault:
        return [], [Problem("missing-file", Source(str(path)), fault.strerror or "cannot be read")]
    except UnicodeDecodeError as fault:
        return [], [Problem("encoding", Source(str(path)), f"is not UTF-8: byte {fault.start}")]
    if not rows:
        return [], [Problem("no-events", Source(str(path), 1), "names no payment")]
    missing = [name for name in EVENT_COLUMNS if name not in rows[0]]
    if missing:
        return [], [Problem("missing-column", Source(str(path), 1), f"has no column {', '.join(missing)}")]
    events, problems = [], []
    for line, row in enumerate(rows, 2):
        try:
            events.append(_event(row))
        except (ValueError, InvalidOperation) as fault:
            problems.append(Problem("bad-event", Source(str(path), line), str(fault) or "not an amount"))
    return events, problems


def _event(row: dict[str, str]) -> RevenueEvent:
    nano = Decimal(row["amount"]) * 1_000_000_000
    if not nano.is_finite() or nano != int(nano) or nano <= 0:
        raise ValueError(f"amount {row['amount']!r} is not a positive number with at most nine decimals")
    received, currency = date.fromisoformat(row["received"]), row["currency"].strip().upper()
    if len(currency) != 3 or not currency.isalpha():
        raise ValueError(f"currency {row['currency']!r} is not an ISO 4217 code")
    name = EventId(make_id("event", row["licensee"], str(int(nano)), currency, row["received"]))
    return RevenueEvent(name, row["licensee"], str(int(nano)), currency, received)


def read_policy(path: Path | None) -> Policy:
    """The policy in a JSON file, or the standard one. Raises: AppError("no-policy"), CoreError("bad-record")."""
    if path is None:
        return STANDARD_POLICY
    try:
        return Policy.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as fault:
        fix = "give a JSON file with the fields that docs/money.md lists"
        raise AppError("no-policy", f"{path} is not a policy: {fault}", fix) from fault


def divide(training: Training, events: Sequence[RevenueEvent], policy: Policy) -> Settlement:
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


def pay(training: Training, events: Sequence[RevenueEvent], policy: Policy, now: datetime) -> Settled:
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


def paid_nano(settlement: Settlement, party: PartyId) -> int:
    """What a settlement owes a party, by its lines."""
    return sum(line.nano for line in settlement.lines if line.account == payable(party))


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
