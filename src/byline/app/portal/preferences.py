"""What may be done with one's works, use by use: no, only by licence, or yes; for one work or for all of them.

The choices are notices like those of `/no` and `/claim`: a no holds at once, a no for want of a licence is one that a
licence on record lifts, a yes counts once it was checked, and what was not said stays unknown, which is never consent.
Nothing is edited: what is changed is given anew first, and only then the former is taken back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from byline.app.home import Home
from byline.app.notice_steps import Step, change
from byline.app.notices import give, models, trainings
from byline.app.portal.accounts import Person, Role
from byline.app.portal.choices import WORDS
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError, PartyId, WorkId
from byline.registry import (
    USES,
    Defaults,
    Dossier,
    NoticeKind,
    Reaches,
    Target,
    TargetKind,
    Use,
    What,
    challenge,
)

ALL = "all"
SHOWN = 200  # works on the list


class Stance(StrEnum):
    """What somebody says of a use. The order is that of the form; of two that hold the stricter counts."""

    NO = "no"
    LICENCE = "licence"
    YES = "yes"
    UNSAID = "unsaid"


SAYS = {
    Stance.NO: "No",
    Stance.LICENCE: "Only by licence",
    Stance.YES: "Yes",
    Stance.UNSAID: "I do not say",
}
MEANS = {
    "tdm": "Programs read the work to count, compare or learn. A no here is a no to both kinds of training, too.",
    "train.gen": "A model learns from it and then writes, draws or sings by itself.",
    "train.other": "A model learns from it to sort, translate or find, and makes nothing of its own.",
    "ground": "A finished model reads the work while it answers somebody.",
    "index": "The work stands in a catalogue that programs search.",
    "search": "People find the work when they look for it.",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/me/works", Role.CONTRIBUTOR, own=True)(listing)
    doors.page("GET", "/me/works/{work}", Role.CONTRIBUTOR, own=True)(form)
    doors.page("POST", "/me/works/{work}", Role.CONTRIBUTOR, own=True)(choose)


# --- whose works ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mine:
    """The works of a person: in which the payee that they are has a part, and those that they have named here.
    `notices`: what they said, as far as it is not over."""

    home: Home
    notices: tuple[Dossier, ...]
    own: frozenset[WorkId]
    named: frozenset[WorkId]
    reached: Reaches

    @classmethod
    def of(cls, visit: Visit) -> "Mine":
        home, person, reached = visit.home, visit.me, visit.home.reached()
        given = [home.notices.one(name) for name in visit.portal.accounts.notices(person.id)]
        alive = tuple(each for each in given if each.ended(visit.now.date()) is None)
        claims = [each for each in alive if each.notice.kind is NoticeKind.CLAIM]
        named = frozenset(work for each in claims for work in reached.by(each.notice.target).works)
        return cls(home, alive, own_works(home, person), named, reached)

    def said(self, target: Target) -> dict[Use, Stance]:
        """What they have said of exactly this target, use by use."""
        found = dict.fromkeys(USES, Stance.UNSAID)
        for dossier in self.about(target):
            for use in dossier.notice.uses:
                found[use] = min(found[use], stance_of(dossier), key=list(Stance).index)
        return found

    def about(self, target: Target) -> list[Dossier]:
        return [each for each in self.notices if each.notice.target == target]

    def reach(self, target: Target) -> tuple[WorkId, ...]:
        return self.reached.by(target).works


def own_works(home: Home, person: Person) -> frozenset[WorkId]:
    return frozenset(home.shelf.ids_of(PartyId(person.party))) if person.party else frozenset()


def stance_of(dossier: Dossier) -> Stance:
    if dossier.notice.kind is NoticeKind.CLAIM:
        return Stance.YES
    return Stance.LICENCE if dossier.notice.unless_licensed else Stance.NO


def target_of(visit: Visit, mine: Mine) -> Target:
    """Raises: AppError("no-such-page") for a work that is not theirs, as for one that there is not."""
    name = visit.named["work"]
    if name == ALL and visit.me.party:
        return Target(TargetKind.CONTRIBUTOR, visit.me.party)
    if name not in mine.own | mine.named:
        raise AppError("no-such-page", "there is no such work of yours", "your page lists them")
    return Target(TargetKind.WORK, name)


# --- pages ------------------------------------------------------------------------------------------------------


def listing(visit: Visit) -> Answer:
    mine = Mine.of(visit)
    mine.home.at_hand(mine.home.registry.works_of_ids(sorted(mine.own | mine.named)))
    works = sorted((mine.home.works[work] for work in mine.own | mine.named), key=lambda work: (work.title, work.id))
    everything = Target(TargetKind.CONTRIBUTOR, visit.me.party)
    data = {
        "works": [(work, _short(mine.said(Target(TargetKind.WORK, work.id)))) for work in works[:SHOWN]],
        "count": len(works),
        "all": _short(mine.said(everything)) if visit.me.party else "",
        "linked": bool(visit.me.party),
    }
    return Page("my-works.html", "Your works", data)


def _short(said: dict[Use, Stance]) -> str:
    """One line: what was said of training, or that nothing was."""
    given = {stance for stance in said.values() if stance is not Stance.UNSAID}
    if not given:
        return "nothing said"
    if len(given) == 1 and Stance.UNSAID not in said.values():
        return f"{SAYS[given.pop()].lower()} to every use"
    parts = [f"{SAYS[stance].lower()} to {_count(said, stance)}" for stance in Stance if stance in given]
    return ", ".join(parts)


def _count(said: dict[Use, Stance], stance: Stance) -> str:
    uses = [use for use, chosen in said.items() if chosen is stance]
    return WORDS[uses[0]] if len(uses) == 1 else f"{len(uses)} uses"


def form(visit: Visit) -> Answer:
    mine = Mine.of(visit)
    target = target_of(visit, mine)
    said, wide = mine.said(target), _wide(visit, mine, target)
    works = mine.reach(target)
    title = mine.home.works[WorkId(target.value)].title if target.kind is TargetKind.WORK else ""
    data = {
        "work": visit.named["work"],
        "single": title,
        "stances": [(stance.value, says) for stance, says in SAYS.items()],
        "uses": [
            {"use": use.value, "says": WORDS[use], "means": MEANS[use], "now": said[use].value,
             "wide": SAYS[wide[use]] if wide[use] is not Stance.UNSAID else ""}
            for use in USES
        ],
        "reaches": len(works),
        "models": models(trainings(mine.home), works),
        "notices": [(each.notice.id, SAYS[stance_of(each)], each.state(visit.now.date())) for each in
                    mine.about(target)],
        "by": visit.me.name,
        "saved": visit.asked.get("saved") == "yes",
        "licensed": target.kind is TargetKind.WORK and bool(works) and target.value in
                    mine.home.licensed(Use.TRAIN_GEN, visit.now.date(), mine.home.registry.works_of_ids(works)),
    }  # fmt: skip
    return Page("my-work.html", title or "All your works", data)


def _wide(visit: Visit, mine: Mine, target: Target) -> dict[Use, Stance]:
    """What they have said of all their works, which holds for the single work beside what is said of it."""
    if target.kind is TargetKind.WORK and visit.me.party and target.value in mine.own:
        return mine.said(Target(TargetKind.CONTRIBUTOR, visit.me.party))
    return dict.fromkeys(USES, Stance.UNSAID)


# --- choosing ---------------------------------------------------------------------------------------------------


def choose(visit: Visit) -> Answer:
    mine = Mine.of(visit)
    target = target_of(visit, mine)
    wanted = mine.said(target)  # what a form leaves out stays as it was
    for use in USES:
        with visit.at(use.value):
            wanted[use] = _stance(visit.field(use.value, 20) or wanted[use])
    with visit.at("by"):
        by = visit.me.name or visit.needed("by", "write your name: the receipts carry it", 200)
    visit.refuse_faults()
    visit.portal.accounts.call(visit.me.id, by)
    kept = _give(visit, mine, target, wanted, by)
    for dossier in mine.about(target):
        if dossier.notice.id not in kept:
            _take_back(visit, dossier)
    return Onward(f"/me/works/{visit.named['work']}?saved=yes")


def _stance(text: str) -> Stance:
    """Raises: AppError("bad-choice")."""
    if text not in list(Stance):
        raise AppError("bad-choice", "that is none of the choices", "choose one of the four")
    return Stance(text)


def _give(visit: Visit, mine: Mine, target: Target, wanted: dict[Use, Stance], by: str) -> set[str]:
    """Notices for what is wanted, new ones where none says exactly that; the ids of all that say it."""
    found = set()
    for stance in (Stance.NO, Stance.LICENCE, Stance.YES):
        uses = tuple(use for use in USES if wanted[use] is stance)
        standing = _same(mine.about(target), stance, uses)
        if standing:
            found.add(standing.notice.id)
        elif uses:
            found.add(_new(visit, target, stance, uses, by))
    return found


def _same(given: Sequence[Dossier], stance: Stance, uses: Iterable[Use]) -> Dossier | None:
    fit = (each for each in given if stance_of(each) is stance and each.notice.until is None)
    return next((each for each in fit if each.notice.uses == tuple(uses)), None)


def _new(visit: Visit, target: Target, stance: Stance, uses: tuple[Use, ...], by: str) -> str:
    """Raises: AppError("said-already") if somebody else of that name has said exactly the same today."""
    kind = NoticeKind.CLAIM if stance is Stance.YES else NoticeKind.OPT_OUT
    given = Defaults(by, visit.now.date(), uses, contact=visit.me.email, unless_licensed=stance is Stance.LICENCE)
    (taken,) = give(visit.home, kind, [given.wish(target)], visit.now)
    name = taken.dossier.notice.id
    if taken.new:
        visit.portal.accounts.keep_notice(visit.me.id, name)
        visit.did(f"gave {kind}", name)
    elif name not in visit.portal.accounts.notices(visit.me.id):
        says = "somebody of your name has said exactly this today, from another address"
        raise AppError("said-already", says, "it holds already; write your name in full to say it yourself")
    return name


def _take_back(visit: Visit, dossier: Dossier) -> None:
    """Whoever is signed in has shown that the address is theirs, which is the challenge of a withdrawal."""
    papers = visit.home.notices.papers(dossier.notice.id)
    if papers is not None:
        step = Step(What.WITHDRAWN, by=papers.by, shown=challenge(papers, "withdraw"))
        change(visit.home, dossier.notice.id, step, visit.now)
        visit.did("withdrew", dossier.notice.id)
