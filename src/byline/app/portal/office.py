"""For rights officers: what waits for a decision, what evidence is missing, and deciding. Each decision is a record
with a name, a reason and a receipt; none is edited."""

from typing import Any

from byline.app.notice_steps import Step, change
from byline.app.notice_view import told
from byline.app.portal import granting, holding, lawbook
from byline.app.portal.accounts import Role
from byline.app.portal.choices import HISTORY, WORDS, about
from byline.app.portal.dealing import waiting
from byline.app.portal.doors import Doors
from byline.app.portal.fields import decider
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError, PartyId
from byline.registry import Level, What, challenge, next_due

DECISIONS = (What.UPHELD, What.REJECTED, What.DISPUTED, What.EXTENDED)
CHECKS = {
    Level.CONTACT: "they answered from their address, or signed in here by a mail to it",
    Level.DOMAIN: "the words stood on their site",
    Level.REGISTRY: "a register names them",
    Level.IDENTITY: "a document of identity was seen",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/office", Role.OFFICER)(show)
    doors.page("GET", "/office/notices/{notice}", Role.OFFICER)(notice)
    doors.page("POST", "/office/notices/{notice}", Role.OFFICER)(decide)
    doors.page("POST", "/office/questions/{question}", Role.OFFICER, back="/office")(answer)
    holding.add(doors)
    granting.add(doors)
    lawbook.add(doors)


def show(visit: Visit) -> Answer:
    asked = [each for each in visit.portal.accounts.questions() if not each.answer]
    data = {
        "notices": _waiting(visit),
        "matters": waiting(visit),
        "questions": [(each, _spoken(visit, each.about)) for each in asked],
        "works": holding.overview(visit),
        "day": visit.now.date(),
    }
    return Page("office.html", "Review", data)


def _spoken(visit: Visit, about: str) -> str:
    """What a question is about, with the name of the payee in place of the id."""
    party, _, rest = about.partition(" ")
    return f"{visit.home.names.get(PartyId(party), party)}, {rest}"


def _waiting(visit: Visit) -> list[dict[str, Any]]:
    """Notices in force that were not settled, the most urgent first."""
    home, day, found = visit.home, visit.now.date(), []
    for dossier in home.notices.all():
        due = next_due(dossier) if dossier.in_force(day) else None
        if due is not None:
            found.append({"id": dossier.notice.id, "kind": dossier.notice.kind.value, "state": dossier.state(day),
                          "about": about(home, dossier.notice.target), "level": str(dossier.level()),
                          "due": due.due, "what": due.what, "late": due.due < visit.now})  # fmt: skip
    return sorted(found, key=lambda each: each["due"])


def notice(visit: Visit) -> Answer:
    home, dossier = visit.home, visit.home.notices.one(visit.named["notice"])
    found = told(home, dossier, visit.now.date(), home.reached().by(dossier.notice.target))
    data = {
        "notice": found,
        "about": about(home, dossier.notice.target),
        "words": WORDS,
        "titles": [(work, home.works[work].title) for work in found["works"][:20]],
        "history": [each | {"says": HISTORY.get(each["what"], each["what"])} for each in found["history"]],
        "decisions": [each.value for each in DECISIONS],
        "checks": [(level.value, says) for level, says in CHECKS.items()],
        "mine": dossier.notice.id in visit.portal.accounts.notices(visit.me.id),
    }
    return Page("office-notice.html", "A notice", data)


def decide(visit: Visit) -> Answer:
    """Nobody decides on what they gave themselves. Raises: AppError("own-notice"), and those of `change`."""
    name = visit.named["notice"]
    visit.home.notices.one(name)
    if name in visit.portal.accounts.notices(visit.me.id):
        raise AppError("own-notice", "you gave this notice yourself", "somebody else decides on it")
    step = _step(visit)
    change(visit.home, name, step, visit.now)
    visit.portal.accounts.call(visit.me.id, step.decided_by)
    visit.did(f"decided: {step.what}", name)
    return Onward(f"/office/notices/{name}")


def _step(visit: Visit) -> Step:
    """Raises: AppError("bad-decision"), AppError("no-name"), AppError("no-reason")."""
    by, chosen, because = decider(visit), visit.field("decide", 40), ""
    with visit.at("decide"):
        if chosen not in (*DECISIONS, *CHECKS):
            raise AppError("bad-decision", "nothing was chosen", "choose what was decided or checked")
    with visit.at("because"):
        because = visit.field("because")
        if chosen in list(DECISIONS) and not because:
            raise AppError("no-reason", "a decision has no reason", "write why: whoever gave the notice reads it")
    visit.refuse_faults()
    evidence = visit.upload.content if visit.upload else b""
    if chosen in list(DECISIONS):
        return Step(What(chosen), decided_by=by, because=because, evidence=evidence)
    shown = visit.field("shown", 4_000) or (_signed_in(visit) if chosen == Level.CONTACT else "")
    return Step(What.VERIFIED, Level(chosen), shown, decided_by=by, because=because, evidence=evidence)


def _signed_in(visit: Visit) -> str:
    """What answering from an address would show: whoever gave the notice in this portal came by a mail to it."""
    name = visit.named["notice"]
    papers = visit.home.notices.papers(name)
    return challenge(papers, Level.CONTACT) if papers and visit.portal.accounts.giver(name) else ""


def answer(visit: Visit) -> Answer:
    with visit.at("says"):
        says = visit.needed("says", "write an answer")
    visit.refuse_faults()
    visit.portal.accounts.answer(visit.named["question"], says, visit.me.id)
    visit.did("answered", visit.named["question"])
    return Onward("/office")
