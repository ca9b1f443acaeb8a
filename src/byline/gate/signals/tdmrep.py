"""TDM Reservation Protocol (W3C Community Group Report, 10 May 2024): reservation 1 is a no to mining, 0 a yes.

Four carriers speak it: /.well-known/tdmrep.json, HTTP headers, HTML metadata, and the metadata of EPUB and PDF files.
Any other value means that nothing is set. A policy may offer a licence: with its text at hand a no becomes a condition.
"""

import json
from collections.abc import Mapping
from typing import Any

from byline.gate.signals.observation import MINE, Canonical, Findings, Notebook, Reading, Target, same
from byline.gate.signals.patterns import matches, normal, path_of

SPEC = "TDMRep CG-FINAL 2024-05-10"
FAMILY = "tdmrep"
LARGEST = 4 * 2**20

Policies = Mapping[str, bytes]


def read_tdmrep_json(body: bytes, target: Target, policies: Policies | None = None) -> Findings:
    """The first rule of a tdmrep.json whose location matches the path. policies: texts of policies by URL."""
    notes = Notebook(target, body, "tdmrep.json")
    rules = load_json(body, notes, list)
    path = normal(path_of(target.path))
    for position, rule in enumerate(rules or [], start=1):
        told = rule if isinstance(rule, dict) else {}
        location, reservation = told.get("location"), told.get("tdm-reservation")
        if not isinstance(location, str) or reservation is None:
            notes.fault("bad-tdmrep", f"rule {position} has no location or no tdm-reservation")
        elif matches(normal(path_of(location)), path):
            policy, which = str(told.get("tdm-policy") or ""), f"rule {position}, location {location}"
            saw_reservation(notes, _json_value(reservation), policy, which, policies)
            break
    return notes.findings()


def _json_value(reservation: Any) -> str:
    """The number as text. `true` and "1" are a no in the wrong type; "0" and `false` are no value at all."""
    if reservation is True or reservation == "1":
        return "1"
    return str(reservation) if isinstance(reservation, int) and reservation is not False else repr(reservation)


def saw_reservation(
    notes: Notebook, value: str, policy: str, rule: str, policies: Policies | None = None, line: int = 0
) -> None:
    """Adds what a reservation and its policy say."""
    canonical: Canonical = {}
    duties: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    if value.strip() == "1":
        offered = _offer((policies or {}).get(policy, b"")) if policy else ()
        canonical = same(Reading.CONDITIONAL if offered else Reading.DENY, MINE)
        duties = offered or ((f"a policy is offered at {policy}",) if policy else ())
    elif value.strip() == "0":
        canonical = same(Reading.ALLOW, MINE)
    else:
        remarks = ("any value but 0 and 1 means that nothing is set",)
    raw = f"tdm-reservation: {value}" + (f", tdm-policy: {policy}" if policy else "")
    notes.saw(FAMILY, SPEC, raw, rule, canonical, line=line, duties=duties, notes=remarks)


def _offer(policy: bytes) -> tuple[str, ...]:
    """The duties of the first permission to mine in an ODRL policy; () if there is none that can be read."""
    try:
        told = json.loads(policy) if len(policy) <= LARGEST else None
    except (ValueError, RecursionError):
        return ()
    permissions = told.get("permission") if isinstance(told, dict) else None
    for permission in permissions if isinstance(permissions, list) else [permissions]:
        if isinstance(permission, dict) and permission.get("action") == "tdm:mine":
            return _duties(permission) or ("the policy permits mining; read it for its terms",)
    return ()


def _duties(permission: dict[str, Any]) -> tuple[str, ...]:
    duties = permission.get("duty") or []
    listed = duties if isinstance(duties, list) else [duties]
    named = [f"{duty.get('action')}" for duty in listed if isinstance(duty, dict)]
    limits = permission.get("constraint") or []
    purposes = [
        f"purpose {limit.get('rightOperand')}"
        for limit in (limits if isinstance(limits, list) else [limits])
        if isinstance(limit, dict)
    ]
    return tuple(named + purposes)


def load_json(body: bytes, notes: Notebook, kind: type) -> Any:
    """The JSON value if it is of that kind; else None, and a problem."""
    try:
        if len(body) > LARGEST:
            raise ValueError(f"{len(body):,} bytes; at most {LARGEST:,} are read")
        value = json.loads(body.decode("utf-8-sig"))
        if not isinstance(value, kind):
            raise ValueError(f"a JSON {kind.__name__} is expected")
    except (ValueError, RecursionError) as fault:
        notes.fault("bad-json", f"not readable as JSON: {fault or 'nested too deep'}")
        return None
    return value
