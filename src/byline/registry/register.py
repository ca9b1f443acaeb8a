"""The register: parties, works, splits, opt-outs, gate decisions and manifests, added to and never edited.

What changes is superseded: the split in force on a day is the one with the latest effective date up to that day, and
of two with the same date the one recorded last. The texts stand beside the database, named by their digests.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.core import (
    PPM,
    AccountId,
    Contribution,
    Decision,
    Manifest,
    ManifestId,
    OptOut,
    Party,
    PartyId,
    Problem,
    Record,
    RegistryError,
    Role,
    Split,
    Work,
    WorkId,
    canonical_json,
)
from byline.registry import schema
from byline.registry.assets import Assets
from byline.registry.catalogue import Catalogue
from byline.registry.database import upgrade, writing
from byline.registry.evidence import Evidence
from byline.registry.evidence_schema import manifest_works

_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Counts(Record):
    """How many records were new."""

    parties: int
    works: int
    splits: int
    opt_outs: int


class Registry:
    """The register in one database, with its texts in the folder `assets`. Opening it brings the tables up to date."""

    def __init__(self, engine: sa.Engine, assets: Path) -> None:
        self._engine = engine
        self._assets = Assets(assets)
        upgrade(engine, _MIGRATIONS, "registry_version")
        self.evidence = Evidence(engine)

    # --- adding

    def problems(self, catalogue: Catalogue) -> list[Problem]:
        """What in the catalogue contradicts what is registered already; `add` refuses a catalogue that has any."""
        with self._engine.connect() as connection:
            return _conflicts(catalogue, _works(connection))

    def add(self, catalogue: Catalogue, today: date) -> Counts:
        """Register what is new in the catalogue: all of it or nothing. Adding the same again adds nothing.

        Raises: RegistryError("catalogue-conflicts") for what `problems` reports, RegistryError("file-changed") if a
        text is no longer the one that was read.
        """
        with writing(self._engine) as connection, self._assets.adding() as keep:
            registered = _works(connection)
            conflicts = _conflicts(catalogue, registered)
            if conflicts:
                says = "\n".join(str(problem) for problem in conflicts)
                raise RegistryError("catalogue-conflicts", says, "correct these lines and register again")
            for entry in catalogue.works:
                keep(entry.path, entry.work.sha256)
            known = {work.id for work in registered}
            return Counts(
                parties=_add_parties(connection, catalogue),
                works=_add_works(connection, [e.work for e in catalogue.works if e.work.id not in known], today),
                splits=_add_splits(connection, catalogue.splits, today),
                opt_outs=_add_opt_outs(connection, catalogue.opt_outs),
            )

    def save_decisions(self, decisions: Sequence[Decision], today: date) -> None:
        """Keep what the gate said today; `decisions` then returns the newest for each work."""
        rows = [{"work": d.work, "recorded": today, "body": _text(d)} for d in decisions]
        with writing(self._engine) as connection:
            _insert(connection, schema.decisions, rows)

    def save_manifest(self, manifest: Manifest) -> None:
        """Keep a frozen manifest; keeping it again changes nothing."""
        table = schema.manifests
        with writing(self._engine) as connection:
            if connection.execute(sa.select(table.c.id).where(table.c.id == manifest.id)).first() is None:
                _insert(connection, table, [{"id": manifest.id, "body": _text(manifest)}])
                rows = [{"manifest": manifest.id, "work": entry.work} for entry in manifest.entries]
                _insert(connection, manifest_works, rows)

    # --- asking

    def parties(self) -> tuple[Party, ...]:
        """By id."""
        return tuple(Party(PartyId(row.id), row.name) for row in self._rows(_by_id(schema.parties)))

    def accounts(self) -> dict[AccountId, str]:
        """Names of those who submitted works, by id."""
        return {AccountId(row.id): row.name for row in self._rows(_by_id(schema.accounts))}

    def works(self) -> tuple[Work, ...]:
        """By id."""
        with self._engine.connect() as connection:
            return _works(connection)

    def registration_order(self) -> dict[WorkId, int]:
        """When each work came to the register, as a rising number: the one order that no submitter can choose."""
        table = schema.works
        return {WorkId(row.id): row.seq for row in self._rows(sa.select(table.c.id, table.c.seq).order_by(table.c.seq))}

    def work(self, work_id: WorkId) -> Work:
        """Raises: RegistryError("no-such-work")."""
        with self._engine.connect() as connection:
            found = _works(connection, schema.works.c.id == work_id)
        if not found:
            raise RegistryError("no-such-work", f"{work_id} is not registered", "`byline register` lists the works")
        return found[0]

    def text(self, work_id: WorkId) -> str:
        """The text as it was registered, proved by its digest.

        Raises: RegistryError("no-such-work"), RegistryError("asset-missing"), RegistryError("asset-altered").
        """
        return self._assets.text(self.work(work_id).sha256)

    def splits_on(self, day: date) -> dict[WorkId, Split]:
        """The division in force on `day` for every work, by id. Where none is agreed yet (`agreed` is False): equal
        shares over the contributors, from the first day the calendar has."""
        in_force = {work.id: _equal_split(work) for work in self.works()}
        with self._engine.connect() as connection:
            for split in _splits(connection):
                if split.effective <= day:
                    in_force[split.work] = split
        return in_force

    def opt_outs(self, on: date) -> tuple[OptOut, ...]:
        """Those in effect on a day, by party, work and date."""
        with self._engine.connect() as connection:
            found = [opt_out for opt_out in _opt_outs(connection) if opt_out.effective <= on]
        return tuple(sorted(found, key=lambda o: (o.party, o.work or "", o.effective, o.recorded, o.reason)))

    def opted_out_works(self, on: date) -> tuple[WorkId, ...]:
        """Works that a contributor of theirs has said no for, by id. That a no reaches copies, the gate sees to."""
        said_no = {(o.party, o.work) for o in self.opt_outs(on)}
        return tuple(
            work.id
            for work in self.works()
            if any((c.party, None) in said_no or (c.party, work.id) in said_no for c in work.contributions)
        )

    def decisions(self) -> tuple[Decision, ...]:
        """The newest decision on each work, by work id."""
        rows = self._rows(sa.select(schema.decisions).order_by(schema.decisions.c.seq))
        newest = {row.work: Decision.from_json(json.loads(row.body)) for row in rows}
        return tuple(newest[work] for work in sorted(newest))

    def manifest(self, manifest_id: ManifestId) -> Manifest:
        """Raises: RegistryError("no-such-manifest")."""
        rows = self._rows(sa.select(schema.manifests).where(schema.manifests.c.id == manifest_id))
        if not rows:
            raise RegistryError("no-such-manifest", f"{manifest_id} was never frozen here", "byline freeze")
        return Manifest.from_json(json.loads(rows[0].body))

    def latest_manifest(self) -> Manifest:
        """The one kept last. Raises: RegistryError("no-such-manifest") if none was."""
        rows = self._rows(sa.select(schema.manifests).order_by(schema.manifests.c.seq.desc()).limit(1))
        if not rows:
            raise RegistryError("no-such-manifest", "no manifest was frozen yet", "byline freeze")
        return Manifest.from_json(json.loads(rows[0].body))

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()


# --- rows to records ------------------------------------------------------------------------------------------


def _works(connection: sa.Connection, *only: sa.ColumnElement[bool]) -> tuple[Work, ...]:
    parts: defaultdict[str, list[Contribution]] = defaultdict(list)
    table = schema.contributions
    query = sa.select(table).join(schema.works).where(*only).order_by(table.c.work, table.c.position)
    for row in connection.execute(query):
        parts[row.work].append(Contribution(PartyId(row.party), Role(row.role)))
    return tuple(
        Work(
            id=WorkId(row.id),
            title=row.title,
            kind=row.kind,
            account=AccountId(row.account),
            contributions=tuple(parts[row.id]),
            created=row.created,
            source=row.source,
            licence=row.licence,
            sha256=row.sha256,
        )
        for row in connection.execute(_by_id(schema.works).where(*only))
    )


def _splits(connection: sa.Connection) -> list[Split]:
    """All that were ever agreed; a later one in the list supersedes an earlier one from its effective date."""
    lines: defaultdict[int, list[tuple[PartyId, int]]] = defaultdict(list)
    table = schema.split_lines
    for row in connection.execute(sa.select(table).order_by(table.c.split, table.c.position)):
        lines[row.split].append((PartyId(row.party), row.ppm))
    query = sa.select(schema.splits).order_by(schema.splits.c.work, schema.splits.c.effective, schema.splits.c.seq)
    return [Split(WorkId(row.work), tuple(lines[row.seq]), row.effective) for row in connection.execute(query)]


def _opt_outs(connection: sa.Connection) -> list[OptOut]:
    return [
        OptOut(PartyId(row.party), WorkId(row.work) if row.work else None, row.effective, row.recorded, row.reason)
        for row in connection.execute(sa.select(schema.opt_outs))
    ]


def _equal_split(work: Work) -> Split:
    parties = sorted({contribution.party for contribution in work.contributions})
    each, more = divmod(PPM, len(parties))
    lines = tuple((party, each + (position < more)) for position, party in enumerate(parties))
    return Split(work.id, lines, date.min, agreed=False)


def _by_id(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(table.c.id)


def _text(record: Record) -> str:
    return canonical_json(record.to_json()).decode()


# --- records to rows ------------------------------------------------------------------------------------------


def _conflicts(catalogue: Catalogue, registered: Iterable[Work]) -> list[Problem]:
    """A title that its account has already given to another content, or a work registered with other facts."""
    by_title = {(work.account, work.title): work for work in registered}
    problems = []
    for entry in catalogue.works:
        new, old = entry.work, by_title.get((entry.work.account, entry.work.title))
        if old is None or old == new:
            continue
        if old.sha256 != new.sha256:
            says = f"{new.title!r} is registered with other content ({old.id}); give it another title"
            problems.append(Problem("title-taken", entry.at, says))
        else:
            changed = [f.name for f in fields(Work) if getattr(old, f.name) != getattr(new, f.name)]
            says = f"{new.title!r} is registered as {old.id} with other {', '.join(changed)}; nothing is edited here"
            problems.append(Problem("work-differs", entry.at, says))
    return problems


def _add_parties(connection: sa.Connection, catalogue: Catalogue) -> int:
    accounts = [{"id": account, "name": name} for account, name in catalogue.accounts]
    parties = [{"id": party.id, "name": party.name} for party in catalogue.parties]
    _insert(connection, schema.accounts, _new(connection, schema.accounts, accounts))
    return _insert(connection, schema.parties, _new(connection, schema.parties, parties))


def _new(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = set(connection.execute(sa.select(table.c.id)).scalars())
    return [row for row in rows if row["id"] not in known]


def _add_works(connection: sa.Connection, works: Sequence[Work], today: date) -> int:
    columns = ("id", "title", "kind", "account", "created", "source", "licence", "sha256")
    rows = [{name: getattr(work, name) for name in columns} | {"registered": today} for work in works]
    parts = [
        {"work": work.id, "position": position, "party": part.party, "role": str(part.role)}
        for work in works
        for position, part in enumerate(work.contributions)
    ]
    added = _insert(connection, schema.works, rows)
    _insert(connection, schema.contributions, parts)
    return added


def _add_splits(connection: sa.Connection, splits: Iterable[Split], today: date) -> int:
    """A split equal to the one in force for its effective date is not new."""
    newest = {(split.work, split.effective): split for split in _splits(connection)}
    new = [split for split in splits if newest.get((split.work, split.effective)) != split]
    for split in new:
        row = {"work": split.work, "effective": split.effective, "recorded": today}
        seq = connection.execute(sa.insert(schema.splits).values(row).returning(schema.splits.c.seq)).scalar_one()
        lines = [
            {"split": seq, "position": position, "party": party, "ppm": ppm}
            for position, (party, ppm) in enumerate(split.lines)
        ]
        _insert(connection, schema.split_lines, lines)
    return len(new)


def _add_opt_outs(connection: sa.Connection, opt_outs: Iterable[OptOut]) -> int:
    known = set(_opt_outs(connection))
    columns = ("party", "work", "effective", "recorded", "reason")
    new = [opt_out for opt_out in dict.fromkeys(opt_outs) if opt_out not in known]
    return _insert(connection, schema.opt_outs, [{name: getattr(o, name) for name in columns} for o in new])


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
    if rows:
        connection.execute(sa.insert(table), rows)
    return len(rows)
