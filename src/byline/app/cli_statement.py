"""`byline statement`: who has an account, what a payee earned in a period and why, and the signed files of it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, out, say
from byline.core import AppError
from byline.ledger import amount_text, decimal_text, read_period

if TYPE_CHECKING:
    from byline.app.statements import Desk
    from byline.core import Party
    from byline.ledger import Period


def statement_command(
    payee: Annotated[str, typer.Argument(help="Name or id; without it, everybody.")] = "",
    period: Annotated[
        str | None, typer.Option(help="2026-10, 2026-Q4 or 2026; default: the payee's last month.")
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option("--format", help="json, html or csv; repeatable; default: all three.")
    ] = None,
    why: Annotated[str | None, typer.Option(help="A line by its number: where every part of it comes from.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Sign the statement, once and for good, and write it to this folder.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217; needed where a payee has several.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show; sign and write nothing, even with --to.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a payee earned, line by line and why; with --to, sign it and write it; without a payee, list all."""
    from byline.app.statements import Desk, refuse_formats

    formats, to = refuse_formats(form or []), None if dry_run else to
    desk = Desk(Home.open(home, database), date.today())
    if not payee:
        return _everybody(desk, period, currency, to, formats, as_json)
    party = desk.payee(payee)
    asked = (party, _period(desk, party, period, currency), desk.currency(party, currency))
    if to:
        return _write(desk, [asked], to, formats, as_json)
    body = desk.body(*asked)
    if why:
        return _drill(body, why, as_json)
    if not as_json:
        out.print(_table(body))
        for part in body["change"].get("parts", []):
            if part["amount_nano"] != "0":
                amount = amount_text(int(part["amount_nano"]), body["currency"])
                out.print(f"  {part['says']}: {amount}", highlight=False)
    say(as_json, body, body["summary"])


COMMANDS: tuple[Callable[..., None], ...] = (statement_command,)


def _period(desk: "Desk", party: "Party", name: str | None, currency: str | None) -> "Period":
    """The one that was named, or the last in which something happened."""
    return read_period(name) if name else desk.periods(party, desk.currency(party, currency))[-1]


# --- everybody ------------------------------------------------------------------------------------------------


def _everybody(
    desk: "Desk", period: str | None, currency: str | None, to: Path | None, formats: tuple[str, ...], as_json: bool
) -> None:
    accounts = [
        (party, each)
        for party in desk.payees
        for each in desk.accounts.currencies(party.id)
        if each == (currency or each).upper()
    ]
    if to:
        if not period:
            raise AppError("no-period", "statements of everybody need one period", "add --period, such as 2026-10")
        wanted = read_period(period)
        asked = [(party, wanted, each) for party, each in accounts if _has(desk, party, each, wanted)]
        return _write(desk, asked, to, formats, as_json)
    told = [_listed(desk, party, each) for party, each in accounts]
    if not as_json:
        table = Table("payee", "balance", "months", "signed", box=None)
        for each in told:
            months, signed = ", ".join(each["periods"]), ", ".join(each["signed"])
            table.add_row(escape(each["name"]), amount_text(int(each["nano"]), each["currency"]), months, signed)
        out.print(table)
    say(as_json, {"payees": told}, f"{len(told)} accounts. byline statement PAYEE tells more.")


def _has(desk: "Desk", party: "Party", currency: str, period: "Period") -> bool:
    return any(month.start in period for month in desk.periods(party, currency))


def _listed(desk: "Desk", party: "Party", currency: str) -> dict[str, Any]:
    return {
        "party": party.id,
        "name": party.name,
        "currency": currency,
        "nano": str(desk.balance(party, currency)),
        "periods": [each.name for each in desk.periods(party, currency)],
        "signed": [each.period.name for each in desk.kept(party, currency)],
    }


def _write(
    desk: "Desk",
    asked: "list[tuple[Party, Period, str]]",
    to: Path,
    formats: tuple[str, ...],
    as_json: bool,
) -> None:
    told = []
    for kept in desk.issue(asked):
        files = [str(path) for path in desk.write(kept, to, formats)]
        body = kept.document["statement"]
        told.append({"name": body["payee"]["name"], "period": kept.period.name, "digest": kept.document["digest"],
                     "earned_nano": body["earned"]["nano"], "files": files})  # fmt: skip
    files = [file for each in told for file in each["files"]]
    shown = ", ".join(files) if len(files) <= 3 else f"{len(files)} files in {to}"
    say(as_json, {"statements": told}, f"Signed and in the log: {len(told)} statements. {shown}")


# --- one line -------------------------------------------------------------------------------------------------


def _drill(body: dict[str, Any], number: str, as_json: bool) -> None:
    """Cent -> line -> payment -> outputs -> work -> evidence."""
    line = next((line for line in body["lines"] if line["line"] == number), None)
    if line is None:
        says = f"the statement of {body['period']['says']} has no line {number!r}"
        raise AppError("no-such-line", says, f"give a number from 1 to {len(body['lines'])}")
    payment: dict[str, Any] = next(
        (p for p in body["payments"] if (p["event"], p["entry"]) == (line.get("event"), line["entry"])), {}
    )
    terms: dict[str, Any] = next((each for each in body["terms"] if each["settlement"] == line["run"]), {})
    behind: dict[str, Any] = next((w for w in body["evidence"].get("works", []) if w["work"] == line.get("work")), {})
    told = {"line": line, "payment": payment, "terms": terms, "behind": behind}
    amount = amount_text(int(line["amount_nano"]), body["currency"])
    if not as_json:
        for each in _chain(body["currency"], line, payment, terms, behind):
            out.print(escape(f"  {each}"), highlight=False, soft_wrap=True)
    say(as_json, told, f"Line {number}: {amount}, {line['says']}.")


def _chain(
    currency: str, line: dict[str, Any], payment: dict[str, Any], terms: dict[str, Any], behind: dict[str, Any]
) -> list[str]:
    found = [f"journal: entry {line['entry']} of {line['run']}, leaf {line['leaf'][:16]}"]
    if payment:
        received = amount_text(int(payment["received_nano"]), currency)
        outputs = f", for {payment['outputs']} outputs" if payment["outputs"] else ""
        found.append(f"payment: {received} from {payment['licensee']} on {payment['received']}{outputs}")
    if "corrects" in line:
        found.append(f"was {line['before_nano']} nano, is {line['after_nano']} nano: {line['because']}")
        found.append(f"corrects {line['corrects']['settlement']}, statement {line['corrects']['statement'] or 'none'}")
    elif "because" in line:
        found.append(f"because: {line['because']}")
    if "formula" in line:
        found += [f"work: {line['title'] or line['work']} ({line['work']}, {line['cluster']})", *_share(line, terms)]
        found += [f"sum: {step} nano" for step in line["formula"].split("; ")]
    found += [f"output: {each['output']}: {each['share_ppb'] / 1e7:.3g} % of it" for each in behind.get("outputs", [])]
    return found + [f"passage: {each['text'][:120]!r}" for each in behind.get("passages", [])]


def _share(line: dict[str, Any], terms: dict[str, Any]) -> list[str]:
    share = decimal_text(line["share_ppb"], 10**9)
    if line["interval_ppb"]:
        low, high = (decimal_text(end, 10**9) for end in line["interval_ppb"])
        share += f", between {low} and {high}"
    lam, split = decimal_text(line["lambda_ppm"], 10**6), decimal_text(line["split_ppm"], 10**6)
    found = [f"basis: {line['basis']}; share {share}; lambda {lam}; your part of the work {split}"]
    if terms:
        found.append(f"evidence: attribution {terms['attribution_sha256']}, policy {terms['policy_sha256']}, "
                     f"reliability {terms['reliability_evidence_sha256']}")  # fmt: skip
    return found


def _table(body: dict[str, Any]) -> Table:
    table = Table("line", "day", "what", "work", "nano-units", box=None)
    table.add_row("", body["period"]["start"], "balance", "", body["opening"]["nano"])
    for line in body["lines"]:
        says = f"{line['says']}{' (late)' if line['late'] else ''}"
        table.add_row(line["line"], line["day"], escape(says), escape(line.get("title", "")), line["amount_nano"])
    table.add_row("", body["period"]["end"], "balance", "", body["closing"]["nano"])
    return table
