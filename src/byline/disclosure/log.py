"""The transparency log: a Merkle tree (RFC 6962) over everything that was published, in a folder.

`leaves` is a text file to which lines are only ever added: a leaf hash in hex, the type of the document, and its digest
(lines written before digests were kept end with the type). `checkpoint` is the newest signed tree head (C2SP
tlog-checkpoint). A leaf is the hash of a type and a digest; no personal data gets in, and a digest is of a document
with a random salt, so erasing the document erases what the leaf could tell. A line without its end, left by a process
that was killed, was never part of the log. `disclosure.tiles` publishes all of it as C2SP tiles.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from byline.core import (
    DisclosureError,
    canonical_json,
    leaf_hash,
)
from byline.disclosure.notes import PublicKey, SigningKey, decode64, encode64
from byline.disclosure.tree import Tree


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: whose log, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n"

    def signed(self, key: SigningKey) -> str:
        """The signed note."""
        return f"{self.text()}\n{key.sign(self.text())}\n"


def read_checkpoint(note: str, key: PublicKey) -> Checkpoint | None:
    """The tree head of a signed note, or None if it is not one, or not signed by `key` for its own log."""
    lines = note.split("\n")
    if len(lines) != 6 or lines[3] or lines[5]:
        return None
    origin, size, root = lines[0], lines[1], decode64(lines[2])
    if origin != key.name or not (size.isascii() and size.isdigit() and str(int(size)) == size) or root is None:
        return None
    checkpoint = Checkpoint(origin, int(size), root)
    return checkpoint if len(root) == 32 and key.accepts(checkpoint.text(), lines[4]) else None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One line of the log. `digest` is empty in lines written before digests were kept."""

    hash: bytes
    kind: str
    digest: str

    def entry(self) -> bytes | None:
        """What the leaf is the hash of, if it is known: this is what a bundle of entries publishes."""
        return entry_bytes(self.kind, self.digest) if self.digest else None


def entry_bytes(kind: str, digest: str) -> bytes:
    """What is logged of a document: `kind` says what it is, `digest` (hex) is over its salted content."""
    return canonical_json({"digest": digest, "type": kind})


def entry_hash(kind: str, digest: str) -> bytes:
    """Leaf hash of a document."""
    return leaf_hash(entry_bytes(kind, digest))


class Log:
    """The log in `folder`. Raises: DisclosureError("log-corrupt") wherever a finished line is not a leaf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, kind: str, digest: str) -> int:
        """Index of the new leaf, which is on disk when this returns. Raises: as `append_all`."""
        return self.append_all(kind, [digest])

    def append_all(self, kind: str, digests: Sequence[str]) -> int:
        """Index of the first of the new leaves, which stand side by side and are on disk when this returns.

        Raises: DisclosureError("bad-leaf") if `kind` is not one lower-case word or a digest not one word.
        """
        if not (kind.isascii() and kind.replace("-", "").isalnum()):
            raise DisclosureError("bad-leaf", f"{kind!r} is not a type of document", "one word, such as statement")
        for digest in digests:
            if not (digest.isascii() and digest.isalnum()):
                raise DisclosureError("bad-leaf", f"{digest!r} is not a digest", "hex digits")
        with self._locked() as descriptor:
            lines, end = _complete_lines(self._path("leaves"))
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, 0, os.SEEK_END)
            _write_all(descriptor, (f"{entry_hash(kind, each).hex()} {kind} {each}\n" for each in digests))
            os.fsync(descriptor)
        return len(lines)

    def entries(self) -> list[Leaf]:
        """All lines, oldest first."""
        lines, _ = _complete_lines(self._path("leaves"))
        return [_leaf(line, self._path("leaves"), number) for number, line in enumerate(lines, 1)]

    def leaves(self) -> list[bytes]:
        """Leaf hashes, oldest first."""
        return [leaf.hash for leaf in self.entries()]

    def tree(self) -> Tree:
        """All leaves as a tree, for many proofs."""
        return Tree(self.leaves())

    def checkpoint(self, key: SigningKey) -> str:
        """Sign the log as it stands, keep the note in the folder and return it.

        Raises: DisclosureError("log-rewritten") if the log no longer begins with what the last checkpoint signed.
        """
        with self._locked():
            tree = self.tree()
            self._refuse_rewritten(tree, key.public)
            note = Checkpoint(key.name, tree.size, tree.root()).signed(key)
            part = self._path("checkpoint.part")
            part.write_text(note, encoding="utf-8")
            part.rename(self._path("checkpoint"))
        return note

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that leaf `index` is in the tree of the first `size` leaves."""
        return self.tree().inclusion(index, size)

    def inclusions(self, indices: Iterable[int], size: int) -> list[list[bytes]]:
        """The same for many leaves of one tree."""
        tree = self.tree()
        return [tree.inclusion(index, size) for index in indices]

    def consistency(self, old_size: int, size: int) -> list[bytes]:
        """Proof that the tree of `old_size` leaves is a prefix of the tree of `size`."""
        return self.tree().consistency(old_size, size)

    def _refuse_rewritten(self, tree: Tree, key: PublicKey) -> None:
        path = self._path("checkpoint")
        if not path.exists():
            return
        before = read_checkpoint(path.read_text(encoding="utf-8"), key)
        if before is None:
            raise DisclosureError(
                "log-rewritten", f"{path} is not signed by {key.name}", "sign with the key of the log"
            )
        if tree.size < before.size or tree.root(before.size) != before.root:
            raise DisclosureError(
                "log-rewritten",
                f"{self._path('leaves')} does not begin with the {before.size} leaves that were signed",
                "restore the file from a copy; a log is only ever added to",
            )

    def _path(self, name: str) -> Path:
        return self.folder / name

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Open file of the leaves, held by one process at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path("leaves"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _complete_lines(path: Path) -> tuple[list[bytes], int]:
    """Lines that have their end, and how many bytes they take."""
    data = path.read_bytes() if path.exists() else b""
    end = data.rfind(b"\n") + 1
    return data[:end].splitlines(), end


def _leaf(line: bytes, path: Path, number: int) -> Leaf:
    try:
        words = line.decode("ascii").split(" ")
        leaf = Leaf(bytes.fromhex(words[0]), words[1], words[2] if len(words) == 3 else "")
    except (ValueError, IndexError):
        leaf = Leaf(b"", "", "")
    if len(leaf.hash) != 32 or len(line.split(b" ")) > 3:
        raise DisclosureError("log-corrupt", f"{path}:{number} is not a leaf", "restore the file from a copy")
    if leaf.digest and entry_hash(leaf.kind, leaf.digest) != leaf.hash:
        raise DisclosureError("log-corrupt", f"{path}:{number}: the leaf is not of its digest", "restore the file")
    return leaf


def _write_all(descriptor: int, lines: Iterable[str]) -> None:
    """`os.write` may take only a part of a long text."""
    data = "".join(lines).encode()
    while data:
        data = data[os.write(descriptor, data) :]
