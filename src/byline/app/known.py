"""All that is known of one work: who, how it was obtained, licences, signals, decisions, data sets, trainings."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from byline.app.home import Home, read_json
from byline.core import AppError, ManifestId, OptOut, PartyId, Work, WorkId
from byline.registry import (
    Acquisition,
    Consent,
    Credit,
    Entry,
    EvidenceRecord,
    Grant,
    LegalDecision,
    Licence,
    People,
    Signal,
    TrainingRun,
    divide_work,
    scopes_of,
)

SHOWN: dict[str, type[EvidenceRecord]] = {
    "acquisitions": Acquisition,
    "licences": Licence,
    "grants": Grant,
    "consents": Consent,
    "signals": Signal,
    "legal_decisions": LegalDecision,
}
NOT_ON_RECORD = {
    "acquisitions": "how the copy was obtained",
    "signals": "whether anybody looked for opt-out signals",
    "legal_decisions": "what law packs say of it (byline check --jurisdiction EU)",
}


def about_work(home: Home, title_or_id: str, on: date, known: date | None = None) -> dict[str, Any]:
    """What is known, as JSON. on: the day that is asked about; known: only what was recorded by then.

    Raises: AppError("no-such-title").
    """
    work = find_work(home, title_or_id)
    evidence = {name: _entries(home, kind, work, on, known) for name, kind in SHOWN.items()}
    manifests = home.registry.evidence.manifests_with(work.id)
    told = {
        "work": work.id,
        "title": work.title,
        "kind": work.kind,
        "created": work.created.isoformat(),
        "account": home.registry.account(work.account),
        "source": work.source,
        "licence": work.licence,
        "sha256": work.sha256,
        "on": on.isoformat(),
        "known": known.isoformat() if known else None,
        "contributors": _contributors(home, work),
        "shares": _shares(home, work, on, known),
        **evidence,
        "opt_outs": _opt_outs(home, work, on),
        "decision": _decision(home, work),
        "manifests": [_manifest(home, name) for name in manifests],
        "runs": _runs(home, manifests, known),
    }
    return told | {"not_on_record": _missing(told)}


def find_work(home: Home, title_or_id: str) -> Work:
    """Raises: AppError("no-such-title")."""
    if title_or_id.startswith("work:"):
        return home.registry.work(WorkId(title_or_id))
    found = home.registry.works_titled(title_or_id)
    if len(found) == 1:
        return found[0]
    if found:
        fix = f"give {' or '.join(work.id for work in found[:3])}"
        raise AppError("no-such-title", f"{len(found)} works have the title {title_or_id!r}", fix)
    fix = "`byline export works --to FILE` lists them"
    raise AppError("no-such-title", f"{title_or_id!r} is neither the title nor the id of a work", fix)


# --- people -----------------------------------------------------------------------------------------------------


def _contributors(home: Home, work: Work) -> list[dict[str, Any]]:
    known = People(home.journal.engine, home.registry).known()
    numbers: dict[PartyId, list[str]] = {}
    for identity in _identities(known.records):
        numbers.setdefault(identity.party, []).append(f"{identity.scheme} {identity.value}")
    credits = home.registry.evidence.history(Credit, about=[work.id])
    since = {(c.record.party, c.record.role): c.record.effective for c in credits if c.ended is None}
    return [
        {
            "party": part.party,
            "name": home.names[part.party],
            "role": str(part.role),
            "numbers": numbers.get(part.party, []),
            "credited_since": _day(since.get((part.party, part.role))),
        }
        for part in work.contributions
    ]


def _identities(records: Iterable[Any]) -> list[Any]:
    return [record for record in records if record.KIND == "identity"]


def _shares(home: Home, work: Work, on: date, known: date | None) -> dict[str, Any]:
    people = People(home.journal.engine, home.registry).known(known)
    division = divide_work(work, home.registry.split_of(work.id, on), people, on)
    return {
        "agreed": division.agreed,
        "lines": [{"name": home.names[party], "ppm": ppm} for party, ppm in division.lines],
        "held_ppm": sum(hold.ppm for hold in division.holds),
        "unclaimed_ppm": division.unclaimed_ppm,
    }


def _opt_outs(home: Home, work: Work, on: date) -> list[dict[str, Any]]:
    people = {part.party for part in work.contributions}
    said: list[OptOut] = [one for one in home.opt_outs(on) if one.party in people and one.work in (None, work.id)]
    found = [
        {
            "by": home.names[one.party],
            "reaches": "this work" if one.work else "all works of theirs",
            "effective": one.effective.isoformat(),
            "because": one.reason,
        }
        for one in said
    ]
    block = home.blocks(on, [work]).get(work.id)
    if block is not None and not (found and block.target.startswith("contributor:")):  # else it stands there already
        notice = {"by": "", "reaches": block.target, "effective": block.effective.isoformat()}
        found.append(notice | {"because": block.because})
    return found


# --- evidence ---------------------------------------------------------------------------------------------------


def _entries(home: Home, kind: type[EvidenceRecord], work: Work, on: date, known: date | None) -> list[dict[str, Any]]:
    """Every record that reaches the work, the closest scope first, each with what became of it."""
    scopes = tuple(dict.fromkeys(scopes_of(work)))
    register = home.registry.evidence
    standing = {record.id for record in register.in_force(kind, on, known, about=scopes)}
    entries = sorted(
        (one for one in register.history(kind, about=scopes, as_of=known) if _concerns(one.record, work)),
        key=lambda one: scopes.index(_about(one.record)),
    )
    return [
        {
            "id": entry.id,
            "recorded": entry.recorded.isoformat(),
            "reaches": _reach(_about(entry.record)),
            "state": _state(entry, entry.id in standing, on),
            **entry.record.to_json(),
            "effective": entry.record.effective.isoformat(),
            **_person(home, entry.record),
        }
        for entry in entries
    ]


def _concerns(record: EvidenceRecord, work: Work) -> bool:
    """A consent for all works is one for those in which its person has a part."""
    if not isinstance(record, Consent) or record.about == work.id:
        return True
    return record.person in {part.party for part in work.contributions}


def _person(home: Home, record: EvidenceRecord) -> dict[str, str]:
    party = getattr(record, "person", "") or getattr(record, "grantor", "")
    return {"name": home.names[PartyId(party)]} if party else {}


def _about(record: EvidenceRecord) -> str:
    return str(getattr(record, "about", ""))


def _reach(about: str) -> str:
    kind, _, name = about.partition(":")
    words = {"work": "this work", "account": "all works of its account", "party": "all works of a contributor"}
    return f"all works from {name}" if kind == "domain" else words.get(kind, "all works")


def _state(entry: Entry[Any], stands: bool, on: date) -> str:
    record = entry.record
    until = getattr(record, "until", None)
    if stands:
        return "stands"
    if entry.ended is not None and entry.ended.effective <= on:
        return f"{entry.ended.why} on {entry.ended.effective}"
    if record.effective > on:
        return f"from {record.effective}"
    if until is not None and until < on:
        return f"ran out on {until}"
    return f"superseded by {entry.superseded_by}" if entry.superseded_by else "does not stand"


# --- what was done with it --------------------------------------------------------------------------------------


def _decision(home: Home, work: Work) -> dict[str, Any] | None:
    found = home.registry.decision(work.id)
    return found.to_json() if found else None


def _manifest(home: Home, name: str) -> dict[str, Any]:
    root, frozen = home.registry.manifest_head(ManifestId(name))
    return {"id": name, "root": root, "frozen": frozen.isoformat()}


def _runs(home: Home, manifests: Sequence[str], known: date | None) -> list[dict[str, Any]]:
    """Trainings on these manifests: those on record, and those whose folders lie here from before there was one."""
    runs = home.registry.evidence.in_force(TrainingRun, date.max, known)
    recorded = [
        {
            "run": run.run,
            "name": run.name,
            "model": run.model,
            "manifest": run.manifest,
            "begun": run.effective.isoformat(),
            "finished": _day(run.finished),
        }
        for run in runs
        if run.manifest in manifests
    ]
    seen = {run["run"] for run in recorded}
    return recorded + [run for run in _unrecorded(home) if run["manifest"] in manifests and run["run"] not in seen]


def _unrecorded(home: Home) -> Iterator[dict[str, Any]]:
    for path in sorted((home.path / "trainings").glob("*/training.json")):
        told = read_json(path, "byline train", ("run", "name", "manifest"))
        found = {name: told[name] for name in ("run", "name", "manifest")}
        yield {**found, "model": None, "begun": None, "finished": None}


def _missing(told: dict[str, Any]) -> list[str]:
    """What nobody has recorded: unknown, and so no consent."""
    missing = [says for name, says in NOT_ON_RECORD.items() if not told[name]]
    if not told["licence"] and not told["licences"]:
        missing.append("any licence")
    if told["decision"] is None:
        missing.append("a verdict of the gate (byline check)")
    return missing


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None
