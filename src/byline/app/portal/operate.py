"""For operators: trainings, dividing money (tried first, then done), payout files, and who may enter."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.coop_effects import policy_for
from byline.app.home import Home, read_json, read_kept
from byline.app.money import Unmeasured, conservation, divide, pay
from byline.app.money_files import STANDARD_POLICY, read_events
from byline.app.payouts import book_of
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.papers import trainings
from byline.app.portal.playground import OpenTo, open_it, open_to
from byline.app.portal.signing import mail_link
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.app.statements import Desk
from byline.core import AppError, PartyId, RevenueEvent
from byline.ledger import COMMISSION, COMMONS, RESERVE, Effect, Policy, Settlement, minor_text

MOST = 100_000  # characters of a table of payments
ACCOUNTS = {
    "assets:receivable": "to come in from licensees",
    COMMISSION: "commission, for running this",
    RESERVE: "reserve for corrections",
    COMMONS: "the commons: traced to nobody",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/operate", Role.OPERATOR)(show)
    doors.page("POST", "/operate/settle", Role.OPERATOR, reads=True, back="/operate")(attempt)
    doors.page("POST", "/operate/settle/commit", Role.OPERATOR)(commit)
    doors.page("GET", "/operate/payouts/{batch}", Role.OPERATOR)(payout)
    doors.page("GET", "/operate/people", Role.OPERATOR)(people)
    doors.page("POST", "/operate/people", Role.OPERATOR)(invite)
    doors.page("POST", "/operate/playground", Role.OPERATOR, back="/operate")(switch)


def show(visit: Visit) -> Answer:
    home = visit.home
    data = {
        "runs": [_run(visit, name) for name in trainings(home)],
        "settlements": [home.journal.settlement(name) for name in home.journal.settlement_ids()],
        "batches": [{"id": b.id, "day": b.execution, "count": len(b.instructions),
                     "total": f"{minor_text(b.total_minor, b.rule.currency)} {b.rule.currency}",
                     "file": _file(visit, b.id) is not None} for b in book_of(home).batches()],
        "payments": "received,licensee,amount,currency\n",
        "playground": open_to(home).value,
    }  # fmt: skip
    return Page("operate.html", "Operate", data)


def _run(visit: Visit, name: str) -> dict[str, Any]:
    """How far a training is, how right its shares were measured to be, and what its certificate says."""
    told = read_kept(visit.home, name, "training")
    folder = visit.home.training(name)
    evaluated = (folder / "evaluation.json").is_file()
    measured = read_kept(visit.home, name, "evaluation") if evaluated else None
    return {
        "name": name,
        "run": told["run"],
        "examples": told.get("examples"),
        "hardware": told["hardware"],
        "reliability": measured["reliability"] if measured else None,
        "measured": measured["measured"] if measured else "",
        "attributed": (folder / "attribution.json").is_file(),
        "settled": (folder / "settlement.json").is_file(),
        "certificate": _certificate(folder / "certificate.json"),
    }


def _certificate(path: Path) -> dict[str, Any] | None:
    """What `byline audit` found, if it was asked. Raises: AppError("unreadable")."""
    if not path.is_file():
        return None
    found: dict[str, Any] = read_json(path, "byline audit", ("certified", "reasons", "issued"))
    return found


# --- dividing money -----------------------------------------------------------------------------------------------


def attempt(visit: Visit) -> Answer:
    """What dividing would do, to the last account. Nothing is written."""
    name, text, events = _asked(visit)
    home = visit.home
    settlement = divide(Unmeasured(home, name), events, _policy(home, name, events))
    posted = settlement.id in home.journal.settlement_ids()
    payees, others = _changes(home, settlement) if not posted else ([], [])
    data = {"name": name, "text": text, "settlement": settlement.id, "currency": settlement.currency,
            "says": conservation(settlement), "payees": payees, "others": others, "posted": posted,
            "policy": settlement.terms.policy, "lambda": settlement.terms.reliability.lambda_ppm}  # fmt: skip
    return Page("settle.html", "Before it is booked", data)


def _policy(home: Home, name: str, events: Sequence[RevenueEvent]) -> Policy:
    """What the members of its cooperative voted for, else the standard one. Raises: those of `policy_for`."""
    return policy_for(home, name, events) or STANDARD_POLICY


def _changes(home: Home, settlement: Settlement) -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]]:
    """(whose, before, after) of payees and of the other accounts, who gets most above the others. What is owed is
    negative in the journal; people read it the other way round."""

    def told(effect: Effect) -> tuple[str, int, int]:
        sign = 1 if effect.account.startswith("assets:") else -1
        whose = account_name(home, effect.account).removeprefix("owed to ")
        return (
            ACCOUNTS.get(whose, whose),
            sign * int(effect.before_nano),
            sign * int(effect.after_nano),
        )

    effects = home.journal.preview(settlement)
    payees = [told(each) for each in effects if each.account.startswith("payable:")]
    others = [told(each) for each in effects if not each.account.startswith("payable:")]
    return sorted(payees, key=_gain), sorted(others, key=_gain)


def _gain(change: tuple[str, int, int]) -> tuple[int, str]:
    return change[1] - change[2], change[0]


def commit(visit: Visit) -> Answer:
    """Book exactly what was shown: if anything has changed since, nothing is booked.

    Raises: AppError("shown-otherwise").
    """
    name, _, events = _asked(visit)
    ground = Unmeasured(visit.home, name)
    policy = _policy(visit.home, name, events)
    settlement = divide(ground, events, policy)
    if settlement.id != visit.field("settlement", 100):
        raise AppError("shown-otherwise", "the records have changed since this was shown", "try it again, and look")
    settled = pay(ground, events, policy, visit.now)
    visit.did("booked" if settled.posted else "had booked before", settlement.id)
    return Onward("/operate")


def _asked(visit: Visit) -> tuple[str, str, Sequence[RevenueEvent]]:
    """Training, the table of payments as it was written, and the payments. Raises: AppError("bad-payments")."""
    name, text = visit.field("name", 100), visit.field("payments", MOST)
    if name not in trainings(visit.home):
        raise AppError("bad-payments", "no training of that name is finished", "choose one of the list")
    with TemporaryDirectory(prefix="byline-payments-") as folder:
        path = Path(folder) / "payments.csv"
        path.write_text(text, encoding="utf-8", newline="\n")
        events, problems = read_events(path)
    if problems or not events:
        says = "; ".join(f"line {each.at.line}: {each.says}" for each in problems[:10]) or "there is no payment in it"
        raise AppError("bad-payments", says, "nothing was booked; mend the table and try again")
    return name, text, events


# --- payouts and people -------------------------------------------------------------------------------------------


def _file(visit: Visit, batch: str) -> Path | None:
    """The file of a batch that the book knows."""
    if batch not in [each.id for each in book_of(visit.home).batches()]:
        return None
    found = [visit.home.path / "payouts" / f"{batch}{ending}" for ending in (".xml", ".csv")]
    return next((path for path in found if path.is_file()), None)


def payout(visit: Visit) -> Answer:
    path = _file(visit, visit.named["batch"])
    if path is None:
        raise AppError("no-such-page", "there is no such payout", "the list has them all")
    visit.did("downloaded a payout file", visit.named["batch"])
    return Download(path.read_bytes(), path.name, "application/xml" if path.suffix == ".xml" else "text/csv")


def people(visit: Visit) -> Answer:
    names = visit.home.names
    found = [(person, names.get(person.party, "")) for person in visit.portal.accounts.people()]
    payees = [each.name for each in Desk(visit.home, visit.now.date()).payees]
    roles = [role.value for role in Role if role is not Role.CONTRIBUTOR]
    return Page("people.html", "People", {"people": found, "payees": payees, "choices": roles})


def invite(visit: Visit) -> Answer:
    """Raises: AppError("bad-role"), AppError("bad-address"), AppError("no-payee")."""
    known = [role.value for role in Role]
    roles = [text for text in visit.form.get("roles", ()) if text in known]
    payee = visit.field("payee", 200)
    party = PartyId(Desk(visit.home, visit.now.date()).payee(payee).id) if payee else None
    person = visit.portal.accounts.invite(visit.field("email", 260), [Role(text) for text in roles], party)
    visit.did(f"invited as {', '.join(sorted(person.roles))}", person.id)
    mail_link(visit.portal, person.email)
    return Onward("/operate/people")


def switch(visit: Visit) -> Answer:
    """Who may ask the model in the playground. Raises: AppError("bad-choice")."""
    chosen = visit.field("open_to", 20)
    if chosen not in list(OpenTo):
        raise AppError("bad-choice", "that is none of the choices", "everybody, signed-in or nobody")
    open_it(visit.home, OpenTo(chosen))
    visit.did(f"opened the playground to {chosen}", "playground")
    return Onward("/operate")
