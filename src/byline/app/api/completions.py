"""What the proxy let through: a signed receipt for each answer of the model, without its text.

An answer waits for its signature, not for the log. Receipts enter the log many at a time, under one leaf: once a
minute, when the proxy ends or begins, and when somebody asks for one that has not entered yet.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from byline.app.api.current import Place
from byline.app.api.receipt_tables import BATCHES, RECEIPTS
from byline.app.api.tables import COMPLETIONS
from byline.app.api.tokens import now
from byline.core import AppError, canonical_json
from byline.disclosure import BATCH, RECEIPT_FORMAT, Batch, sign_alone
from byline.registry import writing

KIND = "completion"
MOST = 1024  # receipts under one leaf: a proof needs the digests of all of them
Told = dict[str, Any]


def new_receipt() -> str:
    return f"receipt:{secrets.token_hex(12)}"


class Receipts:
    """The receipts of a project; any number of processes may write them."""

    def __init__(self, place: Place) -> None:
        self._place, self._engine = place, place.engine

    def keep(self, receipt: str, told: Mapping[str, Any]) -> Told:
        """Sign what is told of an answer and keep it; it enters the log later.

        Raises: what the database raises; nothing is let through without a receipt.
        """
        at = now()
        body = {"format": RECEIPT_FORMAT, "type": KIND, "id": receipt, "received": at, **told, "says": _says(told)}
        document = sign_alone(body, self._place.key, KIND)
        kept = canonical_json(document).decode()
        with writing(self._engine) as connection:
            connection.execute(sa.insert(RECEIPTS), [{"id": receipt, "body": kept, "digest": document["digest"]}])
        return document

    def enter(self) -> int:
        """Put every receipt that waits into the log; how many.

        The leaf is on disk before a receipt is said to be under it: a process that is killed in between leaves a leaf
        that nobody holds a receipt for, and the receipts wait on.
        """
        entered = 0
        while some := self._enter_some():
            entered += some
        return entered

    def _enter_some(self) -> int:
        waiting = sa.select(RECEIPTS.c.seq, RECEIPTS.c.digest).order_by(RECEIPTS.c.seq).limit(MOST)
        waiting = waiting.where(RECEIPTS.c.batch.is_(None))
        with self._engine.connect() as connection:
            if connection.execute(waiting.limit(1)).first() is None:
                return 0  # without making writers wait
        with writing(self._engine) as connection:
            rows = connection.execute(waiting).all()
            if rows:
                self._log_batch(connection, rows)
        return len(rows)

    def _log_batch(self, connection: sa.Connection, rows: Any) -> None:
        leaf = self._place.log.append(BATCH, Batch([row.digest for row in rows]).digest())
        number = connection.execute(sa.insert(BATCHES).values(leaf=leaf, size=len(rows), at=now()).returning(
            BATCHES.c.seq)).scalar_one()  # fmt: skip
        found = RECEIPTS.c.seq == sa.bindparam("of")
        changed = sa.update(RECEIPTS).where(found).values(batch=number, place=sa.bindparam("at_place"))
        connection.execute(changed, [{"of": row.seq, "at_place": place} for place, row in enumerate(rows)])

    def one(self, receipt: str) -> Told:
        """The receipt with its proof, which `byline verify` holds against the public key. Those from before receipts
        were signed are told as they were kept. Raises: AppError("no-such-receipt")."""
        row = self._row(receipt)
        if row is None:
            return _unsigned(self._engine, receipt)
        if row.batch is None:
            self.enter()
            row = self._row(receipt)
        together = sa.select(RECEIPTS.c.digest).where(RECEIPTS.c.batch == row.batch).order_by(RECEIPTS.c.place)
        with self._engine.connect() as connection:
            leaf = connection.execute(sa.select(BATCHES.c.leaf).where(BATCHES.c.seq == row.batch)).scalar_one()
            batch = Batch(list(connection.execute(together).scalars()))
        document: Told = json.loads(row.body)
        return document | {"log": self._place.logged(leaf) | {BATCH: batch.way(row.place)}}

    def _row(self, receipt: str) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(RECEIPTS).where(RECEIPTS.c.id == receipt)).first()


def _unsigned(engine: sa.Engine, receipt: str) -> Told:
    with engine.connect() as connection:
        row = connection.execute(sa.select(COMPLETIONS).where(COMPLETIONS.c.id == receipt)).first()
    if row is None:
        raise AppError("no-such-receipt", f"no completion has the receipt {receipt}", "it stands in Byline-Receipt")
    return {"id": row.id, "at": row.at, **json.loads(row.body)}


def _says(told: Mapping[str, Any]) -> str:
    """The receipt in words."""
    choices = told["choices"]
    blocked = sum(choice["action"] == "block" for choice in choices)
    held = f"{blocked} cut short" if blocked else "none cut short"
    return (
        f"Answers of a model held against {told['works']} works, and against {told['opted_out']} whose contributors "
        f"said no: {len(choices)}, of which {held}. The text is not kept; released_sha256 is the SHA-256 of the words "
        "that were let through."
    )
