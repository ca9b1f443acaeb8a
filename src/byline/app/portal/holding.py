"""For rights officers: works that the gate refuses or knows nothing of, by page; and those that it holds for how they
read until a person has looked: the text beside another one, releasing it or keeping it held, with name and reason."""

from typing import Any

from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import decider
from byline.app.portal.paging import pages_of
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.app.reviews import Held, beside, held, new_works, review, told, waiting
from byline.core import AppError, Work, WorkId
from byline.registry import MEDIA, Looked

EACH = 50  # works on one page of a list
SOME = 10  # that are named on the overview
PART = 4_000  # characters of a text that are read at once
UNDECIDED = "undecided"
RULES = {
    "like-a-model": "they read as if a model had written them",
    "no-order": "their words stand in no order",
    "opt-out": "somebody said no",
    "opt-out-copy": "they are copies of a work that somebody said no for",
    "reserved": "their publisher reserves training",
    "licence-unknown": "no licence is stated, or none that is known",
    "licence-refuses": "their licence does not permit training",
    "near-copy": "other people registered the text before",
    "law-deny": "the law does not allow it",
    "law-review": "the law asks for a person’s decision",
}
DID = {Looked.RELEASED: "released a held work", Looked.KEPT: "kept a held work held"}


def add(doors: Doors) -> None:
    doors.page("GET", "/office/works", Role.OFFICER)(works)
    doors.page("GET", "/office/held", Role.OFFICER)(show)
    doors.page("GET", "/office/held/{work}", Role.OFFICER)(one)
    doors.page("POST", "/office/held/{work}", Role.OFFICER)(decide)


def overview(visit: Visit) -> dict[str, Any]:
    """How many works wait for what, counted and not read."""
    verdicts = visit.home.registry.verdicts
    by_rule = [(rule, RULES.get(rule, rule), count) for rule, count in verdicts.refused_by().items()]
    return {
        "held": waiting(visit.home, False, 0, 1)[0],
        "kept": waiting(visit.home, True, 0, 1)[0],
        "undecided": verdicts.undecided(0, 1)[0],
        "refused": sorted(by_rule, key=lambda each: (-each[2], each[0])),
    }


# --- refused and undecided ----------------------------------------------------------------------------------------


def works(visit: Visit) -> Answer:
    """The works of one rule, or those that nobody has decided on. Raises: AppError("no-such-page")."""
    home, rule = visit.home, visit.asked.get("rule", UNDECIDED)
    if rule == UNDECIDED:
        at, total, some = pages_of(visit, EACH, home.registry.verdicts.undecided)
        listed = [{"work": work, "because": ""} for work in some]
        head = "Nobody has decided yet"
    else:
        count = home.registry.verdicts.refused_by().get(rule, 0)
        at, total, found = pages_of(visit, EACH, lambda skip, most: (
            count, home.registry.verdicts.refused([rule], skip, most)))  # fmt: skip
        listed = [{"work": each.work, "because": each.because} for each in found]
        head = f"Refused: {RULES.get(rule, rule)}"
    home.at_hand(home.registry.works_of_ids([WorkId(each["work"]) for each in listed]))
    shown = [each | {"title": home.works[WorkId(each["work"])].title} for each in listed]
    data = {"works": shown, "rule": rule, "head": head, "at": at, "pages": max(1, -(-total // EACH)), "total": total}
    return Page("office-works.html", head, data)


# --- held until somebody has looked -------------------------------------------------------------------------------


def show(visit: Visit) -> Answer:
    """`title`: another work that somebody wants to look at, found by it."""
    home, kept, title = visit.home, visit.asked.get("kept") == "yes", visit.asked.get("title", "").strip()[:500]
    named = home.registry.works_titled(title) if title else ()
    if len(named) == 1:
        return Onward(f"/office/held/{named[0].id}")
    at, total, some = pages_of(visit, EACH, lambda skip, most: waiting(home, kept, skip, most))
    home.at_hand(home.registry.works_of_ids([each.work for each in some]))
    data = {
        "works": [told(home, each) | {"why": RULES.get(each.rule, each.rule)} for each in some],
        "kept": kept,
        "new": new_works(home),
        "others": waiting(home, not kept, 0, 1)[0],
        "looked": [_looked(visit, each) for each in home.registry.verdicts.last_reviews(0, SOME)],
        "at": at,
        "pages": max(1, -(-total // EACH)),
        "total": total,
        "title_asked": title,
        "named": [(work.id, home.contributors(work.id)) for work in named],
    }
    return Page("office-held.html", "Held works", data)


def _looked(visit: Visit, each: Any) -> dict[str, Any]:
    return {
        "work": each.work,
        "title": visit.home.works[each.work].title,
        "looked": each.looked.value,
        "rule": each.rule,
        "because": each.because,
        "by": each.by,
        "at": each.at,
    }


def one(visit: Visit) -> Answer:
    found = _held(visit)
    named = visit.asked.get("beside", "").strip()[:500]
    part = _part(visit.asked.get("part", "1"))
    other, missing = _beside(visit, found.work, named)
    data = {
        "work": found.work,
        "by": visit.home.contributors(found.work.id),
        "because": found.decision.because,
        "rule": found.decision.rule,
        "open": found.open,
        "keepable": found.open or any(each.rule for each in found.reviews),
        "reviews": found.reviews,
        "text": _read(visit, found.work, part),
        "other": other,
        "other_by": visit.home.contributors(other.id) if other else "",
        "other_text": _read(visit, other, part) if other else None,
        "missing": missing,
        "beside": named,
        "part": part,
        "own": _own(visit, found.work),
    }
    return Page("office-held-work.html", found.work.title, data)


def _held(visit: Visit) -> Held:
    """Raises: AppError("no-such-page")."""
    try:
        return held(visit.home, visit.named["work"])
    except AppError as fault:
        raise AppError("no-such-page", "there is no such work", "the list has those that are held") from fault


def _beside(visit: Visit, work: Work, named: str) -> tuple[Work | None, bool]:
    """The work to compare with, and whether the one that was asked for is not there."""
    try:
        return beside(visit.home, work, named), False
    except AppError:
        return beside(visit.home, work), True


def _part(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) else 1


def _read(visit: Visit, work: Work, part: int) -> dict[str, Any]:
    """A part of the text; beyond its end, nothing."""
    text = visit.home.registry.text(work.id) if work.kind not in MEDIA else ""
    return {"text": text[(part - 1) * PART : part * PART], "more": len(text) > part * PART,
            "words": len(text.split())}  # fmt: skip


def _own(visit: Visit, work: Work) -> bool:
    return any(each.party == visit.me.party for each in work.contributions)


def decide(visit: Visit) -> Answer:
    """Nobody decides on their own work. Raises: AppError("own-notice"), AppError("bad-choice"), ("no-reason")."""
    found = _held(visit)
    if _own(visit, found.work):
        raise AppError("own-notice", "this is a work of your own", "somebody else decides on it")
    by, chosen, because = decider(visit), visit.field("decide", 20), ""
    with visit.at("decide"):
        if chosen not in list(Looked):
            raise AppError("bad-choice", "nothing was chosen", "choose whether it is released")
    with visit.at("because"):
        because = visit.field("because")
        if not because:
            raise AppError("no-reason", "a decision has no reason", "write why: it is kept with the decision")
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    made = review(visit.home, found.work.id, Looked(chosen), because, by, visit.now)
    visit.did(DID[made.looked], made.work)
    return Onward("/office/held")
