"""Rows of a CSV or JSON-lines file with the line each stands on, and what is wrong with the file as a table."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from byline.core import Problem, Source


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one kind of file. A required column must be there; its cells may be empty. Blanks around a cell
    do not count, except in a verbatim column."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    verbatim: frozenset[str] = frozenset()

    def faults(self, names: list[str], at: Source) -> list[Problem]:
        known = self.required + self.optional
        unknown = [
            Problem("unknown-column", at, f"column {name!r} is unknown; the columns are {', '.join(known)}")
            for name in names
            if name not in known
        ]
        missing = [name for name in self.required if name not in names]
        return unknown + [Problem("missing-column", at, f"column {name!r} is missing") for name in missing]

    def clean(self, name: str, cell: str) -> str:
        return cell if name in self.verbatim else cell.strip()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, and where it stands. An absent optional cell is empty."""

    at: Source
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def list(self, column: str) -> list[str]:
        """The parts of a cell with `;` between them; an empty cell has none."""
        try:
            return parts_of(self[column])
        except (ValueError, RecursionError):  # it only looked like a JSON list
            return [part.strip() for part in self[column].split(";")]


def joined(parts: Sequence[str]) -> str:
    """A list as one cell, which `parts_of` takes apart: with `;`, or as JSON where a part could be misread."""
    plain = all(part and part == part.strip() and ";" not in part for part in parts)
    cell = ";".join(parts)
    return cell if plain and not cell.startswith('["') else json.dumps(list(parts), ensure_ascii=False)


def parts_of(cell: str) -> list[str]:
    """Raises: ValueError, RecursionError for a JSON list that is broken or holds other than texts."""
    if not cell.startswith('["'):
        return [part.strip() for part in cell.split(";")] if cell else []
    parts = json.loads(cell)
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("a list of texts is wanted")
    return list(parts)


def read_rows(path: Path, columns: Columns) -> tuple[list[Row], list[Problem]]:
    """All rows that can be read, and all problems. JSON lines if the file's name ends in .jsonl, else CSV."""
    whole = Source(str(path))
    if not path.is_file():
        return [], [Problem("missing-file", whole, "there is no such file")]
    text, says = decode(path.read_bytes())
    if text is None:
        return [], [Problem("encoding", whole, says)]
    found = _json_rows(text, path, columns) if path.suffix == ".jsonl" else _csv_rows(text, path, columns)
    rows, problems = [], []
    for item in found:
        if isinstance(item, Row):
            rows.append(item)
        else:
            problems.append(item)
    return rows, problems


def decode(content: bytes) -> tuple[str | None, str]:
    """The text (a byte order mark is dropped), or None and what is wrong with the bytes."""
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as fault:
        # The codec counts from behind a byte order mark.
        offset = len(content) - len(fault.object) + fault.start
        line = content[:offset].count(b"\n") + 1
        byte = content[offset]
        return None, f"not UTF-8: byte 0x{byte:02x} at offset {offset} (line {line}); save the file as UTF-8"


def _csv_rows(text: str, path: Path, columns: Columns) -> Iterator[Row | Problem]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            at, line = Source(str(path), line), reader.line_num + 1
            if names is None:
                names = [cell.strip() for cell in cells]
                faults = columns.faults(names, at)
                yield from faults
                if faults:
                    return
            elif cells and len(cells) != len(names):
                yield Problem("bad-row", at, f"{len(cells)} cells under {len(names)} columns")
            elif cells:
                pairs = zip(names, cells, strict=True)
                yield Row(at, {name: columns.clean(name, cell) for name, cell in pairs})
    except csv.Error as fault:
        yield Problem("bad-row", Source(str(path), line), f"not CSV: {fault}")


def _json_rows(text: str, path: Path, columns: Columns) -> Iterator[Row | Problem]:
    for number, line in enumerate(text.split("\n"), start=1):
        at = Source(str(path), number)
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError) as fault:
            yield Problem("bad-row", at, f"not JSON: {fault}")
            continue
        if not isinstance(value, dict):
            yield Problem("bad-row", at, "a line must be a JSON object")
            continue
        faults = columns.faults(list(value), at)
        yield from faults
        if not faults:
            yield Row(at, {name: columns.clean(name, _cell(cell)) for name, cell in value.items()})


def _cell(value: Any) -> str:
    """A JSON value as the text that would stand in the CSV cell."""
    if value is None:
        return ""
    if isinstance(value, list):
        return joined([_cell(item) for item in value]) if value else ""
    if isinstance(value, dict):
        return joined([f"{name}={_cell(item)}" for name, item in value.items()]) if value else ""
    return str(value)
