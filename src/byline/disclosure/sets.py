"""A set of words under one hash: anybody can be shown that a word is in it, or that it is not, with the hash alone.

The words stand in order, each once, as the leaves of a Merkle tree. Two neighbours and their places prove that nothing
stands between them. That the words are in order is vouched for by whoever signs the hash; who holds the whole set can
check it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from byline.core import CoreError, canonical_json, leaf_hash, merkle_root, verify_inclusion
from byline.disclosure.tree import Tree


class SortedSet:
    """Words (hex digests, say) with proofs."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted(set(words))
        self._tree = Tree([_leaf(word) for word in self.words])

    @property
    def size(self) -> int:
        return len(self.words)

    @property
    def root(self) -> str:
        return self._tree.root().hex()

    def prove_member(self, word: str) -> dict[str, Any]:
        """Raises: CoreError("no-such-leaf")."""
        place = bisect_left(self.words, word)
        if place == self.size or self.words[place] != word:
            raise CoreError("no-such-leaf", f"{word[:16]} is not in the set")
        return self._placed(place)

    def prove_absent(self, word: str) -> dict[str, Any]:
        """Raises: CoreError("is-a-leaf")."""
        place = bisect_left(self.words, word)
        if place < self.size and self.words[place] == word:
            raise CoreError("is-a-leaf", f"{word[:16]} is in the set", "its presence can be proved, not its absence")
        before = self._placed(place - 1) if place else None
        after = self._placed(place) if place < self.size else None
        return {"word": word, "before": before, "after": after}

    def _placed(self, index: int) -> dict[str, Any]:
        path = [node.hex() for node in self._tree.inclusion(index, self.size)]
        return {"word": self.words[index], "index": index, "proof": path}


def verify_member(proof: Mapping[str, Any], size: int, root: str) -> bool:
    """True if the proof shows that its word is in the set of `size` words under `root` (hex)."""
    if set(proof) != {"word", "index", "proof"} or type(proof["index"]) is not int:
        return False
    return verify_path(_leaf(proof["word"]), proof["index"], size, proof["proof"], root)


def verify_absent(proof: Mapping[str, Any], size: int, root: str) -> bool:
    """True if the proof shows that its word is not in that set."""
    if set(proof) != {"word", "before", "after"}:
        return False
    before, after = proof["before"], proof["after"]
    if before is None and after is None:
        return size == 0 and root == merkle_root([]).hex()
    if before is not None and not (before["word"] < proof["word"] and verify_member(before, size, root)):
        return False
    if after is not None and not (proof["word"] < after["word"] and verify_member(after, size, root)):
        return False
    last = before["index"] if before is not None else -1
    first = after["index"] if after is not None else size
    return bool(last + 1 == first)


def verify_path(leaf: bytes, index: int, size: int, path: list[str], root: str) -> bool:
    """An audit path written in hex, in the one way it can be written."""
    nodes = [bytes.fromhex(node) for node in path]
    if [node.hex() for node in nodes] != list(path) or bytes.fromhex(root).hex() != root:
        return False
    return verify_inclusion(leaf, index, size, nodes, bytes.fromhex(root))


def _leaf(word: str) -> bytes:
    return leaf_hash(canonical_json(word))
