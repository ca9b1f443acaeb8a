"""The reading of the tables against Cedar and a slow oracle; distinct vectors against a loop; what is missing against
trying everything."""

import itertools
import random
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_golden import CLEAN, LICENSED, ON

from byline.core import GateError
from byline.gate.law import (
    JURISDICTIONS,
    CedarEngine,
    Effect,
    FactTable,
    Outcome,
    Reading,
    Setting,
    compare,
    judge,
    judge_all,
    load_pack,
    load_packs,
    rule_on,
    vocabulary,
    ways_to_allow,
)
from byline.gate.law.condition import Every, Question, Some, holds, negation
from byline.gate.law.pack import Pack, Rule
from byline.gate.law.ruling import SEVERITY
from byline.gate.law.table import ToCheck, _to_check

WORDS = vocabulary()
NUMBERS = (0, 23, 24, 25, 3999, 4000, 50_000, 50_001, 959_999, 960_000, 979_999, 980_000, 1_000_000)


DAYS = (ON - timedelta(days=1), ON, ON + timedelta(days=400))


def drawn(name, draw):
    fact = WORDS.fact(name)
    if fact.kind == "places":
        return frozenset(draw.sample(WORDS.places, draw.randrange(3)))
    return draw.choice({"yes-no": (True, False), "choice": fact.values, "number": NUMBERS, "day": DAYS}[fact.kind])


def vector(seed):
    """Facts as a seed draws them: any at all, or a clean or licensed work with up to six facts changed or forgotten."""
    draw = random.Random(seed)
    if draw.random() < 0.3:
        return {name: drawn(name, draw) for name in WORDS.facts if draw.random() < 0.8}
    facts = dict(draw.choice([CLEAN, LICENSED]))
    for name in draw.sample(sorted(WORDS.facts), draw.randrange(7)):
        facts[name] = drawn(name, draw)
        if draw.random() < 0.3:
            del facts[name]
    return facts


VECTORS = st.integers(0, 2**32).map(vector)
PLACES = st.sampled_from(JURISDICTIONS)
ENGINES = {place: CedarEngine(load_pack(place)) for place in JURISDICTIONS}


@settings(max_examples=40, deadline=None)
@given(st.lists(VECTORS, min_size=8, max_size=8), st.sampled_from(Reading), st.sampled_from([ON, date(2023, 1, 1)]))
def test_cedar_agrees(vectors, reading, on):
    for place, engine in ENGINES.items():
        rulings = [rule_on(load_pack(place), facts, on, reading) for facts in vectors]
        engine.check([ruling.outcome for ruling in rulings], vectors, on, reading)


def test_cedar_would_notice():
    pack = load_pack("EU")
    other = rule_on(pack.without("eu-pirated-source"), CLEAN | {"piracy_source": True}, ON)
    with pytest.raises(GateError, match="piracy_source") as caught:
        ENGINES["EU"].check([other.outcome], [CLEAN | {"piracy_source": True}], ON, Reading.PLAIN)
    assert caught.value.code == "engines-differ"


@settings(max_examples=40, deadline=None)
@given(VECTORS, PLACES, st.data())
def test_an_unknown_fact_never_helps(facts, place, data):
    """Forgetting a fact never turns a use that is held back into one that is allowed."""
    pack = load_pack(place)
    name = data.draw(st.sampled_from(sorted(facts))) if facts else "method"
    less = {each: value for each, value in facts.items() if each != name}
    if rule_on(pack, less, ON).outcome.permits:
        assert rule_on(pack, facts, ON).outcome.permits


@settings(max_examples=40, deadline=None)
@given(VECTORS, PLACES)
def test_what_files_do_not_hold_never_helps(facts, place):
    """Taking the unfavourable answer for what is not on file never allows what was held back without any answer."""
    pack = load_pack(place)
    for name, text in WORDS.unless_on_file.items():
        less = {each: value for each, value in facts.items() if each != name}
        if rule_on(pack, less | {name: WORDS.parse(name, text)}, ON).outcome.permits:
            assert rule_on(pack, less, ON).outcome.permits or _excused(pack, less, name)


def _excused(pack, facts, name):
    """A favourable answer would allow it too: the answer helped by being one, not by being unfavourable."""
    domain = {"yes-no": [True], "places": [frozenset({"WORLD"})], "choice": list(WORDS.fact(name).values)}
    return any(
        rule_on(pack, {**facts, name: value}, ON).outcome.permits
        for value in domain[WORDS.fact(name).kind]
        if value != WORDS.parse(name, WORDS.unless_on_file[name])
    )


@settings(max_examples=40, deadline=None)
@given(VECTORS, PLACES)
def test_a_strict_reading_is_never_milder(facts, place):
    plain, strict = (rule_on(load_pack(place), facts, ON, reading).outcome for reading in Reading)
    order = [plainly for plainly in SEVERITY if plainly is not Outcome.ALLOW]
    rank = {outcome: min(SEVERITY.index(outcome), len(order) - 1) for outcome in SEVERITY}
    assert rank[strict] <= rank[plain]


# --- conditions -----------------------------------------------------------------------------------------------------

LEAVES = st.builds(
    Question, st.sampled_from("abc"), st.just("among"), st.sampled_from([(True,), (False,)]), st.booleans()
)
TREES = st.recursive(
    LEAVES,
    lambda parts: st.builds(
        lambda kind, inner: kind(tuple(inner)), st.sampled_from([Every, Some]), st.lists(parts, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def plain_truth(condition, facts):
    if isinstance(condition, Question):
        return (facts[condition.fact] in condition.operands) != condition.negated
    parts = [plain_truth(part, facts) for part in condition.parts]
    return all(parts) if isinstance(condition, Every) else any(parts)


@given(TREES, st.dictionaries(st.sampled_from("abc"), st.booleans()))
def test_three_valued_answers_hold_for_every_completion(condition, facts):
    """True or False only if every way to fill in the rest says so; and exactly two-valued logic when all is known."""
    answer = holds(condition, facts, ON)
    completions = [
        plain_truth(condition, dict(zip("abc", bits, strict=True)) | facts)
        for bits in itertools.product([True, False], repeat=3)
    ]
    if answer is not None:
        assert set(completions) == {answer}
    if len(facts) == 3:
        assert answer is plain_truth(condition, facts)
    opposite = holds(negation(condition), facts, ON)
    assert opposite is (None if answer is None else not answer)


# --- what is missing ------------------------------------------------------------------------------------------------


def small_pack(rules):
    made = tuple(
        Rule(f"eu-{n}", "EU", effect, False, Reading.PLAIN, "law", when, "So.", (), ("x | policy",), ("x",), None, None)
        for n, (effect, when) in enumerate(rules)
    )
    return Pack("EU", "small", "1", "unreviewed draft", made)


SMALL = (
    "piracy_source",
    "grant",
    "lawful_access",
    "reserved",
    "minor",
)  # of these only `grant` can be changed by an act
SMALL_LEAVES = st.builds(
    Question, st.sampled_from(SMALL), st.just("among"), st.sampled_from([(True,), (False,)]), st.booleans()
)
SMALL_TREES = st.recursive(
    SMALL_LEAVES,
    lambda parts: st.builds(
        lambda kind, inner: kind(tuple(inner)), st.sampled_from([Every, Some]), st.lists(parts, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
SMALL_RULES = st.lists(
    st.tuples(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY, Effect.REVIEW]), SMALL_TREES),
    min_size=2,
    max_size=4,
)


def least_by_trying(pack, facts):
    """The smallest sets of facts that can be established or changed so that the use is allowed."""
    for size in range(len(SMALL) + 1):
        found = set()
        for names in itertools.combinations(SMALL, size):
            if any(name in facts and WORDS.fact(name).act is None for name in names):
                continue
            for bits in itertools.product([True, False], repeat=size):
                change = dict(zip(names, bits, strict=True))
                if any(facts.get(name) == value for name, value in change.items()):
                    continue
                if rule_on(pack, {**facts, **change}, ON).outcome.permits:
                    found.add(names)
        if found:
            return {tuple(sorted(names)) for names in found}
    return set()


@settings(max_examples=80, deadline=None)
@given(SMALL_RULES, st.dictionaries(st.sampled_from(SMALL), st.booleans()))
def test_the_least_that_is_missing_is_the_least(rules, facts):
    pack = small_pack(rules)
    ways = ways_to_allow(pack, facts, ON)
    wanted = least_by_trying(pack, facts)
    found = {tuple(step.fact for step in way) for way in ways}
    assert found == wanted or (len(ways) == 8 and found <= wanted)


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_doing_what_is_missing_allows_the_use(place):
    pack = load_pack(place)
    for facts in ({"method": "crawl", "purpose": "commercial"}, CLEAN, WORDS.on_file({"method": "user_upload"})):
        ways = ways_to_allow(pack, facts, ON)
        assert ways
        for way in ways:
            done = dict(facts) | {step.fact: answer(step) for step in way}
            assert rule_on(pack, done, ON).outcome.permits, way
            for step in way:  # and no step is idle
                if step.fact in facts:
                    assert not rule_on(pack, done | {step.fact: facts[step.fact]}, ON).outcome.permits
                else:
                    less = {name: value for name, value in done.items() if name != step.fact}
                    assert not rule_on(pack, less, ON).outcome.permits


def answer(step):
    text = step.wanted[0].removeprefix("at least ").removeprefix("at most ").removesuffix(" or later")
    return WORDS.parse(step.fact, text)


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_nothing_can_be_done_about_a_pirated_copy(place):
    assert ways_to_allow(load_pack(place), {"piracy_source": True}, ON) == ()


@pytest.mark.parametrize("place", JURISDICTIONS)
def test_nothing_is_missing_of_what_is_allowed(place):
    assert ways_to_allow(load_pack(place), LICENSED, ON) == ((),)


def test_another_places_facts_are_not_asked_for():
    (first, *_) = ways_to_allow(load_pack("EU"), CLEAN | {"reserved": True}, ON)
    named = {step.fact for way in ways_to_allow(load_pack("EU"), {}, ON) for step in way}
    assert named.isdisjoint({"worksheet", "db_for_sale", "manual_pass_ppm"})
    assert [step.fact for step in first] == ["public_domain_in"] and first[0].wanted == ("EU",)


# --- many works -----------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.lists(VECTORS, min_size=1, max_size=12), st.sampled_from(Reading))
def test_distinct_vectors_give_what_a_loop_gives(rows, reading):
    rows = rows + rows[:1]
    table = FactTable.of(rows)
    for place in JURISDICTIONS:
        pack = load_pack(place)
        judged = judge(table, pack, ON, reading, cedar=False)
        each = [rule_on(pack, facts, ON, reading) for facts in rows]
        assert [judged.of(n) for n in range(len(rows))] == each
        assert sum(judged.counts().values()) == len(rows)
        assert len(judged.rulings) < len(rows)


@given(st.lists(VECTORS, min_size=2, max_size=8), st.randoms())
@settings(max_examples=8, deadline=None)
def test_the_order_of_works_changes_no_ruling(rows, draw):
    order = list(range(len(rows)))
    draw.shuffle(order)
    packs = load_packs(["EU", "US"])
    judged, shuffled = (
        judge_all(FactTable.of(each), packs, ON, cedar=False) for each in (rows, [rows[n] for n in order])
    )
    assert [shuffled.of(n) for n in range(len(rows))] == [judged.of(n) for n in order]


def test_a_table_gives_back_its_rows():
    rows = [CLEAN, {}, LICENSED, {"method": "crawl"}]
    table = FactTable.of(rows)
    assert [table.row(n) for n in range(4)] == rows
    assumed = table.assuming({"purpose": "research_org"})
    assert [assumed.row(n)["purpose"] for n in range(4)] == ["research_org"] * 4


def test_ages_that_no_rule_tells_apart_are_one_vector():
    rows = [CLEAN | {"signal_age_h": hours} for hours in range(40)]
    judged = judge(FactTable.of(rows), load_pack("EU"), ON)
    assert len(judged.rulings) == 2
    assert [judged.of(n).outcome.permits for n in range(40)] == [hours <= 24 for hours in range(40)]


def test_more_classes_than_an_integer_holds_are_kept_apart(monkeypatch):
    monkeypatch.setattr("byline.gate.law.table._MOST_KEYS", 7)
    rows = [CLEAN, LICENSED, CLEAN | {"reserved": True}, CLEAN | {"method": "purchase"}, CLEAN]
    judged = judge(FactTable.of(rows), load_pack("EU"), ON, cedar=False)
    assert [judged.of(n) for n in range(5)] == [rule_on(load_pack("EU"), row, ON) for row in rows]


def test_a_table_refuses_what_is_no_fact():
    for row, code in (
        ({"colour": True}, "unknown-fact"),
        ({"minor": "yes"}, "bad-fact"),
        ({"signal_age_h": True}, "bad-fact"),
    ):
        with pytest.raises(GateError) as caught:
            FactTable.of([row])
        assert caught.value.code == code


# --- what if --------------------------------------------------------------------------------------------------------


def test_flips_elsewhere_read_strictly_and_on_a_later_day():
    rows = [CLEAN, LICENSED, CLEAN | {"tos_forbids": True}, LICENSED | {"grant_until": date(2027, 1, 1)}]
    table = FactTable.of(rows)
    eu, uk = load_packs(["EU"]), load_packs(["UK"])
    now = Setting(eu, ON)
    elsewhere = compare(table, now, Setting(uk, ON))
    assert [(flip.works, flip.before, flip.after, flip.rules) for flip in elsewhere.flips] == [
        ((0,), Outcome.ALLOW_WITH_DUTIES, Outcome.DENY, ("uk-commercial",)),
        ((2,), Outcome.REVIEW, Outcome.DENY, ("uk-commercial",)),
    ]
    strictly = compare(table, now, Setting(eu, ON, Reading.STRICT))
    assert [(flip.works, flip.before, flip.after, flip.rules) for flip in strictly.flips] == [
        ((2,), Outcome.REVIEW, Outcome.DENY, ("eu-terms-of-use-strict",))
    ]
    later = compare(FactTable.of(rows[3:]), Setting(uk, ON), Setting(uk, date(2027, 1, 2)))
    assert [(flip.before, flip.after, flip.rules) for flip in later.flips] == [
        (Outcome.ALLOW, Outcome.DENY, ("uk-commercial",))
    ]


@settings(max_examples=8, deadline=None)
@given(st.lists(VECTORS, min_size=1, max_size=10))
def test_flips_are_those_of_a_loop(rows):
    table, packs, more = FactTable.of(rows), load_packs(["SG"]), load_packs(["SG", "JP"])
    found = compare(table, Setting(packs, ON), Setting(more, ON, Reading.STRICT))

    def overall(row, places, reading):
        return min((rule_on(pack, row, ON, reading).outcome for pack in places), key=SEVERITY.index)

    wanted = {n: (overall(row, packs, Reading.PLAIN), overall(row, more, Reading.STRICT)) for n, row in enumerate(rows)}
    flipped = {n: (flip.before, flip.after) for flip in found.flips for n in flip.works}
    assert flipped == {n: pair for n, pair in wanted.items() if pair[0] is not pair[1]}
    assert found.flipped == len(flipped)


def test_the_same_world_flips_nothing():
    table = FactTable.of([CLEAN, LICENSED])
    assert compare(table, Setting(load_packs(["EU"]), ON), Setting(load_packs(["EU"]), ON)).flips == ()


def test_other_works_are_refused():
    table = FactTable.of([CLEAN, LICENSED])
    setting = Setting(load_packs(["EU"]), ON)
    with pytest.raises(GateError) as caught:
        compare(table, setting, setting, then=FactTable.of([CLEAN]))
    assert caught.value.code == "tables-differ"


def test_cedar_in_another_process_comes_to_the_same_and_would_notice(monkeypatch):
    table, packs = FactTable.of([CLEAN, LICENSED]), load_packs(["EU"])
    here, there = (judge_all(table, packs, ON, cedar=True, processes=count) for count in (0, 1))
    assert [there.of(n) for n in range(2)] == [here.of(n) for n in range(2)]
    true = _to_check(table, judge(table, packs[0], ON, cedar=False), ON, Reading.PLAIN)
    rule, facts, answers = next(each for each in true.rules if True in each[2])
    turned = tuple({True: False, False: None, None: True}[answer] for answer in answers)
    wholly = ToCheck((), (LICENSED,), (Outcome.DENY,))
    in_a_rule = ToCheck(((rule, facts, turned),), (), ())
    for wrong, processes in itertools.product((wholly, in_a_rule), (0, 1)):
        monkeypatch.setattr("byline.gate.law.table._to_check", lambda *arguments, wrong=wrong: wrong)
        with pytest.raises(GateError) as caught:
            judge_all(table, packs, ON, cedar=True, processes=processes)
        assert caught.value.code == "engines-differ"


def test_no_packs_are_refused():
    with pytest.raises(GateError) as caught:
        judge_all(FactTable.of([CLEAN]), [], ON)
    assert caught.value.code == "no-packs"


def test_the_worst_jurisdiction_speaks():
    judgement = judge_all(FactTable.of([CLEAN]), load_packs(["EU", "UK"]), ON)
    assert judgement.outcome(0) is Outcome.DENY and judgement.counts() == {Outcome.DENY: 1}
    assert np.array_equal(judgement.severity_N(), [0])
