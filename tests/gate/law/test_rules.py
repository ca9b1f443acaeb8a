"""Every rule of every pack against its golden case, and the rules that must hold whatever else is so."""

from datetime import date

import pytest
from law_golden import CLEAN, GOLDEN, LICENSED, ON, cases, facts, plainly, under

from byline.gate.law import JURISDICTIONS, Effect, Outcome, Reading, load_pack, rule_on

ALL = cases()


def bearing(ruling):
    return {reason.rule for reason in ruling.reasons if reason.applies}


def test_every_rule_has_a_case_and_every_case_a_rule():
    rules = {rule.id for place in JURISDICTIONS for rule in load_pack(place).rules}
    conditional = {f"{place.lower()}-licence-conditional" for place in JURISDICTIONS}  # moot where an exception holds
    assert {rule for _, rule, _, _ in ALL} | conditional == rules
    assert sum(rule.id in conditional for place in JURISDICTIONS for rule in load_pack(place).rules) == 6


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_clean_facts(place):
    assert plainly(rule_on(load_pack(place), CLEAN, ON).outcome) == GOLDEN["outcomes"][place]
    assert rule_on(load_pack(place), LICENSED, ON).outcome.permits


@pytest.mark.parametrize(("place", "rule", "case", "over"), ALL, ids=[rule for _, rule, _, _ in ALL])
def test_a_rule_fires_and_spares(place, rule, case, over):
    on, reading = under(case)
    fired = rule_on(load_pack(place), facts(GOLDEN["clean"], over, case["fires"]), on, reading)
    assert plainly(fired.outcome) == case["gives"] and rule in bearing(fired)
    spared = rule_on(load_pack(place), facts(GOLDEN["clean"], over, case.get("spares", {})), on, reading)
    assert rule not in {reason.rule for reason in spared.reasons}


@pytest.mark.parametrize(("place", "rule", "case", "over"), ALL, ids=[rule for _, rule, _, _ in ALL])
def test_without_the_rule_the_case_comes_out_otherwise(place, rule, case, over):
    """So the case tests the rule and not its neighbours."""
    on, reading = under(case)
    pack, given = load_pack(place), facts(GOLDEN["clean"], over, case["fires"])
    fired, without = (rule_on(each, given, on, reading) for each in (pack, pack.without(rule)))
    assert (fired.outcome, fired.duties, bearing(fired)) != (without.outcome, without.duties, bearing(without))


# --- hard rules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", JURISDICTIONS)
@pytest.mark.parametrize("reading", Reading)
def test_a_pirated_copy_is_denied_everywhere_whatever_is_licensed(place, reading):
    best = LICENSED | {"public_domain_in": frozenset({"WORLD"}), "purpose": "research_org"}
    assert rule_on(load_pack(place), best, ON, reading).outcome.permits
    assert rule_on(load_pack(place), best | {"piracy_source": True}, ON, reading).outcome is Outcome.DENY


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_a_licence_of_a_voice_recording_is_not_consent_to_synthesis(place):
    recording = {
        **GOLDEN["clean"],
        **GOLDEN["licensed"],
        **{"biometric_voice": "yes", "synthesises_people": "yes", "biometric_release": "yes"},
        **{"personal_data": "yes", "consent_train": "yes", "notice_given": "yes", "dpia": "yes"},
    }
    pack = load_pack(place)
    for licence in ({}, {"public_domain_in": "WORLD"}, {"licence_train": "permits", "licence_reproduce": "yes"}):
        assert rule_on(pack, facts(recording, licence, {"consent_ai_voice": "no"}), ON).outcome is Outcome.DENY
    unknown = {name: value for name, value in facts(recording).items() if name != "consent_ai_voice"}
    assert rule_on(pack, unknown, ON).outcome is Outcome.REVIEW
    assert rule_on(pack, facts(recording, {"consent_ai_voice": "yes"}), ON).outcome.permits
    assert rule_on(pack, facts(recording, {"synthesises_people": "no"}), ON).outcome.permits


def test_the_beijing_case_is_cited():
    (rule,) = [rule for rule in load_pack("CN").rules if rule.id == "cn-voice-consent"]
    assert "(2023) Jing 0491 Min Chu 12142" in rule.cite[0] and rule.effect is Effect.DENY


def test_fair_use_is_review_unless_signed_or_licensed():
    pack = load_pack("US")

    def outcome(**texts):
        return plainly(rule_on(pack, facts(GOLDEN["clean"], texts), ON).outcome)

    assert outcome() == "review"
    signed = {"worksheet": "favourable", "worksheet_signed": "yes", "worksheet_until": "2027-11-22"}
    assert outcome(**signed) == "permits"
    assert outcome(**signed | {"worksheet_signed": "no"}) == "review"
    assert outcome(**signed | {"worksheet_until": "2026-11-21"}) == "review"
    assert outcome(**signed | {"worksheet": "mixed"}) == "review"
    assert outcome(**GOLDEN["licensed"]) == "permits"


def test_the_reservation_is_read_again_at_the_start_of_a_run():
    pack = load_pack("EU")
    admitted = rule_on(pack, CLEAN, ON)
    assert admitted.outcome.permits and "recheck-at-run-start" in admitted.duties
    starting = CLEAN | {"phase": "run"}
    assert rule_on(pack, starting, ON).outcome is Outcome.REVIEW
    assert rule_on(pack, starting | {"recheck_age_h": 24}, ON).outcome.permits
    assert rule_on(pack, starting | {"recheck_age_h": 24, "reserved": True}, ON).outcome is Outcome.DENY
    assert rule_on(pack, LICENSED | {"phase": "run"}, ON).outcome.permits


def test_the_proviso_of_article_30_4_holds_for_research_too():
    pack = load_pack("JP")
    for purpose in ("commercial", "research_org"):
        given = CLEAN | {"purpose": purpose, "db_for_sale": True}
        assert rule_on(pack, given, ON).outcome is Outcome.DENY


def test_no_contract_excludes_singapores_exception():
    assert rule_on(load_pack("SG"), CLEAN | {"tos_forbids": True}, ON).outcome.permits
    assert rule_on(load_pack("EU"), CLEAN | {"tos_forbids": True}, ON).outcome is Outcome.REVIEW


@pytest.mark.parametrize(
    ("fact", "last_good", "first_bad", "outcome"),
    [
        ("source_illegal_ppm", 50_000, 50_001, Outcome.DENY),
        ("manual_sample_items", 4_000, 3_999, Outcome.REVIEW),
        ("manual_pass_ppm", 960_000, 959_999, Outcome.DENY),
        ("auto_sample_ppm", 100_000, 99_999, Outcome.REVIEW),
        ("auto_pass_ppm", 980_000, 979_999, Outcome.DENY),
    ],
)
def test_the_numbers_of_gb_t_45654(fact, last_good, first_bad, outcome):
    pack = load_pack("CN")
    assert rule_on(pack, LICENSED | {fact: last_good}, ON).outcome.permits
    assert rule_on(pack, LICENSED | {fact: first_bad}, ON).outcome is outcome
    before = date(2025, 10, 31)  # the standard is in force from 1 November 2025
    assert rule_on(pack, LICENSED | {fact: first_bad}, before).outcome.permits


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_nothing_known_is_never_allowed(place):
    assert rule_on(load_pack(place), {}, ON).outcome is Outcome.REVIEW


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_no_ground_is_a_deny_with_a_name(place):
    """Purposes and facts under which no exception of the place is open."""
    shut = {"lawful_access": "no", "enjoyment_purpose": "yes", "worksheet": "unfavourable", "access_refused": "yes"}
    ruling = rule_on(load_pack(place), facts(GOLDEN["clean"], shut), ON)
    assert ruling.outcome is Outcome.DENY and ruling.reasons
