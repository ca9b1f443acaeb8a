"""Payments that an operator entered, until they are divided or withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "w004"
down_revision = "w003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_payments",
        sa.Column("seq", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("event", "body", "person", "at")),
        sa.Column("withdrawn", sa.Text, nullable=True),
    )
    op.create_index("portal_payments_event", "portal_payments", ["event"])
