"""The register as those ask who want a few of its works: by id, by page, by title, by domain, by contributor.

Nothing here reads all works to show some of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from byline.core import PartyId, RegistryError, Work, WorkId
from byline.registry import schema
from byline.registry.evidence_schema import TABLES
from byline.registry.register import Registry
from byline.registry.rights import Credit
from byline.registry.terms import TermKind, Wanted, about_domain, about_words

COUNTED = 1_000  # finds are counted so far; then it is "more than"
_SMALL = 5_000  # a register of which all is read soon; a larger one only after many questions
_parties, _works, _parts = schema.parties, schema.works, schema.contributions


def _patience(size: int) -> int:
    """How many records are read one by one before all of them are."""
    return 20 if size <= _SMALL else 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """Some of what was found, and how many there are, counted up to COUNTED."""

    works: tuple[Work, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Person:
    """`works`: how many they have a part in."""

    id: PartyId
    name: str
    works: int


class Shelf:
    """Questions to the register in `engine`."""

    def __init__(self, engine: sa.Engine, registry: Registry) -> None:
        self._engine, self._registry = engine, registry

    def works(self) -> int:
        """How many are registered."""
        return int(self._scalar(sa.select(sa.func.count()).select_from(_works)))

    def parties(self) -> int:
        return int(self._scalar(sa.select(sa.func.count()).select_from(_parties)))

    def names(self, parties: Iterable[str]) -> dict[PartyId, str]:
        """Of those parties who are registered."""
        rows = self._rows(sa.select(_parties).where(_parties.c.id.in_(sorted(set(parties)))))
        return {PartyId(row.id): row.name for row in rows}

    # --- pages

    def by_title(self, skip: int, most: int) -> tuple[Work, ...]:
        """A page of the list of all works."""
        query = sa.select(_works.c.id).order_by(_works.c.title, _works.c.id).offset(skip).limit(most)
        return self._in_order(query)

    def after(self, work: str, most: int, title: str = "") -> tuple[Work, ...]:
        """Works behind this id, in the order of their ids; `title`: only those with these words in their title."""
        query = sa.select(_works.c.id).where(_works.c.id > work).order_by(_works.c.id).limit(most)
        return self._in_order(query.where(_works.c.id.in_(self._with(TermKind.TITLE, title))) if title else query)

    # --- searching

    def titled(self, words: str, most: int) -> Found:
        """With these words in their title; titles that are just that stand first."""
        same = sa.case((sa.func.lower(_works.c.title) == words.lower(), 0), else_=1)
        return self._found(self._with(TermKind.TITLE, words), most, same)

    def from_domain(self, domain: str, most: int) -> Found:
        """Whose source is on a domain or below it."""
        return self._found(about_domain(domain), most)

    def named(self, words: str, most: int) -> tuple[Person, ...]:
        """People with these words in their name; names that are just that stand first."""
        same = sa.case((sa.func.lower(_parties.c.name) == words.lower(), 0), else_=1)
        found = _parties.c.id.in_(self._with(TermKind.NAME, words))
        rows = self._rows(sa.select(_parties).where(found).order_by(same, _parties.c.name, _parties.c.id).limit(most))
        return tuple(Person(PartyId(row.id), row.name, self.works_of(PartyId(row.id), 0).count) for row in rows)

    def ids_of(self, party: PartyId) -> tuple[WorkId, ...]:
        """Ids of all works in which somebody has a part."""
        return tuple(WorkId(row.id) for row in self._rows(sa.select(_works.c.id).where(self._has_part(party))))

    def _has_part(self, party: PartyId) -> sa.ColumnElement[bool]:
        mine = sa.select(_parts.c.work).where(_parts.c.party == party)
        return sa.or_(_works.c.id.in_(mine), _works.c.id.in_(self._credited(party)))

    def works_of(self, party: PartyId, most: int, after: str | None = None) -> Found:
        """In which somebody has a part, the oldest first, and how many in all. `after`: only those behind this id, in
        the order of ids."""
        here = self._has_part(party)
        count = int(self._scalar(sa.select(sa.func.count()).select_from(_works).where(here)))
        query = sa.select(_works.c.id).where(here).limit(most)
        if after is None:
            query = query.order_by(_works.c.created, _works.c.title, _works.c.id)
        else:
            query = query.where(_works.c.id > after).order_by(_works.c.id)
        return Found(self._in_order(query) if most else (), count)

    def _credited(self, party: PartyId) -> list[str]:
        """Works in which somebody was found to have a part after they were registered."""
        table = TABLES[Credit]
        about = [row.about for row in self._rows(sa.select(table.c.about).where(table.c.party == party).distinct())]
        standing = self._registry.evidence.in_force(Credit, date.max, about=about) if about else ()
        return [each.about for each in standing if each.party == party]

    def _with(self, kind: TermKind, words: str) -> Wanted:
        with self._engine.connect() as connection:
            return about_words(connection, kind, words)

    def _found(self, ids: Wanted, most: int, *first: sa.ColumnElement[int]) -> Found:
        if isinstance(ids, list):
            count = min(len(ids), COUNTED + 1)
        else:
            some = ids.limit(COUNTED + 1).subquery()
            count = int(self._scalar(sa.select(sa.func.count()).select_from(some)))
        order = (*first, _works.c.title, _works.c.id)
        query = sa.select(_works.c.id).where(_works.c.id.in_(ids)).order_by(*order).limit(most)
        return Found(self._in_order(query) if count else (), count)

    def _in_order(self, ids: sa.Select[Any]) -> tuple[Work, ...]:
        wanted = [WorkId(row.id) for row in self._rows(ids)]
        found = {work.id: work for work in self._registry.works_of_ids(wanted)}
        return tuple(found[work] for work in wanted)

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _scalar(self, query: sa.Select[Any]) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()


class Works(Mapping[WorkId, Work]):
    """The works of a register as of one moment, each read when it is asked for; all of them once somebody wants all, or
    asks for very many."""

    def __init__(self, registry: Registry, shelf: Shelf) -> None:
        self._registry, self._shelf = registry, shelf
        self._kept: dict[WorkId, Work] = {}
        self._asked = 0
        self._all = False
        self._count: int | None = None

    def __getitem__(self, work: WorkId) -> Work:
        found = self._kept.get(work)
        if found is None and not self._all:
            self._asked += 1
            found = self._everything().get(work) if self._asked > _patience(len(self)) else self._one(work)
        if found is None:
            raise KeyError(work)
        return found

    def __iter__(self) -> Iterator[WorkId]:
        return iter(self._everything())

    def __len__(self) -> int:
        if self._count is None:
            self._count = self._shelf.works()
        return self._count

    def keep(self, works: Iterable[Work]) -> None:
        """Works that were read by other ways."""
        if not self._all:
            self._kept.update((work.id, work) for work in works)

    def _one(self, work: WorkId) -> Work | None:
        try:
            found = self._registry.work(work)
        except RegistryError as fault:
            if fault.code != "no-such-work":
                raise
            return None
        self._kept[work] = found
        return found

    def _everything(self) -> dict[WorkId, Work]:
        if not self._all:
            self._kept, self._all = {work.id: work for work in self._registry.works()}, True
        return self._kept


class PartyNames(Mapping[PartyId, str]):
    """The names of a register as of one moment, read in the same way."""

    def __init__(self, registry: Registry, shelf: Shelf) -> None:
        self._registry, self._shelf = registry, shelf
        self._kept: dict[PartyId, str] = {}
        self._asked = 0
        self._all = False
        self._count: int | None = None

    def __getitem__(self, party: PartyId) -> str:
        if party not in self._kept and not self._all:
            self._asked += 1
            self._kept.update(self._everything() if self._asked > _patience(len(self)) else self._shelf.names([party]))
        return self._kept[party]

    def __iter__(self) -> Iterator[PartyId]:
        return iter(self._everything())

    def __len__(self) -> int:
        if self._count is None:
            self._count = self._shelf.parties()
        return self._count

    def want(self, parties: Iterable[str]) -> None:
        """Read these together."""
        missing = {party for party in parties if party not in self._kept}
        if missing and not self._all:
            self._kept.update(self._shelf.names(missing))

    def _everything(self) -> dict[PartyId, str]:
        if not self._all:
            self._kept, self._all = {party.id: party.name for party in self._registry.parties()}, True
        return self._kept
