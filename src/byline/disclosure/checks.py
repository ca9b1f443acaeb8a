"""What is looked at in a signed document, one check after the other, and what each says about a change.

A check gives what is wrong ("" if nothing) and the JSON pointer of the field that changed, where that can be known. If
one byte was changed, the hashes say which value stood there before: it is looked for and told.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from byline.core import verify_consistency, verify_inclusion
from byline.disclosure.batches import BATCH, batch_fault, leaf_of
from byline.disclosure.fields import digest_or_none, escaped, field_hash, field_hashes, fields, signed_value
from byline.disclosure.log import Checkpoint, read_checkpoint
from byline.disclosure.notes import PublicKey
from byline.disclosure.receipts import RECEIPTS, receipt_faults
from byline.disclosure.seals import FORMAT, signed_text
from byline.ledger import statement_faults

Fault: TypeAlias = tuple[str, str | None]
Checking: TypeAlias = Callable[[Mapping[str, Any], PublicKey], Fault]
_HEX = "0123456789abcdef"
_SEARCHED = 20_000  # places in a log that are tried to say which one the proof is of


# --- the statement and its seal -------------------------------------------------------------------------------


def _check_content(told: Mapping[str, Any], _: PublicKey) -> Fault:
    seal, body = told["seal"], told["statement"]
    if digest_or_none([seal["salt"], body]) == seal["sha256"]:
        return "", None
    if digest_or_none(seal) != told["digest"]:
        return "the statement does not fit the seal, and the seal does not fit the digest", None
    found, signed = field_hashes(body, seal["salt"]), seal["fields"]
    pointers = [pointer for pointer in [*found, *signed] if found.get(pointer) != signed.get(pointer)]
    if not pointers:
        return "the statement is not the one that was signed", None
    more = f"; changed fields in all: {len(pointers)}" if len(pointers) > 1 else ""
    return _about(pointers[0], body, seal, found) + more, f"/statement{pointers[0]}"


def _about(pointer: str, body: Mapping[str, Any], seal: Mapping[str, Any], found: Mapping[str, str]) -> str:
    """What stands in a field, and what was signed there."""
    if pointer not in found:
        return f"{pointer} was signed, and is missing"
    value = dict(fields(body))[pointer]
    says = json.dumps(value, ensure_ascii=False)
    if pointer not in seal["fields"]:
        return f"{pointer} says {says[:200]}; no such field was signed"
    signed = signed_value(seal["salt"], pointer, value, seal["fields"][pointer])
    was = f"{json.dumps(signed[0], ensure_ascii=False)} was signed" if signed else "that is not what was signed"
    return f"{pointer} says {says[:200]}; {was}"


def _check_seal(told: Mapping[str, Any], key: PublicKey) -> Fault:
    seal, found = told["seal"], digest_or_none(told["seal"])
    if found == told["digest"]:
        return ("", None) if seal["format"] == FORMAT else (f"the format is {seal['format']!r}", "/seal/format")
    if found and key.accepts(signed_text(found), told["signature"]):
        return f"/digest says {told['digest']}; the seal that was signed has {found}", "/digest"
    for name, value in _sealed_anew(told).items():
        if digest_or_none({**seal, name: value}) == told["digest"]:
            return _about_seal(name, seal[name], value)
    return f"the seal hashes to {(found or 'nothing')[:12]}, not to the digest", "/seal"


def _sealed_anew(told: Mapping[str, Any]) -> dict[str, Any]:
    """What each part of the seal should be, if all the others are right."""
    seal, body = told["seal"], told["statement"]
    anew: dict[str, Any] = {
        "format": FORMAT,
        "fields": field_hashes(body, seal["salt"]),
        "sha256": digest_or_none([seal["salt"], body]),
    }
    near = [kind for kind in ("statement", *RECEIPTS) if _one_apart(kind, seal["kind"])]
    if near:
        anew["kind"] = near[0]
    first = next(fields(body))
    for salt in _one_digit_away(seal["salt"]):
        if field_hash(salt, *first) == seal["fields"].get(first[0]):
            anew["salt"] = salt
    return anew


def _one_apart(left: str, right: str) -> bool:
    return len(left) == len(right) and sum(a != b for a, b in zip(left, right, strict=True)) == 1


def _about_seal(name: str, says: Any, signed: Any) -> Fault:
    if not isinstance(signed, dict):
        return f"/seal/{name} says {says}; {signed} was signed", f"/seal/{name}"
    pointer = next(each for each in [*says, *signed] if says.get(each) != signed.get(each))
    where = f"/seal/{name}/{escaped(pointer)}"
    return f"{where} says {says.get(pointer, 'nothing')}; {signed.get(pointer, 'nothing')} was signed", where


def _check_signature(told: Mapping[str, Any], key: PublicKey) -> Fault:
    if key.accepts(signed_text(told["digest"]), told["signature"]):
        return "", None
    who = told["signature"].rpartition(" ")[0].removeprefix("— ")
    by = "" if who == key.name else f"; it names {who!r}"
    return f"the digest is not signed by {key.name}{by}", "/signature"


# --- the log --------------------------------------------------------------------------------------------------


def _check_checkpoint(told: Mapping[str, Any], key: PublicKey) -> Fault:
    log = told["log"]
    checkpoint = read_checkpoint(log["checkpoint"], key)
    if checkpoint is None:
        return f"the head of the log is not signed by {key.name}{_head_said(log, key)}", "/log/checkpoint"
    if checkpoint.size != log["size"]:
        return f"/log/size says {log['size']}; the signed head is of {checkpoint.size}", "/log/size"
    return "", None


def _head_said(log: Mapping[str, Any], key: PublicKey) -> str:
    """Which line of the head does not fit the rest of the document."""
    lines = log["checkpoint"].split("\n")
    if len(lines) != 6:
        return f": it has {len(lines)} lines, not 6"
    if lines[0] != key.name:
        return f": it is of {lines[0]!r}"
    if lines[1] != str(log["size"]):
        return f": it says {lines[1]!r} leaves, the document {log['size']}"
    return ""


def _check_inclusion(told: Mapping[str, Any], key: PublicKey) -> Fault:
    checkpoint, log = read_checkpoint(told["log"]["checkpoint"], key), told["log"]
    proof, bad = _nodes(log["proof"])
    if bad is not None or checkpoint is None:
        return "there is no proof to follow", "/log/checkpoint" if bad is None else f"/log/proof/{bad}"
    leaf = leaf_of(told)

    def leads(index: int, by: list[bytes]) -> bool:
        return verify_inclusion(leaf, index, checkpoint.size, by, checkpoint.root)

    if leads(log["index"], proof):
        return "", None
    other = next((index for index in range(min(checkpoint.size, _SEARCHED)) if leads(index, proof)), None)
    if other is not None:
        return f"/log/index says {log['index']}; the proof is of leaf {other}", "/log/index"
    for number, node in enumerate(proof):
        for one in _one_digit_away(node.hex()):
            if leads(log["index"], [*proof[:number], bytes.fromhex(one), *proof[number + 1 :]]):
                where = f"/log/proof/{number}"
                return f"{where} says {node.hex()}; it should be {one}", where
    return f"the proof does not lead from leaf {log['index']} to the signed root", "/log/proof"


def _one_digit_away(text: str) -> Iterator[str]:
    """Every hex text that differs from this one in one place."""
    for at, there in enumerate(text):
        yield from (f"{text[:at]}{mark}{text[at + 1 :]}" for mark in _HEX if mark != there)


def _check_consistency(told: Mapping[str, Any], key: PublicKey) -> Fault:
    """The head that the document was signed under is the beginning of a later one."""
    log = told["log"]
    if "later" not in log:
        return "", None
    first, later = (read_checkpoint(note, key) for note in (log["checkpoint"], log["later"]["checkpoint"]))
    if later is None:
        return f"the later head of the log is not signed by {key.name}", "/log/later/checkpoint"
    proof, bad = _nodes(log["later"]["proof"])
    if bad is not None or first is None:
        return "there is no proof to follow", "/log/checkpoint" if bad is None else f"/log/later/proof/{bad}"
    if _grew(first, later, proof):
        return "", None
    return f"the log of {later.size} leaves does not begin with the one of {first.size}", "/log/later/proof"


def _grew(first: Checkpoint, later: Checkpoint, proof: list[bytes]) -> bool:
    return verify_consistency(first.size, first.root, later.size, later.root, proof)


def _nodes(proof: list[Any]) -> tuple[list[bytes], int | None]:
    """The nodes of a proof, or which of them is none."""
    nodes = []
    for number, text in enumerate(proof):
        try:
            node = bytes.fromhex(text)
        except (TypeError, ValueError):
            return [], number
        if node.hex() != text or len(node) != 32:
            return [], number
        nodes.append(node)
    return nodes, None


def _check_batch(told: Mapping[str, Any], _: PublicKey) -> Fault:
    fault = batch_fault(told)
    return fault, f"/log/{BATCH}" if fault else None


# --- what the document says -----------------------------------------------------------------------------------


def _check_sums(told: Mapping[str, Any], _: PublicKey) -> Fault:
    return "; ".join(statement_faults(told["statement"])), None


def _check_receipt(told: Mapping[str, Any], _: PublicKey) -> Fault:
    return "; ".join(receipt_faults(told["seal"]["kind"], told["statement"])), None


CHECKS: dict[str, Checking] = {
    "content": _check_content,
    "seal": _check_seal,
    "signature": _check_signature,
    "checkpoint": _check_checkpoint,
    "inclusion": _check_inclusion,
}
BATCHED: dict[str, Checking] = {"batch": _check_batch}
LATER: dict[str, Checking] = {"consistency": _check_consistency}
# What a document of a kind must hold beside being whole and signed; the kind is part of the seal.
BODY_CHECKS: dict[str, dict[str, Checking]] = {
    "statement": {"sums": _check_sums},
    **{kind: {"receipt": _check_receipt} for kind in RECEIPTS},
}
HOLDS = {
    "content": "every field is what was sealed",
    "seal": "the seal has the digest that was signed",
    "signature": "the digest is signed by this key",
    "checkpoint": "the head of the log is signed by this key",
    "inclusion": "the log holds this document",
    "batch": "it is one of the documents of its batch",
    "consistency": "the log was only added to until its later head",
    "receipt": "it says what a receipt of its kind must say",
    "sums": "the lines add up to the total, and all money received is accounted for",
}
