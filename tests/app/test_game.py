"""The choice of a game: hashed, shown, and what a policy has to agree on before money follows it."""

import csv
import json
from datetime import date, timedelta

import pytest

from byline.app.game import PERIOD, Choice, How
from byline.app.period import choice_of, period_table
from byline.core import PPB, AppError, ShareTable

ASK = ("attribute", "--prompt", "the river", "--prompt", "bread", "--prompt", "the star")


@pytest.fixture(scope="module")
def redundant(project, tmp_path_factory):
    """A copy of the project whose period was divided by the redundancy game, with two streams of batches."""
    copy = project.copy(tmp_path_factory.mktemp("redundant"))
    ran = copy(*ASK, "--game", "redundancy", "--streams", 2, "--json")
    assert ran.code == 0, ran.err
    return copy, ran.last


def test_a_choice_round_trips_and_every_choice_has_its_own_digest_and_subject():
    choices = [Choice(), Choice.of("redundancy"), Choice.of("linear", "ab" * 32), Choice.of("redundancy", "ab" * 32)]
    choices += [Choice.of("linear", "ab" * 32, words=True)]
    assert all(Choice.from_json(json.loads(json.dumps(c.to_json()))) == c for c in choices)
    assert len({c.digest() for c in choices}) == 5 == len({c.subject for c in choices})
    assert Choice().subject == PERIOD  # attributions that were kept before there was a choice
    assert choice_of({}) == Choice()
    assert "words" not in Choice.of("redundancy").to_json()  # digests from before there was that field stay


@pytest.mark.parametrize("body", [lambda: How(streams=1), lambda: How(streams=-2), lambda: How("shapley").choice()])
def test_a_game_that_is_none_and_one_stream_are_refused(body):
    with pytest.raises(AppError) as fault:
        body()
    assert fault.value.code in ("bad-streams", "unknown-game")


def test_share_and_uniqueness_stand_side_by_side(redundant):
    _, told = redundant
    effects, rows = told["period_effects"], {row["id"]: row for row in told["period_numbers"]}
    table = ShareTable.from_json(told["period"])
    assert {line.id: line.ppb for line in table.lines} == {name: row["ppb"] for name, row in rows.items()}
    whole = sum(max(value, 0) for value in effects["sums"])
    for name, unique, floor in zip(effects["clusters"], effects["unique"], effects["floors"], strict=True):
        if name in rows:
            clear = max(unique - effects["threshold"] * floor, 0)
            want = PPB * (1 - effects["outside"]) * clear / whole if whole > 0 else 0
            assert rows[name]["unique_ppb"] == pytest.approx(want, abs=1)
    assert effects["game"]["game"] == "redundancy" and effects["unique"] != effects["sums"] != effects["linear"]
    assert effects["game_sha256"] == Choice.of("redundancy").digest()
    assert table.subject == Choice.of("redundancy").subject != PERIOD
    assert sum(line.ppb for line in table.lines) + table.unattributed_ppb == PPB


def test_in_the_linear_game_both_numbers_are_one(project):
    told = json.loads((project.home / "trainings" / "main" / "attribution.json").read_text())
    effects = told["period_effects"]
    assert effects["sums"] == effects["unique"] == effects["linear"] and effects["stretch"] == 1.0
    assert all(row["unique_ppb"] == pytest.approx(row["ppb"], abs=2) for row in told["period_numbers"])
    assert told["period"]["subject"] == PERIOD


def test_errors_by_source_and_what_nobody_measured_is_unknown_not_zero(redundant, project):
    _, told = redundant
    parts = told["period_errors"]
    assert parts["seed"] is None and 0 < parts["streams"] < 1
    assert parts["examples"] + parts["streams"] == pytest.approx(1)
    assert all(row["seed_ppb"] is None and row["streams_ppb"] is not None for row in told["period_numbers"])
    assert "batches" in told["period_intervals"]
    plain = json.loads((project.home / "trainings" / "main" / "attribution.json").read_text())
    assert plain["period_errors"] == {"examples": 1.0, "streams": None, "seed": None}
    assert all(row["streams_ppb"] is None for row in plain["period_numbers"])


def test_more_sources_widen_the_intervals_and_move_no_share(redundant):
    effects = redundant[1]["period_effects"] | {"threshold": 0.0, "outside": 0.2}
    tables = [
        period_table(effects | {"streams": None}, None),
        period_table(effects, None),
        period_table(effects, {"rho": 0.3}),
    ]
    assert tables[0].ppb() == tables[1].ppb() == tables[2].ppb()
    widths = [sum(line.high_ppb - line.low_ppb for line in table.lines) for table in tables]
    assert widths == sorted(widths) and widths[0] < widths[2]


def test_money_follows_the_game_that_the_policy_agrees_on_and_no_other(redundant):
    copy, told = redundant
    evaluated = copy.home / "trainings" / "main" / "evaluation.json"
    assert evaluated.is_file()
    events = copy.home.parent / "new-events.csv"
    day = (date.today() + timedelta(days=3)).isoformat()
    with events.open("w", newline="") as file:
        csv.writer(file).writerows([("received", "licensee", "amount", "currency"), (day, "Other", "100.00", "EUR")])
    refused = copy("settle", events)
    assert refused.code == 1 and "[other-game]" in refused.err and "--game linear" in refused.err
    policy = {
        "id": "policy:redundancy", "version": 1, "effective": "2026-01-01", "commission_ppm": 100000,
        "reserve_ppm": 0, "train_share_ppm": 0, "prior": "equal-per-cluster", "unattributed": "commons",
        "game": "redundancy",
    }  # fmt: skip
    (copy.home.parent / "policy.json").write_text(json.dumps(policy))
    ran = copy("settle", events, "--policy", copy.home.parent / "policy.json", "--json")
    assert ran.code == 0, ran.err
    statement = json.loads(next((copy.home / "statements").glob(f"{ran.last['settlement'][11:]}/*.json")).read_text())
    assert told["period"]["subject"] in json.dumps(statement, ensure_ascii=False)
    (copy.home.parent / "policy.json").write_text(json.dumps(policy | {"blended": True}))
    assert "--blend" in copy("settle", events, "--policy", copy.home.parent / "policy.json").err


def test_the_table_for_people_has_both_numbers_and_says_what_is_unknown(project, tmp_path):
    ran = project.copy(tmp_path)("attribute", "--prompt", "the river")
    assert ran.code == 0, ran.err
    text = " ".join(ran.out.split())
    for words in ("uniqueness", "unattributed", "unknown: what comes from the sampling of batches and another seed"):
        assert words in text
