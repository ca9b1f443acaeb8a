"""Signed documents that come too often for a leaf each: many of them become one leaf of the log.

A document is sealed and signed at once, by itself. Later the digests of many are put under one Merkle root, and what
stands in the log is the digest of that root and their number. The document then carries the way from its digest to the
root, beside the proof that the log holds the root:

    "log": {"checkpoint", "index", "size", "proof", "batch": {"index", "proof", "root", "size"}}

So the log grows by a leaf a batch, and `verify_document` still needs the document and the public key, and nothing else.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from byline.core import digest, leaf_hash, verify_inclusion
from byline.disclosure.log import entry_hash
from byline.disclosure.notes import SigningKey
from byline.disclosure.seals import seal_of, signed_text
from byline.disclosure.tree import Tree

BATCH = "batch"
"""What the leaf of a batch is of."""
_FORMAT = "byline-batch-1"


def sign_alone(body: Mapping[str, Any], key: SigningKey, kind: str) -> dict[str, Any]:
    """`body` sealed and signed, not in the log yet: a document but for its field `log`."""
    seal = seal_of(dict(body), kind, secrets.token_hex(16))
    sealed = digest(seal)
    return {"statement": dict(body), "seal": seal, "digest": sealed, "signature": key.sign(signed_text(sealed))}


class Batch:
    """Digests of documents (hex), in an order that stays."""

    def __init__(self, digests: Sequence[str]) -> None:
        self._tree = Tree([_leaf(each) for each in digests])

    @property
    def size(self) -> int:
        return self._tree.size

    @property
    def root(self) -> str:
        return self._tree.root().hex()

    def digest(self) -> str:
        """What the log holds of it, as a leaf of kind BATCH."""
        return batch_digest(self.root, self.size)

    def way(self, index: int) -> dict[str, Any]:
        """From a document to the root. Raises: CoreError("no-such-leaf")."""
        proof = [node.hex() for node in self._tree.inclusion(index, self.size)]
        return {"index": index, "proof": proof, "root": self.root, "size": self.size}


def batch_digest(root: str, size: int) -> str:
    """`size` is part of it, so that no place can be told for another."""
    return digest({"format": _FORMAT, "root": root, "size": size})


def leaf_of(told: Mapping[str, Any]) -> bytes:
    """The leaf of the log that holds a document: its own, or that of its batch."""
    batch = told["log"].get(BATCH)
    if batch is None:
        return entry_hash(told["seal"]["kind"], told["digest"])
    return entry_hash(BATCH, batch_digest(batch["root"], batch["size"]))


def batch_fault(told: Mapping[str, Any]) -> str:
    """Why a document is not of its batch; empty if it is. Raises: TypeError, ValueError for what is no proof."""
    batch = told["log"][BATCH]
    nodes, root = [bytes.fromhex(node) for node in batch["proof"]], bytes.fromhex(batch["root"])
    written = [node.hex() for node in nodes] == batch["proof"] and root.hex() == batch["root"]
    if written and verify_inclusion(_leaf(told["digest"]), batch["index"], batch["size"], nodes, root):
        return ""
    return f"the way from place {batch['index']} of {batch['size']} does not lead to the batch's root"


def _leaf(sealed: str) -> bytes:
    return leaf_hash(bytes.fromhex(sealed))
