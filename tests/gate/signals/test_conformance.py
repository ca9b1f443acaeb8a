"""Byline reads every fixture as its section asks; and the run can tell a wrong reading from a right one."""

import dataclasses
import json
from collections import Counter

import pytest

from byline.gate.signals import Category, Reading
from byline.gate.signals.conformance import fixtures, run
from byline.gate.signals.conformance.rivals import ask_robotparser, diligence
from byline.gate.signals.conformance.run import _wanted, read_fixture

ALL = {fixture.id: fixture for fixture in fixtures()}


@pytest.mark.parametrize("name", ALL)
def test_fixture(name):
    assert read_fixture(ALL[name]) == _wanted(ALL[name])


def test_the_corpus_is_large_and_says_where_each_rule_stands():
    assert len(fixtures()) >= 150 and len(ALL) == len(fixtures())
    assert all(fixture.section and fixture.rule and fixture.parts for fixture in fixtures())
    subjects = Counter(name.partition("/")[0] for name in ALL)
    assert {"robots-access", "aipref-header", "tdmrep", "noai", "ai.txt", "rsl", "plus", "cawg", "tdm-ai"} <= set(
        subjects
    )


def test_the_corpus_asks_for_every_reading_of_every_category():
    asked = {(category, reading) for fixture in fixtures() for category, reading in fixture.expect.items()}
    assert asked == {(category, reading) for category in Category for reading in Reading}


def test_what_could_not_be_read_is_never_allowed():
    assert sum(bool(fixture.problems) for fixture in fixtures()) >= 20
    for fixture in fixtures():
        if fixture.problems:
            assert Reading.ALLOW not in fixture.expect.values(), fixture.id


def test_a_wrong_expectation_is_counted_as_wrong():
    fixture = ALL["aipref-header/train-no"]
    turned = dataclasses.replace(fixture, expect=fixture.expect | {Category.TRAIN_GEN: Reading.ALLOW})
    scores = run([fixture, turned])
    assert scores.correct()["byline"] == 1 and scores.to_json()["wrong"] == [fixture.id]


def test_the_answer_for_machines():
    chosen = [ALL["robots-access/longest-match"], ALL["noai/header-capitals"], ALL["tdm-ai/all-no"]]
    told = run(chosen).to_json(detail=True)
    assert json.loads(json.dumps(told)) == told
    assert told["fixtures"] == 3 and told["correct"]["byline"] == 3 and told["correct"]["robotparser"] == 0
    assert [each["answers"]["robotparser"] for each in told["outcomes"]] == [True, None, None]


def test_robotparser_is_really_run_with_our_list_of_agents():
    assert ask_robotparser(ALL["robots-inference/gptbot"]) is False
    assert ask_robotparser(ALL["robots-inference/search-only"]) is True
    assert ask_robotparser(ALL["robots-access/longest-match"]) is True  # the first match wins there: a wrong answer


def test_datadiligence_is_really_run_or_said_to_be_absent():
    ask, version = diligence()
    if ask is None:
        assert version.startswith("not installed") and run([ALL["noai/header"]]).correct()["datadiligence"] is None
    else:
        assert ask(ALL["noai/header"]) is False and ask(ALL["noai/header-capitals"]) is True
        assert ask(ALL["cawg/png-earlier"]) is False and ask(ALL["cawg/png-no"]) is True


def test_without_datadiligence_its_number_is_null(monkeypatch):
    monkeypatch.setattr("byline.gate.signals.conformance.rivals.DILIGENCE", "no-such-package")
    scores = run([ALL["noai/header"]])
    assert scores.correct() == {"byline": 1, "robotparser": 0, "datadiligence": None}
    assert "not installed" in scores.versions["datadiligence"]
