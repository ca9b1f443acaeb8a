"""The published box of a closed vote: one line of JSON for the vote, one per ballot; anybody can count it again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from byline.cooperative.ballots import Ballot, refuse_choice
from byline.cooperative.records import Proposal, Statutes
from byline.cooperative.tally import Tally, count
from byline.core import (
    BylineError,
    CooperativeError,
    PartyId,
    Problem,
    Record,
    Source,
    canonical_json,
    make_id,
    merkle_root,
)

FORMAT = "byline-ballot-box-1"


@dataclass(frozen=True, slots=True)
class Closing(Record):
    """The end of a vote: its result, and the Merkle root over the commitments of all ballots in their order."""

    proposal: str
    closed: date
    tally: Tally
    ballots_root: str
    effect_sha256: str  # of the document that is in force now; empty if none is

    @property
    def id(self) -> str:
        return make_id("closing", self.digest())


@dataclass(frozen=True, slots=True)
class Box(Record):
    """Everything that a recount needs. `roll`: who could vote. `voted`: who did, not how. Ballots stand by token."""

    proposal: Proposal
    statutes: Statutes
    roll: tuple[PartyId, ...]
    voted: tuple[PartyId, ...]
    ballots: tuple[Ballot, ...]
    closing: Closing

    def lines(self) -> bytes:
        """JSON lines: the vote, then each ballot."""
        head = {"format": FORMAT, **self.to_json()}
        ballots = head.pop("ballots")
        return b"".join(canonical_json(one) + b"\n" for one in (head, *ballots))


def close(
    proposal: Proposal,
    statutes: Statutes,
    roll: Sequence[PartyId],
    voted: Iterable[PartyId],
    ballots: Iterable[Ballot],
    closed: date,
) -> Box:
    """Count and seal."""
    ordered = tuple(sorted(ballots, key=lambda one: (one.token, one.version)))
    closing = _closing(proposal, statutes, len(roll), ordered, closed)
    return Box(proposal, statutes, tuple(sorted(roll)), tuple(sorted(voted)), ordered, closing)


def _closing(proposal: Proposal, statutes: Statutes, roll: int, ballots: Sequence[Ballot], closed: date) -> Closing:
    tally = count(proposal, statutes, roll, ballots)
    won = proposal.option(tally.winner)
    root = merkle_root([ballot.commitment.encode() for ballot in ballots]).hex()
    return Closing(proposal.id, closed, tally, root, won.document_sha256 if won else "")


def read_box(data: bytes, file: str) -> tuple[Box | None, list[Problem]]:
    """A box as `Box.lines` writes it; with problems, None."""
    lines = data.split(b"\n")
    told, problems = [], []
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        try:
            told.append(_object(line))
        except ValueError as fault:
            problems.append(Problem("box-unreadable", Source(file, number), f"is not a line of a box: {fault}"))
    if problems or not told or told[0].pop("format", None) != FORMAT:
        return None, problems or [Problem("box-unreadable", Source(file, 1), f"is not of the form {FORMAT}")]
    try:
        head = {**told[0], "ballots": []}
        box = Box.from_json(head)
    except BylineError as fault:
        return None, [Problem("box-unreadable", Source(file, 1), fault.message)]
    ballots = []
    for number, one in enumerate(told[1:], 2):
        try:
            ballots.append(Ballot.from_json(one))
        except BylineError as fault:
            problems.append(Problem("box-unreadable", Source(file, number), fault.message))
    return (None, problems) if problems else (_filled(box, ballots), [])


def _filled(box: Box, ballots: Sequence[Ballot]) -> Box:
    return Box(box.proposal, box.statutes, box.roll, box.voted, tuple(ballots), box.closing)


def _object(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    return found


def recount(box: Box, file: str, logged: Iterable[str] | None = None) -> tuple[Closing, list[Problem]]:
    """Count the box again: the closing that follows from its ballots, and everything that does not fit.

    `logged`: commitments that the transparency log took while the vote was open, where it is at hand. Codes:
    "ballot-altered" names the ballot whose choice is not the one that was committed to, "ballot-unlogged",
    "bad-choice", "ballot-twice", "ballots-differ" (members who voted against ballots), "voter-not-on-roll",
    "tally-differs".
    """
    known = None if logged is None else set(logged)
    problems = []
    for number, ballot in enumerate(box.ballots, 2):
        problems += [Problem(code, Source(file, number), says) for code, says in _ballot_faults(box, ballot, known)]
    problems += [Problem(code, Source(file, 1), says) for code, says in _box_faults(box)]
    usable = [ballot for ballot in box.ballots if not _choice_fault(box.proposal, ballot)]
    found = _closing(box.proposal, box.statutes, len(box.roll), usable, box.closing.closed)
    if found != box.closing:
        says = f"the ballots give: {found.tally.because}; the closing says: {box.closing.tally.because}"
        problems.append(Problem("tally-differs", Source(file, 1), says))
    return found, problems


def _ballot_faults(box: Box, ballot: Ballot, known: set[str] | None) -> list[tuple[str, str]]:
    name = f"ballot {ballot.token[:12]}, version {ballot.version}"
    found = []
    if ballot.proposal != box.proposal.id:
        found.append(("ballot-altered", f"{name} is for another proposal"))
    elif not ballot.opens():
        found.append(("ballot-altered", f"{name}: the choice is not the one that was committed to"))
    elif known is not None and ballot.commitment not in known:
        found.append(("ballot-unlogged", f"{name}: the log took no such ballot while the vote was open"))
    fault = _choice_fault(box.proposal, ballot)
    return [*found, ("bad-choice", f"{name}: {fault}")] if fault else found


def _choice_fault(proposal: Proposal, ballot: Ballot) -> str:
    try:
        refuse_choice(proposal, ballot.choice)
    except CooperativeError as fault:
        return fault.message
    return ""


def _box_faults(box: Box) -> list[tuple[str, str]]:
    versions = [(ballot.token, ballot.version) for ballot in box.ballots]
    tokens = {ballot.token for ballot in box.ballots}
    found = []
    if len(set(versions)) != len(versions):
        found.append(("ballot-twice", "a ballot stands twice"))
    if any((token, version - 1) not in set(versions) for token, version in versions if version > 1):
        found.append(("ballots-differ", "an earlier version of a ballot is missing"))
    if len(tokens) != len(set(box.voted)) or len(set(box.voted)) != len(box.voted):
        found.append(("ballots-differ", f"{len(box.voted)} members voted, {len(tokens)} ballots are in the box"))
    strangers = sorted(set(box.voted) - set(box.roll))
    found += [("voter-not-on-roll", f"{party} voted and is not on the roll") for party in strangers]
    if len(set(box.roll)) != len(box.roll):
        found.append(("voter-not-on-roll", "somebody stands twice on the roll"))
    if box.proposal.statutes != box.statutes.digest():
        found.append(("tally-differs", "the statutes are not those that the proposal names"))
    return found
