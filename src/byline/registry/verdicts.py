"""Where works stand, asked by page and not by reading them all; and what people decided who looked at a held work.

The gate's decisions stand in `decisions`, all that were ever made; `verdicts` has the newest verdict of each work for
those who ask "which are refused, by which rule, and of which does nobody know?". Reviews are added and never edited: of
several on one work the newest counts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from byline.core import Decision, Record, Verdict, WorkId, canonical_json
from byline.registry import schema
from byline.registry.database import writing

_CHUNK = 10_000  # names in one query: SQLite takes at most 32,766
VERDICTS = sa.Table(
    "verdicts",
    schema.metadata,
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Index("verdicts_rule", "verdict", "rule", "work"),
    info={"derived": "decisions"},  # not a record: it can be made again of the table that it names
)
REVIEWS = sa.Table(
    "reviews",
    schema.metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
    sa.Column("looked", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("reviews_work", "work"),
)


class Looked(StrEnum):
    """What a person says who has looked at a work that was held for how it reads."""

    RELEASED = "released"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Review(Record):
    """`rule`: for what the work was held; empty if it was not. `salt` hides in the log who it was and why: only the
    digest stands there."""

    work: WorkId
    looked: Looked
    rule: str
    because: str
    by: str
    at: datetime
    salt: str


def note_verdicts(connection: sa.Connection, decisions: Sequence[Decision]) -> None:
    """Inside a writing transaction: these are the newest decisions now."""
    newest = {each.work: each for each in decisions}
    works = list(newest)
    for at in range(0, len(works), _CHUNK):
        some = works[at : at + _CHUNK]
        connection.execute(sa.delete(VERDICTS).where(VERDICTS.c.work.in_(some)))
        rows = [{"work": work, "verdict": newest[work].verdict.value, "rule": newest[work].rule} for work in some]
        connection.execute(sa.insert(VERDICTS), rows)


class Verdicts:
    """Questions to the register in `engine`, whose tables are up to date."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # --- where works stand

    def refused_by(self) -> dict[str, int]:
        """How many works each rule refuses now."""
        refused = VERDICTS.c.verdict == Verdict.REFUSE.value
        query = sa.select(VERDICTS.c.rule, sa.func.count().label("works")).where(refused).group_by(VERDICTS.c.rule)
        return {row.rule: int(row.works) for row in self._rows(query.order_by(VERDICTS.c.rule))}

    def refused(self, rules: Sequence[str], skip: int, most: int) -> tuple[Decision, ...]:
        """A page of the works that these rules refuse, by their ids, each with its newest decision."""
        refused = sa.and_(VERDICTS.c.verdict == Verdict.REFUSE.value, VERDICTS.c.rule.in_(list(rules)))
        return self._decisions(sa.select(VERDICTS.c.work).where(refused), skip, most)

    def held(self, rules: Sequence[str], kept: bool, skip: int, most: int) -> tuple[int, tuple[Decision, ...]]:
        """Of the works that these rules hold: those that somebody looked at and keeps held, or those that nobody has
        looked at; how many, and a page of them."""
        seen = sa.select(REVIEWS.c.work)
        asked = VERDICTS.c.work.in_(seen) if kept else VERDICTS.c.work.not_in(seen)
        here = sa.and_(VERDICTS.c.verdict == Verdict.REFUSE.value, VERDICTS.c.rule.in_(list(rules)), asked)
        count = self._count(sa.select(sa.func.count()).select_from(VERDICTS).where(here))
        return count, self._decisions(sa.select(VERDICTS.c.work).where(here), skip, most) if count else ()

    def undecided(self, skip: int, most: int) -> tuple[int, tuple[WorkId, ...]]:
        """Works of which the gate was never asked: how many, and a page of them in the order of registration."""
        works = schema.works
        joined = works.outerjoin(VERDICTS, VERDICTS.c.work == works.c.id)
        count = self._count(sa.select(sa.func.count()).select_from(joined).where(VERDICTS.c.work.is_(None)))
        query = sa.select(works.c.id).select_from(joined).where(VERDICTS.c.work.is_(None)).order_by(works.c.seq)
        return count, tuple(WorkId(row.id) for row in self._rows(query.offset(skip).limit(most))) if count else ()

    def _decisions(self, query: sa.Select[Any], skip: int, most: int) -> tuple[Decision, ...]:
        some = [row.work for row in self._rows(query.order_by(VERDICTS.c.work).offset(skip).limit(most))]
        return self.newest(some)

    def newest(self, works: Sequence[str]) -> tuple[Decision, ...]:
        """The newest decision on each of a few works, in their order; none for a work that was never decided on."""
        table = schema.decisions
        last = sa.select(sa.func.max(table.c.seq)).where(table.c.work.in_(list(works))).group_by(table.c.work)
        rows = self._rows(sa.select(table.c.work, table.c.body).where(table.c.seq.in_(last)))
        found = {row.work: Decision.from_json(json.loads(row.body)) for row in rows}
        return tuple(found[work] for work in works if work in found)

    # --- what people decided

    def add(self, review: Review) -> None:
        row = {"work": review.work, "looked": review.looked.value, "body": canonical_json(review.to_json()).decode()}
        with writing(self._engine) as connection:
            connection.execute(sa.insert(REVIEWS), [row])

    def reviews(self, work: str) -> tuple[Review, ...]:
        """All on one work, oldest first: the last one counts."""
        query = sa.select(REVIEWS.c.body).where(REVIEWS.c.work == work).order_by(REVIEWS.c.seq)
        return tuple(Review.from_json(json.loads(row.body)) for row in self._rows(query))

    def last_reviews(self, skip: int = 0, most: int | None = None) -> tuple[Review, ...]:
        """The one that counts of each work, newest first; all, or a page."""
        last = sa.select(sa.func.max(REVIEWS.c.seq)).group_by(REVIEWS.c.work)
        query = sa.select(REVIEWS.c.body).where(REVIEWS.c.seq.in_(last)).order_by(REVIEWS.c.seq.desc())
        return tuple(Review.from_json(json.loads(row.body)) for row in self._rows(query.offset(skip).limit(most)))

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _count(self, query: sa.Select[Any]) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())
