"""The scan against loops over rows in whole numbers, against float64, and its invariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import scan as scan_module
from byline.attribution.scan import Scan, int8_product, processors, product_by_numpy, row_norms, split
from byline.core import AttributionError


def world(rows=700, features=40, queries=3, seed=0, tail=None):
    """int8 rows, scales that differ a thousandfold, float queries; with heavy tails if `tail` degrees of freedom."""
    rng = np.random.default_rng(seed)
    draw = (lambda *shape: rng.standard_t(tail, shape)) if tail else (lambda *shape: rng.standard_normal(shape))
    x_NK = draw(rows, features)
    scales_N = np.abs(x_NK).max(1) / 127
    rows_NK = np.rint(x_NK / scales_N[:, None]).astype(np.int8)
    return rows_NK, (scales_N * 10 ** rng.uniform(-1.5, 1.5, rows)).astype(np.float32), draw(queries, features)


def slow_top(rows_NK, scales_N, queries_QK, k):
    """[(score, row)] of each query, by a loop in Python integers; best first, of equal scores the first row first."""
    found = []
    for query in queries_QK:
        step = max(abs(float(x)) for x in query) / 32512
        whole = [round(float(x) / step) if step else 0 for x in query]
        scores = [
            (sum(int(a) * b for a, b in zip(row, whole, strict=True)) * step * float(scale), n)
            for n, (row, scale) in enumerate(zip(rows_NK, scales_N, strict=True))
        ]
        found.append(sorted(scores, key=lambda pair: (-pair[0], pair[1]))[:k])
    return found


def check_top(got, want):
    assert got.rows_QM.tolist() == [[n for _, n in best] for best in want]
    assert got.scores_QM.tolist() == [[pytest.approx(score, rel=1e-12) for score, _ in best] for best in want]


@pytest.mark.parametrize("k", [1, 7, 700, 1000])
@pytest.mark.parametrize("tail", [None, 2])
def test_top_is_the_loop(k, tail):
    rows_NK, scales_N, queries_QK = world(tail=tail)
    check_top(
        Scan(rows_NK, scales_N, threads=1, block=64).top(queries_QK, k), slow_top(rows_NK, scales_N, queries_QK, k)
    )


int8s = st.integers(-127, 127)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from([-127, -1, 0, 1, 2, 127]), min_size=3, max_size=3), min_size=1, max_size=40),
    st.lists(st.lists(st.sampled_from([-3.0, 0.0, 0.5, 3.0, 1e-9]), min_size=3, max_size=3), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_top_is_the_loop_with_many_ties(rows, queries, k, block):
    rows_NK, queries_QK = np.array(rows, dtype=np.int8), np.array(queries)
    scales_N = np.ones(len(rows), dtype=np.float32)
    check_top(
        Scan(rows_NK, scales_N, threads=1, block=block).top(queries_QK, k), slow_top(rows_NK, scales_N, queries_QK, k)
    )


def test_most_rows_are_passed_over_and_none_is_missed(monkeypatch):
    """The second product is made for few rows, and the result is that of all scores."""
    rows_NK, scales_N, queries_QK = world(20_000, 64, 2)
    seen = []
    monkeypatch.setattr(scan_module, "int8_product", lambda a, *more: seen.append(len(a)) or int8_product(a, *more))
    scan = Scan(rows_NK, scales_N, threads=1, block=1000)
    top = scan.top(queries_QK, 10)
    assert sum(seen) < 1.5 * len(rows_NK)
    scores_QN = scan.scores(queries_QK)
    assert np.array_equal(np.sort(scores_QN)[:, :-11:-1], top.scores_QM.astype(np.float32))


@pytest.mark.parametrize("features", [20, 25])
def test_a_row_that_only_the_low_half_sees_is_not_missed(features):
    """Its product with the high half is 0, below that of all others; with the low half it is as large as can be."""
    query_K = np.array([127.0] * features + [32512.0])  # 255 * 0 + 127, and 255 * 127 + 127
    rows_NK = np.zeros((2000, features + 1), dtype=np.int8)
    rows_NK[:, -1] = np.arange(2000) % 9 + 1
    rows_NK[1500] = [127] * features + [0]
    top = Scan(rows_NK, np.ones(2000, dtype=np.float32), threads=1, block=100).top(query_K[None], 2)
    assert top.rows_QM[0, 0] == 1500 and top.scores_QM[0, 0] == pytest.approx(127 * 127 * features)
    assert top.rows_QM[0, 1] == 8


@pytest.mark.parametrize("block", [1, 13, 4096])
def test_blocks_batches_and_threads_change_nothing(block):
    rows_NK, scales_N, queries_QK = world(1500, 24, 5)
    whole = Scan(rows_NK, scales_N, threads=1).top(queries_QK, 9)
    scan = Scan(rows_NK, scales_N, threads=2, block=max(block, 50) if block == 1 else block)
    blocks = scan.top(queries_QK, 9)
    assert np.array_equal(blocks.rows_QM, whole.rows_QM) and np.array_equal(blocks.scores_QM, whole.scores_QM)
    for q in range(len(queries_QK)):
        alone = scan.top(queries_QK[q : q + 1], 9)
        assert np.array_equal(alone.rows_QM[0], whole.rows_QM[q])
        assert np.array_equal(alone.scores_QM[0], whole.scores_QM[q])
    assert np.array_equal(scan.scores(queries_QK), Scan(rows_NK, scales_N, threads=1).scores(queries_QK))


def test_the_order_of_rows_changes_only_their_numbers():
    rows_NK, scales_N, queries_QK = world(900)
    order = np.random.default_rng(1).permutation(len(rows_NK))
    top = Scan(rows_NK, scales_N, threads=1, block=100).top(queries_QK, 20)
    moved = Scan(rows_NK[order], scales_N[order], threads=1, block=100).top(queries_QK, 20)
    assert np.array_equal(order[moved.rows_QM], top.rows_QM) and np.array_equal(moved.scores_QM, top.scores_QM)


def test_threads_are_put_back():
    rows_NK, scales_N, queries_QK = world(20)
    before = torch.get_num_threads()
    Scan(rows_NK, scales_N, threads=before + 1).top(queries_QK, 1)
    assert torch.get_num_threads() == before
    assert processors() >= 1


@pytest.mark.parametrize(
    "shape", [(1, 7, 1), (17, 33, 3), (3, 16, 5), (5, 1024, 2), (4, 3001, 9), (3, 0, 2), (0, 4, 2)]
)
def test_the_product_is_the_loop_and_that_of_numpy(shape):
    n, k, q = shape
    rng = np.random.default_rng(0)
    a_NK, b_KQ = (rng.choice([-127, -126, -3, 0, 1, 127], size) for size in ((n, k), (k, q)))
    want = [[sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) for column in b_KQ.T] for row in a_NK]
    a, b = a_NK.astype(np.int8), b_KQ.astype(np.int8)
    assert product_by_numpy(a, b).tolist() == want
    assert int8_product(torch.from_numpy(a), torch.from_numpy(b)).tolist() == want
    transposed = torch.from_numpy(np.ascontiguousarray(b.T).T)
    assert int8_product(torch.from_numpy(a), transposed).tolist() == want


def test_extreme_sums_are_exact():
    """Past 131,072 columns the sum leaves int32; in numpy, 1024 products of -128 are the last that float32 holds."""
    k = 200_000
    a, b = np.full((2, k), -127, dtype=np.int8), np.full((k, 1), 127, dtype=np.int8)
    assert int8_product(torch.from_numpy(a), torch.from_numpy(b)).tolist() == [[-127 * 127 * k]] * 2
    low = np.full((1, 1024), -128, dtype=np.int8)
    assert product_by_numpy(low, low.T).tolist() == [[128 * 128 * 1024]]


def test_without_the_private_product_of_torch_the_scan_finds_the_same(monkeypatch):
    rows_NK, scales_N, queries_QK = world(300)
    with_it = Scan(rows_NK, scales_N, threads=1).top(queries_QK, 5)
    monkeypatch.delattr(torch, "_int_mm")
    without = Scan(rows_NK, scales_N, threads=1).top(queries_QK, 5)
    assert np.array_equal(with_it.rows_QM, without.rows_QM) and np.array_equal(with_it.scores_QM, without.scores_QM)


def test_a_query_is_split_to_sixteen_bits():
    queries_QK = np.vstack([world(queries=4, tail=2)[2], np.zeros(40)])
    halves = split(queries_QK)
    again_QK = halves.step_Q[:, None] * (255 * halves.high_QK.astype(float) + halves.low_QK)
    assert (np.abs(again_QK - queries_QK) <= halves.step_Q[:, None] / 2 * (1 + 1e-9)).all()
    assert np.allclose(halves.step_Q, np.abs(queries_QK).max(1) / 32512)
    assert min(halves.high_QK.min(), halves.low_QK.min()) >= -127


@pytest.mark.parametrize("tail", [None, 3])
def test_rounding_the_query_costs_nothing_beside_rounding_the_rows(tail):
    """Against float64 scores of the stored rows: at most one of a hundred changes places, correlation 1 - 1e-8."""
    rows_NK, scales_N, queries_QK = world(5000, 512, 8, tail=tail)
    exact_QN = queries_QK @ (rows_NK * scales_N[:, None].astype(float)).T
    scan = Scan(rows_NK, scales_N, threads=1)
    top, scores_QN = scan.top(queries_QK, 100), scan.scores(queries_QK)
    for q in range(len(queries_QK)):
        best = np.argsort(-exact_QN[q])[:100]
        assert len(set(best) & set(top.rows_QM[q])) >= 99
        assert np.corrcoef(exact_QN[q], scores_QN[q])[0, 1] > 1 - 1e-8


def test_rows_without_features_score_nothing():
    rows_NK, scales_N, queries_QK = world(50)
    rows_NK[10:20], scales_N[10:20] = 0, 0
    scores_QN = Scan(rows_NK, scales_N, threads=1).scores(queries_QK)
    assert not scores_QN[:, 10:20].any() and scores_QN[:, 20:].all()
    silent = Scan(rows_NK, scales_N, threads=1).top(0 * queries_QK, 4)
    assert silent.rows_QM.tolist() == [[0, 1, 2, 3]] * 3 and not silent.scores_QM.any()


def test_norms_are_not_below_the_rows_lengths():
    rows_NK, scales_N, _ = world()
    lengths_N = np.sqrt(((rows_NK * scales_N[:, None].astype(float)) ** 2).sum(1))
    norms_N = row_norms(rows_NK, scales_N)
    assert (norms_N >= lengths_N).all() and np.allclose(norms_N, lengths_N, rtol=1e-5)


def test_rows_may_be_mapped_from_disk_for_reading_only(tmp_path):
    rows_NK, scales_N, queries_QK = world(300)
    rows_NK.tofile(tmp_path / "rows")
    mapped_NK = np.memmap(tmp_path / "rows", np.int8, "r", shape=rows_NK.shape)
    top = Scan(mapped_NK, scales_N, threads=1).top(queries_QK, 5)
    assert np.array_equal(top.rows_QM, Scan(rows_NK, scales_N, threads=1).top(queries_QK, 5).rows_QM)


def test_what_cannot_be_scanned_is_refused():
    rows_NK, scales_N, queries_QK = world(20)
    scan = Scan(rows_NK, scales_N, threads=1)
    bad = queries_QK.copy()
    bad[1, 1] = np.nan
    for code, job in {
        "bad-rows": lambda: Scan(rows_NK.astype(np.int16), scales_N),
        "bad-rows ": lambda: Scan(rows_NK, scales_N[1:]),
        "bad-count": lambda: scan.top(queries_QK, 0),
        "bad-query-rows": lambda: scan.top(queries_QK[:, 1:], 1),
        "bad-query-rows ": lambda: scan.scores(queries_QK[:0]),
        "bad-query-rows  ": lambda: scan.scores(bad),
    }.items():
        with pytest.raises(AttributionError) as fault:
            job()
        assert fault.value.code == code.strip()
