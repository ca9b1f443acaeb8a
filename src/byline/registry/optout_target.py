"""What a person may write to say what a notice is about, read into a target: the same words on a command line and in a
file.

    A title, or work:ID        one work
    a file's path, or sha256:  every copy of exactly this file, whoever hands it in, also later
    ISCC:...                   every text with this content code; near ones are reported
    domain:example.org         everything from there, subdomains too
    account:NAME               everything that an account hands in
    collection:https://...     everything whose source begins so
    contributor:NAME           everything that a person has a part in
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from byline.core import AccountId, Party, PartyId, RegistryError, Work, WorkId, account_id, party_id, sha256_hex
from byline.registry.optout import Target, TargetKind
from byline.registry.optout_iscc import parse_iscc
from byline.registry.scope import domain_of


@dataclass(frozen=True)
class Names:
    """What is registered, by the names that people know it under."""

    ids: Container[WorkId] = frozenset()
    titles: Mapping[str, tuple[WorkId, ...]] = field(default_factory=dict)
    accounts: Container[AccountId] = frozenset()
    parties: Container[PartyId] = frozenset()

    @classmethod
    def of(cls, works: Iterable[Work], accounts: Iterable[AccountId], parties: Iterable[Party]) -> "Names":
        titles: dict[str, tuple[WorkId, ...]] = {}
        ids = []
        for work in works:
            ids.append(work.id)
            titles[work.title] = (*titles.get(work.title, ()), work.id)
        return cls(frozenset(ids), titles, frozenset(accounts), frozenset(party.id for party in parties))


def read_target(text: str, names: Names, folder: Path = Path()) -> Target:
    """Raises: RegistryError("unknown-target"), ("ambiguous-target"), ("bad-iscc"), ("iscc-missing")."""
    text = text.strip()
    head, colon, rest = text.partition(":")
    kind = head.lower()
    if kind == "iscc" and colon:
        parse_iscc(text)
        return Target(TargetKind.ISCC, f"ISCC:{rest.strip().upper()}")
    readers: dict[str, Callable[[str, Names], Target]] = {
        "sha256": _digest,
        "file": lambda value, _: _file(folder / value),
        "domain": _domain,
        "account": _account,
        "collection": _collection,
        "contributor": _contributor,
        "party": lambda value, known: _contributor(f"party:{value}", known),
    }
    if colon and kind in readers:
        return readers[kind](rest.strip(), names)
    if text in names.ids:
        return Target(TargetKind.WORK, text)
    if text in names.titles:
        return _titled(text, names)
    if text and (folder / text).is_file():
        return _file(folder / text)
    if text and party_id(text) in names.parties:
        return _contributor(text, names)
    says = f"{text!r} is neither the title nor the id of a work, nor a file, nor a contributor's name"
    raise RegistryError(
        "unknown-target", says, "or write domain:, account:, collection:, contributor:, sha256: or ISCC:"
    )


def _titled(title: str, names: Names) -> Target:
    found = names.titles[title]
    if len(found) > 1:
        fix = f"give the id of one of them: {', '.join(found[:3])}"
        raise RegistryError("ambiguous-target", f"{len(found)} works are called {title!r}", fix)
    return Target(TargetKind.WORK, found[0])


def _file(path: Path) -> Target:
    if not path.is_file():
        raise RegistryError("unknown-target", f"there is no file {path}", "check the path, or give sha256:DIGEST")
    return Target(TargetKind.FILE, sha256_hex(path.read_bytes()))


def _digest(value: str, _: Names) -> Target:
    if not re.fullmatch("[0-9a-f]{64}", value.lower(), re.ASCII):
        raise RegistryError("unknown-target", f"{value!r} is no SHA-256", "sha256sum FILE prints it")
    return Target(TargetKind.FILE, value.lower())


def _domain(value: str, _: Names) -> Target:
    name = domain_of(value)
    if "." not in name:  # one label would reach a whole top-level domain
        raise RegistryError("unknown-target", f"{value!r} is no domain", "as in domain:example.org")
    return Target(TargetKind.DOMAIN, name)


def _account(value: str, names: Names) -> Target:
    for found in (AccountId(f"account:{value}"), account_id(value)):
        if found in names.accounts:
            return Target(TargetKind.ACCOUNT, found)
    raise RegistryError("unknown-target", f"no account {value!r} has registered anything", "check its name")


def _contributor(value: str, names: Names) -> Target:
    for found in (PartyId(value), party_id(value)):
        if found in names.parties:
            return Target(TargetKind.CONTRIBUTOR, found)
    raise RegistryError("unknown-target", f"{value!r} contributes to no registered work", "check the name")


def _collection(value: str, _: Names) -> Target:
    whole = value.rstrip("/")
    if len(whole) < 4 or whole.endswith(":"):
        raise RegistryError("unknown-target", f"{value!r} names no collection", "the beginning of its works' source")
    return Target(TargetKind.COLLECTION, whole)
