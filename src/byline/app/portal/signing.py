"""Signing in by a link in a mail, which goes into the project's outbox."""

from pathlib import Path
from urllib.parse import urlencode

from byline.app.portal.accounts import Person, Role, read_address
from byline.app.portal.doors import Doors
from byline.app.portal.mail import write_mail
from byline.app.portal.passkey_pages import ways
from byline.app.portal.visit import Answer, Onward, Page, Portal, Visit, inside
from byline.core import AppError, sha256_hex


def add(doors: Doors) -> None:
    doors.page("GET", "/sign-in")(ask)
    doors.page("POST", "/sign-in")(send)
    doors.page("GET", "/enter")(look)
    doors.page("POST", "/enter")(enter)
    doors.page("POST", "/sign-out", Role.CONTRIBUTOR)(leave)


def ask(visit: Visit) -> Answer:
    if visit.person:
        return Onward("/me")
    onward = inside(visit.asked.get("onward", "") or visit.field("onward"))
    passkeys, organisations = ways(visit), list(visit.portal.settings.organisations.values())
    data = {"onward": onward, "sent": False, "organisations": organisations, **passkeys}
    return Page("sign-in.html", "Sign in", data, script=bool(passkeys["options"]))


def send(visit: Visit) -> Answer:
    """The same answer whether the address is known or not: nobody learns who has an account."""
    address, onward = read_address(visit.field("email", 260)), inside(visit.field("onward"))
    _refuse_often(visit, address)
    mail_link(visit.portal, address, onward)
    return Page("sign-in.html", "Look into your mail", {"onward": onward, "sent": True})


def _refuse_often(visit: Visit, address: str) -> None:
    portal = visit.portal
    admitted = portal.senders.admits(visit.address, visit.now) and portal.mails.admits(
        sha256_hex(address.encode()), visit.now
    )
    if not admitted:
        raise AppError("too-often", "too many links were asked for", "wait a quarter of an hour")


def look(visit: Visit) -> Answer:
    """A page with one button: programs that open links in mails press none, and so use no link up."""
    return Page("enter.html", "Sign in", {"link": visit.asked.get("link", "")[:200]})


def enter(visit: Visit) -> Answer:
    person, session, onward = visit.portal.accounts.enter(visit.field("link", 200), visit.now)
    visit.portal.trail.add(person.id, "signed in", person.id, visit.now)
    return Onward(onward or "/me", session)


def leave(visit: Visit) -> Answer:
    visit.did("signed out", visit.me.id)
    visit.portal.accounts.leave(visit.session)
    organisations = visit.portal.settings.organisations.values()
    key = next((each.key for each in organisations if each.name == visit.me.way), "")
    return Onward(f"/signed-out/{key}" if key else "/", "")


def mail_link(portal: Portal, address: str, onward: str = "") -> Path:
    """Write the mail with a fresh link. Raises: AppError("bad-address")."""
    secret = portal.accounts.new_link(address, onward, portal.clock())
    link = f"{portal.site}/enter?{urlencode({'link': secret})}"
    text = (
        f"This link signs you in, once, within the next 15 minutes:\n\n{link}\n\n"
        "If you did not ask for it, do nothing: without the link nobody gets in.\n"
    )
    return write_mail(portal.home.path / "outbox", address, "Your link to sign in", text)


__all__ = ["Person", "add", "mail_link"]
