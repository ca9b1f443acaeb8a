"""A project as a server sees it for a long time: what is kept of it is thrown away once anything was added."""

import os
import threading
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from byline.app.api.jobs import Queue
from byline.app.api.tables import prepare
from byline.app.api.tokens import Tokens
from byline.app.home import Home
from byline.app.lookup import Library
from byline.app.statements import Desk
from byline.core import Party, WorkId
from byline.ledger import Period

_KEPT = ("_engine", "registry", "notices", "journal", "key", "log")
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
        self.opting = threading.Lock()  # two equal opt-outs at the same moment are one
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
    def library(self) -> Library:
        """With its index brought up to date. Raises: those of `Library.update`."""
        stamp = (*self._home.registry.stamp(), date.today())
        found: Library = self._kept("library", stamp, self._indexed)
        return found

    @property
    def desk(self) -> Desk:
        found: Desk = self._kept("desk", self._money_stamp(), lambda: Desk(self._fresh(), date.today()))
        return found

    @property
    def opted_out(self) -> set[WorkId]:
        """Works that somebody has said no to training on for today."""
        stamp = (*self._home.registry.stamp(), date.today())
        found: set[WorkId] = self._kept("opted-out", stamp, lambda: self._fresh().opted_out(date.today()))
        return found

    def statement(self, party: Party, period: Period, currency: str) -> dict[str, Any]:
        """What the payee's statement says; drawn up once until anything is added."""
        desk = self.desk
        kept: dict[object, dict[str, Any]] = self._kept("statements", self._money_stamp(), dict)
        asked = (party, period, currency)
        if asked not in kept:
            kept[asked] = desk.body(*asked)
        return kept[asked]

    def checkpoint(self) -> str:
        """The log's signed head."""
        note: str = self._kept("checkpoint", (self._log_size(),), lambda: self._home.log.checkpoint(self._home.key))
        return note

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

    def _money_stamp(self) -> Stamp:
        runs = len(self._home.journal.run_ids())
        return (*self._home.registry.stamp(), runs, self._log_size(), date.today())

    def _log_size(self) -> int:
        path = self._home.path / "log" / "leaves"
        return os.stat(path).st_size if path.is_file() else 0
