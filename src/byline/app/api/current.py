"""A project as a server sees it for a long time: what is kept of it is thrown away once anything was added."""

import os
import threading
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from byline.app.api.jobs import Queue
from byline.app.api.tables import prepare
from byline.app.api.tokens import Tokens
from byline.app.home import Home
from byline.app.lookup import Library
from byline.app.lookup_media import MediaLibrary
from byline.app.statements import Desk
from byline.disclosure import Log, SigningKey, Tree
from byline.ledger import read_period

_KEPT = ("_engine", "registry", "notices", "journal", "key", "log")
_MOST_BODIES = 5000
Stamp = tuple[object, ...]


def engine_of(home: Home) -> sa.Engine:
    """The project's database with the tables of the API."""
    return prepare(home.journal.engine)


class Place:
    """One project folder. Everything that it gives is as of now; many threads may ask at once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.engine = engine_of(home)
        for name in _KEPT:
            getattr(home, name)
        self.tokens, self.queue = Tokens(self.engine), Queue(self.engine)
        self._lock = threading.Lock()
        self.turn = threading.Lock()  # who writes waits here, not in the database, which would let them sleep
        self._stamps: dict[str, Stamp] = {}
        self._made: dict[str, Any] = {}

    @cached_property
    def folder(self) -> str:
        return str(self._home.path)

    @property
    def home(self) -> Home:
        """With the works and names of now."""
        found: Home = self._kept("home", self._home.registry.stamp(), self._fresh)
        return found

    @property
    def lookup(self) -> Library:
        """With its index brought up to date. Raises: those of `Library.update`."""
        stamp = (*self._home.registry.stamp(), date.today())
        found: Library = self._kept("library", stamp, self._indexed)
        return found

    def media(self, kind: str) -> MediaLibrary:
        """Pictures or sounds, with their index brought up to date. Raises: those of `MediaLibrary.update`."""
        stamp = (*self._home.registry.stamp(), date.today())
        found: MediaLibrary = self._kept(kind, stamp, lambda: self._fingerprinted(kind))
        return found

    def _fingerprinted(self, kind: str) -> MediaLibrary:
        library = MediaLibrary(self._fresh(), date.today())
        library.update(kinds=[kind])
        return library

    @property
    def statements(self) -> "Statements":
        found: Statements = self._kept("statements", self._money_stamp(), self._drawn)
        return found

    @property
    def key(self) -> SigningKey:
        return self._home.key

    @property
    def log(self) -> Log:
        return self._home.log

    def checkpoint(self) -> str:
        """The log's signed head."""
        return self._head()[0]

    def logged(self, leaf: int) -> dict[str, Any]:
        """Proof that the log of now holds a leaf, as signed documents carry it."""
        note, tree = self._head()
        size = int(note.split("\n")[1])
        proof = [node.hex() for node in tree.inclusion(leaf, size)]
        return {"checkpoint": note, "index": leaf, "size": size, "proof": proof}

    def _head(self) -> tuple[str, Tree]:
        """The signed head and the tree, which may have grown beyond it."""
        found: tuple[str, Tree] = self._kept(
            "head", (self._log_size(),), lambda: (self.log.checkpoint(self.key), self.log.tree())
        )
        return found

    def _kept(self, name: str, stamp: Stamp, make: Any) -> Any:
        with self._lock:
            if self._stamps.get(name) != stamp:
                self._made[name] = make()
                self._stamps[name] = stamp
            return self._made[name]

    def _fresh(self) -> Home:
        home = Home(self._home.path, self._home.database)
        for name in _KEPT:  # connections and keys stay
            home.__dict__[name] = self._home.__dict__[name]
        return home

    def _indexed(self) -> Library:
        library = Library(self._fresh(), date.today())
        library.update()
        return library

    def _drawn(self) -> "Statements":
        return Statements(Desk(self._fresh(), date.today()))

    def _money_stamp(self) -> Stamp:
        runs = len(self._home.journal.run_ids())
        return (*self._home.registry.stamp(), runs, self._log_size(), date.today())

    def _log_size(self) -> int:
        path = self._home.path / "log" / "leaves"
        return os.stat(path).st_size if path.is_file() else 0


@dataclass
class Statements:
    """Statements as of now, each drawn up once."""

    desk: Desk
    _bodies: dict[tuple[str, str, str | None], dict[str, Any]] = field(default_factory=dict)

    def body(self, payee: str, period: str, currency: str | None) -> dict[str, Any]:
        """What a payee's statement says. `period`: by its name; empty for the payee's last month.

        Raises: AppError("no-payee"), AppError("which-currency"), those of `read_period`.
        """
        asked = (payee, period, currency)
        found = self._bodies.get(asked)  # once: another thread may clear them
        if found is None:
            party = self.desk.payee(payee)
            money = self.desk.currency(party, currency)
            wanted = read_period(period) if period else self.desk.periods(party, money)[-1]
            found = self.desk.body(party, wanted, money)
            if len(self._bodies) >= _MOST_BODIES:
                self._bodies.clear()
            self._bodies[asked] = found
        return found
