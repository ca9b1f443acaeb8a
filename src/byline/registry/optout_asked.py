"""What a notice is about and which works it reaches, asked of the database: for one notice among a hundred thousand
works, where `Names.of` and `Reached` read them all. Both ways give the same answers.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from byline.core import AccountId, PartyId, WorkId
from byline.registry import schema
from byline.registry.optout import Target, TargetKind
from byline.registry.optout_reach import CodesOf, Reach, Reached
from byline.registry.optout_target import Names
from byline.registry.register import Registry
from byline.registry.shelf import Shelf
from byline.registry.terms import about_domain

PATIENCE = 100  # targets that are asked one by one before all works are read, which is quicker for many
_works = schema.works


class Asked:
    """Targets asked of the register in `engine`, as `Reached` answers them of all works. Good for one moment."""

    def __init__(self, engine: sa.Engine, registry: Registry, shelf: Shelf, codes: CodesOf) -> None:
        self._engine, self._registry, self._shelf, self._codes = engine, registry, shelf, codes
        self._found: dict[Target, Reach] = {}

    def by(self, target: Target) -> Reach:
        if target not in self._found:
            self._found[target] = self._ask(target) if len(self._found) < PATIENCE else self._all.by(target)
        return self._found[target]

    @cached_property
    def _all(self) -> Reached:
        return Reached(self._registry.works(), self._codes)

    def _ask(self, target: Target) -> Reach:
        if target.kind is TargetKind.ISCC:  # by the content of every text: there is no short way
            return self._all.by(target)
        asks: Mapping[TargetKind, Callable[[str], tuple[str, ...]]] = {
            TargetKind.WORK: lambda value: self._ids(_works.c.id == value),
            TargetKind.FILE: lambda value: self._ids(_works.c.sha256 == value),
            TargetKind.ACCOUNT: lambda value: self._ids(_works.c.account == value),
            TargetKind.CONTRIBUTOR: lambda value: self._shelf.ids_of(PartyId(value)),
            TargetKind.DOMAIN: self._from_domain,
            TargetKind.COLLECTION: self._collected,
        }
        return Reach(tuple(WorkId(work) for work in sorted(asks[target.kind](target.value))))

    def _from_domain(self, domain: str) -> tuple[str, ...]:
        """What is no URL has a shelf mark and no domain, also if it looks like one."""
        return self._ids(_works.c.id.in_(about_domain(domain)), _works.c.source.contains("://"))

    def _collected(self, prefix: str) -> tuple[str, ...]:
        whole = prefix.rstrip("/")
        query = sa.select(_works.c.id, _works.c.source).where(_works.c.source.startswith(whole, autoescape=True))
        inside = ((row.id, row.source) for row in self._rows(query))  # LIKE does not tell letters' case apart in SQLite
        return tuple(work for work, source in inside if source.rstrip("/") == whole or source.startswith(f"{whole}/"))

    def _ids(self, *where: sa.ColumnElement[bool]) -> tuple[str, ...]:
        return tuple(row.id for row in self._rows(sa.select(_works.c.id).where(*where)))

    def _rows(self, query: sa.Select[Any]) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(query).all()


# --- names --------------------------------------------------------------------------------------------------------


class _Ids(Container[Any]):
    """Whether an id stands in a table."""

    def __init__(self, engine: sa.Engine, table: sa.Table) -> None:
        self._engine, self._table = engine, table

    def __contains__(self, name: object) -> bool:
        with self._engine.connect() as connection:
            query = sa.select(self._table.c.id).where(self._table.c.id == str(name))
            return connection.execute(query).first() is not None


class _Titles(Mapping[str, tuple[WorkId, ...]]):
    """The works of a title, by id."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getitem__(self, title: str) -> tuple[WorkId, ...]:
        found = tuple(sorted(work.id for work in self._registry.works_titled(title)))
        if not found:
            raise KeyError(title)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(work.title for work in self._registry.works()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def asked_names(engine: sa.Engine, registry: Registry) -> Names:
    """What is registered, looked up as it is asked for."""
    accounts: Container[AccountId] = _Ids(engine, schema.accounts)
    parties: Container[PartyId] = _Ids(engine, schema.parties)
    works: Container[WorkId] = _Ids(engine, _works)
    return Names(works, _Titles(registry), accounts, parties)
