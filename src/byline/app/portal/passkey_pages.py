"""The pages on which passkeys are added, named, removed, and signed in with. Two of them carry the one script."""

from hashlib import sha256

from byline.app.portal.accounts import Person, Role
from byline.app.portal.doors import Doors
from byline.app.portal.mail import write_mail
from byline.app.portal.passkeys import (
    MOST,
    Passkey,
    Passkeys,
    Place,
    place_of,
    read_added,
    read_count,
    read_name,
    to_add,
    to_enter,
)
from byline.app.portal.seals import seal, unseal
from byline.app.portal.visit import Answer, Onward, Page, Visit, inside
from byline.core import AppError

LONGEST = 60  # characters of a passkey's name


def add(doors: Doors) -> None:
    doors.page("GET", "/me/passkeys", Role.CONTRIBUTOR, own=True)(show)
    doors.page("POST", "/me/passkeys", Role.CONTRIBUTOR, own=True)(keep)
    doors.page("POST", "/me/passkeys/{passkey}/name", Role.CONTRIBUTOR, own=True, back="/me/passkeys")(rename)
    doors.page("POST", "/me/passkeys/{passkey}/remove", Role.CONTRIBUTOR, own=True, back="/me/passkeys")(remove)
    doors.page("POST", "/sign-in/passkey")(enter)


def show(visit: Visit) -> Answer:
    mine, place = _kept(visit).of(visit.me.id), place_of(visit.portal.site)
    sealed = seal(visit.portal, "add", visit.token, visit.now)
    may = place is not None and len(mine) < MOST and not _vouched(visit.me)
    data = {"passkeys": mine, "seal": sealed, "vouched": _vouched(visit.me), "place": place is not None,
            "options": to_add(place, visit.me, mine, _challenge(sealed)) if place and may else ""}  # fmt: skip
    return Page("passkeys.html", "Your passkeys", data, script=bool(data["options"]))


def keep(visit: Visit) -> Answer:
    """A passkey outlives the session in which it was made. So one that an organisation began makes none: else somebody
    who left the organisation would still have a key."""
    if _vouched(visit.me):
        raise AppError("passkey-refused", f"{visit.me.way} vouches for you here", "sign in by mail to add a passkey")
    name = visit.needed("name", "a name by which you know it again, such as My phone", LONGEST)
    sealed = visit.field("seal")
    unseal(visit.portal, "add", visit.token, visit.now, sealed)
    answer = visit.field("credential", 20_000)
    added = read_added(_place(visit), answer, _challenge(sealed), visit.me, name, visit.now)
    _kept(visit).keep(added)
    visit.did("added a passkey", added.id)
    write_mail(
        visit.portal.home.path / "outbox", visit.me.email, "A passkey was added", _MAIL.format(visit.portal.site)
    )
    return Onward("/me/passkeys")


_MAIL = (
    "A passkey was added to your page. It signs in as you, without a mail.\n\n"
    "If that was not you, remove it, and tell whoever runs the portal:\n\n{}/me/passkeys\n"
)


def rename(visit: Visit) -> Answer:
    _kept(visit).one(visit.me.id, visit.named["passkey"])
    name = visit.needed("name", "a name by which you know it again, such as My phone", LONGEST)
    _kept(visit).rename(visit.me.id, visit.named["passkey"], name)
    return Onward("/me/passkeys")


def remove(visit: Visit) -> Answer:
    _kept(visit).remove(visit.me.id, visit.named["passkey"])
    visit.portal.accounts.end(visit.me.id, "passkey", visit.session)
    visit.did("removed a passkey", visit.named["passkey"])
    return Onward("/me/passkeys")


# --- signing in -------------------------------------------------------------------------------------------------


def ways(visit: Visit) -> dict[str, str]:
    """What the page to sign in shows: a seal, and what the browser is asked; empty where there are no passkeys."""
    place = place_of(visit.portal.site)
    sealed = seal(visit.portal, "enter", visit.token, visit.now) if place else ""
    return {"seal": sealed, "options": to_enter(place, _challenge(sealed)) if place else ""}


def enter(visit: Visit) -> Answer:
    """Who has the passkey is whom it was made for. The seal is used up before anything is looked at."""
    portal, sealed = visit.portal, visit.field("seal")
    if not portal.tries.admits(visit.address, visit.now):
        raise AppError("too-often", "there were too many tries", "wait a quarter of an hour")
    unseal(portal, "enter", visit.token, visit.now, sealed)
    answer = visit.field("credential", 20_000)
    credential, person = read_name(answer)
    passkey = _kept(visit).by_credential(credential)
    if passkey is None or passkey.person != person:
        raise AppError("passkey-refused", "this passkey is not known here", "sign in by mail, and add it on your page")
    count = read_count(_place(visit), answer, _challenge(sealed), passkey)
    try:
        _kept(visit).count(passkey, count, visit.now)
    except AppError:
        portal.accounts.end(person, "passkey")
        if not passkey.stopped:
            _tell_stopped(visit, passkey)
        raise
    portal.trail.add(person, "signed in by a passkey", passkey.id, visit.now)
    return Onward(inside(visit.field("onward")) or "/me", portal.accounts.begin(person, "passkey", visit.now))


def _tell_stopped(visit: Visit, passkey: Passkey) -> None:
    portal = visit.portal
    portal.trail.add(passkey.person, "a passkey was used that may be a copy", passkey.id, visit.now)
    address = portal.accounts.person(passkey.person).email
    text = _STOPPED.format(passkey.name, portal.site)
    write_mail(portal.home.path / "outbox", address, "A passkey was stopped", text)


_STOPPED = (
    "Two devices answered with your passkey “{}”, and one of them may be a stranger's.\n"
    "It opens nothing any more. Sign in by mail, remove it, and add a new one:\n\n{}/me/passkeys\n"
)


def _kept(visit: Visit) -> Passkeys:
    return Passkeys(visit.portal.accounts.engine)


def _place(visit: Visit) -> Place:
    place = place_of(visit.portal.site)
    if place is None:
        raise AppError("passkey-refused", "there are no passkeys at this address", "sign in by mail")
    return place


def _challenge(sealed: str) -> bytes:
    return sha256(sealed.encode()).digest()


def _vouched(person: Person) -> bool:
    return person.way not in ("link", "passkey")
