"""Who asks, what they may, and how lists are cut into pages: what every route of the API shares."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from byline.app.api.current import Place
from byline.app.api.forms import ErrorAnswer, Line
from byline.app.api.limits import Buckets
from byline.app.api.tokens import Token
from byline.core import AppError

T = TypeVar("T")
ANONYMOUS_PER_MINUTE = 120
_BEARER = HTTPBearer(auto_error=False, description="A token of `byline token new`.")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="The same key with the same body is answered with what the first request made.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items in the answer.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before.")]
Words = Annotated[Line, Query(max_length=200)]
_SAYS = {
    401: "No token, or one that opens nothing.",
    403: "The token is not for this.",
    404: "There is none.",
    409: "It contradicts what is there.",
    413: "The request is too large.",
    422: "The request is not as the schema says.",
    429: "Too many requests: wait as Retry-After says.",
    503: "The service cannot answer now.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": says} for status, says in _SAYS.items()
}


@dataclass(frozen=True, slots=True)
class Door:
    """Lets callers in by their tokens, at their pace."""

    place: Place
    buckets: Buckets

    def scope(self, scope: str) -> Callable[..., Token]:
        """A dependency of a route: the token, if it has the scope."""

        def token(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Token:
            found = self.place.tokens.holder(bearer.credentials) if bearer else None
            if found is None:
                self.anybody(request)  # who guesses tokens is slowed down like anybody without one
                fix = "send Authorization: Bearer TOKEN, with one of `byline token new`"
                raise AppError("no-token", "no token was sent, or one that opens nothing", fix)
            self.buckets.take(found.id, found.per_minute)
            if scope not in found.scopes:
                fix = f"use a token with the scope {scope}"
                raise AppError("out-of-scope", f"the token “{found.name}” is not for {scope}", fix)
            return found

        return token

    def anybody(self, request: Request) -> None:
        """A dependency of a public route: at the pace of an address. Raises: AppError("too-many-requests")."""
        host = request.client.host if request.client else "nobody"
        self.buckets.take(f"host {host}", ANONYMOUS_PER_MINUTE)


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def after_cursor(cursor: str | None) -> str:
    """What a page begins after; empty for the first. Raises: AppError("bad-cursor")."""
    try:
        after = base64.b64decode((cursor or "").encode(), altchars=b"-_", validate=True).decode()
    except ValueError as fault:
        raise AppError("bad-cursor", f"{cursor!r} is no cursor", "give `next` of the page before") from fault
    if not after.isprintable():  # no database looks for a NUL
        raise AppError("bad-cursor", f"{cursor!r} is no cursor", "give `next` of the page before")
    return after


def page_of(items: Sequence[T], key: Callable[[T], str], cursor: str | None, most: int) -> tuple[list[T], str | None]:
    """Items in the order of their keys, after the cursor, and the cursor of what follows."""
    after = after_cursor(cursor)
    rest = sorted((item for item in items if key(item) > after), key=key)
    return rest[:most], (cursor_of(key(rest[most - 1])) if len(rest) > most else None)
