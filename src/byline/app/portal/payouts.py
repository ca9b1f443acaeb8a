"""For operators: paying what is owed, tried first and then sent, as a file for a bank or a payment provider; and what
the bank answers, shown first and then booked.

Account numbers are read for making a file and kept nowhere: they go from the page to the file and back to the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.payouts import (
    FORMS,
    Asked,
    book_of,
    pay_out,
    preview,
    read_payees,
    read_withholding,
    told,
)
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.core import AppError, PartyId, Problem, party_id
from byline.ledger import (
    Batch,
    Debtor,
    Move,
    Payee,
    PayoutRule,
    Withholding,
    minor_digits,
    minor_text,
    pain001,
    provider_csv,
)

MOST = 1_000_000  # characters of a table, and of a bank's answer as it goes back to the page
SHOWN = 100
CHOICES = (("pain.001", "for a bank (ISO 20022, pain.001)"), ("csv", "for a payment provider (CSV)"))
REASONS = {
    "below-threshold": "below the threshold, carried forward",
    "below-one-unit": "less than the smallest coin, carried forward",
    "no-account": "no account is known, carried forward",
    "unverified": "not checked yet, carried forward",
    "blocked": "blocked, carried forward",
    "too-large": "more than a file can hold",
}
STATES = {
    "sent": "on its way",
    "settled": "paid",
    "rejected": "rejected; owed again",
    "returned": "sent back; owed again",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/operate/payouts", Role.OPERATOR)(show)
    doors.page("POST", "/operate/payouts/try", Role.OPERATOR, reads=True, back="/operate/payouts")(attempt)
    doors.page("POST", "/operate/payouts/send", Role.OPERATOR, back="/operate/payouts")(send)
    doors.page("GET", "/operate/payouts/{batch}", Role.OPERATOR)(one)
    doors.page("GET", "/operate/payouts/{batch}/file", Role.OPERATOR)(file)


def show(visit: Visit) -> Answer:
    home, book = visit.home, book_of(visit.home)
    currencies = home.journal.currencies() or ["EUR"]
    data = {
        "owed": {currency: owed(visit, currency) for currency in currencies},
        "totals": {c: {k: minor_text(n, c) for k, n in book.totals(c).items()} for c in currencies},
        "batches": [{"id": b.id, "day": b.execution, "count": len(b.instructions), "currency": b.rule.currency,
                     "total": minor_text(b.total_minor, b.rule.currency)} for b in reversed(book.batches())],
        "choices": CHOICES,
        "day": visit.now.date().isoformat(),
    }  # fmt: skip
    return Page("payouts.html", "Payouts", data)


def owed(visit: Visit, currency: str) -> int:
    """What all payees together are owed, in nano-units."""
    balances = visit.home.journal.balances(currency)
    return -sum(nano for account, nano in balances.items() if account.startswith("payable:") and nano < 0)


# --- paying ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """A payout as the form asks for it. `fields`: the same, to be sent once more."""

    payees: tuple[Payee, ...]
    asked: Asked
    fields: dict[str, str]


def attempt(visit: Visit) -> Answer:
    """Who would be paid how much, and who not and why. Nothing is booked, sent or kept."""
    order = _order(visit)
    batch = _drawn(visit, order)
    data = {**_shown(visit, batch), "fields": order.fields, "id": batch.id, "day": order.asked.execution}
    return Page("payout-try.html", "Before it is sent", data)


def send(visit: Visit) -> Answer:
    """Book and write exactly what was shown. Raises: AppError("shown-otherwise")."""
    order = _order(visit)
    if _drawn(visit, order).id != visit.field("batch", 100):
        raise AppError("shown-otherwise", "what is owed has changed since this was shown", "try it again, and look")
    batch, _ = pay_out(visit.home, order.payees, order.asked, visit.now)
    visit.did("sent a payout", batch.id)
    return Onward(f"/operate/payouts/{batch.id}")


def _drawn(visit: Visit, order: Order) -> Batch:
    """The batch, of which a file can be made: money is never put on its way without one.

    Raises: LedgerError("nothing-to-pay"), LedgerError("no-iban"), LedgerError("no-token").
    """
    batch = preview(visit.home, order.payees, order.asked, visit.now)
    if batch.instructions:
        debtor = order.asked.debtor
        _ = pain001(batch, order.payees, debtor) if debtor else provider_csv(batch, order.payees)
    return batch


def _shown(visit: Visit, batch: Batch) -> dict[str, Any]:
    found = told(batch, visit.home.names)
    carried = [
        {**each, "why": REASONS.get(each["reason"], each["reason"]), "nano": int(each["amount_nano"])}
        for each in found["carried"]
    ]
    return {
        "paid": found["paid"],
        "carried": sorted(carried, key=_most),
        "total": found["total"],
        "currency": found["currency"],
    }


def _most(carried: dict[str, Any]) -> tuple[int, str]:
    return -carried["nano"], carried["name"]


def _order(visit: Visit) -> Order:
    """Raises: AppError("bad-payments") and others, each at its field; all problems of the tables by line."""
    payees, taxed = _payees(visit), _taxed(visit)
    form, currency = visit.field("form", 20), visit.field("currency", 3).upper()
    threshold, day, debtor = 0, visit.now.date(), None
    with visit.at("currency"):
        threshold = _minor(visit, currency)
    with visit.at("on"):
        day = _day(visit.field("on", 10))
    with visit.at("from_iban"):
        debtor = _debtor(visit, form)
    anyway = tuple(party_id(line.strip()) for line in visit.field("anyway", 20_000).splitlines() if line.strip())
    with visit.at("anyway"):
        _refuse_strangers(visit, anyway)
    visit.refuse_faults()
    fields = {name: visit.field(name, MOST) for name in ("form", "currency", "threshold", "on", "anyway", "withhold",
                                                        "from_name", "from_iban", "from_bic")}  # fmt: skip
    asked = Asked(PayoutRule(currency, threshold, anyway), day, form, debtor, tuple(taxed))
    return Order(tuple(payees), asked, fields | {"payees": _table(visit)})


def _table(visit: Visit) -> str:
    """Payees as text: of the file, or as they stand in the page. Raises: AppError("not-text")."""
    try:
        return visit.upload.content.decode("utf-8-sig") if visit.upload else visit.field("payees", MOST)
    except UnicodeDecodeError as fault:
        raise AppError("not-text", "the file is no text in UTF-8", "save it as UTF-8") from fault


def _payees(visit: Visit) -> Sequence[Payee]:
    with visit.at("payees"):
        text = _table(visit)
        if not text:
            raise AppError("empty-field", "nobody is named", "give a table of payees")
        found, problems = _read(text, read_payees)
        _tell(visit, "payees", problems)
        return found
    return ()


def _taxed(visit: Visit) -> Sequence[Withholding]:
    text = visit.field("withhold", 100_000)
    found, problems = _read(text, read_withholding) if text else ([], [])
    _tell(visit, "withhold", problems)
    return found


def _read(text: str, read: Any) -> tuple[Sequence[Any], Sequence[Problem]]:
    """What a command reads from a file; the file is gone afterwards."""
    with TemporaryDirectory(prefix="byline-payout-") as folder:
        path = Path(folder) / "table.csv"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8", newline="\n")
        found: tuple[Sequence[Any], Sequence[Problem]] = read(path)
        return found


def _tell(visit: Visit, name: str, problems: Sequence[Problem]) -> None:
    for problem in problems[:SHOWN]:
        where = f"line {problem.at.line}: " if problem.at.line else ""
        visit.faults.append((name, AppError("bad-payments", f"{where}{problem.says}", "")))


def _minor(visit: Visit, currency: str) -> int:
    """The threshold in minor units. Raises: AppError("bad-price"), AppError("bad-payments")."""
    if currency not in (visit.home.journal.currencies() or ["EUR"]):
        raise AppError("bad-payments", f"nothing is owed in “{currency}”", "choose one of the list")
    text = visit.field("threshold", 20).replace(",", ".") or "0"
    try:
        minor = Decimal(text).scaleb(minor_digits(currency))
    except InvalidOperation:
        minor = Decimal(-1)
    if not minor.is_finite() or minor < 0 or minor != int(minor) or minor > 10**12:
        raise AppError("bad-price", f"“{text}” is no threshold", "write it as 10.00")
    return int(minor)


def _day(text: str) -> date:
    """Raises: AppError("bad-date")."""
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise AppError("bad-date", f"“{text}” is no day", "write it as 2026-12-01") from fault


def _debtor(visit: Visit, form: str) -> Debtor | None:
    """Raises: AppError("bad-choice"), AppError("empty-field"), LedgerError("bad-debtor")."""
    if form not in FORMS:
        raise AppError("bad-choice", "that is no form of file", "choose one of the list")
    if form != "pain.001":
        return None
    name, iban = visit.field("from_name", 200), visit.field("from_iban", 50).replace(" ", "").upper()
    if not name or not iban:
        raise AppError("empty-field", "a bank’s file needs the account that pays", "give its holder and its IBAN")
    return Debtor(name, iban, visit.field("from_bic", 20).upper())


def _refuse_strangers(visit: Visit, parties: Sequence[PartyId]) -> None:
    """Raises: AppError("no-payee")."""
    if any(party not in visit.home.names for party in parties):
        raise AppError("no-payee", "one of these names is not registered", "write them as they stand in the books")


# --- what became of it ----------------------------------------------------------------------------------------------


def one(visit: Visit) -> Answer:
    book = book_of(visit.home)
    batch = _batch(visit)
    last: dict[str, Move] = {move.end_to_end: move for move in book.moves()}
    rows = [{"name": visit.home.names.get(each.party, each.party),
             "amount": minor_text(each.minor, batch.rule.currency), "ground": each.ground,
             "state": STATES.get(last[each.end_to_end].kind.value, last[each.end_to_end].kind.value),
             "reason": last[each.end_to_end].reason, "on": last[each.end_to_end].effective}
            for each in batch.instructions]  # fmt: skip
    total = minor_text(batch.total_minor, batch.rule.currency)
    data = {"batch": batch, "rows": rows, "total": total, "file": _file(visit, batch.id) is not None}
    return Page("payout.html", "A payout", data)


def file(visit: Visit) -> Answer:
    batch = _batch(visit)
    path = _file(visit, batch.id)
    if path is None:
        raise AppError("no-such-page", "there is no such payout", "the list has them all")
    visit.did("downloaded a payout file", batch.id)
    return Download(path.read_bytes(), path.name, "application/xml" if path.suffix == ".xml" else "text/csv")


def _batch(visit: Visit) -> Batch:
    """Raises: AppError("no-such-page") for one that the book does not know."""
    found = [each for each in book_of(visit.home).batches() if each.id == visit.named["batch"]]
    if not found:
        raise AppError("no-such-page", "there is no such payout", "the list has them all")
    return found[0]


def _file(visit: Visit, batch: str) -> Path | None:
    found = [visit.home.path / "payouts" / f"{batch}{ending}" for ending in FORMS.values()]
    return next((path for path in found if path.is_file()), None)
