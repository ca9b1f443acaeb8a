"""Inviting people: the operator says who may enter as what, and which payee a contributor was checked to be."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from byline.app.home import Home
from byline.app.portal.accounts import Person, Role, open_accounts
from byline.app.portal.signing import mail_link
from byline.app.portal.trail import Trail
from byline.app.portal.visit import Portal, portal_secret
from byline.app.statements import Desk
from byline.core import PartyId


def invite(
    home: Home, email: str, roles: Iterable[str], payee: str | None, site: str = "http://127.0.0.1:8000"
) -> tuple[Person, Path]:
    """Record it, and put a mail with a link into the outbox. Raises: AppError("bad-address"), AppError("no-payee")."""
    now = datetime.now(UTC).replace(microsecond=0)
    accounts = open_accounts(home.journal.engine)
    party = PartyId(Desk(home, now.date()).payee(payee).id) if payee else None
    person = accounts.invite(email, [Role(each) for each in roles], party)
    trail = Trail(accounts.engine, home.log)
    trail.add("command line", f"invited as {', '.join(sorted(person.roles))}", person.id, now)
    portal = Portal(home, accounts, trail, site.rstrip("/"), portal_secret(home.path / "keys"), lambda: now)
    return person, mail_link(portal, person.email)
