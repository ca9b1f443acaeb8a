"""Opt-outs and claims of a project: taking them in, receipts, what they reach, what is still owed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from byline.core import AccountId, Manifest, ManifestId, OptOut, PartyId, RunId, WorkId
from byline.disclosure import RECEIPT_FORMAT, sign_all, write_statement
from byline.gate import read_manifest
from byline.registry import (
    DEFAULT_USES,
    Change,
    Dossier,
    Names,
    Notice,
    NoticeKind,
    Papers,
    Reach,
    Reaches,
    Registry,
    Target,
    TargetKind,
    TrainingRun,
    What,
    Wish,
    asked_names,
    clocks,
    new_id,
    new_secret,
)

if TYPE_CHECKING:
    from byline.app.home import Home


class Contents(Protocol):
    """A frozen list of works, to be asked which of a few stand in it."""

    @property
    def id(self) -> str: ...
    def among(self, works: Iterable[WorkId]) -> list[WorkId]: ...


# By run: name, and the list of works if this register or its folder has it.
Trainings: TypeAlias = Mapping[RunId, tuple[str, Contents | None]]


@dataclass(frozen=True, slots=True)
class Given:
    """A notice as it was taken in; `new` is False if the same person had said the same before."""

    dossier: Dossier
    reach: Reach
    receipt: Path
    new: bool


def moment() -> datetime:
    """Now, in whole seconds of universal time."""
    return datetime.now(UTC).replace(microsecond=0)


def names(home: "Home", few: bool = False) -> Names:
    """What is registered, by name. `few`: for a question or two, looked up as they are asked."""
    if few:
        return asked_names(home.journal.engine, home.registry)
    return Names.of(home.registry.works(), home.registry.accounts(), home.registry.parties())


# --- taking in ----------------------------------------------------------------------------------------------------


def give(home: "Home", kind: NoticeKind, wishes: Sequence[Wish], now: datetime) -> list[Given]:
    """Record the wishes, all or none, and issue their receipts. What is recorded holds from that moment on."""
    papers = home.notices.all_papers()
    known = {_same(d, papers.get(d.notice.id)): d.notice.id for d in home.notices.all() if not d.ended(now.date())}
    named, added = [], []
    for wish in wishes:
        key = (kind, str(wish.target), wish.uses, wish.effective, wish.until, wish.by, wish.unless_licensed)
        if key not in known:
            added.append(_notice(kind, wish, now))
            known[key] = added[-1][0].id
        named.append(known[key])
    home.notices.add(added)
    issue_receipts(home)
    new, reached = {notice.id for notice, _ in added}, home.reached()
    found = {dossier.notice.id: dossier for dossier in home.notices.all()}
    return [
        Given(found[name], reached.by(found[name].notice.target), receipt_path(home, name), name in new)
        for name in named
    ]


def adopt_catalogue(home: "Home", now: datetime) -> int:
    """Notices, with receipts, for the opt-outs that came with a catalogue; how many were new."""
    known = {(d.notice.target, d.notice.effective) for d in home.notices.all()}
    new = [each for each in home.registry.opt_outs(date.max) if (_target(each), each.effective) not in known]
    parties = {party.id: party.name for party in home.registry.parties()}
    wishes = [
        Wish(_target(each), parties[each.party], DEFAULT_USES, each.effective, reason=each.reason) for each in new
    ]
    return sum(given.new for given in give(home, NoticeKind.OPT_OUT, wishes, now)) if wishes else 0


def standing(opt_outs: Iterable[OptOut], given: Iterable[Dossier], on: date) -> tuple[OptOut, ...]:
    """Opt-outs of a catalogue without those whose notice was withdrawn or rejected. A later no of the same day and
    target stands by itself."""
    ended: set[tuple[Target, date]] = set()
    alive: set[tuple[Target, date]] = set()
    for dossier in given:
        key = (dossier.notice.target, dossier.notice.effective)
        (ended if dossier.ended(on) else alive).add(key)
    return tuple(each for each in opt_outs if (_target(each), each.effective) not in ended - alive)


def _target(opt_out: OptOut) -> Target:
    if opt_out.work:
        return Target(TargetKind.WORK, opt_out.work)
    return Target(TargetKind.CONTRIBUTOR, opt_out.party)


def _same(dossier: Dossier, papers: Papers | None) -> tuple[object, ...]:
    notice = dossier.notice
    by = papers.by if papers else None
    return (notice.kind, str(notice.target), notice.uses, notice.effective, notice.until, by, notice.unless_licensed)


def _notice(kind: NoticeKind, wish: Wish, now: datetime) -> tuple[Notice, Papers]:
    name = new_id(kind)
    told = (wish.target, wish.uses, wish.effective, wish.until, now, wish.laws, wish.unless_licensed)
    notice = Notice(name, kind, *told)
    return notice, Papers(name, wish.by, wish.contact, wish.reason, wish.evidence_sha256, new_secret())


# --- receipts -----------------------------------------------------------------------------------------------------


def receipt_path(home: "Home", notice: str) -> Path:
    return home.path / "receipts" / f"{notice.replace(':', '-')}.json"


def issue_receipts(home: "Home") -> int:
    """Receipts for all notices that have none yet, under one checkpoint; how many. A process that was killed after
    it recorded a notice is made up for here."""
    papers, reached = home.notices.all_papers(), home.reached()
    waiting = [d for d in home.notices.all() if d.receipt() is None and d.notice.id in papers]
    for kind in NoticeKind:
        some = [dossier for dossier in waiting if dossier.notice.kind is kind]
        _issue(home, kind, some, papers, reached)
    return len(waiting)


def _issue(
    home: "Home", kind: NoticeKind, some: Sequence[Dossier], papers: Mapping[str, Papers], reached: Reaches
) -> None:
    if not some:
        return
    trained = trainings(home)
    bodies = [
        _body(d, papers[d.notice.id], about(home, d.notice.target), reached.by(d.notice.target), trained) for d in some
    ]
    documents = sign_all(bodies, home.log, home.key, str(kind))
    for dossier, document in zip(some, documents, strict=True):
        write_statement(receipt_path(home, dossier.notice.id), document)
    now = moment()
    home.notices.logged(
        [
            Change(d.notice.id, What.LOGGED, now, because=str(told["log"]["index"]), evidence_sha256=told["digest"])
            for d, told in zip(some, documents, strict=True)
        ]
    )


def _body(dossier: Dossier, papers: Papers, of: str, reach: Reach, trained: Trainings) -> dict[str, Any]:
    notice = dossier.notice
    return {
        "format": RECEIPT_FORMAT,
        "type": str(notice.kind),
        "id": notice.id,
        "target": notice.target.to_json(),
        "uses": [str(use) for use in notice.uses],
        "from": notice.effective.isoformat(),
        "until": notice.until.isoformat() if notice.until else None,
        "by": papers.by,
        "reason": papers.reason,
        "received": notice.received.isoformat(),
        "level": str(dossier.level()),
        "reaches": len(reach.works),
        "clocks": [{"law": c.law, "what": c.what, "due": c.due.isoformat(), "cite": c.cite} for c in clocks(dossier)],
        "says": sentence(notice, papers.by, of, len(reach.works), models(trained, reach.works)),
    }


def about(home: "Home", target: Target) -> str:
    """A target in words that a person knows it by."""
    if target.kind is TargetKind.WORK:
        return repr(home.works[WorkId(target.value)].title)
    if target.kind is TargetKind.CONTRIBUTOR:
        return f"everything by {home.names[PartyId(target.value)]}"
    if target.kind is TargetKind.ACCOUNT:
        return f"everything handed in by {home.registry.account(AccountId(target.value))}"
    return str(target)


def sentence(notice: Notice, by: str, of: str, works: int, found: Sequence[Mapping[str, Any]]) -> str:
    """A notice in words, with what it does and what it does not do. `of`: what it is about."""
    what = f"{', '.join(notice.uses)} of {of}"
    span = f"from {notice.effective}" + (f" to {notice.until}" if notice.until else " on")
    reached = f"{works} registered work{'' if works == 1 else 's'}"
    if notice.kind is NoticeKind.CLAIM:
        return (
            f"{by} says: this is mine, and I allow {what} {span}. It concerns {reached}. A yes permits nothing "
            "before it was checked who gave it, and lifts nobody's no."
        )
    inside = [model for model in found if model["works"]]
    owed = (
        f" {len(inside)} trained model{' contains' if len(inside) == 1 else 's contain'} some of them: that is still "
        "in the weights, nothing has been removed yet, and removal is owed."
        if inside
        else " No model trained here is known to contain any of them."
    )
    unless = " A licence on record lifts it." if notice.unless_licensed else ""
    return f"{by} says no to {what} {span}. It holds at once for new training and reaches {reached}.{unless}{owed}"


# --- trained models -----------------------------------------------------------------------------------------------


def models(trained: Trainings, works: Iterable[WorkId]) -> list[dict[str, Any]]:
    """For every recorded training: which of the works it contains, and what is owed for it."""
    wanted = set(works)
    return [_model(run, name, manifest, wanted) for run, (name, manifest) in trained.items()]


def _model(run: RunId, name: str, manifest: Contents | None, wanted: set[WorkId]) -> dict[str, Any]:
    inside = sorted(manifest.among(wanted)) if manifest else []
    state = (
        "still in the weights" if inside else "not in it" if manifest else "not known: its list of works is not here"
    )
    return {
        "run": run,
        "name": name,
        "manifest": manifest.id if manifest else None,
        "works": inside,
        "state": state,
        "owed": "removal" if inside else "",
    }


def trainings(home: "Home") -> Trainings:
    """Finished trainings of this project."""
    from byline.app.home import read_json

    found: dict[RunId, tuple[str, Contents | None]] = {}
    for path in sorted((home.path / "trainings").glob("*/training.json")):
        told = read_json(path, "byline train", ("run", "manifest", "name"))
        found[told["run"]] = (told["name"], _manifest(home, told["manifest"]))
    for run in home.registry.evidence.in_force(TrainingRun, date.max):
        if run.run not in found:
            found[run.run] = (run.name, _manifest(home, run.manifest))
    return found


@dataclass(frozen=True, slots=True)
class _Registered:
    """A list of works that the register has, not read but asked."""

    registry: Registry
    id: str

    def among(self, works: Iterable[WorkId]) -> list[WorkId]:
        return self.registry.manifest_works(ManifestId(self.id), works)


@dataclass(frozen=True, slots=True)
class _OnFile:
    """A list of works that is somewhere else, and here as a file."""

    manifest: Manifest

    @property
    def id(self) -> str:
        return self.manifest.id

    def among(self, works: Iterable[WorkId]) -> list[WorkId]:
        wanted = set(works)
        return [entry.work for entry in self.manifest.entries if entry.work in wanted]


def _manifest(home: "Home", name: str) -> Contents | None:
    """From the register, or from its file: a no must not fail because a list of works is somewhere else."""
    if home.registry.has_manifest(ManifestId(name)):
        return _Registered(home.registry, name)
    path = home.path / "manifests" / f"{name.removeprefix('manifest:')}.json"
    return _OnFile(read_manifest(path)) if path.is_file() else None


def is_notice(text: str) -> bool:
    return text.partition(":")[0] in ("optout", "claim")
