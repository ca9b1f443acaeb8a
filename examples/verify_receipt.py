"""Verify a Byline receipt, run record or proof of exclusion without Byline: standard library and `cryptography` only.

python verify_receipt.py FILE.json byline.pub        (prints what holds; status 1 if something does not)
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(value):  # RFC 8785 for what receipts hold: no floats, ASCII names
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_of(value):
    return sha256(b"\x00", canonical(value))


def signed(text, line, name, key):
    who, _, encoded = line.rpartition(" ")
    raw = base64.b64decode(encoded, validate=True)
    Ed25519PublicKey.from_public_bytes(key[4:]).verify(raw[4:], text.encode())  # raises InvalidSignature
    return who == f"— {name}" and base64.b64encode(raw).decode() == encoded and raw[:4] == key[:4]


def head_of(note, name, key):
    """Size and root of a signed head of the log."""
    text, _, line = note.removesuffix("\n").partition("\n\n")
    origin, size, root = text.split("\n")
    if origin != name or not signed(text + "\n", line, name, key):
        raise ValueError("the head of the log is not signed")
    return int(size), base64.b64decode(root, validate=True).hex()


def stands(leaf, index, size, path, root):
    """Does the path lead from the leaf at `index` of a tree of `size` leaves to the root (RFC 9162, 2.1.3.2)?"""
    place, last, node = index, size - 1, leaf
    for sibling in map(bytes.fromhex, path):
        if place % 2 or place == last:
            node = sha256(b"\x01", sibling, node)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(b"\x01", node, sibling)
        place, last = place >> 1, last >> 1
    return 0 <= index < size and last == 0 and node.hex() == root and path == [each.lower() for each in path]


def absent(word, told, size, root):
    """Two neighbours, or an end of the list, between which `word` would stand."""
    before, after = [end and (end.get("entry", end.get("word")), end) for end in (told["before"], told["after"])]
    ends = [
        (leaf_of(what), e["index"], size, e.get("path", e.get("proof"))) for what, e in filter(None, (before, after))
    ]
    first, last = [end and (end[0]["work"] if "entry" in end[1] else end[0]) for end in (before, after)]
    next_to = (told["before"]["index"] if before else -1) + 1 == (told["after"]["index"] if after else size)
    return next_to and (not first or first < word) and (not last or word < last) and all(stands(*e, root) for e in ends)


def document(told, what, name, key):
    body, seal, digest, log = (told[field] for field in ("statement", "seal", "digest", "log"))
    yield f"{what} is the one sealed", sha256(canonical([seal["salt"], body])).hex() == seal["sha256"]
    yield f"{what}: the seal has the digest", sha256(canonical(seal)).hex() == digest
    yield f"{what}: the digest is signed", signed(f"{seal['format']}\n{digest}\n", told["signature"], name, key)
    size, root = head_of(log["checkpoint"], name, key)
    leaf = leaf_of({"digest": digest, "type": seal["kind"]})
    yield f"{what} is in the log", stands(leaf, log["index"], size, log["proof"], root) and size == log["size"]


def exclusion(told, name, key):
    whole = sha256(canonical({part: told[part] for part in told if part not in ("digest", "signature")})).hex()
    text = f"{told['format']}\n{whole}\n"
    yield "the proof is signed", whole == told["digest"] and signed(text, told["signature"], name, key)
    yield from document(told["run"], "the run record", name, key)
    yield from document(told["opt_out"], "the opt-out", name, key)
    run, receipt, work = told["run"]["statement"], told["opt_out"], told["work"]
    seen, logged, said, day = told["content"], told["in_log"], receipt["statement"], run["started"][:10]
    size, root = head_of(run["checkpoint"], name, key)
    leaf, force = leaf_of({"digest": receipt["digest"], "type": "opt-out"}), told["in_force"]
    yield "it was logged when the run began", stands(leaf, logged["index"], size, logged["proof"], root)
    inside = stands(leaf_of(force["word"]), force["index"], run["in_force"], force["proof"], run["in_force_root"])
    days = said["from"] <= day and (said["until"] is None or day <= said["until"])
    yield "it was in force for the run", inside and days and force["word"] == receipt["digest"]
    yield "no such file is in it", absent(seen["word"], seen, run["contents"], run["contents_root"])
    target, ruled, gone = said["target"]["value"], told["decision"], told["absence"]
    if work is None:
        yield "the opt-out is of that file", target == seen["word"]
        return
    about = work == target or {target, said["id"]} & set(ruled["decision"]["evidence"])
    held = stands(leaf_of(ruled["decision"]), ruled["index"], run["decisions"], ruled["proof"], run["decision_root"])
    refused = ruled["decision"]["verdict"] == "refuse" and ruled["decision"]["work"] == work
    yield "the work was refused for it", bool(about and refused and held)
    yield "the work is not in it", absent(work, gone, run["works"], run["manifest_root"]) and gone["work"] == work


def main(path, key_path):
    told = json.loads(Path(path).read_text("utf-8"))
    name, key_id, encoded = Path(key_path).read_text("utf-8").strip().split("+", 2)
    try:
        key, check = bytes.fromhex(key_id) + base64.b64decode(encoded)[1:], exclusion if "opt_out" in told else document
        results = list(check(told, *(("it",) if check is document else ()), name, key))
    except (ValueError, KeyError, TypeError, InvalidSignature) as fault:
        results = [(f"it can be read and is signed: {fault!r}", False)]
    for what, ok in results:
        sys.stdout.write(f"{'ok  ' if ok else 'FAIL'} {what}\n")
    return 0 if all(ok for _, ok in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
