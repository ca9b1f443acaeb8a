"""What is known and decided about people: numbers, merged names, heirs, claims, disputes. Frozen, dated, evidenced.

Every record has an effective day (from when it counts) and, in the register, a recorded day (from when it was known).
Evidence is the SHA-256 of a document that stays with whoever decided; the document itself never comes here.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from byline.core import PPM, PartyId, Record, RegistryError, WorkId, make_id
from byline.registry.identifiers import normalise_identifier, schemes

Lines = tuple[tuple[PartyId, int], ...]  # parts per million


@dataclass(frozen=True, slots=True)
class Identity(Record):
    """A number under which a party is known elsewhere, with the evidence that it is theirs."""

    KIND: ClassVar[str] = "identity"

    party: PartyId
    scheme: str
    value: str
    effective: date
    evidence_sha256: str

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        if normalise_identifier(self.scheme, self.value) != self.value:
            fix = f"check it for a typing error; the schemes are {', '.join(schemes())}"
            raise RegistryError("bad-identifier", f"{self.value!r} is no {self.scheme}", fix)


@dataclass(frozen=True, slots=True)
class Merge(Record):
    """A decision that `alias` is the same person as `into`; with `into` None, that it is not after all."""

    KIND: ClassVar[str] = "merge"

    alias: PartyId
    into: PartyId | None
    effective: date
    decided_by: str
    evidence_sha256: str

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        if not self.decided_by.strip() or self.alias == self.into:
            raise RegistryError(
                "bad-decision", f"merging {self.alias} into {self.into}", "name who decided, and two names"
            )


@dataclass(frozen=True, slots=True)
class Succession(Record):
    """From a day on, what is due to `party` is due to others: heirs, an estate, a hospital. It never changes what was
    paid before. Two different people approve it."""

    KIND: ClassVar[str] = "succession"

    party: PartyId
    lines: Lines
    effective: date
    evidence_sha256: str
    approved_by: tuple[str, ...]

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        _lines(self.lines, f"succession of {self.party}")
        if len({name.strip() for name in self.approved_by} - {""}) < 2:
            raise RegistryError("bad-decision", f"succession of {self.party}", "two people approve it, by name")
        if self.party in dict(self.lines):
            raise RegistryError("bad-decision", f"{self.party} cannot inherit from itself", "name its heirs")


@dataclass(frozen=True, slots=True)
class Claim(Record):
    """A party says that a part of a work is theirs. Somebody who is not registered as a contributor is heard from the
    day a reviewer admits the claim: or else a stranger could stop everybody's pay by writing one line."""

    KIND: ClassVar[str] = "claim"

    party: PartyId
    work: WorkId
    ppm: int
    effective: date
    evidence_sha256: str
    admitted_by: str = ""

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        _part(self.ppm, f"claim of {self.party}")


@dataclass(frozen=True, slots=True)
class Withdrawal(Record):
    """The claim `claim` (its id) no longer stands, from its first day: a mistake, or settled by agreement."""

    KIND: ClassVar[str] = "withdrawal"

    claim: str
    effective: date
    decided_by: str


class Ground(StrEnum):
    """What a dispute is about."""

    IDENTITY = "identity"
    AUTHORSHIP = "authorship"
    SHARE = "share"
    OWNERSHIP = "ownership"
    DUPLICATE = "duplicate"
    LICENCE = "licence"


@dataclass(frozen=True, slots=True)
class Dispute(Record):
    """`claimant` contests `ppm` of the work out of the share of `party`. That slice waits for the decision."""

    KIND: ClassVar[str] = "dispute"

    work: WorkId
    party: PartyId
    claimant: PartyId
    ppm: int
    ground: Ground
    effective: date
    evidence_sha256: str

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        _part(self.ppm, f"dispute over {self.work}")

    @property
    def id(self) -> str:
        return record_id(self)


@dataclass(frozen=True, slots=True)
class Resolution(Record):
    """Who gets the slice of a dispute, from the dispute's first day. We record the decision, others make it."""

    KIND: ClassVar[str] = "resolution"

    dispute: str
    lines: Lines  # parts per million of the slice; they add up to all of it
    effective: date
    decided_by: str
    evidence_sha256: str

    def __post_init__(self) -> None:
        _evidence(self.evidence_sha256)
        _lines(self.lines, f"resolution of {self.dispute}")
        if sum(ppm for _, ppm in self.lines) != PPM or not self.decided_by.strip():
            raise RegistryError("bad-decision", f"resolution of {self.dispute}", "give away the whole slice, by name")


PeopleRecord = Identity | Merge | Succession | Claim | Withdrawal | Dispute | Resolution
KINDS: dict[str, type[PeopleRecord]] = {
    kind.KIND: kind for kind in (Identity, Merge, Succession, Claim, Withdrawal, Dispute, Resolution)
}


def record_id(record: PeopleRecord) -> str:
    return make_id(record.KIND, record.digest())


def _evidence(sha256: str) -> None:
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise RegistryError(
            "no-evidence", f"{sha256!r} is no SHA-256", "hash the document that shows it (sha256sum FILE)"
        )


def _part(ppm: int, what: str) -> None:
    if not 0 < ppm <= PPM:
        raise RegistryError("bad-share", f"{what}: {ppm} parts per million", f"give a part above 0 and up to {PPM}")


def _lines(lines: Lines, what: str) -> None:
    if not lines or len(dict(lines)) != len(lines) or sum(ppm for _, ppm in lines) > PPM:
        raise RegistryError("bad-share", f"{what}: {lines}", f"name each party once, adding up to at most {PPM}")
    for party, ppm in lines:
        _part(ppm, f"{what}, {party}")
