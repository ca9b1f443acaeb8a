"""The log as a static folder that anybody can mirror and check: C2SP tlog-tiles.

    checkpoint                      the signed head
    tile/<level>/<number>[.p/<w>]   256 hashes, or w of them at the right edge, 32 bytes each
    tile/entries/<number>[.p/<w>]   what the leaves are hashes of, each behind its length in two bytes (big-endian)

A number is written in groups of three digits, all but the last behind an x: 1234067 is x001/x234/067. An entry is the
type and the digest of a document, so that a bundle of entries holds nothing personal. Lines of the log that were
written before digests were kept have no entry; their bundle is left out and said to be.

Source: C2SP tlog-tiles, tlog-checkpoint. Tiles have height 8.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from byline.core import DisclosureError, leaf_hash, verify_consistency
from byline.disclosure.log import Checkpoint, Leaf, Log, read_checkpoint
from byline.disclosure.notes import PublicKey, SigningKey
from byline.disclosure.tree import Tree

WIDTH = 256
_HASH = 32


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: the head, how many files, and how many entries have no bundle."""

    checkpoint: Checkpoint
    files: int
    without_entry: int


@dataclass(frozen=True, slots=True)
class Audited:
    """What was found in a copy of the log: its head, and everything that is wrong. No fault: it holds."""

    checkpoint: Checkpoint | None
    faults: tuple[str, ...]
    entries: int = 0


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where a tile of `width` hashes stands. `level`: a number, or "entries"."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of a log of `size` leaves."""
    level, hashes = 0, size
    while hashes:
        for number in range(-(-hashes // WIDTH)):
            yield level, number, min(WIDTH, hashes - number * WIDTH)
        level, hashes = level + 1, hashes // WIDTH


def publish(log: Log, key: SigningKey, folder: Path) -> Published:
    """Write the log as it stands into `folder`; the checkpoint comes last, so that a reader who sees it finds all that
    it covers. Tiles that are there already stay, and must be the same.

    Raises: DisclosureError("forked-log") if the folder holds other tiles than these.
    """
    checkpoint = read_checkpoint(note := log.checkpoint(key), key.public)
    if checkpoint is None:
        raise DisclosureError(
            "bad-checkpoint", "the log's own head does not read back", "keep the folder and report it"
        )
    entries = log.entries()[: checkpoint.size]
    tree, files = Tree([leaf.hash for leaf in entries]), 0
    for level, number, width in tiles_of(checkpoint.size):
        files += _keep(folder / tile_path(level, number, width), _hashes(tree, level, number, width))
    for number, bundle in enumerate(_bundles(entries)):
        if bundle is not None:
            width = min(WIDTH, len(entries) - number * WIDTH)
            files += _keep(folder / tile_path("entries", number, width), bundle)
    _write(folder / "byline.pub", f"{key.public}\n".encode())
    _write(folder / "checkpoint", note.encode())
    return Published(checkpoint, files, sum(leaf.entry() is None for leaf in entries))


def audit(folder: Path, key: PublicKey, since: str | None = None) -> Audited:
    """Check a copy of a log against its own head, tile by tile and entry by entry; `since`: a head that was seen before
    (signed note), of which the copy must be a continuation."""
    path = folder / "checkpoint"
    head = read_checkpoint(_text(path), key) if path.is_file() else None
    if head is None:
        return Audited(None, (f"{path} is not a head signed by {key.name}",))
    faults: list[str] = []
    leaves = _leaves(folder, head.size, faults)
    if leaves is None:
        return Audited(head, tuple(faults))
    tree = Tree(leaves)
    if tree.root() != head.root:
        faults.append(f"the {head.size} leaves of the tiles do not have the signed root")
    faults += _tile_faults(folder, tree)
    found = _entry_faults(folder, leaves, faults)
    if since is not None:
        faults += _since_faults(since, head, tree, key)
    return Audited(head, tuple(faults), found)


# --- writing ------------------------------------------------------------------------------------------------------


def _hashes(tree: Tree, level: int, number: int, width: int) -> bytes:
    row = tree.levels[8 * level]
    return b"".join(row[number * WIDTH : number * WIDTH + width])


def _bundles(entries: Sequence[Leaf]) -> Iterator[bytes | None]:
    """Each bundle, or None where an entry of it is not known."""
    for start in range(0, len(entries), WIDTH):
        texts = [leaf.entry() for leaf in entries[start : start + WIDTH]]
        known = [text for text in texts if text is not None]
        whole = len(known) == len(texts)
        yield b"".join(len(text).to_bytes(2, "big") + text for text in known) if whole else None


def _keep(path: Path, data: bytes) -> int:
    """1 if it was new. A tile never changes."""
    if path.is_file():
        if path.read_bytes() != data:
            fix = "keep this folder, it may show that the log was forked; publish into another one"
            raise DisclosureError("forked-log", f"{path} holds other hashes than the log has", fix)
        return 0
    _write(path, data)
    return 1


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


# --- auditing -----------------------------------------------------------------------------------------------------


def _leaves(folder: Path, size: int, faults: list[str]) -> list[bytes] | None:
    """Leaf hashes from the tiles of level 0; None if one is missing or of another length."""
    leaves: list[bytes] = []
    for level, number, width in tiles_of(size):
        if level:
            break
        data = _tile(folder, level, number, width, faults)
        if data is None:
            return None
        leaves += [data[at : at + _HASH] for at in range(0, len(data), _HASH)]
    return leaves


def _tile(folder: Path, level: int | str, number: int, width: int, faults: list[str]) -> bytes | None:
    """Bytes of a tile; where only a wider one is there, its beginning (the specification lets old ones be deleted)."""
    path = folder / tile_path(level, number, width)
    whole = folder / tile_path(level, number)
    found = path if path.is_file() else whole
    if not found.is_file():
        faults.append(f"{tile_path(level, number, width)} is missing")
        return None
    data = found.read_bytes()
    expected = (width if found == path else WIDTH) * _HASH
    if len(data) != expected:
        faults.append(f"{found.relative_to(folder)} has {len(data)} bytes, not {expected}")
        return None
    return data[: width * _HASH]


def _tile_faults(folder: Path, tree: Tree) -> list[str]:
    """Tiles above the leaves that are missing or do not follow from those below."""
    faults: list[str] = []
    for level, number, width in tiles_of(tree.size):
        data = _tile(folder, level, number, width, faults) if level else None
        if data is not None and data != _hashes(tree, level, number, width):
            faults.append(f"{tile_path(level, number, width)} does not follow from the leaves")
    return faults


def _entry_faults(folder: Path, leaves: Sequence[bytes], faults: list[str]) -> int:
    """How many entries were there and checked. A bundle that is not there is no fault: entries may be withheld."""
    found = 0
    for number in range(-(-len(leaves) // WIDTH)):
        width = min(WIDTH, len(leaves) - number * WIDTH)
        path = folder / tile_path("entries", number, width)
        if not path.is_file():
            continue
        texts = _entries(path.read_bytes())
        name = path.relative_to(folder)
        if texts is None or len(texts) != width:
            faults.append(f"{name} does not hold {width} entries")
            continue
        for place, text in enumerate(texts, number * WIDTH):
            if leaf_hash(text) != leaves[place]:
                faults.append(f"{name}: entry {place} is not what leaf {place} is the hash of")
        found += width
    return found


def _entries(data: bytes) -> list[bytes] | None:
    texts, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + length > len(data):
            return None
        texts.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return texts


def _since_faults(since: str, head: Checkpoint, tree: Tree, key: PublicKey) -> list[str]:
    """A head that was seen before must be the beginning of this log: else it was rolled back, or forked."""
    seen = read_checkpoint(since, key)
    if seen is None:
        return [f"the head that was kept is not signed by {key.name}"]
    if seen.size > head.size:
        return [f"a head of {seen.size} leaves was seen before, this copy has {head.size}: it is old, or rolled back"]
    if seen.size and tree.size >= seen.size:
        proof = tree.consistency(seen.size, head.size)
        if not verify_consistency(seen.size, seen.root, head.size, head.root, proof):
            return [f"the first {seen.size} leaves are not those that were signed before: the log was forked"]
    return []


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
