"""The journal: settlements, entries, legs; and triggers that refuse to change or delete any of them."""

import sqlalchemy as sa
from alembic import op

revision = "l001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("ledger_settlement", "ledger_entry", "ledger_leg")


def upgrade() -> None:
    op.create_table(
        "ledger_settlement",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("inputs", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("settlement", sa.Text, sa.ForeignKey("ledger_settlement.id"), nullable=False),
        sa.Column("reference", sa.Text, nullable=False, unique=True),
        sa.Column("effective", sa.Text, nullable=False),
        sa.Column("recorded", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("leaf", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_leg",
        sa.Column("entry", sa.BigInteger, sa.ForeignKey("ledger_entry.seq"), primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("amount_nano", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _freeze_on_postgresql()
    else:
        _freeze_on_sqlite()


def _freeze_on_sqlite() -> None:
    for table in TABLES:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )


def _freeze_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
