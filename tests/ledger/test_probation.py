"""Works that came after money had been divided for the first time: what of their pay waits until somebody looked."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from byline.core import Party
from byline.ledger import NEW, Basis, Probation, payable, settle, settle_again, statement, unclaimed

sys.path.insert(0, str(Path(__file__).parent))
from drawn import worlds
from worlds import stakes, terms, world

many = settings(max_examples=40, deadline=None)
WAITS = {
    Probation.NONE: set(),
    Probation.ATTRIBUTED: {Basis.ATTRIBUTION},
    Probation.ALL: {Basis.ATTRIBUTION, Basis.TRAINING, Basis.PRIOR},
}


def looked_at(told):
    """The same, when somebody has looked at everything."""
    return {**told, "stakes": tuple(replace(stake, new=False) for stake in told["stakes"])}


@many
@given(worlds())
def test_only_what_the_policy_says_of_new_works_waits_and_every_work_earns_the_same(told):
    waiting, paid = settle(**told), settle(**looked_at(told))
    new = {stake.cluster for stake in told["stakes"] if stake.new}
    basis_waits = WAITS[told["terms"].policy.probation]
    sums = [Counter(), Counter()]
    for total, settlement in zip(sums, (waiting, paid), strict=True):
        for line in settlement.lines:
            held = settlement is waiting and line.cluster in new and line.basis in basis_waits
            if held:
                assert line.account == unclaimed(line.work)
            total[line.event, line.basis, line.work] += line.nano
    assert sums[0] == sums[1]
    touched = {(x.event, x.basis, x.cluster) for x in waiting.lines if x.cluster in new and x.basis in basis_waits}
    rest = [[x for x in s.lines if (x.event, x.basis, x.cluster) not in touched] for s in (waiting, paid)]
    assert rest[0] == rest[1]
    assert settle_again(waiting.inputs()) == waiting


@pytest.mark.parametrize("probation", Probation)
def test_a_new_work_waits_and_its_author_is_told_why(probation):
    told = world()
    new = (replace(stakes(3)[0], new=True), *stakes(3)[1:])
    told |= {"stakes": new, "terms": terms(probation=probation)}
    settlement = settle(**told)
    mine = {x.basis for x in settlement.lines if x.work == "work:0.0" and x.account == payable("party:a")}
    assert mine == WAITS[Probation.ALL] - WAITS[probation]
    waits = {one["work"]: one["why"] for one in statement(Party("party:a", "A"), settlement, {})["waiting"]}
    assert waits.get("work:0.0") == (NEW if probation is Probation.ATTRIBUTED else None)
    assert waits["work:1.0"] == "no split names it"


def test_a_policy_and_a_stake_without_it_are_written_as_they_always_were():
    assert "probation" not in terms().policy.to_json() and "new" not in stakes(1)[0].to_json()
