"""Precedence in a family, the strictest across families, nothing allowed beside the unread, grants that lift."""

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import CoreError, Problem, Source
from byline.gate.signals import Category, Grant, Observation, Reading, overall, read_headers, read_page, resolve
from byline.gate.signals.observation import STRICTNESS, strictest

AT = datetime(2026, 11, 22, tzinfo=UTC)
DAY = date(2026, 11, 22)
GEN = Category.TRAIN_GEN


def observation(family, carrier, canonical, **more):
    known = {
        "spec": "s", "raw": "r", "rule": f"{family}/{carrier}", "line": 1, "source": "there", "path": "/",
        "observed_at": AT, "body_sha256": "00",
    }  # fmt: skip
    return Observation(carrier=carrier, family=family, canonical=canonical, **(known | more))


READINGS = st.sampled_from(list(Reading))
CANONICAL = st.dictionaries(st.sampled_from(list(Category)), READINGS.filter(lambda r: r is not Reading.UNKNOWN))
FAMILIES = st.sampled_from(["aipref", "tdmrep", "rsl", "plus"])
CARRIERS = st.sampled_from(["tdmrep.json", "http-header", "html-meta", "pdf", "rsl"])
OBSERVATIONS = st.lists(st.builds(observation, FAMILIES, CARRIERS, CANONICAL), max_size=6)
ORDER = ["tdmrep.json", "http-header", "html-meta", "pdf"]


def slow(observations, category):
    """By hand: of each family the closest statement, then a no, a condition, a yes, in that order."""
    words = []
    for family in {seen.family for seen in observations}:
        said = [seen for seen in observations if seen.family == family and category in seen.canonical]
        if family == "tdmrep" and said:
            closest = max(ORDER.index(s.carrier) if s.carrier in ORDER else -1 for s in said)
            said = [s for s in said if (ORDER.index(s.carrier) if s.carrier in ORDER else -1) == closest]
        words += [seen.canonical[category] for seen in said]
    for word in ("deny", "conditional", "allow"):
        if word in words:
            return word
    return "unknown"


@given(OBSERVATIONS)
def test_resolving_is_what_is_done_by_hand(observations):
    for each in resolve(observations):
        assert each.reading == slow(observations, each.category)


@given(OBSERVATIONS, st.randoms(use_true_random=False))
def test_the_order_of_observations_says_nothing(observations, random):
    shuffled = list(observations)
    random.shuffle(shuffled)
    words = [[each.reading for each in resolve(some)] for some in (observations, shuffled)]
    assert words[0] == words[1]


@given(OBSERVATIONS)
def test_nothing_is_allowed_beside_what_could_not_be_read(observations):
    fault = Problem("bad-json", Source("there"), "torn")
    beside = resolve(observations, [fault])
    assert all(each.reading is not Reading.ALLOW for each in beside)
    for alone, with_fault in zip(resolve(observations), beside, strict=True):
        if alone.reading in (Reading.DENY, Reading.CONDITIONAL):
            assert with_fault == alone
        else:
            assert with_fault.because == (f"unread: {fault}",)


@given(OBSERVATIONS, st.builds(observation, st.just("noai"), st.just("html-meta"), st.just({GEN: Reading.DENY})))
def test_a_no_of_another_family_always_holds(observations, no):
    assert resolve([*observations, no])[1].reading is Reading.DENY


@given(OBSERVATIONS)
def test_observations_survive_json(observations):
    for seen in observations:
        assert Observation.from_json(seen.to_json()) == seen


@pytest.mark.parametrize("spoil", [{"canonical": {"tdm": "maybe"}}, {"canonical": []}, {"line": "1"}, {"more": 1}])
def test_a_spoilt_observation_is_refused(spoil):
    told = observation("aipref", "http-header", {GEN: Reading.DENY}).to_json() | spoil
    with pytest.raises(CoreError, match=r"Observation|_Plain"):
        Observation.from_json(told)


def test_strictest_is_an_order():
    for one, other in itertools.product(Reading, repeat=2):
        assert strictest([one, other]) == strictest([other, one]) == min(one, other, key=STRICTNESS.index)
    assert strictest([]) is Reading.UNKNOWN


def grants(**more):
    return [Grant("contract-7", frozenset({GEN}), **({"begins": date(2026, 1, 1)} | more))]


def test_a_grant_lifts_what_it_covers_and_says_so():
    no = [observation("noai", "html-meta", {GEN: Reading.DENY, Category.TRAIN_OTHER: Reading.DENY})]
    gen, other = resolve(no, grants=grants(), on=DAY)[1:3]
    assert (gen.reading, gen.lifted, gen.because[0]) == (Reading.ALLOW, "deny", "granted by contract-7")
    assert (other.reading, other.lifted) == (Reading.DENY, "")


@pytest.mark.parametrize(
    "more", [{"begins": date(2027, 1, 1)}, {"ends": date(2026, 11, 21)}, {"uses": frozenset({Category.SEARCH})}]
)
def test_a_grant_lifts_nothing_outside_its_time_and_scope(more):
    made = {"uses": frozenset({GEN}), "begins": date(2026, 1, 1)} | more
    no = [observation("noai", "html-meta", {GEN: Reading.DENY})]
    assert resolve(no, grants=[Grant("contract-7", **made)], on=DAY)[1].reading is Reading.DENY


def test_a_grant_without_a_day_lifts_nothing():
    no = [observation("noai", "html-meta", {GEN: Reading.DENY})]
    assert resolve(no, grants=grants())[1].reading is Reading.DENY


def test_a_grant_does_not_need_to_lift_what_is_allowed():
    yes = [observation("aipref", "http-header", {GEN: Reading.ALLOW})]
    assert resolve(yes, grants=grants(), on=DAY)[1].lifted == ""


def test_several_uses_at_once_are_allowed_only_if_each_is():
    yes = {Category.TDM: Reading.ALLOW, GEN: Reading.ALLOW}
    resolved = resolve([observation("plus", "xmp", yes)])
    assert overall(resolved, [Category.TDM, GEN]) is Reading.ALLOW
    assert overall(resolved, [Category.TDM, GEN, Category.SEARCH]) is Reading.UNKNOWN
    assert overall(resolved, []) is Reading.UNKNOWN


def test_what_is_said_of_images_is_left_out_for_text_and_kept_where_the_kind_is_not_known(at):
    found = read_headers([("X-Robots-Tag", "noimageai")], at())
    words = {media: resolve(found.observations, media=media)[1].reading for media in ("image", "text", "")}
    assert words == {"image": Reading.DENY, "text": Reading.UNKNOWN, "": Reading.DENY}


def test_a_policy_beside_the_page_makes_its_no_a_condition(at, reading):
    page = b'<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="https://h/p">'
    policy = b'{"permission": [{"action": "tdm:mine", "duty": [{"action": "compensate"}]}]}'
    assert reading(read_page(page, at())) == dict.fromkeys(("tdm", "train.gen", "train.other"), "deny")
    found = read_page(page, at(), policies={"https://h/p": policy})
    assert found.observations[0].duties == ("compensate",) and set(reading(found).values()) == {"conditional"}
    for broken in (b"{", b"[]", b'{"permission": [{"action": "tdm:other"}]}', b'{"permission": 3}'):
        assert set(reading(read_page(page, at(), policies={"https://h/p": broken})).values()) == {"deny"}
