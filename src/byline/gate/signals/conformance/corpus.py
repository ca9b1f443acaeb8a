"""The fixtures: JSON files by subject, and the binary files that some of them name."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from byline.gate.signals.observation import Category, Reading


@dataclass(frozen=True, slots=True)
class Part:
    """One carrier of a fixture. reader: kind of file, "fetch" for one that did not come, or "linked-rsl". given: the
    input as the fixture writes it."""

    reader: str
    given: Mapping[str, Any]

    def body(self) -> bytes:
        """The bytes; empty for carriers that have none."""
        given = self.given
        if "text" in given:
            return str(given["text"]).encode("utf-8")
        if "json" in given:
            return json.dumps(given["json"]).encode("utf-8")
        if "hex" in given:
            return bytes.fromhex(given["hex"])
        if "repeat" in given:
            return str(given["repeat"][0]).encode() * int(given["repeat"][1])
        if "zip" in given:
            return _zipped(given["zip"])
        return (files(__package__) / "files" / given["file"]).read_bytes() if "file" in given else b""

    def name(self) -> str:
        return str(self.given.get("file", self.reader))

    def headers(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.given.get("headers", [])]


@dataclass(frozen=True, slots=True)
class Fixture:
    """id: subject/name. section: what it follows. rule: what it shows. parts: what was found, about one path.
    expect: the reading of each category. access: of the agent, None where it is not the point. problems: their codes,
    each once. media: kind of the asset."""

    id: str
    section: str
    rule: str
    parts: tuple[Part, ...]
    path: str
    agent: str
    expect: Mapping[Category, Reading]
    access: Reading | None
    problems: tuple[str, ...]
    media: str

    def may_train(self) -> bool:
        """Whether a reader that answers yes or no may say yes: nothing refuses training, ties it to a condition, or
        could not be read. Where nothing is said a yes is let pass, for such a reader has no word for it."""
        if self.access is not None:
            return self.access is not Reading.DENY
        training = {self.expect[Category.TRAIN_GEN], self.expect[Category.TRAIN_OTHER]}
        return not self.problems and training.isdisjoint({Reading.DENY, Reading.CONDITIONAL})


@cache
def fixtures() -> tuple[Fixture, ...]:
    """All fixtures, by subject and in the order of their file."""
    folder = files(__package__) / "fixtures"
    found: list[Fixture] = []
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            told = json.loads(file.read_text(encoding="utf-8"))
            found += [_fixture(row) for row in told["fixtures"]]
    return tuple(found)


def _fixture(row: Mapping[str, Any]) -> Fixture:
    parts = tuple(Part(part["reader"], {k: v for k, v in part.items() if k != "reader"}) for part in row["parts"])
    return Fixture(
        id=row["id"],
        section=row["section"],
        rule=row["rule"],
        parts=parts,
        path=row.get("path", "/"),
        agent=row.get("agent", ""),
        expect={each: Reading(row["expect"].get(each.value, "unknown")) for each in Category},
        access=Reading(row["access"]) if "access" in row else None,
        problems=tuple(sorted(row.get("problems", ()))),
        media=row.get("media", ""),
    )


def _zipped(members: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        for name, text in members.items():
            book.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()
