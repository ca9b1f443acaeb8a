"""Organisations vouch for their people: OpenID Connect, authorisation code flow with PKCE, and the ways to sign out.

Of a token nothing is believed before its signature, issuer, audience, age and nonce were checked. Sources: OpenID
Connect Core 1.0, 3.1.2 and 5.3, Discovery 1.0, RP-Initiated Logout 1.0 and Back-Channel Logout 1.0; RFC 7636 (PKCE);
RFC 9207 (which issuer answers).
"""

import json
import ssl
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from byline.app.portal.accounts import Role, read_address
from byline.app.portal.claims import groups, jwt_header, named, sign_in_fault, sign_out_fault
from byline.app.portal.settings import Organisation, secure
from byline.core import AppError

# Signatures by a private key of the organisation. Never "none", and never HS256, whose key the client knows as well.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519")
KEPT = 60 * 60  # seconds for which its settings and keys are believed to stay the same
AWAY = 10  # seconds for which one that could not be asked is not asked again
TIMEOUT = httpx.Timeout(10, connect=5)
MOST_BYTES = 1_000_000
_FIELDS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Vouched:
    """Whom an organisation vouches for: `subject` is its own lasting number for this person."""

    subject: str
    email: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Known:
    """What an organisation says of its addresses and keys, and until when we believe it without asking again. `away`:
    that it could not be asked, which is believed for some seconds, so that not every visitor waits for it in vain."""

    told: Mapping[str, Any]
    keys: KeySet
    until: int
    away: AppError | None = None


@dataclass
class Provider:
    """One organisation's sign-in, as we speak to it. Not tied to a visit; may be used by many at once."""

    organisation: Organisation
    clock: Callable[[], float]
    _known: Known | None = None
    _lock: Lock = field(default_factory=Lock)

    # --- going there --------------------------------------------------------------------------------------------

    def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent. Raises: AppError("organisation-away")."""
        asked = {
            "response_type": "code",
            "client_id": self.organisation.client,
            "redirect_uri": back,
            "scope": " ".join(self.organisation.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _b64(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        start = str(self._read().told["authorization_endpoint"])
        return f"{start}{'&' if '?' in start else '?'}{urlencode(asked)}"

    # --- coming back --------------------------------------------------------------------------------------------

    def vouched(self, answer: Mapping[str, str], back: str, nonce: str, verifier: str) -> Vouched:
        """Whom it vouches for. `answer`: what the browser brought back.

        Raises: AppError("organisation-refused") with what does not hold, AppError("organisation-away").
        """
        known = self._read()
        said = answer.get("iss", "")
        if said != self.organisation.issuer and (said or known.told.get(_ISS)):
            raise self._refused("another organisation answers than the one that was asked")
        if "error" in answer or not answer.get("code"):
            raise self._refused("it did not sign you in")
        given = self._code(known, answer["code"], back, verifier)
        claims = self._claims(given.get("id_token"), nonce)
        if self._lacks(claims) and isinstance(given.get("access_token"), str):
            claims = self._more(known, given["access_token"], claims)
        return self._vouched(claims)

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        """Many put into the token only who somebody is, and tell the address, or the groups, when asked for them."""
        mapped = self.organisation.groups and named(claims, self.organisation.claim) is None
        return bool(mapped) or not {"email", "email_verified"} <= claims.keys()

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        checked = claims.get("email_verified")
        if checked is not True and not (checked is None and self.organisation.assigns):
            raise self._refused("it has not checked that the e-mail address is yours")
        try:
            email = read_address(str(claims.get("email", "")))
        except AppError as fault:
            raise self._refused("it names no e-mail address") from fault
        if email.rpartition("@")[2] not in self.organisation.domains:
            raise self._refused("it may not vouch for addresses like yours here")
        return Vouched(str(claims["sub"]), email, self._roles(claims))

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """From the mapping alone: what the token calls a role is none here unless it stands there."""
        found = groups(claims, self.organisation.claim)
        return frozenset(role for role, wanted in self.organisation.groups.items() if found & wanted)

    # --- tokens -------------------------------------------------------------------------------------------------

    def _code(self, known: Known, code: str, back: str, verifier: str) -> Mapping[str, Any]:
        sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        client, secret = self.organisation.client, self.organisation.secret
        ways = known.told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret and "client_secret_basic" in ways:
            login = httpx.BasicAuth(quote(client, safe=""), quote(secret, safe=""))
            return self._ask("POST", str(known.told["token_endpoint"]), data=sent, auth=login)
        sent |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        return self._ask("POST", str(known.told["token_endpoint"]), data=sent)

    def _claims(self, token: Any, nonce: str) -> Mapping[str, Any]:
        """Of the ID token, checked (OpenID Connect Core, 3.1.3.7)."""
        claims = self._signed(token)
        organisation = self.organisation
        fault = sign_in_fault(claims, organisation.issuer, organisation.client, nonce, self.clock())
        if fault:
            raise self._refused(fault)
        return claims

    def _signed(self, token: Any) -> Mapping[str, Any]:
        """What a token says, if one of the organisation's keys signed it."""
        if not isinstance(token, str):
            raise self._refused("it sent no token")
        try:
            return jwt.decode(token, self._keys_for(self._read(), token), algorithms=list(ALGORITHMS)).claims
        except (JoseError, ValueError, TypeError, KeyError) as fault:
            raise self._refused("its token is not signed by one of its keys") from fault

    def _more(self, known: Known, access: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Some keep the address out of the token and tell it when they are asked with it (Core, 5.3)."""
        address = known.told.get("userinfo_endpoint")
        if not isinstance(address, str) or not secure(address):
            return claims
        more = self._ask("GET", address, headers={"authorization": f"Bearer {access}"})
        if more.get("sub") != claims["sub"]:
            raise self._refused("it tells of somebody else than its token")
        return _joined(claims, more)

    # --- signing out --------------------------------------------------------------------------------------------

    def leaving(self) -> str:
        """Where somebody signs out at the organisation as well; empty if it has no such page, or is away."""
        try:
            start = self._read().told.get("end_session_endpoint")
        except AppError:
            return ""
        if not isinstance(start, str) or not secure(start):
            return ""
        return f"{start}{'&' if '?' in start else '?'}{urlencode({'client_id': self.organisation.client})}"

    def left(self, token: Any) -> tuple[str, str]:
        """Who signed out there, by the organisation's number, and the number of its word, which counts once.

        Raises: AppError("organisation-refused") with what does not hold, AppError("organisation-away").
        """
        claims = self._signed(token)
        fault = sign_out_fault(claims, self.organisation.issuer, self.organisation.client, self.clock())
        if fault:
            raise self._refused(fault)
        return str(claims["sub"]), str(claims["jti"])

    # --- what it says of itself ---------------------------------------------------------------------------------

    def _read(self) -> Known:
        with self._lock:
            if self._known is None or self._known.until <= self.clock():
                self._known = self._fetched()
            if self._known.away is not None:
                raise self._known.away
            return self._known

    def _fetched(self) -> Known:
        try:
            return self._fetch()
        except AppError as fault:
            return Known({}, KeySet([]), int(self.clock()) + AWAY, fault)

    def _fetch(self) -> Known:
        issuer = self.organisation.issuer
        told = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != issuer:
            raise self._away("it calls itself otherwise than portal.toml does")
        for name in _FIELDS:
            if not isinstance(told.get(name), str) or not secure(told[name]):
                raise self._away(f"its {name} is missing or without TLS")
        return Known(told, self._keys(str(told["jwks_uri"])), int(self.clock()) + KEPT)

    def _keys(self, address: str) -> KeySet:
        """Only public keys that sign: a shared secret in that list would be everybody's. Kinds of keys that we do not
        know may stand beside those that we do."""
        told = self._ask("GET", address).get("keys")
        found = [_public_key(each) for each in told] if isinstance(told, list) else []
        keys = [key for key in found if key is not None]
        if not keys:
            raise self._away("its keys cannot be read")
        return KeySet(keys)

    def _keys_for(self, known: Known, token: str) -> KeySet:
        """An unknown key may be a new one: they are asked for once more, at most once a minute."""
        try:
            name = jwt_header(token).get("kid")
        except ValueError:
            return known.keys
        if name is None or any(key.kid == name for key in known.keys.keys):
            return known.keys
        with self._lock:
            if self._known is known and known.until - KEPT + 60 <= self.clock():
                self._known = self._fetch()
            return self._known.keys if self._known else known.keys

    def _ask(self, method: str, address: str, **more: Any) -> Mapping[str, Any]:
        """One request without redirects, of bounded size, whose answer is a JSON object."""
        try:
            context: Any = ssl.create_default_context(cafile=self.organisation.ca_file)
            with (
                httpx.Client(verify=context, timeout=TIMEOUT, headers={"accept": "application/json"}) as client,
                client.stream(method, address, **more) as answer,
            ):
                content = b""
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise self._away("its answer is too long")
                status = answer.status_code
            told = json.loads(content)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as fault:
            raise self._away(type(fault).__name__) from fault
        if status in (400, 401, 403) and method == "POST":
            raise self._refused("it did not accept the way back from its sign-in")
        if status != 200 or not isinstance(told, dict):
            raise self._away(f"it answers {status}")
        return told

    def _away(self, why: str) -> AppError:
        says = f"{self.organisation.name} cannot be asked now ({why})"
        return AppError("organisation-away", says, "try again later, or sign in by mail")

    def _refused(self, why: str) -> AppError:
        says = f"{self.organisation.name} does not vouch for you: {why}"
        return AppError("organisation-refused", says, "try again, sign in by mail, or ask whoever runs this portal")


_ISS = "authorization_response_iss_parameter_supported"


def _joined(claims: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the token says goes before what userinfo does, but an address, and that it was checked, come from one hand:
    userinfo's "checked" is no word on the token's address."""
    pair = {"email", "email_verified"}
    if pair <= claims.keys():
        return {**more, **claims}
    less = claims if "email" in more else more
    rest = {name: value for name, value in less.items() if name not in pair}
    return {**more, **rest} if less is claims else {**rest, **claims}


def _public_key(told: Any) -> Any:
    """A key that signs; None if this is none, or of a kind that we do not know."""
    if not isinstance(told, dict) or told.get("kty") not in ("RSA", "EC", "OKP") or told.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _b64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
