"""The register of evidence: records added, never edited; what stood on a day, by what was known on another."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from byline.core import Record, RegistryError, Work, WorkId
from byline.registry import schema
from byline.registry.database import writing
from byline.registry.evidence_record import EvidenceRecord
from byline.registry.evidence_schema import TABLES, from_row, manifest_works, to_row
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
        found = {
            work.id: tuple(each for scope in scopes_of(work) for each in by_scope.get(scope, ())) for work in works
        }
        return {work: records for work, records in found.items() if records}

    def history(
        self, kind: type[Kind], *, about: Iterable[str] | None = None, as_of: date | None = None
    ) -> tuple[Entry[Kind], ...]:
        """Every record of a kind that was ever made, oldest first, with what became of it."""
        table = TABLES[kind]
        query = sa.select(table).order_by(table.c.seq)
        if about is not None:
            query = query.where(table.c.about.in_(sorted(set(about))))
        if as_of is not None:
            query = query.where(table.c.recorded <= as_of)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            by = _superseding(connection, table, as_of)
            ended = _endings(connection, as_of)
        return tuple(
            Entry(from_row(kind, row), row["id"], row["chain"], row["recorded"], by.get(row["id"], ""),
                  ended.get(row["id"]))
            for row in rows
        )  # fmt: skip

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
    table, endings = TABLES[kind], TABLES[Ending]
    ended = [endings.c.effective <= on]
    counted = [table.c.effective <= on]
    if as_of is not None:
        ended.append(endings.c.recorded <= as_of)
        counted.append(table.c.recorded <= as_of)
    mistaken = [endings.c.why == Why.MISTAKEN.value, *([endings.c.recorded <= as_of] if as_of is not None else [])]
    counted.append(table.c.id.not_in(sa.select(endings.c.record).where(*mistaken)))
    if about is not None:
        counted.append(table.c.chain.in_(sa.select(table.c.chain).where(table.c.about.in_(about))))
    last = sa.select(sa.func.max(table.c.seq)).where(*counted).group_by(table.c.chain)
    query = sa.select(table).where(table.c.seq.in_(last), table.c.id.not_in(sa.select(endings.c.record).where(*ended)))
    if about is not None:
        query = query.where(table.c.about.in_(about))
    if "until" in table.c:
        query = query.where(sa.or_(table.c.until.is_(None), table.c.until >= on))
    return connection.execute(query.order_by(table.c.seq)).mappings().all()


def _superseding(connection: sa.Connection, table: sa.Table, as_of: date | None) -> dict[str, str]:
    if "supersedes" not in table.c:
        return {}
    query = sa.select(table.c.supersedes, table.c.id).where(table.c.supersedes != "")
    if as_of is not None:
        query = query.where(table.c.recorded <= as_of)
    return {row.supersedes: row.id for row in connection.execute(query)}


def _endings(connection: sa.Connection, as_of: date | None) -> dict[str, Ending]:
    table = TABLES[Ending]
    query = sa.select(table)
    if as_of is not None:
        query = query.where(table.c.recorded <= as_of)
    return {row["record"]: from_row(Ending, row) for row in connection.execute(query).mappings()}


# --- adding -----------------------------------------------------------------------------------------------------


def add_records(connection: sa.Connection, dated: Sequence[tuple[EvidenceRecord, date]]) -> tuple[str, ...]:
    """Inside a writing transaction: the records with the days on which they became known; ids of the new ones."""
    by_kind: defaultdict[type[EvidenceRecord], list[tuple[str, EvidenceRecord, date]]] = defaultdict(list)
    for record, recorded in dated:
        by_kind[type(record)].append((record.id, record, recorded))
    _refuse_strangers(connection, [record for record, _ in dated])
    added: list[str] = []
    order = [kind for kind in TABLES if kind is not Ending] + [Ending]  # what is ended comes first
    for kind in order:
        if by_kind[kind]:
            added += _add_kind(connection, kind, by_kind[kind])
    return tuple(added)


def _add_kind(
    connection: sa.Connection, kind: type[EvidenceRecord], dated: list[tuple[str, EvidenceRecord, date]]
) -> list[str]:
    table = TABLES[kind]
    known = _present(connection, table.c.id, [name for name, _, _ in dated])
    new = {name: (record, recorded) for name, record, recorded in dated if name not in known}
    if not new:
        return []
    _refuse_backwards(connection, table, [recorded for _, recorded in new.values()])
    if kind is Ending:
        _refuse_endings(connection, [record for record, _ in new.values()])
    chains = _chains(connection, table, new)
    rows = [
        to_row(record) | {"id": name, "chain": chains[name], "recorded": recorded}
        for name, (record, recorded) in new.items()
    ]
    connection.execute(sa.insert(table), rows)
    return list(new)


def _chains(connection: sa.Connection, table: sa.Table, new: dict[str, tuple[EvidenceRecord, date]]) -> dict[str, str]:
    """The chain of each new record; a record that supersedes none begins one. No chain forks."""
    wanted = [getattr(record, "supersedes", "") for record, _ in new.values()]
    before = [name for name in wanted if name]
    chain_of = _pairs(connection, table.c.id, table.c.chain, before)
    taken = set(_pairs(connection, table.c.supersedes, table.c.id, before)) if before else set()
    found: dict[str, str] = {}
    for (name, (record, _)), old in zip(new.items(), wanted, strict=True):
        if not old:
            found[name] = name
            continue
        if old not in chain_of and old not in found:
            fix = "give the id of a record of the same kind"
            raise RegistryError("no-such-record", f"{name} supersedes {old}, which is not there", fix)
        if old in taken:
            says = f"{old} was superseded already; {record.KIND} {name} cannot supersede it too"
            raise RegistryError("already-superseded", says, "supersede the one that took its place")
        taken.add(old)
        found[name] = chain_of.get(old) or found[old]
    return found


def _refuse_backwards(connection: sa.Connection, table: sa.Table, days: list[date]) -> None:
    newest = connection.execute(sa.select(sa.func.max(table.c.recorded))).scalar_one()
    for day in days:
        if newest is not None and day < newest:
            says = f"{table.name}: something was recorded on {newest}, and this is said to have been known on {day}"
            raise RegistryError(
                "clock-back", says, "the recorded day is the day on which it is recorded; check the clock"
            )
        newest = day


def _refuse_strangers(connection: sa.Connection, records: Sequence[EvidenceRecord]) -> None:
    works, parties, accounts = (
        names - _present(connection, table.c.id, sorted(names))
        for names, table in zip(_named(records), (schema.works, schema.parties, schema.accounts), strict=True)
    )
    _refuse_any("no-such-work", works, "register it first: byline register")
    _refuse_any("unknown-party", parties, "add the party first")
    _refuse_any("unknown-account", accounts, "an account is who submitted works to this register")


def _refuse_any(code: str, strangers: set[str], fix: str) -> None:
    if strangers:
        raise RegistryError(code, f"{min(strangers)} is not registered", fix)


def _named(records: Iterable[Record]) -> tuple[set[str], set[str], set[str]]:
    """Works, parties and accounts that records refer to."""
    abouts = {getattr(record, "about", "") for record in records}
    people = {getattr(record, field, "") for record in records for field in ("person", "party", "grantor")}
    kinds = {kind: {name for name in abouts | people if name.startswith(f"{kind}:")} for kind in ("work", "account")}
    parties = {name for name in abouts if name.startswith("party:")} | (people - {""})
    return kinds["work"], parties, kinds["account"]


def _refuse_endings(connection: sa.Connection, endings: Sequence[Any]) -> None:
    named = [ending.record for ending in endings]
    standing = {
        name for kind, table in TABLES.items() if kind is not Ending for name in _present(connection, table.c.id, named)
    }
    ended = _present(connection, TABLES[Ending].c.record, named)
    for name in named:
        if name not in standing:
            raise RegistryError(
                "no-such-record", f"{name} was never recorded", "give the id that recording it returned"
            )
        if name in ended or named.count(name) > 1:
            raise RegistryError("already-ended", f"{name} was ended before", "add a new record if it stands again")


def _present(connection: sa.Connection, column: sa.Column[Any], names: Sequence[str]) -> set[str]:
    return set(_pairs(connection, column, column, names))


def _pairs(
    connection: sa.Connection, key: sa.Column[Any], value: sa.Column[Any], names: Sequence[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(names), _CHUNK):
        query = sa.select(key.label("k"), value.label("v")).where(key.in_(names[at : at + _CHUNK]))
        found |= {row.k: row.v for row in connection.execute(query)}
    return found
