"""Which account is whom an organisation vouches for: by its lasting number for a person, and only then by address."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from byline.app.portal.accounts import Accounts, Person, Role
from byline.app.portal.organisations import Vouched
from byline.app.portal.settings import Organisation
from byline.app.portal.tables import IDENTITIES
from byline.core import AppError
from byline.registry import writing


@dataclass(frozen=True, slots=True)
class Identity:
    """That an organisation vouched for a person, as what, and when it did so last."""

    issuer: str
    subject: str
    person: str
    roles: str
    seen: str


def admit(accounts: Accounts, organisation: Organisation, found: Vouched, now: datetime) -> Person:
    """The account of somebody for whom an organisation vouches: the one that it vouched for before, else the one with
    this address, else a new one. The roles are of the session alone; here they are noted, not given.

    Raises: AppError("organisation-refused") if the address is, by the same organisation, somebody else's: it was given
    to another person, who shall not find the papers of the one before.
    """
    with writing(accounts.engine) as connection:
        known = _known(connection, organisation.issuer, found.subject)
        person = accounts.at(connection, found.email)
        if person is not None and person.id != known and (known or _has(connection, organisation.issuer, person.id)):
            raise AppError("organisation-refused", "this e-mail address belongs to another account here",
                           "ask whoever runs this portal")  # fmt: skip
        if known and person is None:
            accounts.move(connection, known, found.email)
        name = known or (person or accounts.new(connection, found.email)).id
        _note(connection, Identity(organisation.issuer, found.subject, name, ",".join(roles_of(found)),
                                   now.isoformat()))  # fmt: skip
    return accounts.person(name)


def dismiss(accounts: Accounts, organisation: Organisation, subject: str) -> str:
    """End the sessions that an organisation began for somebody; who that is here, or empty if it vouched for nobody of
    this number. Sessions begun by mail or passkey are not its to end."""
    with accounts.engine.connect() as connection:
        person = _known(connection, organisation.issuer, subject)
    if person:
        accounts.end(person, organisation.name)
    return person


def roles_of(found: Vouched) -> list[str]:
    """What somebody is in a session that an organisation began."""
    return sorted({Role.CONTRIBUTOR, *found.roles})


def identities(accounts: Accounts, person: str | None = None) -> list[Identity]:
    """Of one person, or of all; who was seen last first."""
    wanted = sa.select(IDENTITIES).order_by(IDENTITIES.c.seen.desc(), IDENTITIES.c.subject)
    if person is not None:
        wanted = wanted.where(IDENTITIES.c.person == person)
    with accounts.engine.connect() as connection:
        return [Identity(*(row[name] for name in Identity.__slots__)) for row in connection.execute(wanted).mappings()]


def _known(connection: sa.Connection, issuer: str, subject: str) -> str:
    same = sa.and_(IDENTITIES.c.issuer == issuer, IDENTITIES.c.subject == subject)
    return str(connection.execute(sa.select(IDENTITIES.c.person).where(same)).scalar() or "")


def _has(connection: sa.Connection, issuer: str, person: str) -> bool:
    same = sa.and_(IDENTITIES.c.issuer == issuer, IDENTITIES.c.person == person)
    return connection.execute(sa.select(IDENTITIES.c.subject).where(same)).first() is not None


def _note(connection: sa.Connection, identity: Identity) -> None:
    same = sa.and_(IDENTITIES.c.issuer == identity.issuer, IDENTITIES.c.subject == identity.subject)
    connection.execute(sa.delete(IDENTITIES).where(same))
    connection.execute(sa.insert(IDENTITIES), {name: getattr(identity, name) for name in Identity.__slots__})
