"""What an officer does with a notice: check who gave it, decide on it, take its withdrawal, erase a name."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from byline.app.notices import receipt_path
from byline.core import AppError, sha256_hex
from byline.disclosure import RECEIPT_FORMAT, sign_statement, write_statement
from byline.registry import LEVELS, Change, Dossier, Level, Papers, TargetKind, What, challenge

if TYPE_CHECKING:
    from byline.app.home import Home


@dataclass(frozen=True, slots=True)
class Step:
    """Something an officer does with a notice. `shown`: what stood where only the person can write."""

    what: What
    level: Level = Level.NONE
    shown: str = ""
    by: str = ""
    decided_by: str = ""
    because: str = ""
    evidence: bytes = b""


def change(home: "Home", notice: str, step: Step, now: datetime) -> tuple[Dossier, Path]:
    """Record it, and issue a receipt for it.

    Raises: AppError("not-shown"), ("no-decider"), ("not-theirs"), and those of `Notices.change`.
    """
    dossier, papers = home.notices.one(notice), home.notices.papers(notice)
    if step.what is What.VERIFIED:
        _check_verified(dossier, papers, step)
    elif step.what is What.WITHDRAWN:
        _check_withdrawn(dossier, papers, step)
    elif not step.decided_by:
        raise AppError("no-decider", f"nobody is named who says {step.what}", "add --decided-by NAME")
    seen = step.evidence or step.shown.encode()
    digest = sha256_hex(seen) if seen else ""
    record = Change(notice, step.what, now, step.level, step.decided_by, step.because, digest)
    home.notices.change(record)
    path = _change_receipt(home, record, step.decided_by or (papers.by if papers else ""))
    return home.notices.one(notice), path


def _check_verified(dossier: Dossier, papers: Papers | None, step: Step) -> None:
    if step.level in (Level.REGISTRY, Level.IDENTITY):
        if not (step.decided_by and step.evidence):
            fix = "add --decided-by NAME and --evidence FILE"
            raise AppError("no-decider", f"{step.level} needs somebody who saw a document", fix)
        return
    if step.level is Level.DOMAIN and dossier.notice.target.kind not in (TargetKind.DOMAIN, TargetKind.COLLECTION):
        fix = "verify it by contact, registry or identity"
        raise AppError("not-shown", f"a {dossier.notice.target.kind} is not shown to be theirs by a domain", fix)
    if step.level is Level.NONE or papers is None or challenge(papers, step.level) not in _words(step.shown):
        says = f"what was shown does not contain the challenge of {dossier.notice.id} for {step.level}"
        raise AppError("not-shown", says, f"`byline notice {dossier.notice.id}` says what must stand where")


def _check_withdrawn(dossier: Dossier, papers: Papers | None, step: Step) -> None:
    """Whoever gave it takes it back; once it was checked who that is, by something that only they can show."""
    if step.decided_by:
        return
    if papers is None or step.by.strip() != papers.by:
        fix = "give --by with the name on the receipt, or --decided-by for an officer who decided it"
        raise AppError("not-theirs", f"{dossier.notice.id} was not given by {step.by or 'nobody'!r}", fix)
    if dossier.level() is not Level.NONE and challenge(papers, "withdraw") not in _words(step.shown):
        says = f"{dossier.notice.id} was checked ({dossier.level()}), so a name alone does not withdraw it"
        raise AppError("not-shown", says, f"`byline notice {dossier.notice.id}` gives the challenge for --shown")


def _words(shown: str) -> set[str]:
    """A TXT record is quoted, a file has lines: the challenge must stand alone, not inside another word."""
    return {word.strip("\"';,") for word in shown.split()}


def _change_receipt(home: "Home", record: Change, by: str) -> Path:
    kind = "withdrawal" if record.what is What.WITHDRAWN else "change"
    reason = f": {record.because}" if record.because else ""
    body = {
        "format": RECEIPT_FORMAT,
        "type": kind,
        "id": record.notice,
        "what": str(record.what) + (f" ({record.level})" if record.what is What.VERIFIED else ""),
        "by": by,
        "received": record.at.isoformat(),
        "says": f"{record.notice} was {record.what} on {record.at.date()}{reason}.",
    }
    base = receipt_path(home, record.notice)
    number = len(list(base.parent.glob(f"{base.stem}.*.json"))) + 1
    path = base.with_name(f"{base.stem}.{number}-{record.what}.json")
    write_statement(path, sign_statement(body, home.log, home.key, kind))
    return path


def forget(home: "Home", notice: str, now: datetime) -> bool:
    """Erase who gave a notice, and its receipts, here: the leaf of the log then says nothing to anybody."""
    gone = home.notices.forget(notice, now)
    base = receipt_path(home, notice)
    for path in (base, *base.parent.glob(f"{base.stem}.*.json")):
        path.unlink(missing_ok=True)
    return gone


def level_of(text: str) -> Level:
    """Raises: AppError("bad-level")."""
    if text not in LEVELS[1:]:
        raise AppError("bad-level", f"{text!r} is no way to check who gave a notice", f"use {', '.join(LEVELS[1:])}")
    return Level(text)
