"""Ways to ask about one work among a million: decisions and splits by work, works by title."""

from alembic import op

revision = "r0005"
down_revision = "r0004"

INDEXES = (("decisions", "work"), ("splits", "work"), ("works", "title"), ("opt_outs", "party"))


def upgrade() -> None:
    for table, column in INDEXES:
        op.create_index(f"{table}_{column}", table, [column])
