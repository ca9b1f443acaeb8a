"""The frozen records that rooms hand to each other, and their JSON form.

Every record round-trips: `type(r).from_json(r.to_json()) == r`. JSON holds only text, integers, booleans, lists and
objects; dates are ISO 8601. A record that is hashed or signed holds no float.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from byline.core.errors import CoreError
from byline.core.hashing import digest
from byline.core.ids import AccountId, ClusterId, EventId, ExampleId, ManifestId, PartyId, WorkId

PPM = 1_000_000
PPB = 1_000_000_000


class Record:
    """Base of all records: JSON both ways, driven by the field annotations."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: _encode(getattr(self, field.name)) for field in fields}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises: CoreError("bad-record") naming the field that is missing, unknown or of the wrong type."""
        hints = typing.get_type_hints(cls)
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if not isinstance(value, dict) or set(value) != names:
            got = sorted(set(value) ^ names) if isinstance(value, dict) else type(value).__name__
            raise CoreError("bad-record", f"{cls.__name__}: fields missing or unknown: {got}")
        return cls(**{name: _decode(hints[name], value[name], f"{cls.__name__}.{name}") for name in names})

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON."""
        return digest(self.to_json())


def _encode(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    return value


def _decode(hint: Any, value: Any, where: str) -> Any:
    hint = getattr(hint, "__supertype__", hint)  # NewType
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _decode(next(arg for arg in args if arg is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise CoreError("bad-record", f"{where}: expected a list, got {type(value).__name__}")
        kinds = [args[0]] * len(value) if args[-1] is ... else list(args)
        if len(kinds) != len(value):
            raise CoreError("bad-record", f"{where}: expected {len(kinds)} items, got {len(value)}")
        return tuple(
            _decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_json(value)
    try:
        if hint in (date, datetime):
            return hint.fromisoformat(value)
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            return hint(value)
    except (TypeError, ValueError) as fault:
        raise CoreError("bad-record", f"{where}: {fault}") from fault
    if type(value) is not hint:
        raise CoreError("bad-record", f"{where}: expected {hint.__name__}, got {type(value).__name__}")
    return value


# --- faults in people's data ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source(Record):
    """Where a fault stands: file and line (1 = first line, header included; 0 = the file as a whole)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem(Record):
    """A fault in data that somebody gave us. All problems of a file are returned at once."""

    code: str
    at: Source
    says: str

    def __str__(self) -> str:
        return f"{self.at}: {self.says} [{self.code}]"


# --- works and people -----------------------------------------------------------------------------------------


class Role(StrEnum):
    AUTHOR = "author"
    TRANSLATOR = "translator"
    EDITOR = "editor"
    PHOTOGRAPHER = "photographer"
    PERFORMER = "performer"
    VOICE = "voice"
    SUBJECT = "subject"  # who is shown or described: has a say, and no share unless one is agreed
    ANNOTATOR = "annotator"


@dataclass(frozen=True, slots=True)
class Party(Record):
    id: PartyId
    name: str


@dataclass(frozen=True, slots=True)
class Contribution(Record):
    party: PartyId
    role: Role


@dataclass(frozen=True, slots=True)
class Work(Record):
    """A protected creation as it was registered. `sha256` is of the file's bytes; `created` is the work's own date."""

    id: WorkId
    title: str
    kind: str  # text, image or audio
    account: AccountId
    contributions: tuple[Contribution, ...]
    created: date
    source: str
    licence: str  # SPDX id, or "" when nothing was stated
    sha256: str


@dataclass(frozen=True, slots=True)
class Split(Record):
    """An agreed division of a work's pay, from a date on. Parts per million; they need not reach 1,000,000: the rest
    is unclaimed and waits, it never goes to the operator. `agreed` is False for the equal division that holds until
    the contributors agree on one."""

    work: WorkId
    lines: tuple[tuple[PartyId, int], ...]
    effective: date
    agreed: bool = True


@dataclass(frozen=True, slots=True)
class OptOut(Record):
    """A recorded "no" to training, for every work of a party (`work` is None) or for one work."""

    party: PartyId
    work: WorkId | None
    effective: date
    recorded: date
    reason: str


# --- gate -----------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    ADMIT = "admit"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Decision(Record):
    """What the gate says of one work, and why: `rule` is the rule's name, `because` a sentence for people, `evidence`
    the ids or measured facts that it rests on."""

    work: WorkId
    verdict: Verdict
    rule: str
    because: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManifestEntry(Record):
    work: WorkId
    sha256: str
    cluster: ClusterId


@dataclass(frozen=True, slots=True)
class Manifest(Record):
    """The frozen list of admitted works, ordered by work id. `root` (hex) is the Merkle root over the entries."""

    id: ManifestId
    frozen: date
    entries: tuple[ManifestEntry, ...]
    refused: tuple[Decision, ...]
    root: str


@dataclass(frozen=True, slots=True)
class Example(Record):
    """One training example: a span of a work, in characters of the text as read, and the SHA-256 of that span."""

    id: ExampleId
    work: WorkId
    start: int
    end: int
    sha256: str


# --- money ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RevenueEvent(Record):
    """Money received for the use of a model. Amounts are nano-units (1e-9 of the major unit) as text in JSON."""

    id: EventId
    licensee: str
    amount_nano: str
    currency: str  # ISO 4217
    received: date

    @property
    def nano(self) -> int:
        return int(self.amount_nano)
