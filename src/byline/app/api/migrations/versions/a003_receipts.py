"""Signed receipts of what the proxy let through, and the batches in which they enter the log."""

import sqlalchemy as sa
from alembic import op

revision = "a003"
down_revision = "a002"


def upgrade() -> None:
    op.create_table(
        "api_batches",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("leaf", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "api_receipts",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("batch", sa.Integer, sa.ForeignKey("api_batches.seq"), nullable=True),
        sa.Column("place", sa.Integer, nullable=True),
    )
    op.create_index("api_receipts_batch", "api_receipts", ["batch", "place"])
