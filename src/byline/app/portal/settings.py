"""What whoever runs the portal writes into `portal.toml` of the project folder: the server that sends mails, and the
organisations that vouch for their own people. No secret stands in it: it names where the secret lies."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from byline.app.portal.accounts import Role
from byline.core import AppError

FILE = "portal.toml"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SCOPES = ("openid", "email")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class MailServer:
    """`security`: "starttls", "tls", or "none", which only a server on this machine may have."""

    host: str
    port: int
    security: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True)
class Organisation:
    """Who vouches for people by OpenID Connect. `domains`: the addresses that it may vouch for. `claim`: where its
    token names groups; `groups`: which of them are which role here. `scopes`: what it is asked to tell."""

    key: str
    name: str
    issuer: str
    client: str
    domains: frozenset[str]
    claim: str
    groups: Mapping[Role, frozenset[str]]
    secret: str = field(default="", repr=False)
    ca_file: Path | None = None
    scopes: tuple[str, ...] = SCOPES
    assigns: bool = False


@dataclass(frozen=True)
class Settings:
    mail: MailServer | None = None
    organisations: Mapping[str, Organisation] = field(default_factory=dict)


def read_settings(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Without the file: none. Raises: AppError("bad-settings") with every fault that it has."""
    path = folder / FILE
    if not path.is_file():
        return Settings()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise AppError("bad-settings", f"{path} is not TOML: {fault}", "docs/portal.md shows one") from fault
    reader = _Reader(folder, environment)
    reader.only("", told, {"mail", "organisation"})
    mail = reader.mail(told["mail"]) if isinstance(told.get("mail"), dict) else None
    if "mail" in told and mail is None:
        reader.faults.append("[mail] is no table")
    organisations = list(reader.organisations(told.get("organisation", [])))
    if reader.faults:
        raise AppError("bad-settings", f"{path}: {'; '.join(reader.faults)}", "docs/portal.md shows one that works")
    return Settings(mail, {each.key: each for each in organisations})


class _Reader:
    """Reads all of it and keeps every fault, so that they are told at once."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self._folder, self._environment = folder, environment

    # --- mail ---------------------------------------------------------------------------------------------------

    def mail(self, told: Mapping[str, Any]) -> MailServer:
        where = "[mail] "
        self.only(where, told, {"host", "port", "security", "from", "user", "password_file", "password_env", "ca_file"})
        host, security = self.text(where, told, "host"), self.text(where, told, "security", "starttls")
        if security not in ("starttls", "tls", "none"):
            self.faults.append(f"{where}security is starttls, tls or none")
        if security == "none" and host not in LOOPBACK:
            self.faults.append(f'{where}security = "none" is for a server on this machine only')
        user = self.text(where, told, "user", "")
        password = self.secret(where, told, "password", "BYLINE_MAIL_PASSWORD") if user else ""
        if user and not password:
            self.faults.append(f"{where}user needs password_file, or BYLINE_MAIL_PASSWORD in the environment")
        if user and security == "none":
            self.faults.append(f'{where}a password is never sent with security = "none"')
        sender = self.text(where, told, "from")
        if "@" not in sender or not sender.isprintable():
            self.faults.append(f"{where}from is an address, such as Byline <portal@example.org>")
        return MailServer(host, self.port(where, told, 465 if security == "tls" else 587), security, sender, user,
                          password, self.file(where, told, "ca_file"))  # fmt: skip

    def port(self, where: str, told: Mapping[str, Any], default: int) -> int:
        port = told.get("port", default)
        if type(port) is not int or not 0 < port < 65536:
            self.faults.append(f"{where}port is a number from 1 to 65535")
            return default
        return port

    # --- organisations ------------------------------------------------------------------------------------------

    def organisations(self, told: Any) -> Iterator[Organisation]:
        seen: set[str] = set()
        if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
            self.faults.append("organisations stand under [[organisation]], with two brackets")
            told = []
        for number, each in enumerate(told, 1):
            found = self.organisation(f"[[organisation]] {number}: ", each)
            if found.key in seen:
                self.faults.append(f"two organisations have the key {found.key!r}")
            seen.add(found.key)
            yield found

    def organisation(self, where: str, told: Mapping[str, Any]) -> Organisation:
        self.only(where, told, {"key", "name", "issuer", "client_id", "secret_file", "secret_env", "domains", "claim",
                                "roles", "ca_file", "scopes", "assigns_addresses"})  # fmt: skip
        key = self.text(where, told, "key")
        if not _KEY.fullmatch(key):
            self.faults.append(f"{where}key is a short word of small letters, digits and dashes")
        issuer = self.text(where, told, "issuer")
        if not secure(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
            self.faults.append(f"{where}issuer is an https address without anything after it")
        domains = frozenset(each.lower().removeprefix("@") for each in self.texts(where, told, "domains"))
        if not domains:
            self.faults.append(f"{where}domains names the mail domains that it may vouch for, at least one")
        return Organisation(key, self.text(where, told, "name"), issuer, self.text(where, told, "client_id"), domains,
                            self.text(where, told, "claim", "groups"), self.groups(where, told.get("roles", {})),
                            self.secret(where, told, "secret", ""), self.file(where, told, "ca_file"),
                            self.scopes(where, told), self.flag(where, told, "assigns_addresses"))  # fmt: skip

    def scopes(self, where: str, told: Mapping[str, Any]) -> tuple[str, ...]:
        """What is asked for besides who somebody is and their address (RFC 6749, 3.3: words without spaces)."""
        more = self.texts(where, told, "scopes")
        if not all(_SCOPE.fullmatch(each) for each in more):
            self.faults.append(f"{where}scopes is a list of words, such as groups")
        return SCOPES + tuple(sorted(more.difference(SCOPES)))

    def groups(self, where: str, told: Any) -> dict[Role, frozenset[str]]:
        known = {role.value for role in Role} - {Role.CONTRIBUTOR}
        if not isinstance(told, dict):
            self.faults.append(f"{where}roles is a table: role = [groups]")
            return {}
        for name in sorted(set(told) - known):
            self.faults.append(f"{where}roles: {name!r} is none of {', '.join(sorted(known))}")
        return {Role(name): self.texts(f"{where}roles: ", told, name) for name in told if name in known}

    # --- fields -------------------------------------------------------------------------------------------------

    def only(self, where: str, told: Mapping[str, Any], known: set[str]) -> None:
        for name in sorted(set(told) - known):
            hint = "; secrets do not stand in this file" if name in ("password", "secret", "client_secret") else ""
            self.faults.append(f"{where}{name} is not known{hint}")

    def text(self, where: str, told: Mapping[str, Any], name: str, default: str | None = None) -> str:
        value = told.get(name, default)
        if isinstance(value, str) and (value or default == ""):
            return value
        self.faults.append(f"{where}{name} is missing" if value is None else f"{where}{name} is a text")
        return ""

    def texts(self, where: str, told: Mapping[str, Any], name: str) -> frozenset[str]:
        value = told.get(name, [])
        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            return frozenset(value)
        self.faults.append(f"{where}{name} is a list of texts")
        return frozenset()

    def flag(self, where: str, told: Mapping[str, Any], name: str) -> bool:
        value = told.get(name, False)
        if not isinstance(value, bool):
            self.faults.append(f"{where}{name} is true or false")
        return value is True

    def file(self, where: str, told: Mapping[str, Any], name: str) -> Path | None:
        text = self.text(where, told, name, "")
        path = self._folder / text
        if text and not path.is_file():
            self.faults.append(f"{where}{name}: there is no file {text}")
        return path if text else None

    def secret(self, where: str, told: Mapping[str, Any], name: str, variable: str) -> str:
        """From the file, which only its owner may read, or from the environment; empty if neither is there."""
        path, variable = self.file(where, told, f"{name}_file"), self.text(where, told, f"{name}_env", "") or variable
        if path is None:
            value = self._environment.get(variable, "") if variable else ""
            if f"{name}_env" in told and not value:
                self.faults.append(f"{where}{name}_env: {variable} is not set")
            return value
        if not path.is_file():
            return ""
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            self.faults.append(f"{where}{name}_file can be read by others: chmod 600 it")
        return path.read_text(encoding="utf-8").strip()


def secure(address: str) -> bool:
    """By TLS, or on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
