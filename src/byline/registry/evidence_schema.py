"""One table per kind of evidence, its columns made from the record's fields; rows and records, both ways.

Every table has beside the fields: `seq` (order of recording), `id`, `chain` (the first record of those that supersede
each other), `recorded` (the day on which it became known) and `effective`.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa

from byline.core import CoreError
from byline.registry import schema
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.rights import Acquisition, Consent, Credit, Ending, Grant, Licence
from byline.registry.traces import LegalDecision, Signal, Snapshot, TrainingRun

Kind = TypeVar("Kind", bound=EvidenceRecord)

TABLE_NAMES: dict[type[EvidenceRecord], str] = {
    Acquisition: "acquisitions",
    Licence: "licences",
    Grant: "grants",
    Consent: "consents",
    Credit: "credits",
    Ending: "endings",
    Signal: "signals",
    LegalDecision: "legal_decisions",
    Snapshot: "snapshots",
    TrainingRun: "training_runs",
}


@dataclass(frozen=True, slots=True)
class Column:
    """How one field of a record is kept. many: a tuple, kept as JSON text; optional: may be None."""

    name: str
    base: type
    many: bool
    optional: bool
    item: Any = None  # of a tuple: its element type, another tuple for pairs

    @property
    def type(self) -> sa.types.TypeEngine[Any]:
        if self.many:
            return sa.Text()
        kinds: dict[type, sa.types.TypeEngine[Any]] = {date: sa.Date(), int: sa.Integer(), bool: sa.Boolean()}
        return kinds.get(self.base, sa.Text())


def _columns(kind: type[EvidenceRecord]) -> tuple[Column, ...]:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return tuple(_column(field.name, hints[field.name]) for field in fields)


def _column(name: str, hint: Any) -> Column:
    args = typing.get_args(hint)
    optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = next(arg for arg in args if arg is not type(None))
    hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is tuple:
        return Column(name, tuple, True, optional, getattr(args[0], "__supertype__", args[0]))
    return Column(name, hint, False, optional)


COLUMNS: dict[type[EvidenceRecord], tuple[Column, ...]] = {kind: _columns(kind) for kind in TABLE_NAMES}
"""The fields of each record, in their order."""


def _table(kind: type[EvidenceRecord], name: str) -> sa.Table:
    fields = [sa.Column(each.name, each.type, nullable=each.optional) for each in COLUMNS[kind]]
    if "effective" not in {each.name for each in fields}:
        fields.append(sa.Column("effective", sa.Date, nullable=False))
    table = sa.Table(
        name,
        schema.metadata,
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
        *fields,
    )
    for indexed in ("chain", "about", "record", "manifest"):
        if indexed in table.c:
            sa.Index(f"{name}_{indexed}", table.c[indexed])
    return table


TABLES: dict[type[EvidenceRecord], sa.Table] = {kind: _table(kind, name) for kind, name in TABLE_NAMES.items()}

manifest_works = sa.Table(
    "manifest_works",
    schema.metadata,
    sa.Column("manifest", sa.Text, sa.ForeignKey("manifests.id"), primary_key=True),
    sa.Column("work", sa.Text, primary_key=True),
)
sa.Index("manifest_works_work", manifest_works.c.work)


# --- rows and records -----------------------------------------------------------------------------------------


def to_row(record: EvidenceRecord) -> dict[str, Any]:
    """The fields as the table keeps them; the caller adds id, chain and recorded."""
    row: dict[str, Any] = {each.name: _kept(getattr(record, each.name)) for each in COLUMNS[type(record)]}
    row["effective"] = record.effective
    return row


def _kept(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value.isoformat() if isinstance(value, datetime) else value


def from_row(kind: type[Kind], row: sa.RowMapping) -> Kind:
    """The record of a row. It was checked when it was written, and triggers keep it as it was; checking it again would
    take longer than reading it. Raises: CoreError("bad-record") for a row that somebody wrote by other means."""
    record = object.__new__(kind)
    try:
        for name, reader in _READERS[kind]:
            value = row[name]
            object.__setattr__(record, name, value if reader is None else reader(value))
    except (ValueError, TypeError) as fault:
        raise CoreError("bad-record", f"{kind.__name__}: {fault}", "restore the database from a copy") from fault
    return record


def _value_reader(column: Column) -> Callable[[Any], Any] | None:
    """From the kept value to the field's; None where they are the same."""
    if column.many:
        return lambda text: tuple(_item(column.item, each) for each in json.loads(text)) if text != "[]" else ()
    base: Any = datetime.fromisoformat if column.base is datetime else column.base
    if column.base is datetime or issubclass(column.base, StrEnum):
        return lambda value: None if value is None else base(value)
    return None


def _item(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, StrEnum) else value


_READERS = {kind: [(each.name, _value_reader(each)) for each in fields] for kind, fields in COLUMNS.items()}
