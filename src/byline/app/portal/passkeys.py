"""Passkeys: what is kept of them, and the check of what a browser answers (W3C Web Authentication, level 2)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from byline.app.portal.accounts import Person
from byline.app.portal.tables import PASSKEYS
from byline.core import AppError
from byline.registry import writing

MOST = 20  # of one person
_FIX = "sign in by mail, which always works"


@dataclass(frozen=True, slots=True)
class Passkey:
    """`count`: how often its device says that it signed, 0 for devices that do not count. `stopped`: since when it is
    held back because a copy of it seems to be about; empty if it is not."""

    id: str
    person: str
    credential: str
    public_key: str
    count: int
    name: str
    made: str
    used: str
    stopped: str


@dataclass(frozen=True, slots=True)
class Place:
    """The portal as browsers know it: a passkey works for this name, on pages from this origin, and nowhere else."""

    name: str
    origin: str


def place_of(site: str) -> Place | None:
    """None where browsers make no passkeys: without TLS (but for localhost), and at an address that is a number."""
    parts = urlsplit(site)
    host = (parts.hostname or "").casefold()
    local = host == "localhost" or host.endswith(".localhost")
    if not host or _numeric(host) or parts.scheme not in (("https", "http") if local else ("https",)):
        return None
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return Place(host, f"{parts.scheme}://{host}{port}")


def _numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# --- what the browser is asked, and what it answers ---------------------------------------------------------------


def to_add(place: Place, person: Person, known: Sequence[Passkey], challenge: bytes) -> str:
    """What the browser is asked in order to make a passkey, as JSON: one that it finds without being told a name, and
    that asks for a finger, a face or a PIN."""
    kept = [PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.credential)) for each in known]
    wanted = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
    )
    return options_to_json(
        generate_registration_options(
            rp_id=place.name,
            rp_name="Byline",
            user_id=person.id.encode(),
            user_name=person.email,
            user_display_name=person.name or person.email,
            challenge=challenge,
            authenticator_selection=wanted,
            exclude_credentials=kept,
        )
    )


def to_enter(place: Place, challenge: bytes) -> str:
    """What the browser is asked in order to sign in, as JSON. It names nobody: the passkey says who it is for."""
    required = UserVerificationRequirement.REQUIRED
    return options_to_json(
        generate_authentication_options(rp_id=place.name, challenge=challenge, user_verification=required)
    )


def read_added(place: Place, answer: str, challenge: bytes, person: Person, name: str, now: datetime) -> Passkey:
    """Raises: AppError("passkey-refused")."""
    try:
        found = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=place.name,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except Exception as fault:  # bytes from outside, read by more than one parser
        raise AppError("passkey-refused", "what the browser sent is no passkey for this page", _FIX) from fault
    credential, key = bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key)
    return Passkey(_fresh(), person.id, credential, key, found.sign_count, name, now.isoformat(), "", "")


def read_name(answer: str) -> tuple[str, str]:
    """The credential that a browser answers with, and the person for whom it was made, both unproven.

    Raises: AppError("passkey-refused").
    """
    try:
        sent = parse_authentication_credential_json(answer)
        return bytes_to_base64url(sent.raw_id), (sent.response.user_handle or b"").decode("ascii")
    except Exception as fault:
        raise AppError("passkey-refused", "what the browser sent is no passkey", _FIX) from fault


def read_count(place: Place, answer: str, challenge: bytes, passkey: Passkey) -> int:
    """The count of the device, once the signature is proven. Whether it grew is for the caller to look at.

    Raises: AppError("passkey-refused").
    """
    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=place.name,
            expected_origin=place.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=0,  # it would refuse before it has looked at the signature
            require_user_verification=True,
        )
    except Exception as fault:
        raise AppError("passkey-refused", "this passkey does not open this page", _FIX) from fault
    return int(found.new_sign_count)


def _fresh() -> str:
    return f"passkey:{secrets.token_hex(8)}"


# --- what is kept -------------------------------------------------------------------------------------------------


class Passkeys:
    """In the database that `open_accounts` has prepared."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of(self, person: str) -> list[Passkey]:
        wanted = sa.select(PASSKEYS).where(PASSKEYS.c.person == person).order_by(PASSKEYS.c.made, PASSKEYS.c.id)
        with self._engine.connect() as connection:
            return [_passkey(row) for row in connection.execute(wanted).mappings()]

    def one(self, person: str, name: str) -> Passkey:
        """Raises: AppError("no-such-passkey"), as for one of somebody else."""
        found = [each for each in self.of(person) if each.id == name]
        _one(len(found))
        return found[0]

    def by_credential(self, credential: str) -> Passkey | None:
        wanted = sa.select(PASSKEYS).where(PASSKEYS.c.credential == credential)
        with self._engine.connect() as connection:
            row = connection.execute(wanted).mappings().first()
        return _passkey(row) if row else None

    def keep(self, passkey: Passkey) -> None:
        """Raises: AppError("passkey-refused") if it is kept already, AppError("too-many-passkeys")."""
        if len(self.of(passkey.person)) >= MOST:
            raise AppError("too-many-passkeys", f"you have {MOST} passkeys", "remove one that you no longer use")
        try:
            with writing(self._engine) as connection:
                connection.execute(sa.insert(PASSKEYS), {name: getattr(passkey, name) for name in Passkey.__slots__})
        except sa.exc.IntegrityError as fault:
            raise AppError("passkey-refused", "this passkey is known already", "use it to sign in") from fault

    def rename(self, person: str, name: str, says: str) -> None:
        self._change(person, name, {"name": says})

    def remove(self, person: str, name: str) -> None:
        """Raises: AppError("no-such-passkey"), as for one of somebody else."""
        mine = sa.and_(PASSKEYS.c.id == name, PASSKEYS.c.person == person)
        with writing(self._engine) as connection:
            _one(connection.execute(sa.delete(PASSKEYS).where(mine)).rowcount)

    def count(self, passkey: Passkey, count: int, now: datetime) -> None:
        """Note that it signed. A count that did not grow means that two devices sign with one key: then it is stopped,
        for nobody can say which of them is its owner's (W3C Web Authentication, 6.1.1).

        Raises: AppError("passkey-copied").
        """
        same = sa.and_(PASSKEYS.c.id == passkey.id, PASSKEYS.c.count == passkey.count, PASSKEYS.c.stopped == "")
        grew = count > passkey.count or count == passkey.count == 0
        with writing(self._engine) as connection:
            values = {"count": count, "used": now.isoformat()}
            done = connection.execute(sa.update(PASSKEYS).where(same).values(values)).rowcount if grew else 0
        if not done:
            if not passkey.stopped:
                self._change(passkey.person, passkey.id, {"stopped": now.isoformat()})
            raise AppError("passkey-copied", "somebody may have a copy of this passkey, so it opens nothing any more",
                           "sign in by mail, remove it on your page, and add a new one")  # fmt: skip

    def _change(self, person: str, name: str, values: dict[str, Any]) -> None:
        mine = sa.and_(PASSKEYS.c.id == name, PASSKEYS.c.person == person)
        with writing(self._engine) as connection:
            _one(connection.execute(sa.update(PASSKEYS).where(mine).values(values)).rowcount)


def _one(rows: int) -> None:
    if not rows:
        raise AppError("no-such-passkey", "there is no such passkey", "your page lists those that there are")


def _passkey(row: sa.RowMapping) -> Passkey:
    return Passkey(**{name: row[name] for name in Passkey.__slots__})
