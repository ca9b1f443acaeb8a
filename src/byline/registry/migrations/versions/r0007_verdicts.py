"""Where every work stands by the gate's newest decision, to be asked by page; and what people who looked at a work that
the gate held have decided."""

import json

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
_AT_A_TIME = 5_000


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
    )
    op.create_index("verdicts_rule", "verdicts", ["verdict", "rule", "work"])
    op.create_table(
        "reviews",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
        sa.Column("looked", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("reviews_work", "reviews", ["work"])
    _forbid_changes("reviews")
    _fill_verdicts()


def _fill_verdicts() -> None:
    connection = op.get_bind()
    newest = "SELECT work, body FROM decisions WHERE seq IN (SELECT max(seq) FROM decisions GROUP BY work)"
    told = [(work, json.loads(body)) for work, body in connection.execute(sa.text(newest)).all()]
    rows = [{"work": work, "verdict": each["verdict"], "rule": each["rule"]} for work, each in told]
    for at in range(0, len(rows), _AT_A_TIME):
        insert = sa.text("INSERT INTO verdicts (work, verdict, rule) VALUES (:work, :verdict, :rule)")
        connection.execute(insert, rows[at : at + _AT_A_TIME])


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
