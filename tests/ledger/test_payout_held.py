"""Money that waits: nobody gets it by default, a found payee all of it, heirs what was owed; nobody gets it twice."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from byline.core import PPM, LedgerError, Split
from byline.ledger import (
    JournalAccounts,
    MoveKind,
    PayoutRule,
    Vote,
    inherited_moves,
    open_journal,
    open_payout_book,
    payable,
    settle,
    unclaimed,
    unclaimed_list,
    voted_move,
)

sys.path.insert(0, str(Path(__file__).parent))
from payees import CENT, NOW, ListAccounts, payee
from worlds import DAY, world

SETTLED = settle(**world())
BEFORE = {account: -sum(line.nano for line in SETTLED.lines if line.account == account) for account in
          {line.account for line in SETTLED.lines}}  # fmt: skip
HELD1, HELD2 = unclaimed("work:1.0"), unclaimed("work:2.0")


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


def corrected(**splits):
    """The world when its payments are divided again, with other splits of some works from before the money."""
    lines = {f"work:{name}.0": tuple((f"party:{p}", ppm) for p, ppm in of.items()) for name, of in splits.items()}
    other = [split for split in SETTLED.splits if split.work not in lines]
    new = [Split(work, of, DAY - timedelta(100)) for work, of in lines.items()]
    return settle(**{**world(), "splits": (*other, *new)})


def test_a_found_payee_is_paid_all_that_waited_by_a_correction(database):
    journal = open_journal(database)
    journal.post(SETTLED, NOW)
    book = open_payout_book(database, JournalAccounts(journal))
    for new in (True, False):
        assert journal.adjust(corrected(**{"2": {"c": PPM}}), SETTLED.id, DAY, "found", NOW) is new
    balances = journal.balances("EUR")
    assert balances.get(HELD2, 0) == 0 and balances["payable:party:c"] == BEFORE[HELD2]
    assert journal.check() == []
    batch = book.send([payee("c")], PayoutRule("EUR", 0), DAY, NOW)
    assert [one.minor for one in batch.instructions] == [-BEFORE[HELD2] // CENT]


def test_what_a_vote_gave_away_is_not_given_twice(database):
    journal = open_journal(database)
    journal.post(SETTLED, NOW)
    book = open_payout_book(database, JournalAccounts(journal))
    waiting = next(one for one in unclaimed_list([SETTLED], BEFORE, "EUR", {}) if one.work == "work:2.0")
    assert book.release([voted_move(waiting, {"payable:party:a": 1}, VOTE, 3, NOW)]) == 1
    assert journal.given_away([HELD1, HELD2], "EUR") == {HELD2: -BEFORE[HELD2]}
    before = journal.balances("EUR")
    with pytest.raises(LedgerError) as caught:
        journal.adjust(corrected(**{"2": {"c": PPM}}), SETTLED.id, DAY, "too late", NOW)
    assert caught.value.code == "overdrawn" and journal.balances("EUR") == before
    assert journal.adjust(corrected(**{"1": {"c": PPM}}), SETTLED.id, DAY, "another work", NOW)
    assert journal.balances("EUR").get(HELD1, 0) == 0 and journal.check() == []


def test_moves_that_do_not_add_up_or_take_too_much_are_refused(database):
    journal = open_journal(database)
    journal.post(SETTLED, NOW)
    book = open_payout_book(database, JournalAccounts(journal))
    waiting = next(one for one in unclaimed_list([SETTLED], BEFORE, "EUR", {}) if one.work == "work:2.0")
    move = voted_move(waiting, {"held:commons": 1}, VOTE, 3, NOW)
    assert book.release([move]) == 1 and book.release([move]) == 0
    for wrong, code in ((replace(move, reference="move:again"), "overdrawn"),
                        (replace(move, reference="x", legs=(("payable:party:c", "1"),)), "unbalanced")):  # fmt: skip
        with pytest.raises(LedgerError) as caught:
            book.release([wrong])
        assert caught.value.code == code
