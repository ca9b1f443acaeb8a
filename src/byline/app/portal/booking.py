"""For operators: money that moves and is no division: advances, money that waits for a case and is released, currency
exchanged, reserves released. Entered in a form or read from a table, shown first to the last account, then booked
exactly so: what `byline book` does."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.bookings import BOOKINGS, read_bookings
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.tasks import tables
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError, LedgerError, Problem, digest
from byline.ledger import Booking

MOST = 200_000  # characters of a table
SHOWN = 100  # faults of a table
COLUMNS = ",".join((*BOOKINGS.required, *BOOKINGS.optional))
KINDS = {
    "advance": "An advance",
    "hold": "Money that waits for a case",
    "release": "Money of a case that is decided",
    "exchange": "Money in another currency",
    "reserve": "The reserve of a division",
}
# What each form asks for: field, label, hint.
ASKS = {
    "advance": (("contributor", "Who is paid before it is earned", ""), ("amount", "Amount", "As in 1250.00."),
                ("currency", "Currency", ""), ("reference", "The contract", "Its number, or what it is called.")),
    "hold": (("contributor", "Whose money is contested", ""), ("amount", "How much of it waits", "As in 1250.00."),
             ("currency", "Currency", ""), ("reference", "The case", "Its number."), ("because", "Why", "")),
    "release": (("contributor", "Whose money it was", ""), ("amount", "How much, all that the case holds", ""),
                ("currency", "Currency", ""), ("reference", "The case", "Its number."), ("because", "The decision", ""),
                ("shares", "To whom", "As in Ann Lee=60%;Bob=40%.")),
    "exchange": (("contributor", "Whose money", ""), ("amount", "Amount", "As in 1250.00."), ("currency", "From", ""),
                 ("to", "Into", "Such as USD."), ("rate", "Rate", "How much of the second for one of the first."),
                 ("source", "Who quoted it", ""), ("quoted", "When", "With the time zone: 2026-09-01T12:00+00:00."),
                 ("reference", "Its number", "So that it is booked once.")),
    "reserve": (("because", "Why it is not needed any more", ""),),
}  # fmt: skip


def add(doors: Doors) -> None:
    doors.page("GET", "/operate/bookings", Role.OPERATOR)(show)
    doors.page("POST", "/operate/bookings/try", Role.OPERATOR, reads=True, back="/operate/bookings")(attempt)
    doors.page("POST", "/operate/bookings", Role.OPERATOR)(book)


def show(visit: Visit) -> Answer:
    journal = visit.home.journal
    data = {
        "kinds": KINDS,
        "asks": ASKS,
        "columns": COLUMNS,
        "day": visit.now.date().isoformat(),
        "settlements": [_division(journal.settlement(name)) for name in journal.settlement_ids()],
        "held": _held(visit),
    }
    return Page("bookings.html", "Other bookings", data)


def _division(settlement: Any) -> tuple[str, str]:
    first = min(settlement.events, key=lambda event: event.received)
    return settlement.id, f"{first.licensee}, {first.received}, {settlement.currency}"


def _held(visit: Visit) -> list[dict[str, Any]]:
    """What waits for cases, account by account."""
    journal = visit.home.journal
    return [
        {"account": account_name(visit.home, account), "nano": -nano, "currency": currency}
        for currency in journal.currencies()
        for account, nano in sorted(journal.balances(currency).items())
        if account.startswith("held:dispute:") and nano
    ]


# --- trying -------------------------------------------------------------------------------------------------------


def attempt(visit: Visit) -> Answer:
    """What each account would be, before and after. Nothing is booked."""
    table = _table(visit)
    bookings = _read(visit, table)
    visit.refuse_faults()
    effects = _effects(visit, bookings)
    data = {
        "bookings": [(KINDS.get(_kind(each), _kind(each)), each.because) for each in bookings],
        "tables": [tables(visit.home, currency, rows) for currency, rows in effects.items()],
        "table": table,
        "shown": _mark(bookings, effects),
    }
    return Page("booking-try.html", "Before it is booked", data)


def _kind(booking: Booking) -> str:
    return {"fx": "exchange", "reserve-release": "reserve"}.get(booking.kind.value, booking.kind.value)


def _table(visit: Visit) -> str:
    """The table that was sent or pasted, or the form as one of a single row. Raises: AppError("not-text")."""
    kind = visit.field("kind", 20)
    if kind in KINDS:
        row = {"kind": kind, "effective": visit.field("effective", 20)}
        row |= {name: visit.field(name, 500) for name, _, _ in ASKS[kind]}
        if kind == "reserve":
            row["reference"] = visit.field("reference", 100)
        row |= {"amount": row["amount"].replace(",", ".")} if "amount" in row else {}
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row))
        writer.writeheader()
        writer.writerow(row)
        return text.getvalue()
    with visit.at("table"):
        try:
            return visit.upload.content.decode("utf-8-sig") if visit.upload else visit.field("pasted", MOST)
        except UnicodeDecodeError as fault:
            raise AppError("not-text", "the file is no text in UTF-8", "save it as UTF-8") from fault
    return ""


def _read(visit: Visit, table: str) -> Sequence[Booking]:
    """Every problem stands in the faults of the form, by line if there are several."""
    with TemporaryDirectory(prefix="byline-bookings-") as folder:
        path = Path(folder) / "bookings.csv"
        path.write_text(table, encoding="utf-8", newline="\n")
        bookings, problems = read_bookings(visit.home, path)
    kind = visit.field("kind", 20)
    for problem in problems[:SHOWN]:
        visit.faults.append(_fault(problem, kind, "table" if visit.upload else "pasted"))
    return bookings


def _fault(problem: Problem, kind: str, table: str) -> tuple[str, AppError]:
    """Beside its field if it is one of a form."""
    if kind not in KINDS:
        where = f"line {problem.at.line}: " if problem.at.line else ""
        return table, AppError("bad-payments", f"{where}{problem.says}", "")
    asked = ["effective", *(name for name, _, _ in ASKS[kind])]
    named = "contributor" if problem.code == "unknown-party" else ""
    found = named or next((name for name in asked if name in problem.says), "")
    return found, AppError("bad-payments", problem.says, "")


def _effects(visit: Visit, bookings: Sequence[Booking]) -> dict[str, list[dict[str, str]]]:
    """Accounts before and after all that is new of them, by currency.

    Raises: AppError("bad-payments") for what would be refused, or stands in the books already.
    """
    journal = visit.home.journal
    try:
        new = journal.rehearse(bookings, visit.now)
    except LedgerError as fault:
        says = "an account holds less than is to be taken from it" if fault.code == "overdrawn" else fault.message
        raise AppError("bad-payments", says, "correct it, and try again") from fault
    if not new:
        raise AppError("bad-payments", "this was booked before", "give another one a number of its own")
    several = [effect for booking in new for effect in journal.preview(booking)]
    before = {(each.currency, each.account): int(each.before_nano) for each in several}
    change: Counter[tuple[str, str]] = Counter()
    for each in several:
        change[each.currency, each.account] += int(each.after_nano) - int(each.before_nano)
    found: dict[str, list[dict[str, str]]] = {currency: [] for currency, _ in sorted(before)}
    for (currency, account), nano in sorted(before.items()):
        after = nano + change[currency, account]
        found[currency].append({"account": account, "before_nano": str(nano), "after_nano": str(after)})
    return found


def _mark(bookings: Iterable[Booking], effects: dict[str, Any]) -> str:
    return digest({"bookings": [each.id for each in bookings], "effects": effects})


# --- booking ------------------------------------------------------------------------------------------------------


def book(visit: Visit) -> Answer:
    """Book exactly what was shown. Raises: AppError("shown-otherwise")."""
    bookings = _read(replace(visit, upload=None), visit.field("table", MOST))
    visit.refuse_faults()
    mark = _mark(bookings, _effects(visit, bookings))
    if mark != visit.field("shown", 100):
        raise AppError("shown-otherwise", "the books have changed since this was shown", "try it again, and look")
    new = visit.home.journal.book_all(bookings, visit.now)
    if new:
        visit.home.log.append("journal", visit.home.journal.head().digest())
    visit.did(f"booked {new} moves of money", mark)
    return Onward("/operate/bookings")
