"""Going to an organisation to sign in, and coming back from it."""

import json
import secrets
from datetime import datetime
from typing import cast

import sqlalchemy as sa

from byline.app.portal.accounts import Accounts, Person, Role
from byline.app.portal.doors import Doors
from byline.app.portal.organisations import Provider, Vouched
from byline.app.portal.seals import seal, unseal
from byline.app.portal.tables import IDENTITIES
from byline.app.portal.visit import Answer, Onward, Visit, inside
from byline.core import AppError
from byline.registry import writing


def add(doors: Doors) -> None:
    """The way back is the one GET that changes something: its seal stands for the token of a form. Neither door takes
    the portal's lock, for an organisation that is slow to answer must hold up nobody; it is taken for the change."""
    doors.page("GET", "/sign-in/with/{organisation}")(leave)
    doors.page("GET", "/sign-in/from/{organisation}")(come)


def leave(visit: Visit) -> Answer:
    """To the organisation. What must come back unchanged goes along sealed, so nothing is kept of who only looks."""
    provider = _provider(visit)
    _refuse_often(visit)
    nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    held = [visit.named["organisation"], nonce, verifier, inside(visit.asked.get("onward", ""))]
    state = seal(visit.portal, "organisation", visit.token, visit.now, json.dumps(held))
    return Onward(provider.address(_back(visit), state, nonce, verifier))


def come(visit: Visit) -> Answer:
    """From the organisation. The state is used up first; it names who was asked, and is bound to the browser."""
    provider = _provider(visit)
    _refuse_often(visit)
    held = unseal(visit.portal, "organisation", visit.token, visit.now, visit.asked.get("state", ""))
    key, nonce, verifier, onward = json.loads(held)
    if key != visit.named["organisation"]:
        raise AppError("organisation-refused", "another organisation answers than the one that was asked",
                       "begin again at the page to sign in")  # fmt: skip
    found = provider.vouched(visit.asked, _back(visit), nonce, verifier)
    with visit.portal.writing:
        person = admit(visit.portal.accounts, provider.organisation.issuer, found, visit.now)
        visit.portal.trail.add(person.id, f"signed in, vouched for as {', '.join(_all(found))}", person.id, visit.now)
    session = visit.portal.accounts.begin(person.id, provider.organisation.name, visit.now, found.roles)
    return Onward(onward or "/me", session)


def _all(found: Vouched) -> list[str]:
    return sorted({Role.CONTRIBUTOR, *found.roles})


def admit(accounts: Accounts, issuer: str, found: Vouched, now: datetime) -> Person:
    """The account of somebody for whom an organisation vouches: the one that it vouched for before, else the one with
    this address, else a new one. The roles are of the session alone; here they are noted, not given.

    Raises: AppError("organisation-refused") if the address is, by the same organisation, somebody else's: it was given
    to another person, who shall not find the papers of the one before.
    """
    row = {"issuer": issuer, "subject": found.subject}
    mine = sa.and_(IDENTITIES.c.issuer == issuer, IDENTITIES.c.subject == found.subject)
    with writing(accounts.engine) as connection:
        known = connection.execute(sa.select(IDENTITIES.c.person).where(mine)).scalar()
        person = accounts.at(connection, found.email)
        if known is None and person is not None:
            theirs = sa.and_(IDENTITIES.c.issuer == issuer, IDENTITIES.c.person == person.id)
            if connection.execute(sa.select(IDENTITIES.c.subject).where(theirs)).first():
                raise _taken()
        if known is not None and person is not None and person.id != known:
            raise _taken()
        name = known or (person.id if person else accounts.new(connection, found.email).id)
        if person is None and known is not None:
            accounts.move(connection, known, found.email)
        connection.execute(sa.delete(IDENTITIES).where(mine))
        noted = {"person": name, "roles": ",".join(_all(found)), "seen": now.isoformat()}
        connection.execute(sa.insert(IDENTITIES), row | noted)
    return accounts.person(str(name))


def _taken() -> AppError:
    return AppError("organisation-refused", "this e-mail address belongs to another account here",
                    "ask whoever runs this portal")  # fmt: skip


def _provider(visit: Visit) -> Provider:
    """Raises: AppError("no-such-page")."""
    key = visit.named["organisation"]
    organisation = visit.portal.settings.organisations.get(key)
    if organisation is None:
        raise AppError("no-such-page", "no such organisation signs people in here", "the page to sign in lists them")
    found: Provider | None = visit.portal.providers.get(key)
    if found is None:
        clock = visit.portal.clock
        made = Provider(organisation, lambda: clock().timestamp())
        found = cast("Provider", visit.portal.providers.setdefault(key, made))
    return found


def _back(visit: Visit) -> str:
    return f"{visit.portal.site}/sign-in/from/{visit.named['organisation']}"


def _refuse_often(visit: Visit) -> None:
    if not visit.portal.senders.admits(visit.address, visit.now):
        raise AppError("too-often", "there were too many tries", "wait a quarter of an hour")
