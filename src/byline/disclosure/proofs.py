"""Verifying whatever file somebody holds: a signed document, a proof of exclusion, a proof that the log only grew."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from byline.core import BylineError, DisclosureError, verify_consistency
from byline.disclosure.exclusion import FORMAT as EXCLUSION
from byline.disclosure.exclusion import verify_exclusion
from byline.disclosure.log import Log, read_checkpoint
from byline.disclosure.notes import PublicKey, load_public
from byline.disclosure.reading import NOT_SIGNED, parsed, read_bytes
from byline.disclosure.statements import verify_document
from byline.disclosure.verification import Check, Verification

CONSISTENCY = "byline-consistency-1"


def verify_file(path: Path, key: PublicKey | str | Path) -> Verification:
    """Every check of the file, offline. Raises: DisclosureError("no-document"), and what `load_public` raises."""
    public = key if isinstance(key, PublicKey) else load_public(key)
    told = _proof(path)
    if told is None:
        found = verify_document(path, public)
        return replace(found, what="receipt") if any(check.name == "receipt" for check in found.checks) else found
    found = verify_exclusion(told, public) if told["format"] == EXCLUSION else verify_growth(told, public)
    return replace(found, what="proof")


def _proof(path: Path) -> Mapping[str, Any] | None:
    """The file's content if it calls itself a proof."""
    if path.suffix != ".json":
        return None
    try:
        told = parsed(read_bytes(path), path.name)
    except DisclosureError as fault:
        if fault.code != NOT_SIGNED:
            raise
        return None  # verify_document says what is wrong with it
    known = isinstance(told, Mapping) and told.get("format") in (EXCLUSION, CONSISTENCY)
    return told if known else None


def prove_growth(log: Log, old: str, new: str, key: PublicKey) -> dict[str, Any]:
    """Proof that the log under the signed head `new` begins with the one under `old`.

    Raises: DisclosureError("bad-checkpoint") for a head that is not signed by `key`, DisclosureError("forked-log") if
    one of them is not of this log.
    """
    heads = [read_checkpoint(note, key) for note in (old, new)]
    before, after = heads
    if before is None or after is None:
        raise DisclosureError("bad-checkpoint", f"a head is not signed by {key.name}", "use the log's own key")
    tree = log.tree()
    for head in (before, after):
        if head.size > tree.size or tree.root(head.size) != head.root:
            fix = "keep both heads and publish them: together they show that the log was forked"
            raise DisclosureError("forked-log", f"the head of {head.size} leaves is not of this log", fix)
    if before.size > after.size:
        raise DisclosureError("bad-checkpoint", f"{before.size} leaves are more than {after.size}", "turn them round")
    proof = tree.consistency(before.size, after.size) if before.size else []
    return {"format": CONSISTENCY, "old": old, "new": new, "proof": [node.hex() for node in proof]}


def verify_growth(told: Mapping[str, Any], key: PublicKey) -> Verification:
    """Every check of a proof that the log only grew."""
    if set(told) != {"format", "old", "new", "proof"} or told["format"] != CONSISTENCY:
        says = f"a proof of growth has exactly the fields format, old, new and proof, and the format {CONSISTENCY}"
        return Verification((Check("shape", False, says),), None)
    checks, changed = [Check("shape", True, "it is a proof that the log only grew")], None
    heads = {}
    for name in ("old", "new"):
        heads[name] = read_checkpoint(told[name], key) if isinstance(told[name], str) else None
        says = "is signed by this key" if heads[name] else f"is not signed by {key.name}"
        checks.append(Check(name, heads[name] is not None, f"the {name} head of the log {says}"))
        changed = changed or (None if heads[name] else f"/{name}")
    fault = _growth_fault(told, heads["old"], heads["new"])
    checks.append(Check("growth", not fault, fault or "the new log begins with the old one, leaf for leaf"))
    return Verification(tuple(checks), changed or ("/proof" if fault else None))


def _growth_fault(told: Mapping[str, Any], old: Any, new: Any) -> str:
    if old is None or new is None:
        return "there are no two heads to compare"
    try:
        nodes = [bytes.fromhex(node) for node in told["proof"]]
        written = [node.hex() for node in nodes] == told["proof"]
    except (BylineError, TypeError, ValueError) as fault:
        return f"the proof cannot be read: {fault}"
    empty = old.size == 0 and not nodes  # nothing is the beginning of everything
    if written and (empty or verify_consistency(old.size, old.root, new.size, new.root, nodes)):
        return ""
    return f"the log of {new.size} leaves does not continue the one of {old.size}"
