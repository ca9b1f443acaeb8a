"""For officers of a cooperative: members, proposals with their turnout, and what each would change for whom."""

from typing import Any

from byline.app.coop import Coop, book_of
from byline.app.coop_effects import impact
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Page, Visit
from byline.core import AppError, BylineError, PartyId


def add(doors: Doors) -> None:
    doors.page("GET", "/coop", Role.COOPERATIVE)(show)
    doors.page("GET", "/coop/{proposal}", Role.COOPERATIVE)(proposal)


def show(visit: Visit) -> Answer:
    home, day = visit.home, visit.now.date()
    found = []
    for record in book_of(home).cooperatives():
        coop = Coop(home, book_of(home), record)
        members = [home.names.get(party, party) for party in coop.book.members(record.id, day)]
        votes = [vote(coop, each.id, visit) for each in coop.book.proposals(record.id)]
        found.append({"name": record.name, "pool": record.pool, "members": sorted(members), "votes": votes,
                      "policy": coop.book.policy_in_force(record.id, day)})  # fmt: skip
    return Page("coop.html", "Cooperative", {"cooperatives": found})


def vote(coop: Coop, name: str, visit: Visit) -> dict[str, Any]:
    """A vote that is open shows its turnout and nothing of how people vote."""
    record, closing = coop.book.proposal(name), coop.book.closing(name)
    voted, roll = coop.book.turnout(name, coop.merged(record))
    day = visit.now.date()
    running = "not open yet" if day < record.opens else "open" if day < record.closes else "to be counted"
    state = running if closing is None else "carried" if closing.tally.carried else "failed"
    return {"id": name, "title": record.title, "state": state, "voted": voted, "roll": roll, "opens": record.opens,
            "closes": record.closes, "effect": record.effect.value, "text": record.text,
            "options": [each.name for each in record.options],
            "tally": closing.tally.to_json() if closing else None}  # fmt: skip


def proposal(visit: Visit) -> Answer:
    home, name = visit.home, visit.named["proposal"]
    for record in book_of(home).cooperatives():
        coop = Coop(home, book_of(home), record)
        if name in [each.id for each in coop.book.proposals(record.id)]:
            told = vote(coop, name, visit)
            return Page("proposal.html", told["title"], {"vote": told, "impact": _impact(coop, name, visit)})
    raise AppError("no-such-page", "there is no such proposal", "the list has them all")


def _impact(coop: Coop, name: str, visit: Visit) -> dict[str, Any] | None:
    """What each option would change on the last money that was divided; None where nothing was divided yet."""
    try:
        found = impact(coop, coop.book.proposal(name), visit.now.date())
    except BylineError:
        return None
    names = coop.home.names
    return {
        option: {"unit": unit, "rows": [(names.get(PartyId(each.who)) or account_name(coop.home, each.who),
                                         int(each.before_nano), int(each.after_nano)) for each in rows]}
        for option, (unit, rows) in found.items()
    }  # fmt: skip
