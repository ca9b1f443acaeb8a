"""The API's tables, as its migrations make them: tokens by their hash, requests made once, outputs, long jobs."""

from pathlib import Path

import sqlalchemy as sa

from byline.registry import upgrade

META = sa.MetaData()
_MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(engine: sa.Engine) -> sa.Engine:
    """The database, with the tables of the API."""
    upgrade(engine, _MIGRATIONS, "api_version")
    return engine


def _text(name: str, *, empty: bool = False, primary_key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=empty, primary_key=primary_key, unique=unique or None)


TOKENS = sa.Table(
    "api_tokens",
    META,
    _text("id", primary_key=True),
    _text("sha256", unique=True),
    _text("name"),
    _text("scopes"),
    _text("payee", empty=True),
    sa.Column("per_minute", sa.Integer, nullable=False),
    _text("created"),
    _text("revoked", empty=True),
)

# What an idempotency key was used for. `digest` is salted: a request may hold a name.
REQUESTS = sa.Table(
    "api_requests",
    META,
    _text("token", primary_key=True),
    _text("key", primary_key=True),
    _text("route"),
    _text("salt"),
    _text("digest"),
    _text("reference"),
    _text("at"),
)

OUTPUTS = sa.Table(
    "api_outputs",
    META,
    sa.Column("seq", sa.Integer, primary_key=True),
    _text("id", unique=True),
    _text("token"),
    _text("event", unique=True),
    _text("received"),
    _text("body"),
    _text("recorded"),
)

# `owner`: the token of a program, or the number of a person, that asked for it. `attempt` counts workers that took it,
# `deaths` those that never let go of it again.
JOBS = sa.Table(
    "queue_jobs",
    META,
    sa.Column("seq", sa.Integer, primary_key=True),
    _text("id", unique=True),
    _text("owner"),
    _text("kind"),
    _text("body"),
    _text("state"),
    _text("created"),
    _text("begun", empty=True),
    _text("ended", empty=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("deaths", sa.Integer, nullable=False),
    sa.Column("leased_until", sa.Float, nullable=False),  # seconds since 1970
    _text("doing"),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("of", sa.Integer, nullable=False),
    _text("result", empty=True),
    _text("error", empty=True),
)

# What a job has finished so far, so that a killed one goes on there.
PARTS = sa.Table(
    "queue_parts",
    META,
    _text("job", primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("body"),
)

COMPLETIONS = sa.Table(
    "api_completions",
    META,
    sa.Column("seq", sa.Integer, primary_key=True),
    _text("id", unique=True),
    _text("at"),
    _text("body"),
)
