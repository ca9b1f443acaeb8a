"""What was seen and done with works: signals observed, decisions per jurisdiction and use, snapshots, training runs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from byline.core import ManifestId, RunId
from byline.registry.checking import check_dates, check_filled, check_readings, check_sha256, check_texts
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.rights import Use
from byline.registry.scope import check_scope


@dataclass(frozen=True, slots=True)
class Signal(EvidenceRecord):
    """One statement of a publisher as it was read, in the fields of the gate's signal readers; a line of one look at
    one place.

    canonical: (use, reading) pairs; a use that is absent is unknown. problem: "" if it could be read, else the code of
    what was wrong, with the words in `raw`: it may have been a no. A look that found nothing is kept as well, with
    `carrier` "nothing": that somebody looked is evidence.
    """

    KIND: ClassVar[str] = "signal"

    about: str
    observed_at: datetime
    source: str
    path: str = "/"
    carrier: str = "nothing"
    family: str = ""
    spec: str = ""
    raw: str = ""
    rule: str = ""
    line: int = 0
    canonical: tuple[tuple[str, str], ...] = ()
    access: str = "unknown"
    body_sha256: str = ""
    media: str = ""
    duties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    signer: str = ""
    signature: str = ""
    problem: str = ""
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        for field in ("source", "path", "carrier", "access"):
            check_filled(field, getattr(self, field))
        check_readings(self.canonical)
        check_sha256(self.body_sha256)

    @property
    def effective(self) -> date:  # type: ignore[override]
        """The day of the look, in the time zone that it was noted in."""
        return self.observed_at.date()


@dataclass(frozen=True, slots=True)
class LegalDecision(EvidenceRecord):
    """What one law pack said of one work for one use on the day `effective`, and on which facts.

    outcome: deny, review, allow-with-duties or allow. pack, pack_sha256: version and digest of the rules. expires: the
    day on which a fact that it rests on runs out. reading: plain or strict.
    """

    KIND: ClassVar[str] = "legal-decision"

    about: str
    jurisdiction: str
    use: Use
    outcome: str
    effective: date
    pack: str
    rules: tuple[str, ...] = ()
    because: str = ""
    pack_sha256: str = ""
    facts_sha256: str = ""
    reading: str = "plain"
    duties: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    expires: date | None = None
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_scope(self.about)
        for field in ("jurisdiction", "outcome", "pack", "reading"):
            check_filled(field, getattr(self, field))
        check_dates("expires", self.effective, self.expires)
        check_sha256(self.pack_sha256)
        check_sha256(self.facts_sha256)


@dataclass(frozen=True, slots=True)
class Snapshot(EvidenceRecord):
    """A frozen data set: its manifest, and what stood in the logs on the day it was frozen.

    decision_root: Merkle root (hex) over the decisions that admitted and refused. opt_out_checkpoint: the signed
    checkpoint of the log of opt-outs, as text. parents: data sets it was made from.
    """

    KIND: ClassVar[str] = "snapshot"

    manifest: ManifestId
    manifest_root: str
    effective: date
    works: int
    refused: int
    name: str = ""
    decision_root: str = ""
    opt_out_checkpoint: str = ""
    parents: tuple[str, ...] = ()
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        check_filled("manifest", self.manifest)
        check_filled("manifest_root", self.manifest_root)
        for digest in (self.manifest_root, self.decision_root):
            check_sha256(digest)


@dataclass(frozen=True, slots=True)
class TrainingRun(EvidenceRecord):
    """A training, begun on the day `effective`, on one manifest. `finished` is stated by a record that supersedes."""

    KIND: ClassVar[str] = "training-run"

    run: RunId
    name: str
    model: str
    manifest: ManifestId
    manifest_root: str
    effective: date
    finished: date | None = None
    opt_out_checkpoint: str = ""
    decision_root: str = ""
    purpose: str = ""
    code: str = ""
    supersedes: str = ""

    def __post_init__(self) -> None:
        check_texts(self)
        for field in ("run", "name", "model", "manifest", "manifest_root"):
            check_filled(field, getattr(self, field))
        check_dates("finished", self.effective, self.finished)
        for digest in (self.manifest_root, self.decision_root):
            check_sha256(digest)
