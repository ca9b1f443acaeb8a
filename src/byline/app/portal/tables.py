"""The portal's tables, as its migrations make them. E-mail addresses stand in two of them and are erased on request."""

import sqlalchemy as sa

_META = sa.MetaData()


def _table(name: str, *texts: str) -> sa.Table:
    return sa.Table(name, _META, *(sa.Column(text, sa.Text) for text in texts))


PEOPLE = _table("portal_people", "id", "email", "name", "roles", "party")
LINKS = _table("portal_links", "digest", "email", "onward")
LINKS.append_column(sa.Column("until", sa.BigInteger))
SESSIONS = _table("portal_sessions", "digest", "person", "way", "roles")
SESSIONS.append_column(sa.Column("until", sa.BigInteger))
PASSKEYS = _table("portal_passkeys", "id", "person", "credential", "public_key", "name", "made", "used", "stopped")
PASSKEYS.append_column(sa.Column("count", sa.BigInteger))
IDENTITIES = _table("portal_identities", "issuer", "subject", "person", "roles", "seen")
USED = _table("portal_used", "digest")
USED.append_column(sa.Column("until", sa.BigInteger))
NOTICES = _table("portal_notices", "notice", "person")
QUESTIONS = _table("portal_questions", "id", "person", "about", "says", "asked", "answer", "answered_by")
TRAIL = sa.Table(
    "portal_trail",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("at", "who", "did", "about", "salt")),
)

# Payments that an operator entered. `event` is the id of the payment; one that was withdrawn may be entered again.
PAYMENTS = sa.Table(
    "portal_payments",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("event", "body", "person", "at", "withdrawn")),
)
