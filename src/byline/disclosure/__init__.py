"""What is published: signed statements that anybody can verify offline, and the transparency log that holds them."""

from byline.disclosure.log import Checkpoint, Log, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey, create_key, load_key, load_public
from byline.disclosure.statements import Check, Verification, sign_statement, verify_document, write_statement

__all__ = [
    "Check",
    "Checkpoint",
    "Log",
    "PublicKey",
    "SigningKey",
    "Verification",
    "create_key",
    "entry_hash",
    "load_key",
    "load_public",
    "read_checkpoint",
    "sign_statement",
    "verify_document",
    "write_statement",
]
