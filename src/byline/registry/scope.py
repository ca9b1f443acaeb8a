"""What a record speaks about: one work, or all works of an account, of a party, of a domain, or of the register.

A scope is text with its kind before the colon: `work:...`, `account:...`, `party:...`, `domain:example.org`, or `*`.
A domain reaches its subdomains. So one line can stand for the contract that covers a million works.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from byline.core import RegistryError, Work

EVERYTHING = "*"
_KINDS = ("work", "account", "party", "domain")
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)


def check_scope(scope: str) -> None:
    """Raises: RegistryError("bad-about")."""
    kind, colon, rest = scope.partition(":")
    good = scope == EVERYTHING or (colon and kind in _KINDS and rest and rest == rest.strip())
    if not good or (kind == "domain" and domain_of(rest) != rest):
        fix = "write work:ID, account:ID, party:ID, domain:example.org or *"
        raise RegistryError("bad-about", f"{scope!r} is nothing that a record can speak about", fix)


@lru_cache(maxsize=10_000)
def domain_of(source: str) -> str:
    """The host of a URL (or a bare host name) in lower case, as DNS spells it; "" for what names none."""
    text = source.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        name = host.rstrip(".").encode("idna").decode().lower() if not host.isascii() else host.rstrip(".").lower()
    except (ValueError, UnicodeError):
        return ""
    return name if _DOMAIN.fullmatch(name) else ""


def domain_scopes(source: str) -> tuple[str, ...]:
    """The domain of a URL and every domain above it. What is no URL has none: a shelf mark is not a host."""
    name = domain_of(source) if "://" in source else ""
    labels = name.split(".") if name else []
    return tuple("domain:" + ".".join(labels[at:]) for at in range(len(labels)))


def scopes_of(work: Work, domains: bool = True) -> tuple[str, ...]:
    """Every scope that reaches a work, the closest first; on demand without its domains, which take longest."""
    parties = dict.fromkeys(part.party for part in work.contributions)
    return (work.id, work.account, *parties, *(domain_scopes(work.source) if domains else ()), EVERYTHING)
