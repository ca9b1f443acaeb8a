"""Verify a Byline statement without Byline: standard library and `cryptography` only.

    python verify_without_byline.py statement.json byline.pub
    python verify_without_byline.py statement.html byline.pub      (or .csv: a page made of the signed document)

Prints what holds and ends with status 0, or says what does not and ends with status 1.
"""

import base64
import hashlib
import json
import re
import sys
from fractions import Fraction

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


def grew(old_size, old_root, size, root, proof):
    """Is the tree of `old_size` leaves the beginning of the tree of `size` leaves (RFC 9162, 2.1.4.2)?"""
    path = list(map(bytes.fromhex, proof))
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    node, last = old_size - 1, size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old = new = path[0] if path else None
    for sibling in path[1:]:
        if node % 2 or node == last:
            old, new = sha256(b"\x01" + sibling + old), sha256(b"\x01" + sibling + new)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            new = sha256(b"\x01" + new + sibling)
        node, last = node >> 1, last >> 1
    return 0 < old_size < size and (old, new, last) == (old_root, root, 0)


def head(checkpoint, name, key):
    """Size and root of a signed head of the log; (0, b"") if it is not one."""
    text, _, line = checkpoint.removesuffix("\n").partition("\n\n")
    origin, size, root = text.split("\n")
    good = origin == name and signed(text + "\n", line, name, key)
    return (int(size), base64.b64decode(root)) if good else (0, b"")


def checks(document, name, key):
    body, seal, digest, log = (document[field] for field in ("statement", "seal", "digest", "log"))
    yield "the statement is the one sealed", sha256(canonical([seal["salt"], body])).hex() == seal["sha256"]
    yield "the seal has the signed digest", sha256(canonical(seal)).hex() == digest
    yield "the digest is signed", signed(f"{seal['format']}\n{digest}\n", document["signature"], name, key)
    size, root = head(log["checkpoint"], name, key)
    yield "the head of the log is signed", size > 0
    leaf = sha256(b"\x00" + canonical({"digest": digest, "type": seal["kind"]}))
    hexes = [bytes.fromhex(node).hex() for node in log["proof"]]
    inside = size == log["size"] and 0 <= log["index"] < size and hexes == log["proof"]
    found = root_from(leaf, log["index"], size, log["proof"]) if inside else None
    yield "the log holds the document", found is not None and found == root
    if "later" in log:
        later = head(log["later"]["checkpoint"], name, key)
        yield "the log only grew since", grew(size, root, *later, log["later"]["proof"])
    yield from (sums_of_a_period if "period" in body else sums_of_a_settlement)(body)


def sums_of_a_settlement(body):
    paid = sum(int(line["amount_nano"]) for line in body["lines"])
    yield "the lines add up to the total", paid == int(body["total"]["nano"])
    flow = {field: int(nano) for field, nano in body["conservation"].items()}
    yield "all money received is accounted for", 2 * flow["received_nano"] == sum(flow.values())


def sums_of_a_period(body):
    lines, payments = body["lines"], body["payments"]
    moved = sum(int(line["amount_nano"]) for line in lines)
    yield "the lines lead to the balance", int(body["opening"]["nano"]) + moved == int(body["closing"]["nano"])
    earning = [line for line in lines if line["kind"] == "earning"]
    earned = sum(int(line["amount_nano"]) for line in lines if line["kind"] in ("earning", "adjustment"))
    yield "earnings and corrections add up", earned == int(body["earned"]["nano"])
    yield "every formula comes out", all(comes_out(step) for line in earning for step in line["formula"].split("; "))
    parts = ("commission_nano", "reserve_nano", "payees_nano", "unattributed_nano", "unclaimed_nano")
    whole = all(sum(int(paid[part]) for part in parts) == int(paid["received_nano"]) for paid in payments)
    mine = sum(int(paid["you_nano"]) for paid in payments) == sum(int(line["amount_nano"]) for line in earning)
    yield "all money received is accounted for", whole and mine
    change = body["change"] or {"before_nano": earned, "after_nano": earned, "parts": []}
    steps = sum(int(part["amount_nano"]) for part in change["parts"])
    yield "the change is explained to the last unit", int(change["before_nano"]) + steps == int(change["after_nano"])


def comes_out(step):
    """Is the left side the right side, within one unit per division? (What was priced output by output is no sum.)"""
    left, _, right = step.partition(" = ")
    if "outputs" in left:
        return True
    exact = re.sub(r"[0-9.]+", lambda number: f"Fraction('{number[0]}')", left.translate({0xD7: "*", 0x2212: "-"}))
    allowed = re.fullmatch(r"(Fraction\('[0-9.]+'\)|[-+*/() ])+", exact)
    return bool(allowed) and abs(eval(exact, {"Fraction": Fraction}) - int(right)) < 2


def checks_of_page(data, name, key):
    """The last line: seal byline-page-1 <digest of the document> <SHA-256 of all above> <line hashes> <signature>."""
    at = data[:-1].rfind(b"\n") + 1
    line = data[at:].decode()
    text = line.removeprefix("#").removeprefix("<!-- ").removesuffix("\n").removesuffix(" -->")
    seal, form, digest, content, lines, signature = text.split(" ", 5)
    frame = line in (f"#{text}\n", f"<!-- {text} -->\n")
    yield "the page has a seal", frame and (seal, form) == ("seal", "byline-page-1")
    yield "the page is the one sealed", sha256(data[:at]).hex() == content
    yield "the seal is signed", signed(f"{form}\n{digest}\n{content}\n{lines}\n", signature, name, key)


def main(path, key_path):
    with open(path, "rb") as file:
        data = file.read()
    with open(key_path, encoding="utf-8") as file:
        name, key_id, encoded = file.read().strip().split("+", 2)
    key = bytes.fromhex(key_id) + base64.b64decode(encoded)[1:]
    page = path.endswith((".html", ".csv"))
    document = None if page else json.loads(data)
    results = list(checks_of_page(data, name, key) if page else checks(document, name, key))
    if not page:
        written = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        results.append(("the file is laid out as it was written", written.encode() == data))
    for what, ok in results:
        print("ok  " if ok else "FAIL", what)
    return 0 if all(ok for _, ok in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
