"""Going to an organisation to sign in, coming back from it, and signing out there as well as here."""

import json
import secrets
from typing import cast

from byline.app.portal.doors import Doors
from byline.app.portal.identities import admit, dismiss, roles_of
from byline.app.portal.organisations import Provider
from byline.app.portal.seals import seal, unseal, use_up
from byline.app.portal.visit import Answer, Onward, Page, Visit, inside
from byline.core import AppError, sha256_hex


def add(doors: Doors) -> None:
    """The way back is the one GET that changes something: its seal stands for the token of a form. None of these doors
    takes the portal's lock, for an organisation that is slow to answer must hold up nobody; it is taken for the
    change."""
    doors.page("GET", "/sign-in/with/{organisation}")(leave)
    doors.page("GET", "/sign-in/from/{organisation}")(come)
    doors.page("GET", "/signed-out/{organisation}")(gone)
    doors.page("POST", "/sign-out/by/{organisation}", reads=True, signed=True)(ended)


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
        person = admit(visit.portal.accounts, provider.organisation, found, visit.now)
        did = f"signed in, vouched for as {', '.join(roles_of(found))}"
        visit.portal.trail.add(person.id, did, person.id, visit.now)
    session = visit.portal.accounts.begin(person.id, provider.organisation.name, visit.now, found.roles)
    return Onward(onward or "/me", session)


def gone(visit: Visit) -> Answer:
    """Signed out here, and how to sign out there. A link and no redirect: who shares a computer presses it, and the
    content policy lets no form of ours lead to another site."""
    provider = _provider(visit)
    if visit.person:
        return Onward("/me")
    return Page("signed-out.html", "Signed out", {"name": provider.organisation.name, "there": provider.leaving()})


def ended(visit: Visit) -> Answer:
    """An organisation says that somebody signed out there (Back-Channel Logout 1.0, 2.5). Its signature stands for the
    token of a form; each of its words counts once. The answer is the same whether we know them or not."""
    provider = _provider(visit)
    _refuse_often(visit)
    subject, number = provider.left(visit.field("logout_token", 20_000))
    portal, organisation = visit.portal, provider.organisation
    with portal.writing:
        use_up(
            portal.accounts.engine, sha256_hex(f"{organisation.issuer} {number}".encode()), int(visit.now.timestamp())
        )
        person = dismiss(portal.accounts, organisation, subject)
        if person:
            portal.trail.add(person, f"signed out by {organisation.name}", person, visit.now)
    return Page("ended.html", "Signed out")


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
    if not visit.portal.tries.admits(visit.address, visit.now):
        raise AppError("too-often", "there were too many tries", "wait a quarter of an hour")
