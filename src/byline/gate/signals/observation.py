"""What a signal says, in the publisher's words and in ours.

Two rules hold in every reader:

- **A no is read leniently, a yes strictly.** `NoAI` and `ai-train=No` are a no although the specifications spell them
  otherwise; `Yes` where the specification says `yes` is nothing. Exceptions are the carriers whose specification says
  what a misspelling means (AIPREF).
- **A `Problem` says: something here could not be read and might have been a no.** Whoever combines readings lets no
  allow stand beside a problem. What cannot hide a no is a note, not a problem.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from byline.core import CoreError, Problem, Record, Source, sha256_hex


class Category(StrEnum):
    """A use of a work. The first three are training, `ground` is input to a finished model (retrieval, prompts)."""

    TDM = "tdm"
    TRAIN_GEN = "train.gen"
    TRAIN_OTHER = "train.other"
    GROUND = "ground"
    INDEX = "index"
    SEARCH = "search"


class Reading(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    CONDITIONAL = "conditional"
    UNKNOWN = "unknown"


TRAIN = (Category.TRAIN_GEN, Category.TRAIN_OTHER)
MINE = (Category.TDM, *TRAIN)
EVERY = tuple(Category)
# Strictest first. Unknown stands below allow, because whoever has said nothing has not contradicted a yes.
STRICTNESS = (Reading.DENY, Reading.CONDITIONAL, Reading.ALLOW, Reading.UNKNOWN)

Canonical = Mapping[Category, Reading]


def strictest(readings: Iterable[Reading]) -> Reading:
    """Any deny wins, else any condition, else any allow, else unknown (AIPREF vocabulary, combining preferences)."""
    return min(readings, key=STRICTNESS.index, default=Reading.UNKNOWN)


def merged(readings: Iterable[Canonical]) -> dict[Category, Reading]:
    """The strictest reading of each category; every category has one."""
    listed = list(readings)
    return {each: strictest(one.get(each, Reading.UNKNOWN) for one in listed) for each in Category}


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about, and when it was seen.

    source: file, URL or record that the bytes came from. observed_at: when they were fetched; there is no clock here.
    path: the asset's path on its site, with its query; "/" is the site's start page.
    agent: product token of the crawler that fetched; "" if it had none or nobody knows.
    """

    source: str
    observed_at: datetime
    path: str = "/"
    agent: str = ""

    def problem(self, code: str, says: str, line: int = 0) -> Problem:
        return Problem(code, Source(printable(self.source, 4000), line), printable(says))


@dataclass(frozen=True, slots=True)
class Observation(Record):
    """One statement, as found.

    carrier: what it was written in ("robots.txt", "http-header", ...). family: whose vocabulary it speaks; precedence
    holds inside a family. spec: specification and version that it was read by. raw: the publisher's own words.
    rule: which rule of that specification, or of that file, gave the reading. line: 1 = first; 0 = the whole.
    canonical: our six categories; one that is absent is unknown. access: may the agent fetch it (robots.txt only).
    media: "" = everything at the target, else the kind it is about ("image"). duties: what a condition asks for.
    signer, signature: who signed and with what result, where the carrier is signed.
    """

    carrier: str
    family: str
    spec: str
    raw: str
    rule: str
    line: int
    source: str
    path: str
    observed_at: datetime
    body_sha256: str
    canonical: Canonical
    access: Reading = Reading.UNKNOWN
    media: str = ""
    duties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    signer: str = ""
    signature: str = ""

    def to_json(self) -> dict[str, Any]:
        plain = super(Observation, self).to_json()
        plain["canonical"] = {each.value: self.reading(each).value for each in Category}
        return plain

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises: CoreError("bad-record") as every record does."""
        try:
            read = {Category(name): Reading(word) for name, word in value["canonical"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise CoreError("bad-record", f"Observation.canonical: {fault}") from fault
        found = _Plain.from_json({name: item for name, item in value.items() if name != "canonical"})
        known = {name: getattr(found, name) for name in _Plain.__dataclass_fields__}
        return cls(**known, canonical={each: word for each, word in read.items() if word is not Reading.UNKNOWN})

    def reading(self, category: Category) -> Reading:
        return self.canonical.get(category, Reading.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Plain(Record):
    """The fields of an observation that `Record` knows how to read."""

    carrier: str
    family: str
    spec: str
    raw: str
    rule: str
    line: int
    source: str
    path: str
    observed_at: datetime
    body_sha256: str
    access: Reading
    media: str
    duties: tuple[str, ...]
    notes: tuple[str, ...]
    signer: str
    signature: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a reader found: observations, and problems that may hide a no."""

    observations: tuple[Observation, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(self.observations + other.observations, self.problems + other.problems)

    @staticmethod
    def all_of(parts: "Iterable[Findings]") -> "Findings":
        listed = list(parts)
        return Findings(
            tuple(seen for one in listed for seen in one.observations),
            tuple(fault for one in listed for fault in one.problems),
        )


@dataclass(slots=True)
class Notebook:
    """Collects what one reader finds in one body. Not a record: it lives inside a reader only."""

    target: Target
    body: bytes
    carrier: str
    observations: list[Observation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def saw(self, family: str, spec: str, raw: str, rule: str, canonical: Canonical, **more: Any) -> None:
        """Adds one observation; `more` are its optional fields and `line`."""
        seen = Observation(
            carrier=self.carrier,
            family=family,
            spec=spec,
            raw=printable(raw),
            rule=printable(rule),
            line=more.pop("line", 0),
            source=printable(self.target.source, 4000),
            path=printable(self.target.path, 4000),
            observed_at=self.target.observed_at,
            body_sha256=sha256_hex(self.body),
            canonical={each: word for each, word in canonical.items() if word is not Reading.UNKNOWN},
        )
        self.observations.append(replace(seen, **{name: _shown(value) for name, value in more.items()}))

    def fault(self, code: str, says: str, line: int = 0) -> None:
        self.problems.append(self.target.problem(code, says, line))

    def findings(self) -> Findings:
        return Findings(tuple(self.observations), tuple(self.problems))


def _shown(value: Any) -> Any:
    """Texts as they can be stored; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(printable(text, 2000) for text in value)
    return printable(value, 2000) if type(value) is str else value


def printable(text: str, limit: int = 400) -> str:
    """Text that can be stored and shown anywhere: lone surrogates and control characters replaced, long text cut."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in clean[: limit + 1])
    return shown if len(clean) <= limit else shown[:limit] + " …"


def same(reading: Reading, categories: Iterable[Category]) -> dict[Category, Reading]:
    return dict.fromkeys(categories, reading)
