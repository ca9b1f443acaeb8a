"""Adding records of evidence: everything that speaks against it is found first, all of it, and only then is written."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from byline.core import RegistryError
from byline.registry import schema
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.evidence_schema import TABLES, to_row
from byline.registry.rights import Ending

_CHUNK = 10_000  # names in one query: SQLite takes at most 32,766
Dated = Sequence[tuple[EvidenceRecord, date]]
Fault = tuple[int, RegistryError]  # which record, and why not


def add_records(connection: sa.Connection, dated: Dated) -> tuple[str, ...]:
    """Inside a writing transaction: records with the days on which they became known; the ids of the new ones.

    Raises: the first of `find_faults`.
    """
    batch = _batch(connection, dated)
    faults = _faults(connection, batch)
    if faults:
        raise min(faults, key=lambda fault: fault[0])[1]
    for kind, table in TABLES.items():
        rows = [
            to_row(new.record) | {"id": new.id, "chain": batch.chain_of[new.id], "recorded": new.recorded}
            for new in batch.new
            if type(new.record) is kind
        ]
        if rows:
            connection.execute(sa.insert(table), rows)
    return tuple(new.id for new in batch.new)


def find_faults(connection: sa.Connection, dated: Dated) -> list[Fault]:
    """Everything that speaks against adding them, in the order of the records."""
    return sorted(_faults(connection, _batch(connection, dated)), key=lambda fault: fault[0])


@dataclass(frozen=True, slots=True)
class _New:
    position: int
    id: str
    record: EvidenceRecord
    recorded: date

    @property
    def supersedes(self) -> str:
        return getattr(self.record, "supersedes", "")


@dataclass(slots=True)
class _Batch:
    """Records that are not there yet, and the chain of each of them, which grows while faults are looked for."""

    new: list[_New]
    chain_of: dict[str, str] = field(default_factory=dict)


def _batch(connection: sa.Connection, dated: Dated) -> _Batch:
    found = [_New(position, record.id, record, recorded) for position, (record, recorded) in enumerate(dated)]
    names: defaultdict[type[EvidenceRecord], list[str]] = defaultdict(list)
    for new in found:
        names[type(new.record)].append(new.id)
    seen = {name for kind, listed in names.items() for name in _present(connection, TABLES[kind].c.id, listed)}
    fresh: list[_New] = []
    for new in found:
        if new.id not in seen:
            seen.add(new.id)
            fresh.append(new)
    return _Batch(fresh)


def _faults(connection: sa.Connection, batch: _Batch) -> list[Fault]:
    faults = _strangers(connection, batch.new)
    for kind, table in TABLES.items():
        new = [each for each in batch.new if type(each.record) is kind]
        if new:
            faults += _backwards(connection, table, new) + _chained(connection, table, new, batch.chain_of)
    return faults + _wrong_endings(connection, batch.new)


def _strangers(connection: sa.Connection, batch: list[_New]) -> list[Fault]:
    """Works, parties and accounts that records name and nobody knows."""
    named = [(new, name) for new in batch for name in _names(new.record)]

    def unknown(table: sa.Table, kind: str) -> set[str]:
        names = {name for _, name in named if name.startswith(f"{kind}:")}
        return names - _present(connection, table.c.id, sorted(names))

    works, accounts = unknown(schema.works, "work"), unknown(schema.accounts, "account")
    parties = unknown(schema.parties, "party") | {name for _, name in named if ":" not in name}
    faults: list[Fault] = []
    for new, name in named:
        says = f"{name} is not registered"
        if name in works:
            faults.append((new.position, RegistryError("no-such-work", says, "register it first: byline register")))
        elif name in parties:
            faults.append((new.position, RegistryError("unknown-party", says, "add the party first")))
        elif name in accounts:
            fix = "an account is who submitted works to this register"
            faults.append((new.position, RegistryError("unknown-account", says, fix)))
    return faults


def _names(record: EvidenceRecord) -> list[str]:
    about = getattr(record, "about", "*")
    people = [getattr(record, name) for name in ("person", "party", "grantor") if hasattr(record, name)]
    return people if about == "*" or about.startswith("domain:") else [about, *people]


def _backwards(connection: sa.Connection, table: sa.Table, batch: list[_New]) -> list[Fault]:
    """Nobody can have known it before somebody said it: recorded days never run back."""
    newest = connection.execute(sa.select(sa.func.max(table.c.recorded))).scalar_one()
    faults: list[Fault] = []
    for new in batch:
        if newest is not None and new.recorded < newest:
            says = (
                f"{table.name}: something was recorded on {newest}, this is said to have been known on {new.recorded}"
            )
            fix = "the recorded day is the day of recording; check the clock, and the order of the file"
            faults.append((new.position, RegistryError("clock-back", says, fix)))
        else:
            newest = new.recorded
    return faults


def _chained(connection: sa.Connection, table: sa.Table, batch: list[_New], chain_of: dict[str, str]) -> list[Fault]:
    """Puts each record into its chain; one that supersedes none begins one. No chain forks."""
    before = [new.supersedes for new in batch if new.supersedes]
    known = _pairs(connection, table.c.id, table.c.chain, before)
    taken = _present(connection, table.c.supersedes, before) if before else set()
    mine: set[str] = set()
    faults: list[Fault] = []
    for new in batch:
        old = new.supersedes
        mine.add(new.id)
        chain_of[new.id] = new.id if not old else known.get(old, chain_of.get(old, new.id))
        if old and old not in known and (old not in mine or old == new.id):
            fix = "give the id of a record of the same kind, further up or recorded before"
            faults.append(
                (new.position, RegistryError("no-such-record", f"{old}, to be superseded, is not there", fix))
            )
        elif old in taken:
            fix = "supersede the one that took its place"
            faults.append((new.position, RegistryError("already-superseded", f"{old} was superseded already", fix)))
        taken |= {old} - {""}
    return faults


def _wrong_endings(connection: sa.Connection, batch: list[_New]) -> list[Fault]:
    endings = [(new, new.record) for new in batch if isinstance(new.record, Ending)]
    named = [ending.record for _, ending in endings]
    standing = {new.id for new in batch if not isinstance(new.record, Ending)}
    for kind, table in TABLES.items():
        if kind is not Ending:
            standing |= _present(connection, table.c.id, named)
    ended = _present(connection, TABLES[Ending].c.record, named)
    faults: list[Fault] = []
    for new, ending in endings:
        name = ending.record
        if name not in standing:
            fix = "give the id that recording it returned"
            faults.append((new.position, RegistryError("no-such-record", f"{name} was never recorded", fix)))
        elif name in ended:
            fix = "add a new record if it stands again"
            faults.append((new.position, RegistryError("already-ended", f"{name} was ended before", fix)))
        ended.add(name)
    return faults


def _present(connection: sa.Connection, column: sa.Column[str], names: Sequence[str]) -> set[str]:
    return set(_pairs(connection, column, column, names))


def _pairs(
    connection: sa.Connection, key: sa.Column[str], value: sa.Column[str], names: Sequence[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(names), _CHUNK):
        query = sa.select(key.label("k"), value.label("v")).where(key.in_(names[at : at + _CHUNK]))
        found |= {row.k: row.v for row in connection.execute(query)}
    return found
