"""The queue takes work of every kind, of a token of the API or of a person in the portal."""

import sqlalchemy as sa
from alembic import op

revision = "a002"
down_revision = "a001"

_KEPT = "seq, id, kind, body, state, created, attempt, leased_until, doing, done, of, result, error"


def upgrade() -> None:
    op.create_table(
        "queue_jobs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("owner", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "body", "state", "created")),
        sa.Column("begun", sa.Text, nullable=True),
        sa.Column("ended", sa.Text, nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("leased_until", sa.Float, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("of", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
    )
    op.create_table(
        "queue_parts",
        sa.Column("job", sa.Text, sa.ForeignKey("queue_jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    kept = ", ".join(f'"{name}"' for name in _KEPT.split(", "))
    op.execute(f"INSERT INTO queue_jobs ({kept}, owner, deaths) SELECT {kept}, token, 0 FROM api_jobs")
    op.execute("INSERT INTO queue_parts (job, number, body) SELECT job, number, body FROM api_job_parts")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('queue_jobs', 'seq'), (SELECT max(seq) FROM queue_jobs))")
    op.drop_table("api_job_parts")
    op.drop_table("api_jobs")
