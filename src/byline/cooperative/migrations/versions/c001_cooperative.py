"""Cooperatives: what was decided and recorded, who has voted, and the ballots; triggers refuse any change.

The salts of voters are the one table from which rows go: when a vote closes they are deleted, and with them the way
from a member to a ballot.
"""

import sqlalchemy as sa
from alembic import op

revision = "c001"
down_revision = None
branch_labels = None
depends_on = None

FROZEN = ("coop_record", "coop_voted", "coop_ballot")


def upgrade() -> None:
    op.create_table(
        "coop_record",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
    )
    op.create_table(
        "coop_voted",
        sa.Column("proposal", sa.Text, primary_key=True),
        sa.Column("party", sa.Text, primary_key=True),
    )
    op.create_table(
        "coop_ballot",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("proposal", sa.Text, nullable=False, index=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "coop_salt",
        sa.Column("proposal", sa.Text, primary_key=True),
        sa.Column("party", sa.Text, primary_key=True),
        sa.Column("salt", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _freeze_on_postgresql()
    else:
        _freeze_on_sqlite()


def _freeze_on_sqlite() -> None:
    for table in FROZEN:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the book of cooperatives is append-only'); END"
            )


def _freeze_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION coop_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the book of cooperatives is append-only'; END $$"
    )
    for table in FROZEN:
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION coop_refuse()"
        )
