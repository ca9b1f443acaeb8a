"""What is published: signed statements that anybody can verify offline, and the transparency log that holds them."""

from byline.disclosure.batches import BATCH, Batch, sign_alone
from byline.disclosure.exclusion import FORMAT as EXCLUSION_FORMAT
from byline.disclosure.exclusion import decision_leaves, seal_exclusion, verify_exclusion
from byline.disclosure.log import Checkpoint, Leaf, Log, entry_bytes, entry_hash, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey, create_key, load_key, load_public
from byline.disclosure.pages import seal_page
from byline.disclosure.proofs import prove_growth, verify_file, verify_growth
from byline.disclosure.reading import read_document
from byline.disclosure.receipts import FORMAT as RECEIPT_FORMAT
from byline.disclosure.receipts import RUN_FORMAT
from byline.disclosure.sets import SortedSet
from byline.disclosure.statements import (
    sign_all,
    sign_statement,
    verify_document,
    with_later,
    write_statement,
    write_text,
)
from byline.disclosure.tiles import Audited, Published, tile_path, tiles_of
from byline.disclosure.tiles import audit as audit_tiles
from byline.disclosure.tiles import publish as publish_tiles
from byline.disclosure.tree import Tree
from byline.disclosure.verification import Check, Verification

__all__ = [
    "BATCH",
    "EXCLUSION_FORMAT",
    "RECEIPT_FORMAT",
    "RUN_FORMAT",
    "Audited",
    "Batch",
    "Check",
    "Checkpoint",
    "Leaf",
    "Log",
    "PublicKey",
    "Published",
    "SigningKey",
    "SortedSet",
    "Tree",
    "Verification",
    "audit_tiles",
    "create_key",
    "decision_leaves",
    "entry_bytes",
    "entry_hash",
    "load_key",
    "load_public",
    "prove_growth",
    "publish_tiles",
    "read_checkpoint",
    "read_document",
    "seal_exclusion",
    "seal_page",
    "sign_all",
    "sign_alone",
    "sign_statement",
    "tile_path",
    "tiles_of",
    "verify_document",
    "verify_exclusion",
    "verify_file",
    "verify_growth",
    "with_later",
    "write_statement",
    "write_text",
]
