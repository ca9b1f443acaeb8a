"""Tables of evidence: how works were obtained, who may use them, what signals said, what law packs and runs did; and
which works stand in which manifest, which the older tables kept inside the manifest's text only."""

import json

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"

KINDS = {"t": sa.Text, "d": sa.Date, "i": sa.Integer, "b": sa.Boolean}
TABLES = {  # name: columns as name:kind, ? where there may be nothing
    "acquisitions": "about:t method:t effective:d source:t collected_until:d? fetched_at:t? collector:t robots:t "
    "upstream:t contract:t evidence:t evidence_sha256:t facts:t supersedes:t",
    "licences": "about:t expression:t effective:d until:d? url:t stated_in:t text_sha256:t reviewed_by:t facts:t "
    "supersedes:t",
    "grants": "about:t grantor:t grantee:t uses:t territory:t effective:d until:d? revocable:b amount_nano:t "
    "currency:t pricing:t contract:t evidence_sha256:t facts:t supersedes:t",
    "consents": "person:t about:t subjects:t uses:t controller:t effective:d until:d? territory:t how:t language:t "
    "text_sha256:t evidence_sha256:t facts:t supersedes:t",
    "credits": "about:t party:t role:t effective:d evidence_sha256:t supersedes:t",
    "endings": "record:t why:t effective:d because:t evidence_sha256:t",
    "signals": "about:t observed_at:t source:t path:t carrier:t family:t spec:t raw:t rule:t line:i canonical:t "
    "access:t body_sha256:t media:t duties:t notes:t signer:t signature:t problem:t supersedes:t effective:d",
    "legal_decisions": "about:t jurisdiction:t use:t outcome:t effective:d rules:t because:t pack:t pack_sha256:t "
    "facts_sha256:t reading:t duties:t missing:t expires:d? supersedes:t",
    "snapshots": "manifest:t manifest_root:t effective:d works:i refused:i name:t decision_root:t "
    "opt_out_checkpoint:t parents:t supersedes:t",
    "training_runs": "run:t name:t model:t manifest:t manifest_root:t effective:d finished:d? opt_out_checkpoint:t "
    "decision_root:t purpose:t code:t supersedes:t",
}
INDEXED = ("chain", "about", "record", "manifest")


def upgrade() -> None:
    for table, columns in TABLES.items():
        _create(table, columns.split())
        _forbid_changes(table)
    op.create_table(
        "manifest_works",
        sa.Column("manifest", sa.Text, sa.ForeignKey("manifests.id"), primary_key=True),
        sa.Column("work", sa.Text, primary_key=True),
    )
    op.create_index("manifest_works_work", "manifest_works", ["work"])
    _fill_manifest_works()
    _forbid_changes("manifest_works")


def _create(table: str, columns: list[str]) -> None:
    op.create_table(
        table,
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("recorded", sa.Date, nullable=False),
        *(_column(column) for column in columns),
    )
    names = ["chain", *(column.partition(":")[0] for column in columns)]
    for name in INDEXED:
        if name in names:
            op.create_index(f"{table}_{name}", table, [name])


def _column(written: str) -> sa.Column:  # type: ignore[type-arg]
    name, _, kind = written.partition(":")
    return sa.Column(name, KINDS[kind[0]], nullable=kind.endswith("?"))


def _fill_manifest_works() -> None:
    connection = op.get_bind()
    for manifest, body in connection.execute(sa.text("SELECT id, body FROM manifests ORDER BY seq")).all():
        rows = [{"manifest": manifest, "work": entry["work"]} for entry in json.loads(body)["entries"]]
        if rows:
            connection.execute(sa.text("INSERT INTO manifest_works (manifest, work) VALUES (:manifest, :work)"), rows)


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
