"""Who may enter the portal, what they asked, and the trail of every change, to which lines are only added."""

import sqlalchemy as sa
from alembic import op

revision = "w001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_people",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("party", sa.Text, nullable=False),
    )
    op.create_table(
        "portal_links",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("onward", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "portal_sessions",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("portal_people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "portal_notices",
        sa.Column("notice", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("portal_people.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_table(
        "portal_questions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("portal_people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("answered_by", sa.Text, nullable=False),
    )
    op.create_table(
        "portal_trail",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("did", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER portal_trail_no_{change.lower()} BEFORE {change} ON portal_trail "
                "BEGIN SELECT RAISE(ABORT, 'the trail is only added to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION portal_trail_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the trail is only added to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER portal_trail_only_added BEFORE UPDATE OR DELETE ON portal_trail "
        "FOR EACH ROW EXECUTE FUNCTION portal_trail_refuse()"
    )
