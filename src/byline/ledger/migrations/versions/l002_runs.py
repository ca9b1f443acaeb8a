"""Adjustments name the settlement that they correct; checkpoints keep the balances at a size of the journal."""

import sqlalchemy as sa
from alembic import op

revision = "l002"
down_revision = "l001"
branch_labels = None
depends_on = None

TABLE = "ledger_checkpoint"


def upgrade() -> None:
    op.add_column("ledger_settlement", sa.Column("replaces", sa.Text, nullable=True))
    op.create_index("ledger_settlement_replaces", "ledger_settlement", ["replaces"])
    op.create_index("ledger_entry_settlement", "ledger_entry", ["settlement"])
    op.create_index("ledger_leg_account", "ledger_leg", ["account"])
    op.create_table(
        TABLE,
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("balances", sa.Text, nullable=False),
        sa.Column("recorded", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {TABLE}_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_{change.lower()} BEFORE {change} ON {TABLE} "
            "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
