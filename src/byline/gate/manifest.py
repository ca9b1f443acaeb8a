"""The frozen list of admitted works: a Merkle tree over its entries by work id.

The root commits to every entry. Because entries stand in order of work id, two neighbours and their places prove that
no work stands between them: anybody can check that a work was *not* in, with the root alone.
"""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from byline.core import (
    CoreError,
    Decision,
    GateError,
    Manifest,
    ManifestEntry,
    ManifestId,
    Record,
    Verdict,
    Work,
    WorkId,
    canonical_json,
    digest,
    inclusion_proof,
    leaf_hash,
    make_id,
    merkle_root,
    verify_inclusion,
)
from byline.gate.duplicates import Clusters


@dataclass(frozen=True, slots=True)
class PlacedEntry(Record):
    """An entry with its position in the tree and the audit path (hex, nearest sibling first) from it to the root."""

    index: int
    entry: ManifestEntry
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AbsenceProof(Record):
    """The entries next to the place where `work` would stand in a tree of `size` entries; None beyond its ends."""

    work: WorkId
    size: int
    before: PlacedEntry | None
    after: PlacedEntry | None


def freeze(works: Sequence[Work], decisions: Sequence[Decision], clusters: Clusters, on: date) -> Manifest:
    """The manifest of the admitted works, with the decisions that refused the others.

    Raises: GateError("decisions-differ") unless every work has one decision, GateError("nothing-admitted").
    """
    verdicts = {decision.work: decision for decision in decisions}
    if set(verdicts) != {work.id for work in works} or len(verdicts) != len(decisions):
        raise GateError("decisions-differ", f"{len(decisions)} decisions on {len(works)} works", "run `byline check`")
    cluster_of = dict(clusters.cluster_of)
    admitted = sorted((work for work in works if verdicts[work.id].verdict is Verdict.ADMIT), key=lambda work: work.id)
    if not admitted:
        says = f"none of {len(works)} works is admitted, so there is nothing to train on"
        raise GateError("nothing-admitted", says, "`byline check` says why each was refused")
    entries = tuple(ManifestEntry(work.id, work.sha256, cluster_of[work.id]) for work in admitted)
    refused = tuple(verdicts[work] for work in sorted(verdicts) if verdicts[work].verdict is Verdict.REFUSE)
    root = merkle_root(_leaves(entries)).hex()
    return Manifest(_id(root, on, refused), on, entries, refused, root)


def verify_manifest(manifest: Manifest) -> None:
    """Compute the manifest again from its parts.

    Raises: GateError("manifest-order"), GateError("manifest-contradiction"), GateError("manifest-root"),
    GateError("manifest-id"), each naming what is wrong.
    """
    for before, after in zip(manifest.entries, manifest.entries[1:], strict=False):
        if before.work >= after.work:
            raise _altered("manifest-order", f"entry {after.work} does not stand in order behind {before.work}")
    present = {entry.work for entry in manifest.entries}
    for decision in manifest.refused:
        if decision.work in present or decision.verdict is not Verdict.REFUSE:
            raise _altered("manifest-contradiction", f"entry {decision.work} is both admitted and refused")
    root = merkle_root(_leaves(manifest.entries)).hex()
    if root != manifest.root:
        raise _altered(
            "manifest-root", f"the entries of {manifest.id} have the root {root[:16]}, it says {manifest.root[:16]}"
        )
    if manifest.id != _id(root, manifest.frozen, manifest.refused):
        raise _altered("manifest-id", f"{manifest.id} is not the id of these entries, date and refusals")


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the manifest as canonical JSON, whole or not at all."""
    verify_manifest(manifest)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(canonical_json(manifest.to_json()) + b"\n")
    part.replace(path)


def read_manifest(path: Path) -> Manifest:
    """Read and verify. Raises: GateError("manifest-missing"), GateError("manifest-unreadable"), and those of
    `verify_manifest` for a file that was altered."""
    if not path.is_file():
        raise GateError("manifest-missing", f"{path}: there is no manifest", "byline freeze")
    try:
        manifest = Manifest.from_json(json.loads(path.read_bytes()))
    except (ValueError, RecursionError, CoreError) as fault:
        raise GateError("manifest-unreadable", f"{path}: {fault}", "freeze again: byline freeze") from fault
    try:
        verify_manifest(manifest)
    except GateError as fault:
        raise GateError(fault.code, f"{path}: {fault.message}", fault.fix) from fault
    return manifest


def prove_absence(manifest: Manifest, work: WorkId) -> AbsenceProof:
    """Proof that a work is not in the manifest. Raises: GateError("work-present")."""
    place = bisect_left(manifest.entries, work, key=lambda entry: entry.work)
    if place < len(manifest.entries) and manifest.entries[place].work == work:
        raise GateError("work-present", f"{work} is in {manifest.id}", "its presence is proved by its entry")
    leaves = _leaves(manifest.entries)

    def placed(index: int) -> PlacedEntry | None:
        if not 0 <= index < len(leaves):
            return None
        path = tuple(node.hex() for node in inclusion_proof(leaves, index))
        return PlacedEntry(index, manifest.entries[index], path)

    return AbsenceProof(work, len(leaves), placed(place - 1), placed(place))


def verify_absence(proof: AbsenceProof, root: str) -> bool:
    """True if the proof shows that its work is in no entry under this root (hex).

    That the neighbours are adjacent follows from their audit paths, so a false `size` gains nothing. That entries are
    in order is what `verify_manifest` checks and whoever signs the root vouches for.
    """
    before, after = proof.before, proof.after
    if before is None and after is None:
        return False
    if before is not None and not before.entry.work < proof.work:
        return False
    if after is not None and not proof.work < after.entry.work:
        return False
    last = before.index if before is not None else -1
    first = after.index if after is not None else proof.size
    return last + 1 == first and all(_stands(placed, proof.size, root) for placed in (before, after) if placed)


def _stands(placed: PlacedEntry, size: int, root: str) -> bool:
    try:
        path, top = [bytes.fromhex(node) for node in placed.path], bytes.fromhex(root)
    except ValueError:
        return False
    return verify_inclusion(_leaves([placed.entry])[0], placed.index, size, path, top)


def _leaves(entries: Sequence[ManifestEntry]) -> list[bytes]:
    return [leaf_hash(canonical_json(entry.to_json())) for entry in entries]


def _id(root: str, on: date, refused: Sequence[Decision]) -> ManifestId:
    """From the root, and from what else the manifest states."""
    return ManifestId(make_id("manifest", root, on.isoformat(), digest([decision.to_json() for decision in refused])))


def _altered(code: str, says: str) -> GateError:
    return GateError(code, says, "it was altered: freeze again, or fetch the manifest that was signed")
