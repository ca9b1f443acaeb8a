"""What a cooperative consists of: statutes, members, proposals, ballots, results. Frozen and dated; nothing is edited.

A record counts from a day (`effective`, `opens`) and was written down on another (`recorded`, kept beside it in the
book). Who may vote on a proposal is decided by what was written down when it was proposed, so that nobody can be made
a member, or unmade one, while a vote is running.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from byline.core import PPM, CooperativeError, PartyId, Record, WorkId, digest, make_id, sha256_hex

NONE = "none of these"
"""The answer that stands on every ballot of several options: all stays as it is."""


class Effect(StrEnum):
    """What a vote that carries brings about."""

    POLICY = "policy"  # the pay rule that the next settlement must use
    OFFER = "offer"  # a licence, offered for the members' works together
    UNCLAIMED = "unclaimed"  # the fate of money that nobody has claimed
    STATUTES = "statutes"  # other rules for voting


class MemberClass(StrEnum):
    PERSON = "person"
    ESTATE = "estate"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Rule(Record):
    """What a vote on one effect needs: members who take part (of all on the roll), votes for it (more than this part
    of those for and against), days between proposal and opening, days that it is open."""

    effect: Effect
    quorum_ppm: int
    majority_ppm: int
    notice_days: int
    open_days: int

    def __post_init__(self) -> None:
        if not 0 < self.quorum_ppm <= PPM or not PPM // 2 <= self.majority_ppm < PPM:
            says = f"{self.effect}: quorum {self.quorum_ppm}, majority {self.majority_ppm} parts per million"
            raise CooperativeError("bad-statutes", says, "quorum above 0; a majority is half or more")
        if self.notice_days < 0 or self.open_days < 1:
            says = f"{self.effect}: {self.notice_days} days of notice, {self.open_days} days open"
            raise CooperativeError("bad-statutes", says, "open a vote for a day at least")


@dataclass(frozen=True, slots=True)
class Statutes(Record):
    """The rules of voting, one version of them. `voting`: classes of members that vote, one vote each.
    `unclaimed_years`: how long money waits before its fate may be voted on.

    Raises: CooperativeError("bad-statutes").
    """

    version: int
    effective: date
    rules: tuple[Rule, ...]
    voting: tuple[MemberClass, ...]
    unclaimed_years: int

    def __post_init__(self) -> None:
        if sorted(rule.effect for rule in self.rules) != sorted(Effect):
            wanted = ", ".join(Effect)
            raise CooperativeError("bad-statutes", "not one rule for each effect", f"give one each for {wanted}")
        if not self.voting or self.unclaimed_years < 1:
            raise CooperativeError("bad-statutes", "nobody votes, or money does not wait", "name voting classes")

    def rule(self, effect: Effect) -> Rule:
        return next(rule for rule in self.rules if rule.effect is effect)


@dataclass(frozen=True, slots=True)
class Cooperative(Record):
    """Contributors who decide together about the pay of one pool (the training whose money is divided)."""

    KIND: ClassVar[str] = "cooperative"

    name: str
    pool: str
    founded: date
    statutes: Statutes

    @property
    def id(self) -> str:
        return make_id(self.KIND, self.name, self.pool)


class Step(StrEnum):
    JOINED = "joined"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Membership(Record):
    """A party joins or leaves on a day. `evidence_sha256` is of the document by which whoever decided knows that this
    is one person, estate or organisation; the document stays with them.

    Raises: CooperativeError("no-evidence").
    """

    KIND: ClassVar[str] = "membership"

    cooperative: str
    party: PartyId
    step: Step
    member_class: MemberClass
    effective: date
    decided_by: str
    evidence_sha256: str

    def __post_init__(self) -> None:
        _sha256(self.evidence_sha256)
        if not self.decided_by.strip():
            raise CooperativeError("no-evidence", f"{self.party}: nobody is named who decided", "say who decided")

    @property
    def id(self) -> str:
        return make_id(self.KIND, self.digest())


@dataclass(frozen=True, slots=True)
class Option(Record):
    """One answer that can win, with what it would bring about: canonical JSON of a policy, an offer, statutes or the
    fate of unclaimed money."""

    name: str
    document: str

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.document)
        return found

    @property
    def document_sha256(self) -> str:
        return digest(self.told())


@dataclass(frozen=True, slots=True)
class Proposal(Record):
    """What is voted on. With one option the answers are yes, no and abstain; with several they are rankings. It opens
    and closes at the beginning of a day: `closes` is the first day on which nobody can vote any more. `statutes` is
    the digest of the version that governs the vote. Raises: CooperativeError("bad-proposal").
    """

    KIND: ClassVar[str] = "proposal"

    cooperative: str
    title: str
    text: str
    effect: Effect
    options: tuple[Option, ...]
    statutes: str
    proposed: date
    opens: date
    closes: date

    def __post_init__(self) -> None:
        names = [option.name.strip() for option in self.options]
        if not names or len(set(names)) != len(names) or NONE in names or "" in names or not self.text.strip():
            says = f"{self.title}: options {', '.join(names) or 'none'}"
            fix = f"give a text, and options of different names; {NONE!r} is always there"
            raise CooperativeError("bad-proposal", says, fix)
        if not self.proposed <= self.opens < self.closes:
            says = f"proposed {self.proposed}, opens {self.opens}, closes {self.closes}"
            raise CooperativeError("bad-proposal", says, "it is proposed, then opens, then closes")

    @property
    def id(self) -> str:
        return make_id(self.KIND, self.digest())

    @property
    def text_sha256(self) -> str:
        return sha256_hex(self.text.encode())

    @property
    def ranked(self) -> bool:
        return len(self.options) > 1

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)

    def refuse_hasty(self, statutes: Statutes) -> None:
        """Raises: CooperativeError("too-hasty") unless it gives the notice and the time that the statutes ask for."""
        rule = statutes.rule(self.effect)
        opens = self.proposed + timedelta(rule.notice_days)
        if self.opens < opens or self.closes < self.opens + timedelta(rule.open_days):
            says = f"{self.title}: opens {self.opens}, closes {self.closes}"
            fix = f"open on {opens} or later, for {rule.open_days} days at least"
            raise CooperativeError("too-hasty", says, fix)


@dataclass(frozen=True, slots=True)
class Fate(Record):
    """Where unclaimed money goes: to the members in equal parts, or to the commons; of these works, or of all."""

    to: str
    works: tuple[WorkId, ...] = ()

    def __post_init__(self) -> None:
        if self.to not in ("members", "commons"):
            raise CooperativeError("bad-fate", f"{self.to!r} cannot be given unclaimed money", "members or commons")


def _sha256(text: str) -> None:
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise CooperativeError("no-evidence", f"{text!r} is no SHA-256", "hash the document that shows it")
