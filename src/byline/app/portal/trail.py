"""The trail: a line for every change that somebody made in the portal, each a leaf of the transparency log.

A line names a person by a number that says nothing once the account is erased; addresses and names stay out of it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from byline.app.portal.tables import TRAIL
from byline.core import digest
from byline.disclosure import Log
from byline.registry import writing

KIND = "portal-change"


@dataclass(frozen=True, slots=True)
class Line:
    at: str
    who: str
    did: str
    about: str
    salt: str

    def digest(self) -> str:
        return digest({name: getattr(self, name) for name in Line.__slots__})


class Trail:
    """In the database that `open_accounts` has prepared."""

    def __init__(self, engine: sa.Engine, log: Log) -> None:
        self._engine, self._log = engine, log

    def add(self, who: str, did: str, about: str, now: datetime) -> Line:
        line = Line(now.isoformat(), who, did, about, secrets.token_hex(16))
        with writing(self._engine) as connection:
            connection.execute(sa.insert(TRAIL), {name: getattr(line, name) for name in Line.__slots__})
            self._log.append(KIND, line.digest())
        return line

    def lines(self, who: str | None = None) -> list[Line]:
        """All, or one person's; oldest first."""
        wanted = sa.select(TRAIL).order_by(TRAIL.c.seq)
        if who is not None:
            wanted = wanted.where(TRAIL.c.who == who)
        with self._engine.connect() as connection:
            return [Line(*(row[name] for name in Line.__slots__)) for row in connection.execute(wanted).mappings()]
