"""A run over the corpus: Byline's readings, the other readers' answers, and how many are right."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from byline.gate.signals.conformance.corpus import Fixture, Part, fixtures
from byline.gate.signals.conformance.rivals import Rival, ask_robotparser, diligence
from byline.gate.signals.headers import read_headers
from byline.gate.signals.kinds import Options, read_as
from byline.gate.signals.observation import Findings, Reading, Target
from byline.gate.signals.resolve import access, resolve
from byline.gate.signals.robots import robots_unavailable
from byline.gate.signals.rsl import read_linked_rsl
from byline.gate.signals.tdmai import read_tdmai
from byline.gate.signals.tdmrep import read_tdmrep_json

SEEN = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("byline", "robotparser", "datadiligence")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fixture. read: category to reading as found, with access and problems. right: by reader; None if it was not
    asked, because it reads no such carrier or is not installed. answers: yes or no of the other readers."""

    fixture: Fixture
    read: dict[str, Any]
    right: dict[str, bool | None]
    answers: dict[str, bool | None]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.fixture.id,
            "section": self.fixture.section,
            "rule": self.fixture.rule,
            "expected": _wanted(self.fixture),
            "byline": self.read,
            "may_train": self.fixture.may_train(),
            "answers": self.answers,
            "right": self.right,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """outcomes: one per fixture. versions: of the readers, or why one is absent."""

    outcomes: tuple[Outcome, ...]
    versions: dict[str, str]

    def correct(self) -> dict[str, int | None]:
        """Right readings by reader; None for one that is not installed."""
        counts = {name: sum(each.right[name] is True for each in self.outcomes) for name in NAMES}
        return {name: counts[name] if name != "datadiligence" or self._diligent() else None for name in NAMES}

    def asked(self) -> dict[str, int]:
        """Fixtures that a reader could be asked about at all."""
        return {name: sum(each.right[name] is not None for each in self.outcomes) for name in NAMES}

    def _diligent(self) -> bool:
        return not self.versions["datadiligence"].startswith("not installed")

    def to_json(self, detail: bool = False) -> dict[str, Any]:
        told: dict[str, Any] = {"fixtures": len(self.outcomes), "correct": self.correct(), "asked": self.asked()}
        told["versions"] = self.versions
        told["wrong"] = [each.fixture.id for each in self.outcomes if each.right["byline"] is not True]
        return told | ({"outcomes": [each.to_json() for each in self.outcomes]} if detail else {})


def run(chosen: Sequence[Fixture] | None = None) -> Scores:
    """All readers over all fixtures, or over those chosen. Raises: GateError("signals-extra")."""
    diligent, version = diligence()
    rivals: dict[str, Rival | None] = {"robotparser": ask_robotparser, "datadiligence": diligent}
    outcomes = tuple(_outcome(fixture, rivals) for fixture in (fixtures() if chosen is None else chosen))
    versions = {"robotparser": f"Python {platform.python_version()}", "datadiligence": version}
    return Scores(outcomes, versions)


def _outcome(fixture: Fixture, rivals: dict[str, Rival | None]) -> Outcome:
    read = read_fixture(fixture)
    right: dict[str, bool | None] = {"byline": read == _wanted(fixture)}
    answers = {name: rival(fixture) if rival else None for name, rival in rivals.items()}
    right |= {name: None if said is None else said == fixture.may_train() for name, said in answers.items()}
    return Outcome(fixture, read, right, answers)


def read_fixture(fixture: Fixture) -> dict[str, Any]:
    """Byline's reading: six categories, the codes of its problems, and access where the fixture asks for it."""
    found = Findings.all_of(_read(part, fixture) for part in fixture.parts)
    resolved = resolve(found.observations, found.problems, media=fixture.media)
    read: dict[str, Any] = {each.category.value: each.reading.value for each in resolved}
    read["problems"] = sorted({fault.code for fault in found.problems})
    if fixture.access is not None:
        read["access"] = access(found.observations).value
    return read


def _wanted(fixture: Fixture) -> dict[str, Any]:
    wanted: dict[str, Any] = {category.value: reading.value for category, reading in fixture.expect.items()}
    wanted["problems"] = list(fixture.problems)
    return wanted | ({"access": fixture.access.value} if isinstance(fixture.access, Reading) else {})


def _read(part: Part, fixture: Fixture) -> Findings:
    given = part.given
    target = Target(str(given.get("source", part.name())), SEEN, fixture.path, fixture.agent)
    policies = {url: json.dumps(policy).encode() for url, policy in given.get("policies", {}).items()}
    if part.reader == "fetch":
        return robots_unavailable(target, given["status"])
    if part.reader == "headers":
        return read_headers(part.headers(), target, status=given.get("status", 200), policies=policies)
    if part.reader == "linked-rsl":
        documents = {url: text.encode() for url, text in given["documents"].items()}
        return read_linked_rsl(documents, next(iter(documents)), target)
    if part.reader == "tdmrep.json":
        return read_tdmrep_json(part.body(), target, policies)
    if part.reader == "tdm-ai":
        return read_tdmai(part.body(), target, isccs=given.get("isccs", ()))
    return read_as(part.reader, part.body(), target, Options())
