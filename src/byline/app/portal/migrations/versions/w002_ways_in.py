"""More ways to come in: passkeys, organisations that vouch for their people, and seals that are good once."""

import sqlalchemy as sa
from alembic import op

revision = "w002"
down_revision = "w001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # How somebody came, and what they may be in this session: empty text is "nothing more", none is "their own roles".
    op.add_column("portal_sessions", sa.Column("way", sa.Text, nullable=False, server_default="link"))
    op.add_column("portal_sessions", sa.Column("roles", sa.Text, nullable=True))
    op.create_table(
        "portal_passkeys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("portal_people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("credential", sa.Text, nullable=False, unique=True),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("made", sa.Text, nullable=False),
        sa.Column("used", sa.Text, nullable=False),
        sa.Column("stopped", sa.Text, nullable=False),
    )
    op.create_table(
        "portal_identities",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, sa.ForeignKey("portal_people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
    )
    op.create_table(
        "portal_used",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
