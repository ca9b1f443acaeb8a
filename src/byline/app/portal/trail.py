"""The trail: a line for every change that somebody made in the portal, each a leaf of the transparency log.

A line names a person by a number that says nothing once the account is erased; addresses and names stay out of it.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from byline.app.portal.intents import Intent, Intents
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
    """In the database that `open_accounts` has prepared. `intents`: where a change is announced before it is made; a
    trail without them only takes lines."""

    def __init__(self, engine: sa.Engine, log: Log, intents: Intents | None = None) -> None:
        self._engine, self._log, self._intents = engine, log, intents
        self._begun = threading.local()

    def add(self, who: str, did: str, about: str, now: datetime) -> Line:
        """A line, and a leaf of the log; the intent of this thread, if there is one, goes away with it."""
        line = Line(now.isoformat(), who, did, about, secrets.token_hex(16))
        intent, self._begun.intent = getattr(self._begun, "intent", None), None
        with writing(self._engine) as connection:
            if self._intents and intent:
                self._intents.settle(connection, intent)
            self._write(connection, line)
        return line

    @contextmanager
    def intending(self, who: str, what: str, now: datetime) -> Iterator[None]:
        """Around whatever changes something. If the process dies in it before a line was added, `finish` adds one."""
        if self._intents is None:
            yield
            return
        self._begun.intent = self._intents.begin(who, what, now.isoformat())
        try:
            yield
        finally:
            intent, self._begun.intent = self._begun.intent, None
            if intent:  # nothing was done that needs a line
                self._intents.drop(intent)

    def finish(self, now: datetime) -> int:
        """Lines for what processes that are gone had begun; how many."""
        left = self._intents.left_behind() if self._intents else ()
        return sum(self._finished(intent, now) for intent in left)

    def _finished(self, intent: Intent, now: datetime) -> int:
        did = f"began {intent.what} at {intent.at}, and the program ended before it said what came of it"
        line = Line(now.isoformat(), intent.who, did, f"intent:{intent.id}", secrets.token_hex(16))
        with writing(self._engine) as connection:
            if not (self._intents and self._intents.settle(connection, intent.id)):
                return 0  # another process was quicker
            self._write(connection, line)
        return 1

    def _write(self, connection: sa.Connection, line: Line) -> None:
        """The leaf is on disk before the line is: a process that dies in between leaves a leaf that nobody has a line
        for, never a line that the log does not hold."""
        connection.execute(sa.insert(TRAIL), {name: getattr(line, name) for name in Line.__slots__})
        self._log.append(KIND, line.digest())

    def lines(self, who: str | None = None) -> list[Line]:
        """All, or one person's; oldest first."""
        wanted = sa.select(TRAIL).order_by(TRAIL.c.seq)
        if who is not None:
            wanted = wanted.where(TRAIL.c.who == who)
        with self._engine.connect() as connection:
            return [Line(*(row[name] for name in Line.__slots__)) for row in connection.execute(wanted).mappings()]
