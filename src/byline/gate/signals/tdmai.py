"""Declarations bound to content by ISCC (ISO 24138): TDM·AI 1.0, and ISCC notes that name a gateway.

    all -> train-ai -> train-genai      what the first says holds for the next unless that one says otherwise

A declaration travels apart from the work. It is about a work whose ISCC it names; without the work's ISCC it cannot
be said which, and then a no counts and a yes does not. Who declared is not verified here, so a declaration that says
it supersedes another takes nothing away: all are read, and the strictest holds.
"""

from collections.abc import Collection
from typing import Any

from byline.gate.signals.observation import Category, Findings, Notebook, Reading, Target
from byline.gate.signals.tdmrep import load_json

SPEC = "TDM·AI 1.0 (AIPREF vocab-02)"
PARENT = {"train-ai": "all", "train-genai": "train-ai", "ai-use": "all", "search": "all"}
GIVES = {
    "train-ai": (Category.TRAIN_OTHER,),
    "train-genai": (Category.TRAIN_GEN,),
    "ai-use": (Category.GROUND,),
    "search": (Category.SEARCH,),
    "all": (Category.TDM, Category.INDEX),
}
KNOWN = {"version", "iscc", "intent", "reference", "summary", "policy", "$schema", "@context", *GIVES}
INTENTS = ("activate", "update", "supersede")


def read_tdmai(body: bytes, target: Target, *, isccs: Collection[str] = ()) -> Findings:
    """One declaration, or a JSON array of them. isccs: codes of the work, or of what was matched to it."""
    notes = Notebook(target, body, "tdm-ai")
    told = load_json(body, notes, object)
    for declaration in _each(told):
        _saw(declaration, {plain_iscc(code) for code in isccs}, notes)
    if told is not None and not _each(told):
        notes.fault("bad-tdm-ai", "a JSON object or an array of them is expected")
    return notes.findings()


def plain_iscc(code: str) -> str:
    return code.strip().upper().removeprefix("ISCC:")


def _each(told: Any) -> list[dict[str, Any]]:
    listed = told if isinstance(told, list) else [told]
    return [each for each in listed if isinstance(each, dict)]


def _saw(declaration: dict[str, Any], isccs: set[str], notes: Notebook) -> None:
    if "iscc_code" in declaration:
        _saw_note(declaration, isccs, notes)
        return
    code = plain_iscc(str(declaration.get("iscc", "")))
    faults = list(_faults(declaration, code))
    for says in faults:
        notes.fault("bad-tdm-ai", says)
    if isccs and code and code not in isccs:
        notes.saw("tdm-ai", SPEC, f"iscc {code}", "declared for another work", {})
        return
    bound = bool(isccs and code)
    canonical = {
        category: reading
        for key, categories in GIVES.items()
        for category in categories
        if (reading := _said(declaration, key)) is Reading.DENY or (reading is Reading.ALLOW and bound and not faults)
    }
    remarks = () if bound else ("the work's ISCC was not given: a yes does not count",)
    raw = ", ".join(f"{key}={declaration[key]!r}" for key in GIVES if key in declaration)
    policy = declaration.get("policy")
    duties = (f"a policy is offered at {policy}",) if policy else ()
    notes.saw("tdm-ai", SPEC, raw, f"declaration for ISCC:{code}", canonical, notes=remarks, duties=duties)


def _faults(declaration: dict[str, Any], code: str) -> list[str]:
    faults = []
    if declaration.get("version") != "1.0":
        faults.append(f"version {declaration.get('version')!r}; 1.0 is read")
    if not code:
        faults.append("no iscc")
    if declaration.get("intent") not in INTENTS:
        faults.append(f"intent {declaration.get('intent')!r}")
    faults += [f"unknown key {key!r}" for key in sorted(set(declaration) - KNOWN)]
    faults += [f"{key} is {declaration[key]!r}, not a text" for key in GIVES if _odd(declaration.get(key, "true"))]
    return faults


def _odd(value: Any) -> bool:
    return value not in ("true", "false") or not isinstance(value, str)


def _said(declaration: dict[str, Any], key: str) -> Reading:
    """The key's own word, else its parent's."""
    if key in declaration:
        word = declaration[key]
        if word is False or (isinstance(word, str) and word.lower() == "false"):
            return Reading.DENY
        return Reading.ALLOW if word == "true" else Reading.UNKNOWN
    return _said(declaration, PARENT[key]) if key in PARENT else Reading.UNKNOWN


def _saw_note(note: dict[str, Any], isccs: set[str], notes: Notebook) -> None:
    """An ISCC note states no preference; its gateway may, and nobody has asked it."""
    code, gateway = plain_iscc(str(note.get("iscc_code", ""))), note.get("gateway")
    duties = (f"ask the gateway {gateway} for its TDM metadata",) if gateway else ()
    rule = f"note for ISCC:{code}" if not isccs or code in isccs else "note for another work"
    notes.saw("tdm-ai", "ISCC-SIG v1.0", f"iscc {code}", rule, {}, duties=duties)
