"""Proof of exclusion: "my no was in force when run R began, and my work is not in what R was trained on".

    {"format", "work", "run": signed, "opt_out": signed, "in_log", "in_force", "decision", "absence", "content",
     "consistency", "digest", "signature"}

The run's own signed record carries the roots that everything else is proved against: of the manifest, of its contents,
of the decisions, of the opt-outs in force, and the checkpoint of the log as it stood when the run began. Nothing in the
file is believed: each part is either signed or a path to something signed, so that a changed byte breaks a check. The
whole is signed too, because only the operator's word ties the digest of the file (`content`) to the work.

What the proof rests on: that the operator trained on the manifest it signed, and that it kept the lists in order. Both
are statements under its signature, and whoever has the manifest can check the second.
"""

from collections.abc import Callable, Mapping
from typing import Any

from byline.core import (
    BylineError,
    CoreError,
    Decision,
    DisclosureError,
    canonical_json,
    digest,
    leaf_hash,
    verify_consistency,
)
from byline.disclosure.log import Checkpoint, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey
from byline.disclosure.sets import verify_absent, verify_member, verify_path
from byline.disclosure.statements import verify_document
from byline.disclosure.verification import Check, Verification
from byline.gate import AbsenceProof, verify_absence

FORMAT = "byline-exclusion-1"
FIELDS = (
    "format",
    "work",
    "run",
    "opt_out",
    "in_log",
    "in_force",
    "decision",
    "absence",
    "content",
    "consistency",
    "digest",
    "signature",
)


def seal_exclusion(parts: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """The parts of a proof, signed as a whole."""
    sealed = digest(dict(parts))
    return {**parts, "digest": sealed, "signature": key.sign(f"{FORMAT}\n{sealed}\n")}


def verify_exclusion(told: Mapping[str, Any], key: PublicKey) -> Verification:
    """Every check of a proof of exclusion, offline; the first field that differs is named where it can be known."""
    if set(told) != set(FIELDS) or told["format"] != FORMAT:
        says = f"a proof of exclusion has exactly the fields {', '.join(FIELDS)}, and the format {FORMAT}"
        return Verification((Check("shape", False, says),), None)
    checks, changed = [Check("shape", True, "it is a proof of exclusion")], None
    for name in ("run", "opt_out"):
        found = verify_document(told[name], key) if isinstance(told[name], Mapping) else None
        wrong = [check for check in found.checks if not check.ok] if found else [Check("shape", False, "is missing")]
        says = "; ".join(f"{check.name}: {check.says}" for check in wrong) or _HOLDS[name]
        checks.append(Check(name, not wrong, says))
        changed = changed or (f"/{name}{found.changed}" if found and found.changed else f"/{name}" if wrong else None)
    for name, check in _CHECKS.items():
        fault, where = _asked(check, told, key)
        checks.append(Check(name, not fault, fault or _HOLDS[name]))
        changed = changed or (where if fault else None)
    return Verification(tuple(checks), changed)


_Fault = tuple[str, str]  # what is wrong ("" if nothing), and where


def _asked(check: Callable[[Mapping[str, Any], PublicKey], _Fault], told: Mapping[str, Any], key: PublicKey) -> _Fault:
    try:
        return check(told, key)
    except (BylineError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as fault:
        return f"cannot be checked: {fault}", f"/{check.__name__.removeprefix('_check_')}"


def _run(told: Mapping[str, Any]) -> Mapping[str, Any]:
    body: Mapping[str, Any] = told["run"]["statement"]
    return body


def _carried(told: Mapping[str, Any], key: PublicKey) -> Checkpoint:
    """The head of the log that the run carries."""
    found = read_checkpoint(_run(told)["checkpoint"], key)
    if found is None:
        raise DisclosureError("not-a-proof", f"the head of the log in the run's record is not signed by {key.name}")
    return found


def _check_kinds(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    """A receipt of something else, signed by the same key, proves nothing."""
    for name, kind in (("run", "run"), ("opt_out", "opt-out")):
        if told[name]["seal"]["kind"] != kind:
            return f"{name} is a document of kind {told[name]['seal']['kind']!r}, not {kind!r}", f"/{name}/seal/kind"
    return "", ""


def _check_in_log(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    carried, placed = _carried(told, key), told["in_log"]
    leaf = entry_hash(told["opt_out"]["seal"]["kind"], told["opt_out"]["digest"])
    if set(placed) != {"index", "proof"} or type(placed["index"]) is not int:
        return "there is no place in the log", "/in_log"
    if verify_path(leaf, placed["index"], carried.size, placed["proof"], carried.root.hex()):
        return "", ""
    return f"leaf {placed['index']} of the log at the run's start is not this opt-out", "/in_log"


def _check_in_force(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    run, placed, body = _run(told), told["in_force"], told["opt_out"]["statement"]
    if placed["word"] != told["opt_out"]["digest"]:
        return "the proof is of another opt-out", "/in_force/word"
    day = run["started"][:10]
    if not (body["from"] <= day and (body["until"] is None or day <= body["until"])):
        return f"the opt-out does not hold on {day}, when the run began", "/opt_out/statement/from"
    if verify_member(placed, run["in_force"], run["in_force_root"]):
        return "", ""
    return "the run's record does not count this opt-out as in force", "/in_force"


def _check_decision(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    """The opt-out is about this work: by its target, or by the decision that names it."""
    run, placed, body = _run(told), told["decision"], told["opt_out"]["statement"]
    if placed is None:
        by_file = body["target"]["kind"] == "file" and body["target"]["value"] == told["content"]["word"]
        return ("", "") if by_file and told["work"] is None else ("there is no decision on the work", "/decision")
    decision = Decision.from_json(placed["decision"])
    if set(placed) != {"decision", "index", "proof"} or type(placed["index"]) is not int:
        return "there is no place among the decisions", "/decision"
    if decision.work != told["work"] or decision.verdict != "refuse":
        return "the decision is on another work, or refuses nothing", "/decision/decision"
    named = {body["id"], body["target"]["value"]} & set(decision.evidence)
    if not named and body["target"]["value"] != told["work"]:
        return "the decision does not rest on this opt-out", "/decision/decision/evidence"
    leaf = leaf_hash(canonical_json(placed["decision"]))
    if verify_path(leaf, placed["index"], run["decisions"], placed["proof"], run["decision_root"]):
        return "", ""
    return "the run's record does not hold this decision", "/decision"


def _check_absence(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    run = _run(told)
    if told["absence"] is None:
        return ("", "") if told["work"] is None else ("nothing shows that the work is absent", "/absence")
    proof = AbsenceProof.from_json(told["absence"])
    if proof.work != told["work"]:
        return f"the proof is about {proof.work}", "/absence/work"
    if proof.size != run["works"]:
        return f"the run's record has {run['works']} works, the proof {proof.size}", "/absence/size"
    canonical = all(_canonical(placed.path) for placed in (proof.before, proof.after) if placed)
    if canonical and verify_absence(proof, run["manifest_root"]):
        return "", ""
    return "the manifest's root does not show that the work is absent", "/absence"


def _check_content(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    """The same by the SHA-256 of the file, which the creator can compute without anybody's word for it."""
    run, proof = _run(told), told["content"]
    if verify_absent(proof, run["contents"], run["contents_root"]):
        return "", ""
    return "the run's record does not show that a file of this digest is absent", "/content"


def _check_consistency(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    """The log in which the run was entered continues the one that it started from: no second history."""
    old, new = _carried(told, key), read_checkpoint(told["run"]["log"]["checkpoint"], key)
    path = [bytes.fromhex(node) for node in told["consistency"]]
    if new is None or not _canonical(told["consistency"]):
        return "there is nothing to follow", "/consistency"
    if verify_consistency(old.size, old.root, new.size, new.root, path):
        return "", ""
    return f"the log of {new.size} leaves does not continue the one of {old.size}", "/consistency"


def _check_whole(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    """Every part is held by a check of its own, but for the digest of the file, which is named if nothing else is."""
    found = digest({name: part for name, part in told.items() if name not in ("digest", "signature")})
    stated = told["digest"]
    if key.accepts(f"{FORMAT}\n{stated}\n", told["signature"]):
        return ("", "") if stated == found else ("the proof is not the one that was signed", "/content/word")
    where = "/digest" if key.accepts(f"{FORMAT}\n{found}\n", told["signature"]) else "/signature"
    return f"the proof is not signed as a whole by {key.name}", where


def _canonical(path: Any) -> bool:
    return all(bytes.fromhex(node).hex() == node for node in path)


_CHECKS: dict[str, Callable[[Mapping[str, Any], PublicKey], _Fault]] = {
    "kinds": _check_kinds,
    "in_log": _check_in_log,
    "in_force": _check_in_force,
    "decision": _check_decision,
    "absence": _check_absence,
    "content": _check_content,
    "consistency": _check_consistency,
    "whole": _check_whole,
}
_HOLDS = {
    "run": "the record of the run is whole, signed and in the log",
    "opt_out": "the receipt of the opt-out is whole, signed and in the log",
    "kinds": "they are a record of a run and the receipt of an opt-out",
    "in_log": "the opt-out stood in the log when the run began",
    "in_force": "the run's record counts the opt-out as in force",
    "decision": "the work was refused because of it",
    "absence": "the work is not in the manifest of the run",
    "content": "no file with this digest is in the manifest of the run",
    "consistency": "the log was only ever added to between the run's start and its record",
    "whole": "the proof as a whole is the one that was signed",
}


def decision_leaves(decisions: list[Decision]) -> list[bytes]:
    """Leaves of the tree of decisions, by work id. Raises: CoreError("twice-decided")."""
    ordered = sorted(decisions, key=lambda decision: decision.work)
    if len({decision.work for decision in ordered}) != len(ordered):
        raise CoreError("twice-decided", "two decisions on one work")
    return [leaf_hash(canonical_json(decision.to_json())) for decision in ordered]
