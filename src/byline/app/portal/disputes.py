"""A dispute from beginning to end: the claim, the slice that waits, what both sides and an officer say, the outcome.

An officer takes a claim up: or else a stranger could stop everybody's pay by writing one. From then on the slice, and
nothing else, waits; the outcome goes back to the first payment it was contested for. What was settled before is
corrected when an officer books it, after being shown what that changes.
"""

from datetime import date
from typing import Any

from byline.app.corrections import correct_all, hand_over, waiting
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field, document_field, percent_field
from byline.app.portal.matters import Matter, MatterKind, is_open, matters_of, name_of, people_of, refuse_closed, step
from byline.app.portal.pages import day as day_words
from byline.app.portal.sharing import division
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import PPM, AppError, PartyId, WorkId, canonical_json, sha256_hex
from byline.registry import Dispute, Ground, PeopleRecord, Resolution

GROUNDS = {
    Ground.AUTHORSHIP: "who made it",
    Ground.SHARE: "how its pay is shared",
    Ground.OWNERSHIP: "who owns the rights",
    Ground.IDENTITY: "it is somebody else of that name",
    Ground.DUPLICATE: "it is a copy of another work",
    Ground.LICENCE: "it was used without a licence",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/disputes/new", Role.CONTRIBUTOR, own=True)(form)
    doors.page("POST", "/disputes/new", Role.CONTRIBUTOR, own=True)(claim)


# --- the claim --------------------------------------------------------------------------------------------------


def _asked(visit: Visit, name: str) -> str:
    return visit.asked.get(name, "")[:300] or visit.field(name, 300)


def _others(visit: Visit, work: WorkId) -> list[tuple[str, str, int]]:
    """Out of whose share something could be claimed: (party, name, parts per million)."""
    lines = division(visit, visit.home.works[work]).lines
    return [(party, name_of(visit.home, party), ppm) for party, ppm in lines if party != visit.me.party]


def _work(visit: Visit) -> WorkId:
    """Raises: AppError("no-such-page") for a work that there is not, and for whoever was checked to be no payee."""
    work = WorkId(_asked(visit, "work"))
    if work not in visit.home.works or not visit.me.party:
        raise AppError("no-such-page", "there is no such work to contest", "your statement lists them")
    return work


def form(visit: Visit) -> Answer:
    work, line = _work(visit), _asked(visit, "line")
    data = {
        "work": visit.home.works[work],
        "line": line if line.startswith("/statements/") else "",
        "others": _others(visit, work),
        "grounds": [(ground.value, says) for ground, says in GROUNDS.items()],
        "since": _since(visit, work),
        "by": visit.me.name,
    }
    return Page("dispute-new.html", "Contest a share", data)


def _since(visit: Visit, work: WorkId) -> str:
    """The first payment that was divided for the work: a dispute usually goes back to it."""
    journal = visit.home.journal
    settled = [journal.settlement(name) for name in journal.settlement_ids()]
    days = [event.received for one in settled for event in one.events
            if any(work == name for stake in one.stakes for name, _ in stake.works)]  # fmt: skip
    return min(days, default=visit.now.date()).isoformat()


def claim(visit: Visit) -> Answer:
    work = _work(visit)
    party, ground, line = visit.field("party", 200), visit.field("ground", 40), _asked(visit, "line")
    with visit.at("party"):
        if party not in [other for other, _, _ in _others(visit, work)]:
            raise AppError("bad-choice", "nobody was chosen", "choose out of whose share it is to come")
    with visit.at("part"):
        ppm = percent_field(visit, "part")
        has = {other: most for other, _, most in _others(visit, work)}.get(party, ppm)
        if ppm > has:
            raise AppError("bad-share", f"their share is {_percent(has)} of the work", "claim at most that")
    with visit.at("ground"):
        if ground not in list(Ground):
            raise AppError("bad-choice", "nothing was chosen", "choose what it is about")
    with visit.at("since"):
        since = day_field(visit, "since")
    with visit.at("because"):
        because = visit.needed("because", "say what you claim, and what shows it")
    with visit.at("document"):
        document, sha256 = document_field(visit)
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: the other side reads it", 200)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    body = {
        "party": party,
        "claimant": str(visit.me.party),
        "ppm": ppm,
        "ground": ground,
        "since": since.isoformat(),
        "because": because,
        "document": document,
        "sha256": sha256,
        "by": by,
        "line": line if line.startswith("/statements/") else "",
    }
    matter = matters_of(visit).open(MatterKind.DISPUTE, visit.me.id, work, body, visit.now)
    title, whose = visit.home.works[work].title, name_of(visit.home, party)
    says = f"{by} claims {_percent(ppm)} of “{title}” out of the share of {whose}, from {day_words(since)} on."
    step(visit, matter, "claimed", says, by=by)
    return Onward(f"/matters/{matter.id}?new=yes")


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:g}\u00a0%"


# --- what the sides say -----------------------------------------------------------------------------------------


def act(visit: Visit, matter: Matter) -> None:
    """Raises: AppError("matter-closed"), ("bad-choice")."""
    refuse_closed(matter)
    chosen = visit.field("act", 20)
    if chosen == "withdraw" and matter.person == visit.me.id:
        with visit.at("act"):
            if matter.last("taken-up"):
                raise AppError("bad-choice", "an officer has taken it up", "write below that you give it up")
        visit.refuse_faults()
        step(visit, matter, "withdrawn", "The claim was taken back before anything waited for it.")
        return
    with visit.at("because"):
        because = visit.needed("because", "write your answer")
    with visit.at("document"):
        document, sha256 = document_field(visit)
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: the other side reads it", 200)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    body = {"by": by, "because": because, "document": document, "sha256": sha256}
    step(visit, matter, "said", f"{by} has answered.", **body)


# --- an officer -------------------------------------------------------------------------------------------------


def decide(visit: Visit, matter: Matter, by: str) -> None:
    """Raises: AppError("bad-choice"), and faults of the form."""
    refuse_closed(matter)
    chosen = visit.field("act", 20)
    taken = matter.last("taken-up")
    with visit.at("act"):
        if chosen not in (("answer", "decide") if taken else ("answer", "take-up", "decline")):
            raise AppError("bad-choice", "nothing was chosen", "choose what was decided")
    with visit.at("because"):
        because = visit.needed("because", "write why: both sides read it")
    part = 0
    with visit.at("part"):
        part = _part(visit) if chosen == "decide" else 0
    visit.refuse_faults()
    told = {"by": by, "because": because}
    if chosen == "answer":
        step(visit, matter, "answered", f"{by} has answered for the portal.", **told)
    elif chosen == "decline":
        step(visit, matter, "declined", f"{by} has declined the claim: {because}", **told)
    elif chosen == "take-up":
        record = _record(visit, _dispute(matter))
        step(visit, matter, "taken-up", f"{by} has taken it up; the slice waits.", record=record, **told)
    elif taken is not None:
        _resolve(visit, matter, str(taken.body["record"]), part, told)


def _part(visit: Visit) -> int:
    """What the claimant gets of the slice; nothing is an answer, too. Raises: as `percent_field`."""
    return 0 if visit.field("part", 20).rstrip(" %") == "0" else percent_field(visit, "part")


def _dispute(matter: Matter) -> Dispute:
    body = matter.body
    evidence = body["sha256"] or sha256_hex(canonical_json(dict(body)))  # without a document, the claim itself
    told = (PartyId(body["party"]), PartyId(body["claimant"]), int(body["ppm"]), Ground(body["ground"]))
    return Dispute(WorkId(matter.about), *told, date.fromisoformat(body["since"]), evidence)


def _record(visit: Visit, record: PeopleRecord) -> str:
    return people_of(visit.home).add(record, visit.now.date())


def _resolve(visit: Visit, matter: Matter, dispute: str, part: int, told: dict[str, str]) -> None:
    """The slice goes to the claimant by `part` parts per million of it, and the rest back."""
    body, day = matter.body, visit.now.date()
    lines = [(PartyId(body["claimant"]), part), (PartyId(body["party"]), PPM - part)]
    given = tuple((party, ppm) for party, ppm in lines if ppm)
    evidence = sha256_hex(canonical_json({"matter": matter.id, **told, "part": part}))
    _record(visit, Resolution(dispute, given, day, told["by"], evidence))
    names = (name_of(visit.home, body["claimant"]), name_of(visit.home, body["party"]))
    says = f"{told['by']} has decided: of the slice, {_percent(part)} go to {names[0]}, the rest to {names[1]}."
    step(visit, matter, "decided", says, part=part, **told)


def book(visit: Visit, matter: Matter, by: str) -> None:
    """What was settled before, corrected: exactly as it was shown; what is still owed to somebody whom others have
    succeeded goes to these. Raises: AppError("shown-otherwise")."""
    found = corrections(visit)
    if visit.field("shown", 64) != found["digest"]:
        raise AppError("shown-otherwise", "the records have changed since this was shown", "look at it again")
    correct_all(visit.home, visit.now.date(), f"{matter.id}, {by}", visit.now)
    hand_over(visit.home, visit.now.date(), visit.now)
    step(visit, matter, "booked", "What was paid before was corrected; the next statement shows it.", by=by)


def corrections(visit: Visit) -> dict[str, Any]:
    """What correcting everything that was settled, by what is known now, would change for whom."""
    found, problems = correct_all(visit.home, visit.now.date(), "", visit.now, dry_run=True)
    rows = [
        (account_name(visit.home, change.account), int(change.before_nano), int(change.after_nano),
         each.settlement.currency)
        for each in found
        for change in each.changes
    ]  # fmt: skip
    digest = sha256_hex(canonical_json([[name, str(one), str(two), unit] for name, one, two, unit in rows]))
    return {"rows": rows, "problems": [each.says for each in problems], "digest": digest}


# --- showing ----------------------------------------------------------------------------------------------------


def told(visit: Visit, matter: Matter) -> dict[str, Any]:
    body, work = matter.body, visit.home.works.get(WorkId(matter.about))
    taken = matter.last("taken-up")
    on = max(visit.now.date(), date.fromisoformat(body["since"]))
    holds = division(visit, work, on).holds if work and taken else ()
    return {
        "work": work,
        "party": name_of(visit.home, body["party"]),
        "claimant": name_of(visit.home, body["claimant"]),
        "ppm": body["ppm"],
        "ground": GROUNDS[Ground(body["ground"])],
        "since": body["since"],
        "because": body["because"],
        "document": body["document"],
        "sha256": body["sha256"],
        "line": body["line"] if matter.person == visit.me.id else "",
        "taken": taken is not None,
        "waits": [(each.amount_nano, each.currency) for each in waiting(visit.home) if each.work == matter.about],
        "held": sum(hold.ppm for hold in holds if taken and hold.id == taken.body["record"]),
        "may_answer": is_open(matter),
        "may_withdraw": is_open(matter) and taken is None and matter.person == visit.me.id,
    }
