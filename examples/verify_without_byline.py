"""Verify a Byline statement without Byline: standard library and `cryptography` only.

    python verify_without_byline.py statement.json byline.pub

Prints what holds and ends with status 0, or says what does not and ends with status 1.
"""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(value):
    """RFC 8785 for what statements hold: text, whole numbers, true, false, null, lists, objects with ASCII names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).digest()


def signed(text, line, name, key):
    """Is `line` ("— name base64") the signature of `text`? The first four bytes of the base64 are the key's id."""
    who, _, encoded = line.rpartition(" ")
    raw = base64.b64decode(encoded, validate=True)
    if who != f"— {name}" or base64.b64encode(raw).decode() != encoded or raw[:4] != key[:4]:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key[4:]).verify(raw[4:], text.encode())
    except InvalidSignature:
        return False
    return True


def root_from(leaf, index, size, proof):
    """Root of the Merkle tree of `size` leaves in which `leaf` stands at `index` (RFC 9162, 2.1.3.2)."""
    last, node = size - 1, leaf
    for sibling in map(bytes.fromhex, proof):
        if index % 2 or index == last:
            node = sha256(b"\x01" + sibling + node)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def checks(document, name, key):
    body, seal, digest, log = (document[field] for field in ("statement", "seal", "digest", "log"))
    yield "the statement is the one sealed", sha256(canonical([seal["salt"], body])).hex() == seal["sha256"]
    yield "the seal has the signed digest", sha256(canonical(seal)).hex() == digest
    yield "the digest is signed", signed(f"{seal['format']}\n{digest}\n", document["signature"], name, key)
    head, _, line = log["checkpoint"].removesuffix("\n").partition("\n\n")
    origin, size, root = head.split("\n")
    yield "the head of the log is signed", origin == name and signed(head + "\n", line, name, key)
    leaf = sha256(b"\x00" + canonical({"digest": digest, "type": seal["kind"]}))
    hexes = [bytes.fromhex(node).hex() for node in log["proof"]]
    inside = int(size) == log["size"] and 0 <= log["index"] < log["size"] and hexes == log["proof"]
    found = root_from(leaf, log["index"], log["size"], log["proof"]) if inside else None
    yield "the log holds the document", found is not None and base64.b64encode(found).decode() == root
    paid = sum(int(line["amount_nano"]) for line in body["lines"])
    yield "the lines add up to the total", paid == int(body["total"]["nano"])
    flow = {field: int(nano) for field, nano in body["conservation"].items()}
    yield "all money received is accounted for", 2 * flow["received_nano"] == sum(flow.values())


def main(statement_path, key_path):
    with open(statement_path, encoding="utf-8") as file:
        document = json.load(file)
    with open(key_path, encoding="utf-8") as file:
        name, key_id, encoded = file.read().strip().split("+", 2)
    key = bytes.fromhex(key_id) + base64.b64decode(encoded)[1:]
    results = list(checks(document, name, key))
    for what, ok in results:
        print("ok  " if ok else "FAIL", what)
    return 0 if all(ok for _, ok in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
