"""Numbers that all processes of a project share, for a while: how often somebody asked lately.

With SQLite they have a file of their own, `limits.db`, which nobody else writes and which may be deleted at any time:
counting never waits for somebody who registers a catalogue. With PostgreSQL they are a table of the same database. Keys
are kept as keyed digests: an address of the network stands nowhere, and cannot be guessed from a copy of the file.
"""

import hmac
import json
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from byline.app.home import Home
from byline.registry import open_database, upgrade

T = TypeVar("T")
Numbers = list[float]
_MIGRATIONS = Path(__file__).parent / "limit_migrations"
_LOCK = 0x42594C  # "BYL": first half of PostgreSQL's advisory locks of keys
_CLEAN_EVERY = 1000
LIMITS = sa.Table(
    "limits",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("numbers", sa.Text),
    sa.Column("until", sa.Float),
)


def open_counts(home: Home) -> "Counts":
    """The numbers of a project."""
    engine = home.journal.engine
    if engine.dialect.name == "sqlite":
        engine = _own_file(home.path / "limits.db")
    upgrade(engine, _MIGRATIONS, "limits_version")
    counts = Counts(engine, home.key.sign("byline limits").encode())  # Ed25519 signs the same alike each time
    if engine is not home.journal.engine:
        weakref.finalize(counts, engine.dispose)
    return counts


def _own_file(path: Path) -> sa.Engine:
    engine = open_database(path)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")  # what a power cut takes is a count of the last minute

    engine.dispose()  # connections from before know nothing of it
    return engine


class Counts:
    """Numbers under keys. A change is one transaction on one key."""

    def __init__(self, engine: sa.Engine, secret: bytes) -> None:
        self._engine, self._secret = engine, secret
        self._turn = threading.Lock()  # threads wait here, not in the database, which would let them sleep
        self._changes = 0

    def change(self, key: str, until: float, now: float, by: Callable[[Numbers], tuple[Numbers, T]]) -> T:
        """`by`: from the numbers under a key (none if there are none, or their time is over) to what they are from now
        on, and an answer. `until`: seconds since 1970, after which they are forgotten."""
        name = hmac.digest(self._secret, key.encode(), "sha256").hex()[:32]
        with self._turn, self._alone(name) as connection:
            row = connection.execute(sa.select(LIMITS).where(LIMITS.c.key == name)).first()
            before = json.loads(row.numbers) if row is not None and row.until > now else []
            after, answer = by(before)
            values = {"numbers": json.dumps(after), "until": until}
            if row is None:
                connection.execute(sa.insert(LIMITS).values(key=name, **values))
            elif after != before:
                connection.execute(sa.update(LIMITS).where(LIMITS.c.key == name).values(values))
            self._forget(connection, now)
        return answer

    def _forget(self, connection: sa.Connection, now: float) -> None:
        self._changes += 1
        if self._changes % _CLEAN_EVERY == 0:
            connection.execute(sa.delete(LIMITS).where(LIMITS.c.until <= now))

    @contextmanager
    def _alone(self, name: str) -> Iterator[sa.Connection]:
        """A transaction in which nobody else changes the key."""
        with self._engine.connect().execution_options(sqlite_begin="BEGIN IMMEDIATE") as connection, connection.begin():
            if self._engine.dialect.name == "postgresql":
                half = zlib.crc32(name.encode()) - 2**31
                connection.execute(
                    sa.select(sa.func.pg_advisory_xact_lock(sa.cast(_LOCK, sa.Integer), sa.cast(half, sa.Integer)))
                )
            yield connection
