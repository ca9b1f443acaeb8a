"""Who comes after somebody: an heir, an estate, a hospital. It is named here, with the document that shows it, and
counts once two officers have seen that document. What was paid before stays paid."""

from datetime import date
from typing import Any

from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field, document_field, name_field, share_rows, shares_field
from byline.app.portal.matters import Matter, MatterKind, is_open, matters_of, name_of, people_of, refuse_closed, step
from byline.app.portal.pages import day as day_words
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import PPM, AppError, PartyId, party_id, sha256_hex
from byline.registry import Succession


def add(doors: Doors) -> None:
    doors.page("GET", "/heirs/new", Role.CONTRIBUTOR, own=True)(form)
    doors.page("POST", "/heirs/new", Role.CONTRIBUTOR, own=True)(name_heirs)


def form(visit: Visit) -> Answer:
    data = {"whose": visit.home.names.get(visit.me.party, ""), "rows": share_rows({}), "by": visit.me.name,
            "day": visit.now.date().isoformat()}  # fmt: skip
    return Page("heirs-new.html", "Who comes after you", data)


def name_heirs(visit: Visit) -> Answer:
    whose = ""
    with visit.at("whose"):
        visit.needed("whose", "write the name that the works carry", 200)
        whose = name_field(visit, "whose", {name.casefold(): name for name in visit.home.names.values()})
        if party_id(whose) not in visit.home.names:
            raise AppError("unknown-person", f"“{whose}” has made no work that is registered here", "write the name "
                           "as the works carry it")  # fmt: skip
    shares = shares_field(visit)
    with visit.at(""):
        if whose in dict(shares):
            raise AppError("bad-share", "nobody comes after themselves", "name the others")
    with visit.at("effective"):
        day = day_field(visit, "effective")
    with visit.at("document"):
        document, sha256 = document_field(visit)
        if not sha256:
            raise AppError("empty-field", "no document was sent", "send the will, the deed or the court's paper")
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: officers read it", 200)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    body = {
        "lines": [[party_id(name), ppm] for name, ppm in shares],
        "names": {party_id(name): name for name, _ in shares},
        "effective": day.isoformat(),
        "document": document,
        "sha256": sha256,
        "because": visit.field("because"),
        "by": by,
    }
    matter = matters_of(visit).open(MatterKind.HEIRS, visit.me.id, party_id(whose), body, visit.now)
    step(visit, matter, "named", f"{by} has named who comes after {whose}, by {document}.", by=by)
    return Onward(f"/matters/{matter.id}?new=yes")


def act(visit: Visit, matter: Matter) -> None:
    """Whoever named them takes it back; whose heirs they would be may object, which officers read.

    Raises: AppError("matter-closed"), ("bad-choice").
    """
    refuse_closed(matter)
    chosen = visit.field("act", 20)
    if chosen == "object" and visit.me.party == matter.about:
        with visit.at("because"):
            because = visit.needed("because", "say what is wrong")
        visit.refuse_faults()
        step(visit, matter, "objected", f"{name_of(visit.home, matter.about)} objects.", because=because)
        return
    if chosen != "withdraw" or matter.person != visit.me.id:
        raise AppError("bad-choice", "nothing was chosen", "only who named the heirs takes it back")
    step(visit, matter, "withdrawn", "It was taken back by whoever had named them.")


def decide(visit: Visit, matter: Matter, by: str) -> None:
    """Two officers confirm it, each having seen the document. Raises: AppError("bad-choice"), ("seen-twice")."""
    refuse_closed(matter)
    chosen, because = visit.field("act", 20), visit.field("because")
    with visit.at("act"):
        if chosen not in ("approve", "reject"):
            raise AppError("bad-choice", "nothing was chosen", "confirm it or reject it")
    with visit.at("because"):
        if chosen == "reject" and not because:
            raise AppError("no-reason", "a decision has no reason", "write why: whoever named the heirs reads it")
    with visit.at("document"):
        if chosen == "approve":
            _same_document(visit, matter)
    visit.refuse_faults()
    if chosen == "reject":
        step(visit, matter, "rejected", f"{by} has rejected it: {because}", by=by, because=because)
        return
    if any(visit.me.id == done.person or by == done.body["by"] for done in matter.all("approved")):
        raise AppError("seen-twice", "you have confirmed this already", "a second officer confirms it, too")
    names = (*(str(done.body["by"]) for done in matter.all("approved")), by)
    if len(names) > 1:  # into the register first: a process that dies between leaves a matter to be confirmed again
        _record(visit, matter, names)
    matter = step(visit, matter, "approved", f"{by} has seen the document and confirms it.", by=by)
    if len(names) > 1:
        step(visit, matter, "recorded", f"It counts from {day_words(matter.body['effective'])} on.")


def _same_document(visit: Visit, matter: Matter) -> None:
    """The officer sends the document that they saw; it must be the one that was named.

    Raises: AppError("empty-field"), AppError("other-document").
    """
    if visit.upload is None or not visit.upload.content:
        raise AppError("empty-field", "no document was sent", "choose the file that you have seen")
    if sha256_hex(visit.upload.content) != matter.body["sha256"]:
        raise AppError("other-document", "this is another file than the one that was named", "ask for the right one")


def _record(visit: Visit, matter: Matter, approved: tuple[str, ...]) -> None:
    body = matter.body
    lines = tuple((PartyId(party), ppm) for party, ppm in body["lines"])
    day = date.fromisoformat(body["effective"])
    record = Succession(PartyId(matter.about), lines, day, body["sha256"], approved)
    added = people_of(visit.home).add_all(list(body["names"].values()), [record], visit.now.date())
    for _, fault in added.faults:
        raise fault


def told(visit: Visit, matter: Matter) -> dict[str, Any]:
    body = matter.body
    return {
        "whose": name_of(visit.home, matter.about),
        "lines": [(body["names"][party], ppm) for party, ppm in body["lines"]],
        "rest": PPM - sum(ppm for _, ppm in body["lines"]),
        "effective": body["effective"],
        "document": body["document"],
        "sha256": body["sha256"],
        "because": body["because"],
        "may_object": is_open(matter) and visit.me.party == matter.about and matter.person != visit.me.id,
        "may_withdraw": is_open(matter) and matter.person == visit.me.id,
        "approved": [done.body["by"] for done in matter.all("approved")],
    }
