"""A forger who knows the format: changes a run and seals it again with digests that fit."""

import hashlib
import json
import sys
from pathlib import Path

SUFFIXES = {
    "features": "features.i8",
    "scales": "scales.f32",
    "rows": "rows.u32",
    "ids": "ids.jsonl",
    "steps": "steps.jsonl",
}


def read(run):
    return json.loads((run / "manifest.json").read_bytes())


def write(run, manifest):
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    (run / "manifest.json").write_bytes(text.encode())


def file(run, kind, shard=0):
    name = read(run)["shards"][shard]["name"]
    return run / "shards" / f"{name}.{SUFFIXES[kind]}"


def replace(run, kind, data, shard=0):
    """Put other bytes in a shard's file and seal the manifest."""
    file(run, kind, shard).write_bytes(data)
    manifest = read(run)
    manifest["shards"][shard]["sha256"][kind] = hashlib.sha256(data).hexdigest()
    write(run, manifest)


def main(attack):
    attack(Path(sys.argv[1]))
