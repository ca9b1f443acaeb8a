"""What is published: signed statements that anybody can verify offline, and the transparency log that holds them."""

from byline.disclosure.log import Checkpoint, Leaf, Log, entry_bytes, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey, create_key, load_key, load_public
from byline.disclosure.statements import (
    Check,
    Verification,
    sign_all,
    sign_statement,
    verify_document,
    write_statement,
)
from byline.disclosure.tree import Tree

__all__ = [
    "Check",
    "Checkpoint",
    "Leaf",
    "Log",
    "PublicKey",
    "SigningKey",
    "Tree",
    "Verification",
    "create_key",
    "entry_bytes",
    "entry_hash",
    "load_key",
    "load_public",
    "read_checkpoint",
    "sign_all",
    "sign_statement",
    "verify_document",
    "write_statement",
]
