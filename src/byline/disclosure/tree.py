"""A Merkle tree (RFC 6962) whose inner nodes are kept, so that one proof costs the logarithm of the size, not the size.

`core.hashing` has the same tree as plain recursion over leaves; a test holds the two against each other. Trees of an
earlier size are asked of the same object: whole subtrees never change when leaves are added.
"""

from collections.abc import Sequence

from byline.core import CoreError, merkle_root, node_hash


class Tree:
    """The tree over leaf hashes. `levels[k][n]` is the node over the 2**k leaves from n * 2**k on, if all are there."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([node_hash(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)])

    @property
    def size(self) -> int:
        return len(self.levels[0])

    def root(self, size: int | None = None) -> bytes:
        """Root over the first `size` leaves; all by default."""
        wanted = self._checked(self.size if size is None else size)
        return self._node(0, wanted) if wanted else merkle_root([])

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Audit path of leaf `index` in the tree of `size` leaves, nearest sibling first."""
        if not 0 <= index < self._checked(size):
            raise CoreError("no-such-leaf", f"leaf {index} in a tree of {size}")
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Proof that the tree of `old` leaves is a prefix of the tree of `size` (RFC 6962, 2.1.2)."""
        if not 0 < old <= self._checked(size):
            raise CoreError("no-such-leaf", f"a tree of {size} leaves has no beginning of {old}")
        path, start, end, whole = [], 0, size, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(start, middle))
                start, whole = middle, False
        return [*([] if whole else [self._node(start, end)]), *path[::-1]]

    def _node(self, start: int, end: int) -> bytes:
        """Hash over the leaves from `start` to `end`, where `start` is where a subtree of that size begins."""
        width = end - start
        if width & (width - 1) == 0:
            return self.levels[width.bit_length() - 1][start // width]
        middle = start + _split(width)
        return node_hash(self._node(start, middle), self._node(middle, end))

    def _checked(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise CoreError("no-such-leaf", f"a tree of {self.size} leaves was never one of {size}")
        return size


def _split(size: int) -> int:
    """Largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
