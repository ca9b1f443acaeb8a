"""The guard over HTTP: the verdict of the command, and while an output is written, never more than it would show."""

import json

import pytest
from test_proxy import OWN, dov
from tiny_project import byline

from byline.app.home import Home
from byline.app.lookup import POLICY, policy_of
from byline.core import LookupFault
from byline.lookup import STANDARD


def ask(api, text, **more):
    answer = api.all.post("/v1/guard", json={"text": text} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_verdict_is_that_of_the_command(api, tmp_path):
    for number, text in enumerate((OWN, "As somebody wrote: " + dov(api)[:900])):
        path = tmp_path / f"{number}.txt"
        path.write_text(text, encoding="utf-8")
        by_command = json.loads(byline("guard", path, "--home", api.home.path, "--json").out)
        told = ask(api, text)
        assert told["policy"]["name"] == by_command["policy"] == "standard"
        for name in ("action", "words", "released", "reasons", "works", "opted_out", "named"):
            assert told[name] == by_command[name], name


def test_a_copy_is_blocked_with_its_span_and_share(api):
    told = ask(api, "As somebody wrote: " + dov(api)[:900])
    assert told["action"] == "block" and told["reasons"][0]["limit"] == "run_words" and told["released"] < 40
    assert told["opted_out"]["longest"]["words"] > 16 and told["opted_out"]["covered_ppm"] > 900_000
    assert [work["title"] for work in told["named"]] == ["Dov 1"] and told["scope"]["works"] >= 1
    assert ask(api, OWN)["action"] == "pass"


@pytest.mark.parametrize("step", [1, 7, 40])
def test_what_is_shown_while_it_is_written_only_grows_and_is_never_taken_back(api, step):
    text = "He began with words of his own, and then said this: " + dov(api)[:700]
    whole, shown = ask(api, text), 0
    for end in range(1, 300, step):
        told = ask(api, text[:end], whole=False)
        assert shown <= told["released"] <= min(end, whole["released"])
        shown = told["released"]
        assert told["action"] == "pass" or end > whole["released"]
    assert ask(api, text, whole=False)["released"] == whole["released"] == shown < 120


def test_the_last_word_is_not_judged_before_it_ends(api):
    words = dov(api).split()[:16]
    at = " ".join(words)
    assert ask(api, at)["action"] == "block"
    assert ask(api, at, whole=False)["action"] == "pass" and ask(api, at + " ", whole=False)["action"] == "block"


def test_the_operators_limits_hold(tmp_path):
    assert policy_of(Home(tmp_path)) == STANDARD
    lenient = STANDARD.to_json() | {"name": "lenient", "least_run": 12}
    (tmp_path / POLICY).write_text(json.dumps(lenient), encoding="utf-8")
    assert policy_of(Home(tmp_path)).name == "lenient"
    (tmp_path / POLICY).write_text("{", encoding="utf-8")
    with pytest.raises(LookupFault, match=r"guard\.json"):
        policy_of(Home(tmp_path))
