"""Tokens for machines: who may call what. Only a hash of a token is kept, so it can be shown once and never again."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from byline.app.api.tables import TOKENS
from byline.core import AppError, PartyId, sha256_hex
from byline.registry import writing

SCOPES = {
    "works:read": "works and contributors, as far as they are public",
    "lookups:make": "look a text, a picture or a sound up",
    "guard:ask": "hold a model's output against the works",
    "optouts:make": "say no for somebody, and see how that stands",
    "outputs:make": "register outputs with revenue, and see one's own",
    "attributions:make": "ask where texts came from, and see one's own questions",
    "completions:read": "what the proxy let through, by the id of a receipt",
    "statements:read": "statements: of all payees, or of the one that the token is for",
}
PER_MINUTE = 600


@dataclass(frozen=True, slots=True)
class Token:
    """`payee`: the only one whose statements it may read; None for all. `per_minute`: requests allowed."""

    id: str
    name: str
    scopes: tuple[str, ...]
    payee: PartyId | None
    per_minute: int
    created: str
    revoked: str | None


class Tokens:
    """The tokens of a project."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def new(
        self, name: str, scopes: Iterable[str], payee: PartyId | None = None, per_minute: int = PER_MINUTE
    ) -> tuple[Token, str]:
        """The token, and its secret, which is not kept.

        Raises: AppError("unknown-scope"), AppError("bad-token-terms").
        """
        asked = tuple(scope for scope in SCOPES if scope in set(scopes))
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not asked:
            raise AppError(
                "unknown-scope", f"{', '.join(unknown) or 'nothing'} is no scope", f"use {', '.join(SCOPES)}"
            )
        if not name.strip() or per_minute < 1:
            raise AppError("bad-token-terms", "a token needs a name and one request a minute or more", "give --name")
        secret = f"byl_{secrets.token_urlsafe(32)}"
        token = Token(f"token:{secrets.token_hex(8)}", name.strip(), asked, payee, per_minute, now(), None)
        row = {"sha256": sha256_hex(secret.encode()), **_columns(token)}
        with writing(self._engine) as connection:
            connection.execute(sa.insert(TOKENS), [row])
        return token, secret

    def all(self) -> list[Token]:
        """Oldest first, revoked ones too."""
        with self._engine.connect() as connection:
            return [
                _token(row) for row in connection.execute(sa.select(TOKENS).order_by(TOKENS.c.created, TOKENS.c.id))
            ]

    def revoke(self, token: str) -> Token:
        """It opens nothing from this moment on. Raises: AppError("no-such-token")."""
        with writing(self._engine) as connection:
            where = (TOKENS.c.id == token, TOKENS.c.revoked.is_(None))  # the first moment stays
            connection.execute(sa.update(TOKENS).where(*where).values(revoked=now()))
        return self.one(token)

    def one(self, token: str) -> Token:
        """Raises: AppError("no-such-token")."""
        found = [each for each in self.all() if each.id == token]
        if not found:
            raise AppError("no-such-token", f"there is no token {token}", "byline token list")
        return found[0]

    def holder(self, secret: str) -> Token | None:
        """Whose secret it is; None if nobody's, or if it was revoked."""
        query = sa.select(TOKENS).where(TOKENS.c.sha256 == sha256_hex(secret.encode()), TOKENS.c.revoked.is_(None))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return _token(row) if row else None


def now() -> str:
    """This moment, in whole seconds of universal time."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def _columns(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": json.dumps(token.scopes),
        "payee": token.payee,
        "per_minute": token.per_minute,
        "created": token.created,
        "revoked": token.revoked,
    }


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    payee = PartyId(row.payee) if row.payee else None
    return Token(row.id, row.name, tuple(json.loads(row.scopes)), payee, row.per_minute, row.created, row.revoked)
