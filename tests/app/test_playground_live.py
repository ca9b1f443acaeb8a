"""The playground with a model that really writes: what the page shows adds up, and nothing is booked or kept."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "portal"))
from portal_project import stranger

from byline.app.home import Home
from byline.app.portal import create_app, play_made
from byline.app.portal.play_made import make_passage, trainings
from byline.core import AppError
from byline.lookup import Action

BEGIN = "the river <b>"


@pytest.fixture
def app(project, tmp_path):
    return create_app(Home.open(project.copy(tmp_path).home), clock=lambda: datetime.now(UTC).replace(microsecond=0))


def made(app, nano=10 * 10**9):
    return make_passage(app.state.portal, "main", BEGIN, nano, "EUR", lambda what, done, of: None)


def test_a_visitor_sees_who_taught_the_model_these_words(app):
    home, browser = app.state.portal.home, stranger(app)
    before = home.journal.head()
    browser.look("/play")
    address = browser.fill("/play", prompt=BEGIN, price="7.50").headers["location"]
    page = browser.look(address + "?then=on").text
    assert (
        "Whose writing it drew on" in page
        and "an estimate, not a fact" in page
        and "If it were sold for 7.50 EUR" in page
    )
    assert "<b>" not in page.replace("<b>Shares", "").replace("<b>The works", "").replace("<b>Where", "")
    assert re.search(r"Ada Moore|Ben Okoro|Cleo Marsh", page) and "What the guard says" in page
    assert " style=" not in page and "<script" not in page and str(home.path) not in page
    assert home.journal.head() == before


def test_colours_cover_the_passage_and_shares_all_of_it(app):
    shown = made(app)["picture"]["passage"]
    assert "".join(each["text"] for each in shown["segments"]) == shown["text"]
    assert 0 <= shown["unattributed"] <= 1
    assert sum(each["share"] for each in shown["contributors"]) + shown["unattributed"] <= 1 + 1e-6
    assert all(each["low"] <= each["share"] <= each["high"] for each in shown["contributors"])


@pytest.mark.parametrize("nano", [1, 10**9 + 7, 10**15])
def test_not_a_nano_unit_of_the_price_is_lost(app, nano):
    price = made(app, nano)["price"]
    assert sum(price["steps"].values()) == nano
    paid = sum(each["nano"] for each in price["payees"]) + price["others"]["nano"] + price["waiting"]
    kept = sum(price["steps"][name] for name in ("commission", "reserve", "commons"))
    assert paid + kept == nano
    assert "Dov Lind" not in [each["name"] for each in price["payees"]]  # who said no


def test_the_same_beginning_gives_the_same_passage(app):
    assert made(app)["picture"]["text"] == made(app)["picture"]["text"]


def test_nothing_of_a_passage_that_is_blocked_leaves_the_room(app, monkeypatch):
    class Blocks:
        def __init__(self, library):
            self.guard = play_made_guard(library)

        def check(self, text):
            from dataclasses import replace

            return replace(self.guard.check(text), action=Action.BLOCK)

    play_made_guard = play_made.guard_of
    text = made(app)["picture"]["passage"]["text"]
    monkeypatch.setattr(play_made, "guard_of", Blocks)
    told = made(app)
    assert told["blocked"] and set(told) == {"training", "method", "prompt", "guard", "blocked"}
    assert text.strip()[:30] not in str(told)


def test_without_a_measurement_no_price_is_stated(app):
    (app.state.portal.home.training("main") / "evaluation.json").unlink()
    told = made(app)
    assert told["price"] is None and told["agreement"] is None


def test_only_finished_trainings_write(app):
    home = app.state.portal.home
    assert trainings(home) == ["main"]
    with pytest.raises(AppError):
        make_passage(app.state.portal, "other", BEGIN, 1, "EUR", lambda what, done, of: None)
    (home.training("main") / "training.json").unlink()
    assert trainings(home) == []
