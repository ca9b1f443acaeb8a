"""What votes bring about: offers read back as a crawler does, impacts that add up, documents that are refused."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cooperatives import DAY, EVIDENCE, MEMBERS, joined, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.app.coop_effects import read_back
from byline.cooperative import (
    OTHERS,
    Cooperative,
    Covered,
    Effect,
    Fate,
    MemberClass,
    Membership,
    Offer,
    Proposal,
    Rule,
    Statutes,
    Step,
    covered,
    fate_impact,
    option,
    policy_impact,
    rsl,
    work_url,
    year_accounts,
)
from byline.core import Contribution, CooperativeError, Role, Work
from byline.ledger import Entry, Unclaimed, by_account, payable, settle, what_if

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from worlds import terms, world

OFFER = Offer(
    ("ai-train", "search"), "training", "0.02", "EUR", "https://coop.example/licence?a=1&b=2", ("provenance",)
)
NOW = datetime(2026, 9, 1, tzinfo=UTC)
BASE = "https://coop.example/works"


def work(number, *parties, source=""):
    parts = tuple(Contribution(party, Role.AUTHOR) for party in parties)
    return Work(f"work:{number}", f"Work {number}", "text", "account:a", parts, DAY, source, "", "ab" * 32)


def code_of(what, *args, **named):
    with pytest.raises(CooperativeError) as refused:
        what(*args, **named)
    return refused.value.code


# --- offers ---------------------------------------------------------------------------------------------------


def test_an_offer_is_read_back_as_a_condition_and_a_no_as_a_no():
    works = [
        work(1, "party:a"),
        work(2, "party:a", "party:b", source="https://books.example/2?<&>"),
        work(3, "party:a", source="https://books.example/3"),
        work(4, "party:a", "party:stranger"),
    ]
    place = covered(works, ["party:a", "party:b"], ["work:3"])
    assert place == Covered(("work:1", "work:2"), ("work:3",), ("work:4",))
    body = rsl(OFFER, place, works, BASE)
    said = {each.id: read_back(body, work_url(each, BASE), NOW) for each in works}
    assert said == {"work:1": "conditional", "work:2": "conditional", "work:3": "deny", "work:4": "unknown"}


def test_the_duties_of_an_offer_are_its_price_and_its_report():
    from byline.gate.signals import Target, read_rsl

    offered = work(1, "party:a")
    body = rsl(OFFER, Covered(("work:1",), (), ()), [offered], BASE)
    (seen,) = read_rsl(body, Target("offer", NOW, work_url(offered, BASE))).observations
    assert seen.duties == ("payment: training 0.02 EUR", f"report provenance to {OFFER.terms}")


@settings(max_examples=500, deadline=None)
@given(
    members=st.sets(st.integers(0, 5)),
    made=st.lists(st.sets(st.integers(0, 7), min_size=1), max_size=8),
    no=st.sets(st.integers(0, 8)),
)
def test_i18_no_offer_covers_what_a_member_said_no_for(members, made, no):
    works = [work(number, *(f"party:{p}" for p in parties)) for number, parties in enumerate(made)]
    place = covered(works, {f"party:{m}" for m in members}, {f"work:{n}" for n in no})
    assert not set(place.offered) & {f"work:{n}" for n in no}
    assert all(made[int(name[5:])] <= members for name in place.offered)
    assert sorted([*place.offered, *place.refused, *place.outside]) == sorted(each.id for each in works)


@pytest.mark.parametrize(
    "over",
    [
        {"permits": ()},
        {"permits": ("train-ai",)},
        {"payment": "gift"},
        {"amount": "two"},
        {"amount": "-1"},
        {"currency": "euro"},
        {"payment": "free"},
        {"terms": "http://coop.example"},
        {"terms": "https://coop.example/\n"},
        {"reports": ("everything",)},
    ],
)
def test_an_offer_that_nobody_can_read_is_refused(over):
    fields = {name: list(v) if isinstance(v, tuple) else v for name, v in {**OFFER.to_json(), **over}.items()}
    assert code_of(option, "offer", Effect.OFFER, fields) == "bad-document"


def test_works_need_an_address():
    assert code_of(rsl, OFFER, Covered((), (), ()), [], "coop.example") == "bad-offer"


# --- records --------------------------------------------------------------------------------------------------


def test_records_round_trip():
    rules = tuple(Rule(effect, 200_000, 500_000, 2, 5) for effect in Effect)
    statutes = Statutes(1, DAY, rules, (MemberClass.PERSON,), 3)
    made = option("a", Effect.POLICY, policy().to_json())
    records = [
        OFFER,
        Fate("members", ("work:1",)),
        statutes,
        Cooperative("Readers", "main", DAY, statutes),
        joined(MEMBERS[0]),
        Proposal("cooperative:1", "Title", "Text", Effect.POLICY, (made,), "ab" * 32, DAY, DAY, date(2026, 4, 1)),
    ]
    for record in records:
        assert type(record).from_json(record.to_json()) == record


def test_what_is_wrong_is_refused():
    rule = Rule(Effect.POLICY, 200_000, 500_000, 2, 5)
    assert code_of(Rule, Effect.POLICY, 0, 500_000, 0, 1) == "bad-statutes"
    assert code_of(Rule, Effect.POLICY, 1, 499_999, 0, 1) == "bad-statutes"  # less than half is no majority
    assert code_of(Rule, Effect.POLICY, 1, 500_000, 0, 0) == "bad-statutes"
    assert code_of(Statutes, 1, DAY, (rule,), (MemberClass.PERSON,), 3) == "bad-statutes"
    assert code_of(Fate, "operator") == "bad-fate"
    assert code_of(option, "x", Effect.UNCLAIMED, {"to": "operator", "works": []}) == "bad-document"
    assert code_of(option, "x", Effect.POLICY, {"id": 1}) == "bad-document"
    assert code_of(option, "x", Effect.POLICY, []) == "bad-document"
    fields = ("coop", "party:a", Step.JOINED, MemberClass.PERSON, DAY)
    assert code_of(Membership, *fields, " ", EVIDENCE) == "no-evidence"
    assert code_of(Membership, *fields, "board", "passport.pdf") == "no-evidence"
    made = option("none of these", Effect.POLICY, policy().to_json())
    rest = ("ab" * 32, DAY, DAY, date(2026, 4, 1))
    assert code_of(Proposal, "c", "Title", "Text", Effect.POLICY, (made,), *rest) == "bad-proposal"
    assert code_of(Proposal, "c", "Title", "Text", Effect.POLICY, (), *rest) == "bad-proposal"


# --- impact ---------------------------------------------------------------------------------------------------

PPM_TAUS = st.integers(0, 1_000_000)


@settings(max_examples=500, deadline=None)
@given(tau=PPM_TAUS, commission=st.integers(0, 500_000), reserve=st.integers(0, 500_000), prior=st.booleans())
def test_i33_what_was_shown_before_the_vote_is_what_the_run_gives(tau, commission, reserve, prior):
    """The dry run of a policy on a period's data equals a settlement of that data under it; changes add up to zero."""
    over = dict(train_share_ppm=tau, commission_ppm=commission, reserve_ppm=reserve)
    proposed = terms(**over, **({"prior": "by-length"} if prior else {})).policy
    done = settle(**world())
    members = ["party:a", "party:none"]
    shown = policy_impact(done, proposed, members)
    real = by_account(settle(**{**world(), "terms": terms(**over, **({"prior": "by-length"} if prior else {}))}))
    after = {one.who: int(one.after_nano) for one in shown}
    assert after["party:a"] == real[payable("party:a")] == by_account(what_if(done, proposed))[payable("party:a")]
    assert after["party:none"] == 0 and OTHERS in after
    assert sum(one.nano for one in shown) == 0
    assert sum(after.values()) == sum(event.nano for event in done.events)


@given(st.lists(st.integers(1, 10**15), max_size=6), st.integers(1, 7))
def test_the_fate_of_money_gives_all_of_it_away_and_evenly(amounts, members):
    waiting = [Unclaimed(f"work:{n}", "", str(nano), "EUR", DAY) for n, nano in enumerate(amounts)]
    shown = fate_impact(waiting, "members", [f"party:{n}" for n in range(members)])
    got = [int(one.after_nano) for one in shown]
    assert sum(got) == sum(amounts) and max(got) - min(got) <= len(amounts)
    (commons,) = fate_impact(waiting, "commons", ["party:1"])[:1] if waiting else [None]
    assert commons is None or commons.who in ("held:commons", "party:1")


# --- the yearly report ----------------------------------------------------------------------------------------


def entry(seq, day, legs, currency="EUR"):
    told = tuple((name, str(nano)) for name, nano in sorted(legs.items()))
    return Entry(seq, f"run:{seq}", f"ref:{seq}", day, NOW, currency, told)


ACCOUNTS = ["assets:bank", "assets:advance:party:a", "payable:party:a", "payable:party:b", "held:unclaimed:work:1",
            "held:commons", "held:reserve", "held:dispute:1:party:a", "income:commission", "equity:fx"]  # fmt: skip


LEGS = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.integers(-(10**12), 10**12)), max_size=4)


@given(st.lists(st.tuples(st.integers(2024, 2027), LEGS), max_size=12))
def test_the_report_adds_up_for_any_journal_that_does(drawn):
    entries = []
    for seq, (year, moves) in enumerate(drawn, 1):
        legs = dict(moves)
        legs["assets:receivable"] = -sum(legs.values())
        entries.append(entry(seq, date(year, 6, 1), legs))
    accounts = year_accounts(entries, "EUR", date(2025, 1, 1), date(2026, 12, 31))
    flows = {flow.kind: flow for flow in accounts.flows}
    for flow in accounts.flows:
        assert int(flow.opening_nano) + int(flow.in_nano) - int(flow.out_nano) == int(flow.closing_nano)
    received = flows.pop("received", None)
    assert accounts.closing("received") == sum(int(flow.closing_nano) for flow in flows.values())
    assert received is None or int(received.opening_nano) == sum(int(flow.opening_nano) for flow in flows.values())


ASSETS = {"assets:receivable": 100, "payable:a": -80, "held:reserve": -10}


def test_what_a_year_was():
    entries = [
        entry(1, date(2025, 5, 1), ASSETS | {"income:commission": -10}),
        entry(2, date(2026, 2, 1), {"assets:receivable": 50, "payable:a": -30, "held:unclaimed:work:1": -20}),
        entry(3, date(2026, 3, 1), {"payable:a": 60, "assets:clearing:payouts": -60}),
        entry(4, date(2026, 4, 1), {"assets:clearing:payouts": 60, "assets:bank": -60}),
        entry(5, date(2027, 1, 1), {"assets:receivable": 7, "payable:a": -7}),
        entry(6, date(2026, 4, 1), {"assets:receivable": 7, "payable:a": -7}, "USD"),
    ]  # fmt: skip
    told = {flow.kind: flow for flow in year_accounts(entries, "EUR", date(2026, 1, 1), date(2026, 12, 31)).flows}
    numbers = {kind: tuple(int(n) for n in list(flow.to_json().values())[1:]) for kind, flow in told.items()}
    assert numbers == {
        "received": (100, 50, 0, 150),
        "paid out or on its way": (0, 60, 0, 60),
        "due to rightholders": (80, 30, 60, 50),
        "unclaimed": (0, 20, 0, 20),
        "reserve": (10, 0, 0, 10),
        "costs (commission)": (10, 0, 0, 10),
    }


def test_a_journal_that_does_not_add_up_is_not_reported():
    off = [entry(1, DAY, {"assets:receivable": 5, "payable:a": -4})]
    assert code_of(year_accounts, off, "EUR", DAY, DAY) == "report-off"
