"""Money that waits: who gets it when a claim, a withdrawal or a decision comes, and that nobody gets it by default."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPM, LedgerError
from byline.ledger import (
    JournalAccounts,
    MoveKind,
    PayoutRule,
    Vote,
    inherited_moves,
    open_journal,
    open_payout_book,
    payable,
    release_moves,
    settle,
    unclaimed,
    unclaimed_list,
    voted_move,
)
from byline.registry import Division

sys.path.insert(0, str(Path(__file__).parent))
from payees import CENT, NOW, ListAccounts, payee
from worlds import DAY, world

SETTLED = settle(**world())
PAID = {"work:0.0": {"a": PPM}, "work:1.0": {"a": 250_000, "b": 500_000}, "work:2.0": {}}
BEFORE = {account: -sum(line.nano for line in SETTLED.lines if line.account == account) for account in
          {line.account for line in SETTLED.lines}}  # fmt: skip
HELD1, HELD2 = unclaimed("work:1.0"), unclaimed("work:2.0")


def dividing(**changes):
    """The divisions of the world with some works' shares changed, as percent."""

    def divide(work, on):
        lines = PAID[work] | {name: part * PPM // 100 for name, part in changes.get(work[5], {}).items()}
        ordered = tuple(sorted((f"party:{name}", ppm) for name, ppm in lines.items() if ppm))
        return Division(work, on, ordered, (), PPM - sum(ppm for _, ppm in ordered), True)

    return divide


def after(*many):
    sums = Counter(BEFORE)
    for moves in many:
        for move in moves:
            assert sum(int(nano) for _, nano in move.legs) == 0
            for account, nano in move.legs:
                sums[account] += int(nano)
    return sums


def gained(balances):
    return {name: BEFORE.get(payable(f"party:{name}"), 0) - balances[payable(f"party:{name}")] for name in "abcd"}


def test_i19_a_late_claimant_gets_all_that_was_held_back_to_the_first_payment():
    moves, problems = release_moves(SETTLED, dividing(**{"2": {"c": 100}}), [], NOW)
    assert problems == [] and len(moves) == 2  # one per payment
    assert gained(after(moves)) == {"a": 0, "b": 0, "c": -BEFORE[HELD2], "d": 0}
    assert after(moves)[HELD2] == 0 and after(moves)[HELD1] == BEFORE[HELD1]
    assert release_moves(SETTLED, dividing(**{"2": {"c": 100}}), moves, NOW) == ([], [])


def test_a_contested_slice_goes_by_the_decision_and_the_rest_goes_on_waiting():
    first, _ = release_moves(SETTLED, dividing(**{"1": {"b": 60}}), [], NOW)
    second, _ = release_moves(SETTLED, dividing(**{"1": {"b": 60, "d": 15}}), first, NOW)
    balances, whole = after(first, second), -BEFORE[HELD1]  # a quarter of the work waited: 10 of 25, then 15 of 25
    assert abs(gained(balances)["b"] - whole * 10 / 25) <= 2 and abs(gained(balances)["d"] - whole * 15 / 25) <= 2
    assert balances[HELD1] == 0
    straight, _ = release_moves(SETTLED, dividing(**{"1": {"b": 60, "d": 15}}), [], NOW)
    assert all(abs(balances[account] - after(straight)[account]) <= 2 for account in balances)
    assert len({move.reference for move in (*first, *second)}) == 4


def test_a_share_that_shrank_is_told_and_nothing_is_taken_back():
    moves, problems = release_moves(SETTLED, dividing(**{"1": {"b": 40, "d": 35}}), [], NOW)
    assert moves == [] and {problem.code for problem in problems} == {"share-reduced"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=4))
def test_steps_to_a_division_end_where_one_step_would(steps):
    """I11 for held money: any way to the last division gives, within a nano-unit a payment, what it alone gives."""
    done, low = [], (0, 0)
    for c, d in steps:
        low = (max(low[0], c), max(low[1], d))
        if sum(low) > 25:
            return
        done += release_moves(SETTLED, dividing(**{"1": {"c": low[0], "d": low[1]}}), done, NOW)[0]
    straight = release_moves(SETTLED, dividing(**{"1": {"c": low[0], "d": low[1]}}), [], NOW)[0]
    assert after(done) == after(straight)


def test_the_public_list_names_what_waits_and_since_when():
    listed = unclaimed_list([SETTLED], BEFORE, "EUR", {"work:2.0": "Frankenstein"})
    assert [(one.title, one.amount_nano, one.since) for one in listed] == sorted(
        [("Frankenstein", str(-BEFORE[HELD2]), DAY), ("", str(-BEFORE[HELD1]), DAY)], key=lambda x: -int(x[1])
    )
    assert unclaimed_list([SETTLED], {HELD1: 0}, "EUR", {}) == []


VOTE = Vote("ab" * 32, 7, 3, DAY.replace(year=DAY.year + 3))


@pytest.mark.parametrize(
    ("vote", "weights", "code"),
    [
        (replace(VOTE, ayes=3), {"held:commons": 1}, "no-vote"),
        (replace(VOTE, proposal_sha256=""), {"held:commons": 1}, "no-vote"),
        (replace(VOTE, closed=VOTE.closed - timedelta(1)), {"held:commons": 1}, "too-early"),
        (VOTE, {"income:commission": 1}, "operator-gains"),
        (VOTE, {"held:commons": 9, "assets:bank": 1}, "operator-gains"),
    ],
)
def test_unclaimed_money_goes_nowhere_without_a_vote_and_never_to_the_operator(vote, weights, code):
    waiting = unclaimed_list([SETTLED], BEFORE, "EUR", {})[0]
    with pytest.raises(LedgerError) as caught:
        voted_move(waiting, weights, vote, 3, NOW)
    assert caught.value.code == code


def test_a_vote_that_carried_divides_it_exactly():
    waiting = next(one for one in unclaimed_list([SETTLED], BEFORE, "EUR", {}) if one.work == "work:2.0")
    move = voted_move(waiting, {"held:commons": 2, "payable:party:a": 1}, VOTE, 3, NOW)
    balances = after([move])
    assert move.kind is MoveKind.VOTED and balances[HELD2] == 0
    assert abs(gained(balances)["a"] - int(waiting.amount_nano) / 3) <= 1
    leap = replace(waiting, since=date(2024, 2, 29))
    assert voted_move(leap, {"held:commons": 1}, replace(VOTE, closed=date(2027, 2, 28)), 3, NOW)


def test_heirs_get_what_is_still_owed_and_nothing_twice():
    heirs = {"party:a": (("party:c", 500_000), ("party:d", 250_000)), "party:d": (("party:b", PPM),)}
    moves = inherited_moves(BEFORE, heirs, "EUR", DAY, NOW)
    balances, owed = after(moves), -BEFORE["payable:party:a"]
    assert abs(gained(balances)["c"] - owed / 2) <= 1 and abs(gained(balances)["b"] - owed / 4) <= 1
    assert balances["payable:party:a"] == 0 and abs(balances["held:estate:party:a"] + owed / 4) <= 1
    assert inherited_moves(balances, {"party:a": heirs["party:a"]}, "EUR", DAY, NOW) == []
    accounts = ListAccounts(x=100 * CENT)
    (move,) = inherited_moves(accounts.balances("EUR"), {"party:x": (("party:y", PPM),)}, "EUR", DAY, NOW)
    accounts.book(move)
    assert (accounts.owed("x"), accounts.owed("y")) == (0, 100 * CENT)
    assert inherited_moves(accounts.balances("EUR"), {"party:x": (("party:y", PPM),)}, "EUR", DAY, NOW) == []


def test_released_money_is_booked_in_the_journal_and_paid_out(database):
    journal = open_journal(database)
    journal.post(SETTLED, NOW)
    book = open_payout_book(database, JournalAccounts(journal))
    divide = dividing(**{"2": {"c": 100}})
    for new in (2, 0):
        moves, _ = release_moves(SETTLED, divide, book.moves(), NOW)
        assert book.release(moves) == new
    assert book.release(release_moves(SETTLED, divide, [], NOW)[0]) == 0  # by its references, too
    balances = journal.balances("EUR")
    assert balances.get(HELD2, 0) == 0 and -balances["payable:party:c"] == -BEFORE[HELD2]
    assert journal.check() == []
    batch = book.send([payee("c")], PayoutRule("EUR", 0), DAY, NOW)
    assert [one.minor for one in batch.instructions] == [-BEFORE[HELD2] // CENT]
    with pytest.raises(LedgerError) as caught:
        book.release([replace(moves_of(2)[0], reference="move:again")])
    assert caught.value.code == "overdrawn"
    with pytest.raises(LedgerError) as caught:
        book.release([replace(moves_of(2)[0], legs=(("payable:party:c", "1"),))])
    assert caught.value.code == "unbalanced"


def moves_of(work):
    return release_moves(SETTLED, dividing(**{str(work): {"c": 100}}), [], NOW)[0]
