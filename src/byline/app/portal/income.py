"""For operators: money that came in, entered or read from a table, and its division, tried first and then booked."""

from datetime import date

from byline.app.api import Queue
from byline.app.money_files import EVENTS, event_of
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.papers import trainings
from byline.app.portal.payments import COLUMNS, Payments, read_table
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.app.tasks import SETTLEMENT, settlement_asked
from byline.core import AppError, RevenueEvent, Source, make_id
from byline.registry import Row

MOST = 500_000  # characters of a table that is pasted
SHOWN = 100  # payments, and faults of a table, on one page


def add(doors: Doors) -> None:
    doors.page("GET", "/operate/income", Role.OPERATOR)(show)
    doors.page("POST", "/operate/income", Role.OPERATOR)(enter)
    doors.page("POST", "/operate/income/table", Role.OPERATOR, back="/operate/income")(table)
    doors.page("POST", "/operate/income/withdraw", Role.OPERATOR, back="/operate/income")(withdraw)
    doors.page("POST", "/operate/income/divide", Role.OPERATOR, back="/operate/income")(divide)


def show(visit: Visit) -> Answer:
    home, waiting = visit.home, Payments(visit.home).waiting()
    sums: dict[str, int] = {}
    for each in waiting:
        sums[each.event.currency] = sums.get(each.event.currency, 0) + each.event.nano
    data = {
        "waiting": waiting[:SHOWN],
        "count": len(waiting),
        "sums": sums,
        "columns": COLUMNS,
        "trainings": trainings(home),
        "settlements": [home.journal.settlement(name) for name in home.journal.settlement_ids()],
        "day": visit.now.date().isoformat(),
    }
    return Page("income.html", "Money that came in", data)


def enter(visit: Visit) -> Answer:
    """One payment. Raises: AppError("bad-payments"), AppError("payment-known")."""
    event = _typed(visit)
    with visit.at("payment"):
        Payments(visit.home).add([event], visit.me.id, visit.now)
    visit.refuse_faults()
    visit.did("entered a payment", event.id)
    return Onward("/operate/income")


def _typed(visit: Visit) -> RevenueEvent:
    """Raises: AppError("bad-payments"), which says what is wrong, beside the field that it names."""
    cells = {name: visit.field(name, 200) for name in (*EVENTS.required, *EVENTS.optional)}
    cells["amount"] = cells["amount"].replace(",", ".")
    try:
        return event_of(Row(Source("form"), cells))
    except ValueError as fault:
        says = str(fault)
        name = next((each for each in EVENTS.required if each in says.partition(";")[0]), "")
        with visit.at(name):
            raise AppError("bad-payments", says, "") from fault
        visit.refuse_faults()
        raise


def table(visit: Visit) -> Answer:
    """Payments of a file, or of what was pasted; with any fault none is taken, and all faults are told by their line.

    Raises: AppError("bad-payments").
    """
    pasted = visit.field("pasted", MOST)
    content = visit.upload.content if visit.upload else pasted.encode()
    payments, name = Payments(visit.home), "table" if visit.upload else "pasted"
    events, problems = read_table(content, payments)
    for problem in problems[:SHOWN]:
        where = f"line {problem.at.line}: " if problem.at.line else ""
        visit.faults.append((name, AppError("bad-payments", f"{where}{problem.says}", "")))
    if len(problems) > SHOWN:
        visit.faults.append((name, AppError("bad-payments", f"and {len(problems) - SHOWN} more faults", "")))
    visit.refuse_faults()
    payments.add(events, visit.me.id, visit.now)
    visit.did(f"entered {len(events)} payments from a table", make_id("payments", *(event.id for event in events)))
    return Onward("/operate/income")


def withdraw(visit: Visit) -> Answer:
    event = visit.field("event", 100)
    Payments(visit.home).withdraw(event, visit.now)
    visit.did("withdrew a payment", event)
    return Onward("/operate/income")


def divide(visit: Visit) -> Answer:
    """Show, by a worker, what dividing the payments of a currency up to a day would do. Nothing is booked.

    Raises: AppError("bad-payments"), AppError("bad-date").
    """
    training, currency = visit.field("training", 100), visit.field("currency", 3)
    with visit.at("training"):
        if training not in trainings(visit.home):
            raise AppError("bad-payments", "no training of that name is finished", "choose one of the list")
    with visit.at("until"):
        events = Payments(visit.home).until(_day(visit.field("until", 10)), currency)
        if not events:
            raise AppError("bad-payments", "no payment waits that was received by then", "choose a later day")
    visit.refuse_faults()
    asked = settlement_asked(training, events)
    return Onward(f"/operate/tasks/{Queue(visit.home.journal.engine).ask(visit.me.id, SETTLEMENT, asked)}")


def _day(text: str) -> date:
    """Raises: AppError("bad-date")."""
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise AppError("bad-date", f"“{text}” is no day", "write it as 2026-12-01") from fault
