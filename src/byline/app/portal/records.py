"""What is public of works, contributors and waiting money."""

from collections.abc import Sequence
from typing import Any

from byline.app.corrections import waiting
from byline.app.known import about_work
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.paging import page_number
from byline.app.portal.public import listed
from byline.app.portal.visit import Answer, Download, Page, Visit
from byline.app.thumbnails import may_show, thumbnail
from byline.app.uniqueness import Both, of_works
from byline.core import AppError, PartyId, WorkId

EACH = 50  # works on one page of the list
MOST_SHOWN = 200  # works of one contributor


def add(doors: Doors) -> None:
    doors.page("GET", "/works")(works)
    doors.page("GET", "/works/{work}")(work)
    doors.page("GET", "/works/{work}/picture")(picture)
    doors.page("GET", "/contributors/{party}")(contributor)
    doors.page("GET", "/unclaimed")(unclaimed)


def works(visit: Visit) -> Answer:
    home, at = visit.home, page_number(visit.asked.get("page", "1"))
    total = len(home.works)
    pages = max(1, -(-total // EACH))
    if at > pages:
        raise AppError("no-such-page", f"there is no page {at}", "go back to the first")
    some = home.shelf.by_title((at - 1) * EACH, EACH)
    return Page("works.html", "Works", {"works": listed(home, some), "at": at, "pages": pages, "total": total})


def work(visit: Visit) -> Answer:
    """Splits, contracts, consents and numbers of people are not public and are not here."""
    home, name = visit.home, WorkId(visit.named["work"])
    if name not in home.works:
        raise AppError("no-such-page", "there is no such work", "search by its title")
    told = about_work(home, name, visit.now.date())
    web = told["source"] if told["source"].startswith(("https://", "http://")) else ""
    shown = may_show(home, name, visit.now.date())
    data = {"work": told, "web": web, "signals": _signals(told), "shown": shown}
    parties = [each["party"] for each in told["contributors"]]
    return Page("work.html", told["title"], data | {"both": _both(visit, parties, [name])})


def _both(visit: Visit, parties: Sequence[str], works: Sequence[WorkId]) -> list[tuple[str, str, WorkId, Both]]:
    """(training, title, work, share and uniqueness) for whose works they are, and for auditors: like what is earned by
    them, they are nobody else's to see."""
    person = visit.person
    if person is None or not (person.may(Role.AUDITOR) or (person.party and person.party in parties)):
        return []
    found = of_works(visit.home, works)
    ranked = sorted(found, key=lambda each: (each[0], -each[2].share_ppb, each[1]))
    return [
        (training, visit.home.works[work].title, work, both)
        for training, work, both in ranked
        if both.share_ppb or both.unique_ppb
    ]


def picture(visit: Visit) -> Answer:
    """A small one, of a work whose licence lets anybody show it, unless somebody said no for it."""
    home, name = visit.home, WorkId(visit.named["work"])
    if not may_show(home, name, visit.now.date()):
        raise AppError("no-such-page", "there is no such picture, or it may not be shown", "see the work's page")
    return Download(thumbnail(home, name), "picture.jpg", "image/jpeg")


def _signals(told: dict[str, Any]) -> list[str]:
    return [f"{each.get('carrier', each.get('kind', ''))}: {each['state']}" for each in told["signals"]]


def contributor(visit: Visit) -> Answer:
    home, party = visit.home, PartyId(visit.named["party"])
    if party not in home.names:
        raise AppError("no-such-page", "there is no such contributor", "search by name")
    mine = home.shelf.works_of(party, MOST_SHOWN)
    said = [one for one in home.opt_outs(visit.now.date()) if one.party == party]
    refused = home.blocks(visit.now.date(), mine.works)
    data = {
        "name": home.names[party],
        "party": party,
        "works": listed(home, mine.works),
        "count": mine.count,
        "no_to_all": any(one.work is None for one in said),
        "blocked": len(refused),
        "both": _both(visit, [party], [work.id for work in mine.works]),
    }
    return Page("contributor.html", home.names[party], data)


def unclaimed(visit: Visit) -> Answer:
    found = waiting(visit.home)
    sums: dict[str, int] = {}
    for one in found:
        sums[one.currency] = sums.get(one.currency, 0) + int(one.amount_nano)
    return Page("unclaimed.html", "Unclaimed money", {"waiting": found, "sums": sums})
