"""Counting, by hand-made votes, by law, and against pyrankvote wherever no tie is drawn by lot."""

import random
from dataclasses import replace
from fractions import Fraction

import pyrankvote
import pytest
from cooperatives import MEMBERS, STATUTES, policy, proposal
from hypothesis import given
from hypothesis import strategies as st

from byline.cooperative import ABSTAIN, NO, NONE, YES, Effect, Rule, count
from byline.cooperative.ballots import make_ballot
from byline.core import PPM, CooperativeError

ONE = proposal()
THREE = proposal(*(policy(n).to_json() for n in (1, 2, 3)))
NAMES = ["rule 1", "rule 2", "rule 3", NONE]


def ballots(made, choices):
    return [make_ballot(made, f"party:{n}", tuple(choice), f"{n:032x}", 1) for n, choice in enumerate(choices)]


def tally(made, choices, roll=None, statutes=STATUTES):
    return count(made, statutes, len(choices) if roll is None else roll, ballots(made, choices))


@pytest.mark.parametrize(
    "ayes, nays, abstaining, roll, carried",
    [
        (2, 1, 0, 3, True),
        (2, 2, 0, 4, False),  # half is no majority
        (1, 0, 0, 5, True),  # one of five is the fifth that the quorum asks for
        (1, 0, 0, 6, False),
        (1, 0, 1, 10, True),  # abstaining is taking part, and is not against
        (0, 0, 5, 5, False),
        (0, 0, 0, 0, False),
        (0, 0, 0, 4, False),
    ],
)
def test_yes_or_no(ayes, nays, abstaining, roll, carried):
    found = tally(ONE, [(YES,)] * ayes + [(NO,)] * nays + [(ABSTAIN,)] * abstaining, roll)
    assert (found.carried, found.winner) == (carried, "rule 1" if carried else "")
    assert found.ayes_and_nays() == (ayes, nays)


def test_two_thirds_are_more_than_two_thirds():
    rules = tuple(Rule(effect, 1, 666_666, 0, 1) for effect in Effect)
    strict = replace(STATUTES, rules=rules)
    assert tally(ONE, [(YES,)] * 2 + [(NO,)], statutes=strict).carried  # 0.6666667 > 0.666666
    assert not tally(ONE, [(YES,)] * 13 + [(NO,)] * 7, statutes=strict).carried


def test_a_ranking_is_transferred():
    found = tally(THREE, [["rule 1"]] * 4 + [["rule 2", "rule 3"]] * 3 + [["rule 3", "rule 2"]] * 2)
    assert found.winner == "rule 2" and found.carried
    assert dict(found.rounds[-1])["rule 2"] == 5 and found.ayes_and_nays() == (5, 4)


def test_none_of_these_can_win_and_then_nothing_carries():
    found = tally(THREE, [[NONE]] * 3 + [["rule 1"]] * 2)
    assert not found.carried and found.winner == "" and "none of these" in found.because


def test_a_tie_at_the_end_carries_nothing_and_one_on_the_way_is_drawn_the_same_each_time():
    assert not tally(THREE, [["rule 1"], ["rule 2"]]).carried
    choices = [["rule 1"]] * 2 + [["rule 2", "rule 1"], ["rule 3", "rule 1"]]
    assert len({tally(THREE, choices).text() for _ in range(20)}) == 1


RANKINGS = st.lists(st.permutations(NAMES).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])), max_size=25)


@given(RANKINGS, st.randoms())
def test_the_order_of_ballots_changes_nothing(choices, chance):
    made = ballots(THREE, choices)
    shuffled = made.copy()
    chance.shuffle(shuffled)
    one, other = (count(THREE, STATUTES, len(made), each) for each in (made, shuffled))
    assert one.text() == other.text()
    assert all(sum(dict(each).values()) <= one.voted for each in one.rounds)


@given(RANKINGS)
def test_who_has_more_than_half_of_the_first_places_wins(choices):
    firsts = [choice[0] for choice in choices if choice]
    found = tally(THREE, choices)
    for name in NAMES[:3]:
        if firsts.count(name) * 2 > len(firsts) and found.voted >= max(found.quorum, 1):
            assert found.winner == name


@given(RANKINGS.filter(bool), st.integers(0, 2))
def test_moving_the_winner_to_the_top_of_a_last_round_ballot_keeps_it_in_front(choices, at):
    """Runoff is not monotone in general; it is once the winner has a majority of first places."""
    found = tally(THREE, choices)
    if found.carried and len(found.rounds) == 1:
        raised = [[found.winner, *(n for n in c if n != found.winner)] if i == at else c for i, c in enumerate(choices)]
        assert tally(THREE, raised).winner == found.winner


def test_it_agrees_with_pyrankvote_where_nothing_is_tied():
    """Both count 300 random votes; a vote in which some round has two last places is left out, because pyrankvote
    draws there by chance or by second places."""
    chance, compared = random.Random(0), 0
    for _ in range(300):
        choices = [chance.sample(NAMES, chance.randint(1, 4)) for _ in range(chance.randint(5, 40))]
        found = tally(THREE, choices)
        lasts = [sorted(dict(each).values())[:2] for each in found.rounds]
        tops = [sorted(dict(each).values())[-2:] for each in found.rounds]
        if any(low == high for low, high in lasts + tops):
            continue
        candidates = {name: pyrankvote.Candidate(name) for name in NAMES}
        votes = [pyrankvote.Ballot([candidates[name] for name in choice]) for choice in choices]
        (winner,) = pyrankvote.instant_runoff_voting(list(candidates.values()), votes).get_winners()
        last = dict(found.rounds[-1])
        assert max(last, key=lambda name: last[name]) == winner.name
        compared += 1
    assert compared > 100


@given(st.integers(1, 50), st.integers(1, PPM))
def test_the_quorum_is_the_smallest_number_that_is_enough(roll, ppm):
    rules = tuple(Rule(effect, ppm, 500_000, 0, 1) for effect in Effect)
    found = tally(ONE, [], roll, replace(STATUTES, rules=rules))
    assert Fraction(found.quorum, roll) >= Fraction(ppm, PPM) > Fraction(found.quorum - 1, roll)


@pytest.mark.parametrize("choice", [(), ("perhaps",), (YES, NO), ("rule 1",)])
def test_what_is_no_answer_is_refused(choice):
    with pytest.raises(CooperativeError) as refused:
        make_ballot(ONE, MEMBERS[0], choice, "00", 1)
    assert refused.value.code == "bad-choice"


@pytest.mark.parametrize("choice", [("yes",), ("rule 1", "rule 1"), ("rule 4",)])
def test_what_is_no_ranking_is_refused(choice):
    with pytest.raises(CooperativeError) as refused:
        make_ballot(THREE, MEMBERS[0], choice, "00", 1)
    assert refused.value.code == "bad-choice"
