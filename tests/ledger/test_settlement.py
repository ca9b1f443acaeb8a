import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPB, PPM, LedgerError, Manifest, ManifestEntry, RevenueEvent, Split, cluster_id
from byline.ledger import (
    COMMISSION,
    COMMONS,
    RESERVE,
    Basis,
    Prior,
    Stake,
    Unattributed,
    canonical_stakes,
    settle,
    settle_again,
)

sys.path.insert(0, str(Path(__file__).parent))
from drawn import worlds
from worlds import DAY, event, share_table, stakes, terms, world

many = settings(max_examples=25, deadline=None)


def by_account(settlement):
    sums = Counter()
    for line in settlement.lines:
        sums[line.account] += line.nano
    return sums


def by_cluster(settlement, basis=None):
    sums = Counter()
    for line in settlement.lines:
        if line.cluster and basis in (None, line.basis):
            sums[line.event, line.cluster] += line.nano
    return sums


def due(told, event, cluster, basis):
    """The rule of money of design.md section 6, in exact fractions."""
    policy = told["terms"].policy
    gross = event.nano
    net = gross - int(Fraction(gross * policy.commission_ppm, PPM)) - int(Fraction(gross * policy.reserve_ppm, PPM))
    tau, lam = Fraction(policy.train_share_ppm, PPM), Fraction(told["terms"].reliability.lambda_ppm, PPM)
    size = Counter(s.catalogue for s in told["stakes"])
    mass = {
        s.cluster: {
            Prior.EQUAL: Fraction(1),
            Prior.LENGTH: Fraction(s.length),
            Prior.CATALOGUE: Fraction(1, size[s.catalogue]),
        }[policy.prior]
        for s in told["stakes"]
    }
    prior = Fraction(mass[cluster], sum(mass.values()))
    capped = {name: min(Fraction(n, PPB), Fraction(policy.cap_ppm, PPM)) for name, n in told["shares"].ppb().items()}
    attribution = capped.get(cluster, Fraction(0))
    rest = 1 - sum(capped.values()) if policy.unattributed == "prior" else 0
    return {
        Basis.TRAINING: tau * net * prior,
        Basis.ATTRIBUTION: (1 - tau) * net * lam * attribution,
        Basis.PRIOR: (1 - tau) * net * ((1 - lam) + lam * rest) * prior,
    }[basis]


@many
@given(worlds())
def test_every_cluster_gets_what_the_rule_says_within_one_nano(told):
    settlement = settle(**told)
    for basis in (Basis.TRAINING, Basis.ATTRIBUTION, Basis.PRIOR):
        paid = by_cluster(settlement, basis)
        for revenue in told["events"]:
            for stake in told["stakes"]:
                assert abs(paid[revenue.id, stake.cluster] - due(told, revenue, stake.cluster, basis)) < 1


@many
@given(worlds())
def test_I2_I28_every_event_is_accounted_for_to_the_last_nano(told):
    settlement = settle(**told)
    for revenue in told["events"]:
        assert sum(line.nano for line in settlement.lines if line.event == revenue.id) == revenue.nano
    totals = settlement.totals()
    assert totals["received"] == totals["allocated"] + totals["held"] + totals["commission"]


def test_I15_a_split_over_the_whole_is_refused():
    told = world()
    over = Split("work:0.0", (("party:a", 600_000), ("party:b", 400_001)), DAY)
    assert refusal(told, splits=(over,)) == "bad-split"


@many
@given(worlds(), st.integers(0, 2**32).map(Random))
def test_I20_a_party_that_hands_its_works_to_puppets_gains_exactly_nothing(told, random):
    told = {**told, "splits": tuple(replace(s, lines=(("party:a", PPM),)) for s in told["splits"])}
    moved = tuple(replace(s, lines=((f"party:a{random.randrange(5)}", PPM),)) for s in told["splits"])

    def mine(settlement):
        return sum(x.nano for x in settlement.lines if x.account.startswith("payable:party:a"))

    assert mine(settle(**{**told, "splits": moved})) == mine(settle(**told))


def test_I21_the_canonical_work_carries_its_cluster():
    original, copy, other = "work:original", "work:copy", "work:other"
    cluster = cluster_id(original)
    entries = tuple(
        ManifestEntry(work, "00" * 32, c)
        for work, c in ((copy, cluster), (original, cluster), (other, cluster_id(other)))
    )
    manifest = Manifest("manifest:1", DAY, entries, (), "")
    found = {stake.cluster: stake for stake in canonical_stakes(manifest, {original: 10, copy: 99, other: 5})}
    assert found[cluster] == Stake(cluster, 10, ((original, 1),))
    assert found[cluster_id(other)].works == ((other, 1),)
    with pytest.raises(LedgerError) as fault:
        canonical_stakes(replace(manifest, entries=entries[:1]), {copy: 99})
    assert fault.value.code == "no-canonical-work"


def replace_amount(revenue, nano):
    return RevenueEvent.from_json({**revenue.to_json(), "amount_nano": str(nano)})


@many
@given(worlds())
def test_a_payment_taken_back_takes_back_exactly_what_it_gave(told):
    back = tuple(replace_amount(r, -r.nano) for r in told["events"])
    given_, taken = by_account(settle(**told)), by_account(settle(**{**told, "events": back}))
    assert taken == Counter({account: -nano for account, nano in given_.items()})


def test_the_unattributed_rest_goes_by_policy_to_the_prior_or_to_the_commons():
    told = world()
    commons = settle(**{**told, "terms": terms(unattributed=Unattributed.COMMONS)})
    expected = Fraction(930 * 10**9 * 8 * 6 * 349_999_999, 100 * PPB)
    assert abs(sum(x.nano for x in commons.lines if x.account == COMMONS and x.event == "event:1") - expected) < 1
    assert COMMONS not in by_account(settle(**told))


def test_a_settlement_by_hand():
    """1,000 units, no deductions, tau 0.2, lambda 0.5, one of two equal clusters influenced everything."""
    told = dict(
        events=(event(1000),),
        shares=share_table({"cluster:0": PPB}),
        stakes=stakes(2),
        splits=(Split("work:0.0", (("party:a", 750_000),), DAY),),
        terms=terms(500_000, commission_ppm=0, reserve_ppm=0, prior=Prior.LENGTH),
    )
    told["stakes"] = tuple(replace(stake, length=500) for stake in told["stakes"])
    assert by_account(settle(**told)) == {
        "payable:party:a": 525,  # 0.75 x (100 training + 400 attribution + 200 prior)
        "held:unclaimed:work:0.0": 175,
        "held:unclaimed:work:1.0": 300,
    }


def test_deductions_round_in_favour_of_contributors():
    settlement = settle(**{**world(), "events": (event(999),)})
    assert {a: n for a, n in by_account(settlement).items() if a in (COMMISSION, RESERVE)} == {
        COMMISSION: 49,
        RESERVE: 19,
    }


def refusal(told, **change):
    with pytest.raises(LedgerError) as fault:
        settle(**{**told, **change})
    return fault.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (dict(events=()), "no-events"),
        (dict(events=(event(), event())), "duplicate-event"),
        (dict(events=(event(), event(name="event:2", currency="USD"))), "mixed-currencies"),
        (dict(events=(RevenueEvent("event:1", "x", "12.50", "EUR", DAY),)), "bad-amount"),
        (dict(events=(RevenueEvent("event:1", "x", "-0", "EUR", DAY),)), "bad-amount"),
        (dict(events=(event(2**63),)), "bad-amount"),
        (dict(shares=share_table({}, unit="work")), "wrong-unit"),
        (dict(shares=share_table({}, run="run:2")), "reliability-mismatch"),
        (dict(shares=share_table({}, method="bm25")), "reliability-mismatch"),
        (dict(stakes=()), "bad-stake"),
        (dict(stakes=stakes(3) + stakes(1)), "bad-stake"),
        (dict(splits=(Split("work:0.0", (("a", PPM + 1), ("b", -1)), DAY),)), "bad-split"),
        (dict(splits=(Split("work:0.0", (), DAY), Split("work:0.0", (("a", 1),), DAY))), "bad-split"),
    ],
)
def test_inputs_that_cannot_be_settled(change, code):
    assert refusal(world(), **change) == code


@pytest.mark.parametrize("rates", [dict(commission_ppm=-1), dict(commission_ppm=600_000, reserve_ppm=400_001)])
def test_policies_that_cannot_be(rates):
    with pytest.raises(LedgerError) as fault:
        terms(**rates)
    assert fault.value.code == "bad-policy"


@pytest.mark.parametrize("works", [(), (("work:1", 0),), (("work:1", -1),), (("work:1", 1), ("work:1", 1))])
def test_stakes_that_cannot_be(works):
    with pytest.raises(LedgerError) as fault:
        Stake("cluster:1", 10, works)
    assert fault.value.code == "bad-stake"


def test_another_rule_is_refused():
    with pytest.raises(LedgerError) as fault:
        settle_again({**settle(**world()).inputs(), "rule": "byline-rule-0"})
    assert fault.value.code == "unknown-rule"
