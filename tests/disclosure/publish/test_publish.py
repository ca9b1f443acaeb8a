"""What is published is read by our own readers as exactly the choice that was made, and never as more than it."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from byline.core import DisclosureError
from byline.disclosure.publish import (
    LICENCE,
    POLICY,
    SHORT,
    Choice,
    parse_choice,
    policy_of,
    publish,
    read_back,
    site_at,
    unsaid,
)
from byline.gate.signals import Category, Options, Reading, read_place, resolve

TERMS = "https://ada.example/terms?for=training&by=use"
SITE = site_at("https://ada.example", "/art/", "Ada Moore")
STRICTNESS = (Reading.DENY, Reading.CONDITIONAL, Reading.ALLOW, Reading.UNKNOWN)
CHOICES = [
    Choice({c: r for c, r in zip(Category, readings, strict=True) if r is not Reading.UNKNOWN}, TERMS)
    for readings in itertools.product(Reading, repeat=len(Category))
]
a_choice = st.sampled_from(CHOICES)
a_path = st.sampled_from(["/", "/art/", "/a%20b/", "/über/", "/art/one.jpg"])


def by_carrier(choice, site=SITE):
    return {each.carrier: each for each in publish(choice, site)}


@pytest.mark.parametrize("carrier", ["tdmrep.json", "rsl", "xmp", "c2pa", "http-header"])
def test_every_choice_in_every_carrier_is_read_as_it_was_made(carrier):
    for choice in CHOICES:
        each = by_carrier(choice)[carrier]
        read = read_back(each, choice, SITE)
        for category in Category:
            if category in each.says:
                assert read[category] is each.says[category] is choice[category]
            elif category not in each.cautious:
                assert read[category] is Reading.UNKNOWN


@settings(max_examples=300, deadline=None)
@given(choice=a_choice, path=a_path, address=st.sampled_from(["", "https://ada.example"]))
def test_so_it_is_for_robots_txt_and_for_any_place(choice, path, address):
    site = site_at(address, path, "Ada & <Moore>")
    for each in publish(choice, site):
        read = read_back(each, choice, site)
        assert all(read[category] is choice[category] for category in each.says)
        assert each.text or not each.says


@given(choice=a_choice)
@settings(max_examples=500, deadline=None)
def test_nothing_published_permits_what_was_not_permitted(choice):
    for each in publish(choice, SITE):
        for category in Category:
            if each.says.get(category) is Reading.ALLOW:
                assert choice[category] is Reading.ALLOW
            if each.cautious.get(category, Reading.UNKNOWN) is Reading.ALLOW:
                raise AssertionError("a cautious reading is never a yes")


def test_the_only_caution_is_that_of_aipref_on_other_training():
    cautions = {(e.carrier, tuple(e.cautious.items())) for c in CHOICES for e in publish(c, SITE) if e.cautious}
    told = ((Category.TRAIN_OTHER, Reading.CONDITIONAL),)
    assert cautions == {("robots.txt", told), ("http-header", told)}


@pytest.mark.parametrize("name", SHORT)
def test_a_whole_site_says_the_named_choice(name, tmp_path):
    """All carriers together, as a crawler would find them in the folder, resolve to the choice itself."""
    choice = parse_choice(name, TERMS)
    for each in publish(choice, SITE):
        if each.text:
            (tmp_path / each.file).parent.mkdir(exist_ok=True)
            (tmp_path / each.file).write_text(each.text, encoding="utf-8", newline="")
    if policy_of(choice, SITE):
        (tmp_path / POLICY).write_text(policy_of(choice, SITE), encoding="utf-8")
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "one.html").write_text("<!doctype html><p>a work", encoding="utf-8")
    answers = read_place(tmp_path, datetime(2026, 11, 22, tzinfo=UTC), options=Options())
    (answer,) = [each for each in answers if each.source.endswith("one.html")]
    read = {each.category: each.reading for each in answer.resolved}
    assert not answer.findings.problems
    wanted = {category: choice[category] for category in Category}
    if name == "paid-training":  # in a folder a policy has no address, so its reservation is read as the no that it is
        wanted |= {c: Reading.DENY for c in (Category.TDM, Category.TRAIN_GEN, Category.TRAIN_OTHER)}
    if name == "no-generative":  # a no to generative training alone: careful readers ask about other training
        wanted[Category.TRAIN_OTHER] = Reading.CONDITIONAL
    assert read == wanted
    assert (tmp_path / LICENCE).is_file() or name in ("no-generative",)


@given(choice=a_choice)
@settings(max_examples=300, deadline=None)
def test_what_no_carrier_can_say_is_told(choice):
    everything = publish(choice, SITE)
    for category in Category:
        said = any(category in each.says for each in everything)
        assert (category in unsaid(choice, everything)) == (category in choice.said and not said)
        for each in everything:
            if category in choice.said and category not in each.says:
                assert category.value in each.why


@pytest.mark.parametrize("text", ["", "maybe", "train.gen=perhaps", "train=deny", "no;yes", "train.gen=unknown"])
def test_what_is_no_choice_is_refused(text):
    with pytest.raises(DisclosureError, match=r"no choice|says nothing"):
        parse_choice(text)


def test_a_yes_on_terms_needs_the_terms():
    with pytest.raises(DisclosureError, match="terms"):
        parse_choice("paid-training")
    assert parse_choice("paid-training", TERMS)[Category.TDM] is Reading.CONDITIONAL


def test_a_later_part_of_a_choice_stands_over_an_earlier_one():
    choice = parse_choice("no,search=allow")
    assert choice[Category.SEARCH] is Reading.ALLOW and choice[Category.INDEX] is Reading.DENY


@pytest.mark.parametrize("path", ["art", "/a b", "/a*", "/a$", "/\n", '/"'])
def test_a_place_that_would_break_the_files_is_refused(path):
    with pytest.raises(DisclosureError, match="no path"):
        site_at("", path, "Ada")


@pytest.mark.parametrize("address", ["ada.example", "https://a b", 'https://a"', "https://a\r\nX: 1"])
def test_an_address_that_would_break_the_files_is_refused(address):
    with pytest.raises(DisclosureError, match="no address"):
        site_at(address, "/", "Ada")


@given(holder=st.text(max_size=30), terms=st.text(max_size=40).map(lambda text: f"https://x.example/{text}"))
@example(holder="\x00", terms="https://x.example/]]><license/>")
@settings(max_examples=200, deadline=None)
def test_hostile_names_and_terms_change_no_reading(holder, terms):
    choice = Choice(dict.fromkeys(Category, Reading.CONDITIONAL), terms)
    try:
        everything = [(each, read_back(each, choice, site_at("", "/", holder))) for each in publish(choice, SITE)]
    except DisclosureError as refused:
        assert refused.code == "published-misread"
        return
    for each, read in everything:
        assert all(read[category] is Reading.CONDITIONAL for category in each.says)


def test_strictness_is_the_order_of_the_readers():
    seen = resolve((), ())
    assert {each.reading for each in seen} == {Reading.UNKNOWN} and STRICTNESS[-1] is Reading.UNKNOWN
