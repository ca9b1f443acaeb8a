import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import (
    CoreError,
    consistency_proof,
    inclusion_proof,
    merkle_root,
    sha256_hex,
    verify_consistency,
    verify_inclusion,
)
from byline.disclosure import Tree

LEAVES = [bytes.fromhex(sha256_hex(bytes([n % 256, n // 256]))) for n in range(600)]


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 70), st.integers(0, 69), st.integers(1, 70))
def test_proofs_are_those_of_the_plain_recursion(size, index, old):
    """The slow truth is core.hashing, which knows no kept nodes."""
    tree = Tree(LEAVES[:70])
    assert tree.root(size) == merkle_root(LEAVES[:size])
    if index < size:
        assert tree.inclusion(index, size) == inclusion_proof(LEAVES[:size], index)
        assert verify_inclusion(LEAVES[index], index, size, tree.inclusion(index, size), tree.root(size))
    if old <= size:
        proof = tree.consistency(old, size)
        assert proof == consistency_proof(LEAVES[:size], old)
        assert verify_consistency(old, tree.root(old), size, tree.root(size), proof)


def test_larger_trees_and_the_empty_one():
    tree = Tree(LEAVES)
    assert tree.root() == merkle_root(LEAVES)
    assert Tree([]).root() == merkle_root([])
    assert tree.consistency(257, 600) == consistency_proof(LEAVES, 257)


@pytest.mark.parametrize("ask", [("root", 71), ("inclusion", 5, 5), ("inclusion", 0, 71), ("consistency", 0, 5)])
def test_what_a_tree_does_not_hold(ask):
    with pytest.raises(CoreError) as fault:
        getattr(Tree(LEAVES[:70]), ask[0])(*ask[1:])
    assert fault.value.code == "no-such-leaf"
