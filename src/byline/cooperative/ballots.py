"""Ballots that nobody else can read a name from, and that their voter finds again in the published box.

A member's ballot stands under a token, the hash of a salt that only the member keeps, the member's id and the
proposal. With it goes a commitment, the hash of the choice and a second salt, which is published (in the transparency
log) when the vote is cast and opened when the vote has closed. So a choice cannot be seen early, cannot be changed
later without its commitment no longer opening, and cannot be put under somebody else's token.
"""

import secrets
from dataclasses import dataclass

from byline.cooperative.records import NONE, Proposal
from byline.core import CooperativeError, PartyId, Record, digest

YES, NO, ABSTAIN = "yes", "no", "abstain"


@dataclass(frozen=True, slots=True)
class Ballot(Record):
    """One vote, or a later one of the same voter, which supersedes it (`version` 2, 3, ...)."""

    proposal: str
    token: str
    version: int
    choice: tuple[str, ...]
    nonce: str
    commitment: str

    def opens(self) -> bool:
        """True if the commitment is to this choice."""
        return self.commitment == commitment(self.proposal, self.token, self.version, self.choice, self.nonce)


@dataclass(frozen=True, slots=True)
class Receipt(Record):
    """What the voter keeps: the salt proves, to whom the voter shows it and to nobody else, which ballot is theirs."""

    party: PartyId
    salt: str
    ballot: Ballot


def fresh_salt() -> str:
    return secrets.token_hex(16)


def token_of(salt: str, party: PartyId, proposal: str) -> str:
    return digest(["byline-voter-1", salt, party, proposal])


def commitment(proposal: str, token: str, version: int, choice: tuple[str, ...], nonce: str) -> str:
    return digest(["byline-ballot-1", proposal, token, version, list(choice), nonce])


def make_ballot(proposal: Proposal, party: PartyId, choice: tuple[str, ...], salt: str, version: int) -> Ballot:
    """Raises: CooperativeError("bad-choice")."""
    refuse_choice(proposal, choice)
    token, nonce = token_of(salt, party, proposal.id), fresh_salt()
    return Ballot(proposal.id, token, version, choice, nonce, commitment(proposal.id, token, version, choice, nonce))


def refuse_choice(proposal: Proposal, choice: tuple[str, ...]) -> None:
    """Raises: CooperativeError("bad-choice") unless it is an answer to this proposal. A ranking may be short, and an
    empty one abstains."""
    if proposal.ranked:
        names = [*(option.name for option in proposal.options), NONE]
        good = len(set(choice)) == len(choice) and set(choice) <= set(names)
        fix = f"rank some of: {', '.join(names)}"
    else:
        good = choice in ((YES,), (NO,), (ABSTAIN,))
        fix = f"{YES}, {NO} or {ABSTAIN}"
    if not good:
        raise CooperativeError("bad-choice", f"{', '.join(choice) or 'nothing'} is no answer to {proposal.title}", fix)


def receipt_faults(receipt: Receipt, published: list[Ballot]) -> list[str]:
    """What is wrong with a voter's ballot in the published box; empty if it stands there as cast."""
    ballot = receipt.ballot
    if ballot.token != token_of(receipt.salt, receipt.party, ballot.proposal) or not ballot.opens():
        return ["the receipt does not hold together: it was changed, or is not this member's"]
    same = [one for one in published if one.token == ballot.token]
    if not same:
        return ["the box holds no ballot of this voter"]
    if ballot not in same:
        return [f"the box has the voter's ballot as {', '.join(one.choice) or 'no choice'}" for one in same[-1:]]
    newer = [one for one in same if one.version > ballot.version]
    return [f"a later ballot (version {one.version}) supersedes this one" for one in newer]
