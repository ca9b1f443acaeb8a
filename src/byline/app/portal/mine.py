"""A person's own page; everything about them as one file; and erasing them."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from byline.app.notice_steps import forget
from byline.app.notice_view import told
from byline.app.notices import receipt_path
from byline.app.portal import dealing, matters, preferences
from byline.app.portal.accounts import Role
from byline.app.portal.choices import states
from byline.app.portal.doors import Doors
from byline.app.portal.earnings import rows
from byline.app.portal.identities import identities
from byline.app.portal.mail import erase_mails
from byline.app.portal.passkeys import Passkeys
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.app.statements import Desk
from byline.core import AppError


def add(doors: Doors) -> None:
    doors.page("GET", "/me", Role.CONTRIBUTOR, own=True)(show)
    doors.page("GET", "/me/export", Role.CONTRIBUTOR, own=True)(export)
    doors.page("GET", "/me/erase", Role.CONTRIBUTOR, own=True)(ask)
    doors.page("POST", "/me/erase", Role.CONTRIBUTOR, own=True)(erase)
    preferences.add(doors)
    dealing.add(doors)


def show(visit: Visit) -> Answer:
    home = visit.home
    concerning = dealing.of_person(visit)
    data = {
        "notices": states(visit),
        "questions": visit.portal.accounts.questions(visit.me.id),
        "asked": [each for each in concerning if each["asks"]],
        "matters": len(concerning),
        "accounts": rows(Desk(home, visit.now.date()), visit.me.party) if visit.me.party else [],
        "payee": home.names.get(visit.me.party, ""),
    }
    return Page("me.html", "Your page", data)


def export(visit: Visit) -> Answer:
    """Everything that is kept of whoever asks, as files that people and machines read."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in _files(visit):
            packed.writestr(name, data)
    return Download(content.getvalue(), f"byline-{visit.now.date()}.zip", "application/zip")


def _files(visit: Visit) -> Iterator[tuple[str, bytes]]:
    person, home = visit.me, visit.home
    known = {**asdict(person), "roles": sorted(person.roles)}
    yield "person.json", _json(known)
    yield "questions.json", _json([asdict(each) for each in visit.portal.accounts.questions(person.id)])
    yield "passkeys.json", _json([asdict(each) for each in Passkeys(visit.portal.accounts.engine).of(person.id)])
    yield "organisations.json", _json([asdict(each) for each in identities(visit.portal.accounts, person.id)])
    yield "trail.json", _json([asdict(each) for each in visit.portal.trail.lines(person.id)])
    found = [each for each in matters.matters_of(visit).all() if matters.concerns(each, visit)]
    yield "matters.json", _json([asdict(each) for each in found])
    for name in visit.portal.accounts.notices(person.id):
        dossier = home.notices.one(name)
        all_of_it = told(home, dossier, visit.now.date(), home.reached().by(dossier.notice.target))
        yield f"notices/{name.replace(':', '-')}.json", _json(all_of_it | {"receipt": None})
        base = receipt_path(home, name)
        for path in sorted(base.parent.glob(f"{base.stem}*.json")):
            yield f"receipts/{path.name}", path.read_bytes()
    yield from _statements(visit)


def _statements(visit: Visit) -> Iterator[tuple[str, bytes]]:
    desk = Desk(visit.home, visit.now.date())
    party = next((each for each in desk.payees if each.id == visit.me.party), None)
    for currency in desk.accounts.currencies(party.id) if party else ():
        for kept in desk.kept(party, currency) if party else ():
            yield f"statements/{kept.period.name}-{currency.lower()}.json", kept.path.read_bytes()
        for period in desk.periods(party, currency) if party else ():
            body = desk.body(party, period, currency) if party else {}
            yield f"accounts/{period.name}-{currency.lower()}.json", _json(body)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n").encode()


# --- erasing --------------------------------------------------------------------------------------------------


def ask(visit: Visit) -> Answer:
    return Page("erase.html", "Erase me", {"notices": len(visit.portal.accounts.notices(visit.me.id)),
                                           "payee": bool(visit.me.party)})  # fmt: skip


def erase(visit: Visit) -> Answer:
    """The papers of every notice, the account, the mails. The log's leaves stay and say nothing to anybody then."""
    with visit.at("sure"):
        if visit.field("sure") != "yes":
            raise AppError("empty-query", "the box is not ticked", "tick it if you are sure")
    visit.refuse_faults()
    for name in visit.portal.accounts.notices(visit.me.id):
        forget(visit.home, name, visit.now)
    visit.did("erased themselves", visit.me.id)
    matters.forget(visit)
    erase_mails(visit.home.path / "outbox", visit.me.email)
    visit.portal.accounts.forget(visit.me.id)
    return Onward("/", "")
