"""How the pay of a work is shared: somebody proposes it, everybody who has a part agrees, and then it is in force.

Where they do not agree, each says what they hold to be theirs. What all could be right about is theirs at once; the
part that is claimed twice is shown, and waits when an officer records the claims.
"""

from datetime import date
from typing import Any

from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field, document_field, percent_field, share_rows, shares_field
from byline.app.portal.matters import (
    Matter,
    MatterKind,
    is_open,
    matters_of,
    name_of,
    people_of,
    refuse_closed,
    step,
)
from byline.app.portal.pages import day as day_words
from byline.app.portal.preferences import own_works
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import PPM, AppError, Party, PartyId, Split, Work, WorkId, canonical_json, party_id, sha256_hex
from byline.registry import Catalogue, Claim, Division, concede, divide_work


def add(doors: Doors) -> None:
    doors.page("GET", "/splits/new", Role.CONTRIBUTOR, own=True)(form)
    doors.page("POST", "/splits/new", Role.CONTRIBUTOR, own=True)(propose)


# --- proposing --------------------------------------------------------------------------------------------------


def _work(visit: Visit) -> Work:
    """The work of the form, of which only who has a part in it says how it is shared.

    Raises: AppError("no-such-page").
    """
    name = WorkId(visit.asked.get("work", "") or visit.field("work", 200))
    if name not in visit.home.works or name not in _shared_by(visit, name):
        raise AppError("no-such-page", "there is no such work of yours", "your page lists them")
    return visit.home.works[name]


def _shared_by(visit: Visit, work: WorkId) -> set[WorkId]:
    holds = visit.me.party and visit.me.party in dict(division(visit, visit.home.works[work]).lines)
    return set(own_works(visit.home, visit.me)) | ({work} if holds else set())


def division(visit: Visit, work: Work, on: date | None = None) -> Division:
    """Who holds a work on a day, today by default, by all that is known."""
    day = on or visit.now.date()
    return divide_work(work, visit.home.registry.split_of(work.id, day), people_of(visit.home).known(), day)


def form(visit: Visit) -> Answer:
    work = _work(visit)
    now = division(visit, work)
    data = {
        "work": work,
        "agreed": now.agreed,
        "lines": [(name_of(visit.home, party), ppm) for party, ppm in now.lines],
        "rows": share_rows({name_of(visit.home, party): ppm for party, ppm in now.lines}),
        "asked": [name_of(visit.home, party) for party in _asked(visit, work, ())],
        "by": visit.me.name,
        "day": visit.now.date().isoformat(),
    }
    return Page("split-new.html", f"How “{work.title}” is shared", data)


def _asked(visit: Visit, work: Work, lines: tuple[PartyId, ...]) -> list[PartyId]:
    """Who must agree: everybody who made it, has a part now, or would have one."""
    found = {part.party for part in work.contributions} | set(dict(division(visit, work).lines)) | set(lines)
    return sorted(found)


def propose(visit: Visit) -> Answer:
    work = _work(visit)
    shares = shares_field(visit)
    with visit.at("effective"):
        day = day_field(visit, "effective")
    with visit.at("because"):
        because = visit.field("because")
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: the others read it", 200)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    lines = [[party_id(name), ppm] for name, ppm in shares]
    body = {
        "lines": lines,
        "names": {party_id(name): name for name, _ in shares},
        "asked": list(_asked(visit, work, tuple(party_id(name) for name, _ in shares))),
        "effective": day.isoformat(),
        "because": because,
        "by": by,
        "party": str(visit.me.party),
    }
    matter = matters_of(visit).open(MatterKind.SPLIT, visit.me.id, work.id, body, visit.now)
    matter = step(
        visit, matter, "proposed", f"{by} proposes how “{work.title}” is shared from {day_words(day)} on.", by=by
    )
    _agree(visit, matter, visit.me.party, by)
    return Onward(f"/matters/{matter.id}?new=yes")


# --- agreeing ---------------------------------------------------------------------------------------------------


def act(visit: Visit, matter: Matter) -> None:
    """Raises: AppError("bad-choice"), ("matter-closed"), and faults of the form."""
    refuse_closed(matter)
    chosen = visit.field("act", 20)
    if chosen == "withdraw" and matter.person == visit.me.id:
        step(visit, matter, "withdrawn", "The proposal was withdrawn by whoever made it.")
        return
    if visit.me.party not in matter.body["asked"] or chosen not in ("agree", "disagree"):
        with visit.at("act"):
            raise AppError("bad-choice", "nothing was chosen", "choose whether you agree")
        visit.refuse_faults()
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: the others read it", 200)
    ppm, because = 0, visit.field("because")
    with visit.at("part"):
        ppm = percent_field(visit, "part") if chosen == "disagree" and visit.field("part", 20) else 0
    with visit.at("because"):
        if chosen == "disagree" and not because:
            raise AppError("no-reason", "you gave no reason", "write why: the others read it")
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    if chosen == "agree":
        _agree(visit, matter, visit.me.party, by)
    else:
        body = {"by": by, "party": str(visit.me.party), "because": because, "ppm": ppm}
        step(visit, matter, "disagreed", f"{by} does not agree.", **body)


def _agree(visit: Visit, matter: Matter, party: str, by: str, sha256: str = "") -> None:
    """Into the register first: a process that dies between leaves a matter that can be agreed to again."""
    all_agree = set(matter.body["asked"]) <= _agreed(matter) | {party}
    if all_agree:
        _adopt(visit, matter)
    matter = step(visit, matter, "agreed", f"{by} agrees.", by=by, party=party, sha256=sha256)
    if all_agree:
        step(visit, matter, "adopted", "All have agreed; money is divided by it from its day on.")


def _agreed(matter: Matter) -> set[str]:
    """Whose last word was that they agree."""
    last = {done.body["party"]: done.what for done in matter.all("agreed", "disagreed")}
    return {party for party, what in last.items() if what == "agreed"}


def _adopt(visit: Visit, matter: Matter) -> None:
    """Into the register, from where money is divided by it."""
    body = matter.body
    lines = tuple((PartyId(party), ppm) for party, ppm in body["lines"])
    split = Split(WorkId(matter.about), lines, date.fromisoformat(body["effective"]))
    parties = tuple(Party(PartyId(party), name) for party, name in body["names"].items())
    visit.home.registry.add(Catalogue((), parties, (), (split,), ()), visit.now.date())


# --- an officer -------------------------------------------------------------------------------------------------


def decide(visit: Visit, matter: Matter, by: str) -> None:
    """An officer records who agreed on paper, or holds what is claimed twice. Raises: AppError("bad-choice")."""
    refuse_closed(matter)
    chosen = visit.field("act", 20)
    if chosen == "hold":
        _hold(visit, matter, by)
        return
    party, sha256 = visit.field("party", 200), ""
    with visit.at("party"):
        if party not in set(matter.body["asked"]) - _agreed(matter):
            raise AppError("bad-choice", "nobody was chosen", "choose who has agreed")
    with visit.at("document"):
        name, sha256 = document_field(visit)
        if not sha256:
            raise AppError("empty-field", f"{name or 'the document'} was not sent", "choose the signed agreement")
    visit.refuse_faults()
    _agree(visit, matter, party, f"{name_of(visit.home, party)}, on paper, seen by {by}", sha256)


def _hold(visit: Visit, matter: Matter, by: str) -> None:
    """The claims as they were stated, into the register: what is claimed twice waits."""
    told = overclaim(visit, matter)
    if told is None or told["agreed"]:
        raise AppError("bad-choice", "nothing is claimed twice that could be held", "they agree, or open a dispute")
    day = visit.now.date()
    evidence = sha256_hex(canonical_json({"matter": matter.id, "claims": told["claims"]}))
    claims = [Claim(PartyId(p), WorkId(matter.about), ppm, day, evidence, by) for p, ppm in told["claims"].items()]
    added = people_of(visit.home).add_all(list(matter.body["names"].values()), claims, day)
    for _, fault in added.faults:
        raise fault
    step(visit, matter, "held", f"{by} has recorded what each claims; what is claimed twice waits.", by=by)


# --- showing ----------------------------------------------------------------------------------------------------


def overclaim(visit: Visit, matter: Matter) -> dict[str, Any] | None:
    """What each holds to be theirs, if together that is more than the work. None if it is not."""
    claims = _claims(matter)
    paid, contested = concede(PPM, {PartyId(party): ppm for party, ppm in claims.items()})
    if not contested:
        return None
    work = visit.home.works[WorkId(matter.about)]
    told = [(_called(visit, matter, party), ppm, paid[PartyId(party)]) for party, ppm in sorted(claims.items())]
    return {"claims": claims, "told": told, "contested": contested, "agreed": division(visit, work).agreed}


def _claims(matter: Matter) -> dict[str, int]:
    """By the last word of each: who agrees, and who proposed, claims what the proposal gives them."""
    proposed = dict(matter.body["lines"])
    found = {party: int(proposed.get(party, 0)) for party in _agreed(matter)}
    for done in matter.all("disagreed"):
        if done.body["party"] not in found and done.body["ppm"]:
            found[done.body["party"]] = int(done.body["ppm"])
    return {party: ppm for party, ppm in found.items() if ppm}


def _called(visit: Visit, matter: Matter, party: str) -> str:
    return visit.home.names.get(PartyId(party)) or str(matter.body["names"].get(party, party))


def told(visit: Visit, matter: Matter) -> dict[str, Any]:
    body, agreed = matter.body, _agreed(matter)
    last = {done.body["party"]: done.what for done in matter.all("agreed", "disagreed")}
    waiting = [party for party in body["asked"] if party not in agreed]
    return {
        "work": visit.home.works.get(WorkId(matter.about)),
        "lines": [(_called(visit, matter, party), ppm) for party, ppm in body["lines"]],
        "rest": PPM - sum(ppm for _, ppm in body["lines"]),
        "effective": body["effective"],
        "because": body["because"],
        "asked": [(_called(visit, matter, party), last.get(party, "")) for party in body["asked"]],
        "waiting": [(party, _called(visit, matter, party)) for party in waiting],
        "asks": is_open(matter) and visit.me.party in body["asked"] and visit.me.party not in last,
        "may_answer": is_open(matter) and visit.me.party in body["asked"] and visit.me.party not in agreed,
        "may_withdraw": is_open(matter) and matter.person == visit.me.id,
        "overclaim": overclaim(visit, matter) if is_open(matter) else None,
        "new_names": [name for party, name in body["names"].items() if PartyId(party) not in visit.home.names],
    }
