"""The invariants of money that concern allocation and the journal, by their numbers in the reference, as properties.

I6 is in test_payout, I7, I22, I25, I29, I30 and I31 in test_invariants_audit, I18 and I32 in tests/cooperative, and
test_invariant_list sees to it that none is missing. I3, I25 and I30 also stand, against slow loops and other programs,
in test_outputs and test_export.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from byline.core import (
    PPB,
    PPM,
    LedgerError,
    Split,
    canonical_json,
    consistency_proof,
    merkle_root,
    verify_consistency,
)
from byline.ledger import (
    COMMISSION,
    RECEIVABLE,
    Basis,
    Outputs,
    Settlement,
    allocate,
    by_account,
    claim,
    compare,
    contested,
    hold,
    open_journal,
    payable,
    release,
    settle,
    settle_again,
    statement,
    sum_outputs,
    unclaimed,
    what_if,
)
from byline.ledger.entry import postings_of
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from drawn import splits_of, worlds
from invariants import invariant
from worlds import DAY, event, share_table, terms

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)
LATER = DAY + timedelta(60)
seeds = st.integers(0, 2**32)


@cache
def empty_database():
    """The bytes of a journal with nothing in it: to make one anew for each example takes longer than to use it."""
    with TemporaryDirectory() as folder:
        engine = open_database(Path(folder) / "journal.db")
        open_journal(engine)
        engine.dispose()  # the last connection to close writes everything into the one file
        return (Path(folder) / "journal.db").read_bytes()


@contextmanager
def a_journal():
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        path.write_bytes(empty_database())
        engine = open_database(path)
        yield open_journal(engine)
        engine.dispose()


def positive(told):
    """The world with no payment taken back and none beyond sums of 64 bits."""
    return {**told, "events": tuple(event(abs(r.nano) // 1000, r.id, r.received) for r in told["events"])}


def other_splits(told, seed):
    works = [work for stake in told["stakes"] for work, _ in stake.works]
    return tuple(splits_of(works, Random(seed)))


def held_and_owed(balances):
    return {name: nano for name, nano in balances.items() if nano}


# --- money ----------------------------------------------------------------------------------------------------


@invariant(worlds())
def test_i01_every_entry_sums_to_zero_in_its_currency(told):
    for each in postings_of(settle(**told)):
        assert each.currency == "EUR"
        assert sum(each.moves().values()) == 0


@invariant(st.lists(worlds(), min_size=1, max_size=3), seeds, quick=4)
def test_i02_what_came_in_is_owed_held_or_earned_at_all_times(several, seed):
    random = Random(seed)
    with a_journal() as journal:
        received = 0
        for number, told in enumerate(several):
            told = {**told, "events": tuple(event(r.nano, f"{r.id}.{number}", r.received) for r in told["events"])}
            first = settle(**told)
            journal.post(first, NOW)
            received += first.totals()["received"]
            again = settle(**{**told, "splits": other_splits(told, seed)})
            journal.adjust(again, first.id, LATER, "agreed later", NOW)
            for account, nano in journal.balances("EUR").items():
                if account.startswith("payable:") and nano < 0:
                    part = random.randint(1, -nano)
                    case = f"case-{number}"
                    journal.book(hold(case, account.removeprefix("payable:"), part, "EUR", LATER, "why"), NOW)
            balances = journal.balances("EUR")
            assert balances.pop(RECEIVABLE, 0) == received == -sum(balances.values())
        assert journal.check() == []


names = st.text("abcdefgh", min_size=1, max_size=3)
weighted = st.dictionaries(names, st.integers(0, 10**6), min_size=1, max_size=8).filter(lambda w: any(w.values()))


@invariant(st.one_of(st.integers(-60, 60), st.integers(-(2**63), 2**63)), weighted, st.text(max_size=5), quick=100)
def test_i03_allocation_is_exact_fair_and_blind_to_order(total, weights, salt):
    parts = allocate(total, weights, salt)
    assert sum(parts.values()) == total
    assert all(abs(parts[n] - Fraction(total * w, sum(weights.values()))) < 1 for n, w in weights.items())
    assert all(parts[n] == 0 for n, w in weights.items() if w == 0)
    assert allocate(total, dict(reversed(weights.items())), salt) == parts
    assert allocate(-total, weights, salt) == {name: -part for name, part in parts.items()}


@invariant(worlds())
def test_i04_the_lines_of_a_run_are_its_postings_per_account(told):
    settlement = settle(**told)
    posted = Counter()
    for each in postings_of(settlement):
        posted.subtract(each.moves())
    posted.pop(RECEIVABLE, None)
    assert held_and_owed(posted) == held_and_owed(by_account(settlement))


@invariant(worlds())
def test_i05_no_float_reaches_a_hashed_record(told):
    def scan(value):
        assert not isinstance(value, float)
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            scan(item)

    settlement = settle(**told)
    scan(settlement.to_json())
    assert canonical_json(settlement.inputs())


@invariant(worlds())
def test_i08_the_operator_gets_at_most_its_rate_and_only_by_policy(told):
    settlement = settle(**told)
    for revenue in told["events"]:
        commission = sum(x.nano for x in settlement.lines if x.event == revenue.id and x.account == COMMISSION)
        assert abs(commission) * PPM <= abs(revenue.nano) * told["terms"].policy.commission_ppm
    assert {line.basis for line in settlement.lines if line.account == COMMISSION} <= {Basis.COMMISSION}


# --- time -----------------------------------------------------------------------------------------------------


@invariant(worlds(), seeds, quick=5)
def test_i09_the_same_inputs_in_any_order_give_the_same_run_bytes_and_head(told, seed):
    random = Random(seed)
    mixed = {name: tuple(random.sample(told[name], len(told[name]))) for name in ("events", "stakes", "splits")}
    lines = tuple(random.sample(told["shares"].lines, len(told["shares"].lines)))
    one, other = settle(**told), settle(**{**told, **mixed, "shares": replace(told["shares"], lines=lines)})
    assert canonical_json(one.to_json()) == canonical_json(other.to_json())
    assert settle_again(one.inputs()) == one == Settlement.from_json(one.to_json())
    with a_journal() as here, a_journal() as there:
        here.post(one, NOW)
        there.post(other, NOW)
        assert here.head() == there.head()


@invariant(worlds(), seeds, quick=4)
def test_i10_running_again_adds_nothing(told, seed):
    first, second = settle(**told), settle(**{**told, "splits": other_splits(told, seed)})
    with a_journal() as journal:
        assert journal.post(first, NOW)
        journal.adjust(second, first.id, LATER, "agreed later", NOW)
        head = journal.head()
        assert not journal.post(first, NOW + timedelta(1))
        assert not journal.adjust(second, first.id, LATER, "agreed later", NOW)
        assert not journal.adjust(second, first.id, LATER + timedelta(9), "for another reason", NOW)
        assert journal.head() == head


@invariant(worlds(), seeds, seeds, st.integers(0, PPB), quick=4)
def test_i11_adjusting_from_any_state_is_settling_from_scratch(told, seed, held_seed, ppb):
    told = positive(told)
    first = settle(**told)
    versions = [{**told, "splits": other_splits(told, seed + n)} for n in range(2)]
    clusters = [stake.cluster for stake in told["stakes"]]
    versions[-1]["shares"] = share_table({clusters[0]: ppb})
    versions[-1]["terms"] = replace(told["terms"], policy=replace(told["terms"].policy, commission_ppm=0))
    random = Random(held_seed)
    moves = Counter()
    with a_journal() as adjusted, a_journal() as scratch:
        adjusted.post(first, NOW)
        for number, version in enumerate(versions):
            for account, nano in adjusted.balances("EUR").items():
                if account.startswith("payable:") and nano < 0 and random.random() < 0.5:
                    party, part = account.removeprefix("payable:"), random.randint(1, -nano)
                    adjusted.book(hold(f"{number}", party, part, "EUR", LATER, "why"), NOW)
                    moves.update({account: part, contested(f"{number}", party): -part})
            adjusted.adjust(settle(**version), first.id, LATER, f"version {number}", NOW)
        scratch.post(settle(**versions[-1]), NOW)
        expected = Counter(scratch.balances("EUR"))
        expected.update(moves)
        assert held_and_owed(adjusted.balances("EUR")) == held_and_owed(expected)
        assert adjusted.check() == []
        latest = [first, *(each.settlement for each in adjusted.adjustments(first.id))][-1]
        assert list(postings_of(latest)) == list(postings_of(settle(**versions[-1])))


@invariant(worlds(), seeds, quick=4)
def test_i12_what_was_closed_never_changes_and_corrections_cite_it(told, seed):
    first = settle(**told)
    parties = sorted({line.account for line in first.lines if line.account.startswith("payable:")})
    with a_journal() as journal:
        journal.post(first, NOW)
        entries, before = journal.entries(), [bytes_of(first, account) for account in parties]
        journal.adjust(settle(**{**told, "splits": other_splits(told, seed)}), first.id, LATER, "agreed later", NOW)
        assert journal.entries()[: len(entries)] == entries
        assert [bytes_of(journal.settlement(first.id), account) for account in parties] == before
        for entry in journal.entries()[len(entries) :]:
            assert journal.inputs(entry.settlement)["replaces"] == first.id
            assert entry.effective == LATER
            assert entry.reference.split("~")[0] in {revenue.id for revenue in told["events"]}


def bytes_of(settlement, account):
    from byline.core import Party

    return canonical_json(statement(Party(account.removeprefix("payable:"), "Name"), settlement, {}))


@invariant(worlds(), st.sampled_from(["policy", "lambda"]), st.integers(1, 400))
def test_i13_terms_are_frozen_before_the_money_and_later_ones_change_nothing(told, which, days):
    first = min(revenue.received for revenue in told["events"])
    now = told["terms"]
    late = (
        replace(now, published=first)
        if which == "lambda"
        else replace(now, policy=replace(now.policy, effective=first))
    )
    with pytest.raises(LedgerError) as fault:
        settle(**{**told, "terms": late})
    assert fault.value.code == "terms-too-late"
    earlier = replace(now, published=now.published - timedelta(days))
    assert settle(**{**told, "terms": earlier}).lines == settle(**told).lines


@invariant(worlds(new=False), st.integers(0, 9))
def test_i14_a_split_effective_from_a_day_changes_no_line_before_it(told, after):
    day = DAY + timedelta(after)
    work = told["stakes"][0].works[0][0]
    assume(all((split.work, split.effective) != (work, day) for split in told["splits"]))
    before = settle(**told)
    now = settle(**{**told, "splits": (*told["splits"], Split(work, (("party:new", PPM),), day))})
    early = {revenue.id for revenue in told["events"] if revenue.received < day}
    assert [x for x in now.lines if x.event in early] == [x for x in before.lines if x.event in early]
    replaced = {r.id for r in told["events"] if r.received >= day} - {
        r.id for r in told["events"] for s in told["splits"] if s.work == work and day < s.effective <= r.received
    }
    assert {x.account for x in now.lines if x.work == work and x.event in replaced} <= {"payable:party:new"}


# --- rights ---------------------------------------------------------------------------------------------------


@invariant(worlds(new=False))
def test_i15_what_a_split_leaves_open_waits_for_the_work_and_never_goes_to_the_operator(told):
    settlement = settle(**told)
    for revenue in told["events"]:
        for stake in told["stakes"]:
            for work, _ in stake.works:
                lines = [x for x in settlement.lines if x.work == work and x.event == revenue.id]
                in_force = [s for s in told["splits"] if s.work == work and s.effective <= revenue.received]
                agreed = max(in_force, key=lambda s: s.effective).lines if in_force else ()
                open_ppm = PPM - sum(ppm for _, ppm in agreed)
                held = sum(x.nano for x in lines if x.account == unclaimed(work))
                assert abs(held - Fraction(sum(x.nano for x in lines) * open_ppm, PPM)) < 3  # three bases
                assert {x.account for x in lines} <= {unclaimed(work), *(payable(party) for party, _ in agreed)}


@invariant(worlds(), seeds, quick=4)
def test_i16_a_dispute_holds_exactly_its_slice_and_release_pays_all_of_it(told, seed):
    random = Random(seed)
    with a_journal() as journal:
        journal.post(settle(**positive(told)), NOW)
        before = journal.balances("EUR")
        owed = sorted(account for account, nano in before.items() if account.startswith("payable:") and nano < 0)
        assume(owed)
        party = random.choice(owed).removeprefix("payable:")
        part = random.randint(1, -before[payable(party)])
        journal.book(hold("case", party, part, "EUR", LATER, "authorship"), NOW)
        during = Counter(journal.balances("EUR"))
        during.subtract(before)
        assert held_and_owed(during) == {payable(party): part, contested("case", party): -part}
        cut = random.randint(0, PPM)
        journal.book(release("case", party, part, [(party, cut), ("party:z", PPM - cut)], "EUR", LATER, "decided"), NOW)
        after = Counter(journal.balances("EUR"))
        after.subtract(before)
        kept = held_and_owed(after)
        assert set(kept) <= {payable(party), payable("party:z")}
        assert sum(kept.values()) == 0 and abs(kept.get(payable("party:z"), 0) + Fraction(part * (PPM - cut), PPM)) < 1


@invariant(worlds())
def test_i17_a_work_that_was_not_trained_on_gets_nothing_and_cannot_be_named(told):
    gone, rest = told["stakes"][-1], told["stakes"][:-1]
    assume(rest)
    ppb = told["shares"].ppb()
    without = share_table({name: n for name, n in ppb.items() if name != gone.cluster})
    settlement = settle(**{**told, "stakes": rest, "shares": without})
    assert gone.cluster not in {line.cluster for line in settlement.lines}
    if ppb[gone.cluster]:
        with pytest.raises(LedgerError) as fault:
            settle(**{**told, "stakes": rest})
        assert fault.value.code == "unknown-cluster"


@invariant(worlds(), quick=4)
def test_i19_a_late_rightful_claimant_gets_all_that_is_still_held(told):
    told = {**positive(told), "splits": ()}
    with a_journal() as journal:
        journal.post(settle(**told), NOW)
        waiting = {
            name: -nano for name, nano in journal.balances("EUR").items() if name.startswith("held:unclaimed:") and nano
        }
        for account, nano in waiting.items():
            work = account.removeprefix("held:unclaimed:")
            with pytest.raises(LedgerError) as fault:
                journal.book(claim(work, nano + 1, [("party:late", PPM)], "EUR", LATER, "heir", "00"), NOW)
            assert fault.value.code == "overdrawn"
            journal.book(claim(work, nano, [("party:late", PPM)], "EUR", LATER, "heir", "00"), NOW)
        after = journal.balances("EUR")
        assert after.get(payable("party:late"), 0) == -sum(waiting.values())
        assert not any(after[account] for account in waiting)


# --- gaming ---------------------------------------------------------------------------------------------------


@invariant(worlds(), st.integers(2, 6))
def test_i20_a_party_that_splits_into_k_puppets_moves_at_most_k_nano_per_line(told, k):
    def puppets(lines):
        for party, ppm in lines:
            if party == "party:a":
                yield from ((f"party:a{i}", ppm // k + (i < ppm % k)) for i in range(k))
            else:
                yield party, ppm

    def mine(settlement):
        return sum(x.nano for x in settlement.lines if x.account.startswith("payable:party:a"))

    before = settle(**told)
    split = tuple(replace(split, lines=tuple(puppets(split.lines))) for split in told["splits"])
    after = settle(**{**told, "splits": split})
    lines = len({(x.event, x.work, x.basis) for x in (*before.lines, *after.lines)})
    assert abs(mine(after) - mine(before)) <= k * lines


@invariant(worlds(), st.integers(1, 4))
def test_i21_an_exact_duplicate_earns_nothing_and_takes_nothing(told, copies):
    first = told["stakes"][0]
    works = (*first.works, *((f"work:copy{i}", 0) for i in range(copies)))
    split = tuple(Split(f"work:copy{i}", (("party:copycat", PPM),), DAY - timedelta(20)) for i in range(copies))
    stakes = (replace(first, works=works), *told["stakes"][1:])
    assert settle(**{**told, "stakes": stakes, "splits": (*told["splits"], *split)}).lines == settle(**told).lines


@invariant(worlds(), seeds)
def test_i23_who_pays_for_outputs_of_the_own_works_gets_back_less_than_was_spent(told, seed):
    """Even if every party is the attacker, and every output traced to the attacker's works."""
    told = positive(told)
    cluster = told["stakes"][0].cluster
    whole = {**told, "shares": share_table({cluster: PPB}), "splits": ()}
    works = [work for stake in told["stakes"] for work, _ in stake.works]
    whole["splits"] = tuple(Split(work, (("party:attacker", PPM),), DAY - timedelta(5)) for work in works)
    settlement = settle(**whole)
    policy, spent = told["terms"].policy, settlement.totals()["received"]
    back = sum(x.nano for x in settlement.lines if x.account == payable("party:attacker"))
    kept = PPM - policy.commission_ppm - policy.reserve_ppm
    assert back * PPM <= spent * kept + 2 * PPM * len(told["events"])  # deductions are rounded down, twice per event
    assert back <= spent


@invariant(worlds(), st.integers(1, PPB))
def test_i24_raising_one_cluster_never_raises_the_attributed_part_of_another(told, more):
    told = positive(told)
    ppb, raised = told["shares"].ppb(), told["stakes"][0].cluster
    table = share_table({**ppb, raised: ppb[raised] + min(more, told["shares"].unattributed_ppb)})

    def attributed(settlement):
        sums = Counter()
        for line in settlement.lines:
            if line.basis is Basis.ATTRIBUTION:
                sums[line.event, line.cluster] += line.nano
        return sums

    before, after = attributed(settle(**told)), attributed(settle(**{**told, "shares": table}))
    assert all(after[key] <= before[key] + 1 for key in after if key[1] != raised)


# --- audit ----------------------------------------------------------------------------------------------------


@invariant(worlds(), seeds, quick=4)
def test_i26_every_head_of_the_journal_continues_every_earlier_one(told, seed):
    first = settle(**told)
    with a_journal() as journal:
        journal.post(first, NOW)
        old = journal.head()
        journal.adjust(settle(**{**told, "splits": other_splits(told, seed)}), first.id, LATER, "agreed later", NOW)
        leaves, new = [bytes.fromhex(entry.leaf) for entry in journal.entries()], journal.head()
        proof = consistency_proof(leaves, old.size)
        assert verify_consistency(old.size, bytes.fromhex(old.root), new.size, bytes.fromhex(new.root), proof)
        forked = [merkle_root([leaf]) if i else bytes(32) for i, leaf in enumerate(leaves)]
        fork = merkle_root(forked)
        assert not verify_consistency(
            old.size, bytes.fromhex(old.root), new.size, fork, consistency_proof(forked, old.size)
        )


@invariant(worlds())
def test_i27_every_nano_leads_to_an_event_a_share_and_the_evidence(told):
    settlement = settle(**told)
    events, stakes = {e.id for e in settlement.events}, {s.cluster: dict(s.works) for s in settlement.stakes}
    for line in settlement.lines:
        assert line.event in events
        if line.cluster:
            assert line.work in stakes[line.cluster]
        else:
            assert line.basis in (Basis.COMMISSION, Basis.RESERVE, Basis.UNATTRIBUTED)
    assert settlement.inputs()["shares"] == settlement.shares.to_json()
    assert settlement.inputs()["terms"]["reliability"]["evidence"]


@invariant(seeds, st.integers(0, 40), st.integers(1, 5), quick=10)
def test_i28_every_output_that_came_in_is_divided(seed, count, width):
    """Counts and amounts: received = divided; what does not fit is refused as a whole, nothing is dropped."""
    random = np.random.default_rng(seed)
    ids = np.array([f"output:{i}" for i in range(count)], dtype="S")
    ppb = random.integers(0, PPB // width + 1, (count, width)).astype(np.uint32)
    block = Outputs(ids, random.integers(-(10**12), 10**12, count), ppb)
    sums = sum_outputs("event:1", [block], [f"cluster:{w}" for w in range(width)], terms())
    pots = (sums.commission_nano, sums.reserve_nano, sums.training_nano, sums.prior_nano, sums.unattributed_nano)
    assert sums.outputs == count
    assert sum(map(int, pots)) + sum(int(n) for _, n in sums.clusters) == int(sums.received_nano) == block.nano_N.sum()


# --- governance -----------------------------------------------------------------------------------------------


@invariant(worlds(), worlds())
def test_i33_a_dry_run_says_what_the_real_run_then_pays(told, other):
    """The policy of another world, tried on this one's money and then adopted before the money came."""
    now, proposed = settle(**told), other["terms"].policy
    tried = what_if(now, proposed)
    earlier = min(told["terms"].published, *(r.received - timedelta(1) for r in told["events"]))
    adopted = replace(told["terms"], policy=replace(proposed, effective=earlier))
    real = settle(**{**told, "terms": adopted})
    assert tried.lines == real.lines
    changes = compare(now, tried)
    assert sum(change.nano for change in changes) == 0
    assert {c.account: int(c.after_nano) for c in changes if int(c.after_nano)} == held_and_owed(by_account(real))
    assert {c.account: int(c.before_nano) for c in changes if int(c.before_nano)} == held_and_owed(by_account(now))
