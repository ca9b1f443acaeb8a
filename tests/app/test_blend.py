"""Channels joined for money: what each says, what a period keeps of them, and when the words may take part."""

import csv
import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from byline.app.attack import Outcome
from byline.app.attack_read import read_spans, spans_by_example
from byline.app.attack_run import PERIOD, period_outputs
from byline.app.attacked import Made, keep_attacks, refuse_unless_attacked
from byline.app.blend import CURVED, PLAIN, WORDS, Lexicon, source_of
from byline.app.home import Home
from byline.app.model import Training, silent
from byline.core import AppError
from byline.evaluation import Channelled

FOUND = Channelled((*PLAIN, CURVED), PLAIN, (1.5, 0.5, 0.01), (0.6, 0.5, 0.6), 0.7, 0.8, 0.1, 0.05, 0.15, 20, 5)
WORDED = replace(FOUND, channels=(*FOUND.channels, WORDS), factors=(*FOUND.factors, 0.001), alone=(*FOUND.alone, 0.3))
POLICY = {
    "id": "policy:blend", "version": 1, "effective": "2026-01-01", "commission_ppm": 100000, "reserve_ppm": 0,
    "train_share_ppm": 0, "prior": "equal-per-cluster", "unattributed": "commons",
}  # fmt: skip


@pytest.fixture(scope="module")
def blended(project, tmp_path_factory):
    """A copy of the project in which an audit has found that both blends help."""
    copy = project.copy(tmp_path_factory.mktemp("blended"))
    folder = copy.home / "trainings" / "main"
    period = json.loads((folder / "attribution.json").read_text())["period"]
    kept = {"run": period["run"], "method": period["method"]}
    (folder / "calibration.json").write_text(
        json.dumps(kept | {"blend": FOUND.to_json(), "blend_words": WORDED.to_json()})
    )
    return copy


@pytest.fixture(scope="module")
def training(blended):
    return Training.open(Home.open(blended.home), "main")


@pytest.fixture(scope="module")
def asked(blended):
    ran = blended("attribute", "--prompt", "the river", "--blend", "--json")
    assert ran.code == 0, ran.err
    return ran.last


def test_the_period_keeps_the_weights_and_what_each_channel_says_alone(asked, blended):
    effects = asked["period_effects"]
    assert effects["blend"] == FOUND.to_json() and set(effects["channels"]) == set(FOUND.channels)
    sums = {name: np.array(values) for name, values in effects["channels"].items()}
    mixed = sum(f * sums[name] for name, f in zip(FOUND.channels, FOUND.factors, strict=True))
    assert np.corrcoef(mixed, effects["linear"])[0, 1] > 0.999999
    assert "blended channels" in asked["period"]["subject"] and asked["period_effects"]["game"]["blend"]
    shown = " ".join(blended("attribute", "--prompt", "the river", "--blend").out.split())
    for words in (
        "The shares join channels by fitted weights: head x 1.5 (alone 0.600)",
        "ekfac x 0.01",
        "gain +0.100",
    ):
        assert words in shown
    assert blended("report").code == 0
    page = " ".join((blended.home / "report.html").read_text().split())
    for words in ("through the last layer of the model, times 1.5", "alone shows it, times 0.01", "+0.05 and +0.15"):
        assert words in page


def test_money_follows_a_blend_only_under_a_policy_that_says_so(asked, blended):
    events, policy = blended.home.parent / "events.csv", blended.home.parent / "policy.json"
    day = (date.today() + timedelta(days=5)).isoformat()
    with events.open("w", newline="") as file:
        csv.writer(file).writerows([("received", "licensee", "amount", "currency"), (day, "Other", "100.00", "EUR")])
    for more, says in (({}, "--game linear"), ({"words": True}, "--words")):
        policy.write_text(json.dumps(POLICY | more))
        refused = blended("settle", events, "--policy", policy)
        assert refused.code == 1 and "[other-game]" in refused.err and says in refused.err
    policy.write_text(json.dumps(POLICY | {"blended": True}))
    assert blended("settle", events, "--policy", policy, "--dry-run").code == 0


def test_a_span_is_worth_in_an_attack_what_it_is_worth_in_the_blend_that_pays(training):
    """Recorded spans; a copy is the span itself; and what was never read is asked of every channel."""
    outputs, spans = {PERIOD: period_outputs(training)}, spans_by_example(training)
    made_up = "the river boat was slow and the water cold"
    book = read_spans(training, outputs, [*spans.values(), made_up, "zzz"], silent, WORDED)
    mixed, tables = source_of(training).mixed(WORDED, outputs, silent)
    paid = dict(zip(mixed.example_ids, mixed.scores_QN[0], strict=True))
    distinct = [e for e, text in spans.items() if list(spans.values()).count(text) == 1]
    ours = np.array([book.scores_QS[0, book.places[spans[example]]] for example in distinct])
    assert np.corrcoef(ours, [paid[example] for example in distinct])[0, 1] > 0.999
    assert set(tables) == set(WORDED.channels) and book.scores_QS[0, book.places[made_up]] != 0


def test_words_say_the_same_of_a_copy_and_nothing_of_strange_words(training):
    lexicon = source_of(training).lexicon
    texts = list(lexicon.texts.values())
    queries = {PERIOD: period_outputs(training)}
    found = lexicon.scores(queries, {"copy": texts[3], "strange": "zzz yyy"})
    row = dict(zip(found.example_ids, found.scores_QN[0], strict=True))
    assert row["copy"] == pytest.approx(row[found.example_ids[3]], rel=1e-6) and row["strange"] == 0
    alone = [lexicon.scores({"q": (output,)}).scores_QN[0] for output in queries[PERIOD]]
    assert np.allclose(np.sum(alone, axis=0), lexicon.scores(queries).scores_QN[0], atol=1e-6)
    assert Lexicon({}, str).scores({"q": ("x",)}).scores_QN.shape == (1, 0)


def outcome(gain):
    return Outcome(2_000_000, gain, gain, 1_050_000, "an attack")


def refusal(folder, run, weights):
    with pytest.raises(AppError) as fault:
        refuse_unless_attacked(folder, run, weights)
    return fault.value.code


def test_words_need_attacks_by_these_weights_on_this_run_and_none_above_its_bound(tmp_path):
    made, today = Made("run:a", WORDED, 0, "length"), date(2026, 1, 1)
    assert refusal(tmp_path, "run:a", WORDED) == "words-not-attacked"
    keep_attacks(tmp_path, replace(made, weights=None), {"slicing": outcome(10**6)}, today)
    assert refusal(tmp_path, "run:a", WORDED) == "words-not-attacked"  # by the transport alone
    keep_attacks(tmp_path, made, {"slicing": outcome(10**6)}, today)
    refuse_unless_attacked(tmp_path, "run:a", WORDED)
    assert refusal(tmp_path, "run:b", WORDED) == "words-not-attacked"
    assert refusal(tmp_path, "run:a", replace(WORDED, factors=(1.5, 0.5, 0.01, 0.5))) == "words-not-attacked"
    keep_attacks(tmp_path, replace(made, seed=1), {"slicing": outcome(2 * 10**6)}, today)
    assert refusal(tmp_path, "run:a", WORDED) == "words-pay-attackers"  # other draws do not wipe that out
    keep_attacks(tmp_path, replace(made, seed=2), {"slicing": outcome(10**6)}, today)
    assert refusal(tmp_path, "run:a", WORDED) == "words-pay-attackers"


def test_the_commands_refuse_words_until_the_attacks_were_made_and_heed_what_they_brought(blended):
    refused = blended("attribute", "--prompt", "the river", "--words")
    assert refused.code == 1 and "[words-not-attacked]" in refused.err and "byline attack --name main" in refused.err
    attack = blended("attack", "--name", "main", "--words", "--json")
    kept = json.loads((blended.home / "trainings" / "main" / "attack.json").read_text())
    ((made,),) = [tuple(each.values()) for by, each in kept.items() if by != "transport"]
    assert attack.code == (1 if made["above"] else 0) and set(made["outcomes"]) == set(attack.last)
    asked = blended("attribute", "--prompt", "the river", "--words", "--json")
    if made["above"]:
        assert asked.code == 1 and "[words-pay-attackers]" in asked.err and made["above"][0] in asked.err
    else:
        assert asked.code == 0 and WORDS in asked.last["period_effects"]["channels"]
        assert "with words" in asked.last["period"]["subject"]


def test_a_small_world_has_no_blend(blended):
    assert "[no-blend]" in blended("attack", "--words").err
