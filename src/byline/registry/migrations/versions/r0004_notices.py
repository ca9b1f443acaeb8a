"""Notices: opt-outs and claims by any kind of target, what happened to them, and the papers that can be erased."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "notice_changes",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("notice", sa.Text, sa.ForeignKey("notices.id"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "notice_papers",
        sa.Column("notice", sa.Text, sa.ForeignKey("notices.id"), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    for table in ("notices", "notice_changes"):
        _forbid(table, "UPDATE", "DELETE")
    _forbid("notice_papers", "UPDATE")  # erasing is what this table is for


def _forbid(table: str, *changes: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {' OR '.join(changes)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION registry_append_only()"
        )
        return
    for change in changes:
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only: {table}'); END"
        )
