"""Tables of signed receipts, as their migration makes them: receipts, and the batches that entered the log."""

import sqlalchemy as sa

_META = sa.MetaData()

# `digest`: of the sealed receipt. `batch` and `place` are empty until it has entered the log.
RECEIPTS = sa.Table(
    "api_receipts",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "body", "digest")),
    sa.Column("batch", sa.Integer, nullable=True),
    sa.Column("place", sa.Integer, nullable=True),
)

# `leaf`: where in the log it stands.
BATCHES = sa.Table(
    "api_batches",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("leaf", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)
