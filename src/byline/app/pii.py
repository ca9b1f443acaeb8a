"""The audit for personal data over files, folders and registered works; what it found of works is kept for the gate."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_json, write_json
from byline.core import AppError, CoreError, GateError, RegistryError, WorkId
from byline.core.hashing import digest
from byline.gate.law import Value
from byline.gate.pii import Audit, Auditor

LARGEST = 512 * 2**20
Progress = Callable[[str, int, int], None]  # what, done, of
FORMAT = "byline-pii/1"


def audit_places(places: Sequence[Path], on: date, progress: Progress) -> list[Audit]:
    """Every file of these files and folders. Raises: GateError("no-signal-file") for a path where nothing is."""
    files = [file for place in places for file in _files(place)]
    auditor, found = Auditor(on), []
    for number, file in enumerate(files):
        progress("files", number, len(files))
        found.append(_of_file(auditor, file, progress))
    progress("files", len(files), len(files))
    return found


def _of_file(auditor: Auditor, file: Path, progress: Progress) -> Audit:
    if file.stat().st_size > LARGEST:
        return auditor.refused(str(file), f"{file.stat().st_size:,} bytes; at most {LARGEST:,} are read")
    return auditor.body(
        str(file), file.read_bytes(), lambda done, of: progress("characters of the last text", done, of)
    )


def _files(place: Path) -> Iterator[Path]:
    if not place.exists():
        raise GateError("no-signal-file", f"{place}: no such file or folder", "check the path")
    yield from sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else (place,)


def audit_works(home: Home, on: date, progress: Progress) -> dict[WorkId, Audit]:
    """Every registered work; the audit is kept in the project folder, beside earlier ones.

    Raises: AppError("nothing-registered").
    """
    works = sorted(home.works.values(), key=lambda work: work.id)
    if not works:
        raise AppError("nothing-registered", f"{home.path} holds no works", "byline register CATALOGUE")
    auditor, found = Auditor(on), dict[WorkId, Audit]()
    for number, work in enumerate(works):
        progress("works", number, len(works))
        try:
            audit = auditor.text(work.id, home.registry.text(work.id))
        except RegistryError as fault:
            audit = auditor.refused(work.id, fault.message)
        found[work.id] = audit
    progress("works", len(works), len(works))
    _keep(home, on, found.values())
    return found


def _keep(home: Home, on: date, audits: Iterable[Audit]) -> None:
    """Numbered in order of making; nothing that was kept is changed."""
    kept = {"format": FORMAT, "on": on.isoformat(), "audits": [audit.to_json() for audit in audits]}
    name = f"{len(_kept_files(home)):05d}-{digest(kept)[:16]}.json"
    write_json(home.path / "pii" / name, kept)


def _kept_files(home: Home) -> list[Path]:
    return sorted((home.path / "pii").glob("*.json"))


def kept_audits(home: Home) -> dict[WorkId, Audit]:
    """The latest audit of each work that has one. Raises: AppError("unreadable") for a file that was altered."""
    found: dict[WorkId, Audit] = {}
    for file in _kept_files(home):
        kept = read_json(file, "byline pii", ("format", "on", "audits"))
        try:
            audits = [Audit.from_json(each) for each in kept["audits"]]
        except (CoreError, TypeError) as fault:
            raise AppError("unreadable", f"{file} is not an audit: {fault}", "delete it and run: byline pii") from fault
        found |= {WorkId(audit.source): audit for audit in audits}
    return found


def pii_facts(home: Home) -> dict[WorkId, dict[str, Value]]:
    """What the kept audits establish of works. Of a work without finds they establish nothing."""
    return {work: dict(audit.facts()) for work, audit in kept_audits(home).items() if audit.counts}


def told_of(audits: Iterable[Audit]) -> dict[str, Any]:
    """The report for machines, and its sums."""
    listed = list(audits)
    sums: Counter[str] = Counter()
    for audit in listed:
        sums.update(dict(audit.counts))
    return {
        "audited": len(listed),
        "with_finds": sum(1 for audit in listed if audit.counts),
        "counts": dict(sorted(sums.items())),
        "detectors": sorted({name for audit in listed for name in audit.detectors}),
        "not_looked_for": _lacking(listed),
        "audits": [audit.to_json() | {"facts": audit.facts()} for audit in listed],
    }


def _lacking(audits: Sequence[Audit]) -> Mapping[str, int]:
    """What was not looked for or not read, with the number of files that it concerns."""
    return dict(Counter(problem.says for audit in audits for problem in audit.unread))
