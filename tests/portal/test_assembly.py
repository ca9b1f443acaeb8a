"""A cooperative's day: members, proposals that are shown before they are made, votes of members on pages of their own,
the count and its recount, what is in force, the licence that is offered, and the yearly report."""

import json
import re
from datetime import timedelta

import pytest
from portal_project import ADA, BEN, NOW, at, signed_in, stranger
from staff import hidden, measure

from byline.app.coop import book_of
from byline.app.portal.accounts import Role

DAY = NOW.date()
OPENS, CLOSES = timedelta(days=7), timedelta(days=14)
RULE = {"title": "Less commission", "text": "Five per cent are enough.", "effective": str(DAY), "commission_1": "5",
        "reserve_1": "5", "training_1": "20", "prior_1": "equal-per-cluster", "rest_1": "commons"}  # fmt: skip
SECOND = {"name_1": "Five", "name_2": "Seven and a half", "commission_2": "7,5", "reserve_2": "5", "training_2": "20",
          "prior_2": "by-length", "rest_2": "prior"}  # fmt: skip
LICENCE = {"title": "Training for two cents", "text": "All of us together.", "permits_1": ["ai-train"],
           "payment_1": "training", "amount_1": "0.02", "currency_1": "EUR", "terms_1": "https://coop.example/terms",
           "reports_1": ["provenance"]}  # fmt: skip


@pytest.fixture
def officer(app, home):
    browser = signed_in(app, "coop@example.org", Role.COOPERATIVE)
    browser.look("/coop")
    return browser


@pytest.fixture
def coop(officer, home):
    """The id of a cooperative of Ada and Ben."""
    assert officer.fill("/coop", name="Writers <together>", pool="main").headers["location"] == "/coop"
    (record,) = book_of(home).cooperatives()
    for name in ("Ada Moore", "Ben Okoro"):
        assert joined(officer, record.id, name).status_code == 303
    return record.id


def joined(officer, coop, name, step="joined", **fields):
    told = {"member": name, "step": step, "kind": "person", "since": str(DAY), "by": "the board"} | fields
    return officer.fill(f"/coop/{coop}/members", files={"evidence": ("minutes.pdf", b"MINUTES 4711")}, **told)


def proposed(officer, coop, kind="policy", **fields):
    """The id of a proposal, made as it was shown."""
    shown = officer.fill(f"/coop/{coop}/propose/{kind}/try", **fields)
    assert shown.status_code == 200, shown.text
    form = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown.text)
    asked = {}
    for name, value in form:
        if name != "token":
            asked.setdefault(name, []).append(value)
    made = officer.fill(f"/coop/{coop}/propose/{kind}", **asked)
    assert made.status_code == 303, made.text
    return made.headers["location"].rpartition("/")[2]


def come(app):
    """Ada, Ben and the officer, signed in anew: a session ends after hours."""
    return (signed_in(app, "ada@example.org", party=ADA), signed_in(app, "ben@example.org", party=BEN),
            signed_in(app, "coop@example.org", Role.COOPERATIVE))  # fmt: skip


def voted(browser, proposal, **fields):
    answer = browser.fill(f"/votes/{proposal}", **fields)
    assert answer.status_code == 200 and "You have voted" in answer.text, answer.text
    return hidden(answer.text, f"/votes/{proposal}/receipt")["receipt"]


# --- members ----------------------------------------------------------------------------------------------------


def test_a_cooperative_is_founded_and_members_join_and_leave_on_documents(officer, coop, home, app):
    assert "Writers &lt;together&gt;" in officer.look("/coop").text
    assert officer.fill("/coop", name="Another", pool="main").status_code == 409
    page = officer.look(f"/coop/{coop}/members").text
    assert "2 members" in page and "Ada Moore" in page and "the board" in page
    assert joined(officer, coop, "Ada Moore", by="somebody else").status_code == 422  # she is a member
    assert joined(officer, coop, "Nobody Atall").status_code == 422
    assert joined(officer, coop, "Ben Okoro", "left").status_code == 303
    assert "1 member," in officer.look(f"/coop/{coop}/members").text
    kept = [path for path in home.path.rglob("*") if path.is_file() and b"MINUTES 4711" in path.read_bytes()]
    assert kept == []
    did = [line.did for line in app.state.portal.trail.lines() if line.did != "signed in"]
    assert did == ["founded a cooperative", *["recorded that a member joined"] * 2, "recorded that a member left"]


@pytest.mark.parametrize("wrong", [{"member": ""}, {"step": "flew"}, {"kind": "robot"}, {"since": "x"}, {"by": ""}])
def test_a_fault_in_a_membership_records_nothing(officer, coop, home, wrong):
    before = book_of(home).memberships(coop)
    assert joined(officer, coop, **({"name": "Ada Moore", "step": "left"} | named(wrong))).status_code == 422
    told = {"member": "Ada Moore", "step": "left", "kind": "person", "since": str(DAY), "by": "x"}
    no_file = officer.fill(f"/coop/{coop}/members", **told)
    assert no_file.status_code == 422 and book_of(home).memberships(coop) == before


def named(fields):
    return {"name" if key == "member" else key: value for key, value in fields.items()}


# --- proposing and voting ---------------------------------------------------------------------------------------


def test_what_would_change_for_whom_is_shown_before_anything_is_proposed(officer, coop, home):
    shown = officer.fill(f"/coop/{coop}/propose/policy/try", **RULE).text
    assert "Ada Moore" in shown and "as it would be" in shown and book_of(home).proposals(coop) == []
    name = proposed(officer, coop, **RULE)
    page = officer.look(f"/coop/proposals/{name}").text
    assert "Five per cent are enough." in page and "0 of 2 have voted" in page and "not open yet" in page
    assert "Ada Moore" in page and "<dd>5\u00a0%" in page
    assert officer.look("/coop/proposals/proposal:none").status_code == 404


def test_a_pay_rule_says_what_of_new_works_waits(officer, coop):
    page = officer.look(f"/coop/proposals/{proposed(officer, coop, **RULE, waits_1='attributed')}").text
    assert "what they earn by what they did for the outputs waits until somebody has looked" in page
    page = officer.look(f"/coop/proposals/{proposed(officer, coop, **RULE, waits_1='none')}").text
    assert "waits until" not in page


def test_nothing_is_proposed_that_was_not_shown(officer, coop, home):
    answer = officer.fill(f"/coop/{coop}/propose/policy", **RULE, shown="proposal:other")
    assert answer.status_code == 409 and book_of(home).proposals(coop) == []


@pytest.mark.parametrize("wrong", [{"title": ""}, {"text": ""}, {"commission_1": "x"}, {"commission_1": "101"},
                                   {"commission_1": "60", "reserve_1": "60"}, {"prior_1": "mine"}, {"waits_1": "never"},
                                   {"effective": "x"},
                                   {"opens": str(DAY)}, {"closes": "never"},
                                   {"name_1": "Five", "name_2": "Five"}])  # fmt: skip
def test_faults_of_a_proposal_are_told_at_their_fields(officer, coop, home, wrong):
    asked = RULE | SECOND | wrong if "name_2" in wrong else RULE | wrong
    answer = officer.fill(f"/coop/{coop}/propose/policy/try", **asked)
    assert answer.status_code == 422 and "Show what it would change" in answer.text
    if "title" not in wrong:
        assert 'value="Less commission"' in answer.text


def test_a_member_votes_on_a_page_and_finds_the_ballot_in_the_count(officer, coop, home, ada, ben, clock, app):
    name = proposed(officer, coop, **RULE)
    assert "you have not voted yet" not in ada.look("/votes").text
    assert ada.fill(f"/votes/{name}", answer="yes").status_code == 409  # not open yet
    with at(clock, OPENS):
        ada, ben, officer = come(app)
        lines = len(app.state.portal.trail.lines())
        assert "you have not voted yet" in ada.look("/votes").text
        page = ada.look(f"/votes/{name}").text
        assert "What it would change for you" in page and "Ada Moore" in page and "Ben Okoro" not in page
        assert ada.fill(f"/votes/{name}").status_code == 422
        first = voted(ada, name, answer="no")
        second = voted(ada, name, answer="yes")
        voted(ben, name, answer="yes")
        file = ada.fill(f"/votes/{name}/receipt", receipt=second)
        assert json.loads(file.content) == json.loads(second)
        assert ben.fill(f"/votes/{name}/receipt", receipt=second).status_code == 422  # not his
        assert "you have voted" in ada.look("/votes").text
        assert officer.fill(f"/coop/proposals/{name}/count").status_code == 409
        page = officer.look(f"/coop/proposals/{name}").text
        assert "2 of 2 have voted" in page and "first choice" not in page.lower()
        assert ada.look(f"/votes/{name}/box").status_code == 404
        assert len(app.state.portal.trail.lines()) == lines  # a line beside the ballot would say whose it is
    with at(clock, CLOSES):
        ada, ben, officer = come(app)
        assert officer.fill(f"/coop/proposals/{name}/count").status_code == 303
        page = officer.look(f"/coop/proposals/{name}").text
        assert "carried" in page and "it holds" in page and "Five per cent" in page
        found = ada.fill(f"/votes/{name}/find", files={"file": ("r.json", second.encode())}).text
        assert "Your ballot is in the count, as you cast it" in found and "Yes" in found
        old = ada.fill(f"/votes/{name}/find", files={"file": ("r.json", first.encode())}).text
        assert "supersedes this one" in old
        for bad in (b"", b"{}", b"[]", b"\xff", second.replace("yes", "no").encode()):
            answer = ada.fill(f"/votes/{name}/find", files={"file": ("r.json", bad)})
            assert answer.status_code in (200, 422) and "in the count, as" not in answer.text, bad
        assert ada.look(f"/votes/{name}/box").content == officer.look(f"/coop/proposals/{name}/box").content
        assert ada.fill(f"/votes/{name}", answer="yes").status_code == 409
        in_force = officer.look("/coop").text
        assert "None was voted for yet" in in_force  # from the day after
    with at(clock, CLOSES + timedelta(days=1)):
        officer = come(app)[2]
        assert "None was voted for yet" not in officer.look("/coop").text


def test_a_ballot_that_was_changed_is_seen_at_the_recount(officer, coop, home, app, clock):
    from byline.app.coop import Coop, box_path

    name = proposed(officer, coop, **RULE)
    with at(clock, OPENS):
        voted(come(app)[0], name, answer="yes")
    with at(clock, CLOSES):
        officer = come(app)[2]
        officer.fill(f"/coop/proposals/{name}/count")
        path = box_path(home, Coop.open(home).proposal(name))
        path.write_bytes(path.read_bytes().replace(b'"choice":["yes"]', b'"choice":["no"]'))
        page = officer.look(f"/coop/proposals/{name}").text
        assert "it does not hold" in page and "it holds" not in page


def test_several_options_are_ranked_by_plain_lists(officer, coop, home, app, clock):
    name = proposed(officer, coop, **RULE, **SECOND)
    with at(clock, OPENS):
        ada, ben, _ = come(app)
        page = ada.look(f"/votes/{name}").text
        assert "First choice" in page and page.count("<option>Seven and a half</option>") == 3
        twice = ada.fill(f"/votes/{name}", place_1="Five", place_2="Five")
        assert twice.status_code == 422 and "<option selected" in twice.text
        voted(ada, name, place_1="Seven and a half", place_2="Five")
        voted(ben, name, place_2="Seven and a half")  # a place left empty
    with at(clock, CLOSES):
        officer = come(app)[2]
        officer.fill(f"/coop/proposals/{name}/count")
        page = officer.look(f"/coop/proposals/{name}").text
        assert "Seven and a half has the majority" in page and "it holds" in page


def test_a_vote_is_of_those_on_its_roll(officer, coop, home, app, clock):
    assert joined(officer, coop, "Ben Okoro", "left").status_code == 303
    name = proposed(officer, coop, **RULE)
    with at(clock, OPENS):
        ada, ben, _ = come(app)
        for browser in (signed_in(app, "zoe@example.org"), ben):
            assert browser.look(f"/votes/{name}").status_code == 404 and name not in browser.look("/votes").text
            assert browser.fill(f"/votes/{name}", answer="yes").status_code == 404
        assert ada.look(f"/votes/{name}").status_code == 200
    assert stranger(app).look("/votes").headers["location"].startswith("/sign-in")


# --- what follows -----------------------------------------------------------------------------------------------


def test_a_licence_is_voted_for_published_and_read_by_everybody(officer, coop, home, app, clock):
    assert "No licence was voted for yet" in officer.look(f"/coop/{coop}/offer").text
    assert officer.fill(f"/coop/{coop}/offer", base="https://x.example").status_code == 409
    assert stranger(app).look("/rsl.xml").status_code == 404
    assert officer.fill(f"/coop/{coop}/propose/offer/try", **(LICENCE | {"terms_1": "x"})).status_code == 422
    name = proposed(officer, coop, "offer", **LICENCE)
    assert "works that it would cover" in officer.look(f"/coop/proposals/{name}").text
    with at(clock, OPENS):
        ada, ben, _ = come(app)
        voted(ada, name, answer="yes")
        voted(ben, name, answer="yes")
    with at(clock, CLOSES):
        officer = come(app)[2]
        officer.fill(f"/coop/proposals/{name}/count")
        page = officer.look(f"/coop/{coop}/offer").text
        assert "0.02 EUR" in page and "3 works of members" in page
        assert officer.fill(f"/coop/{coop}/offer", base="ftp://x").status_code == 422
        assert officer.fill(f"/coop/{coop}/offer", base="https://portal.example.org/works").status_code == 303
        document = stranger(app).look("/rsl.xml")
        assert document.status_code == 200 and document.content.count(b"<permits") == 3
        assert "&lt;permits" in officer.look(f"/coop/{coop}/offer").text


def test_the_yearly_report_adds_up_for_everybody_on_a_page_and_as_a_file(app, coop):
    anybody = stranger(app)
    assert f'href="/coop/{coop}/report/2026"' in anybody.look("/filings").text
    page = anybody.look(f"/coop/{coop}/report/2026").text
    assert "2 members at the end of the year" in page and "1000.00" in page and "received" in page
    assert b"# Writers <together>: transparency report 2026" in anybody.look(f"/coop/{coop}/report/2026/file").content
    for year in ("2027", "x", "-1", "99999999"):
        assert anybody.look(f"/coop/{coop}/report/{year}").status_code == 404


def test_money_is_divided_by_the_rule_that_was_voted_for(officer, coop, home, app, clock):
    from staff import work

    measure(home)
    name = proposed(officer, coop, **RULE)
    with at(clock, OPENS):
        ada, ben, _ = come(app)
        voted(ada, name, answer="yes")
        voted(ben, name, answer="yes")
    with at(clock, CLOSES):
        officer = come(app)[2]
        officer.fill(f"/coop/proposals/{name}/count")
    with at(clock, CLOSES + timedelta(days=3)):
        operator = signed_in(app, "operator@example.org", Role.OPERATOR)
        received = str(DAY + CLOSES + timedelta(days=2))
        operator.fill("/operate/income", received=received, licensee="Model Co", amount="100", currency="EUR")
        task = operator.fill("/operate/income/divide", training="main", currency="EUR", until=received).headers[
            "location"
        ]
        assert work(home) == 1
        page = operator.look(task).text
        assert "5.00 EUR commission" in page and f"policy:{coop.rpartition(':')[2][:8]}" in page
