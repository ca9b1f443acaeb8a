"""Keeping notices: added and never edited; the papers of a person beside them can be erased, and nothing else."""

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from byline.core import Record, RegistryError, canonical_json, sha256_hex
from byline.registry import schema
from byline.registry.database import writing
from byline.registry.optout import Change, Dossier, Notice, Papers, What, dossiers
from byline.registry.register import Registry

_NOTICES = sa.Table(
    "notices",
    schema.metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
)
_CHANGES = sa.Table(
    "notice_changes",
    schema.metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("notice", sa.Text, sa.ForeignKey("notices.id"), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
_PAPERS = sa.Table(
    "notice_papers",
    schema.metadata,
    sa.Column("notice", sa.Text, sa.ForeignKey("notices.id"), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

_BEFORE = {"unless_licensed": False}  # of notices that were recorded before there was this choice


class Notices:
    """Notices in the database of an opened registry, which brings the tables up to date."""

    def __init__(self, engine: sa.Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry

    # --- adding

    def add(self, given: Sequence[tuple[Notice, Papers]]) -> None:
        """All of them or none."""
        with writing(self._engine) as connection:
            _insert(connection, _NOTICES, [{"id": notice.id, "body": _text(notice)} for notice, _ in given])
            _insert(connection, _PAPERS, [{"notice": papers.notice, "body": _text(papers)} for _, papers in given])

    def logged(self, changes: Sequence[Change]) -> None:
        """Receipts were issued: one change for each."""
        with writing(self._engine) as connection:
            _insert(connection, _CHANGES, [{"notice": each.notice, "body": _text(each)} for each in changes])

    def change(self, change: Change) -> None:
        """Record what happened to a notice. Raises: RegistryError("no-such-notice"), ("notice-ended")."""
        with writing(self._engine) as connection:
            dossier = _dossier(connection, change.notice)
            end = dossier.ended(change.at.date())
            if end is not None:
                fix = "give a new notice; nothing is brought back"
                raise RegistryError("notice-ended", f"{change.notice} was {end.what} on {end.at.date()}", fix)
            _insert(connection, _CHANGES, [{"notice": change.notice, "body": _text(change)}])

    def forget(self, notice: str, at: datetime) -> bool:
        """Erase who gave a notice; the notice goes on. False if it was erased before.

        In SQLite the freed bytes are overwritten, and the write-ahead file is emptied, so that nothing is left to be
        read in the database's files; what is in other copies of the database is for whoever made them.
        """
        with writing(self._engine) as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            _dossier(connection, notice)
            gone = connection.execute(sa.delete(_PAPERS).where(_PAPERS.c.notice == notice)).rowcount
            if gone:
                _insert(connection, _CHANGES, [{"notice": notice, "body": _text(Change(notice, What.FORGOTTEN, at))}])
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(gone)

    # --- asking

    def all(self) -> tuple[Dossier, ...]:
        """Every notice ever given, oldest first."""
        with self._engine.connect() as connection:
            return _dossiers(connection)

    def one(self, notice: str) -> Dossier:
        """Raises: RegistryError("no-such-notice")."""
        with self._engine.connect() as connection:
            return _dossier(connection, notice)

    def papers(self, notice: str) -> Papers | None:
        """Who gave it; None if that was erased."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_PAPERS).where(_PAPERS.c.notice == notice)).first()
        return Papers.from_json(json.loads(row.body)) if row else None

    def all_papers(self) -> dict[str, Papers]:
        """By notice."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_PAPERS)).all()
        return {row.notice: Papers.from_json(json.loads(row.body)) for row in rows}


def new_id(kind: str) -> str:
    """A name for a notice that says nothing about it."""
    return f"{kind.replace('-', '')}:{secrets.token_hex(10)}"


def new_secret() -> str:
    return secrets.token_hex(16)


def challenge(papers: Papers, way: str) -> str:
    """What a person must show in a place that only they can write to. `way`: domain or contact, or withdraw."""
    return f"byline-verify={sha256_hex(f'{way}:{papers.notice}:{papers.secret}'.encode())[:32]}"


def _dossiers(connection: sa.Connection, *only: str) -> tuple[Dossier, ...]:
    notices, changes = sa.select(_NOTICES).order_by(_NOTICES.c.seq), sa.select(_CHANGES).order_by(_CHANGES.c.seq)
    if only:
        notices, changes = notices.where(_NOTICES.c.id.in_(only)), changes.where(_CHANGES.c.notice.in_(only))
    return dossiers(
        (Notice.from_json(_BEFORE | json.loads(row.body)) for row in connection.execute(notices)),
        (Change.from_json(json.loads(row.body)) for row in connection.execute(changes)),
    )


def _dossier(connection: sa.Connection, notice: str) -> Dossier:
    found = _dossiers(connection, notice)
    if not found:
        raise RegistryError("no-such-notice", f"there is no notice {notice}", "`byline optout` lists them")
    return found[0]


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, str]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(sa.insert(table), listed)


def _text(record: Record) -> str:
    return canonical_json(record.to_json()).decode()
