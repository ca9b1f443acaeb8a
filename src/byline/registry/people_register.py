"""Keeping the records about people: added, never edited; what is wrong is withdrawn or superseded by a later one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from byline.core import Party, PartyId, RegistryError, WorkId, canonical_json, party_id
from byline.registry import schema
from byline.registry.database import writing
from byline.registry.division import Day, Division, Known, inherited
from byline.registry.people import (
    KINDS,
    Claim,
    Dispute,
    Identity,
    Merge,
    PeopleRecord,
    Resolution,
    Succession,
    Withdrawal,
    record_id,
)
from byline.registry.register import Registry
from byline.registry.terms import add_name_terms

_TABLE = sa.Table(
    "people_records",
    schema.metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("recorded", sa.Date, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Added:
    """The ids of records in the order given, how many records and parties were new, and faults as (place, error)."""

    ids: tuple[str, ...]
    records: int
    parties: int
    faults: tuple[tuple[int, RegistryError], ...]


class People:
    """What is known about people, in the database of an opened registry (which brings the tables up to date)."""

    def __init__(self, engine: sa.Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry

    def add_party(self, name: str) -> Party:
        """Somebody who made none of the works: an heir, an estate, a claimant. Adding twice adds nothing."""
        with writing(self._engine) as connection:
            return _add_party(connection, name)

    def add(self, record: PeopleRecord, today: date) -> str:
        """Record it; its id. Adding the same again adds nothing.

        Raises: RegistryError("unknown-party"), ("no-such-work"), ("no-such-record") for what it refers to,
        ("circular-merge"), ("circular-succession") for a circle it would close, ("already-resolved").
        """
        with writing(self._engine) as connection:
            return _Adding(connection, today).add(record)[0]

    def add_all(
        self, names: Sequence[str], records: Sequence[PeopleRecord], today: date, dry_run: bool = False
    ) -> Added:
        """Add these parties and record these facts in their order: all of it, or nothing if there is any fault or if
        it is only to be tried."""
        faults, added = [], []
        with writing(self._engine) as connection:
            before = len(_ids(connection, schema.parties))
            for name in names:
                _add_party(connection, name)
            adding = _Adding(connection, today)
            for at, record in enumerate(records):
                try:
                    added.append(adding.add(record))
                except RegistryError as fault:
                    faults.append((at, fault))
            if faults or dry_run:
                connection.rollback()
        if faults:
            return Added((), 0, 0, tuple(faults))
        return Added(tuple(name for name, _ in added), sum(new for _, new in added), len(adding.parties) - before, ())

    def known(self, as_of: date | None = None) -> Known:
        """What was known at the end of a day; all by default."""
        query = sa.select(_TABLE).order_by(_TABLE.c.seq)
        if as_of is not None:
            query = query.where(_TABLE.c.recorded <= as_of)
        with self._engine.connect() as connection:
            return Known(tuple(_record(row) for row in connection.execute(query)))

    def divisions_on(self, on: date, as_of: date | None = None) -> dict[WorkId, Division]:
        """The division of every work on a day, by what was known `as_of` another."""
        day, splits = Day(self.known(as_of), on), self._registry.splits_on(on)
        return {work.id: day.divide(work, splits[work.id]) for work in self._registry.works()}

    def identities(self, party: PartyId) -> tuple[Identity, ...]:
        return tuple(one for one in self.known().of(Identity) if one.party == party)

    def open_disputes(self, on: date) -> tuple[Dispute, ...]:
        known = self.known()
        resolved = {one.dispute for one in known.of(Resolution)}
        return tuple(one for one in known.of(Dispute) if one.id not in resolved and one.effective <= on)


def _add_party(connection: sa.Connection, name: str) -> Party:
    party = Party(party_id(name), name)
    if party.id not in _ids(connection, schema.parties):
        connection.execute(sa.insert(schema.parties), {"id": party.id, "name": name})
        add_name_terms(connection, [(party.id, name)])
    return party


class _Adding:
    """A transaction that adds records; what each is held against is read once."""

    def __init__(self, connection: sa.Connection, today: date) -> None:
        self._connection, self._today = connection, today
        rows = connection.execute(sa.select(_TABLE).order_by(_TABLE.c.seq)).all()
        self._records = {row.id: _record(row) for row in rows}
        self.parties = _ids(connection, schema.parties)
        self._works = _ids(connection, schema.works)

    def add(self, record: PeopleRecord) -> tuple[str, bool]:
        """Id, and whether it is new."""
        name, before = record_id(record), list(self._records.values())
        if name in self._records:
            return name, False
        _refuse_strangers(record, self.parties, self._works)
        _refuse_loose(record, set(self._records), before)
        if isinstance(record, Merge | Succession):
            _refuse_circles(Known((*before, record)))
        body = canonical_json(record.to_json()).decode()
        row = {"id": name, "kind": record.KIND, "body": body, "recorded": self._today}
        self._connection.execute(sa.insert(_TABLE), row)
        self._records[name] = record
        return name, True


def _record(row: sa.Row[tuple[object, ...]]) -> PeopleRecord:
    return KINDS[row.kind].from_json(json.loads(row.body))


def _ids(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(sa.select(table.c.id)).scalars())


def _refuse_strangers(record: PeopleRecord, parties: set[str], works: set[str]) -> None:
    named: list[str | None] = [getattr(record, field, None) for field in ("party", "alias", "into", "claimant")]
    named += [party for party, _ in getattr(record, "lines", ())]
    for party in named:
        if party is not None and party not in parties:
            raise RegistryError("unknown-party", f"{party} is not registered", "add the party first")
    if isinstance(record, Claim | Dispute) and record.work not in works:
        raise RegistryError("no-such-work", f"{record.work} is not registered", "`byline register` lists the works")


def _refuse_loose(record: PeopleRecord, ids: set[str], before: list[PeopleRecord]) -> None:
    wanted = (
        record.claim if isinstance(record, Withdrawal) else record.dispute if isinstance(record, Resolution) else None
    )
    if wanted is not None and wanted not in ids:
        raise RegistryError("no-such-record", f"{wanted} was never recorded", "give the id that recording it returned")
    if isinstance(record, Resolution) and any(isinstance(b, Resolution) and b.dispute == wanted for b in before):
        raise RegistryError("already-resolved", f"{wanted} was decided", "open a new dispute over the same slice")


def _refuse_circles(known: Known) -> None:
    days = {record.effective for record in known.records if isinstance(record, Merge | Succession)}
    for day in days:
        heirs = known.heirs(day)
        for party in heirs:
            inherited(party, 1, heirs)
