"""Why a payee got more or less: parts that add up to the last nano, each moved by its own cause and no other."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st

from byline.core import PPM, Split
from byline.ledger import Mode, Slice, bridge, payable, settle
from byline.ledger.change import ORDER

sys.path.insert(0, str(Path(__file__).parent))
from busy import by_use, of_outputs
from drawn import worlds
from invariants import invariant
from worlds import DAY, event, share_table, terms, world

A, B = payable("party:a"), payable("party:b")
NEXT = DAY + timedelta(40)


def whole(settlement):
    return Slice(settlement, frozenset(event.id for event in settlement.events))


def later(settlement):
    """The same ways a month on."""
    return tuple(replace(each, id=f"{each.id}+", received=each.received + timedelta(40)) for each in settlement.events)


def parts(before, after, account):
    return {step.name: int(step.amount_nano) for step in bridge([whole(before)], [whole(after)]).of(account)}


@invariant(worlds(), worlds())
def test_the_parts_add_up_to_the_change_of_every_account_to_the_last_nano(old, new):
    first = settle(**old)
    events = tuple(replace(each, id=f"{each.id}+", received=each.received + timedelta(40)) for each in new["events"])
    second = settle(**{**new, "events": events})
    found = bridge([whole(first)], [whole(second)])
    before, after = whole(first).sums(), whole(second).sums()
    for account in before | after:
        steps = found.of(account)
        assert tuple(step.name for step in steps) == ORDER
        assert sum(int(step.amount_nano) for step in steps) == after[account] - before[account]


@invariant(worlds(), worlds(), st.booleans())
def test_several_settlements_and_empty_periods_add_up_too(one, two, empty):
    first, second = settle(**one), settle(**{**two, "events": later(settle(**two))})
    third = settle(**{**one, "events": tuple(replace(e, id=f"{e.id}*", received=NEXT) for e in one["events"])})
    sides = ([whole(first)], [whole(second), whole(third)])
    for before, after in (sides, (sides[0], []), ([], sides[1]) if empty else (sides[0], [whole(second)])):
        sums = Counter()
        for each in after:
            sums.update(each.sums())
        for each in before:
            sums.subtract(each.sums())
        found = bridge(before, after)
        for account in sums:
            assert sum(int(step.amount_nano) for step in found.of(account)) == sums[account]


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ({"shares": share_table({"cluster:0": 100_000_000, "cluster:1": 550_000_001})}, "shares"),
        ({"terms": terms(lambda_ppm=100_000)}, "lambda"),
        ({"terms": terms(train_share_ppm=700_000)}, "policy"),
        ({"splits": (*world()["splits"], Split("work:0.0", (("party:a", 400_000),), DAY + timedelta(20)))}, "splits"),
    ],
)
def test_one_cause_moves_one_part(what, name):
    first = settle(**world())
    second = settle(**{**world(), **what, "events": later(first)})
    found = parts(first, second, A)
    assert abs(found.pop(name)) > 10**9
    assert found.pop("money") in range(-9, 10)  # the same money, divided with other ties
    assert set(found.values()) == {0}


def test_more_money_is_more_money_and_nothing_else():
    first = settle(**world())
    second = settle(**{**world(), "events": (event(5 * 10**12, "event:9", NEXT),)})
    found = parts(first, second, B)
    assert found.pop("money") == whole(second).sums()[B] - whole(first).sums()[B] > 0
    assert set(found.values()) == {0}


def test_a_new_work_counts_as_a_share_not_as_a_split():
    told = world()
    small = {**told, "stakes": told["stakes"][1:], "shares": share_table({"cluster:1": 250_000_001})}
    first = settle(**{**small, "splits": told["splits"][1:]})
    second = settle(**{**told, "events": later(first)})
    found = parts(first, second, A)
    assert found["shares"] > 10**11 and found["splits"] == 0


def test_what_cannot_be_settled_by_itself_is_told_with_the_next():
    first = by_use(Mode.FLAT, "event:flat")
    second = settle(**{**world(), "events": later(settle(**world()))})
    steps = bridge([whole(first)], [whole(second)]).of(A)
    assert [step.with_next for step in steps] == [True, True, True, False, False, False]
    assert sum(int(step.amount_nano) for step in steps) == whole(second).sums()[A] - whole(first).sums()[A]


def test_outputs_priced_one_by_one_are_a_part_of_their_own():
    first, second = settle(**{**world(), "events": (event(10**10, received=DAY - timedelta(9)),)}), of_outputs()
    found = parts(first, second, A)
    assert found["outputs"] != 0
    assert sum(found.values()) == whole(second).sums()[A] - whole(first).sums()[A]


def test_a_slice_is_settled_as_the_whole_was():
    """Lines of an event do not depend on the events settled with it: so a period can be cut out of a settlement."""
    both = settle(**world())
    for each in both.events:
        alone = settle(**{**world(), "events": (each,)})
        assert alone.lines == tuple(line for line in both.lines if line.event == each.id)
        assert Slice(both, frozenset([each.id])).sums() == whole(alone).sums()


def test_the_split_of_the_last_day_is_the_earlier_one():
    change = Split("work:0.0", (("party:a", PPM // 2), ("party:b", PPM // 2)), DAY + timedelta(1))
    first = settle(**{**world(), "splits": (*world()["splits"], change)})  # its second payment is after the change
    second = settle(**{**world(), "splits": (*world()["splits"], change), "events": later(first)})
    assert parts(first, second, A)["splits"] == 0
