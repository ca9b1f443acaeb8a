"""Retrainings that were made elsewhere: read whole or refused with every fault and its line, and used for weights."""

import json

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from byline.app.engine.given import read_given
from byline.core import AppError

OUTPUTS, KNOWN = ("a", "b"), ("x", "y", "z")


def line(out=("x",), a=1.0, b=2.0):
    return json.dumps({"left_out": list(out), "values": {"a": a, "b": b}})


def read(tmp_path, *lines):
    path = tmp_path / "retrained.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_given(path, OUTPUTS, KNOWN)


def test_lines_that_left_out_the_same_are_one_retraining(tmp_path):
    found, problems = read(tmp_path, line(("x", "y"), a=1.0), line(("z",)), "", line(("y", "x"), a=3.0))
    assert not problems and found.left_out == (frozenset("xy"), frozenset("z"))
    assert found.values_PO.tolist() == [[2.0, 2.0], [1.0, 2.0]]
    assert found.told()["retrainings"] == 2 and found.told()["lines"] == 3 and len(found.told()["sha256"]) == 64


BAD = (
    "nonsense",
    "[1]",
    '{"left_out": 3, "values": {}}',
    '{"values": {"a": 1, "b": 2}}',
    line(("x", "who")),
    line(a=None),
    line(b=float("nan")),
    line(a="1"),
    line(b=True),
    '{"left_out": [], "values": {"a": 1}}',
)


def test_every_fault_is_told_with_its_line_and_nothing_is_used(tmp_path):
    found, problems = read(tmp_path, line(), *BAD)
    assert found is None and [each.at.line for each in problems] == list(range(2, 2 + len(BAD)))
    assert {each.code for each in problems} == {"bad-retraining", "unknown-example"}
    assert read(tmp_path, "", " ")[1][0].says == "no retrainings"
    with pytest.raises(AppError) as fault:
        read_given(tmp_path / "nowhere", OUTPUTS, KNOWN)
    assert fault.value.code == "no-file"


@settings(max_examples=60, deadline=None)
@drawn(st.text(max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    found, problems = read(tmp_path_factory.mktemp("any"), text)
    assert (found is None) == bool(problems)


def test_the_mean_over_lines_does_not_depend_on_their_order(tmp_path):
    rows = [line(("x",), a=float(n)) for n in range(5)] + [line(("y",), a=9.0)]
    first, second = read(tmp_path, *rows)[0], read(tmp_path, *rows[::-1])[0]
    order = [second.left_out.index(each) for each in first.left_out]
    assert np.allclose(first.values_PO, second.values_PO[order])
