"""How a work was obtained, and who may use it for what: acquisitions, licences, grants, consents, and their endings.

Frozen, like everything in the register. `effective` is the day from which a record counts; the day on which it became
known is kept beside it (`recorded`). A record is never edited: a later one names it in `supersedes`, or an `Ending`
ends it. Evidence is the SHA-256 of a document that stays with whoever holds it; the document never comes here.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from byline.core import PartyId, RegistryError, Role, WorkId
from byline.registry.checking import (
    Facts,
    check_amount,
    check_dates,
    check_facts,
    check_filled,
    check_sha256,
    check_texts,
)
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.scope import check_scope, domain_of


class Method(StrEnum):
    """How a work was obtained. Source: matrix of evidence by method of acquisition (China's annex knows them too)."""

    CRAWL = "crawl"
    SENSOR = "sensor"
    ANNOTATION = "annotation"
    PURCHASE = "purchase"
    CROWDSOURCING = "crowdsourcing"
    USER_UPLOAD = "user_upload"
    PUBLIC_DATASET = "public_dataset"
    SYNTHETIC = "synthetic"


class Robots(StrEnum):
    """What robots.txt said to the crawler when the copy was taken. What was not read permits nothing."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"
    NOT_READ = "not_read"
    NOT_APPLICABLE = "not_applicable"


class Use(StrEnum):
    """What a permission is for: the six uses that signals speak of, and synthesis of a person."""

    TDM = "tdm"
    TRAIN_GEN = "train.gen"
    TRAIN_OTHER = "train.other"
    GROUND = "ground"
    INDEX = "index"
    SEARCH = "search"
    VOICE_SYNTHESIS = "voice_synthesis"
    LIKENESS_SYNTHESIS = "likeness_synthesis"


class Subject(StrEnum):
    """What of a person a consent is about. A licence of a recording is none of these."""

    VOICE = "voice"
    LIKENESS = "likeness"
    PERSONAL_DATA = "personal_data"
    SENSITIVE_DATA = "sensitive_data"


class Why(StrEnum):
    """Why a record no longer stands. A mistaken one never stood: what it superseded stands again."""

    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    MISTAKEN = "mistaken"


@dataclass(frozen=True, slots=True)
class Acquisition(EvidenceRecord):
    """A copy was obtained on the day `effective`; a batch until `collected_until`.

    source: URL, dealer, archive or data set. collector: who or which crawler took it (its product token). upstream:
    the data set with version, or the generating model, that it came out of. contract: reference of contract or invoice.
    facts: what else is established of it, in the words of the law packs (`lawful_access=yes`).
    """

    KIND: ClassVar[str] = "acquisition"

    about: str
    method: Method
    effective: date
    source: str
    collected_until: date | None = None
    fetched_at: datetime | None = None
    collector: str = ""
    robots: Robots = Robots.NOT_READ
    upstream: str = ""
    contract: str = ""
    evidence: str = ""
    evidence_sha256: str = ""
    facts: Facts = ()
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        check_filled("source", self.source)
        check_dates("collected", self.effective, self.collected_until)
        check_sha256(self.evidence_sha256)
        check_facts(self.facts)
        if self.fetched_at is not None and self.fetched_at.date() != self.effective:
            raise RegistryError("bad-dates", "fetched_at is not on the effective day", "correct one of the two")

    @property
    def domain(self) -> str:
        """Host of the source, or "" if the source is no URL."""
        return domain_of(self.source) if "://" in self.source else ""


@dataclass(frozen=True, slots=True)
class Licence(EvidenceRecord):
    """A licence that is stated for works: an SPDX expression, or a LicenseRef- of one's own whose facts are given.

    stated_in: where it stands (a page, the file's metadata, a contract). text_sha256: of the licence's text as read.
    A licence is an offer to everybody; what somebody holds is a `Grant`.
    """

    KIND: ClassVar[str] = "licence"

    about: str
    expression: str
    effective: date
    until: date | None = None
    url: str = ""
    stated_in: str = ""
    text_sha256: str = ""
    reviewed_by: str = ""
    facts: Facts = ()
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        check_filled("expression", self.expression)
        check_dates("until", self.effective, self.until)
        check_sha256(self.text_sha256)
        check_facts(self.facts)


@dataclass(frozen=True, slots=True)
class Grant(EvidenceRecord):
    """A permission that is held: from whom, to whom, for which uses and places, from when to when, for how much.

    territory: places as law packs name them, or WORLD. amount_nano: nano-units of the currency, "" if nothing is paid.
    pricing: what the amount is for ("once", "per year", "per output" ...).
    """

    KIND: ClassVar[str] = "grant"

    about: str
    grantor: PartyId
    grantee: str
    uses: tuple[Use, ...]
    territory: tuple[str, ...]
    effective: date
    until: date | None = None
    revocable: bool = True
    amount_nano: str = ""
    currency: str = ""
    pricing: str = ""
    contract: str = ""
    evidence_sha256: str = ""
    facts: Facts = ()
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        check_filled("grantee", self.grantee)
        check_filled("uses", self.uses)
        check_filled("territory", self.territory)
        check_dates("until", self.effective, self.until)
        check_amount(self.amount_nano, self.currency)
        check_sha256(self.evidence_sha256)
        check_facts(self.facts)


@dataclass(frozen=True, slots=True)
class Consent(EvidenceRecord):
    """A person's consent: for what of them (voice, likeness ...), for which uses, given to whom, in which words.

    text_sha256: the version of the consent text that was shown. how: click, signed, oral, guardian. It is withdrawn by
    an `Ending`. Consent of one person says nothing of another, and none of it follows from a licence.
    """

    KIND: ClassVar[str] = "consent"

    person: PartyId
    about: str
    subjects: tuple[Subject, ...]
    uses: tuple[Use, ...]
    controller: str
    effective: date
    until: date | None = None
    territory: tuple[str, ...] = ()
    how: str = ""
    language: str = ""
    text_sha256: str = ""
    evidence_sha256: str = ""
    facts: Facts = ()
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        check_filled("subjects", self.subjects)
        check_filled("uses", self.uses)
        check_filled("controller", self.controller)
        check_dates("until", self.effective, self.until)
        check_sha256(self.text_sha256)
        check_sha256(self.evidence_sha256)
        check_facts(self.facts)


@dataclass(frozen=True, slots=True)
class Credit(EvidenceRecord):
    """Somebody has a part in a work that was registered without them: a translator, the voice, the person shown."""

    KIND: ClassVar[str] = "credit"

    about: WorkId
    party: PartyId
    role: Role
    effective: date
    evidence_sha256: str = ""
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        check_sha256(self.evidence_sha256)


@dataclass(frozen=True, slots=True)
class Ending(EvidenceRecord):
    """The record `record` (its id) no longer counts from the day `effective`: a consent withdrawn, a grant revoked."""

    KIND: ClassVar[str] = "ending"

    record: str
    why: Why
    effective: date
    because: str = ""
    evidence_sha256: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_filled("record", self.record)
        check_sha256(self.evidence_sha256)
