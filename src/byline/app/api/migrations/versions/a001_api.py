"""Tokens, requests made once, outputs, jobs with their parts, and what was let through of completions."""

import sqlalchemy as sa
from alembic import op

revision = "a001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("payee", sa.Text, nullable=True),
        sa.Column("per_minute", sa.Integer, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("revoked", sa.Text, nullable=True),
    )
    op.create_table(
        "api_requests",
        sa.Column("token", sa.Text, sa.ForeignKey("api_tokens.id"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("route", "salt", "digest", "reference", "at")),
    )
    op.create_table(
        "api_outputs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("token", sa.Text, sa.ForeignKey("api_tokens.id"), nullable=False),
        sa.Column("event", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("received", "body", "recorded")),
    )
    op.create_table(
        "api_jobs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("token", sa.Text, sa.ForeignKey("api_tokens.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "body", "state", "created")),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("leased_until", sa.Float, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("of", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
    )
    op.create_table(
        "api_job_parts",
        sa.Column("job", sa.Text, sa.ForeignKey("api_jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "api_completions",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
