"""Idempotency keys: a request that is sent again under its key is answered with what the first one made."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from byline.app.api.tables import REQUESTS
from byline.app.api.tokens import now
from byline.core import AppError, sha256_hex


@dataclass(frozen=True, slots=True)
class Once:
    """A request under a key of its token's; without a key it is made every time it comes."""

    token: str
    key: str | None
    route: str
    body: Mapping[str, Any]

    def made(self, connection: sa.Connection) -> str | None:
        """What the first request under the key made; None if this is the first.

        Raises: AppError("key-used") if that one asked for something else.
        """
        if self.key is None:
            return None
        where = (REQUESTS.c.token == self.token, REQUESTS.c.key == self.key)
        row = connection.execute(sa.select(REQUESTS).where(*where)).first()
        if row is None:
            return None
        if row.route != self.route or not hmac.compare_digest(row.digest, self._digest(row.salt)):
            fix = "give every request that differs a key of its own"
            raise AppError("key-used", f"the key {self.key!r} was used for another request", fix)
        return str(row.reference)

    def keep(self, connection: sa.Connection, reference: str) -> None:
        """`reference`: the id of what was made."""
        if self.key is None:
            return
        salt = secrets.token_hex(16)
        row = {"token": self.token, "key": self.key, "route": self.route, "salt": salt, "at": now()}
        connection.execute(sa.insert(REQUESTS), [row | {"digest": self._digest(salt), "reference": reference}])

    def _digest(self, salt: str) -> str:
        return sha256_hex(json.dumps([salt, self.body], sort_keys=True, default=str).encode())
