"""Outputs by the million agree with a loop over Python integers, line by line."""

import io
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from byline.core import PPB, PPM, LedgerError
from byline.ledger import Outputs, pooled_shares, sum_outputs
from byline.ledger.outputs import FIXED
from byline.ledger.rows import WHOLE_MAX, Ties, divide_rows, exact_sum, scaled_down

sys.path.insert(0, str(Path(__file__).parent))
from worlds import terms

U64 = 2**64 - 1
FULL = 2**63 - 1


def key(salt, row, part):
    def hashed(name):
        return int.from_bytes(sha256(salt.encode() + b"\n" + name).digest()[:8], "big")

    x = hashed(row) ^ hashed(part.encode())
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & U64
    return x ^ (x >> 31)


def by_hand(total, weights, salt, row, parts):
    """One row, in Python integers."""
    whole = sum(weights)
    got = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda w: (-(total * weights[w] % whole), -key(salt, row, parts[w]), w))
    for w in order[: total - sum(got)]:
        got[w] += 1
    return got


def lines_by_hand(event, name, nano, ppb, clusters, rates):
    commission, reserve, tau, lam, cap = rates
    size, sign = abs(nano), (nano > 0) - (nano < 0)
    deducted = [size * commission // PPM, size * reserve // PPM]
    net = size - sum(deducted)
    training = by_hand(net, [tau, PPM - tau], f"{event} training", name, ("training", "rest"))[0]
    pot = by_hand(net - training, [lam, PPM - lam], f"{event} attribution", name, ("attribution", "rest"))[0]
    ppb = [min(share, cap * 1000) for share in ppb]
    parts = by_hand(pot, [PPB - sum(ppb), *ppb], event, name, ("", *clusters))
    return [sign * part for part in (*deducted, training, net - training - pot, *parts)]


@st.composite
def rows(draw):
    whole = draw(st.sampled_from([1, 2, 7, PPM, PPB, WHOLE_MAX]))
    width = draw(st.integers(1, 6))
    some = st.lists(st.integers(0, whole), min_size=width - 1, max_size=width - 1)
    cuts = [sorted(draw(some)) for _ in range(draw(st.integers(1, 5)))]
    weights = [[b - a for a, b in zip([0, *cut], [*cut, whole], strict=True)] for cut in cuts]
    totals = [draw(st.one_of(st.integers(0, 50), st.integers(0, FULL), st.just(FULL))) for _ in cuts]
    return whole, weights, totals


@settings(max_examples=100, deadline=None)
@given(rows(), st.text(max_size=3))
@example((3, [[1, 1, 1]] * 4, [1, 2, FULL, 0]), "s")
@example((WHOLE_MAX, [[WHOLE_MAX, 0]], [FULL]), "")
def test_i03_rows_are_divided_as_by_hand(told, salt):
    whole, weights, totals = told
    parts = tuple(f"p{w}" for w in range(len(weights[0])))
    ids = [b"row%d" % n for n in range(len(totals))]
    got = divide_rows(np.array(totals), np.array(weights), whole, ids, Ties(salt, parts))
    assert got.tolist() == [by_hand(t, w, salt, i, parts) for t, w, i in zip(totals, weights, ids, strict=True)]


def test_ties_favour_nobody():
    """10,000 rows of one unit over three equal parts: each part wins a third of them."""
    ids = [b"%d" % n for n in range(10_000)]
    got = divide_rows(
        np.ones(10_000, dtype=np.int64), np.ones((10_000, 3), dtype=np.int64), 3, ids, Ties("s", ("a", "b", "c"))
    )
    assert all(3200 < wins < 3470 for wins in got.sum(axis=0))


@pytest.mark.parametrize(
    ("total", "weights", "whole"),
    [([-1], [[1, 1]], 2), ([1], [[3, -1]], 2), ([1], [[1, 2]], 2), ([1], [[0, 0]], 0), ([1], [[2**31]], 2**31)],
)
def test_rows_that_cannot_be_divided(total, weights, whole):
    with pytest.raises(LedgerError) as fault:
        divide_rows(np.array(total), np.array(weights), whole, [b""], Ties("", ("a", "b")))
    assert fault.value.code == "bad-rows"


@given(st.lists(st.integers(-FULL, FULL), min_size=1), st.integers(0, PPM))
def test_sums_and_rates_are_exact_beyond_64_bits(numbers, ppm):
    assert exact_sum(np.array(numbers)) == [sum(numbers)]
    sizes = [abs(number) for number in numbers]
    assert scaled_down(np.array(sizes), ppm, PPM).tolist() == [size * ppm // PPM for size in sizes]


def drawn_outputs(seed, count, width, large=False):
    random = np.random.default_rng(seed)
    ppb = random.dirichlet(np.full(width, 0.3), size=count) * random.uniform(0, 1, (count, 1)) * (PPB - 1)
    ppb[::7] = PPB // width // 2  # ties
    nano = random.integers(-50, 50, count) if seed % 2 else random.integers(-FULL if large else 0, FULL, count)
    ids = np.array([f"output:{i:05}" for i in random.permutation(count)], dtype="S")
    return Outputs(ids, nano, ppb.astype(np.uint32))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 5), *(st.integers(0, PPM) for _ in range(3)))
def test_outputs_agree_with_the_slow_loop(seed, count, width, tau, lam, cap):
    block = drawn_outputs(seed, count, width, large=True)
    agreed = terms(lam, commission_ppm=51_234, reserve_ppm=20_001, train_share_ppm=tau, cap_ppm=cap)
    clusters = [f"cluster:{w}" for w in range(width)]
    lines = io.BytesIO()
    sums = sum_outputs("event:1", [block], clusters, agreed, lines)
    rates = (51_234, 20_001, tau, lam, cap)
    expected = [
        lines_by_hand("event:1", name, int(nano), ppb.tolist(), clusters, rates)
        for name, nano, ppb in zip(block.ids_N.tolist(), block.nano_N, block.ppb_NW, strict=True)
    ]
    got = np.frombuffer(lines.getvalue(), dtype="<i8").reshape(count, -1)
    assert got.tolist() == expected
    assert [sum(line) for line in expected] == block.nano_N.tolist()
    totals = dict(zip((*FIXED, *clusters), map(sum, zip(*expected, strict=True)), strict=True))
    assert {name: int(getattr(sums, f"{name}_nano")) for name in FIXED} == {name: totals[name] for name in FIXED}
    assert {name: int(nano) for name, nano in sums.clusters} == {name: totals[name] for name in clusters}
    assert int(sums.received_nano) == sum(totals.values())
    assert sums.lines_sha256 == sha256(lines.getvalue()).hexdigest()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, PPM), st.integers(0, PPM))
def test_each_line_is_within_three_nano_of_the_rule(seed, tau, lam):
    block = drawn_outputs(2 * seed, 10, 4)
    agreed = terms(lam, commission_ppm=51_234, reserve_ppm=20_001, train_share_ppm=tau)
    lines = io.BytesIO()
    sum_outputs("event:1", [block], [f"cluster:{w}" for w in range(4)], agreed, lines)
    for nano, ppb, line in zip(
        block.nano_N, block.ppb_NW, np.frombuffer(lines.getvalue(), "<i8").reshape(10, -1), strict=True
    ):
        net = int(nano) - int(line[0]) - int(line[1])
        rest = Fraction(net * (PPM - tau), PPM)
        for share, part in zip(ppb.tolist(), line[5:].tolist(), strict=True):
            assert abs(rest * lam / PPM * share / PPB - part) < 3


def test_blocks_do_not_matter():
    block = drawn_outputs(4, 30, 3)
    pieces = [
        Outputs(block.ids_N[a:b], block.nano_N[a:b], block.ppb_NW[a:b]) for a, b in ((0, 1), (1, 1), (1, 19), (19, 30))
    ]
    names = [f"cluster:{w}" for w in range(3)]
    assert sum_outputs("event:1", pieces, names, terms()) == sum_outputs("event:1", [block], names, terms())


def test_the_order_of_outputs_changes_no_sum():
    block = drawn_outputs(6, 30, 3)
    turned = Outputs(block.ids_N[::-1], block.nano_N[::-1], block.ppb_NW[::-1])
    names = [f"cluster:{w}" for w in range(3)]
    one, other = (sum_outputs("event:1", [each], names, terms()) for each in (block, turned))
    assert (one.clusters, one.prior_nano) == (other.clusters, other.prior_nano)
    assert one.inputs_sha256 != other.inputs_sha256


def outputs(ids=(b"a", b"b"), nano=(1, 2), ppb=((1, 2), (3, 4))):
    return Outputs(np.array(ids), np.array(nano), np.array(ppb))


@pytest.mark.parametrize(
    "make",
    [
        lambda: outputs(ids=("a", "b")),
        lambda: outputs(nano=(1.0, 2.0)),
        lambda: outputs(nano=(1,)),
        lambda: sum_outputs("e", [outputs(ids=(b"a", b"a"))], ["x", "y"], terms()),
        lambda: sum_outputs("e", [outputs()], ["y", "x"], terms()),
        lambda: sum_outputs("e", [outputs()], ["x"], terms()),
        lambda: sum_outputs("e", [outputs(ppb=((PPB, 1), (0, 0)))], ["x", "y"], terms()),
        lambda: sum_outputs("e", [outputs(ppb=((-1, 1), (0, 0)))], ["x", "y"], terms()),
        lambda: sum_outputs("e", [outputs(nano=(-(2**63), 0))], ["x", "y"], terms()),
        lambda: pooled_shares(np.array([[PPB, 1]]), np.array([0]), 1),
    ],
)
def test_outputs_that_cannot_be_divided(make):
    with pytest.raises(LedgerError) as fault:
        make()
    assert fault.value.code == "bad-outputs"


def quantised_by_hand(weights):
    whole = sum(weights)
    parts = [weight * PPB // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda w: (-(weights[w] * PPB % whole), w))
    for w in order[: PPB - sum(parts)]:
        parts[w] += 1
    return parts


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_shares_of_payers_are_pooled_as_by_hand(seed, count, width, owners):
    ppb = drawn_outputs(seed, count, width).ppb_NW
    owner = np.random.default_rng(seed).integers(0, owners, count)
    got = pooled_shares(ppb, owner, owners)
    for payer in range(owners):
        rows = ppb[owner == payer].astype(object)
        if len(rows):
            assert (
                got[payer].tolist() == quantised_by_hand([sum(PPB - row.sum() for row in rows), *rows.sum(axis=0)])[1:]
            )
        else:
            assert not got[payer].any()


def test_payer_centric_and_pooled_by_hand():
    """Two payers pay 10 each; 900 outputs of one came from A, 100 of the other from B (money.md, 2.1)."""
    ppb = np.array([[PPB, 0]] * 900 + [[0, PPB]] * 100)
    assert pooled_shares(ppb, np.repeat([0, 1], [900, 100]), 2).tolist() == [[PPB, 0], [0, PPB]]
    assert pooled_shares(ppb, np.zeros(1000, dtype=int), 1).tolist() == [[900_000_000, 100_000_000]]
