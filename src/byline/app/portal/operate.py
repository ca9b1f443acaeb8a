"""For operators: an overview of trainings, money and work; who may enter, and to whom the playground is open."""

from pathlib import Path
from typing import Any

from byline.app.home import read_json, read_kept
from byline.app.payouts import book_of
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.identities import identities
from byline.app.portal.papers import trainings
from byline.app.portal.payments import Payments
from byline.app.portal.playground import OpenTo, open_it, open_to
from byline.app.portal.signing import mail_link
from byline.app.portal.tasks import listed, refresh
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.app.statements import Desk
from byline.core import AppError, PartyId

JOBS = 5  # on the overview


def add(doors: Doors) -> None:
    doors.page("GET", "/operate", Role.OPERATOR)(show)
    doors.page("GET", "/operate/people", Role.OPERATOR)(people)
    doors.page("POST", "/operate/people", Role.OPERATOR)(invite)
    doors.page("POST", "/operate/playground", Role.OPERATOR, back="/operate")(switch)


def show(visit: Visit) -> Answer:
    home, jobs = visit.home, listed(visit, JOBS)
    data = {
        "runs": [_run(visit, name) for name in trainings(home)],
        "settlements": len(home.journal.settlement_ids()),
        "batches": len(book_of(home).batches()),
        "waiting": len(Payments(home).waiting()),
        "playground": open_to(home).value,
        "jobs": jobs,
        "now": visit.now,
        "refreshes": bool(seconds := refresh(visit, jobs)),
    }
    return Page("operate.html", "Operate", data, refresh=seconds)


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


# --- people ---------------------------------------------------------------------------------------------------------


def people(visit: Visit) -> Answer:
    names = visit.home.names
    found = [(person, names.get(person.party, "")) for person in visit.portal.accounts.people()]
    payees = [each.name for each in Desk(visit.home, visit.now.date()).payees]
    roles = [role.value for role in Role if role is not Role.CONTRIBUTOR]
    by = {one.issuer: one.name for one in visit.portal.settings.organisations.values()}
    vouched = [(each, by.get(each.issuer, each.issuer)) for each in identities(visit.portal.accounts)]
    data = {"people": found, "payees": payees, "choices": roles, "vouched": vouched}
    return Page("people.html", "People", data)


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
