"""Matters between people: a split that is proposed, heirs that are named, a dispute; and what happened to each.

A matter and its steps are added and never edited. What they come to stands in the register (a split, a succession, a
dispute), where settling and correcting take it from; here stands who said what on the way there. Every step leaves a
line in the trail and a signed receipt. Whoever is erased leaves the matter without name, words and receipts.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.app.home import Home
from byline.app.portal.visit import Visit
from byline.core import AppError, PartyId, WorkId, canonical_json
from byline.disclosure import RECEIPT_FORMAT, sign_statement, write_statement
from byline.registry import People, writing

_META = sa.MetaData()
_MATTERS = sa.Table(
    "portal_matters",
    _META,
    *(sa.Column(name, sa.Text) for name in ("id", "kind", "person", "about", "made", "body")),
)
_STEPS = sa.Table(
    "portal_matter_steps",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("matter", "what", "person", "at", "body")),
)
_PRIVATE = ("by", "because", "document", "sentence")  # what is erased with a person


CAME_TO = ("adopted", "held", "recorded", "taken-up")  # steps that left something in the register


class MatterKind(StrEnum):
    SPLIT = "split"
    HEIRS = "heirs"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class Done:
    """A step: what somebody did with a matter."""

    what: str
    person: str
    at: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matter:
    """`about`: the work, or the party whose heirs are named. `body`: what is asked, as the kinds have it."""

    id: str
    kind: MatterKind
    person: str
    about: str
    made: str
    body: Mapping[str, Any]
    steps: tuple[Done, ...] = ()

    def last(self, *what: str) -> Done | None:
        return next((each for each in reversed(self.steps) if each.what in what), None)

    def all(self, *what: str) -> list[Done]:
        return [each for each in self.steps if each.what in what]


class Matters:
    """In the database that `open_accounts` has prepared."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(self, kind: MatterKind, person: str, about: str, body: Mapping[str, Any], now: datetime) -> Matter:
        name = f"{kind}:{secrets.token_hex(8)}"
        row = {"id": name, "kind": kind.value, "person": person, "about": about, "made": now.isoformat()}
        with writing(self._engine) as connection:
            connection.execute(sa.insert(_MATTERS), {**row, "body": _text(body)})
        return self.one(name)

    def add(self, matter: str, what: str, person: str, body: Mapping[str, Any], now: datetime) -> Matter:
        row = {"matter": matter, "what": what, "person": person, "at": now.isoformat(), "body": _text(body)}
        with writing(self._engine) as connection:
            connection.execute(sa.insert(_STEPS), row)
        return self.one(matter)

    def one(self, name: str) -> Matter:
        """Raises: AppError("no-such-page")."""
        found = self._read(_MATTERS.c.id == name)
        if not found:
            raise AppError("no-such-page", "there is no such matter", "your page lists yours")
        return found[0]

    def all(self) -> list[Matter]:
        """Oldest first."""
        return self._read(sa.true())

    def forget(self, person: str) -> None:
        """Erase somebody from what they began and did; what it came to stays, and what came to nothing goes whole."""
        idle = [each.id for each in self.all() if each.person == person and each.last(*CAME_TO) is None]
        with writing(self._engine) as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.execute(sa.delete(_STEPS).where(_STEPS.c.matter.in_(idle)))
            connection.execute(sa.delete(_MATTERS).where(_MATTERS.c.id.in_(idle)))
            for table in (_MATTERS, _STEPS):
                for row in connection.execute(sa.select(table).where(table.c.person == person)).all():
                    key = table.c.id == row.id if table is _MATTERS else table.c.seq == row.seq
                    body = {name: "" if name in _PRIVATE else value for name, value in json.loads(row.body).items()}
                    connection.execute(sa.update(table).where(key).values(person="", body=_text(body)))

    def _read(self, wanted: sa.ColumnElement[bool]) -> list[Matter]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_MATTERS).where(wanted).order_by(_MATTERS.c.made, _MATTERS.c.id)).all()
            steps = connection.execute(sa.select(_STEPS).order_by(_STEPS.c.seq)).all()
        done: dict[str, list[Done]] = {}
        for each in steps:
            done.setdefault(each.matter, []).append(Done(each.what, each.person, each.at, json.loads(each.body)))
        return [Matter(row.id, MatterKind(row.kind), row.person, row.about, row.made, json.loads(row.body),
                       tuple(done.get(row.id, ()))) for row in rows]  # fmt: skip


def _text(body: Mapping[str, Any]) -> str:
    return canonical_json(dict(body)).decode()


def matters_of(visit: Visit) -> Matters:
    return Matters(visit.portal.accounts.engine)


def people_of(home: Home) -> People:
    return People(home.journal.engine, home.registry)


# --- steps and receipts -----------------------------------------------------------------------------------------


def step(visit: Visit, matter: Matter, what: str, says: str, **body: Any) -> Matter:
    """Record it, with a line in the trail and a signed receipt for those whom the matter concerns. `says`: the step as
    a sentence."""
    found = matters_of(visit).add(matter.id, what, visit.me.id, {**body, "sentence": says}, visit.now)
    visit.did(f"{matter.kind}: {what}", matter.id)
    receipt = {
        "format": RECEIPT_FORMAT,
        "type": "change",
        "id": matter.id,
        "what": what,
        "by": str(body.get("by", "")),
        "received": visit.now.isoformat(),
        "says": says,
    }
    document = sign_statement(receipt, visit.home.log, visit.home.key, "change")
    write_statement(receipt_of(visit.home, matter, len(found.steps)), document)
    return found


def receipt_of(home: Home, matter: Matter, number: int) -> Path:
    return home.path / "receipts" / f"{matter.id.replace(':', '-')}.{number}.json"


def forget(visit: Visit) -> None:
    """Erase the person who asks from all matters, with the receipts of the steps that name them. What they began and
    nothing came of is erased whole, with the names in it."""
    matters = matters_of(visit)
    for matter in matters.all():
        for number, done in enumerate(matter.steps, 1):
            if visit.me.id in (matter.person, done.person):
                receipt_of(visit.home, matter, number).unlink(missing_ok=True)
    matters.forget(visit.me.id)


# --- whom it concerns -------------------------------------------------------------------------------------------


def parties_of(matter: Matter) -> set[str]:
    """Whose say a matter asks for, or whose money it is about."""
    body = matter.body
    if matter.kind is MatterKind.SPLIT:
        return set(body["asked"])
    if matter.kind is MatterKind.DISPUTE:
        return {body["party"], body["claimant"]}
    return {matter.about}


def concerns(matter: Matter, visit: Visit) -> bool:
    return matter.person == visit.me.id or bool(visit.me.party and visit.me.party in parties_of(matter))


def mine(visit: Visit) -> Matter:
    """The matter of the page. Raises: AppError("no-such-page") for one of others as for one that there is not."""
    matter = matters_of(visit).one(visit.named["matter"])
    if not concerns(matter, visit):
        raise AppError("no-such-page", "there is no such matter of yours", "your page lists them")
    return matter


def name_of(home: Home, party: str) -> str:
    return home.names.get(PartyId(party), party)


def headline(home: Home, matter: Matter) -> str:
    """What a matter is about, for lists."""
    if matter.kind is MatterKind.HEIRS:
        return f"Who comes after {name_of(home, matter.about)}"
    work = next((each.title for name, each in home.works.items() if name == matter.about), matter.about)
    return f"{'How the pay is shared' if matter.kind is MatterKind.SPLIT else 'Dispute'}: “{work}”"


ENDS = {
    "adopted": "agreed by all, and in force",
    "withdrawn": "withdrawn",
    "declined": "declined",
    "rejected": "rejected",
    "recorded": "confirmed, and in force",
    "decided": "decided",
}


def state(matter: Matter) -> str:
    end = matter.last(*ENDS)
    if end is not None:
        return ENDS[end.what]
    if matter.kind is MatterKind.DISPUTE:
        return "taken up: the slice waits" if matter.last("taken-up") else "waits for an officer"
    if matter.kind is MatterKind.HEIRS:
        if matter.last("objected"):
            return "the person whose heirs they would be objects"
        return "one officer has confirmed it" if matter.last("approved") else "waits for an officer"
    return "somebody disagrees" if matter.last("disagreed") else "waits for the others"


def is_open(matter: Matter) -> bool:
    return matter.last(*ENDS) is None


def refuse_closed(matter: Matter) -> None:
    """Raises: AppError("matter-closed")."""
    if not is_open(matter):
        raise AppError("matter-closed", f"this is over: {state(matter)}", "begin a new one if need be")


def disputed(home: Home, matters: Matters, works: set[str], party: str) -> list[dict[str, Any]]:
    """Disputes about some works in which a party has a side, for its statement."""
    found = [each for each in matters.all() if each.kind is MatterKind.DISPUTE and each.about in works]
    rows = []
    for each in found:
        sides = (str(each.body["party"]), str(each.body["claimant"]))
        if party in sides and WorkId(each.about) in home.works:
            other = sides[1] if party == sides[0] else sides[0]
            told = {"id": each.id, "ppm": each.body["ppm"], "against": party == sides[0], "state": state(each)}
            title = home.works[WorkId(each.about)].title
            rows.append({**told, "work": title, "other": name_of(home, other)})
    return rows
