"""Score and share tables: orientation, sign, sums; and the step from floats to integers."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from byline.core import PPB, PPM, CoreError, Reliability, ScoreTable, Share, ShareTable, quantise


def refused(code, body):
    with pytest.raises(CoreError) as fault:
        body()
    assert fault.value.code == code


def scores(**changed):
    values = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5
    given_ = {"scores_QN": values, "query_ids": ("q1", "q2"), "example_ids": ("a", "b", "c"), "method": "m"}
    return ScoreTable(**{**given_, **changed})


def test_scores_round_trip_with_orientation_and_sign():
    table = scores()
    value = json.loads(json.dumps(table.to_json()))
    assert (value["orientation"], value["sign"]) == ("query,example", "positive=proponent")
    again = ScoreTable.from_json(value)
    assert np.array_equal(again.scores_QN, table.scores_QN) and again.example_ids == table.example_ids


@pytest.mark.parametrize(
    "wrong",
    [
        {"orientation": "example,query"},
        {"sign": "positive=opponent"},
        {"scores_QN": [[1.0, 2.0], [3.0]]},
        {"scores_QN": [[1.0, 2.0, 3.0]]},
        {"scores_QN": [[1.0, 2.0], [3.0, 4.0], [5.0, float("nan")]]},
        {"scores_QN": [[1.0, 2.0, 3.0], [1.0, 2.0, "x"]]},
        {"query_ids": None},
    ],
)
def test_a_table_of_another_kind_is_refused(wrong):
    refused("bad-scores", lambda: ScoreTable.from_json({**scores().to_json(), **wrong}))
    torn = scores().to_json()
    del torn[next(iter(wrong))]
    refused("bad-scores", lambda: ScoreTable.from_json(torn))


def test_transposed_or_infinite_scores_are_refused():
    refused("bad-scores", lambda: scores(scores_QN=np.zeros((3, 2), dtype=np.float32)))
    refused("bad-scores", lambda: scores(scores_QN=np.full((2, 3), np.inf, dtype=np.float32)))


def test_a_table_without_queries_round_trips():
    empty = scores(scores_QN=np.zeros((0, 3), dtype=np.float32), query_ids=())
    assert ScoreTable.from_json(empty.to_json()).scores_QN.shape == (0, 3)


@given(st.lists(st.sampled_from("xyz"), min_size=3, max_size=3))
def test_sums_by_group_are_the_loop(groups):
    table = scores()
    names, sums_QG = table.sum_by(groups)
    assert names == tuple(sorted(set(groups)))
    for q in range(2):
        for g, name in enumerate(names):
            assert sums_QG[q, g] == sum(float(table.scores_QN[q, n]) for n in range(3) if groups[n] == name)
    refused("bad-scores", lambda: table.sum_by(["x"]))


# --- shares -----------------------------------------------------------------------------------------------------


def shares(*lines, rest):
    return ShareTable("period", "cluster", "m", "run:1", 900_000, tuple(Share(*line) for line in lines), rest)


def test_shares_and_rest_are_the_whole():
    table = shares(("a", 600_000_000, 5, 700_000_000), ("b", 0, 0, 0), rest=400_000_000)
    assert ShareTable.from_json(json.loads(json.dumps(table.to_json()))) == table
    assert table.ppb() == {"a": 600_000_000, "b": 0}


@pytest.mark.parametrize(
    ("lines", "rest"),
    [
        ([("a", 600_000_000, 0, PPB)], 399_999_999),
        ([("a", 600_000_000, 0, PPB)], 400_000_001),
        ([("a", PPB + 1, 0, PPB + 1)], -1),
        ([("a", -1, -1, 0)], PPB + 1),
        ([("a", 5, 6, 7)], PPB - 5),
        ([("a", 5, 0, 4)], PPB - 5),
        ([("a", 5, 0, PPB + 1)], PPB - 5),
        ([("a", 5, 0, 9), ("a", 5, 0, 9)], PPB - 10),
    ],
)
def test_shares_that_are_not_are_refused(lines, rest):
    refused("bad-shares", lambda: shares(*lines, rest=rest))


def test_lambda_stays_in_its_interval():
    assert Reliability("run:1", "m", 500_000, 0, PPM, 9, "ab").lambda_ppm == 500_000
    for low, value, high in [(5, 4, 9), (0, 9, 8), (-1, 0, 0), (0, PPM + 1, PPM + 1)]:
        refused("bad-reliability", lambda v=(value, low, high): Reliability("run:1", "m", *v, 9, "ab"))


# --- from floats to integers ------------------------------------------------------------------------------------

weights = st.lists(st.floats(0, allow_nan=False, allow_infinity=False), max_size=12)


@given(weights, st.integers(0, 2 * PPB))
@example([1e308, 1e308], 7)
@example([5e-324, 0.0, 5e-324], 3)
def test_parts_are_whole_and_add_up(floats, total):
    parts = quantise(floats, total)
    assert len(parts) == len(floats) and all(type(part) is int and part >= 0 for part in parts)
    assert sum(parts) == (total if any(floats) else 0)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.integers(0, PPB))
def test_no_part_is_a_unit_from_its_due(integers, total):
    if not any(integers):
        return
    for part, weight in zip(quantise([float(w) for w in integers], total), integers, strict=True):
        assert abs(part - Fraction(weight * total, sum(integers))) <= 1 + Fraction(total, 2**40)


@given(weights, st.integers(0, PPB), st.integers(-300, 300))
def test_scale_does_not_matter(floats, total, power):
    floats = [min(weight, 1e9) if weight > 1e-9 else 0.0 for weight in floats]
    assert quantise(floats, total) == quantise([weight * 2.0**power for weight in floats], total)


def test_ties_go_by_position_and_more_is_never_less():
    assert quantise([1.0, 1.0, 1.0], 10) == [4, 3, 3]
    assert quantise([1.0, 3.0], 4) == [1, 3]
    parts = quantise([0.5, 0.25, 0.125], PPB)
    assert parts == sorted(parts, reverse=True)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_not_are_refused(wrong):
    refused("bad-weights", lambda: quantise([1.0, wrong], 10))
