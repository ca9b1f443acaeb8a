"""What stands in the tokens of an organisation: checks of what was said, after its signature was found good.

Sources: OpenID Connect Core 1.0, 3.1.3.7, and Back-Channel Logout 1.0, 2.4 and 2.6.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

LEEWAY = 60  # seconds that clocks may differ
OLDEST = 10 * 60  # seconds since a token was made
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


def sign_in_fault(claims: Mapping[str, Any], issuer: str, client: str, nonce: str, now: float) -> str:
    """Why a token lets nobody in; empty if it holds."""
    fault = _given_fault(claims, issuer, client, now)
    if fault:
        return fault
    if not _number(claims.get("exp")) or claims["exp"] <= now - LEEWAY:
        return "its token has run out"
    if not _number(claims.get("nbf", 0)) or claims.get("nbf", 0) > now + LEEWAY:
        return "its token is not valid yet"
    if claims.get("nonce") != nonce:
        return "its token is for another visit"
    return "" if _name(claims.get("sub")) else "its token names nobody"


def sign_out_fault(claims: Mapping[str, Any], issuer: str, client: str, now: float) -> str:
    """Why a token ends no session; empty if it holds. One that signs somebody in is none: it has a nonce."""
    fault = _given_fault(claims, issuer, client, now)
    if fault:
        return fault
    if "exp" in claims and (not _number(claims["exp"]) or claims["exp"] <= now - LEEWAY):
        return "its token has run out"
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict) or "nonce" in claims:
        return "its token signs nobody out"
    if not _name(claims.get("jti")):
        return "its token has no number"
    return "" if _name(claims.get("sub")) else "its token names nobody"


def _given_fault(claims: Mapping[str, Any], issuer: str, client: str, now: float) -> str:
    """Who made it, for whom, and when."""
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer:
        return "its token is of another issuer"
    if client not in meant or (len(meant) > 1 and claims.get("azp") != client):
        return "its token is meant for another site"
    if claims.get("azp", client) != client:
        return "its token was given to another site"
    if not _number(claims.get("iat")) or not now - OLDEST - LEEWAY <= claims["iat"] <= now + LEEWAY:
        return "its token is not of this moment"
    return ""


def jwt_header(token: str) -> Mapping[str, Any]:
    """What a token says of itself, unproven. Raises: ValueError."""
    text = token.partition(".")[0]
    told = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not isinstance(told, dict):
        raise ValueError("no header")
    return told


def groups(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The claim of this name, else what lies inside others by a name with dots."""
    value = named(claims, name)
    found = [value] if isinstance(value, str) else value
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()


def named(claims: Mapping[str, Any], name: str) -> Any:
    """What stands under this name, or under its parts between the dots; None if nothing does."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
