"""Matters: splits that are proposed, heirs that are named, disputes, and what happened to each."""

import sqlalchemy as sa
from alembic import op

revision = "w003"
down_revision = "w002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_matters",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "person", "about", "made", "body")),
    )
    op.create_table(
        "portal_matter_steps",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("matter", sa.Text, sa.ForeignKey("portal_matters.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("what", "person", "at", "body")),
    )
