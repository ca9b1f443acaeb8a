"""No, only by licence, yes: use by use, for one work and for all; what it does to the gate; forms that come back."""

import re
from datetime import date

import pytest
from portal_project import ADA, BEN, TITLES, only_work, signed_in

from byline.registry import USES, Ending, Grant, Level, Use, Why


def choose(browser, path, **stances):
    fields = {use.value: stances.pop(use.name, "unsaid") for use in USES}
    return browser.fill(path, **fields, **stances)


def saved(answer, path):
    assert answer.status_code == 303, answer.text
    return answer.headers["location"] == f"{path}?saved=yes"


@pytest.fixture
def page(home):
    return f"/me/works/{only_work(home, TITLES[0])}"


def ticked(text):
    return set(re.findall(r'<input type="radio"[^>]*value="(\w+)"[^>]* checked', text))


def test_nothing_said_is_shown_as_nothing_said(ada, page):
    assert ticked(ada.look(page).text) == {"unsaid"}
    assert "nothing said" in ada.look("/me/works").text and "Night" not in ada.look("/me/works").text


def test_a_no_holds_at_once_and_is_changed_without_a_gap(ada, page, home, clock):
    work, day = only_work(home, TITLES[0]), clock().date()
    assert saved(choose(ada, page, TRAIN_GEN="no", SEARCH="yes", by="Ada Moore"), page)
    assert work in home.blocks(day) and ticked(ada.look(page).text) == {"no", "yes", "unsaid"}
    assert "no to training models that write" in ada.look("/me/works").text
    assert saved(choose(ada, page, TRAIN_GEN="yes", SEARCH="yes"), page)
    assert work not in home.blocks(day)
    kinds = sorted((each.notice.kind.value, each.state(day)) for each in home.notices.all())
    assert kinds == [("claim", "received"), ("claim", "withdrawn"), ("opt-out", "withdrawn")]


def test_saying_the_same_again_records_nothing(ada, page, home):
    choose(ada, page, TRAIN_GEN="no", by="Ada Moore")
    before = len(home.log.entries())
    assert choose(ada, page, TRAIN_GEN="no").status_code == 303
    assert len(home.log.entries()) == before


def test_what_a_form_leaves_out_stays_as_it_was(ada, page, home, clock):
    choose(ada, page, TRAIN_GEN="no", by="Ada Moore")
    assert ada.fill(page).status_code == 303
    assert only_work(home, TITLES[0]) in home.blocks(clock().date())


def test_only_by_licence_is_a_no_until_a_licence_is_on_record_and_again_when_it_ends(ada, page, home, clock):
    work, day = only_work(home, TITLES[0]), clock().date()
    choose(ada, page, TRAIN_GEN="licence", by="Ada Moore")
    assert work in home.blocks(day) and "None is on record for this work" in ada.look(page).text
    grant = Grant(work, ADA, "the operator", (Use.SEARCH,), ("WORLD",), date(2026, 1, 1))
    home.registry.evidence.add([grant], day)
    assert work in home.blocks(day)  # it is for another use
    wide = Grant(work, ADA, "the operator", (Use.TRAIN_GEN,), ("WORLD",), date(2026, 1, 1))
    home.registry.evidence.add([wide], day)
    assert work not in home.blocks(day) and "One is on record" in ada.look(page).text
    home.registry.evidence.add([Ending(wide.id, Why.REVOKED, day)], day)
    assert work in home.blocks(day)


def test_for_all_works_at_once(ben, home, clock):
    assert saved(choose(ben, "/me/works/all", TDM="no", by="Ben Okoro"), "/me/works/all")
    assert {only_work(home, title) for title in TITLES[1:]} <= set(home.blocks(clock().date()))
    assert "Of all your works you have said: no" in ben.look(f"/me/works/{only_work(home, TITLES[1])}").text


def test_nobody_chooses_for_works_that_are_not_theirs(ben, app, page):
    assert ben.look(page).status_code == choose(ben, page, TRAIN_GEN="yes", by="Ben").status_code == 404
    eve = signed_in(app, "eve@example.org")
    assert eve.look("/me/works/all").status_code == 404


def test_a_work_that_was_claimed_stands_on_the_list_and_counts_for_nothing_yet(app, home, page):
    eve = signed_in(app, "eve@example.org")
    eve.fill("/claim", of=TITLES[0], by="Eve")
    assert "River book" in eve.look("/me/works").text and eve.look(page).status_code == 200
    assert [each.level() for each in home.notices.all()] == [Level.NONE]


def test_what_is_no_choice_comes_back_with_what_was_chosen(ada, page, home):
    before = len(home.notices.all())
    answer = choose(ada, page, TDM="maybe", TRAIN_GEN="no", by="")
    assert answer.status_code == 422 and "none of the choices" in answer.text
    assert ticked(answer.text) == {"no", "unsaid"} and 'id="by-fault"' in answer.text
    assert len(home.notices.all()) == before


def test_no_and_yes_are_one_field_of_the_same_form(ada, page):
    text = ada.look(page).text
    for value in ("no", "licence", "yes"):
        assert text.count(f'value="{value}"') == len(USES)
    assert BEN not in text
