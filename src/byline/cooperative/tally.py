"""Counting: from the ballots, the roll and the statutes to a result, in integers, the same at every count.

One option: it carries if enough members took part (abstaining is taking part) and more than the statutes' part of
those for and against are for. Several options: instant runoff. The option with the fewest first places drops out and
its ballots go to their next choice, until one has the majority; equal last places are decided by the earlier rounds
and then by a lot that the proposal's own hash draws, so that whoever counts again draws the same. It is counted here
and not by a library, because those at hand draw ties by chance and count in floats: a tally that comes out otherwise
on Tuesday is no proof of anything. The tests hold it against pyrankvote wherever there is no tie.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byline.cooperative.ballots import ABSTAIN, NO, YES, Ballot
from byline.cooperative.records import NONE, Proposal, Rule, Statutes
from byline.core import PPM, Record, canonical_json, digest

Count = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Tally(Record):
    """`roll`: members who could vote. `voted`: those who did. `rounds`: votes per answer, round by round. `winner`: the
    option that goes into force, empty if none does."""

    proposal: str
    statutes: str
    roll: int
    voted: int
    quorum: int
    rounds: tuple[Count, ...]
    carried: bool
    winner: str
    because: str

    def text(self) -> bytes:
        """The bytes that a recount has to give."""
        return canonical_json(self.to_json())

    def ayes_and_nays(self) -> tuple[int, int]:
        """Votes for the winner and against it, in the round that decided."""
        last = dict(self.rounds[-1])
        ayes = last.get(YES, last.get(self.winner, 0))
        return ayes, sum(last.values()) - ayes - last.get(ABSTAIN, 0)


def count(proposal: Proposal, statutes: Statutes, roll: int, ballots: Iterable[Ballot]) -> Tally:
    """The result. Of several ballots under one token the last version counts."""
    rule = statutes.rule(proposal.effect)
    choices = [ballot.choice for ballot in newest(ballots)]
    quorum = -(-roll * rule.quorum_ppm // PPM)
    rounds, leader = _runoff(proposal, choices, rule) if proposal.ranked else _yes_or_no(proposal, choices, rule)
    because = _because(len(choices), quorum, leader)
    carried = not because
    winner = leader if carried else ""
    says = f"{len(choices)} of {roll} voted, {quorum} were needed; {because or f'{winner} has the majority'}"
    return Tally(proposal.id, statutes.digest(), roll, len(choices), quorum, rounds, carried, winner, says)


def newest(ballots: Iterable[Ballot]) -> list[Ballot]:
    """The last version under each token, by token."""
    found: dict[str, Ballot] = {}
    for ballot in ballots:
        if ballot.token not in found or found[ballot.token].version < ballot.version:
            found[ballot.token] = ballot
    return [found[token] for token in sorted(found)]


def _because(voted: int, quorum: int, leader: str) -> str:
    if voted < max(quorum, 1):
        return "too few"
    if leader == NONE:
        return "the majority wants none of these"
    return "" if leader else "no majority"


def _yes_or_no(proposal: Proposal, choices: Sequence[tuple[str, ...]], rule: Rule) -> tuple[tuple[Count, ...], str]:
    votes = Counter(choice[0] for choice in choices)
    counts = tuple((answer, votes[answer]) for answer in (YES, NO, ABSTAIN))
    ahead = votes[YES] * PPM > rule.majority_ppm * (votes[YES] + votes[NO])
    return (counts,), proposal.options[0].name if ahead else ""


def _runoff(proposal: Proposal, choices: Sequence[tuple[str, ...]], rule: Rule) -> tuple[tuple[Count, ...], str]:
    left = [*(option.name for option in proposal.options), NONE]
    rounds: list[dict[str, int]] = []
    while True:
        firsts = Counter(next((name for name in choice if name in left), "") for choice in choices)
        rounds.append({name: firsts[name] for name in left})
        best = max(left, key=lambda name: rounds[-1][name])
        if rounds[-1][best] * PPM > rule.majority_ppm * sum(rounds[-1].values()):
            return _counts(rounds), best
        if len(left) <= 2:
            return _counts(rounds), ""
        left.remove(_last(left, rounds, proposal.id))


def _last(left: Sequence[str], rounds: Sequence[dict[str, int]], lot: str) -> str:
    """Who drops out: the fewest votes now, then in the round before, and so on, then by lot."""
    return min(left, key=lambda name: ([one[name] for one in reversed(rounds)], digest([lot, name])))


def _counts(rounds: Sequence[dict[str, int]]) -> tuple[Count, ...]:
    return tuple(tuple(sorted(one.items())) for one in rounds)
