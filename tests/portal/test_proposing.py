"""Votes on unclaimed money and on statutes, from the cooperative's pages: proposed, voted on, counted, carried out."""

from datetime import timedelta

import pytest
from portal_project import NOW, TITLES, at, only_work
from staff import hidden, measure
from test_assembly import come, coop, officer, proposed, voted  # noqa: F401  (fixtures of theirs)

from byline.app.coop import Coop

YEARS, OPENS, CLOSES = timedelta(days=4 * 366), timedelta(days=8), timedelta(days=16)
FATE = {"title": "To all of us", "text": "Nobody came.", "to_1": "members"}
STATUTES = {"title": "Two years are enough", "text": "Because.", "effective": "2027-01-01", "years": "2",
            "voting": ["person", "estate"]}  # fmt: skip
for _effect in ("policy", "offer", "unclaimed", "statutes"):
    STATUTES |= {f"quorum_{_effect}": "25", f"majority_{_effect}": "66,6", f"notice_{_effect}": "10",
                 f"open_{_effect}": "12"}  # fmt: skip


def decided(app, clock, proposal, opens, closes):
    """Both members say yes, and it is counted; the page after that."""
    with at(clock, opens):
        for browser in come(app)[:2]:
            browser.look("/votes")
            voted(browser, proposal, answer="yes")
    with at(clock, closes):
        officer = come(app)[2]
        officer.look(f"/coop/proposals/{proposal}")
        assert officer.fill(f"/coop/proposals/{proposal}/count").status_code == 303
        return officer.look(f"/coop/proposals/{proposal}").text


def test_unclaimed_money_goes_where_the_members_voted_exactly_as_shown(app, home, clock, coop):  # noqa: F811
    measure(home)
    with at(clock, YEARS):
        browser = come(app)[2]
        page = browser.look(f"/coop/{coop}/propose/unclaimed").text
        work = only_work(home, TITLES[2])
        assert f'value="{work}"' in page and "A quiet book" in page
        name = proposed(browser, coop, "unclaimed", **FATE, works=[work])
        assert "that of 1 work" in browser.look(f"/coop/proposals/{name}").text
    page = decided(app, clock, name, YEARS + OPENS, YEARS + CLOSES)
    assert "Carry it out" in page and "Ada Moore" in page
    address = f"/coop/proposals/{name}/carry-out"
    before = home.journal.balances("EUR")
    with at(clock, YEARS + CLOSES):
        browser = come(app)[2]
        browser.look(f"/coop/proposals/{name}")
        assert browser.fill(address, shown="other").status_code == 409 and home.journal.balances("EUR") == before
        assert browser.fill(address, **hidden(page, address)).status_code == 303
        after = home.journal.balances("EUR")
        assert after.get(f"held:unclaimed:{work}", 0) == 0 != before[f"held:unclaimed:{work}"]
        assert sum(after.values()) == 0 and home.journal.check() == []
        page = browser.look(f"/coop/proposals/{name}").text
        assert "it is carried out" in page and "Move exactly this" not in page
    assert app.state.portal.trail.lines()[-1].did == "carried out a vote on unclaimed money"


def test_money_that_does_not_wait_is_not_voted_on(app, home, coop, officer):  # noqa: F811
    measure(home)
    page = officer.look(f"/coop/{coop}/propose/unclaimed").text
    assert "No money has waited for 3 years" in page
    wrong = FATE | {"works": [only_work(home, TITLES[2])]}
    assert officer.fill(f"/coop/{coop}/propose/unclaimed/try", **wrong).status_code == 422
    assert officer.fill(f"/coop/{coop}/propose/unclaimed/try", **(FATE | {"to_1": "operator"})).status_code == 422


def test_statutes_are_voted_on_and_govern_the_proposals_made_from_then_on(app, home, clock, coop, officer):  # noqa: F811
    name = proposed(officer, coop, "statutes", **STATUTES)
    page = officer.look(f"/coop/proposals/{name}").text
    assert "version 2, from 1 January 2027" in page and "66.6\u00a0%" in page
    page = decided(app, clock, name, timedelta(days=15), timedelta(days=30))
    assert "carried" in page and "Carry it out" not in page
    with at(clock, timedelta(days=90)):
        now = Coop.open(home).book.statutes(coop, (NOW + timedelta(90)).date())
        assert (now.version, now.unclaimed_years, now.voting) == (2, 2, ("person", "estate"))
        assert {rule.notice_days for rule in now.rules} == {10}
        browser = come(app)[2]
        assert "at least 10 days from now" in browser.look(f"/coop/{coop}/propose/policy").text


@pytest.mark.parametrize("wrong", [{"years": "0"}, {"years": "x"}, {"voting": []}, {"quorum_offer": "0"},
                                   {"majority_policy": "40"}, {"majority_policy": "100"}, {"notice_statutes": "-1"},
                                   {"open_unclaimed": "0"}, {"effective": "soon"}, {"quorum_policy": "many"},
                                   {"title": ""}])  # fmt: skip
def test_faults_of_statutes_are_told_and_nothing_is_proposed(coop, officer, home, wrong):  # noqa: F811
    answer = officer.fill(f"/coop/{coop}/propose/statutes/try", **(STATUTES | wrong))
    assert answer.status_code == 422 and "Please mend" in answer.text
    assert Coop.open(home).book.proposals(coop) == []
