"""Files of facts about people, CSV or JSON lines: each row one fact, all faults at once with the line they stand on."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from byline.core import PartyId, Problem, RegistryError, Source, Work, account_id, party_id, sha256_hex
from byline.registry.catalogue import parse_share
from byline.registry.people import (
    Claim,
    Dispute,
    Ground,
    Identity,
    Lines,
    Merge,
    PeopleRecord,
    Resolution,
    Succession,
    Withdrawal,
)
from byline.registry.rows import Columns, Row, read_rows

PEOPLE = Columns(
    ("kind", "effective"),
    ("person", "work", "account", "other", "share", "shares", "scheme", "number", "ground", "record", "evidence",
     "decided_by"),
)  # fmt: skip
PARTY = "party"  # the one kind of row that is no record: somebody who made none of the works


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """What a file says: names of new parties, and records with the place of each."""

    parties: tuple[str, ...]
    records: tuple[PeopleRecord, ...]
    at: tuple[Source, ...]


def read_people(path: Path, works: Sequence[Work]) -> tuple[PeopleFile, list[Problem]]:
    """The facts in a file; with problems, none of it is to be recorded. `works` are those that titles may name.

    `evidence` is the SHA-256 of a document, or the path of one beside the file: it is hashed and stays where it is.
    """
    rows, problems = read_rows(path, PEOPLE)
    if not rows and not problems:
        problems = [Problem("empty-file", Source(str(path)), "names no fact")]
    reader = _Reader(works, path.parent)
    parties, records, at = [], [], []
    for row in rows:
        try:
            if row["kind"] == PARTY:
                parties.append(_needed(row, "person"))
            else:
                records.append(reader.record(row))
                at.append(row.at)
        except RegistryError as fault:
            problems.append(
                Problem(fault.code, row.at, f"{fault.message}; {fault.fix}" if fault.fix else fault.message)
            )
        except ValueError as fault:
            problems.append(Problem("bad-fact", row.at, str(fault)))
    return PeopleFile(tuple(parties), tuple(records), tuple(at)), problems


class _Reader:
    """Rows to records. Raises: ValueError with what to write instead, and what the records themselves raise."""

    def __init__(self, works: Sequence[Work], folder: Path) -> None:
        self._works = works
        self._folder = folder
        self._kinds: dict[str, Callable[[Row, date], PeopleRecord]] = {
            Identity.KIND: self._identity,
            Merge.KIND: self._merge,
            Succession.KIND: self._succession,
            Claim.KIND: self._claim,
            Withdrawal.KIND: self._withdrawal,
            Dispute.KIND: self._dispute,
            Resolution.KIND: self._resolution,
        }

    def record(self, row: Row) -> PeopleRecord:
        make = self._kinds.get(row["kind"])
        if make is None:
            raise ValueError(f"kind is {row['kind']!r}; the kinds are {', '.join([PARTY, *self._kinds])}")
        return make(row, _day(row))

    def _identity(self, row: Row, on: date) -> Identity:
        scheme, number = _needed(row, "scheme"), _needed(row, "number")
        return Identity(_person(row), scheme, number, on, self._evidence(row))

    def _merge(self, row: Row, on: date) -> Merge:
        into = party_id(row["other"]) if row["other"] else None
        return Merge(_person(row), into, on, row["decided_by"], self._evidence(row))

    def _succession(self, row: Row, on: date) -> Succession:
        return Succession(_person(row), _lines(row), on, self._evidence(row), tuple(row.list("decided_by")))

    def _claim(self, row: Row, on: date) -> Claim:
        return Claim(_person(row), self._work(row).id, _share(row), on, self._evidence(row), row["decided_by"])

    def _withdrawal(self, row: Row, on: date) -> Withdrawal:
        return Withdrawal(_needed(row, "record"), on, _needed(row, "decided_by"))

    def _dispute(self, row: Row, on: date) -> Dispute:
        if row["ground"] not in list(Ground):
            raise ValueError(f"ground is {row['ground']!r}; the grounds are {', '.join(Ground)}")
        told = (self._work(row).id, _person(row), party_id(_needed(row, "other")), _share(row), Ground(row["ground"]))
        return Dispute(*told, on, self._evidence(row))

    def _resolution(self, row: Row, on: date) -> Resolution:
        return Resolution(_needed(row, "record"), _lines(row), on, row["decided_by"], self._evidence(row))

    def _evidence(self, row: Row) -> str:
        told = row["evidence"]
        if re.fullmatch("[0-9a-f]{64}", told) or not told:
            return told  # an empty one is refused by the record
        document = self._folder / told
        if not document.is_file():
            raise ValueError(f"evidence is {told!r}, which is neither a SHA-256 nor a file beside this one")
        return sha256_hex(document.read_bytes())

    def _work(self, row: Row) -> Work:
        title = _needed(row, "work")
        found = [work for work in self._works if title in (work.id, work.title)]
        if row["account"]:
            found = [work for work in found if work.account == account_id(row["account"])]
        if len(found) != 1:
            says = "is registered by several accounts: fill in the column account" if found else "is not registered"
            raise ValueError(f"the work {title!r} {says}")
        return found[0]


def _person(row: Row) -> PartyId:
    return party_id(_needed(row, "person"))


def _needed(row: Row, column: str) -> str:
    if not row[column]:
        raise ValueError(f"a row of kind {row['kind']} needs the column {column}")
    return row[column]


def _day(row: Row) -> date:
    try:
        return date.fromisoformat(row["effective"])
    except ValueError as fault:
        raise ValueError(f"effective is {row['effective']!r}; write it as 2026-09-01") from fault


def _share(row: Row) -> int:
    return _ppm(_needed(row, "share"))


def _ppm(text: str) -> int:
    ppm = parse_share(text)
    if ppm is None:
        raise ValueError(f"{text!r} is no share; write 60% or 0.6, above 0, at most 100 %")
    return ppm


def _lines(row: Row) -> Lines:
    """`Hospital=60%;Ann=40%`."""
    lines = []
    for part in row.list("shares"):
        name, equals, share = part.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(f"{part!r} in shares; write them as Hospital=60%;Ann Lee=40%")
        lines.append((party_id(name.strip()), _ppm(share.strip())))
    return tuple(lines)
