"""`byline journal`: look into the ledger, check it, keep a checkpoint, write it out for other programs."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, err, out, say
from byline.core import AppError
from byline.ledger import FORMS, Journal, amount_text, compare, export, what_if

_LAST_MOMENT = timedelta(days=1) - timedelta(microseconds=1)


def journal_command(
    check: Annotated[bool, typer.Option("--check", help="Compute every hash, sum and run again.")] = False,
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="Keep the balances for later checks.")] = False,
    form: Annotated[str | None, typer.Option("--export", help=f"Write all of it as {', '.join(FORMS)}.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="File for --export.")] = None,
    account: Annotated[str, typer.Option(help="Only accounts that begin so, such as payable or held.")] = "",
    effective: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="What counts up to this day.")
    ] = None,
    recorded: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As it was known at the end of this day (UTC).")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--what-if", help="Policy (JSON): what all settlements would have paid under it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write no checkpoint and no file.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the balances of the ledger; check it, keep a checkpoint, or export it for beancount, hledger or anybody."""
    journal = Home.open(home, database).journal
    problems = journal.check() if check else []
    for problem in problems:
        err.print(str(problem), style="red", markup=False, highlight=False, soft_wrap=True)
    told: dict[str, Any] = {**journal.head().to_json(), "problems": [problem.to_json() for problem in problems]}
    if form:
        told |= _export(journal, form, to, dry_run)
    if checkpoint and not problems and not dry_run:
        told |= {"checkpoint": journal.checkpoint(datetime.now(UTC)).to_json()}
    told["balances"] = _balances(journal, account, effective, recorded)
    if policy:
        told |= _what_if(journal, policy, account)
    if not as_json:
        out.print(_changes_table(told["changes"]) if policy else _table(told["balances"]))
    say(as_json, told, _sentence(told, check))
    if problems:
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (journal_command,)


def _export(journal: Journal, form: str, to: Path | None, dry_run: bool) -> dict[str, Any]:
    if to is None:
        raise AppError("no-target", f"nowhere to write the journal as {form}", "name a file: --to FILE")
    text = export(journal, form)
    if not dry_run:
        part = to.with_name(to.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(to)
    return {"export": form, "file": str(to), "bytes": len(text.encode())}


def _balances(
    journal: Journal, account: str, effective: datetime | None, recorded: datetime | None
) -> dict[str, dict[str, str]]:
    """currency -> account -> nano-units as text."""
    until = recorded.replace(tzinfo=UTC) + _LAST_MOMENT if recorded else None
    found = {}
    for currency in journal.currencies():
        all_of = journal.balances(currency, effective.date() if effective else None, until)
        found[currency] = {name: str(nano) for name, nano in all_of.items() if name.startswith(account)}
    return found


def _what_if(journal: Journal, path: Path, account: str) -> dict[str, Any]:
    """What every settlement, as it stands now, would have paid under another policy. Nothing is written."""
    from byline.app.money import read_policy

    policy, sums = read_policy(path), Counter[tuple[str, str, str]]()
    for name in journal.settlement_ids():
        settlement = journal.standing(name)
        for change in compare(settlement, what_if(settlement, policy)):
            sums[settlement.currency, change.account, "before_nano"] += int(change.before_nano)
            sums[settlement.currency, change.account, "after_nano"] += int(change.after_nano)
    changes = [
        {
            "currency": currency,
            "account": name,
            "before_nano": str(sums[currency, name, "before_nano"]),
            "after_nano": str(sums[currency, name, "after_nano"]),
        }
        for currency, name in sorted({key[:2] for key in sums})
        if name.startswith(account)
    ]
    return {"policy_sha256": policy.digest(), "changes": changes}


def _changes_table(changes: list[dict[str, str]]) -> Table:
    table = Table("account", "as settled", "under the other policy", "change", box=None)
    for each in changes:
        before, after, currency = int(each["before_nano"]), int(each["after_nano"]), each["currency"]
        texts = (amount_text(nano, currency) for nano in (before, after, after - before))
        table.add_row(each["account"], *texts)
    return table


def _table(balances: dict[str, dict[str, str]]) -> Table:
    table = Table("account", "balance", "nano-units", box=None)
    for currency, accounts in balances.items():
        for name, nano in accounts.items():
            table.add_row(name, amount_text(int(nano), currency), nano)
    return table


def _sentence(told: dict[str, Any], checked: bool) -> str:
    """Positive balances are what came in, negative ones what is owed, held or earned."""
    parts = [f"{told['size']} entries, root {told['root']}."]
    if checked:
        parts.append(f"{len(told['problems'])} problems." if told["problems"] else "Computed again: all of it holds.")
    if "file" in told:
        parts.append(f"As {told['export']}: {told['file']}.")
    return " ".join(parts)
