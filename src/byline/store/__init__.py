"""The feature store of one recorded training run: which example was seen at which step, and what it taught.

A run is a folder of raw little-endian arrays that numpy maps in place, and a manifest that names them with their
digests. docs/feature-store.md gives the format in fifteen lines.
"""

from byline.store.codec import decode_ids, encode_ids, quantise
from byline.store.files import PartFile, map_checked, read_checked, sync_folder, write_file
from byline.store.format import Blob, Group, RunManifest, RunSpec, Shard
from byline.store.read import RunReader, open_store
from byline.store.write import RunWriter

__all__ = [
    "Blob",
    "Group",
    "PartFile",
    "RunManifest",
    "RunReader",
    "RunSpec",
    "RunWriter",
    "Shard",
    "decode_ids",
    "encode_ids",
    "map_checked",
    "open_store",
    "quantise",
    "read_checked",
    "sync_folder",
    "write_file",
]
