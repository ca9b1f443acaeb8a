"""The first tables of the registry, and the triggers that refuse to change or delete a row."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

APPEND_ONLY = (
    "parties", "accounts", "works", "contributions", "splits", "split_lines", "opt_outs", "decisions", "manifests",
)  # fmt: skip


def upgrade() -> None:
    for table in ("parties", "accounts"):
        op.create_table(table, sa.Column("id", sa.Text, primary_key=True), sa.Column("name", sa.Text, nullable=False))
    _works()
    _rights()
    _gate()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION registry_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'append-only: %', TG_TABLE_NAME; END $$"
        )
    for table in APPEND_ONLY:
        _forbid_changes(table)


def _works() -> None:
    op.create_table(
        "works",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("created", sa.Date, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("registered", sa.Date, nullable=False),
        sa.UniqueConstraint("account", "title"),
    )
    op.create_table(
        "contributions",
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
    )


def _rights() -> None:
    op.create_table(
        "splits",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
        sa.Column("effective", sa.Date, nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
    )
    op.create_table(
        "split_lines",
        sa.Column("split", sa.Integer, sa.ForeignKey("splits.seq"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
        sa.Column("ppm", sa.Integer, nullable=False),
        sa.CheckConstraint("ppm > 0 AND ppm <= 1000000", name="share_is_a_part"),
    )
    op.create_table(
        "opt_outs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=True),
        sa.Column("effective", sa.Date, nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _gate() -> None:
    op.create_table(
        "decisions",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "manifests",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION registry_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only: {table}'); END"
        )
