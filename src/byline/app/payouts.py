"""Paying people out of a project folder: who is owed, the files for a bank or a provider, and what they answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from byline.app.corrections import correct_all, hand_over
from byline.app.home import Home
from byline.core import AppError, LedgerError, PartyId, Problem, party_id
from byline.ledger import (
    Applied,
    BankReport,
    Batch,
    Debtor,
    JournalAccounts,
    Payee,
    PayoutBook,
    PayoutRule,
    Standing,
    Withholding,
    minor_text,
    open_payout_book,
    pain001,
    provider_csv,
    read_bank,
    read_provider_csv,
)
from byline.registry import Columns, People, Row, parse_share, read_rows

WITHHOLDING = Columns(("contributor", "rate", "country", "ground", "until"))
PAYEES = Columns(("contributor",), optional=("iban", "bic", "token", "standing"))
FORMS = {"pain.001": ".xml", "csv": ".csv"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a payout is asked to do: see `byline payout --help`."""

    rule: PayoutRule
    execution: date
    form: str
    debtor: Debtor | None
    taxed: tuple[Withholding, ...] = ()


def book_of(home: Home) -> PayoutBook:
    return open_payout_book(home.journal.engine, JournalAccounts(home.journal))


def people_of(home: Home) -> People:
    return People(home.journal.engine, home.registry)


def read_payees(path: Path) -> tuple[list[Payee], list[Problem]]:
    """Payees, CSV or JSON lines: contributor, iban, bic, token, standing (verified, unverified, blocked)."""
    rows, problems = read_rows(path, PAYEES)
    payees = []
    for row in rows:
        try:
            payees.append(_payee(row))
        except (LedgerError, ValueError) as fault:
            problems.append(Problem("bad-payee", row.at, str(fault).partition("\n")[0]))
    return payees, problems


def _payee(row: Row) -> Payee:
    name = row["contributor"]
    standing = Standing(row["standing"] or Standing.VERIFIED.value)
    return Payee(party_id(name), name, row["iban"].replace(" ", ""), row["bic"], row["token"], standing)


def read_withholding(path: Path) -> tuple[list[Withholding], list[Problem]]:
    """Tax to withhold, CSV or JSON lines: contributor, rate (such as 15%), country, ground, until (the last day)."""
    rows, problems = read_rows(path, WITHHOLDING)
    found = []
    for row in rows:
        try:
            found.append(_withholding(row))
        except (LedgerError, ValueError) as fault:
            problems.append(Problem("bad-rate", row.at, str(fault).partition("\n")[0]))
    return found, problems


def _withholding(row: Row) -> Withholding:
    rate = parse_share(row["rate"])
    if rate is None or not row["contributor"]:
        raise ValueError(f"rate is {row['rate']!r} for {row['contributor']!r}; write a name and a rate such as 15%")
    until = date.fromisoformat(row["until"])
    return Withholding(party_id(row["contributor"]), rate, row["country"].upper(), row["ground"], until)


def pay_out(home: Home, payees: Sequence[Payee], asked: Asked, now: datetime) -> tuple[Batch, Path | None]:
    """Send what is owed and write the file; (batch, file). Asking again pays nothing twice.

    Raises: AppError("no-debtor") for a bank's file without an account to pay from, AppError("unknown-form"), and those
    of `PayoutBook.send`.
    """
    _refuse_unready(asked)
    merged = _merged(home, asked.execution)
    batch = book_of(home).send(payees, asked.rule, asked.execution, now, merged, asked.taxed)
    return batch, write_file(home, batch, payees, asked) if batch.instructions else None


def preview(home: Home, payees: Sequence[Payee], asked: Asked, now: datetime) -> Batch:
    _refuse_unready(asked)
    merged = _merged(home, asked.execution)
    return book_of(home).preview(payees, asked.rule, asked.execution, now, merged, asked.taxed)


def write_file(home: Home, batch: Batch, payees: Sequence[Payee], asked: Asked) -> Path:
    """The file of a batch, the same at every writing."""
    content = pain001(batch, payees, asked.debtor) if asked.debtor else provider_csv(batch, payees)
    book_of(home).keep_file(batch, asked.form, content)
    path = home.path / "payouts" / f"{batch.id}{FORMS[asked.form]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    return part.replace(path)


def read_answers(paths: Sequence[Path]) -> tuple[list[BankReport], list[Problem]]:
    """What a bank (XML) or a provider (CSV) answered. Raises: LedgerError("bad-bank-file")."""
    reports: list[BankReport] = []
    problems: list[Problem] = []
    for path in paths:
        read = read_provider_csv if path.suffix == ".csv" else read_bank
        found, faults = read(path.read_bytes(), path.name)
        reports, problems = reports + found, problems + faults
    return reports, problems


def apply_answers(home: Home, reports: Sequence[BankReport], now: datetime) -> Applied:
    return book_of(home).apply(reports, now)


def release_held(home: Home, day: date, now: datetime) -> tuple[int, list[Problem]]:
    """Before paying: give held money to those who are found to be its payees by now (see `corrections`), and what is
    owed to the dead to their heirs. How many settlements and balances that changed."""
    corrections, problems = correct_all(home, day, "what is known about payees by now", now)
    return len(corrections) + hand_over(home, day, now), problems


def told(batch: Batch, names: Mapping[PartyId, str]) -> dict[str, Any]:
    """A batch for people and machines."""
    currency = batch.rule.currency
    return {
        "batch": batch.id if batch.instructions else None,
        "currency": currency,
        "total": minor_text(batch.total_minor, currency),
        "paid": [
            {"party": one.party, "name": names.get(one.party, ""), "amount": minor_text(one.minor, currency),
             "withheld": minor_text(int(one.tax_minor), currency), "ground": one.ground, "end_to_end": one.end_to_end}
            for one in batch.instructions
        ],
        "carried": [{**one.to_json(), "name": names.get(one.party, "")} for one in batch.carried],
    }  # fmt: skip


def _merged(home: Home, on: date) -> dict[PartyId, PartyId]:
    return people_of(home).known().merged(on)


def _refuse_unready(asked: Asked) -> None:
    if asked.form not in FORMS:
        raise AppError("unknown-form", f"{asked.form!r} is no form of payout file", f"choose {' or '.join(FORMS)}")
    if asked.form == "pain.001" and asked.debtor is None:
        fix = "give --from-name and --from-iban"
        raise AppError("no-debtor", "a bank's file needs the account that pays", fix)
    if asked.form == "csv" and asked.debtor is not None:
        raise AppError(
            "no-debtor", "a provider's file has no account that pays", "leave --from-name and --from-iban out"
        )
