"""Signed documents: a body, a seal over every field of it, a signature, and the proof that the log holds it.

    {"statement": body, "seal": {"format", "kind", "salt", "sha256", "fields"}, "digest", "signature",
     "log": {"checkpoint", "index", "size", "proof", and perhaps "later": {"checkpoint", "proof"}}}

`seal.sha256` covers the body and the salt; `seal.fields` maps the JSON pointer of each field to the beginning of its
own salted hash, so that a changed field can be named. `digest` is the SHA-256 of the seal: it is signed and logged.
`log.later` proves that the log has only been added to until a later head; `log.batch` stands in documents that share
a leaf (`batches`). `verify_document` needs the document and the
public key, and nothing else.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from byline.core import BylineError, DisclosureError, digest
from byline.disclosure.checks import BATCHED, BODY_CHECKS, CHECKS, HOLDS, LATER
from byline.disclosure.log import Log
from byline.disclosure.notes import PublicKey, SigningKey, load_public
from byline.disclosure.pages import FORMS, verify_page
from byline.disclosure.reading import NOT_SIGNED, document_text, read_document, shaped
from byline.disclosure.seals import seal_of, signed_text
from byline.disclosure.verification import Check as Check
from byline.disclosure.verification import Verification as Verification


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
    seals = [seal_of(dict(body), kind, salt) for body, salt in zip(bodies, used, strict=True)]
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
            "signature": key.sign(signed_text(sealed)),
            "log": {"checkpoint": note, "index": first + n, "size": size, "proof": [node.hex() for node in proof]},
        }
        for n, (body, seal, sealed, proof) in enumerate(zip(bodies, seals, digests, proofs, strict=True))
    ]


def with_later(document: Mapping[str, Any], log: Log, key: SigningKey) -> dict[str, Any]:
    """The document with a proof that the head it was signed under is the beginning of the log's head of now; as it is,
    if nothing has been added since. What was signed stays the same. Raises: what `Log` raises."""
    size = document["log"]["size"]
    kept = {name: value for name, value in document["log"].items() if name != "later"}
    note = log.checkpoint(key)
    now = int(note.split("\n")[1])
    if now > size:
        proof = [node.hex() for node in log.consistency(size, now)]
        kept["later"] = {"checkpoint": note, "proof": proof}
    return {**document, "log": kept}


def write_statement(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document for people and programs to read (indented JSON); all of it or nothing."""
    write_text(path, document_text(document))


def write_text(path: Path, text: str) -> None:
    """All of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def verify_document(document: Mapping[str, Any] | str | Path, key: PublicKey | str | Path) -> Verification:
    """Every check of a document, offline; a document of a wrong shape fails the first one.

    `document`: the parsed JSON, or the path of the file: JSON, or a page made of it (.html, .csv). `key`: a public key,
    its text form, or its file.
    Raises: DisclosureError("no-document") if there is no file to read, and what `load_public` raises.
    """
    public = key if isinstance(key, PublicKey) else load_public(key)
    if not isinstance(document, Mapping) and Path(document).suffix in FORMS:
        return verify_page(Path(document), public)
    try:
        told = shaped(document) if isinstance(document, Mapping) else read_document(Path(document))
    except DisclosureError as fault:
        if fault.code != NOT_SIGNED:
            raise
        return Verification((Check("shape", False, fault.message),), None)
    checks, changed = [Check("shape", True, "it is a signed document")], None
    later = LATER if "later" in told["log"] else {}
    batched = BATCHED if "batch" in told["log"] else {}
    for name, check in (CHECKS | batched | later | BODY_CHECKS.get(told["seal"]["kind"], {})).items():
        try:
            fault_text, where = check(told, public)
        except (BylineError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as fault:
            fault_text, where = f"cannot be checked: {fault}", None
        checks.append(Check(name, not fault_text, fault_text or HOLDS[name]))
        changed = changed or where
    return Verification(tuple(checks), changed)
