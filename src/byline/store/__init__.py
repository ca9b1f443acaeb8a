"""The feature store of one recorded training run: which example was seen at which step, and what it taught.

A run is a folder of raw little-endian arrays that numpy maps in place, and a manifest that names them with their
digests. docs/feature-store.md gives the format in fifteen lines.
"""

from byline.store.format import Blob, Group, RunManifest, RunSpec, Shard
from byline.store.read import RunReader, open_store
from byline.store.write import RunWriter

__all__ = ["Blob", "Group", "RunManifest", "RunReader", "RunSpec", "RunWriter", "Shard", "open_store"]
