"""Records of evidence in files, CSV or JSON lines by the file's ending: `byline import` and `byline export`.

What is written reads back as the same records with the same ids and recorded days. A file is added whole or not at
all; everything that is wrong with it comes back at once, with the line.
"""

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.core import Problem, RegistryError
from byline.registry.cells import PARTIES, text_of, value_of
from byline.registry.checking import VERBATIM
from byline.registry.database import writing
from byline.registry.evidence import Entry
from byline.registry.evidence_add import add_records, find_faults
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.evidence_schema import COLUMNS, TABLE_NAMES, Column
from byline.registry.names import Names
from byline.registry.rows import Columns, Row, read_rows

KINDS: dict[str, type[EvidenceRecord]] = {name.replace("_", "-"): kind for kind, name in TABLE_NAMES.items()}
"""Kinds of evidence by the names that files and commands use."""

EVIDENCE_KINDS = tuple(KINDS)

Item = tuple[Row, EvidenceRecord, date]


@cache
def file_columns(kind: str) -> Columns:
    """The columns of a kind's files. `id` and `recorded` are written by an export and need not be given."""
    fields = dataclasses.fields(KINDS[kind])  # type: ignore[arg-type]
    needed = tuple(field.name for field in fields if field.default is dataclasses.MISSING)
    others = tuple(field.name for field in fields if field.default is not dataclasses.MISSING)
    return Columns(needed, (*others, "id", "recorded"), VERBATIM)


def import_records(engine: sa.Engine, kind: str, path: Path, today: date) -> tuple[int, int, list[Problem]]:
    """Add the records of a file: how many were new, how many it holds, and its problems; with any, nothing is added.

    A recorded day that the file gives is kept, so that a register can be moved whole; it may not lie before the last
    one recorded, nor in the future. Raises: RegistryError("unknown-kind").
    """
    record_type = evidence_kind(kind)
    rows, problems = read_rows(path, file_columns(kind))
    with writing(engine) as connection:
        reader = _Reader(kind, record_type, Names(connection), today)
        items = [item for row in rows for item in reader.item(row)]
        problems += reader.problems
        dated = [(record, recorded) for _, record, recorded in items]
        if problems:
            left_out = {row["id"] for row in rows} - {record.id for _, record, _ in items}
            problems += _faults(connection, [item for item in items if _refers_to(item[1]) not in left_out])
            return 0, len(rows), sorted(problems, key=lambda problem: problem.at.line)
        try:
            return len(add_records(connection, dated)), len(rows), []
        except RegistryError:
            return 0, len(rows), _faults(connection, items)


def _faults(connection: sa.Connection, items: list[Item]) -> list[Problem]:
    found = find_faults(connection, [(record, recorded) for _, record, recorded in items])
    return [Problem(error.code, items[at][0].at, f"{error.message}; {error.fix}") for at, error in found]


def _refers_to(record: EvidenceRecord) -> str:
    """The record that it ends or supersedes; "-" for none."""
    return getattr(record, "record", "") or getattr(record, "supersedes", "") or "-"


class _Reader:
    def __init__(self, name: str, kind: type[EvidenceRecord], names: Names, today: date) -> None:
        self._required = frozenset(file_columns(name).required)
        self._kind = kind
        self._names = names
        self._today = today
        self._columns = COLUMNS[kind]
        self.problems: list[Problem] = []

    def item(self, row: Row) -> Iterator[Item]:
        """The row's record, or nothing and its problems."""
        before = len(self.problems)
        values = {column.name: value for column in self._columns for value in self._value(row, column)}
        recorded = self._recorded(row)
        if len(self.problems) > before:
            return
        try:
            record = self._kind(**values)
        except RegistryError as fault:
            self._fault(row, fault)
            return
        if row["id"] and row["id"] != record.id:
            says = f"the row says that its id is {row['id']}, its fields give {record.id}"
            self._fault(row, RegistryError("id-differs", says, "a record is not edited: leave id and recorded empty"))
            return
        yield row, record, recorded

    def _value(self, row: Row, column: Column) -> Iterator[Any]:
        """The value of a filled cell; nothing for an empty one that may be, so that the field's default holds."""
        cell = row[column.name]
        try:
            if column.name == "about":
                yield self._names.scope(cell)
            elif cell:
                yield value_of(column, cell, self._names.party)
            elif column.name in self._required:
                raise RegistryError("empty-field", f"{column.name} is empty", "fill it in")
        except RegistryError as fault:
            self._fault(row, fault)

    def _recorded(self, row: Row) -> date:
        if not row["recorded"]:
            return self._today
        try:
            recorded = date.fromisoformat(row["recorded"])
        except ValueError:
            recorded = None
        if recorded is None or recorded > self._today:
            says = f"recorded is {row['recorded']!r}"
            self._fault(row, RegistryError("bad-recorded", says, "give a day up to today, or leave it empty"))
        return recorded or self._today

    def _fault(self, row: Row, fault: RegistryError) -> None:
        self.problems.append(
            Problem(fault.code, row.at, f"{fault.message}; {fault.fix}" if fault.fix else fault.message)
        )


# --- writing ----------------------------------------------------------------------------------------------------


def export_records(engine: sa.Engine, kind: str, entries: Iterable[Entry[Any]], path: Path) -> int:
    """Write records with their ids and recorded days, whole or not at all; how many. Parties stand by name.

    Raises: RegistryError("unknown-kind").
    """
    columns = COLUMNS[evidence_kind(kind)]
    with engine.connect() as connection:
        names = Names(connection)
        rows = (_cells(entry, columns, names) for entry in entries)
        return write_rows(path, ["id", "recorded", *(column.name for column in columns)], rows)


def _cells(entry: Entry[Any], columns: tuple[Column, ...], names: Names) -> dict[str, Any]:
    """A row; lists and yes-no stay what they are for JSON."""
    row: dict[str, Any] = {"id": entry.id, "recorded": entry.recorded}
    for column in columns:
        value = getattr(entry.record, column.name)
        row[column.name] = names.shown(value) if column.name in PARTIES else value
    return row


def write_rows(path: Path, header: list[str], rows: Iterable[dict[str, Any]]) -> int:
    """CSV, or JSON lines if the file's name ends in .jsonl. Whole or not at all; how many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            lines = (json.dumps({k: _json(v) for k, v in row.items()}, ensure_ascii=False) + "\n" for row in rows)
            written = sum(1 for line in lines if file.write(line))
        else:
            writer = csv.writer(file)
            writer.writerow(header)
            written = sum(1 for row in rows if writer.writerow([text_of(row[name]) for name in header]))
    part.replace(path)
    return written


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        pairs = all(isinstance(item, tuple) for item in value) and value
        return dict(value) if pairs else list(value)
    return value.isoformat() if isinstance(value, date) else value


def evidence_kind(name: str) -> type[EvidenceRecord]:
    """Raises: RegistryError("unknown-kind")."""
    if name not in KINDS:
        raise RegistryError("unknown-kind", f"there is no kind {name!r}", f"the kinds are {', '.join(KINDS)}")
    return KINDS[name]
