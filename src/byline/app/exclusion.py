"""Run records and proofs of exclusion: what a training commits to before it begins, and what follows for a creator.

When a manifest is frozen, all decisions are kept beside it with their root and the head of the log. When a training
begins, everything is asked again: a work that somebody has said no to since is refused, and the head of the log and the
set of opt-outs in force are fixed. When it ends, all of that is signed with the weights as the record of the run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byline.app.notices import adopt_catalogue, issue_receipts, moment, receipt_path
from byline.core import AppError, Decision, Manifest, WorkId, merkle_root, sha256_hex
from byline.disclosure import (
    EXCLUSION_FORMAT,
    RUN_FORMAT,
    SortedSet,
    Tree,
    decision_leaves,
    read_checkpoint,
    read_document,
    seal_exclusion,
    sign_statement,
    write_statement,
)
from byline.gate import prove_absence
from byline.registry import Dossier, NoticeKind, Snapshot, TargetKind, TrainingRun, Use

if TYPE_CHECKING:
    from byline.app.home import Home


@dataclass(frozen=True, slots=True)
class Begun:
    """What a training commits to before its first step."""

    started: datetime
    checkpoint: str
    in_force: tuple[str, ...]  # digests of the receipts of all opt-outs in force


# --- freezing -----------------------------------------------------------------------------------------------------


def keep_snapshot(home: "Home", manifest: Manifest, decisions: Sequence[Decision]) -> None:
    """The decisions behind a manifest, their root and the head of the log, beside the manifest and in the register."""
    from byline.app.home import write_json

    path = _snapshot_path(home, manifest)
    if path.is_file():
        return
    note, root = home.log.checkpoint(home.key), merkle_root(decision_leaves(list(decisions))).hex()
    ordered = sorted(decisions, key=lambda decision: decision.work)
    home.registry.evidence.add(
        [
            Snapshot(
                manifest=manifest.id,
                manifest_root=manifest.root,
                effective=manifest.frozen,
                works=len(manifest.entries),
                refused=len(manifest.refused),
                decision_root=root,
                opt_out_checkpoint=note,
            )
        ],
        date.today(),
    )
    write_json(
        path,
        {
            "manifest": manifest.id,
            "opt_out_checkpoint": note,
            "decision_root": root,
            "decisions": [decision.to_json() for decision in ordered],
        },
    )


def _snapshot_path(home: "Home", manifest: Manifest) -> Path:
    return home.path / "manifests" / f"{manifest.id.removeprefix('manifest:')}.snapshot.json"


def _decisions(home: "Home", manifest: Manifest) -> list[Decision]:
    """Those behind a manifest; none if it was frozen before they were kept."""
    path = _snapshot_path(home, manifest)
    if not path.is_file():
        return []
    return [Decision.from_json(each) for each in json.loads(path.read_text(encoding="utf-8"))["decisions"]]


# --- a run --------------------------------------------------------------------------------------------------------


def begin_run(home: "Home", manifest: Manifest) -> Begun:
    """Ask everything again before the first step, and fix what holds.

    Raises: AppError("opted-out-since") if somebody has said no to a work of the manifest since it was frozen.
    """
    adopt_catalogue(home, moment())
    issue_receipts(home)
    started = moment()
    _refuse_opted_out(home, manifest, started.date())
    speaking = [d for d in home.notices.all() if _says_no(d, started.date())]
    digests = sorted(logged.evidence_sha256 for d in speaking if (logged := d.receipt()) is not None)
    return Begun(started, home.log.checkpoint(home.key), tuple(digests))


def _says_no(dossier: Dossier, on: date) -> bool:
    return dossier.notice.kind is NoticeKind.OPT_OUT and dossier.in_force(on) and dossier.covers(Use.TRAIN_GEN)


def _refuse_opted_out(home: "Home", manifest: Manifest, on: date) -> None:
    said_no = home.opted_out(on)
    refused = [entry.work for entry in manifest.entries if entry.work in said_no]
    if refused:
        titles = ", ".join(repr(home.works[work].title) for work in refused[:3]) + (" ..." if refused[3:] else "")
        says = f"{len(refused)} works of {manifest.id} were opted out after it was frozen: {titles}"
        raise AppError("opted-out-since", says, "freeze again, then train: byline freeze")


def finish_run(home: "Home", manifest: Manifest, begun: Begun, told: dict[str, Any], weights_sha256: str) -> Path:
    """Sign the record of a run and keep it in the training's folder and in the register."""
    from byline.app.home import write_json

    decisions = _decisions(home, manifest)
    folder, in_force = home.training(told["name"]), SortedSet(begun.in_force)
    contents = SortedSet(entry.sha256 for entry in manifest.entries)
    decision_root = merkle_root(decision_leaves(decisions)).hex()
    body = {
        "format": RUN_FORMAT,
        "type": "run",
        "run": told["run"],
        "name": told["name"],
        "started": begun.started.isoformat(),
        "manifest": manifest.id,
        "manifest_root": manifest.root,
        "works": len(manifest.entries),
        "contents": contents.size,
        "contents_root": contents.root,
        "decision_root": decision_root,
        "decisions": len(decisions),
        "in_force_root": in_force.root,
        "in_force": in_force.size,
        "checkpoint": begun.checkpoint,
        "weights_sha256": weights_sha256,
        "says": f"{told['run']} was trained on the {len(manifest.entries)} works of {manifest.id}, with "
        f"{in_force.size} opt-outs in force when it began.",
    }
    write_json(folder / "in_force.json", list(begun.in_force))
    path = folder / "run.json"
    write_statement(path, sign_statement(body, home.log, home.key, "run"))
    home.registry.evidence.add([_record(manifest, begun, told, decision_root)], date.today())
    return path


def _record(manifest: Manifest, begun: Begun, told: dict[str, Any], decision_root: str) -> TrainingRun:
    return TrainingRun(
        run=told["run"],
        name=told["name"],
        model=told["name"],
        manifest=manifest.id,
        manifest_root=manifest.root,
        effective=begun.started.date(),
        finished=date.today(),
        opt_out_checkpoint=begun.checkpoint,
        decision_root=decision_root,
    )


# --- a proof ------------------------------------------------------------------------------------------------------


def prove_exclusion(home: "Home", target: str, name: str) -> dict[str, Any]:
    """Proof for a work (title, id or file) or a notice that an opt-out was in force for a training and the work is not
    in it. Raises: AppError("no-run-record"), ("work-in-run"), ("no-opt-out"), ("no-decision")."""
    run = _run_record(home, name)
    body = run["statement"]
    manifest = home.registry.manifest(body["manifest"])
    work, sha256 = _work_of(home, target)
    _refuse_present(manifest, work, sha256, target, body)
    decision = next((d for d in _decisions(home, manifest) if d.work == work), None)
    in_force = SortedSet(json.loads((home.training(name) / "in_force.json").read_text(encoding="utf-8")))
    notice = _opt_out_for(home, target, work, sha256, decision, in_force)
    receipt = _receipt(home, notice)
    head = read_checkpoint(body["checkpoint"], home.key.public)
    size, index = (head.size if head else 0), receipt["log"]["index"]
    tree = home.log.tree()
    contents = SortedSet(entry.sha256 for entry in manifest.entries)
    parts = {
        "format": EXCLUSION_FORMAT,
        "work": work,
        "run": run,
        "opt_out": receipt,
        "in_log": {"index": index, "proof": _hex(tree.inclusion(index, size))},
        "in_force": in_force.prove_member(receipt["digest"]),
        "decision": _placed(_decisions(home, manifest), decision) if decision and work else None,
        "absence": prove_absence(manifest, work).to_json() if work else None,
        "content": contents.prove_absent(sha256),
        "consistency": _hex(tree.consistency(size, run["log"]["size"])),
    }
    return seal_exclusion(parts, home.key)


def _run_record(home: "Home", name: str) -> dict[str, Any]:
    path = home.training(name) / "run.json"
    if not path.is_file():
        fix = "its operator can only show the manifest; trainings from now on keep such a record: byline train"
        raise AppError("no-run-record", f"{name!r} was trained without a signed record of its run", fix)
    return read_document(path)


def _work_of(home: "Home", target: str) -> tuple[WorkId | None, str]:
    """The registered work that is meant, or None, and the digest of its file."""
    from byline.app.notices import is_notice, names
    from byline.registry import read_target

    found = home.notices.one(target).notice.target if is_notice(target) else read_target(target, names(home))
    if found.kind is TargetKind.WORK:
        return WorkId(found.value), home.works[WorkId(found.value)].sha256
    if found.kind is TargetKind.FILE:
        works = [work for work in home.works.values() if work.sha256 == found.value]
        return (works[0].id if works else None), found.value
    fix = "name one work of it, by title, id or file"
    raise AppError("no-opt-out", f"{found} is not one work, and a proof is about one work", fix)


def _refuse_present(manifest: Manifest, work: WorkId | None, sha256: str, target: str, body: dict[str, Any]) -> None:
    if any(entry.work == work or entry.sha256 == sha256 for entry in manifest.entries):
        says = f"{target} is in {manifest.id}, on which {body['run']} was trained: its exclusion cannot be proved"
        raise AppError("work-in-run", says, "say no now: byline optout TARGET; what is owed: byline notice ID")


def _opt_out_for(
    home: "Home", target: str, work: WorkId | None, sha256: str, decision: Decision | None, in_force: SortedSet
) -> Dossier:
    """The opt-out that the proof is about: in force for the run, and about this work by itself or by the decision."""
    named = set(decision.evidence) if decision else set()
    about = {work, sha256} | named
    counted = [d for d in home.notices.all() if (r := d.receipt()) and r.evidence_sha256 in in_force.words]
    for dossier in counted:
        notice = dossier.notice
        if notice.id == target or notice.target.value in about or notice.id in named:
            if work is not None and not (named & {notice.id, notice.target.value} or notice.target.value == work):
                continue
            return dossier
    if work is not None and decision is None:
        fix = "byline freeze, then train"
        raise AppError("no-decision", f"the decisions of the manifest on {work} were not kept", fix)
    raise AppError("no-opt-out", f"no opt-out of {target} was in force when the run began", "byline optout TARGET")


def _receipt(home: "Home", dossier: Dossier) -> dict[str, Any]:
    path = receipt_path(home, dossier.notice.id)
    if not path.is_file():
        fix = "whoever gave the notice holds the receipt; here it was erased on request"
        raise AppError("no-receipt", f"there is no receipt of {dossier.notice.id} here", fix)
    return read_document(path)


def _placed(decisions: list[Decision], decision: Decision) -> dict[str, Any]:
    ordered = sorted(decisions, key=lambda each: each.work)
    index = ordered.index(decision)
    path = Tree(decision_leaves(ordered)).inclusion(index, len(ordered))
    return {"decision": decision.to_json(), "index": index, "proof": _hex(path)}


def _hex(path: list[bytes]) -> list[str]:
    return [node.hex() for node in path]


def write_proof(proof: dict[str, Any], path: Path) -> str:
    """Write a proof for people and programs to read; the SHA-256 of the file."""
    write_statement(path, proof)
    return sha256_hex(path.read_bytes())
