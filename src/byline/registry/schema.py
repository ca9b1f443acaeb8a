"""The registry's tables. Rows are only ever added (triggers refuse the rest), but for tables whose `info` says what
they are derived from; `seq` is the order of registration."""

import sqlalchemy as sa

metadata = sa.MetaData()


parties = sa.Table(
    "parties", metadata, sa.Column("id", sa.Text, primary_key=True), sa.Column("name", sa.Text, nullable=False)
)

accounts = sa.Table(
    "accounts", metadata, sa.Column("id", sa.Text, primary_key=True), sa.Column("name", sa.Text, nullable=False)
)

works = sa.Table(
    "works",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("created", sa.Date, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("licence", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("registered", sa.Date, nullable=False),
    sa.UniqueConstraint("account", "title"),
)

contributions = sa.Table(
    "contributions",
    metadata,
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
)

splits = sa.Table(
    "splits",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
    sa.Column("effective", sa.Date, nullable=False),
    sa.Column("recorded", sa.Date, nullable=False),
)

split_lines = sa.Table(
    "split_lines",
    metadata,
    sa.Column("split", sa.Integer, sa.ForeignKey("splits.seq"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
    sa.Column("ppm", sa.Integer, nullable=False),
    sa.CheckConstraint("ppm > 0 AND ppm <= 1000000", name="share_is_a_part"),
)

opt_outs = sa.Table(
    "opt_outs",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("party", sa.Text, sa.ForeignKey("parties.id"), nullable=False),
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=True),
    sa.Column("effective", sa.Date, nullable=False),
    sa.Column("recorded", sa.Date, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("work", sa.Text, sa.ForeignKey("works.id"), nullable=False),
    sa.Column("recorded", sa.Date, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

manifests = sa.Table(
    "manifests",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
)

for _table, _column in ((decisions, "work"), (splits, "work"), (works, "title"), (opt_outs, "party")):
    sa.Index(f"{_table.name}_{_column}", _table.c[_column])
sa.Index("contributions_party", contributions.c.party, contributions.c.work)
sa.Index("works_title_id", works.c.title, works.c.id)
