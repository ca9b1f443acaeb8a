"""Seals: what one browser carries for us through other hands, unreadable, for a quarter of an hour, and good once.

They stand where a challenge or a state would else be kept in the database for everybody who only looks at a page.
"""

import json
from base64 import urlsafe_b64encode
from datetime import datetime
from hmac import compare_digest, digest

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from byline.app.portal.tables import USED
from byline.app.portal.visit import Portal
from byline.core import AppError, sha256_hex
from byline.registry import writing

SECONDS = 15 * 60


def seal(portal: Portal, purpose: str, browser: str, now: datetime, data: str = "") -> str:
    """`browser`: the form token of the browser that brings it back."""
    held = json.dumps([purpose, sha256_hex(browser.encode()), data])
    return _fernet(portal).encrypt_at_time(held.encode(), int(now.timestamp())).decode("ascii")


def unseal(portal: Portal, purpose: str, browser: str, now: datetime, sealed: str) -> str:
    """What was sealed; the seal is used up. Raises: AppError("seal-over")."""
    try:
        held = _fernet(portal).decrypt_at_time(sealed.encode(), SECONDS, int(now.timestamp()))
    except InvalidToken as fault:
        raise _over() from fault
    made_for, made_in, data = json.loads(held)
    if made_for != purpose or not compare_digest(made_in, sha256_hex(browser.encode())):
        raise _over()
    use_up(portal.accounts.engine, sha256_hex(sealed.encode()), int(now.timestamp()))
    return str(data)


def use_up(engine: sa.Engine, name: str, at: int) -> None:
    """Remember for half an hour that this was used. Raises: AppError("seal-over") if it was before."""
    try:
        with writing(engine) as connection:
            connection.execute(sa.delete(USED).where(USED.c.until <= at))
            connection.execute(sa.insert(USED), {"digest": name, "until": at + 2 * SECONDS})
    except sa.exc.IntegrityError as fault:
        raise _over() from fault


def _fernet(portal: Portal) -> Fernet:
    return Fernet(urlsafe_b64encode(digest(portal.secret, b"seal", "sha256")))


def _over() -> AppError:
    return AppError(
        "seal-over",
        "this page was open for too long, or was used before",
        "go back to where you began, load that page again, and try once more",
    )
