"""What somebody is about to change, written down before it is changed, so that no change stays without a line.

A change is made in one place (the register, the journal, files) and its line of the trail in another, with a leaf of
the log in a third. A process that dies in between would leave a change that nobody can see. So an intent comes first,
and goes away in the transaction of the line. Whoever opens the portal next turns the intents of processes that are gone
into lines that say so. A process shows that it lives by a lock on a file, which the system lets go of with it.
"""

import fcntl
import os
import secrets
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from byline.registry import writing

_TABLE = sa.Table(
    "portal_intents",
    sa.MetaData(),
    *(sa.Column(name, sa.Text, primary_key=name == "id") for name in ("id", "process", "who", "what", "at")),
)


@dataclass(frozen=True, slots=True)
class Intent:
    id: str
    process: str
    who: str
    what: str
    at: str


class Intents:
    """Those of one process. `folder`: where processes show that they live."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self._process = secrets.token_hex(8)
        folder.mkdir(parents=True, exist_ok=True)
        path = self._alive(self._process)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        weakref.finalize(self, _gone, path, handle)

    def begin(self, who: str, what: str, at: str) -> str:
        """Id of the intent, which is on disk when this returns."""
        intent = Intent(secrets.token_hex(12), self._process, who, what, at)
        with writing(self._engine) as connection:
            connection.execute(sa.insert(_TABLE), {name: getattr(intent, name) for name in Intent.__slots__})
        return intent.id

    def drop(self, intent: str) -> None:
        """Nothing was changed."""
        with writing(self._engine) as connection:
            self.settle(connection, intent)

    def settle(self, connection: sa.Connection, intent: str) -> bool:
        """Its line is written in the connection's transaction; whether it was there still."""
        return connection.execute(sa.delete(_TABLE).where(_TABLE.c.id == intent)).rowcount == 1

    def left_behind(self) -> Sequence[Intent]:
        """Intents of processes that are gone, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_TABLE).order_by(_TABLE.c.at, _TABLE.c.id)).mappings().all()
        gone = {name for name in {row["process"] for row in rows} if self._is_gone(name)}
        return [Intent(*(row[name] for name in Intent.__slots__)) for row in rows if row["process"] in gone]

    def _is_gone(self, process: str) -> bool:
        if process == self._process:
            return False
        try:
            handle = os.open(self._alive(process), os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._alive(process).unlink(missing_ok=True)  # nobody else will
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True

    def _alive(self, process: str) -> Path:
        return self._folder / f"{process}.alive"


def _gone(path: Path, handle: int) -> None:
    path.unlink(missing_ok=True)
    os.close(handle)
