"""A contributor's choice written out for the web: files for a site, and copies of pictures that carry it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from byline.app.home import ORIGIN, Home
from byline.core import AppError, DisclosureError, PartyId, WorkId
from byline.disclosure.publish import (
    POLICY,
    Choice,
    Published,
    Site,
    code_of,
    credential,
    embed,
    policy_of,
    publish,
    read_back,
    sign_file,
    unsaid,
)
from byline.gate.signals import Category, Options, Reading, Target, read_as, resolve
from byline.registry import NoticeKind, TargetKind

PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
COPIES = "files"


@dataclass(frozen=True)
class Holder:
    """Who chooses, and for what: one work, or all works of a party."""

    name: str
    party: PartyId | None
    work: WorkId


def holder(home: Home, target: str) -> Holder:
    """A party by name or id, or the contributors of a work by its title or id. Raises: AppError("no-such-holder")."""
    parties = [party for party, name in home.names.items() if target in (party, name)]
    works = [work for work in home.works.values() if target in (work.id, work.title)]
    if len(parties) + len(works) != 1:
        how = "stands for several works or people" if parties or works else "is no work and no contributor"
        raise AppError("no-such-holder", f"{target!r} {how}", "give the id: `byline check --json` names them")
    if parties:
        return Holder(home.names[parties[0]], parties[0], WorkId(""))
    return Holder(home.contributors(works[0].id), None, works[0].id)


def recorded_choice(home: Home, who: Holder, on: date) -> Choice:
    """The choice on record: every use that a no in force refuses. Raises: AppError("no-choice") if there is none."""
    refused = _noticed(home, who, on)
    parties = {who.party} if who.party else {part.party for part in home.works[who.work].contributions}
    for each in home.opt_outs(on):  # those handed in with a catalogue, which refuse training
        if each.party in parties and each.work in (None, who.work):
            refused |= {Category.TDM, Category.TRAIN_GEN, Category.TRAIN_OTHER}
    if not refused:
        raise AppError("no-choice", f"no opt-out of {who.name} is on record", "say which: --choice no-training")
    return Choice({category: Reading.DENY for category in Category if category in refused})


def _noticed(home: Home, who: Holder, on: date) -> set[Category]:
    """Uses that notices refuse: of a party those about the contributor, of a work all that reach it."""
    found: set[Category] = set()
    reached = home.reached() if who.work else None
    for dossier in home.notices.all():
        notice = dossier.notice
        if notice.kind is not NoticeKind.OPT_OUT or not dossier.in_force(on):
            continue
        if reached is None:
            meant = notice.target.kind is TargetKind.CONTRIBUTOR and notice.target.value == who.party
        else:
            meant = who.work in reached.by(notice.target).works
        if meant:
            found |= {Category(use.value) for use in notice.uses}
    return found


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
