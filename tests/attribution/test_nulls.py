"""Floors from null queries and permuted labels, against loops; pieces never have less to clear than the whole."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.attribution import group_scores, label_floors, query_floors, volume_proof, with_floors
from byline.core import AttributionError, ScoreTable

numbers = st.floats(-5, 5, width=32)


def table(values_QN):
    values_QN = np.atleast_2d(np.asarray(values_QN, dtype=np.float32))
    queries, examples = ([f"{kind}{n}" for n in range(size)] for kind, size in zip("qe", values_QN.shape, strict=True))
    return ScoreTable(values_QN, tuple(queries), tuple(examples), "m")


def slow_query_floor(nulls, weights):
    """Root mean square of sum_q w_q x_q with x_q independent: (sum w)^2 mean^2 + sum w^2 variance."""
    mean = sum(nulls) / len(nulls)
    variance = sum((x - mean) ** 2 for x in nulls) / (len(nulls) - 1)
    return math.sqrt((sum(weights) * mean) ** 2 + sum(w * w for w in weights) * variance)


@settings(deadline=None)
@given(
    st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=2, max_size=6),
    st.lists(numbers, min_size=1, max_size=4),
)
def test_query_floors_are_the_loop(nulls, weights):
    found = query_floors(table(nulls), ["a", "b", "a", "c"], np.array(weights))
    sums = [[row[0] + row[2] for row in nulls], [row[1] for row in nulls], [row[3] for row in nulls]]
    np.testing.assert_allclose(found, [slow_query_floor(each, weights) for each in sums], atol=1e-4)


def test_query_floors_are_the_spread_of_null_subjects():
    """Subjects of five null queries, made by drawing them: their sums have the floor as root mean square."""
    generator = np.random.default_rng(0)
    nulls_KN = generator.normal(0.3, 1.0, (4000, 3))
    weights_Q = np.array([1.0, 2.0, 0.5, 1.0, 1.0])
    floors = query_floors(table(nulls_KN), ["a", "a", "b"], weights_Q)
    sums_KG = np.stack([nulls_KN[:, :2].sum(1), nulls_KN[:, 2]], axis=1)
    drawn = np.einsum("q,dqg->dg", weights_Q, sums_KG[generator.integers(0, 4000, (20_000, 5))])
    np.testing.assert_allclose(floors, np.sqrt((drawn**2).mean(0)), rtol=0.03)


@settings(deadline=None)
@given(
    st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=2, max_size=5),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_pieces_have_at_least_the_floor_of_the_whole(nulls, cut):
    weights_Q = np.array([1.0, 0.5])
    whole, pieces = (query_floors(table(nulls), g, weights_Q).sum() for g in (["a"] * 6, [f"a{n}" for n in cut]))
    assert pieces >= whole - 1e-6
    both = table([row for row in nulls])
    before, after = (label_floors(both, [*g, "z"][:6]) for g in (["a"] * 5 + ["z"], [f"a{n}" for n in cut[:5]] + ["z"]))
    assert after[:-1].sum() >= before[0] - 1e-6


@settings(deadline=None, max_examples=30)
@given(st.lists(numbers, min_size=2, max_size=6), st.integers(1, 5))
def test_label_floors_are_the_spread_over_all_permutations(values, first):
    first = min(first, len(values) - 1)
    groups = ["a"] * first + ["b"] * (len(values) - first)
    sums = [math.fsum(order[:first]) for order in itertools.permutations(values)]
    mean = math.fsum(sums) / len(sums)
    want = math.sqrt(math.fsum((x - mean) ** 2 for x in sums) / len(sums))
    np.testing.assert_allclose(label_floors(table(values), groups), [want, want], atol=1e-4)


def test_a_floor_is_cleared_instead_of_the_standard_error():
    found = with_floors(group_scores(table([[3.0, 5.0, 1.0, 1.0]]), list("aabb")), np.array([1.0, 0.5]))
    assert found.noise_G.tolist() == [1.0, 0.5] and found.errors_G[0] == pytest.approx(2**0.5)


def test_one_group_of_everything_has_no_label_noise_and_one_example_is_enough():
    assert label_floors(table([[1.0, 2.0]]), ["a", "a"]).tolist() == [0.0]
    assert label_floors(table([[1.0]]), ["a"]).tolist() == [0.0]
    assert volume_proof(1) == 1.0 and volume_proof(0) == 1.0


def test_misuse_is_refused():
    found = group_scores(table([[1.0, 2.0]]), ["a", "b"])
    for code, body in {
        "too-few-nulls": lambda: query_floors(table([[1.0, 2.0]]), ["a", "b"], np.ones(1)),
        "bad-groups": lambda: query_floors(table([[1.0, 2.0]] * 2), ["a"], np.ones(1)),
        "bad-errors": lambda: with_floors(found, np.ones(3)),
    }.items():
        with pytest.raises(AttributionError) as fault:
            body()
        assert fault.value.code == code
    for wrong in ([1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(AttributionError):
            with_floors(found, np.array(wrong))
