"""Ways of settling other than the period's shares: per output, per payer, flat, toll, lump sum; contracts; dry runs."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPB, PPM, LedgerError, Party
from byline.ledger import (
    Basis,
    Contract,
    Mode,
    Outputs,
    Policy,
    Pooling,
    Prior,
    Settlement,
    Unattributed,
    Use,
    advance,
    agreed_terms,
    by_account,
    compare,
    contract_booking,
    dues,
    in_force,
    no_shares,
    own_commission,
    pooled_shares,
    settle,
    settle_again,
    statement,
    statement_faults,
    sum_outputs,
    what_if,
)

sys.path.insert(0, str(Path(__file__).parent))
from busy import CLUSTERS, by_use, of_outputs, output_block
from drawn import worlds
from worlds import DAY, event, share_table, stakes, terms, world


def code_of(call):
    with pytest.raises(LedgerError) as fault:
        call()
    return fault.value.code


def by_cluster(settlement, *bases):
    sums = Counter()
    for line in settlement.lines:
        if line.basis in bases:
            sums[line.cluster] += line.nano
    return sums


# --- per output and per payer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unattributed", Unattributed)
@pytest.mark.parametrize("prior", [Prior.EQUAL, Prior.LENGTH])
def test_a_settlement_of_outputs_pays_what_the_outputs_added_up_to(unattributed, prior):
    settlement = of_outputs(unattributed=unattributed, prior=prior)
    (sums,) = settlement.outputs
    attributed = {name: int(nano) for name, nano in sums.clusters}
    assert by_cluster(settlement, Basis.ATTRIBUTION) == attributed
    pools = int(sums.training_nano) + int(sums.prior_nano)
    pools += int(sums.unattributed_nano) if unattributed is Unattributed.PRIOR else 0
    assert sum(by_cluster(settlement, Basis.TRAINING, Basis.PRIOR).values()) == pools
    totals = settlement.totals()
    assert totals["received"] == totals["allocated"] + totals["held"] + totals["commission"]
    assert settle_again(settlement.inputs()) == settlement == Settlement.from_json(settlement.to_json())


def test_a_statement_of_outputs_flat_and_toll_adds_up_and_says_how():
    for settlement, word in (
        (of_outputs(), "50 outputs, each"),
        (by_use(Mode.FLAT, "event:f"), "× 1 / 2 ="),
        (by_use(Mode.TOLL, "event:t"), "× 1 / 4 ="),
    ):
        body = statement(Party("party:a", "A"), settlement, {})
        assert statement_faults(body) == []
        assert any(word in line["formula"] for line in body["lines"])


@pytest.mark.parametrize(
    "change",
    [
        lambda told, sums: (told, []),
        lambda told, sums: (told, [sums, sums]),
        lambda told, sums: ({**told, "events": (event(1, "event:outputs"),)}, [sums]),
        lambda told, sums: (told, [replace(sums, event="event:other")]),
        lambda told, sums: (told, [replace(sums, rates=(0, 0, 0, 0, 0))]),
        lambda told, sums: (told, [replace(sums, commission_nano="0")]),
        lambda told, sums: (told, [replace(sums, clusters=(*sums.clusters, ("cluster:0", "0")))]),
    ],
)
def test_outputs_that_do_not_match_their_payment(change):
    block = output_block()
    told = {**world(), "events": (event(int(block.nano_N.sum()), "event:outputs"),)}
    told["terms"] = terms(pooling=Pooling.PAYER)
    sums = sum_outputs("event:outputs", [block], CLUSTERS, told["terms"])
    assert settle(**told, outputs=[sums])
    changed, outputs = change(told, sums)
    assert code_of(lambda: settle(**changed, outputs=outputs)) == "outputs-differ"


def test_outputs_cannot_name_a_cluster_that_was_not_trained_on():
    block = output_block()
    told = {**world(), "events": (event(int(block.nano_N.sum()), "event:o"),), "stakes": stakes(2)}
    told["shares"] = share_table({})
    sums = sum_outputs("event:o", [block], CLUSTERS, told["terms"])
    assert code_of(lambda: settle(**told, outputs=[sums])) == "unknown-cluster"


@pytest.mark.parametrize(("pooling", "expected"), [(Pooling.PAYER, (10, 10)), (Pooling.POOLED, (18, 2))])
def test_two_payers_of_ten_each_payer_centric_and_pooled(pooling, expected):
    """900 outputs of one were influenced by A, 100 of the other by B (money.md 2.1)."""
    ppb = np.array([[PPB, 0]] * 900 + [[0, PPB]] * 100)
    owner = np.repeat([0, 1], [900, 100]) if pooling is Pooling.PAYER else np.zeros(1000, dtype=int)
    pooled = pooled_shares(ppb, owner, 2 if pooling is Pooling.PAYER else 1)
    rates = dict(commission_ppm=0, reserve_ppm=0, train_share_ppm=0, pooling=pooling)
    agreed = terms(PPM, **rates)
    payments = [("event:p0", 10**10), ("event:p1", 10**10)] if len(pooled) == 2 else [("event:p", 2 * 10**10)]
    sums = [
        sum_outputs(
            name, [Outputs(np.array([b"period"]), np.array([nano]), row[None, :])], ["cluster:0", "cluster:1"], agreed
        )
        for (name, nano), row in zip(payments, pooled, strict=True)
    ]
    events = tuple(event(nano, name) for name, nano in payments)
    settlement = settle(events, share_table({}), stakes(2), (), agreed, outputs=sums)
    paid = by_cluster(settlement, Basis.ATTRIBUTION)
    assert (paid["cluster:0"], paid["cluster:1"]) == tuple(10**9 * part for part in expected)


# --- flat, toll, lump sum, catalogues, caps -------------------------------------------------------------------


def test_flat_money_is_the_same_for_every_named_work_and_a_copy_adds_nothing():
    agreed = agreed_terms(terms(mode=Mode.FLAT, commission_ppm=0, reserve_ppm=0).policy)
    told = dict(
        events=(event(3000, "event:1"),), shares=no_shares("x"), stakes=stakes(3, works=2), splits=(), terms=agreed
    )
    named = [Use("event:1", f"work:{c}.0") for c in range(3)]
    expected = {f"held:unclaimed:work:{c}.0": 1000 for c in range(3)}
    assert by_account(settle(**told, uses=named)) == expected
    assert by_account(settle(**told, uses=[*named, Use("event:1", "work:0.1")])) == expected


def test_a_toll_goes_by_requests():
    agreed = agreed_terms(terms(mode=Mode.TOLL, commission_ppm=100_000, reserve_ppm=0).policy)
    told = dict(events=(event(1000, "event:1"),), shares=no_shares("x"), stakes=stakes(2), splits=(), terms=agreed)
    paid = by_account(settle(**told, uses=[Use("event:1", "work:0.0", 7), Use("event:1", "work:1.0", 2)]))
    assert paid == {"income:commission": 100, "held:unclaimed:work:0.0": 700, "held:unclaimed:work:1.0": 200}


@pytest.mark.parametrize(
    "uses",
    [
        [],
        [Use("event:other", "work:0.0")],
        [Use("event:1", "work:none")],
        [Use("event:1", "work:0.0"), Use("event:1", "work:0.0")],
    ],
)
def test_works_that_cannot_be_named(uses):
    told = {**world(), "events": (event(),)}
    told |= dict(shares=no_shares("x"), terms=agreed_terms(terms(mode=Mode.TOLL).policy))
    assert code_of(lambda: settle(**told, uses=uses)) == "bad-use"


def test_works_are_named_only_where_the_policy_asks_for_them():
    assert code_of(lambda: settle(**world(), uses=[Use("event:1", "work:0.0")])) == "bad-use"
    assert code_of(lambda: Use("event:1", "work:0.0", 0)) == "bad-use"


def test_a_lump_sum_for_training_goes_by_the_prior_alone():
    agreed = agreed_terms(terms(train_share_ppm=PPM, commission_ppm=0, reserve_ppm=0).policy)
    settlement = settle((event(3000),), no_shares("x"), stakes(3), (), agreed)
    assert by_cluster(settlement, Basis.TRAINING) == {f"cluster:{c}": 1000 for c in range(3)}
    assert {line.basis for line in settlement.lines} == {Basis.TRAINING}


def test_catalogues_share_equally_however_many_works_they_have():
    agreed = agreed_terms(terms(train_share_ppm=PPM, prior=Prior.CATALOGUE, commission_ppm=0, reserve_ppm=0).policy)
    owned = tuple(replace(s, catalogue="big" if c else "small") for c, s in enumerate(stakes(4)))
    paid = by_cluster(settle((event(6000),), no_shares("x"), owned, (), agreed), Basis.TRAINING)
    assert paid == {"cluster:0": 3000, "cluster:1": 1000, "cluster:2": 1000, "cluster:3": 1000}
    assert code_of(lambda: settle((event(6000),), no_shares("x"), stakes(4), (), agreed)) == "bad-stake"


def test_a_cap_sends_what_it_cuts_off_where_the_unattributed_goes():
    told = {**world(), "shares": share_table({"cluster:0": 900_000_000, "cluster:1": 100_000_000})}
    rates = dict(commission_ppm=0, reserve_ppm=0, train_share_ppm=0, unattributed=Unattributed.COMMONS)
    told["terms"], told["events"] = terms(PPM, cap_ppm=250_000, **rates), (event(1000),)
    settlement = settle(**told)
    assert by_cluster(settlement, Basis.ATTRIBUTION) == {"cluster:0": 250, "cluster:1": 100}
    assert by_account(settlement)["held:commons"] == 650


# --- records that have grown ----------------------------------------------------------------------------------


def test_policies_and_settlements_of_before_keep_their_json_and_their_ids():
    policy = terms().policy
    assert set(policy.to_json()) == {
        "id",
        "version",
        "effective",
        "commission_ppm",
        "reserve_ppm",
        "train_share_ppm",
        "prior",
        "unattributed",
    }
    assert set(settle(**world()).inputs()) == {"rule", "events", "shares", "stakes", "splits", "terms"}
    assert settle(**world()).id == "settlement:cd0268a503dd0f8f2ac2"  # as made before there were modes
    assert policy.digest() == "5e5e0979624b9033c6cd3ee44e4f5608f537f571a04478c0333cdcf0bb3c19a5"
    capped = replace(policy, cap_ppm=5)
    assert capped.to_json()["cap_ppm"] == 5 and capped.digest() != policy.digest()
    assert Policy.from_json(capped.to_json()) == capped


@pytest.mark.parametrize("change", [dict(cap_ppm=-1), dict(recoup_ppm=PPM + 1), dict(guarantee_from="payable:party:a")])
def test_policies_that_cannot_be(change):
    assert code_of(lambda: terms(**change)) == "bad-policy"


# --- contracts ------------------------------------------------------------------------------------------------


def contracts_of(*told):
    return [Contract(f"c:{party}", 1, f"party:{party}", DAY - timedelta(9), "EUR", **rest) for party, rest in told]


def test_contracts_by_hand():
    """a: 2 % commission instead of 5 %; b: the best rate anybody has, and at least 400 units; both with an advance."""
    settled = settle(**{**world(), "terms": terms(recoup_ppm=500_000)})
    earned = by_account(settled)
    found = {
        due.party: due
        for due in dues(
            [settled],
            contracts_of(
                ("a", dict(commission_ppm=20_000)), ("b", dict(favoured=True, guarantee_nano=str(400 * 10**9)))
            ),
            {"party:a": 10**15, "party:b": 1},
            DAY,
        )
    }
    a, b = found["party:a"], found["party:b"]
    assert (a.commission_ppm, b.commission_ppm) == (20_000, 20_000)
    rebate = earned["payable:party:a"] * 30_000 // 930_000  # of what is left after 5 % and 2 %, the gross is 1 / 0.93
    assert int(a.rebate_nano) == rebate
    assert int(a.recouped_nano) == (earned["payable:party:a"] + rebate) // 2
    assert int(b.earned_nano) + int(b.rebate_nano) + int(b.top_up_nano) == 400 * 10**9
    assert b.recouped_nano == "1"
    booking = contract_booking(list(found.values()), settled.terms.policy, "EUR", DAY, "q3")
    booking.refuse_if_wrong()
    (moved,) = booking.postings
    assert sum(moved.moves().values()) == 0
    assert moved.moves()["income:commission"] == sum(int(d.rebate_nano) + int(d.top_up_nano) for d in (a, b))


@settings(max_examples=40, deadline=None)
@given(
    worlds(), st.lists(st.tuples(st.integers(0, PPM), st.booleans(), st.integers(0, 10**12)), min_size=6, max_size=6)
)
def test_contracts_take_from_nobody_but_the_operator_and_pay_back_at_most_the_advance(told, drawn):
    told = {**told, "events": tuple(event(abs(r.nano) // 1000, r.id, r.received) for r in told["events"])}
    settled = settle(**told)
    policy = settled.terms.policy
    contracts = contracts_of(
        *((p, dict(commission_ppm=c, favoured=f)) for p, (c, f, _) in zip("abcdef", drawn, strict=True))
    )
    advances = {f"party:{p}": lent for p, (_, _, lent) in zip("abcdef", drawn, strict=True)}
    found = dues([settled], contracts, advances, DAY)
    rebates = sum(int(due.rebate_nano) for due in found)
    assert 0 <= rebates <= settled.totals()["commission"] + 2 * len(told["events"])
    best = min(policy.commission_ppm, *(c for c, _, _ in drawn))
    for due, (own, favoured, lent) in zip(found, drawn, strict=True):
        assert due.commission_ppm == (best if favoured else min(own, policy.commission_ppm))
        earned = max(0, int(due.earned_nano) + int(due.rebate_nano))
        assert 0 <= int(due.recouped_nano) <= min(lent, Fraction(earned * policy.recoup_ppm, PPM))


def test_the_latest_contract_in_force_counts_and_an_advance_needs_none():
    old, new = contracts_of(("a", dict(commission_ppm=1)))[0], contracts_of(("a", dict(commission_ppm=2)))[0]
    new = replace(new, effective=DAY, version=2)
    other = replace(old, currency="USD")
    assert in_force([new, old, other], DAY, "EUR") == {"party:a": new}
    assert in_force([new, old, other], DAY - timedelta(1), "EUR") == {"party:a": old}
    assert own_commission(old, {"party:a": old}, terms().policy) == 1
    (due,) = dues([settle(**world())], [], {"party:a": 5}, DAY)
    assert (due.recouped_nano, due.contract) == ("5", "")


def test_contracts_that_cannot_be():
    settled = settle(**world())
    usd = settle(**{**world(), "events": (event(currency="USD"),)})
    other = settle(**{**world(), "terms": terms(version=2)})
    assert code_of(lambda: dues([settled, usd], [], {}, DAY)) == "mixed-currencies"
    assert code_of(lambda: dues([settled, other], [], {}, DAY)) == "mixed-policies"
    assert code_of(lambda: contract_booking([], settled.terms.policy, "EUR", DAY, "q3")) == "bad-contract"
    assert code_of(lambda: contracts_of(("a", dict(commission_ppm=-1)))) == "bad-contract"
    assert code_of(lambda: advance("party:a", 0, "EUR", DAY, "c")) == "bad-amount"


# --- dry runs -------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_each_payee_before_and_after():
    now = settle(**world())
    changes = {each.account: each for each in compare(now, what_if(now, replace(now.terms.policy, commission_ppm=0)))}
    assert changes["income:commission"].after_nano == "0"
    assert changes["payable:party:a"].nano > 0
    assert sum(each.nano for each in changes.values()) == 0


def test_dry_runs_that_cannot_be():
    outputs = of_outputs()
    assert code_of(lambda: what_if(outputs, replace(outputs.terms.policy, commission_ppm=0))) == "outputs-differ"
    assert code_of(lambda: compare(outputs, settle(**world()))) == "not-comparable"
