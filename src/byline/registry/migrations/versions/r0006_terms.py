"""Ways to look for works by title, domain and contributor among hundreds of thousands, and for people by name."""

import sqlalchemy as sa
from alembic import op

from byline.registry.terms import add_name_terms, add_work_terms

revision = "r0006"
down_revision = "r0005"
_AT_A_TIME = 5_000


def upgrade() -> None:
    bytewise = "C" if op.get_bind().dialect.name == "postgresql" else None  # so that a beginning is a range
    op.create_table(
        "terms",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("term", sa.Text(collation=bytewise), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
    )
    _forbid_changes()
    op.create_index("terms_term", "terms", ["kind", "term", "about"])
    op.create_index("contributions_party", "contributions", ["party", "work"])
    op.create_index("works_title_id", "works", ["title", "id"])
    for query, add in (("SELECT id, title, source FROM works", add_work_terms),
                       ("SELECT id, name FROM parties", add_name_terms)):  # fmt: skip
        rows = op.get_bind().execute(sa.text(query)).all()
        for at in range(0, len(rows), _AT_A_TIME):
            add(op.get_bind(), [tuple(row) for row in rows[at : at + _AT_A_TIME]])


def _forbid_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER terms_append_only BEFORE UPDATE OR DELETE ON terms "
            "FOR EACH ROW EXECUTE FUNCTION registry_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER terms_no_{change.lower()} BEFORE {change} ON terms "
            "BEGIN SELECT RAISE(ABORT, 'append-only: terms'); END"
        )
