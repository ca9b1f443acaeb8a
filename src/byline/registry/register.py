"""The register: parties, works, splits, opt-outs, gate decisions and manifests, added to and never edited.

What changes is superseded: the split in force on a day is the one with the latest effective date up to that day, and
of two with the same date the one recorded last. The texts stand beside the database, named by their digests.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.core import (
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
    Split,
    Work,
    WorkId,
)
from byline.registry import schema
from byline.registry.assets import Assets
from byline.registry.catalogue import Catalogue
from byline.registry.catalogue_files import CatalogueWriter, export_parties, import_parties
from byline.registry.database import upgrade, writing
from byline.registry.evidence import Evidence
from byline.registry.evidence_schema import manifest_works
from byline.registry.exchange import evidence_kind, export_records, import_records
from byline.registry.media import MEDIA
from byline.registry.register_rows import (
    add_opt_outs,
    add_parties,
    add_splits,
    add_works,
    by_id,
    conflicts_with,
    equal_split,
    insert_rows,
    read_opt_outs,
    read_splits,
    read_works,
    text_of_record,
)
from byline.registry.rights import Credit
from byline.registry.verdicts import Verdicts, note_verdicts

_CHUNK = 10_000  # names in one query: SQLite takes at most 32,766
CATALOGUE_KINDS = ("works", "splits", "opt-outs")
_MIGRATIONS = Path(__file__).parent / "migrations"
_GROWN = ("works", "opt_outs", "manifests", "notices", "notice_changes", "credits", "endings", "terms")
_NEWEST: list[sa.Select[Any]] = [
    sa.select(sa.func.max(sa.column("seq"))).select_from(sa.table(name)) for name in _GROWN
]
_STAMP = sa.select(*(each.scalar_subquery() for each in _NEWEST))


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
        self.verdicts = Verdicts(engine)
        self._heads: dict[ManifestId, tuple[str, date]] = {}

    # --- files

    def import_file(self, kind: str, path: Path, today: date) -> tuple[int, int, list[Problem]]:
        """Add a file of parties, or of one kind of evidence: how many records were new, how many rows, problems. With
        any problem nothing is added. Works, splits and opt-outs come in together: `read_catalogue` and `add`.

        Raises: RegistryError("unknown-kind").
        """
        if kind == "parties":
            return import_parties(self._engine, path)
        return import_records(self._engine, kind, path, today)

    def export_file(self, kind: str, path: Path, as_of: date | None = None) -> int:
        """Write all records of a kind, superseded ones too, as a file that reads back as the same; how many rows.

        as_of: only what was known on that day (kinds of evidence only). Raises: RegistryError("unknown-kind").
        """
        if kind == "parties":
            return export_parties(self.parties(), path)
        if kind in CATALOGUE_KINDS:
            return self._export_catalogue(kind, path)
        record = evidence_kind(kind)
        return export_records(self._engine, kind, self.evidence.history(record, as_of=as_of), path)

    def _export_catalogue(self, kind: str, path: Path) -> int:
        with self._engine.connect() as connection:
            works, splits = read_works(connection), read_splits(connection)
        order = self.registration_order()
        in_order = sorted(works, key=lambda work: order[work.id])
        writer = CatalogueWriter(in_order, self.parties(), self.accounts(), self._assets)
        if kind == "works":
            return writer.works(path)
        if kind == "splits":
            newest = {(split.work, split.effective): split for split in splits}
            return writer.splits(list(newest.values()), path)
        return writer.opt_outs(self.opt_outs(date.max), path)

    # --- adding

    def problems(self, catalogue: Catalogue) -> list[Problem]:
        """What in the catalogue contradicts what is registered already; `add` refuses a catalogue that has any."""
        with self._engine.connect() as connection:
            return conflicts_with(catalogue, read_works(connection))

    def add(self, catalogue: Catalogue, today: date) -> Counts:
        """Register what is new in the catalogue: all of it or nothing. Adding the same again adds nothing.

        Raises: RegistryError("catalogue-conflicts") for what `problems` reports, RegistryError("file-changed") if a
        text is no longer the one that was read.
        """
        with writing(self._engine) as connection, self._assets.adding() as keep:
            registered = read_works(connection)
            conflicts = conflicts_with(catalogue, registered)
            if conflicts:
                says = "\n".join(str(problem) for problem in conflicts)
                raise RegistryError("catalogue-conflicts", says, "correct these lines and register again")
            for entry in catalogue.works:
                keep(entry.path, entry.work.sha256)
            known = {work.id for work in registered}
            return Counts(
                parties=add_parties(connection, catalogue),
                works=add_works(connection, [e.work for e in catalogue.works if e.work.id not in known], today),
                splits=add_splits(connection, catalogue.splits, today),
                opt_outs=add_opt_outs(connection, catalogue.opt_outs),
            )

    def stamp(self) -> tuple[int | None, ...]:
        """Numbers that are others once anything was added: whoever keeps an answer asks this first."""
        with self._engine.connect() as connection:
            return tuple(connection.execute(_STAMP).one())

    def save_decisions(self, decisions: Sequence[Decision], today: date) -> None:
        """Keep what the gate said today; `decisions` then returns the newest for each work."""
        rows = [{"work": d.work, "recorded": today, "body": text_of_record(d)} for d in decisions]
        with writing(self._engine) as connection:
            insert_rows(connection, schema.decisions, rows)
            note_verdicts(connection, decisions)

    def save_manifest(self, manifest: Manifest) -> None:
        """Keep a frozen manifest; keeping it again changes nothing."""
        table = schema.manifests
        with writing(self._engine) as connection:
            if connection.execute(sa.select(table.c.id).where(table.c.id == manifest.id)).first() is None:
                insert_rows(connection, table, [{"id": manifest.id, "body": text_of_record(manifest)}])
                rows = [{"manifest": manifest.id, "work": entry.work} for entry in manifest.entries]
                insert_rows(connection, manifest_works, rows)

    # --- asking

    def parties(self) -> tuple[Party, ...]:
        """By id."""
        return tuple(Party(PartyId(row.id), row.name) for row in self._rows(by_id(schema.parties)))

    def accounts(self) -> dict[AccountId, str]:
        """Names of those who submitted works, by id."""
        return {AccountId(row.id): row.name for row in self._rows(by_id(schema.accounts))}

    def works(self, on: date = date.max) -> tuple[Work, ...]:
        """By id, with the contributors that are credited on a day; by default with all whose credit has no end."""
        with self._engine.connect() as connection:
            works = read_works(connection)
        return self._credited(works, self.evidence.in_force(Credit, on))

    def works_of_ids(self, ids: Sequence[WorkId]) -> tuple[Work, ...]:
        """Those of some works that are registered, by id, with the contributors as `works` has them."""
        if not ids:
            return ()
        wanted = sorted(set(ids))
        parts = [wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK)]
        with self._engine.connect() as connection:
            found = tuple(work for part in parts for work in read_works(connection, schema.works.c.id.in_(part)))
        return self._credited(found, self.evidence.in_force(Credit, date.max, about=wanted))

    def account(self, account: AccountId) -> str:
        """The name of one who submitted works; empty if there is none of that id."""
        rows = self._rows(sa.select(schema.accounts.c.name).where(schema.accounts.c.id == account))
        return str(rows[0].name) if rows else ""

    def _credited(self, works: tuple[Work, ...], credits: Sequence[Credit]) -> tuple[Work, ...]:
        """Whoever was found to have a part after the work was registered stands behind those it came with."""
        later: defaultdict[WorkId, list[Contribution]] = defaultdict(list)
        for credit in credits:
            later[credit.about].append(Contribution(credit.party, credit.role))
        if not later:
            return works
        return tuple(
            replace(work, contributions=tuple(dict.fromkeys((*work.contributions, *later[work.id]))))
            if work.id in later
            else work
            for work in works
        )

    def registration_order(self) -> dict[WorkId, int]:
        """When each work came to the register, as a rising number: the one order that no submitter can choose."""
        table = schema.works
        return {WorkId(row.id): row.seq for row in self._rows(sa.select(table.c.id, table.c.seq).order_by(table.c.seq))}

    def works_of_kind(self, kind: str) -> tuple[Work, ...]:
        """Texts, pictures (`image`) or sounds (`audio`), by id, with the contributors as `works` has them."""
        with self._engine.connect() as connection:
            found = read_works(connection, schema.works.c.kind == kind)
        return self._credited(found, self.evidence.in_force(Credit, date.max)) if found else ()

    def work(self, work_id: WorkId, on: date = date.max) -> Work:
        """With the contributors that are credited on a day. Raises: RegistryError("no-such-work")."""
        with self._engine.connect() as connection:
            found = read_works(connection, schema.works.c.id == work_id)
        if not found:
            raise RegistryError("no-such-work", f"{work_id} is not registered", "`byline register` lists the works")
        return self._credited(found, self.evidence.in_force(Credit, on, about=[work_id]))[0]

    def text(self, work_id: WorkId) -> str:
        """The text as it was registered, proved by its digest.

        Raises: RegistryError("no-such-work"), RegistryError("no-text") for a picture or a sound,
        RegistryError("asset-missing"), RegistryError("asset-altered").
        """
        work = self.work(work_id)
        if work.kind in MEDIA:
            says = f"{work_id} ({work.title}) is of kind {work.kind} and has no words"
            raise RegistryError("no-text", says, "leave it out: `byline freeze --kind text`")
        return self._assets.text(work.sha256)

    def content(self, work_id: WorkId) -> bytes:
        """The bytes of the file that was registered, proved by their digest: a text, a picture or a sound.

        Raises: RegistryError("no-such-work"), RegistryError("asset-missing"), RegistryError("asset-altered").
        """
        return self._assets.content(self.work(work_id).sha256)

    def splits_on(self, day: date) -> dict[WorkId, Split]:
        """The division in force on `day` for every work, by id. Where none is agreed yet (`agreed` is False): equal
        shares over the contributors, from the first day the calendar has."""
        in_force = {work.id: equal_split(work) for work in self.works(day)}
        with self._engine.connect() as connection:
            for split in read_splits(connection):
                if split.effective <= day:
                    in_force[split.work] = split
        return in_force

    def split_of(self, work: WorkId, day: date) -> Split:
        """The division of one work in force on `day`, as `splits_on` has it. Raises: RegistryError("no-such-work")."""
        with self._engine.connect() as connection:
            agreed = [split for split in read_splits(connection, work) if split.effective <= day]
        return agreed[-1] if agreed else equal_split(self.work(work, day))

    def works_titled(self, title: str) -> tuple[Work, ...]:
        """The works of a title, in the order of registration."""
        table = schema.works
        rows = self._rows(sa.select(table.c.id).where(table.c.title == title).order_by(table.c.seq))
        return tuple(self.work(WorkId(row.id)) for row in rows)

    def opt_outs(self, on: date) -> tuple[OptOut, ...]:
        """Those in effect on a day, by party, work and date."""
        with self._engine.connect() as connection:
            found = [opt_out for opt_out in read_opt_outs(connection) if opt_out.effective <= on]
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

    def decision(self, work: WorkId) -> Decision | None:
        """The newest decision on one work; None if the gate was never asked."""
        table = schema.decisions
        query = sa.select(table).where(table.c.work == work).order_by(table.c.seq.desc()).limit(1)
        rows = self._rows(query)
        return Decision.from_json(json.loads(rows[0].body)) if rows else None

    def manifest(self, manifest_id: ManifestId) -> Manifest:
        """Raises: RegistryError("no-such-manifest")."""
        rows = self._rows(sa.select(schema.manifests).where(schema.manifests.c.id == manifest_id))
        if not rows:
            raise RegistryError("no-such-manifest", f"{manifest_id} was never frozen here", "byline freeze")
        return Manifest.from_json(json.loads(rows[0].body))

    def has_manifest(self, manifest_id: ManifestId) -> bool:
        return bool(self._rows(sa.select(schema.manifests.c.id).where(schema.manifests.c.id == manifest_id)))

    def manifest_works(self, manifest_id: ManifestId, among: Iterable[WorkId]) -> list[WorkId]:
        """Which of some works stand in a manifest that was kept here, by id."""
        wanted, table = sorted(set(among)), manifest_works
        found: list[WorkId] = []
        for at in range(0, len(wanted), _CHUNK):
            some = table.c.work.in_(wanted[at : at + _CHUNK])
            rows = self._rows(sa.select(table.c.work).where(table.c.manifest == manifest_id, some))
            found += [WorkId(row.work) for row in rows]
        return sorted(found)

    def manifest_head(self, manifest_id: ManifestId) -> tuple[str, date]:
        """Root and day of a manifest, which may be long and is read once. Raises: RegistryError("no-such-manifest")."""
        if manifest_id not in self._heads:
            manifest = self.manifest(manifest_id)
            self._heads[manifest_id] = manifest.root, manifest.frozen
        return self._heads[manifest_id]

    def latest_manifest(self) -> Manifest:
        """The one kept last. Raises: RegistryError("no-such-manifest") if none was."""
        rows = self._rows(sa.select(schema.manifests).order_by(schema.manifests.c.seq.desc()).limit(1))
        if not rows:
            raise RegistryError("no-such-manifest", "no manifest was frozen yet", "byline freeze")
        return Manifest.from_json(json.loads(rows[0].body))

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()
