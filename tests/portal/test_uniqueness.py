"""Uniqueness beside share on pages, where the run was divided by the redundancy game; for whose works they are."""

import json

import pytest
from portal_project import ADA, TITLES, only_work, signed_in, stranger
from staff import measure

from byline.app.home import write_json
from byline.app.portal.accounts import Role
from byline.core import cluster_id


def play(home, game):
    """What `byline attribute --game` keeps, with numbers that tell the two apart."""
    measure(home)
    path = home.path / "trainings" / "main" / "attribution.json"
    rows = [{"id": str(cluster_id(only_work(home, title))), "ppb": 120_000_000, "low_ppb": 0, "high_ppb": 250_000_000,
             "unique_ppb": 7_000_000 + n} for n, title in enumerate(TITLES)]  # fmt: skip
    told = json.loads(path.read_text()) | {"period_effects": {"game": {"game": game}}, "period_numbers": rows}
    write_json(path, told)


def pages(home):
    return f"/works/{only_work(home, TITLES[0])}", f"/contributors/{ADA}"


@pytest.mark.parametrize("game", ["linear", "redundancy"])
def test_both_numbers_are_shown_to_whose_works_they_are_where_they_differ(app, home, game, ada, ben):
    play(home, game)
    auditor = signed_in(app, "a@example.org", Role.AUDITOR)
    officer = signed_in(app, "o@example.org", Role.OFFICER)
    for path in pages(home):
        for browser, sees in ((ada, True), (auditor, True), (ben, False), (officer, False), (stranger(app), False)):
            page = browser.look(path).text
            assert ("missing without it" in page) == (sees and game == "redundancy"), (path, browser)
            assert ("0.7\u00a0%" in page and "12\u00a0%" in page) == (sees and game == "redundancy")


def test_a_new_attribution_is_read_anew(home, ada):
    play(home, "redundancy")
    path = pages(home)[0]
    assert "missing without it" in ada.look(path).text
    play(home, "linear")
    assert "missing without it" not in ada.look(path).text


def test_a_line_shows_both_numbers_with_the_evidence(app, home, ben, monkeypatch):
    from byline.app.portal import earnings

    plain = earnings.one_line

    def with_both(earned, number):
        told = plain(earned, number)
        return told | {"behind": {"outputs": [], "passages": [], "share_ppb": 120_000_000, "unique_ppb": 7_000_000}}

    page = ben.look("/statements/eur/2026-09/line/1").text
    assert "What would be missing" not in page
    monkeypatch.setattr(earnings, "one_line", with_both)
    page = ben.look("/statements/eur/2026-09/line/1").text
    assert "What would be missing without this work alone" in page and "0.7\u00a0%" in page
