"""What people say about the use of works: a no (opt-out) or a yes (claim), checks of who said it, and its withdrawal.

A notice is never edited. Whatever happens to it afterwards is a `Change` of its own, and what holds on a day follows
from both. Who gave the notice stands apart in its `Papers`, which are erased on request: the no goes on working then,
because it needs the target and not the name.

The rule of doubt: a no holds from the moment it is given, before anybody has checked who gave it (prima facie); a yes
permits nothing until it has been checked, and never lifts somebody else's no.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from byline.core import Record, RegistryError
from byline.registry.rights import Use

USES = (Use.TDM, Use.TRAIN_GEN, Use.TRAIN_OTHER, Use.GROUND, Use.INDEX, Use.SEARCH)
DEFAULT_USES = (Use.TDM, Use.TRAIN_GEN, Use.TRAIN_OTHER, Use.GROUND)  # to be found is not to be trained on
# A no to mining as a whole is one to training: text and data mining is what training does first (CDSM art. 4).
COVERED_BY = {Use.TRAIN_GEN: (Use.TRAIN_GEN, Use.TDM), Use.TRAIN_OTHER: (Use.TRAIN_OTHER, Use.TDM)}


class NoticeKind(StrEnum):
    OPT_OUT = "opt-out"
    CLAIM = "claim"


class TargetKind(StrEnum):
    """What a notice is about. A contributor is everything that a person has a part in."""

    WORK = "work"
    FILE = "file"
    ISCC = "iscc"
    DOMAIN = "domain"
    ACCOUNT = "account"
    COLLECTION = "collection"
    CONTRIBUTOR = "contributor"


class Level(StrEnum):
    """How well it is known who gave a notice, weakest first."""

    NONE = "none"
    CONTACT = "contact"  # they answered from the address they gave
    DOMAIN = "domain"  # they control the domain
    REGISTRY = "registry"  # a rights registry or our own register names them
    IDENTITY = "identity"  # a document of identity was seen


class What(StrEnum):
    """What can happen to a notice."""

    LOGGED = "logged"  # the receipt was issued: `evidence_sha256` is its digest, `because` the number of its leaf
    VERIFIED = "verified"
    DISPUTED = "disputed"
    UPHELD = "upheld"
    REJECTED = "rejected"
    EXTENDED = "extended"  # the law lets the answer take longer, and the person was told so
    WITHDRAWN = "withdrawn"
    FORGOTTEN = "forgotten"  # the name and the receipt were erased; the notice goes on


LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Target(Record):
    kind: TargetKind
    value: str

    def __str__(self) -> str:
        return self.value if self.value.startswith(("work:", "ISCC:")) else f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class Notice(Record):
    """A no or a yes. `until`: its last day, or None. `laws`: whose clocks run for it beside our own. `unless_licensed`:
    the no holds only as long as no licence that is on record (a `Grant`) covers the use."""

    id: str
    kind: NoticeKind
    target: Target
    uses: tuple[Use, ...]
    effective: date
    until: date | None
    received: datetime
    laws: tuple[str, ...] = ()
    unless_licensed: bool = False

    def __post_init__(self) -> None:
        if not self.uses or [use for use in USES if use in self.uses] != list(self.uses):
            fix = f"name some of {', '.join(USES)}"
            raise RegistryError("bad-notice", f"{self.id}: uses {', '.join(self.uses) or 'none'}", fix)
        if self.until is not None and self.until < self.effective:
            raise RegistryError(
                "bad-notice", f"{self.id} ends on {self.until}, before it begins", "turn the days round"
            )
        if self.unless_licensed and self.kind is not NoticeKind.OPT_OUT:
            raise RegistryError("bad-notice", f"{self.id} is a yes with a condition", "say no, unless licensed")


@dataclass(frozen=True, slots=True)
class Papers(Record):
    """Who gave a notice, and the secret behind its challenges. Erasable; nothing of it is ever logged."""

    notice: str
    by: str
    contact: str
    reason: str
    evidence_sha256: str
    secret: str


@dataclass(frozen=True, slots=True)
class Change(Record):
    """Something that happened to a notice. `level` counts for a check, `evidence_sha256` is of what was seen. A name in
    `decided_by` is of somebody who works for the operator, never of who gave the notice."""

    notice: str
    what: What
    at: datetime
    level: Level = Level.NONE
    decided_by: str = ""
    because: str = ""
    evidence_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Dossier:
    """A notice with all that happened to it, oldest first."""

    notice: Notice
    changes: tuple[Change, ...] = ()

    def receipt(self) -> Change | None:
        """When the receipt was issued; None if a process was killed before it was."""
        return next((change for change in self.changes if change.what is What.LOGGED), None)

    def level(self) -> Level:
        """The best check that it has passed."""
        passed = [change.level for change in self.changes if change.what is What.VERIFIED]
        return max(passed, key=LEVELS.index, default=Level.NONE)

    def ended(self, on: date) -> Change | None:
        """Withdrawal or rejection, up to the end of a day."""
        ends = (What.WITHDRAWN, What.REJECTED)
        return next((change for change in self.changes if change.what in ends and change.at.date() <= on), None)

    def in_force(self, on: date) -> bool:
        """True if it says no or yes on that day. A withdrawal counts from its own day on, never backwards."""
        begun = self.notice.effective <= on
        return begun and (self.notice.until is None or on <= self.notice.until) and self.ended(on) is None

    def covers(self, use: Use) -> bool:
        return any(each in self.notice.uses for each in COVERED_BY.get(use, (use,)))

    def state(self, on: date) -> str:
        """One word for people: received, verified, disputed, upheld, rejected, withdrawn, expired, waiting."""
        end = self.ended(on)
        if end is not None:
            return str(end.what)
        if self.notice.until is not None and self.notice.until < on:
            return "expired"
        if on < self.notice.effective:
            return "waiting"
        settled = [c.what for c in self.changes if c.what in (What.VERIFIED, What.DISPUTED, What.UPHELD)]
        return str(settled[-1]) if settled else "received"


def dossiers(notices: Iterable[Notice], changes: Iterable[Change]) -> tuple[Dossier, ...]:
    """Each notice with its changes, in the order of the notices."""
    by_notice: dict[str, list[Change]] = {}
    for change in changes:
        by_notice.setdefault(change.notice, []).append(change)
    return tuple(Dossier(notice, tuple(by_notice.get(notice.id, ()))) for notice in notices)


def ordered_uses(names: Sequence[str]) -> tuple[Use, ...]:
    """Uses by their names, in the one order they are kept in. Raises: RegistryError("bad-use")."""
    wanted = {name.strip() for name in names if name.strip()}
    unknown = sorted(wanted - {str(use) for use in USES})
    if unknown:
        raise RegistryError("bad-use", f"{', '.join(unknown)} is no use of a work", f"the uses are {', '.join(USES)}")
    return tuple(use for use in USES if str(use) in wanted)
