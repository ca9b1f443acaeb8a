"""Packs and tables are checked before use; facts from licences, signals, runs and forms; the decision for the gate."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest
from law_golden import CLEAN, LICENSED, ON

from byline.core import GateError, Record, Verdict, WorkId
from byline.gate.law import (
    JURISDICTIONS,
    Answer,
    FairUseWorksheet,
    LegitimateInterest,
    Outcome,
    Reading,
    Ruling,
    SampleReport,
    decision_of,
    licence_facts,
    load_pack,
    load_packs,
    policies,
    read_form,
    rule_on,
    run_facts,
    signal_facts,
    vocabulary,
)
from byline.gate.law.forms import FORMS, Factor, LiaOutcome, Rating, Weight, months_later

OVERLAY = """
jurisdiction: EU
title: Tomorrow
version: "1"
status: unreviewed draft
reviewed_by: null
rules:
  - id: eu-art4-tdm
    effect: allow
    when: {lawful_access: true, reserved: false, own_capture: true}
    because: A rule of our own.
    cite: ["a bill | memory"]
    evidence: [acquisition]
    effective_from: 2027-01-01
"""


def code_of(call, *arguments):
    with pytest.raises(GateError) as caught:
        call(*arguments)
    return caught.value.code, str(caught.value)


# --- packs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_packs_say_that_nobody_has_reviewed_them(place):
    pack = load_pack(place)
    assert pack.status == "unreviewed draft" == rule_on(pack, CLEAN, ON).status
    assert all(rule.cite and rule.evidence for rule in pack.rules)
    assert all(line.rpartition(" | ")[2] for rule in pack.rules for line in rule.cite)


def test_every_fact_is_read_by_some_rule():
    assert {name for place in JURISDICTIONS for name in load_pack(place).facts} == set(vocabulary().facts)


def test_every_duty_is_owed_by_some_rule():
    owed = {duty for place in JURISDICTIONS for rule in load_pack(place).rules for duty in rule.duties}
    assert owed == set(vocabulary().duties)


def test_digests_change_with_every_word():
    pack = load_pack("EU")
    rule = dataclasses.replace(pack.rules[0], because="Otherwise.")
    other = dataclasses.replace(pack, rules=(rule, *pack.rules[1:]))
    assert len({pack.digest, other.digest, pack.without("eu-art4-tdm").digest, load_pack("UK").digest}) == 4
    assert dataclasses.replace(pack).digest == pack.digest


def test_an_overlay_tries_tomorrows_rule(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(OVERLAY)
    (pack,) = load_packs(["EU"], [path])
    assert len(pack.rules) == len(load_pack("EU").rules)
    assert rule_on(pack, CLEAN, date(2027, 1, 1)).outcome is Outcome.DENY
    assert rule_on(pack, CLEAN | {"own_capture": True}, date(2027, 1, 1)).outcome.permits
    assert rule_on(pack, CLEAN | {"own_capture": True}, date(2026, 12, 31)).outcome is Outcome.DENY
    assert code_of(load_packs, ["UK"], [path])[0] == "no-such-jurisdiction"


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("reserved: false", "reservd: false", "bad-condition", "reservd"),
        ("reserved: false", "reserved: maybe", "bad-condition", "reserved"),
        ("lawful_access: true", "method: walk", "bad-condition", "crawl"),
        ("{lawful_access: true, reserved: false, own_capture: true}", "{}", "bad-condition", "mapping"),
        ("{lawful_access: true, reserved: false, own_capture: true}", "{is: nothing}", "bad-condition", "granted"),
        ("{lawful_access: true, reserved: false, own_capture: true}", "{all: []}", "bad-condition", "list"),
        ("effect: allow", "effect: permit", "bad-law-table", "rules.0.effect"),
        ("| memory", "| hearsay", "bad-law-table", "hearsay"),
        ("effective_from: 2027-01-01", "effective_from: tomorrow", "bad-law-table", "effective_from"),
        ("effective_from: 2027-01-01", "effective_form: 2027-01-01", "bad-law-table", "effective_form"),
        ("effective_from: 2027-01-01", "duties: [sing]", "bad-law-table", "sing"),
        ("reviewed_by: null", "reviewed_by: Ann", "bad-law-table", "unreviewed draft"),
        ("status: unreviewed draft", "status: reviewed", "bad-law-table", "unreviewed draft"),
        ('version: "1"', 'version: "1"\nversion: "2"', "bad-law-table", "stands twice"),
        ("rules:", "rules: [", "bad-law-table", "mine.yaml"),
    ],
)
def test_a_faulty_table_is_refused_with_its_place(tmp_path, old, new, code, says):
    path = tmp_path / "mine.yaml"
    path.write_text(OVERLAY.replace(old, new))
    assert OVERLAY.count(old) == 1
    found, told = code_of(load_packs, ["EU"], [path])
    assert found == code and says in told


def test_unknown_places_and_rules():
    assert code_of(load_pack, "FR")[0] == "no-such-jurisdiction"
    assert code_of(load_pack("EU").without, "eu-nothing")[0] == "no-such-rule"


def test_cedar_policies_carry_their_sources():
    text = policies(load_pack("CN"))
    assert '@id("cn-voice-consent")' in text and "Min Chu 12142" in text and "unreviewed draft" in text
    assert "label-output" not in text


@pytest.mark.parametrize("facts", [CLEAN, LICENSED, {}])
def test_rulings_round_trip(facts):
    for place in JURISDICTIONS:
        ruling = rule_on(load_pack(place), facts, ON, Reading.STRICT)
        assert Ruling.from_json(ruling.to_json()) == ruling


def test_a_place_is_covered_by_its_country_and_the_world_and_not_the_other_way():
    words = vocabulary()
    assert words.covering("US-CA") == ("US-CA", "US", "WORLD") and words.covering("EU") == ("EU", "WORLD")
    californian = CLEAN | {"grant": True, "grant_in": frozenset({"US-CA"}), "grant_until": ON}
    assert rule_on(load_pack("US"), californian, ON).outcome is Outcome.REVIEW


def test_facts_are_parsed_from_cells_or_refused():
    words = vocabulary()
    assert words.parse("minor", "") is None
    assert words.parse("minor", "No") is False and words.parse("signal_age_h", "12") == 12
    assert words.parse("grant_in", "EU;US-CA") == {"EU", "US-CA"} and words.parse("grant_in", "none") == frozenset()
    for name, text in (("minor", "maybe"), ("signal_age_h", "-1"), ("signal_age_h", "1.5"), ("grant_until", "soon")):
        assert code_of(words.parse, name, text)[0] == "bad-fact"
    for name, text in (("method", "theft"), ("grant_in", "FR")):
        assert code_of(words.parse, name, text)[0] == "bad-fact"
    assert code_of(words.parse, "colour", "red")[0] == "unknown-fact"


# --- facts from elsewhere -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readings", "complete", "reserved"),
    [
        ({}, True, False),
        ({}, False, None),
        ({"train.gen": "deny"}, False, True),
        ({"train.gen": "conditional"}, True, True),
        ({"tdm": "deny", "train.gen": "allow", "train.other": "allow"}, True, True),
        ({"tdm": "allow", "train.gen": "allow", "train.other": "allow"}, False, False),
        ({"tdm": "allow", "train.gen": "allow"}, False, None),
        ({"tdm": "unknown", "train.gen": "allow", "train.other": "allow"}, False, None),
        ({"search": "deny", "ground": "deny", "index": "deny"}, True, False),
    ],
)
def test_signals(readings, complete, reserved):
    assert signal_facts(readings, complete).get("reserved") is reserved


def test_a_reading_that_is_none_is_refused():
    assert code_of(signal_facts, {"tdm": "yes"}, True)[0] == "bad-reading"


def test_the_age_of_the_second_reading_is_rounded_up():
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert run_facts(start - timedelta(hours=24), start)["recheck_age_h"] == 24
    assert run_facts(start - timedelta(hours=24, seconds=1), start)["recheck_age_h"] == 25
    assert run_facts(start, start)["recheck_age_h"] == 0
    for rechecked in (None, start + timedelta(seconds=1)):
        assert run_facts(rechecked, start) == {"phase": "run"}
    assert code_of(run_facts, start.replace(tzinfo=None), start)[0] == "bad-reading"


def test_facts_of_licences():
    assert licence_facts("") == licence_facts("LicenseRef-Mine") == {}
    assert licence_facts("LicenseRef-PublicDomain") == licence_facts("MIT AND LicenseRef-PublicDomain") == {}
    assert licence_facts("CC0-1.0")["public_domain_in"] == {"WORLD"}
    cc = licence_facts("CC-BY-SA-4.0")
    assert (cc["licence_train"], cc["licence_share_alike"]) == ("permits", "model-if-adaptation")
    bare = {name: value for name, value in CLEAN.items() if not name.startswith("licence_")}
    wanted = {"CC-BY-4.0": "permits", "CC-BY-NC-4.0": "deny", "": "review", "GPL-3.0-only": "review"}
    for licence, outcome in wanted.items():
        found = rule_on(load_pack("UK"), bare | licence_facts(licence) | {"copied_in": frozenset({"UK"})}, ON).outcome
        assert ("permits" if found.permits else str(found)) == outcome or (
            licence == "GPL-3.0-only" and not found.permits
        )


# --- forms ----------------------------------------------------------------------------------------------------------

SAID = Answer("because", ("file.pdf",))
LIA = LegitimateInterest(SAID, SAID, SAID, SAID, SAID, LiaOutcome.PASS, "R. Viewer", date(2025, 11, 22))
FACTOR = Factor(Weight.NEUTRAL, "because")
WORKSHEET = FairUseWorksheet("news", "chat", FACTOR, FACTOR, FACTOR, FACTOR, Rating.FAVOURABLE, "C. Ounsel", ON)
SAMPLE = SampleReport(1000, 50, 100_000, 4000, 3840, 10_000, 9_800, ("rater",), "samples.csv")


@pytest.mark.parametrize(("name", "form"), [("legitimate-interest", LIA), ("fair-use", WORKSHEET), ("sample", SAMPLE)])
def test_forms_round_trip(name, form):
    assert read_form({"form": name} | form.to_json()) == form and isinstance(form, FORMS[name])
    assert isinstance(form, Record) and form.unanswered() == ()
    assert (
        code_of(read_form, {"form": name})[0]
        == code_of(read_form, {"form": "x"})[0]
        == code_of(read_form, 3)[0]
        == "bad-form"
    )


def test_the_three_tests_expire_after_twelve_months():
    personal = LICENSED | {"personal_data": True, "notice_given": True, "dpia": True} | LIA.facts()
    for place in ("UK", "EU"):
        assert rule_on(load_pack(place), personal, date(2026, 11, 22)).outcome.permits
        assert rule_on(load_pack(place), personal, date(2026, 11, 23)).outcome is Outcome.REVIEW
        failed = personal | dataclasses.replace(LIA, outcome=LiaOutcome.FAIL).facts()
        assert rule_on(load_pack(place), failed, ON).outcome is Outcome.DENY


@pytest.mark.parametrize("question", ["purpose_specific", "purpose_evidence", "necessity_licensed",
                                      "balancing_expectations", "balancing_safeguards", "reviewer"])  # fmt: skip
def test_an_incomplete_assessment_establishes_nothing(question):
    blank = "" if question == "reviewer" else Answer("because", ())
    form = dataclasses.replace(LIA, **{question: blank})
    assert form.unanswered() == (question,) and form.facts() == {"lia_outcome": "none"}


def test_the_worksheet_is_counsels_and_not_computed():
    assert rule_on(load_pack("US"), CLEAN | WORKSHEET.facts(), ON).outcome.permits
    unsigned = dataclasses.replace(WORKSHEET, signed_by=" ")
    assert unsigned.unanswered() == ("signed_by",)
    assert rule_on(load_pack("US"), CLEAN | unsigned.facts(), ON).outcome is Outcome.REVIEW
    against = dataclasses.replace(WORKSHEET, rating=Rating.UNFAVOURABLE)
    assert rule_on(load_pack("US"), CLEAN | against.facts(), ON).outcome is Outcome.DENY


def test_samples_at_the_limits():
    assert rule_on(load_pack("CN"), LICENSED | SAMPLE.facts(), ON).outcome.permits
    for change in ({"source_illegal": 51}, {"manual_passed": 3839}, {"auto_passed": 9799}):
        worse = dataclasses.replace(SAMPLE, **change)
        assert rule_on(load_pack("CN"), LICENSED | worse.facts(), ON).outcome is Outcome.DENY
    for change in ({"manual_inspected": 3999}, {"auto_inspected": 9999}):
        fewer = dataclasses.replace(SAMPLE, **change)
        assert rule_on(load_pack("CN"), LICENSED | fewer.facts(), ON).outcome is Outcome.REVIEW


def test_rounding_never_passes_a_sample():
    just = dataclasses.replace(SAMPLE, source_sampled=3_000_000, source_illegal=150_001)
    assert just.facts()["source_illegal_ppm"] == 50_001
    close = dataclasses.replace(SAMPLE, manual_inspected=3_000_001, manual_passed=2_880_000)
    assert close.facts()["manual_pass_ppm"] == 959_999


@pytest.mark.parametrize("change", [{"manual_passed": 4001}, {"source_sampled": 0}, {"raters": ()}, {"sample_ids": ""}])
def test_a_sample_that_contradicts_itself_establishes_nothing(change):
    assert dataclasses.replace(SAMPLE, **change).facts() == {}


def test_months():
    assert months_later(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert months_later(date(2025, 12, 31), 12) == date(2026, 12, 31)
    assert months_later(date(2025, 10, 31), 1) == date(2025, 11, 30)


# --- the gate's decision --------------------------------------------------------------------------------------------


def test_one_refusing_jurisdiction_refuses():
    rulings = [rule_on(load_pack(place), CLEAN, ON) for place in ("EU", "UK")]
    decision = decision_of(WorkId("work:1"), rulings)
    assert (decision.verdict, decision.rule) == (Verdict.REFUSE, "law-deny")
    assert decision.because == "UK: No exception covers commercial mining; a licence is needed."
    assert decision.evidence[0] == "rule:uk-commercial"
    assert decision.evidence[1:] == tuple(f"pack:{place}:{load_pack(place).digest[:16]}" for place in ("EU", "UK"))


def test_open_facts_are_counted_and_allowances_explained():
    unknown = decision_of(WorkId("work:1"), [rule_on(load_pack("EU"), {}, ON)])
    assert unknown.rule == "law-review" and unknown.because.endswith("facts are not established.")
    allowed = decision_of(WorkId("work:1"), [rule_on(load_pack(place), LICENSED, ON) for place in ("EU", "UK")])
    assert (allowed.verdict, allowed.rule) == (Verdict.ADMIT, "law-allow")
    assert allowed.because.count("The rightsholder has licensed the training") == 2
