"""One request as a page sees it: who asks, for what, with which form; and the three things a page may answer with.

Forms with faults. A page that takes a form raises an error of ours, and the page with the form comes back with status
422, filled in as it was sent, the fault at its head. Nothing has to be done for that but to name, where the page is
added, the page that shows the form, if it has another address: `doors.page("POST", "/a/{b}/c", ..., back="/a/{b}")`.
To have a fault stand beside its field, and several faults at once:

    with visit.at("share"):
        share = read_share(visit.needed("share"))
    with visit.at("document"):
        document = read_document(visit)
    visit.refuse_faults()  # nothing was changed before this line

Only errors whose code stands in `pages.OPEN` with 422 are told this way; others have a page of their own.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from byline.app.api import Counts, open_counts
from byline.app.home import Home
from byline.app.portal.accounts import Accounts, Person
from byline.app.portal.settings import Settings
from byline.app.portal.trail import Trail
from byline.core import AppError, BylineError

SHARED = ("_engine", "registry", "notices", "journal", "key", "log")  # of a home: what may be shared by requests


class Meter:
    """How often something was done lately by one key, counted by all processes together."""

    def __init__(self, counts: Counts, name: str, most: int, seconds: int) -> None:
        self._counts, self._name, self._most, self._seconds = counts, name, most, seconds

    def admits(self, key: str, now: datetime) -> bool:
        at = now.timestamp()

        def once_more(times: list[float]) -> tuple[list[float], bool]:
            lately = [each for each in times if each > at - self._seconds]
            return (lately, False) if len(lately) >= self._most else ([*lately, at], True)

        return self._counts.change(f"{self._name} {key}", at + self._seconds, at, once_more)


@dataclass(frozen=True)
class Portal:
    """What all requests share. `site`: the address of the portal as people type it, for links in mails; never taken
    from a request, which could name a stranger's."""

    home: Home
    accounts: Accounts
    trail: Trail
    site: str
    secret: bytes
    clock: Callable[[], datetime]
    settings: Settings = field(default_factory=Settings)
    providers: dict[str, Any] = field(default_factory=dict)  # of organisations, once somebody came by one
    indexing: Any = field(default_factory=Lock)
    writing: Any = field(default_factory=Lock)
    read: dict[str, Any] = field(default_factory=dict)  # what was read, with the register's stamp of then

    @cached_property
    def counts(self) -> Counts:
        return open_counts(self.home)

    @cached_property
    def searches(self) -> Meter:
        return Meter(self.counts, "searches", 30, 60)

    @cached_property
    def mails(self) -> Meter:
        return Meter(self.counts, "mails", 5, 15 * 60)

    @cached_property
    def senders(self) -> Meter:
        return Meter(self.counts, "senders", 20, 15 * 60)

    @cached_property
    def tries(self) -> Meter:
        """To sign in by passkey or organisation. An office has one address for all who work there."""
        return Meter(self.counts, "tries", 200, 15 * 60)

    def fresh(self) -> Home:
        """The same project for one request: names and works are read again if the register has changed since."""
        again = Home(self.home.path, self.home.database)
        again.__dict__.update({name: getattr(self.home, name) for name in SHARED})
        stamp, known = again.registry.stamp(), self.read.get("known")
        if known is None or known[0] != stamp:
            known = self.read["known"] = (stamp, again.names, again.works)  # which read what they are asked for
        again.__dict__.update({"names": known[1], "works": known[2]})
        return again

    def form_token(self, cookie: str) -> str:
        """What the forms of one browser carry, so that no other site can send them (CSRF)."""
        return hmac.digest(self.secret, b"form:" + cookie.encode(), "sha256").hex()


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent: held in memory for this request, and nowhere afterwards."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Visit:
    portal: Portal
    path: str
    named: Mapping[str, str]  # parts of the path
    asked: Mapping[str, str]  # after the question mark
    form: Mapping[str, Sequence[str]]
    upload: Upload | None
    person: Person | None
    token: str
    now: datetime
    address: str
    session: str = ""
    faults: list[tuple[str, BylineError]] = field(default_factory=list)  # of the form, each with its field

    @cached_property
    def home(self) -> Home:
        return self.portal.fresh()

    @property
    def me(self) -> Person:
        """Raises: AppError("signed-out"), which no page reaches that asks for a role."""
        if self.person is None:
            raise AppError("signed-out", "you are not signed in", "sign in by e-mail")
        return self.person

    def field(self, name: str, most: int = 2_000) -> str:
        """One field of the form, without what cannot be seen. Raises: AppError("too-long")."""
        text = "".join(c for c in (self.form.get(name) or [""])[0] if c.isprintable() or c in "\n\t").strip()
        if len(text) > most:
            fault = AppError("too-long", f"this has {len(text):,} characters", f"at most {most:,} are taken")
            self.faults.append((name, fault))
            raise fault
        return text

    def needed(self, name: str, says: str, most: int = 2_000) -> str:
        """One field that has to be filled in. `says`: what to do. Raises: AppError("empty-field"), ("too-long")."""
        text = self.field(name, most)
        if not text:
            raise AppError("empty-field", "nothing is written here", says)
        return text

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """An error of ours in here is the fault of this field; the others are looked at as well before
        `refuse_faults` ends it."""
        try:
            yield
        except BylineError as fault:
            if all(fault is not known for _, known in self.faults):
                self.faults.append((name, fault))

    def refuse_faults(self) -> None:
        """Raises: the first fault of the form, if there is any."""
        for _, fault in self.faults:
            raise fault

    def did(self, what: str, about: str) -> None:
        """A line of the trail."""
        self.portal.trail.add(self.me.id, what, about, self.now)


# --- answers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """`faults`: (field, what is wrong) of the form that was sent, which the page shows again. `refresh`: seconds after
    which a browser asks for the page again by itself; 0: never. `script`: the page may run the portal's one script."""

    template: str
    title: str
    data: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    faults: tuple[tuple[str, str], ...] = ()
    refresh: int = 0
    script: bool = False


@dataclass(frozen=True)
class Onward:
    """Look at another page. `session`: the secret of a session that begins here; empty to end it; None: as it was."""

    path: str
    session: str | None = None


@dataclass(frozen=True)
class Download:
    content: bytes
    name: str
    kind: str


Answer: TypeAlias = Page | Onward | Download


def inside(onward: str) -> str:
    """A page of this portal to go on to, or nothing: never another site."""
    plain = onward.startswith("/") and not onward.startswith(("//", "/\\")) and onward.isprintable()
    return onward if plain and len(onward) <= 1_000 and "\\" not in onward else ""


def portal_secret(folder: Path) -> bytes:
    """The secret behind form tokens, made at first and kept where only the owner reads it."""
    import os
    import secrets

    path = folder / "portal.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text("ascii").strip())
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    return bytes.fromhex(path.read_text("ascii").strip())
