"""Files that money comes with: payments, policies, contracts, the works a payment names, the outputs it was for."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from pathlib import Path

import numpy as np

from byline.core import (
    PPB,
    PPM,
    AppError,
    ClusterId,
    CoreError,
    EventId,
    LedgerError,
    Problem,
    RevenueEvent,
    Source,
    Work,
    WorkId,
    make_id,
    party_id,
)
from byline.ledger import Contract, Outputs, Policy, Prior, Probation, Unattributed, Use
from byline.registry import Columns, Row, parse_share, read_rows

EVENTS = Columns(("received", "licensee", "amount", "currency"), optional=("payment",))
USES = Columns(("payment", "work"), optional=("requests",))
OUTPUTS = Columns(("output", "payment", "price", "shares"))
CONTRACTS = Columns(
    ("contract", "version", "contributor", "effective", "currency"), optional=("commission", "favoured", "guarantee")
)
NANO = Decimal(1_000_000_000)
_EXACT = Context(prec=28, traps=[Inexact, InvalidOperation, Overflow])
STANDARD_POLICY = Policy(
    id="policy:standard",
    version=2,
    effective=date(2026, 1, 1),
    commission_ppm=100_000,
    reserve_ppm=50_000,
    train_share_ppm=200_000,
    prior=Prior.EQUAL,
    unattributed=Unattributed.COMMONS,
    probation=Probation.ALL,  # the prior is equal per work, whatever its length
)


@dataclass(frozen=True, slots=True)
class Payments:
    """Money received, and the payments' own names, by which other files speak of them."""

    events: tuple[RevenueEvent, ...]
    named: Mapping[str, EventId]


def read_payments(path: Path) -> tuple[Payments, list[Problem]]:
    """Money received, from CSV or JSON lines: received (ISO date), licensee, amount (major units), currency, and, if
    there is one, the payment's own name, which tells two equal payments of one day apart.

    With problems, none of it is to be settled.
    """
    rows, problems = read_rows(path, EVENTS)
    if not rows and not problems:
        problems = [Problem("no-events", Source(str(path)), "names no payment")]
    events, named = [], {}
    for row in rows:
        try:
            events.append(event_of(row))
        except ValueError as fault:
            problems.append(Problem("bad-event", row.at, str(fault)))
            continue
        if row["payment"] in named:
            problems.append(Problem("bad-event", row.at, f"the payment {row['payment']!r} stands here twice"))
        elif row["payment"]:
            named[row["payment"]] = events[-1].id
    return Payments(tuple(events), named), problems


def read_events(path: Path) -> tuple[list[RevenueEvent], list[Problem]]:
    """Only the payments of `read_payments`."""
    found, problems = read_payments(path)
    return list(found.events), problems


def event_of(row: Row) -> RevenueEvent:
    """One payment. Raises: ValueError, in words for whoever wrote the row."""
    nano, currency = str(nano_of(row["amount"])), row["currency"].upper()
    received = _day(row, "received")
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError(f"currency is {row['currency']!r}; write its ISO 4217 code, such as EUR")
    if not row["licensee"]:
        raise ValueError("the licensee has no name")
    own = (row["payment"],) if row["payment"] else ()
    name = EventId(make_id("event", row["licensee"], nano, currency, received.isoformat(), *own))
    return RevenueEvent(name, row["licensee"], nano, currency, received)


def nano_of(amount: str) -> int:
    """An amount above 0 in major units, exactly. Raises: ValueError."""
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


# --- what single parties agreed on ------------------------------------------------------------------------------


def read_contracts(path: Path) -> tuple[list[Contract], list[Problem]]:
    """Contracts, CSV or JSON lines: contract, version, contributor, effective, currency, commission (such as 5%),
    favoured (yes or no), guarantee (major units per settlement)."""
    rows, problems = read_rows(path, CONTRACTS)
    contracts: list[Contract] = []
    for row in rows:
        try:
            contracts.append(_contract(row))
        except (ValueError, LedgerError) as fault:
            problems.append(Problem("bad-contract", row.at, str(fault).partition("\n")[0]))
    versions = Counter((one.party, one.currency, one.effective, one.version) for one in contracts)
    problems += [
        Problem("bad-contract", Source(str(path)), f"version {version} of {day} stands twice for {party} in {currency}")
        for (party, currency, day, version), count in versions.items()
        if count > 1
    ]
    return contracts, problems


def _contract(row: Row) -> Contract:
    if not row["version"].isdigit() or not row["contributor"] or not row["contract"]:
        raise ValueError("give the contract's name, its version (a whole number) and the contributor")
    if row["favoured"] not in ("", "no", "yes"):
        raise ValueError(f"favoured is {row['favoured']!r}; write yes or no")
    guarantee = str(nano_of(row["guarantee"])) if row["guarantee"] else "0"
    told = (party_id(row["contributor"]), _day(row, "effective"), row["currency"].upper(), _commission(row))
    return Contract(row["contract"], int(row["version"]), *told, row["favoured"] == "yes", guarantee)


def _commission(row: Row) -> int:
    """An empty cell leaves the policy's rate."""
    text = row["commission"]
    ppm = PPM if not text else 0 if text.strip(" %") == "0" else parse_share(text)
    if ppm is None:
        raise ValueError(f"commission is {text!r}; write it as 5%")
    return ppm


# --- what a payment was for -------------------------------------------------------------------------------------


def read_uses(path: Path, named: Mapping[str, EventId], works: Sequence[Work]) -> tuple[list[Use], list[Problem]]:
    """The works that flat payments and tolls name: payment, work (title or id), requests (1 if left out)."""
    rows, problems = read_rows(path, USES)
    by_title = _titled(works)
    uses = []
    for row in rows:
        try:
            count = row["requests"] or "1"
            if not count.isdigit():
                raise ValueError(f"requests is {count!r}; write a whole number")
            uses.append(Use(_payment(row, named), _one(by_title, row["work"]), int(count)))
        except (ValueError, LedgerError) as fault:
            problems.append(Problem("bad-use", row.at, str(fault).partition("\n")[0]))
    return uses, problems


@dataclass(frozen=True, slots=True)
class PricedOutputs:
    """Outputs of each payment, with their shares of `clusters`."""

    clusters: tuple[ClusterId, ...]
    of: Mapping[EventId, Outputs]


def read_outputs(
    path: Path, named: Mapping[str, EventId], clusters: Mapping[WorkId, ClusterId], works: Sequence[Work]
) -> tuple[PricedOutputs, list[Problem]]:
    """Outputs with their price and their own shares: output, payment, price, shares (`title or id=12.5%;...`).

    What an output's shares leave below 100 % is unattributed. `clusters` are those of the trained works.
    """
    rows, problems = read_rows(path, OUTPUTS)
    names, by_title = tuple(sorted(set(clusters.values()))), _titled(works)
    found: defaultdict[EventId, list[tuple[str, int, list[int]]]] = defaultdict(list)
    for row in rows:
        try:
            shares = _shares(row, by_title, clusters)
            price = nano_of(row["price"])
            if not row["output"]:
                raise ValueError("the output has no name")
            found[_payment(row, named)].append((row["output"], price, [shares[name] for name in names]))
        except ValueError as fault:
            problems.append(Problem("bad-outputs", row.at, str(fault)))
    made = {event: _columns(listed, len(names)) for event, listed in found.items()}
    return PricedOutputs(names, made), problems


def _columns(listed: Sequence[tuple[str, int, list[int]]], width: int) -> Outputs:
    ids = np.array([name.encode() for name, _, _ in listed], dtype="S")
    nano = np.array([price for _, price, _ in listed], dtype=np.int64)
    return Outputs(ids, nano, np.array([ppb for _, _, ppb in listed], dtype=np.uint32).reshape(len(listed), width))


def _shares(row: Row, works: Mapping[str, list[WorkId]], clusters: Mapping[WorkId, ClusterId]) -> Counter[ClusterId]:
    """Parts per billion of each cluster; together at most all."""
    found: Counter[ClusterId] = Counter()
    for part in row.list("shares"):
        title, equals, share = part.rpartition("=")
        ppm = parse_share(share.strip())
        if not equals or ppm is None:
            raise ValueError(f"{part!r} in shares; write them as Moby Dick=12.5%;Walden=3%")
        work = _one(works, title.strip())
        if work not in clusters:
            raise ValueError(f"{title.strip()!r} was not trained on, and so has no share")
        found[clusters[work]] += ppm * (PPB // PPM)
    if found.total() > PPB:
        raise ValueError("the shares add to more than 100 %")
    return found


def _titled(works: Sequence[Work]) -> dict[str, list[WorkId]]:
    found: defaultdict[str, list[WorkId]] = defaultdict(list)
    for work in works:
        found[work.title].append(work.id)
        found[work.id].append(work.id)
    return dict(found)


def _one(works: Mapping[str, list[WorkId]], name: str) -> WorkId:
    found = works.get(name, [])
    if len(found) != 1:
        raise ValueError(f"{len(found)} works are registered as {name!r}; give the id of one")
    return found[0]


def _payment(row: Row, named: Mapping[str, EventId]) -> EventId:
    if row["payment"] not in named:
        raise ValueError(f"no payment is named {row['payment']!r}; fill in the column payment of the payments")
    return named[row["payment"]]


def _day(row: Row, column: str) -> date:
    try:
        return date.fromisoformat(row[column])
    except ValueError as fault:
        raise ValueError(f"{column} is {row[column]!r}; write it as 2026-09-01") from fault
