from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LedgerError, sha256_hex
from byline.ledger import allocate

weights = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 10**6), min_size=1, max_size=8)
totals = st.one_of(st.integers(-60, 60), st.integers(-(2**63), 2**63))


def by_hand(total, weights, salt):
    """Give one unit after the other to whoever is furthest below their exact quota."""
    quota = {name: Fraction(total * weight, sum(weights.values())) for name, weight in weights.items()}
    parts = {name: quota[name].numerator // quota[name].denominator for name in weights}
    while sum(parts.values()) < total:
        short = max(quota[name] - parts[name] for name in parts)
        tied = [name for name in parts if quota[name] - parts[name] == short]
        parts[min(tied, key=lambda name: sha256_hex(f"{salt}\n{name}".encode()))] += 1
    return parts


@settings(max_examples=60)
@given(st.integers(0, 10**12), weights.filter(lambda w: any(w.values())), st.text(max_size=3))
def test_allocation_equals_the_slow_one(total, weights, salt):
    assert allocate(total, weights, salt) == by_hand(total, weights, salt)


@settings(max_examples=100)
@given(st.integers(0, 10**12), weights, st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_I20_splitting_a_weight_in_k_moves_at_most_k_nano(total, weights, pieces):
    whole = {**weights, "me": sum(pieces) + 1}
    puppets = {**weights, **{f"me{i}": piece for i, piece in enumerate(pieces)}, "me": 1}
    gain = sum(n for name, n in allocate(total, puppets, "s").items() if name.startswith("me"))
    assert abs(gain - allocate(total, whole, "s")["me"]) <= len(pieces) + 1


def test_ties_are_spread_by_the_salt():
    winners = [max(parts, key=parts.get) for parts in (allocate(100, dict(a=1, b=1, c=1), f"{i}") for i in range(600))]
    assert all(150 < winners.count(name) < 250 for name in "abc")


def test_nothing_to_divide():
    assert allocate(0, {"a": 0}, "") == {"a": 0}
    assert allocate(0, {}, "") == {}


def test_refusals():
    with pytest.raises(LedgerError) as fault:
        allocate(10, {"a": 2, "b": -1}, "")
    assert fault.value.code == "negative-weight"
    with pytest.raises(LedgerError) as fault:
        allocate(10, {"a": 0}, "")
    assert fault.value.code == "no-weight"
