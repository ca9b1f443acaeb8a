"""What is published: signed statements that anybody can verify offline, and the transparency log that holds them."""

from byline.disclosure.log import Checkpoint, Leaf, Log, entry_bytes, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey, create_key, load_key, load_public
from byline.disclosure.pages import seal_page
from byline.disclosure.reading import read_document
from byline.disclosure.statements import (
    sign_all,
    sign_statement,
    verify_document,
    with_later,
    write_statement,
    write_text,
)
from byline.disclosure.tree import Tree
from byline.disclosure.verification import Check, Verification

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
    "read_document",
    "seal_page",
    "sign_all",
    "sign_statement",
    "verify_document",
    "with_later",
    "write_statement",
    "write_text",
]
