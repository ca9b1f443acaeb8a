"""Who may enter: people known by their e-mail address, links that sign in once, sessions, and what is theirs.

Only digests of links and sessions are kept, so that a copy of the database opens no door. An address stands nowhere
else but here, and `forget` erases it.
"""

import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.app.portal.tables import IDENTITIES, LINKS, NOTICES, PASSKEYS, PEOPLE, QUESTIONS, SESSIONS
from byline.core import AppError, PartyId, sha256_hex
from byline.registry import upgrade, writing

LINK_SECONDS = 15 * 60
SESSION_SECONDS = 12 * 60 * 60
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ADDRESS = re.compile(r"[^@\s\x00-\x1f<>\"]{1,64}@[^@\s\x00-\x1f<>\"]{1,190}\.[^@\s\x00-\x1f<>\"]{2,63}")


class Role(StrEnum):
    """What somebody may see and do. Everybody who signs in is a contributor; the others are given by the operator."""

    CONTRIBUTOR = "contributor"
    AUDITOR = "auditor"
    OFFICER = "officer"
    OPERATOR = "operator"
    COOPERATIVE = "cooperative"


@dataclass(frozen=True, slots=True)
class Person:
    """`party`: the payee that this person was checked to be, or empty. `way`: how they came in this session, "link",
    "passkey", or the name of the organisation that vouches for them; then `roles` are what it maps to, and no more."""

    id: str
    email: str
    name: str
    roles: frozenset[Role]
    party: PartyId
    way: str = "link"

    def may(self, *roles: Role) -> bool:
        return bool(self.roles.intersection(roles))


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked or contests, and the answer, empty until there is one."""

    id: str
    person: str
    about: str
    says: str
    asked: str
    answer: str
    answered_by: str


def open_accounts(engine: sa.Engine) -> "Accounts":
    """The portal's accounts in this database; their tables are made or migrated if need be."""
    upgrade(engine, Path(__file__).parent / "migrations", "portal_version")
    return Accounts(engine)


def read_address(text: str) -> str:
    """In small letters, as far as they are ASCII: of others some turn into letters of another address (the Kelvin sign
    into k, ß into ss), which may be somebody else's. Raises: AppError("bad-address")."""
    address = text.strip().translate(_SMALL)
    if not _ADDRESS.fullmatch(address):
        raise AppError("bad-address", "this is not an e-mail address", "write it as name@example.org")
    return address


class Accounts:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    # --- people -------------------------------------------------------------------------------------------------

    def invite(self, email: str, roles: Iterable[Role], party: PartyId | None = None) -> Person:
        """Give somebody these roles besides that of a contributor, and, if given, name the payee that they are."""
        address, wanted = read_address(email), {Role.CONTRIBUTOR, *roles}
        with writing(self.engine) as connection:
            person = _by_email(connection, address) or _add(connection, address)
            values = {"roles": ",".join(sorted(wanted)), "party": person.party if party is None else party}
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person.id).values(values))
        return self.person(person.id)

    def person(self, name: str) -> Person:
        """Raises: AppError("no-such-person")."""
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(PEOPLE).where(PEOPLE.c.id == name)).first()
        if row is None:
            raise AppError("no-such-person", f"{name} has no account here", "they sign in once, or are invited")
        return _person(row)

    def people(self) -> list[Person]:
        with self.engine.connect() as connection:
            return [_person(row) for row in connection.execute(sa.select(PEOPLE).order_by(PEOPLE.c.email))]

    def at(self, connection: sa.Connection, email: str) -> Person | None:
        """Whoever has this address."""
        return _by_email(connection, email)

    def new(self, connection: sa.Connection, email: str) -> Person:
        return _add(connection, email)

    def move(self, connection: sa.Connection, person: str, email: str) -> None:
        """Somebody has another address now, which nobody here has."""
        connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person).values(email=email))

    def call(self, person: str, name: str) -> None:
        """The name under which somebody says yes and no."""
        with writing(self.engine) as connection:
            connection.execute(sa.update(PEOPLE).where(PEOPLE.c.id == person).values(name=name))

    def forget(self, person: str) -> None:
        """Erase the address, the name, the sessions, the links, the passkeys and the questions of somebody."""
        with writing(self.engine) as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            known = connection.execute(sa.select(PEOPLE).where(PEOPLE.c.id == person)).first()
            if known is not None:
                connection.execute(sa.delete(LINKS).where(LINKS.c.email == known.email))
            for table in (SESSIONS, NOTICES, QUESTIONS, PASSKEYS, IDENTITIES):
                connection.execute(sa.delete(table).where(table.c.person == person))
            connection.execute(sa.delete(PEOPLE).where(PEOPLE.c.id == person))
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- links and sessions -------------------------------------------------------------------------------------

    def new_link(self, email: str, onward: str, now: datetime) -> str:
        """A secret that signs in whoever reads this address, once, for 15 minutes.

        Raises: AppError("bad-address").
        """
        address, secret, at = read_address(email), secrets.token_urlsafe(32), int(now.timestamp())
        row = {"digest": _digest(secret), "email": address, "onward": onward, "until": at + LINK_SECONDS}
        with writing(self.engine) as connection:
            connection.execute(sa.delete(LINKS).where(LINKS.c.until <= at))
            connection.execute(sa.insert(LINKS), row)
        return secret

    def enter(self, secret: str, now: datetime) -> tuple[Person, str, str]:
        """Who came by a link, the secret of their session, and where they wanted to go. The link is used up.

        Raises: AppError("link-over").
        """
        at = int(now.timestamp())
        with writing(self.engine) as connection:
            link = connection.execute(sa.select(LINKS).where(LINKS.c.digest == _digest(secret))).first()
            connection.execute(sa.delete(LINKS).where(LINKS.c.digest == _digest(secret)))
            good = link is not None and link.until > at
            person = (_by_email(connection, link.email) or _add(connection, link.email)) if link and good else None
        if person is None or link is None:
            raise AppError("link-over", "this link was used already, or is older than 15 minutes", "ask for a new one")
        return person, self.begin(person.id, "link", now), str(link.onward)

    def begin(self, person: str, way: str, now: datetime, roles: Iterable[Role] | None = None) -> str:
        """The secret of a new session. `roles`: what somebody may be in it besides a contributor; without it, what
        the operator gave them."""
        secret, at = secrets.token_urlsafe(32), int(now.timestamp())
        row = {"digest": _digest(secret), "person": person, "until": at + SESSION_SECONDS, "way": way,
               "roles": None if roles is None else ",".join(sorted({Role.CONTRIBUTOR, *roles}))}  # fmt: skip
        with writing(self.engine) as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.until <= at))
            connection.execute(sa.insert(SESSIONS), row)
        return secret

    def visitor(self, session: str, now: datetime) -> Person | None:
        wanted = sa.select(PEOPLE, SESSIONS.c.way, SESSIONS.c.roles.label("only"))
        wanted = wanted.join(SESSIONS, SESSIONS.c.person == PEOPLE.c.id)
        wanted = wanted.where(SESSIONS.c.digest == _digest(session), SESSIONS.c.until > int(now.timestamp()))
        with self.engine.connect() as connection:
            row = connection.execute(wanted).first()
        return _visitor(row) if row else None

    def leave(self, session: str) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.digest == _digest(session)))

    def end(self, person: str, way: str, but: str = "") -> None:
        """End the sessions that somebody began in this way. `but`: the secret of one that goes on."""
        these = sa.and_(SESSIONS.c.person == person, SESSIONS.c.way == way, SESSIONS.c.digest != _digest(but))
        with writing(self.engine) as connection:
            connection.execute(sa.delete(SESSIONS).where(these))

    # --- what is theirs -----------------------------------------------------------------------------------------

    def keep_notice(self, person: str, notice: str) -> None:
        with writing(self.engine) as connection:
            connection.execute(sa.insert(NOTICES), {"notice": notice, "person": person})

    def notices(self, person: str) -> list[str]:
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(NOTICES.c.notice).where(NOTICES.c.person == person))
            return list(found.scalars())

    def giver(self, notice: str) -> str:
        """The person who gave a notice here, signed in by a mail to their address; empty if nobody did."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(NOTICES.c.person).where(NOTICES.c.notice == notice)).scalar()
        return str(found or "")

    def ask(self, person: str, about: str, says: str, now: datetime) -> Question:
        question = Question(f"question:{secrets.token_hex(8)}", person, about, says, now.isoformat(), "", "")
        row = {name: getattr(question, name) for name in Question.__slots__}
        with writing(self.engine) as connection:
            connection.execute(sa.insert(QUESTIONS), row)
        return question

    def questions(self, person: str | None = None) -> list[Question]:
        """Of one person, or of all; oldest first."""
        wanted = sa.select(QUESTIONS).order_by(QUESTIONS.c.asked, QUESTIONS.c.id)
        if person is not None:
            wanted = wanted.where(QUESTIONS.c.person == person)
        with self.engine.connect() as connection:
            return [
                Question(*(row[name] for name in Question.__slots__)) for row in connection.execute(wanted).mappings()
            ]

    def answer(self, question: str, answer: str, by: str) -> None:
        """Raises: AppError("no-such-question") if there is none that waits for an answer."""
        open_one = sa.and_(QUESTIONS.c.id == question, QUESTIONS.c.answer == "")
        with writing(self.engine) as connection:
            done = connection.execute(sa.update(QUESTIONS).where(open_one).values(answer=answer, answered_by=by))
        if not done.rowcount:
            raise AppError("no-such-question", f"{question} waits for no answer", "the queue lists those that do")


def _digest(secret: str) -> str:
    return sha256_hex(secret.encode())


def _by_email(connection: sa.Connection, email: str) -> Person | None:
    row = connection.execute(sa.select(PEOPLE).where(PEOPLE.c.email == email)).first()
    return _person(row) if row else None


def _add(connection: sa.Connection, email: str) -> Person:
    person = Person(f"person:{secrets.token_hex(10)}", email, "", frozenset({Role.CONTRIBUTOR}), PartyId(""))
    row = {"id": person.id, "email": email, "name": "", "roles": str(Role.CONTRIBUTOR), "party": ""}
    connection.execute(sa.insert(PEOPLE), row)
    return person


def _person(row: Any) -> Person:
    return Person(row.id, row.email, row.name, _roles(row.roles), PartyId(row.party))


def _visitor(row: Any) -> Person:
    person = replace(_person(row), way=row.way)
    return person if row.only is None else replace(person, roles=_roles(row.only))


def _roles(text: str) -> frozenset[Role]:
    return frozenset(Role(each) for each in text.split(",") if each)
