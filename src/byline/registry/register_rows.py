"""Works, splits and opt-outs as rows of the register's tables: reading them, and adding what is new."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import sqlalchemy as sa

from byline.core import (
    PPM,
    AccountId,
    Contribution,
    OptOut,
    PartyId,
    Problem,
    Record,
    Role,
    Split,
    Work,
    WorkId,
    canonical_json,
)
from byline.registry import schema
from byline.registry.catalogue import Catalogue
from byline.registry.terms import add_name_terms, add_work_terms

# --- rows to records ------------------------------------------------------------------------------------------


def read_works(connection: sa.Connection, *only: sa.ColumnElement[bool]) -> tuple[Work, ...]:
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
        for row in connection.execute(by_id(schema.works).where(*only))
    )


def read_splits(connection: sa.Connection, only: WorkId | None = None) -> list[Split]:
    """All that were ever agreed; a later one in the list supersedes an earlier one from its effective date."""
    agreed, each = schema.splits, schema.split_lines
    here = [] if only is None else [agreed.c.work == only]
    lines: defaultdict[int, list[tuple[PartyId, int]]] = defaultdict(list)
    query = sa.select(each).join(agreed).where(*here).order_by(each.c.split, each.c.position)
    for row in connection.execute(query):
        lines[row.split].append((PartyId(row.party), row.ppm))
    query = sa.select(agreed).where(*here).order_by(agreed.c.work, agreed.c.effective, agreed.c.seq)
    return [Split(WorkId(row.work), tuple(lines[row.seq]), row.effective) for row in connection.execute(query)]


def read_opt_outs(connection: sa.Connection) -> list[OptOut]:
    return [
        OptOut(PartyId(row.party), WorkId(row.work) if row.work else None, row.effective, row.recorded, row.reason)
        for row in connection.execute(sa.select(schema.opt_outs))
    ]


def equal_split(work: Work) -> Split:
    """Between those who made the work. Whoever is shown in it has a say, and a share only if one is agreed."""
    makers = {part.party for part in work.contributions if part.role is not Role.SUBJECT}
    parties = sorted(makers or {part.party for part in work.contributions})
    each, more = divmod(PPM, len(parties))
    lines = tuple((party, each + (position < more)) for position, party in enumerate(parties))
    return Split(work.id, lines, date.min, agreed=False)


def by_id(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(table.c.id)


def text_of_record(record: Record) -> str:
    return canonical_json(record.to_json()).decode()


# --- records to rows ------------------------------------------------------------------------------------------


def conflicts_with(catalogue: Catalogue, registered: Iterable[Work]) -> list[Problem]:
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


def add_parties(connection: sa.Connection, catalogue: Catalogue) -> int:
    accounts = [{"id": account, "name": name} for account, name in catalogue.accounts]
    parties = [{"id": party.id, "name": party.name} for party in catalogue.parties]
    insert_rows(connection, schema.accounts, _new(connection, schema.accounts, accounts))
    new = _new(connection, schema.parties, parties)
    added = insert_rows(connection, schema.parties, new)
    add_name_terms(connection, [(row["id"], row["name"]) for row in new])
    return added


def _new(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = set(connection.execute(sa.select(table.c.id)).scalars())
    return [row for row in rows if row["id"] not in known]


def add_works(connection: sa.Connection, works: Sequence[Work], today: date) -> int:
    columns = ("id", "title", "kind", "account", "created", "source", "licence", "sha256")
    rows = [{name: getattr(work, name) for name in columns} | {"registered": today} for work in works]
    parts = [
        {"work": work.id, "position": position, "party": part.party, "role": str(part.role)}
        for work in works
        for position, part in enumerate(work.contributions)
    ]
    added = insert_rows(connection, schema.works, rows)
    insert_rows(connection, schema.contributions, parts)
    add_work_terms(connection, [(work.id, work.title, work.source) for work in works])
    return added


def add_splits(connection: sa.Connection, splits: Iterable[Split], today: date) -> int:
    """A split equal to the one in force for its effective date is not new."""
    newest = {(split.work, split.effective): split for split in read_splits(connection)}
    new = [split for split in splits if newest.get((split.work, split.effective)) != split]
    for split in new:
        row = {"work": split.work, "effective": split.effective, "recorded": today}
        seq = connection.execute(sa.insert(schema.splits).values(row).returning(schema.splits.c.seq)).scalar_one()
        lines = [
            {"split": seq, "position": position, "party": party, "ppm": ppm}
            for position, (party, ppm) in enumerate(split.lines)
        ]
        insert_rows(connection, schema.split_lines, lines)
    return len(new)


def add_opt_outs(connection: sa.Connection, opt_outs: Iterable[OptOut]) -> int:
    known = set(read_opt_outs(connection))
    columns = ("party", "work", "effective", "recorded", "reason")
    new = [opt_out for opt_out in dict.fromkeys(opt_outs) if opt_out not in known]
    return insert_rows(connection, schema.opt_outs, [{name: getattr(o, name) for name in columns} for o in new])


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
    if rows:
        connection.execute(sa.insert(table), rows)
    return len(rows)
