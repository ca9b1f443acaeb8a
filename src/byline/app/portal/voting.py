"""For members of a cooperative: what is put to the vote, what it would change for them, voting, and finding their own
ballot in the count.

A vote leaves no line in the trail: beside the ballot's mark in the log it would say whose the ballot is. What it leaves
is that mark, and the name in the list of those who have voted.
"""

import json
from collections.abc import Iterator
from typing import Any

from byline.app.coop import Coop, book_of, cast
from byline.app.portal.accounts import Role
from byline.app.portal.assembly import box_file, impact_told, vote
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Download, Page, Visit
from byline.cooperative import ABSTAIN, NO, NONE, YES, Proposal, Receipt, receipt_faults
from byline.core import AppError, CoreError, PartyId

PLACES = ("First choice", "Second choice", "Third choice")
ANSWERS = {YES: "Yes", NO: "No", ABSTAIN: "I abstain"}


def add(doors: Doors) -> None:
    doors.page("GET", "/votes", Role.CONTRIBUTOR, own=True)(show)
    doors.page("GET", "/votes/{proposal}", Role.CONTRIBUTOR, own=True)(one)
    doors.page("POST", "/votes/{proposal}", Role.CONTRIBUTOR, own=True)(give)
    doors.page("POST", "/votes/{proposal}/receipt", Role.CONTRIBUTOR, own=True, reads=True)(receipt)
    doors.page("POST", "/votes/{proposal}/find", Role.CONTRIBUTOR, own=True, reads=True, back="/votes/{proposal}")(find)
    doors.page("GET", "/votes/{proposal}/box", Role.CONTRIBUTOR, own=True)(box)


def mine(visit: Visit) -> Iterator[tuple[Coop, Proposal, PartyId]]:
    """Votes on whose roll the visitor stands, and as whom: two names of one person are one."""
    party = visit.me.party
    for record in book_of(visit.home).cooperatives() if party else ():
        coop = Coop(visit.home, book_of(visit.home), record)
        for each in coop.book.proposals(record.id):
            merged = coop.merged(each)
            person = merged.get(PartyId(party), PartyId(party))
            if person in coop.book.roll(each.id, merged):
                yield coop, each, person


def _mine(visit: Visit) -> tuple[Coop, Proposal, PartyId]:
    """Raises: AppError("no-such-page") for a vote that is not the visitor's."""
    found = next((each for each in mine(visit) if each[1].id == visit.named["proposal"]), None)
    if found is None:
        raise AppError("no-such-page", "there is no such vote", "the list has yours")
    return found


def show(visit: Visit) -> Answer:
    day, party = visit.now.date(), visit.me.party
    votes = [vote(coop, each, day) | {"coop": coop.record.name, "mine": person in coop.book.voted(each.id)}
             for coop, each, person in mine(visit)]  # fmt: skip
    of = [record.name for record in book_of(visit.home).cooperatives()
          if party and PartyId(party) in book_of(visit.home).members(record.id, day)]  # fmt: skip
    return Page("votes.html", "Votes", {"votes": votes[::-1], "member": of})


def one(visit: Visit) -> Answer:
    return Page("vote.html", _mine(visit)[1].title, _told(visit))


def _told(visit: Visit) -> dict[str, Any]:
    coop, record, person = _mine(visit)
    day = visit.now.date()
    names = [*(each.name for each in record.options), NONE]
    return {
        "vote": vote(coop, record, day),
        "coop": coop.record.name,
        "names": names,
        "answers": ANSWERS,
        "places": [PLACES[n] if n < len(PLACES) else f"Choice {n + 1}" for n in range(len(names))],
        "mine": person in coop.book.voted(record.id),
        "found": None,
        "impact": impact_told(coop, record, day, person),
    }


def give(visit: Visit) -> Answer:
    """Cast it; a later vote of the same member takes its place. The receipt is shown this once.

    Raises: CooperativeError("not-open"), CooperativeError("bad-choice").
    """
    coop, record, person = _mine(visit)
    field = "place_1" if record.ranked else "answer"
    with visit.at(field):
        told = cast(coop, record, person, _choice(visit, record), visit.now.date())
        text = json.dumps(told, indent=1, ensure_ascii=False)
        choice = [ANSWERS.get(each, each) for each in told["receipt"]["ballot"]["choice"]]
        data = {"vote": vote(coop, record, visit.now.date()), "choice": choice, "receipt": text}
        return Page("voted.html", "You have voted", data)
    visit.refuse_faults()
    raise AppError("no-such-page", "there is no such vote", "the list has yours")


def _choice(visit: Visit, record: Proposal) -> list[str]:
    """Raises: AppError("bad-choice") if nothing was chosen."""
    if record.ranked:
        places = range(1, len(record.options) + 2)
        return [text for n in places if (text := visit.field(f"place_{n}", 200))]
    answer = visit.field("answer", 20)
    if not answer:
        raise AppError("bad-choice", "nothing was chosen", "choose yes, no, or to abstain")
    return [answer]


def receipt(visit: Visit) -> Answer:
    """The receipt that the page has, as a file. Nothing is kept of it. Raises: AppError("not-a-receipt")."""
    _, record, person = _mine(visit)
    text = visit.field("receipt", 20_000)
    if (found := _read(text.encode())).party != person or found.ballot.proposal != record.id:
        raise AppError("not-a-receipt", "that is no receipt of your vote", "use the file as it was given")
    return Download(text.encode() + b"\n", "receipt-of-my-vote.json", "application/json")


def find(visit: Visit) -> Answer:
    """Whether the ballot of a receipt was counted as it was cast. Raises: AppError("not-a-receipt")."""
    coop, record, _ = _mine(visit)
    with visit.at("file"):
        content = visit.upload.content if visit.upload else b""
        held = _read(content)
        if coop.book.closing(record.id) is None or held.ballot.proposal != record.id:
            raise AppError("not-a-receipt", "that is the receipt of another vote", "choose the one of this vote")
        faults = receipt_faults(held, list(coop.book.box(record.id, coop.merged(record)).ballots))
        choice = [ANSWERS.get(each, each) for each in held.ballot.choice]
        return Page("vote.html", record.title, _told(visit) | {"found": {"faults": faults, "choice": choice}})
    visit.refuse_faults()
    raise AppError("no-such-page", "there is no such vote", "the list has yours")


def _read(content: bytes) -> Receipt:
    """Raises: AppError("not-a-receipt")."""
    try:
        return Receipt.from_json(json.loads(content.decode("utf-8"))["receipt"])
    except (ValueError, KeyError, TypeError, RecursionError, CoreError) as fault:
        raise AppError("not-a-receipt", "that is no receipt of a vote", "use the file as it was given") from fault


def box(visit: Visit) -> Answer:
    coop, record, _ = _mine(visit)
    return box_file(coop, record)
