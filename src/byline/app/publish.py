"""A contributor's choice written out for the web: files for a site, and copies of pictures that carry it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from byline.app.home import ORIGIN, Home
from byline.core import AppError, DisclosureError, PartyId
from byline.disclosure.publish import (
    POLICY,
    Choice,
    Published,
    Site,
    code_of,
    credential,
    embed,
    parse_choice,
    policy_of,
    publish,
    read_back,
    sign_file,
    unsaid,
)
from byline.gate.signals import Category, Options, Reading, Target, read_as, resolve

PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
COPIES = "files"


@dataclass(frozen=True)
class Holder:
    """Who chooses, and for what: one work, or all works of a party."""

    name: str
    party: PartyId | None
    work: str


def holder(home: Home, target: str) -> Holder:
    """A party by name or id, or the contributors of a work by its title or id. Raises: AppError("no-such-holder")."""
    parties = [party for party, name in home.names.items() if target in (party, name)]
    works = [work for work in home.works.values() if target in (work.id, work.title)]
    if len(parties) + len(works) != 1:
        how = "stands for several works or people" if parties or works else "is no work and no contributor"
        raise AppError("no-such-holder", f"{target!r} {how}", "give the id: `byline check --json` names them")
    if parties:
        return Holder(home.names[parties[0]], parties[0], "")
    return Holder(home.contributors(works[0].id), None, works[0].id)


def recorded_choice(home: Home, who: Holder, on: date) -> Choice:
    """The choice on record: an opt-out is a no to training. Raises: AppError("no-choice") if there is none."""
    for each in home.registry.opt_outs(on):
        whole = each.work is None and each.party == who.party
        if whole or (who.work and (each.work == who.work or _contributes(home, each.party, who, each.work))):
            return parse_choice("no-training")
    raise AppError("no-choice", f"no opt-out of {who.name} is on record", "say which: --choice no-training")


def _contributes(home: Home, party: PartyId, who: Holder, work: str | None) -> bool:
    parts = home.registry.work(next(w for w in home.works if w == who.work)).contributions
    return work is None and any(part.party == party for part in parts)


@dataclass(frozen=True)
class Copy:
    """A copy of a picture with the choice in it: what its metadata says, and whether a signed manifest says it too."""

    file: Path
    says: dict[str, str]
    signed: bool
    signature: str


@dataclass(frozen=True)
class Outcome:
    choice: Choice
    carriers: tuple[Published, ...]
    files: tuple[Path, ...]
    copies: tuple[Copy, ...]

    def to_json(self) -> dict[str, Any]:
        carriers = [
            {
                "carrier": each.carrier,
                "file": each.file if each.text else "",
                "says": {category.value: reading.value for category, reading in each.says.items()},
                "cautious": {category.value: reading.value for category, reading in each.cautious.items()},
                "cannot": each.why,
            }
            for each in self.carriers
        ]
        return {
            "choice": self.choice.to_json(),
            "carriers": carriers,
            "unsaid": [category.value for category in unsaid(self.choice, self.carriers)],
            "files": [str(file) for file in self.files],
            "copies": [{"file": str(c.file), "says": c.says, "signed": c.signed} for c in self.copies],
        }


def publish_choice(
    choice: Choice, site: Site, to: Path, pictures: Sequence[Path], keys: Path | None, today: date
) -> Outcome:
    """Write every carrier that can say the choice, after it has been read back as what it was meant to say.

    keys: folder of the certificate to sign copies with; None: they are not signed. Nothing is written if one of them
    would be misread, or a picture cannot carry it. Raises: DisclosureError, AppError("no-file").
    """
    everything = publish(choice, site)
    for each in everything:
        read_back(each, choice, site)
    copies = [_copy(path, choice, everything, keys, today) for path in pictures]
    texts = {each.file: each.text.encode("utf-8") for each in everything if each.text}
    if policy_of(choice, site):
        texts[POLICY] = policy_of(choice, site).encode("utf-8")
    files = [write_bytes(to / name, body) for name, body in texts.items()]
    told = []
    for body, copy in copies:
        write_bytes(to / COPIES / copy.file.name, body)
        told.append(Copy(to / COPIES / copy.file.name, copy.says, copy.signed, copy.signature))
    return Outcome(choice, everything, tuple(files), tuple(told))


def _copy(
    path: Path, choice: Choice, everything: tuple[Published, ...], keys: Path | None, today: date
) -> tuple[bytes, Copy]:
    """The bytes of the copy, and what our readers read in it."""
    try:
        body = path.read_bytes()
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault
    code, _ = code_of(choice)
    try:
        body = embed(body, code) if code else body
    except DisclosureError as fault:
        raise DisclosureError(fault.code, f"{path}: {fault.message}", fault.fix) from fault
    assertion = next(each.text for each in everything if each.carrier == "c2pa")
    if keys is not None and assertion:
        chain, key = credential(keys, ORIGIN, today)  # the operator signs, not the contributor
        media = PICTURES.get(path.suffix.lower(), "image/jpeg" if body[:2] == b"\xff\xd8" else "image/png")
        body = sign_file(body, media, path.name, assertion, chain, key)
    return body, _read(path, body, choice)


def _read(path: Path, body: bytes, choice: Choice) -> Copy:
    """Raises: DisclosureError("published-misread") if the copy says anything that was not chosen."""
    found = read_as("media", body, Target(path.name, datetime(2026, 1, 1, tzinfo=UTC)), Options())
    read = {each.category: each.reading for each in resolve(found.observations, found.problems)}
    wrong = [c.value for c in Category if read[c] not in (Reading.UNKNOWN, choice[c])]
    unread = [fault for fault in found.problems if fault.code != "c2pa-not-read"]
    if wrong or unread:
        says = f"{path}: the copy is read otherwise in {', '.join(wrong)}; {unread[:1]}"
        raise DisclosureError("published-misread", says, "look at what its metadata already says; nothing was written")
    signed = [seen for seen in found.observations if seen.carrier == "c2pa"]
    says_now = {c.value: read[c].value for c in Category if read[c] is not Reading.UNKNOWN}
    return Copy(path, says_now, bool(signed), signed[0].signature if signed else "")


def write_bytes(path: Path, body: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(body)
    return part.replace(path)
