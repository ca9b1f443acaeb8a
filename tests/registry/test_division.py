"""Who holds a work on a day: claims, disputes, merged names, heirs; against a slow reading of the same rules."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPM, Contribution, RegistryError, Role, Split, Work
from byline.registry import (
    Claim,
    Dispute,
    Ground,
    Identity,
    Known,
    Merge,
    Resolution,
    Succession,
    Withdrawal,
    concede,
    divide_work,
    record_id,
    role_split,
)
from byline.registry.people import KINDS

DAY = date(2026, 1, 1)
PROOF = "ab" * 32


def work(**roles):
    parts = tuple(Contribution(f"party:{name}", Role(role)) for name, role in roles.items())
    return Work("work:1", "The Work", "text", "account:1", parts, DAY, "", "", "0" * 64)


def split(agreed=True, effective=DAY, **percent):
    lines = tuple((f"party:{name}", part * PPM // 100) for name, part in percent.items())
    return Split("work:1", lines, effective, agreed)


def percent(division):
    whole = dict(division.lines)
    held = {hold.id.split(":")[0]: hold.ppm / PPM * 100 for hold in division.holds}
    return {party.removeprefix("party:"): ppm / PPM * 100 for party, ppm in whole.items()}, held


def claim(name, part, **over):
    return Claim(**{"party": f"party:{name}", "work": "work:1", "ppm": part * PPM // 100, "effective": DAY,
                    "evidence_sha256": PROOF, **over})  # fmt: skip


def dispute(name, part, by="eve", **over):
    fields = dict(work="work:1", party=f"party:{name}", claimant=f"party:{by}", ppm=part * PPM // 100)
    return Dispute(**{**fields, "ground": Ground.SHARE, "effective": DAY, "evidence_sha256": PROOF, **over})


def succession(name, effective=DAY, **heirs):
    lines = tuple((f"party:{heir}", part * PPM // 100) for heir, part in heirs.items())
    return Succession(f"party:{name}", lines, effective, PROOF, ("Reviewer One", "Reviewer Two"))


def divided(records, of=None, by=None, on=DAY):
    of, by = of or work(conrad="author", ford="author"), by or split(False, conrad=50, ford=50)
    return divide_work(of, by, Known(tuple(records)), on)


def test_conrad_and_ford_claim_140_percent_and_only_40_wait():
    division = divided([claim("conrad", 80), claim("ford", 60)])
    assert percent(division) == ({"conrad": 40, "ford": 20}, {"overlap": 40})
    assert division.unclaimed_ppm == 0 and division.holds[0].between == ("party:conrad", "party:ford")
    withdrawn = Withdrawal(record_id(claim("conrad", 80)), DAY, "Reviewer")
    left = divided([claim("conrad", 80), claim("ford", 60), withdrawn])
    assert percent(left) == ({"conrad": 40, "ford": 50}, {"overlap": 10})  # ford's 60 beside the default of 50
    later = [claim("conrad", 80), claim("ford", 60), claim("conrad", 40)]
    assert percent(divided(later)) == ({"conrad": 40, "ford": 60}, {})


def test_a_withdrawn_claim_leaves_the_default():
    records = [claim("conrad", 80), Withdrawal(record_id(claim("conrad", 80)), DAY, "Reviewer")]
    assert percent(divided(records)) == ({"conrad": 50, "ford": 50}, {})


@settings(max_examples=100, deadline=None)
@given(st.integers(0, PPM), st.dictionaries(st.sampled_from("abcde"), st.integers(0, PPM), min_size=1))
def test_each_claimant_gets_what_is_left_if_all_others_are_right(whole, claims):
    paid, contested = concede(whole, claims)
    total = sum(claims.values())
    assert sum(paid.values()) + contested == (total if total <= whole else whole) and contested >= 0
    for party, ppm in claims.items():
        others = total - ppm
        assert paid[party] == (ppm if total <= whole else max(0, whole - others)) <= ppm
    if len(claims) == 2 and total > whole:
        assert contested == min(whole, *claims.values(), total - whole)


def test_i16_a_dispute_holds_exactly_its_slice_and_a_decision_gives_it_away():
    agreed, open_one = split(conrad=70, ford=20), dispute("conrad", 30)
    held = divided([open_one], by=agreed)
    assert percent(held) == ({"conrad": 40, "ford": 20}, {"dispute": 30}) and held.unclaimed_ppm == PPM // 10
    lines = (("party:eve", 600_000), ("party:conrad", 400_000))
    decided = Resolution(open_one.id, lines, DAY + timedelta(90), "Arbiter", PROOF)
    assert percent(divided([open_one, decided], by=agreed)) == ({"conrad": 52, "ford": 20, "eve": 18}, {})
    assert percent(divided([open_one], by=agreed, on=DAY - timedelta(1))) == ({"conrad": 70, "ford": 20}, {})
    too_much = dispute("ford", 100)
    assert percent(divided([too_much], by=agreed)) == ({"conrad": 70}, {"dispute": 20})
    assert divided([dispute("nobody", 10)], by=agreed).holds == ()


def test_a_stranger_s_claim_is_heard_when_a_reviewer_admits_it_and_never_breaks_an_agreement():
    loud = claim("stranger", 100)
    assert percent(divided([loud])) == ({"conrad": 50, "ford": 50}, {})
    admitted = replace(loud, admitted_by="Reviewer")
    assert percent(divided([admitted])) == ({}, {"overlap": 100})
    agreed = split(conrad=60, ford=10)
    fits = claim("stranger", 30, admitted_by="Reviewer")
    assert percent(divided([fits], by=agreed)) == ({"conrad": 60, "ford": 10, "stranger": 30}, {})


def test_a_claim_above_what_an_agreement_leaves_open_gets_what_is_open():
    agreed = split(conrad=60, ford=10)
    greedy = claim("stranger", 50, admitted_by="Reviewer")
    assert percent(divided([greedy], by=agreed)) == ({"conrad": 60, "ford": 10, "stranger": 30}, {})


def test_a_hospital_inherits_from_a_day_on_and_so_do_heirs_of_heirs():
    barrie, day = work(barrie="author"), DAY + timedelta(10)
    records = [succession("barrie", day, hospital=100)]
    before, after = (divided(records, barrie, split(barrie=100), on) for on in (day - timedelta(1), day))
    assert percent(before) == ({"barrie": 100}, {}) and percent(after) == ({"hospital": 100}, {})
    records = [succession("barrie", day, ann=50, bob=25), succession("ann", day, cid=33, dot=67)]
    division = divided(records, barrie, split(barrie=100), day)
    assert percent(division) == ({"cid": 16.5, "dot": 33.5, "bob": 25}, {}) and division.unclaimed_ppm == PPM // 4
    records.append(succession("barrie", day + timedelta(5), eve=100))
    assert percent(divided(records, barrie, split(barrie=100), day))[0] == percent(division)[0]
    assert percent(divided(records, barrie, split(barrie=100), day + timedelta(5)))[0] == {"eve": 100}


def test_heirs_get_every_part_per_million():
    records = [succession("barrie", DAY, a=33, b=33, c=34), succession("a", DAY, d=50, b=50)]
    division = divided(records, work(barrie="author"), replace(split(), lines=(("party:barrie", 999_983),)))
    assert sum(ppm for _, ppm in division.lines) == 999_983 and division.unclaimed_ppm == 17


def test_circles_of_heirs_and_of_names_are_refused():
    with pytest.raises(RegistryError) as caught:
        divided([succession("conrad", ford=100), succession("ford", conrad=100)])
    assert caught.value.code == "circular-succession"
    with pytest.raises(RegistryError) as caught:
        divided([_merge("conrad", "ford"), _merge("ford", "conrad")])
    assert caught.value.code == "circular-merge"


def _merge(alias, into, effective=DAY):
    return Merge(f"party:{alias}", into and f"party:{into}", effective, "Reviewer", PROOF)


def test_a_pen_name_found_to_be_somebody_is_paid_as_them_until_it_is_found_not_to_be():
    two = work(korzeniowski="author", ford="author")
    merged = [_merge("korzeniowski", "conrad"), _merge("conrad", "jc", DAY + timedelta(5))]
    half = split(False, korzeniowski=50, ford=50)
    assert percent(divided(merged, two, half)) == ({"conrad": 50, "ford": 50}, {})
    assert percent(divided(merged, two, half, DAY + timedelta(5))) == ({"jc": 50, "ford": 50}, {})
    undone = [*merged, _merge("korzeniowski", None, DAY + timedelta(9))]
    assert percent(divided(undone, two, half, DAY + timedelta(9)))[0] == {"korzeniowski": 50, "ford": 50}
    both = [_merge("korzeniowski", "ford"), claim("korzeniowski", 60), claim("ford", 90)]
    assert percent(divided(both, two, half)) == ({"ford": 90}, {})  # one person claims once
    dead = [_merge("korzeniowski", "conrad"), succession("korzeniowski", estate=100), _merge("estate", "trust")]
    assert percent(divided(dead, two, half))[0] == {"trust": 50, "ford": 50}


def test_author_and_translator_by_the_table_of_roles():
    three = work(dostoevsky="author", garnett="translator", other="translator")
    made = role_split(three, {Role.AUTHOR: 1, Role.TRANSLATOR: 1}, DAY)
    assert dict(made.lines) == {"party:dostoevsky": 500_000, "party:garnett": 250_000, "party:other": 250_000}
    assert (
        not made.agreed
        and sum(ppm for _, ppm in role_split(three, {Role.AUTHOR: 2, Role.TRANSLATOR: 1}, DAY).lines) == PPM
    )
    with pytest.raises(RegistryError, match="translator"):
        role_split(three, {Role.AUTHOR: 1}, DAY)


RECORDS = st.lists(
    st.one_of(
        st.builds(claim, st.sampled_from("abcx"), st.integers(1, 100), admitted_by=st.sampled_from(["", "R"])),
        st.builds(dispute, st.sampled_from("abc"), st.integers(1, 100), st.sampled_from("abx")),
        st.builds(_merge, st.sampled_from("abc"), st.sampled_from("vw")),
        st.builds(
            lambda n, h, p: succession(n, **{h: p}), st.sampled_from("abx"), st.sampled_from("yz"), st.integers(1, 100)
        ),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.booleans(), st.lists(st.integers(0, 33), min_size=3, max_size=3))
def test_i15_shares_holds_and_the_unclaimed_rest_are_the_whole_work(records, agreed, parts):
    by = split(agreed, **{name: part for name, part in zip("abc", parts, strict=True) if part})
    division = divided(records, work(a="author", b="author", c="editor"), by)
    lines = [ppm for _, ppm in division.lines]
    assert sum(lines) + sum(hold.ppm for hold in division.holds) + division.unclaimed_ppm == PPM
    assert (
        all(ppm > 0 for ppm in lines) and all(hold.ppm > 0 for hold in division.holds) and division.unclaimed_ppm >= 0
    )
    assert division == type(division).from_json(division.to_json())
    assert division.split().lines == division.lines


@pytest.mark.parametrize(
    "record",
    [claim("a", 5), dispute("a", 5), succession("a", b=100), _merge("a", "b"), _merge("a", None),
     Identity("party:a", "IPI", "00052210040", DAY, PROOF), Withdrawal("claim:1", DAY, "R"),
     Resolution("dispute:1", (("party:a", PPM),), DAY, "R", PROOF)],
    ids=lambda record: record.KIND,
)  # fmt: skip
def test_records_survive_json(record):
    assert KINDS[record.KIND].from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: claim("a", 0), "bad-share"),
        (lambda: claim("a", 101), "bad-share"),
        (lambda: claim("a", 5, evidence_sha256="trust me"), "no-evidence"),
        (lambda: succession("a", b=60, c=60), "bad-share"),
        (lambda: succession("a", a=100), "bad-decision"),
        (lambda: replace(succession("a", b=100), approved_by=("One", "One ")), "bad-decision"),
        (lambda: _merge("a", "a"), "bad-decision"),
        (lambda: replace(_merge("a", "b"), decided_by=" "), "bad-decision"),
        (lambda: Resolution("dispute:1", (("party:a", 5),), DAY, "R", PROOF), "bad-decision"),
        (lambda: Identity("party:a", "IPI", "00052210041", DAY, PROOF), "bad-identifier"),
    ],
)
def test_records_without_evidence_or_sense_are_refused(make, code):
    with pytest.raises(RegistryError) as caught:
        make()
    assert caught.value.code == code
