"""The pages of a matter: for those whom it concerns, and for the officer who deals with it."""

from typing import Any

from byline.app.portal import disputes, heirs, sharing
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import decider
from byline.app.portal.matters import (
    Matter,
    MatterKind,
    concerns,
    headline,
    is_open,
    matters_of,
    mine,
    name_of,
    receipt_of,
    state,
)
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.core import AppError

KINDS = {MatterKind.SPLIT: sharing, MatterKind.HEIRS: heirs, MatterKind.DISPUTE: disputes}


def add(doors: Doors) -> None:
    doors.page("GET", "/matters", Role.CONTRIBUTOR, own=True)(listing)
    doors.page("GET", "/matters/{matter}", Role.CONTRIBUTOR, own=True)(show)
    doors.page("POST", "/matters/{matter}", Role.CONTRIBUTOR, own=True)(act)
    doors.page("GET", "/matters/{matter}/receipts/{number}", Role.CONTRIBUTOR, own=True)(receipt)
    doors.page("GET", "/office/matters/{matter}", Role.OFFICER)(office)
    doors.page("POST", "/office/matters/{matter}", Role.OFFICER)(decide)
    for kind in KINDS.values():
        kind.add(doors)


def listing(visit: Visit) -> Answer:
    return Page(
        "matters.html", "Shares, heirs, disputes", {"matters": of_person(visit), "linked": bool(visit.me.party)}
    )


def of_person(visit: Visit) -> list[dict[str, Any]]:
    """Matters that concern whoever asks, newest first."""
    found = [each for each in matters_of(visit).all() if concerns(each, visit)]
    return [_row(visit, each) | {"asks": _asks(visit, each)} for each in reversed(found)]


def waiting(visit: Visit) -> list[dict[str, Any]]:
    """Matters that are not over, for the review queue."""
    return [_row(visit, each) for each in matters_of(visit).all() if is_open(each)]


def _row(visit: Visit, matter: Matter) -> dict[str, Any]:
    return {"id": matter.id, "says": headline(visit.home, matter), "state": state(matter), "made": matter.made}


def _asks(visit: Visit, matter: Matter) -> bool:
    """Whether it waits for this person's answer."""
    if matter.kind is MatterKind.SPLIT:
        return bool(sharing.told(visit, matter)["asks"])
    against = matter.kind is MatterKind.DISPUTE and matter.body["party"] == visit.me.party
    return is_open(matter) and against and not any(done.person == visit.me.id for done in matter.steps)


def show(visit: Visit) -> Answer:
    return _page(visit, mine(visit), office=False)


def _page(visit: Visit, matter: Matter, office: bool) -> Page:
    data = {
        "matter": matter,
        "kind": matter.kind.value,
        "head": headline(visit.home, matter),
        "state": state(matter),
        "open": is_open(matter),
        "told": KINDS[matter.kind].told(visit, matter),
        "steps": [
            {"at": done.at, "says": done.body["sentence"] or done.what, "because": done.body.get("because", ""),
             "document": done.body.get("document", ""), "what": done.what,
             "receipt": number if receipt_of(visit.home, matter, number).is_file() else 0}
            for number, done in enumerate(matter.steps, 1)
        ],
        "new": visit.asked.get("new") == "yes",
        "by": visit.me.name,
        "own": office and concerns(matter, visit),
        "corrections": _corrections(visit, matter) if office else None,
        "person_named": name_of(visit.home, visit.me.party) if visit.me.party else "",
    }  # fmt: skip
    return Page("office-matter.html" if office else "matter.html", data["head"], data)


def _corrections(visit: Visit, matter: Matter) -> dict[str, Any] | None:
    """What would be corrected, once there is something to correct by."""
    acted = matter.last("taken-up", "decided", "adopted", "recorded", "held")
    return disputes.corrections(visit) if acted else None


def act(visit: Visit) -> Answer:
    matter = mine(visit)
    KINDS[matter.kind].act(visit, matter)
    return Onward(f"/matters/{matter.id}")


def receipt(visit: Visit) -> Answer:
    matter, number = mine(visit), visit.named["number"]
    path = receipt_of(visit.home, matter, int(number)) if number.isascii() and number.isdigit() else None
    if path is None or not path.is_file():
        raise AppError("no-such-page", "there is no such receipt", "the page lists them")
    return Download(path.read_bytes(), path.name, "application/json")


# --- the officer's side -----------------------------------------------------------------------------------------


def office(visit: Visit) -> Answer:
    return _page(visit, matters_of(visit).one(visit.named["matter"]), office=True)


def decide(visit: Visit) -> Answer:
    """Nobody decides on what concerns themselves. Raises: AppError("own-notice"), and those of the kinds."""
    matter = matters_of(visit).one(visit.named["matter"])
    if concerns(matter, visit):
        raise AppError("own-notice", "this concerns yourself", "somebody else decides on it")
    by = decider(visit)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    if visit.field("act", 20) == "book":
        disputes.book(visit, matter, by)
    else:
        KINDS[matter.kind].decide(visit, matter, by)
    return Onward(f"/office/matters/{matter.id}")
