"""What somebody is about to change, until its line of the trail is written."""

import sqlalchemy as sa
from alembic import op

revision = "w005"
down_revision = "w004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_intents",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("process", "who", "what", "at")),
    )
