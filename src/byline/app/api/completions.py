"""What the proxy let through: one record for each answer of the model, without its text, under the id of a receipt."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from byline.app.api.tables import COMPLETIONS
from byline.app.api.tokens import now
from byline.core import AppError
from byline.registry import writing


def new_receipt() -> str:
    return f"receipt:{secrets.token_hex(12)}"


def keep_completion(engine: sa.Engine, receipt: str, told: Mapping[str, Any]) -> None:
    """Raises: what the database raises; nothing is let through without a record."""
    row = {"id": receipt, "at": now(), "body": json.dumps(told, sort_keys=True)}
    with writing(engine) as connection:
        connection.execute(sa.insert(COMPLETIONS), [row])


def completion(engine: sa.Engine, receipt: str) -> dict[str, Any]:
    """Raises: AppError("no-such-receipt")."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(COMPLETIONS).where(COMPLETIONS.c.id == receipt)).first()
    if row is None:
        raise AppError("no-such-receipt", f"no completion has the receipt {receipt}", "it stands in Byline-Receipt")
    return {"id": row.id, "at": row.at, **json.loads(row.body)}
