"""Signed documents: a body, a seal over every field of it, a signature, and the proof that the log holds it.

    {"statement": body, "seal": {"format", "kind", "salt", "sha256", "fields"}, "digest", "signature",
     "log": {"checkpoint", "index", "size", "proof"}}

`seal.sha256` covers the body and the salt; `seal.fields` maps the JSON pointer of each field to the beginning of its
own salted hash, so that a changed field can be named. `digest` is the SHA-256 of the seal: it is signed and logged.
`verify_document` needs the document and the public key, and nothing else.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.core import BylineError, DisclosureError, digest, verify_inclusion
from byline.disclosure.log import Log, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey, load_public
from byline.disclosure.receipts import RECEIPTS, receipt_faults
from byline.ledger import statement_faults

FORMAT = "byline-signed-1"
_FIELD_HEX = 12  # enough to name a field; the whole body stands in seal.sha256


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, whether it holds, and what was found."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of a document, in order. `changed` is the JSON pointer of the first field that differs from what was
    signed, where that can be known."""

    checks: tuple[Check, ...]
    changed: str | None

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        checks = [{"name": check.name, "ok": check.ok, "says": check.says} for check in self.checks]
        return {"ok": self.ok, "changed": self.changed, "checks": checks}


def sign_statement(
    body: Mapping[str, Any], log: Log, key: SigningKey, kind: str = "statement", salt: str | None = None
) -> dict[str, Any]:
    """`body` sealed, signed, appended to `log`, and with its proof. `salt`: 32 hex digits, random if not given."""
    return sign_all([body], log, key, kind, [salt or secrets.token_hex(16)])[0]


def sign_all(
    bodies: Sequence[Mapping[str, Any]], log: Log, key: SigningKey, kind: str, salts: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The same for many documents under one checkpoint: each is a leaf, and their leaves stand side by side.

    The leaves are on disk before anything is signed: a process that is killed in between leaves leaves that nobody
    holds a document for, never a document that the log does not hold.
    """
    used = salts or [secrets.token_hex(16) for _ in bodies]
    seals = [_seal(dict(body), kind, salt) for body, salt in zip(bodies, used, strict=True)]
    digests = [digest(seal) for seal in seals]
    first = log.append_all(kind, digests)
    note = log.checkpoint(key)
    size = int(note.split("\n")[1])
    proofs = log.inclusions(range(first, first + len(digests)), size)
    return [
        {
            "statement": dict(body),
            "seal": seal,
            "digest": sealed,
            "signature": key.sign(_signed_text(sealed)),
            "log": {"checkpoint": note, "index": first + n, "size": size, "proof": [node.hex() for node in proof]},
        }
        for n, (body, seal, sealed, proof) in enumerate(zip(bodies, seals, digests, proofs, strict=True))
    ]


def _seal(body: dict[str, Any], kind: str, salt: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": kind,
        "salt": salt,
        "sha256": digest([salt, body]),
        "fields": _field_hashes(body, salt),
    }


def write_statement(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document for people and programs to read (indented JSON); all of it or nothing."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def verify_document(document: Mapping[str, Any] | str | Path, key: PublicKey | str | Path) -> Verification:
    """Every check of a document, offline; a document of a wrong shape fails the first one.

    `document`: the parsed JSON, or the path of the file. `key`: a public key, its text form, or its file.
    Raises: DisclosureError("no-document") if there is no file to read, and what `load_public` raises.
    """
    public = key if isinstance(key, PublicKey) else load_public(key)
    try:
        told = _shaped(_read(Path(document)) if isinstance(document, str | Path) else document)
    except DisclosureError as fault:
        if fault.code != _NOT_SIGNED:
            raise
        return Verification((Check("shape", False, fault.message),), None)
    checks, changed = [Check("shape", True, "it is a signed document")], None
    for name, check in (_CHECKS | _BODY_CHECKS.get(told["seal"]["kind"], {})).items():
        try:
            fault_text, where = check(told, public)
        except (BylineError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as fault:
            fault_text, where = f"cannot be checked: {fault}", None
        checks.append(Check(name, not fault_text, fault_text or _HOLDS[name]))
        changed = changed or where
    return Verification(tuple(checks), changed)


# --- the checks: what is wrong ("" if nothing) and the pointer of the field that changed ----------------------

_Fault = tuple[str, str | None]


def _check_signature(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    if key.accepts(_signed_text(told["digest"]), told["signature"]):
        return "", None
    return f"the digest is not signed by {key.name}", "/signature"


def _check_seal(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    if told["seal"]["format"] != FORMAT:
        return f"the format is {told['seal']['format']!r}, not {FORMAT!r}", "/seal/format"
    found = digest(told["seal"])
    if found == told["digest"]:
        return "", None
    where = "/digest" if key.accepts(_signed_text(found), told["signature"]) else "/seal"
    return f"the seal hashes to {found[:12]}, not to the digest", where


def _check_content(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    seal, body = told["seal"], told["statement"]
    if _digest_or_none([seal["salt"], body]) == seal["sha256"]:
        return "", None
    if digest(seal) != told["digest"]:
        return "the statement does not fit the seal, and the seal does not fit the digest", None
    found, signed = _field_hashes(body, seal["salt"]), seal["fields"]
    pointers = [pointer for pointer in [*found, *signed] if found.get(pointer) != signed.get(pointer)]
    if not pointers:
        return "the statement is not the one that was signed", None
    return f"{pointers[0]} is not what was signed", f"/statement{pointers[0]}"


def _check_checkpoint(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    checkpoint = read_checkpoint(told["log"]["checkpoint"], key)
    if checkpoint is None:
        return f"the tree head is not signed by {key.name}", "/log/checkpoint"
    if type(told["log"]["size"]) is not int or checkpoint.size != told["log"]["size"]:
        return f"the tree head is of {checkpoint.size} leaves", "/log/size"
    return "", None


def _check_inclusion(told: Mapping[str, Any], key: PublicKey) -> _Fault:
    checkpoint, log = read_checkpoint(told["log"]["checkpoint"], key), told["log"]
    proof = [bytes.fromhex(node) for node in log["proof"]]
    if [node.hex() for node in proof] != log["proof"] or type(log["index"]) is not int or checkpoint is None:
        return "there is no proof to follow", "/log"
    leaf = entry_hash(told["seal"]["kind"], told["digest"])
    if verify_inclusion(leaf, log["index"], checkpoint.size, proof, checkpoint.root):
        return "", None
    return f"the proof does not lead from leaf {log['index']} to the signed root", "/log"


def _check_sums(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    return "; ".join(statement_faults(told["statement"])), None


def _check_receipt(told: Mapping[str, Any], _: PublicKey) -> _Fault:
    return "; ".join(receipt_faults(told["seal"]["kind"], told["statement"])), None


_CHECKS: dict[str, Callable[[Mapping[str, Any], PublicKey], _Fault]] = {
    "content": _check_content,
    "seal": _check_seal,
    "signature": _check_signature,
    "checkpoint": _check_checkpoint,
    "inclusion": _check_inclusion,
}
# What a document of a kind must hold beside being whole and signed; the kind is part of the seal.
_BODY_CHECKS: dict[str, dict[str, Callable[[Mapping[str, Any], PublicKey], _Fault]]] = {
    "statement": {"sums": _check_sums},
    **{kind: {"receipt": _check_receipt} for kind in RECEIPTS},
}
_HOLDS = {
    "content": "every field is what was sealed",
    "seal": "the seal has the digest that was signed",
    "signature": "the digest is signed by this key",
    "checkpoint": "the head of the log is signed by this key",
    "inclusion": "the log holds this document",
    "receipt": "it says what a receipt of its kind must say",
    "sums": "the lines add up to the total, and all money received is accounted for",
}

# --- reading ----------------------------------------------------------------------------------------------------

_NOT_SIGNED = "not-a-signed-document"
_SHAPE: dict[str, dict[str, type]] = {
    "": {"statement": dict, "seal": dict, "digest": str, "signature": str, "log": dict},
    "/seal": {"format": str, "kind": str, "salt": str, "sha256": str, "fields": dict},
    "/log": {"checkpoint": str, "index": int, "size": int, "proof": list},
}


def _shaped(told: Any) -> Mapping[str, Any]:
    for where, fields in _SHAPE.items():
        part = told[where[1:]] if where else told
        if not isinstance(part, Mapping) or set(part) != set(fields):
            whole = where or "the document"
            raise DisclosureError(_NOT_SIGNED, f"{whole} does not have exactly the fields {', '.join(fields)}")
        for name, kind in fields.items():
            if not isinstance(part[name], kind):
                raise DisclosureError(_NOT_SIGNED, f"{where}/{name} is not of the right type")
    return dict(told)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_no_twins)
    except FileNotFoundError as fault:
        raise DisclosureError("no-document", f"there is no file {path}", "name the statement to verify") from fault
    except OSError as fault:
        raise DisclosureError("no-document", f"{path} cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise DisclosureError(_NOT_SIGNED, f"{path.name} is not JSON: {fault}") from fault


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice would show one value to a person and another to the program."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise DisclosureError(_NOT_SIGNED, f"a name stands twice among {', '.join(sorted(set(names)))[:80]}")
    return dict(pairs)


# --- hashing ----------------------------------------------------------------------------------------------------


def _signed_text(sealed: str) -> str:
    return f"{FORMAT}\n{sealed}\n"


def _digest_or_none(value: Any) -> str | None:
    """None if `value` holds what a signed document cannot hold."""
    try:
        return digest(value)
    except BylineError:
        return None


def _field_hashes(body: Any, salt: str) -> dict[str, str]:
    """JSON pointer (RFC 6901) of every field without fields of its own -> beginning of its salted hash."""
    found = {pointer: _digest_or_none([salt, pointer, value]) for pointer, value in _fields(body, "")}
    return {pointer: (full or "")[:_FIELD_HEX] for pointer, full in found.items()}


def _fields(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _fields(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _fields(item, f"{pointer}/{index}")
    else:
        yield pointer, value
