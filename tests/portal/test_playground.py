"""The playground: one passage at a time, waiting without a script, and nothing of it left anywhere."""

import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal_project import signed_in, stranger

from byline.app.portal import playground
from byline.app.portal.accounts import Role
from byline.app.portal.play_price import sketch_reliability
from byline.app.portal.play_room import KEPT, MOST_WAITING, Playroom
from byline.app.portal.playground import MOST, OpenTo, open_it, read_price
from byline.core import AppError


@pytest.fixture
def browser(app):
    browser = stranger(app)
    browser.look("/play")
    return browser


@pytest.fixture
def trained(monkeypatch):
    """A training that is there, and a model that writes what a test says."""
    monkeypatch.setattr(playground, "trainings", lambda home: ["main"])

    def writes(make):
        monkeypatch.setattr(playground, "make_passage", make)

    return writes


# --- the room -----------------------------------------------------------------------------------------------------


def test_one_passage_is_made_at_a_time_and_in_order():
    room, inside, most, order = Playroom(), [0], [0], []

    def make(number):
        def made(progress):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            order.append(number)
            inside[0] -= 1
            return {"n": number}

        return made

    names = [room.ask(make(number)) for number in range(MOST_WAITING)]
    assert [room.find(name, 5)[0].told["n"] for name in names] == list(range(MOST_WAITING)) == order
    assert most == [1]


def test_whoever_comes_when_too_many_wait_is_asked_to_come_again():
    room, go = Playroom(), threading.Event()
    names = [room.ask(lambda progress: {"ok": go.wait(5)}) for _ in range(MOST_WAITING)]
    assert room.before(room.find(names[-1])[0]) == MOST_WAITING - 1
    with pytest.raises(AppError, match="others are waiting"):
        room.ask(lambda progress: {})
    go.set()
    assert room.find(names[-1], 5)[0].state == "done"
    assert room.ask(lambda progress: {})


def test_a_passage_that_takes_too_long_ends_and_the_next_one_is_made():
    now = [0.0]
    room = Playroom(clock=lambda: now[0], seconds=10)

    def slow(progress):
        now[0] += 11
        progress("asking", 1, 2)
        raise RuntimeError("was not stopped")

    asked, _ = room.find(room.ask(slow), 5)
    assert asked.state == "failed" and asked.fault.code == "took-too-long"
    assert room.find(room.ask(lambda progress: {"a": 1}), 5)[0].told == {"a": 1}


def test_a_fault_of_ours_ends_the_passage_and_not_the_room():
    room = Playroom()
    asked, _ = room.find(room.ask(lambda progress: 1 / 0), 5)
    assert asked.state == "failed" and asked.fault is None
    assert room.find(room.ask(lambda progress: {"a": 1}), 5)[0].state == "done"


def test_passages_are_forgotten_after_an_hour_and_when_there_are_many():
    now = [0.0]
    room = Playroom(clock=lambda: now[0])
    first = room.ask(lambda progress: {})
    room.find(first, 5)
    now[0] = 3_601
    with pytest.raises(AppError):
        room.find(first)
    names = []
    for _ in range(KEPT + 3):
        names.append(room.ask(lambda progress: {}))
        room.find(names[-1], 5)
    with pytest.raises(AppError):
        room.find(names[0])
    assert room.find(names[-1])[0].state == "done"


# --- the pages ----------------------------------------------------------------------------------------------------


def test_without_a_training_the_page_says_so_and_nothing_is_asked(browser):
    assert "No model was trained here yet" in browser.look("/play").text
    assert browser.fill("/play", prompt="It is").status_code == 404


def test_a_page_waits_for_the_passage_without_a_script(browser, trained):
    go = threading.Event()

    def make(portal, name, prompt, nano, currency, progress):
        progress("writing", 0, 1)
        go.wait(5)
        return BLOCKED | {"prompt": prompt}

    trained(make)
    address = browser.fill("/play", prompt="It is <b>").headers["location"]
    waiting = browser.look(address).text
    assert f'content="0; url={address}?then=on"' in waiting and "<script" not in waiting
    threading.Timer(0.1, go.set).start()
    done = browser.look(f"{address}?then=on").text
    assert "held back" in done and "It is &lt;b&gt;" in done and 'http-equiv="refresh"' not in done


BLOCKED = {
    "training": "main",
    "method": "m",
    "blocked": True,
    "guard": {"action": "block", "reasons": [{"limit": "run_words", "measured": 17, "action": "block"}]},
}


def test_what_the_guard_blocks_is_shown_to_nobody(browser, trained):
    trained(lambda *asked: BLOCKED | {"prompt": "It is"})
    page = browser.look(browser.fill("/play", prompt="It is").headers["location"] + "?then=on").text
    assert "17 words in a row" in page and "nobody is paid" in page and "If it were sold" not in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"prompt": ""}, 422),
        ({"prompt": "x" * (MOST + 1)}, 422),
        ({"prompt": "It is", "price": "-1"}, 422),
        ({"prompt": "It is", "price": "nan"}, 422),
        ({"prompt": "It is", "price": "1e30"}, 422),
        ({"prompt": "It is", "training": "../main"}, 404),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_made(browser, trained, fields, status):
    def make(*asked):
        raise AssertionError("made")

    trained(make)
    assert browser.fill("/play", **fields).status_code == status


def test_a_fault_is_told_in_plain_words(browser, trained):
    def make(*asked):
        raise AppError("took-too-long", "the passage took longer than 120 seconds", "ask again")

    trained(make)
    answer = browser.look(browser.fill("/play", prompt="It is").headers["location"] + "?then=on")
    assert answer.status_code == 503 and "took longer than 120 seconds" in answer.text


def test_the_operator_opens_and_closes_it(app, browser, home, trained):
    trained(lambda *asked: BLOCKED | {"prompt": "It is"})
    operator = signed_in(app, "operator@example.org", Role.OPERATOR)
    assert operator.fill("/operate/playground", open_to="nobody").status_code == 303
    assert browser.look("/play").status_code == 403 and "Closed for now" in browser.look("/play").text
    assert browser.fill("/play", prompt="It is").status_code == 403
    operator.fill("/operate/playground", open_to="signed-in")
    assert browser.look("/play").headers["location"].startswith("/sign-in")
    assert operator.look("/play").status_code == 200
    assert operator.fill("/operate/playground", open_to="x").status_code == 422
    assert [line.did for line in app.state.portal.trail.lines()][-1] == "opened the playground to signed-in"


def test_a_damaged_switch_opens_nothing(home):
    open_it(home, OpenTo.EVERYBODY)
    (home.path / "playground.json").write_text('{"open_to": "x"}')
    assert playground.open_to(home) is OpenTo.NOBODY


def test_nothing_of_a_passage_is_kept(browser, trained, home):
    trained(lambda *asked: BLOCKED | {"prompt": asked[2]})
    address = browser.fill("/play", prompt="My secret gardener").headers["location"]
    assert "gardener" in browser.look(f"{address}?then=on").text
    assert [p for p in home.path.rglob("*") if p.is_file() and b"gardener" in p.read_bytes()] == []


def test_the_portal_starts_without_torch():
    code = "import sys, byline.app.portal; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


# --- prices -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**15))
def test_a_price_is_read_to_the_last_nano_unit(nano):
    major, rest = divmod(nano, 10**9)
    assert read_price(f"{major},{rest:09d}") == nano == read_price(playground._plain(nano))


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_the_sketches_are_trusted_as_far_as_they_agreed_and_never_below_nought(low, of, high):
    told = {"methods": [{"method": "s", "spearman": of, "low": min(low, of), "high": max(high, of)}],
            "reliability": {"run": "run:1", "method": "paid", "lambda_ppm": 900_000, "low_ppm": 800_000,
                            "high_ppm": 950_000, "pairs": 3, "evidence": "ab"}}  # fmt: skip
    found = sketch_reliability(told, "s")
    assert 0 <= found.low_ppm <= found.lambda_ppm <= found.high_ppm <= 1_000_000
    assert found.lambda_ppm == max(0, round(of * 1_000_000)) and found.method == "s"
    assert sketch_reliability(told, "other") is None
