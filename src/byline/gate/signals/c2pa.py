"""The training-and-data-mining assertion in a C2PA manifest (CAWG 1.1; earlier: C2PA 1.x).

Anyone can sign anything, so a yes counts only in a manifest whose signer is trusted. A no counts whoever signed it.
"""

import importlib
import io
import json
from collections.abc import Mapping
from typing import Any

from byline.gate.signals.observation import Category, Findings, Notebook, Reading, Target
from byline.gate.signals.tdmrep import load_json

SPEC = "CAWG training-and-data-mining 1.1"
EARLIER = "C2PA 1.x training-mining"
LABELS = {"cawg.training-mining": SPEC, "c2pa.training-mining": EARLIER}
ENTRIES = {
    "data_mining": Category.TDM,
    "ai_inference": Category.GROUND,
    "ai_training": Category.TRAIN_OTHER,
    "ai_generative_training": Category.TRAIN_GEN,
}
TRUSTED = "Trusted"


def read_c2pa(body: bytes, target: Target, media_type: str) -> Findings:
    """The active manifest's statement on training. A file without a manifest says nothing.

    media_type: such as "image/jpeg". Without the package c2pa-python a problem says that nobody has looked.
    """
    try:
        c2pa = importlib.import_module("c2pa")
    except ImportError:
        says = "c2pa-python is not installed, so a manifest in this file would not be seen"
        return Findings((), (target.problem("c2pa-not-read", says),))
    try:
        reader = c2pa.Reader(media_type, io.BytesIO(body))
        store = reader.json()
    except c2pa.C2paError as fault:
        if "ManifestNotFound" in str(fault):
            return Findings()
        return Findings((), (target.problem("bad-c2pa", f"its manifest cannot be read: {fault}"),))
    return read_manifest_store(store.encode("utf-8", "replace"), target)


def read_manifest_store(body: bytes, target: Target) -> Findings:
    """The same from the JSON report that C2PA tools write of a manifest store."""
    notes = Notebook(target, body, "c2pa")
    store = load_json(body, notes, dict)
    manifests = store.get("manifests") if store else None
    active = manifests.get(store.get("active_manifest")) if isinstance(manifests, dict) else None
    if store is not None and not isinstance(active, dict):
        notes.fault("bad-c2pa", "the store has no active manifest")
    if isinstance(active, dict):
        state = str(store.get("validation_state") or "unknown")
        signature = active.get("signature_info")
        signer = signature.get("issuer") if isinstance(signature, dict) else ""
        for assertion in _listed(active.get("assertions")):
            _saw_assertion(assertion, state, str(signer or ""), notes)
    return notes.findings()


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _saw_assertion(assertion: dict[str, Any], state: str, signer: str, notes: Notebook) -> None:
    label = str(assertion.get("label", "")).partition("__")[0]  # a second assertion of a label ends in __1
    if label not in LABELS:
        return
    data = assertion.get("data")
    entries = data.get("entries", data) if isinstance(data, dict) else None  # version 1.0 forgot the wrapper
    if not isinstance(entries, dict):
        notes.fault("bad-c2pa", f"{label} has no entries")
        return
    canonical: dict[Category, Reading] = {}
    remarks: list[str] = []
    duties: list[str] = []
    for name, entry in entries.items():
        category = ENTRIES.get(str(name).partition(".")[2])
        if category is None:
            continue
        reading, duty, remark = _entry(entry, state)
        canonical[category] = reading
        duties += [f"{name}: {duty}"] if duty else []
        remarks += [f"{name}: {remark}"] if remark else []
        if remark.startswith("not a value"):
            notes.fault("bad-c2pa", f"{name}: {remark}")
    raw, rule = json.dumps(entries, ensure_ascii=True)[:2000], f"assertion {label} of the active manifest"
    more = {"duties": tuple(duties), "notes": tuple(remarks), "signer": signer, "signature": state}
    notes.saw("cawg", LABELS[label], raw, rule, canonical, **more)


def _entry(entry: Any, state: str) -> tuple[Reading, str, str]:
    """Reading, duty and note of one entry. `constrained` without information is a no (CAWG 1.1, section 3)."""
    told: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    use = told.get("use")
    info = told.get("constraint_info") or told.get("constraints_info")
    if use == "constrained" and info:
        return Reading.CONDITIONAL, str(info), ""
    if use == "constrained" or str(use).lower() == "notallowed":
        return Reading.DENY, "", ""
    if use == "allowed":
        trusted = state == TRUSTED
        return (Reading.ALLOW, "", "") if trusted else (Reading.UNKNOWN, "", f"allowed, by a signer that is {state}")
    return Reading.UNKNOWN, "", f"not a value that is defined: {use!r}"
