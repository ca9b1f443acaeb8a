"""Works that are held until a person has looked: released, or kept held, with name and reason; and lists by page."""

import media_files
import pytest
from portal_project import ADA, BEN, DAY, TITLES, only_work, signed_in
from tiny_project import byline, write_csv

from byline.app.home import check, looked_at, register
from byline.app.portal.accounts import Role
from byline.core import Decision, Verdict
from byline.gate import Disorder
from byline.registry import Looked


@pytest.fixture
def officer(app):
    return signed_in(app, "officer@example.org", Role.OFFICER)


@pytest.fixture
def river(home, monkeypatch):
    """The gate finds the river book in no order; its id."""
    work = only_work(home, TITLES[0])
    monkeypatch.setattr("byline.app.home.find_disorder", lambda *_: (Disorder(work, 10_000),))
    check(home, DAY)
    assert home.registry.decision(work).rule == "no-order"
    return work


def verdict(home, work):
    return home.registry.decision(work).verdict


def test_a_held_work_is_read_beside_another_and_released_with_name_and_reason(officer, home, app, river):
    assert "1 held until somebody has looked" in officer.look("/office").text
    assert "River book" in officer.look("/office/held").text
    page = officer.look(f"/office/held/{river}").text
    assert "hardly more often than shuffled" in page and "To compare with, and not held" in page
    assert home.registry.text(river)[:80] in page
    ways = {"decide": "released", "because": "A list of boats", "by": "Olga Officer"}
    for missing in ways:
        assert officer.fill(f"/office/held/{river}", **{**ways, missing: ""}).status_code == 422, missing
        assert verdict(home, river) is Verdict.REFUSE
    assert officer.fill(f"/office/held/{river}", **{**ways, "decide": "sold"}).status_code == 422
    assert officer.fill(f"/office/held/{river}", **ways).status_code == 303
    assert verdict(home, river) is Verdict.ADMIT
    check(home, DAY)  # the finding stands, and is not asked again
    assert verdict(home, river) is Verdict.ADMIT
    (kept,) = home.registry.verdicts.reviews(river)
    assert (kept.by, kept.because, kept.looked, kept.rule) == (
        "Olga Officer",
        "A list of boats",
        "released",
        "no-order",
    )
    assert app.state.portal.trail.lines()[-1].did == "released a held work"
    page = officer.look("/office/held").text
    assert "0 works wait" in page and "Olga Officer: A list of boats" in page
    public = officer.look(f"/works/{river}").text
    assert "Olga" not in public and "boats" not in public and "It may be used for training here" in public


def test_what_is_kept_held_stays_so_when_nothing_is_found_any_more(officer, home, river, monkeypatch):
    asked = {"decide": "kept", "because": "Made by a machine", "by": "Olga"}
    assert officer.fill(f"/office/held/{river}", **asked).status_code == 303
    assert "1 work was looked at and stays held" in officer.look("/office/held?kept=yes").text
    assert "0 works wait" in officer.look("/office/held").text
    monkeypatch.setattr("byline.app.home.find_disorder", lambda *_: ())
    check(home, DAY)
    assert home.registry.decision(river).because == "A person has looked at it and keeps it held."
    assert officer.fill(f"/office/held/{river}", decide="released", because="I was wrong").status_code == 303
    check(home, DAY)
    assert verdict(home, river) is Verdict.ADMIT
    assert [each.looked for each in home.registry.verdicts.reviews(river)] == [Looked.KEPT, Looked.RELEASED]


def test_releasing_lifts_no_other_refusal(officer, home, river, ada):
    officer.fill(f"/office/held/{river}", decide="released", because="fine", by="Olga")
    ada.fill("/no", of=TITLES[0], by="Ada Moore")
    check(home, DAY.replace(year=2027))
    assert home.registry.decision(river).rule == "opt-out"
    assert officer.fill(f"/office/held/{river}", decide="kept", because="no").status_code == 303
    assert home.registry.decision(river).rule == "opt-out"


def test_nobody_decides_on_a_work_of_their_own(app, river, home):
    both = signed_in(app, "both@example.org", Role.OFFICER, party=ADA)
    assert "somebody else decides" in both.look(f"/office/held/{river}").text
    answer = both.fill(f"/office/held/{river}", decide="released", because="mine", by="Ada")
    assert answer.status_code == 409 and verdict(home, river) is Verdict.REFUSE


def test_a_work_that_is_not_held_may_be_looked_at_and_not_be_kept_held(officer, home, river):
    other = only_work(home, TITLES[2])
    assert officer.look(f"/office/held?title={TITLES[2]}").headers["location"] == f"/office/held/{other}"
    assert "No work is called" in officer.look("/office/held?title=None").text
    before = home.registry.decision(other)
    assert 'value="kept"' not in officer.look(f"/office/held/{other}").text
    assert officer.fill(f"/office/held/{other}", decide="kept", because="x", by="Olga").status_code == 422
    assert officer.fill(f"/office/held/{other}", decide="released", because="Read it", by="Olga").status_code == 303
    assert other in looked_at(home) and home.registry.decision(other) == before
    assert "looked at" in officer.look("/office/held").text
    assert officer.fill(f"/office/held/{other}", decide="kept", because="x", by="Olga").status_code == 422


def test_any_text_may_be_put_beside(officer, home, river):
    assert officer.look("/office/held/work:none").status_code == 404
    page = officer.look(f"/office/held/{river}?beside={TITLES[2]}").text
    assert home.registry.text(only_work(home, TITLES[2]))[:60] in page
    page = officer.look(f"/office/held/{river}?beside=Nothing of the kind").text
    assert "Another one stands here instead" in page
    assert "has ended before this part" in officer.look(f"/office/held/{river}?part=99").text


def test_a_picture_has_no_text_to_read(officer, home, tmp_path):
    works = write_csv(tmp_path / "works.csv", media_files.HEAD, *media_files.rows(tmp_path))
    assert register(home, works, None, None, DAY)[1] == []
    work = only_work(home, "Harbour")
    home.registry.save_decisions([Decision(work, Verdict.ADMIT, "admitted", "It may be used.", ())], DAY)
    page = officer.look(f"/office/held/{work}")
    assert page.status_code == 200 and "There is no text to read" in page.text


def test_lists_of_refused_and_undecided_works_go_by_page(officer, home, river, monkeypatch):
    monkeypatch.setattr("byline.app.portal.holding.EACH", 1)
    officer_works = "/office/works?rule=no-order"
    assert "River book" in officer.look(officer_works).text
    assert officer.look(f"{officer_works}&page=2").status_code == 404
    assert "0 works" in officer.look("/office/works?rule=undecided").text
    others = [only_work(home, title) for title in TITLES[1:]]
    refused = [Decision(work, Verdict.REFUSE, "near-copy", "A copy.", ()) for work in others]
    home.registry.save_decisions(refused, DAY)
    first = officer.look("/office/works?rule=near-copy").text
    assert "Page 1 of 2" in first and "The next page" in first
    assert "Page 2 of 2" in officer.look("/office/works?rule=near-copy&page=2").text
    assert "2 refused: other people registered the text before" in officer.look("/office").text


def test_the_command_does_the_same(home, river):
    listed = byline("review", "--home", home.path, "--json").last
    assert [each["title"] for each in listed["waiting"]] == ["River book"] and listed["kept"] == []
    assert byline("review", "River book", "--home", home.path, "--json").last["held"]
    none = byline("review", "A quiet book", "--keep", "--because", "x", "--by", "y", "--home", home.path)
    assert none.code == 1 and "not-held" in none.err
    nobody = byline("review", river, "--release", "--because", "x", "--home", home.path)
    assert nobody.code == 1 and "no-decider" in nobody.err and verdict(home, river) is Verdict.REFUSE
    both = byline("review", river, "--release", "--keep", "--home", home.path)
    assert both.code == 1 and "bad-choice" in both.err
    size = len(home.log.leaves())
    done = byline("review", river, "--release", "--because", "seen", "--by", "Olga", "--home", home.path)
    assert "released by Olga" in done.out and verdict(home, river) is Verdict.ADMIT
    assert len(home.log.leaves()) == size + 1


def test_two_reviews_of_the_same_words_have_other_digests(home, river):
    from byline.app.notices import moment
    from byline.app.reviews import review

    made = [review(home, river, Looked.KEPT, "the same", "Olga", moment().replace(second=0)) for _ in range(2)]
    assert made[0].digest() != made[1].digest()  # salted, so that the log says nothing of who it was


# --- licences -----------------------------------------------------------------------------------------------------

GRANT = {"reach": "work", "name": TITLES[1], "grantor": "Ben Okoro", "grantee": "Model Co", "uses": ["train.gen"],
         "effective": "2026-01-01", "amount": "1250,50", "currency": "eur", "territory": "EU, UK",
         "contract": "no 7"}  # fmt: skip


def grants(home):
    from byline.registry import Grant

    return home.registry.evidence.in_force(Grant, DAY)


def test_a_licence_is_recorded_and_lifts_a_no_for_want_of_one(officer, home, app, ben):
    work = only_work(home, TITLES[1])
    ben.look(f"/me/works/{work}")
    assert ben.fill(f"/me/works/{work}", **{"train.gen": "licence"}, by="Ben").status_code == 303
    later = DAY.replace(year=2027)
    assert work in home.blocks(later)
    assert officer.fill("/office/grants", **GRANT).headers["location"] == "/office/grants?added=1"
    (grant,) = grants(home)
    assert (grant.about, grant.grantor, grant.amount_nano, grant.currency) == (work, BEN, "1250500000000", "EUR")
    assert grant.territory == ("EU", "UK") and grant.revocable
    assert work not in home.blocks(later) and app.state.portal.trail.lines()[-1].did == "recorded a licence"
    page = officer.look("/office/grants").text
    assert "by Ben Okoro to Model Co" in page and "stands" in page
    record = page.partition('name="record" value="')[2].partition('"')[0]
    ended = {"record": record, "why": "revoked", "ended": "2026-06-01", "by": "Olga"}
    assert officer.fill("/office/grants/end", **{**ended, "why": "bored"}).status_code == 422
    assert officer.fill("/office/grants/end", **ended).status_code == 303
    assert grants(home) == () and work in home.blocks(later)
    assert "ended 1 June 2026: Olga" in officer.look("/office/grants").text
    other = ended | {"ended": "2026-07-01"}
    assert officer.fill("/office/grants/end", **other).status_code == 422  # ended once


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"name": "No such book"}, "is not registered"), ({"grantor": "Nobody"}, "is not registered"),
     ({"uses": []}, "no use was chosen"), ({"until": "2025-01-01"}, "lies before"), ({"amount": "-1"}, "amount is"),
     ({"reach": "moon"}, "nothing was chosen"), ({"effective": "soon"}, "is no day"), ({"grantee": ""}, "may use"),
     ({"reach": "domain", "name": "not a domain"}, "nothing that a record"), ({"currency": "Euros!"}, "characters"),
     ({"reach": "party", "name": "Nobody"}, "is not registered")],
)  # fmt: skip
def test_a_licence_with_a_fault_is_not_recorded_and_the_form_comes_back(officer, home, wrong, says):
    answer = officer.fill("/office/grants", **(GRANT | wrong))
    assert answer.status_code == 422 and says in answer.text.lower()
    assert "byline import" not in answer.text and grants(home) == ()


@pytest.mark.parametrize("reach", [{"reach": "all", "name": ""}, {"reach": "party", "name": "Ben Okoro"},
                                   {"reach": "domain", "name": "books.example.org"},
                                   {"reach": "account", "name": "works.csv"}])  # fmt: skip
def test_a_licence_can_reach_many_works(officer, home, reach):
    if reach["reach"] == "account":
        reach["name"] = next(iter(home.registry.accounts().values()))
    assert officer.fill("/office/grants", **(GRANT | reach)).status_code == 303
    assert len(grants(home)) == 1
    assert officer.look("/office/grants").status_code == 200


def test_a_table_of_licences_is_taken_whole_or_not_at_all(officer, home, app):
    head = "about,grantor,grantee,uses,territory,effective\n"
    good = f"{TITLES[2]},Ben Okoro,Model Co,train.gen,WORLD,2026-01-01\n"
    bad = "Nothing,Nobody,Model Co,sing,WORLD,someday\n"
    answer = officer.fill("/office/grants/table", pasted=head + good + bad)
    assert answer.status_code == 422 and answer.text.lower().count("line 3:") >= 3 and grants(home) == ()
    assert officer.fill("/office/grants/table", pasted="").status_code == 422
    answer = officer.fill("/office/grants/table", files={"table": ("t.csv", (head + good).encode())})
    assert answer.headers["location"] == "/office/grants?added=1" and len(grants(home)) == 1
    assert officer.fill("/office/grants/table", pasted=head + good).headers["location"].endswith("added=0")
    assert app.state.portal.trail.lines()[-1].did == "recorded 0 licences from a table"
