"""`byline settle`, `byline adjust` and `byline book`: money in, corrections of it, and what else is booked."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    DayOption,
    HomeOption,
    JsonOption,
    NameOption,
    day,
    out,
    refuse_problems,
    say,
    tell,
)
from byline.core import PartyId, WorkId
from byline.ledger import Change, Effect, Settlement, amount_text

if TYPE_CHECKING:
    from byline.app.money import Details, Ground
    from byline.app.money_files import Payments


def settle_command(
    events: Annotated[Path, typer.Argument(help="Money received, CSV: received,licensee,amount,currency.")],
    policy: Annotated[
        Path | None, typer.Option(help="Policy (JSON); default: what a cooperative voted for, or the standard one.")
    ] = None,
    uses: Annotated[Path | None, typer.Option(help="Works that payments name: payment,work,requests.")] = None,
    outputs: Annotated[Path | None, typer.Option(help="Priced outputs: output,payment,price,shares.")] = None,
    contracts: Annotated[Path | None, typer.Option(help="What single contributors agreed on: docs/money.md.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each payee before and after; write nothing.")
    ] = False,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Divide money received by the rule of money, post it to the journal and write signed statements."""
    from byline.app.coop_effects import policy_for
    from byline.app.money import conservation, contract_dues, divide, is_measured, pay, reserve_of
    from byline.app.money_files import read_payments, read_policy

    received, problems = read_payments(events)
    refuse_problems(problems, as_json)
    place = Home.open(home, database)
    voted = None if policy else policy_for(place, name, received.events)
    terms = voted or read_policy(policy)
    ground = _ground(place, name, is_measured(terms))
    details = _details(ground, received, uses, outputs, contracts, as_json)
    told: dict[str, Any] = {"posted": False, "statements": 0}
    if dry_run:
        settlement = divide(ground, received.events, terms, details)
        found = contract_dues(place, settlement, details.contracts)
        told["accounts"] = _before_and_after(place, settlement)
        if not as_json:
            out.print(_accounts_table(told["accounts"], settlement.currency))
    else:
        settled = pay(ground, received.events, terms, datetime.now(UTC), details)
        settlement, found = settled.settlement, list(settled.dues)
        told |= {"posted": settled.posted, "statements": len(settled.statements)}
    totals = {f"{what}_nano": str(nano) for what, nano in settlement.totals().items()}
    told |= {"settlement": settlement.id, "policy_sha256": terms.digest(), "currency": settlement.currency, **totals}
    told |= {"reserve_nano": str(reserve_of(settlement)), "contracts": [due.to_json() for due in found]}
    new = [work for works in settlement.on_probation().values() for work in works]
    told |= {"new_works": new}
    more = f" Contracts change {len(found)} payees." if found else ""
    more += f" The pay of {len(new)} new works waits until somebody has looked at them: `byline review`." if new else ""
    say(as_json, told, conservation(settlement) + more)


def adjust_command(
    because: Annotated[str, typer.Option(help="The reason, as it is kept in the journal.")] = "known by now",
    on: DayOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; book nothing.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct what was settled by what is known now of splits, claims, disputes and heirs; book the differences."""
    from byline.app.corrections import correct_all, hand_over

    place, now = Home.open(home, database), datetime.now(UTC)
    found, problems = correct_all(place, day(on), because, now, dry_run)
    moved = 0 if dry_run else hand_over(place, day(on), now)
    for problem in problems:
        tell(as_json, str(problem))
    shown = [
        {
            "settlement": each.replaces,
            "currency": each.settlement.currency,
            "changes": [{**change.to_json(), "name": _account_name(place, change.account)} for change in each.changes],
        }
        for each in found
    ]
    if not as_json:
        for each in found:
            out.print(_changes_table(place, each.changes, each.settlement.currency))
    told = {"corrected": shown, "to_heirs": moved, "problems": [p.to_json() for p in problems], "dry_run": dry_run}
    verb = "would be corrected" if dry_run else "corrected"
    heirs = f" Balances handed over to heirs: {moved}." if moved else ""
    say(as_json, told, f"Settlements {verb}: {len(found)}. Statements that were written stay as they are.{heirs}")


def book_command(
    file: Annotated[Path, typer.Argument(help="What to book, CSV or JSONL: kind,effective and more.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show each account before and after.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Book advances, frozen and released money, exchanged currency and released reserves from a file: all or none."""
    from byline.app.bookings import read_bookings

    place = Home.open(home, database)
    bookings, problems = read_bookings(place, file)
    refuse_problems(problems, as_json, "nothing was booked")
    new = 0 if dry_run else place.journal.book_all(bookings, datetime.now(UTC))
    effects = [effect for booking in bookings for effect in place.journal.preview(booking)] if dry_run else []
    accounts = [_effect(place, effect) for effect in effects]
    if not as_json and dry_run:
        out.print(_accounts_table(accounts, ""))
    ids = [booking.id for booking in bookings]
    sentence = f"{len(ids)} would be booked." if dry_run else f"{new} booked, {len(ids) - new} stood there already."
    say(as_json, {"bookings": ids, "new": new, "accounts": accounts, "dry_run": dry_run}, sentence)


COMMANDS: tuple[Callable[..., None], ...] = (settle_command, adjust_command, book_command)


# --- parts ----------------------------------------------------------------------------------------------------


def _ground(place: Home, name: str, measured: bool) -> "Ground":
    """torch is needed only for money that follows a measurement."""
    from byline.app.money import Unmeasured

    if not measured:
        return Unmeasured(place, name)
    from byline.app.model import Training

    return Training.open(place, name)


def _details(
    ground: "Ground",
    received: "Payments",
    uses: Path | None,
    outputs: Path | None,
    contracts: Path | None,
    as_json: bool,
) -> "Details":
    """What the other files say; all their faults at once."""
    from byline.app.home import cluster_of
    from byline.app.money import Details
    from byline.app.money_files import PricedOutputs, read_contracts, read_outputs, read_uses

    works = list(ground.home.works.values())
    named, clusters = received.named, cluster_of(ground.manifest)
    told_uses, problems = read_uses(uses, named, works) if uses else ([], [])
    priced, faults = read_outputs(outputs, named, clusters, works) if outputs else (PricedOutputs((), {}), [])
    agreed, wrong = read_contracts(contracts) if contracts else ([], [])
    refuse_problems([*problems, *faults, *wrong], as_json, "nothing was settled")
    return Details(told_uses, priced, agreed)


# --- showing --------------------------------------------------------------------------------------------------


def _before_and_after(place: Home, settlement: Settlement) -> list[dict[str, str]]:
    """Each account that posting would touch; of a settlement that stands in the journal, as it is."""
    if settlement.id in place.journal.settlement_ids():
        return []
    effects = sorted(place.journal.preview(settlement), key=_people_first)
    return [_effect(place, effect) for effect in effects]


def _people_first(effect: Effect) -> tuple[bool, int, str]:
    """Payees, those who get most above the others; then what waits and what is kept."""
    return not effect.account.startswith("payable:"), int(effect.after_nano) - int(effect.before_nano), effect.account


def _effect(place: Home, effect: Effect) -> dict[str, str]:
    return {**effect.to_json(), "name": _account_name(place, effect.account)}


def _account_name(place: Home, account: str) -> str:
    """For people: whose account it is."""
    kind, _, rest = account.partition(":")
    if kind == "payable":
        return place.names.get(PartyId(rest), rest)
    if rest.startswith("unclaimed:"):
        work = place.works.get(WorkId(rest.removeprefix("unclaimed:")))
        return f"waiting for: {work.title if work else rest}"
    return account


def _accounts_table(accounts: Sequence[dict[str, str]], currency: str) -> Table:
    """What is owed is negative in the journal; people read it the other way round."""
    table = Table("payee or account", "before", "after", "change", box=None)
    for each in accounts:
        sign = 1 if each["account"].startswith("assets:") else -1
        before, after = sign * int(each["before_nano"]), sign * int(each["after_nano"])
        texts = (amount_text(nano, each["currency"] or currency) for nano in (before, after, after - before))
        table.add_row(escape(each["name"]), *texts)
    return table


def _changes_table(place: Home, changes: Sequence[Change], currency: str) -> Table:
    table = Table("payee or account", "was due", "is due", "change", box=None)
    for change in sorted(changes, key=lambda each: (not each.account.startswith("payable:"), -each.nano)):
        amounts = (int(change.before_nano), int(change.after_nano), change.nano)
        texts = (amount_text(nano, currency) for nano in amounts)
        table.add_row(escape(_account_name(place, change.account)), *texts)
    return table
