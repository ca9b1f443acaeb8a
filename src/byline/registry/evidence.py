"""The register of evidence: records added, never edited; what stood on a day, by what was known on another."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

import sqlalchemy as sa

from byline.core import RegistryError, Work, WorkId
from byline.registry import schema
from byline.registry.database import writing
from byline.registry.evidence_add import add_records, find_faults
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.evidence_schema import TABLES, from_row, manifest_works
from byline.registry.rights import Ending, Why
from byline.registry.scope import scopes_of

Kind = TypeVar("Kind", bound=EvidenceRecord)
_CHUNK = 10_000  # names in one query: SQLite takes at most 32,766


@dataclass(frozen=True, slots=True)
class Entry(Generic[Kind]):
    """A record as it stands in the register. `superseded_by`: id of the record that took its place, or ""; `ended`: the
    ending that holds for it, or None."""

    record: Kind
    id: str
    chain: str
    recorded: date
    superseded_by: str
    ended: Ending | None


class Evidence:
    """Acquisitions, licences, grants, consents, credits, endings, signals, legal decisions, snapshots, training runs.

    Two days in every question: `on`, for which it is asked, and `as_of`, by what was known then (default: by all that
    is known). Of records that supersede each other the last one whose effective day has come speaks.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # --- adding

    def add(self, records: Iterable[EvidenceRecord], today: date) -> tuple[str, ...]:
        """Record them, all or none; the ids of those that were new. A record that is there already is passed over.

        Raises: RegistryError("no-such-work"), ("unknown-party"), ("no-such-record") for what they refer to,
        ("already-superseded"), ("already-ended"), ("clock-back") if `today` lies before a day on which something was
        recorded: nobody can have known it earlier than they said it.
        """
        with writing(self._engine) as connection:
            return add_records(connection, [(record, today) for record in records])

    def faults(self, dated: Sequence[tuple[EvidenceRecord, date]]) -> list[tuple[int, RegistryError]]:
        """Why records (with the day on which each became known) cannot be added: position and error, all of them."""
        with self._engine.connect() as connection:
            return find_faults(connection, dated)

    # --- asking

    def in_force(
        self, kind: type[Kind], on: date, as_of: date | None = None, *, about: Iterable[str] | None = None
    ) -> tuple[Kind, ...]:
        """What stands on a day, in the order of recording. about: scopes, exactly as recorded; None: all.

        `on` counts itself: a grant until a day holds on that day. For what reaches a work ask `of_work`.
        """
        with self._engine.connect() as connection:
            if about is None:
                return tuple(from_row(kind, row) for row in _standing(connection, kind, on, as_of, None))
            wanted = sorted(set(about))
            found = [
                row
                for at in range(0, len(wanted), _CHUNK)
                for row in _standing(connection, kind, on, as_of, wanted[at : at + _CHUNK])
            ]
        return tuple(from_row(kind, row) for row in sorted(found, key=lambda row: int(row["seq"])))

    def of_work(self, kind: type[Kind], work: Work, on: date, as_of: date | None = None) -> tuple[Kind, ...]:
        """What stands for a work on a day, through any scope: the work's own, its account's, its parties', its
        domain's."""
        return self.in_force(kind, on, as_of, about=scopes_of(work))

    def of_works(
        self, kind: type[Kind], works: Sequence[Work], on: date, as_of: date | None = None
    ) -> dict[WorkId, tuple[Kind, ...]]:
        """The same for many works in one pass; the closest scope first. Works without any are left out."""
        by_scope: defaultdict[str, list[Kind]] = defaultdict(list)
        for record in self.in_force(kind, on, as_of):
            by_scope[getattr(record, "about", "")].append(record)
        domains = any(scope.startswith("domain:") for scope in by_scope)
        found = {
            work.id: tuple(each for scope in scopes_of(work, domains) for each in by_scope.get(scope, ()))
            for work in works
        }
        return {work: records for work, records in found.items() if records}

    def history(
        self, kind: type[Kind], *, about: Iterable[str] | None = None, as_of: date | None = None
    ) -> tuple[Entry[Kind], ...]:
        """Every record of a kind that was ever made, oldest first, with what became of it."""
        table = TABLES[kind]
        with self._engine.connect() as connection:
            scopes = None if about is None else sorted(set(about))
            rows = _recorded_by(connection, table, table.c.get("about", table.c.id), scopes, as_of)
            ids = None if about is None else [row["id"] for row in rows]
            by = _superseding(connection, table, ids, as_of)
            ended = _endings(connection, ids, as_of)
        return tuple(
            Entry(
                from_row(kind, row),
                row["id"],
                row["chain"],
                row["recorded"],
                by.get(row["id"], ""),
                ended.get(row["id"]),
            )
            for row in rows
        )

    def latest(self, kind: type[Kind], skip: int, most: int) -> tuple[int, tuple[Entry[Kind], ...]]:
        """How many records of a kind were ever made, and a page of them, the last recorded first."""
        table = TABLES[kind]
        with self._engine.connect() as connection:
            count = int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
            query = sa.select(table).order_by(table.c.seq.desc()).offset(skip).limit(most)
            rows = connection.execute(query).mappings().all()
            ids = [row["id"] for row in rows]
            by, ended = _superseding(connection, table, ids, None), _endings(connection, ids, None)
        entries = (
            Entry(from_row(kind, row), row["id"], row["chain"], row["recorded"], by.get(row["id"], ""),
                  ended.get(row["id"]))
            for row in rows
        )  # fmt: skip
        return count, tuple(entries)

    def manifests_with(self, work: WorkId) -> tuple[str, ...]:
        """Ids of the manifests kept here in which the work stands, oldest first."""
        query = (
            sa.select(schema.manifests.c.id)
            .join(manifest_works, manifest_works.c.manifest == schema.manifests.c.id)
            .where(manifest_works.c.work == work)
            .order_by(schema.manifests.c.seq)
        )
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())


# --- reading ----------------------------------------------------------------------------------------------------


def _standing(
    connection: sa.Connection, kind: type[EvidenceRecord], on: date, as_of: date | None, about: list[str] | None
) -> Sequence[sa.RowMapping]:
    """Rows of the records that stand on a day.

    In each chain the last recorded that has become effective speaks; a mistaken one never counted. Only then is it
    asked whether it speaks of these scopes, has been ended, or has run out: or else an older record would come back.
    """
    table, endings = TABLES[kind], TABLES[Ending].alias()
    known = [] if as_of is None else [endings.c.recorded <= as_of]
    counted = [table.c.effective <= on]
    if as_of is not None:
        counted.append(table.c.recorded <= as_of)

    def ended(how: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.exists().where(endings.c.record == table.c.id, how, *known)

    counted.append(~ended(endings.c.why == Why.MISTAKEN.value))
    if about is not None:
        counted.append(table.c.chain.in_(sa.select(table.c.chain).where(table.c.about.in_(about))))
    last = sa.select(sa.func.max(table.c.seq)).where(*counted).group_by(table.c.chain)
    query = sa.select(table).where(table.c.seq.in_(last), ~ended(endings.c.effective <= on))
    if about is not None:
        query = query.where(table.c.about.in_(about))
    if "until" in table.c:
        query = query.where(sa.or_(table.c.until.is_(None), table.c.until >= on))
    return connection.execute(query.order_by(table.c.seq)).mappings().all()


def _recorded_by(
    connection: sa.Connection, table: sa.Table, among: sa.Column[str], names: Sequence[str] | None, as_of: date | None
) -> list[sa.RowMapping]:
    """Rows recorded by a day, oldest first; of those whose column is among the names, if there are any."""
    query = sa.select(table).order_by(table.c.seq)
    if as_of is not None:
        query = query.where(table.c.recorded <= as_of)
    if names is None:
        return list(connection.execute(query).mappings())
    parts = (names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK))
    rows = [row for part in parts for row in connection.execute(query.where(among.in_(part))).mappings()]
    return sorted(rows, key=lambda row: int(row["seq"]))


def _superseding(
    connection: sa.Connection, table: sa.Table, ids: Sequence[str] | None, as_of: date | None
) -> dict[str, str]:
    if "supersedes" not in table.c:
        return {}
    rows = _recorded_by(connection, table, table.c.supersedes, ids, as_of)
    return {row["supersedes"]: row["id"] for row in rows if row["supersedes"]}


def _endings(connection: sa.Connection, ids: Sequence[str] | None, as_of: date | None) -> dict[str, Ending]:
    table = TABLES[Ending]
    rows = _recorded_by(connection, table, table.c.record, ids, as_of)
    return {row["record"]: from_row(Ending, row) for row in rows}
