"""What a receipt says, and whether it says all that a receipt of its kind must: pure functions over its body.

A receipt is a signed statement about a notice (an opt-out, a claim, a change to one of them), about a training run, or
about an answer of a model that was held against the works.
`statements.sign_all` seals, signs and logs it. The salt is in the receipt, so a leaf of the log says nothing to
anybody who does not hold the receipt.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

FORMAT = "byline-receipt-1"
RUN_FORMAT = "byline-run-1"
USES = ("tdm", "train.gen", "train.other", "ground", "index", "search")

_NOTICE: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "type": str,
    "id": str,
    "target": dict,
    "uses": list,
    "from": str,
    "until": (str, type(None)),
    "by": str,
    "reason": str,
    "received": str,
    "level": str,
    "reaches": int,
    "clocks": list,
    "says": str,
}
_CHANGE: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "type": str,
    "id": str,
    "what": str,
    "by": str,
    "received": str,
    "says": str,
}
_RUN: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "type": str,
    "run": str,
    "name": str,
    "started": str,
    "manifest": str,
    "manifest_root": str,
    "works": int,
    "contents": int,
    "contents_root": str,
    "decision_root": str,
    "decisions": int,
    "in_force_root": str,
    "in_force": int,
    "checkpoint": str,
    "weights_sha256": str,
    "says": str,
}
_COMPLETION: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "type": str,
    "id": str,
    "received": str,
    "model": str,
    "choices": list,
    "policy": str,
    "policy_sha256": str,
    "works": int,
    "opted_out": int,
    "broken": str,
    "says": str,
}
# Kind of document -> its fields. "change" is a check of who gave a notice, an answer to it or its withdrawal.
RECEIPTS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "opt-out": _NOTICE,
    "claim": _NOTICE,
    "withdrawal": _CHANGE,
    "change": _CHANGE,
    "run": _RUN,
    "completion": _COMPLETION,
}


def receipt_faults(kind: str, body: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of a receipt; empty if nothing is."""
    fields = RECEIPTS[kind]
    if set(body) != set(fields):
        return [f"a receipt of kind {kind} has exactly the fields {', '.join(fields)}"]
    wrong = [
        name for name, type_ in fields.items() if not isinstance(body[name], type_) or isinstance(body[name], bool)
    ]
    if wrong:
        return [f"{name} is not of the right type" for name in wrong]
    expected = RUN_FORMAT if kind == "run" else FORMAT
    faults = [f"the format is {body['format']!r}, not {expected!r}"] if body["format"] != expected else []
    if body["type"] != kind:
        faults.append(f"it was sealed as {kind} and calls itself {body['type']!r}")
    return faults + (_notice_faults(body) if "target" in fields else []) + _day_faults(body)


def _notice_faults(body: Mapping[str, Any]) -> list[str]:
    faults = []
    if set(body["target"]) != {"kind", "value"}:
        faults.append("the target has not exactly a kind and a value")
    if not body["uses"] or [use for use in USES if use in body["uses"]] != body["uses"]:
        faults.append(f"the uses are not some of {', '.join(USES)}, in this order")
    if body["until"] is not None and body["until"] < body["from"]:
        faults.append("it ends before it begins")
    return faults


def _day_faults(body: Mapping[str, Any]) -> list[str]:
    faults = []
    for name, parse in (("from", date), ("until", date), ("received", datetime), ("started", datetime)):
        if isinstance(body.get(name), str):
            try:
                parse.fromisoformat(body[name])
            except ValueError:
                faults.append(f"{name} is {body[name]!r}, which is no {parse.__name__}")
    return faults
