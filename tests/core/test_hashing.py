"""Canonical JSON and Merkle trees: published vectors, the recursive definition, and proofs under tampering."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import (
    CoreError,
    canonical_json,
    consistency_proof,
    digest,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

# The tree of the certificate-transparency tests: roots over the first 0, 1, ... 8 of these entries
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
trees = st.lists(st.binary(max_size=3).map(leaf_hash), min_size=1, max_size=40)


def slow_root(leaves):
    """RFC 6962, 2.1, word for word."""
    if len(leaves) == 0:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def test_published_roots():
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
    assert [merkle_root(leaves[:n]).hex() for n in range(9)] == ROOTS


@given(trees)
def test_root_is_the_recursive_one(leaves):
    assert merkle_root(leaves) == slow_root(leaves)


@given(trees, st.data())
def test_inclusion_is_proved_for_the_leaf_alone(leaves, data):
    size, root = len(leaves), merkle_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    leaf, proof = leaves[index], inclusion_proof(leaves, index)
    assert verify_inclusion(leaf, index, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another leaf"), index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, proof, leaf_hash(b"another root"))
    assert not verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not verify_inclusion(leaf, size, size, proof, root) and not verify_inclusion(leaf, -1, size, proof, root)
    if proof:
        assert not verify_inclusion(leaf, index, size, proof[:-1], root)
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]
        assert not verify_inclusion(leaf, index, size, changed, root)


@given(trees, st.data())
def test_inclusion_at_another_place_is_refused_unless_the_leaf_stands_there_too(leaves, data):
    leaves = [node_hash(leaf, bytes([i])) for i, leaf in enumerate(leaves)]  # all different
    a, b = (data.draw(st.integers(0, len(leaves) - 1)) for _ in range(2))
    proof = inclusion_proof(leaves, a)
    assert verify_inclusion(leaves[a], b, len(leaves), proof, merkle_root(leaves)) == (a == b)


@given(trees, st.data())
def test_consistency_is_proved_for_the_prefix_alone(leaves, data):
    leaves = [node_hash(leaf, bytes([i])) for i, leaf in enumerate(leaves)]
    size, root = len(leaves), merkle_root(leaves)
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(leaves, old)
    old_root = merkle_root(leaves[:old])
    assert verify_consistency(old, old_root, size, root, proof)
    assert not verify_consistency(old, leaf_hash(b"x"), size, root, proof)
    assert not verify_consistency(old, old_root, size, leaf_hash(b"x"), proof)
    assert not verify_consistency(old, old_root, size, root, [*proof, root])
    assert not verify_consistency(0, old_root, size, root, proof)
    assert not verify_consistency(size + 1, old_root, size, root, proof)
    edited = [leaf_hash(b"edited"), *leaves[1:]]  # a log that rewrote its past
    assert not verify_consistency(old, old_root, size, merkle_root(edited), consistency_proof(edited, old))
    for at in range(len(proof)):
        changed = [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]
        assert not verify_consistency(old, old_root, size, root, changed)


def test_what_is_not_in_the_tree_has_no_proof():
    leaves = [leaf_hash(b"a")]
    for body, code in [
        (lambda: inclusion_proof(leaves, 1), "no-such-leaf"),
        (lambda: inclusion_proof(leaves, -1), "no-such-leaf"),
        (lambda: consistency_proof(leaves, 0), "no-such-tree"),
        (lambda: consistency_proof(leaves, 2), "no-such-tree"),
    ]:
        with pytest.raises(CoreError) as fault:
            body()
        assert fault.value.code == code


def test_canonical_json_is_rfc_8785():
    assert canonical_json({"b": [True, None, "é\n"], "a": 2**53 - 1}) == (
        '{"a":9007199254740991,"b":[true,null,"é\\n"]}'.encode()
    )
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": [1, {"b": 0.5}]}, "float-in-record"),
        (float("nan"), "float-in-record"),
        ((1.0,), "float-in-record"),
        (2**53, "not-canonical"),
        ({"a": object()}, "not-canonical"),
        ("\ud800", "not-canonical"),
        ({1: 2}, "not-canonical"),
    ],
)
def test_what_cannot_be_hashed_is_refused(value, code):
    with pytest.raises(CoreError) as fault:
        canonical_json(value)
    assert fault.value.code == code
    if code == "float-in-record" and isinstance(value, dict):
        assert "$.a[1].b" in fault.value.message
