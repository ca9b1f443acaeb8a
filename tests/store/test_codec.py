import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from byline.core import StoreError
from byline.store import Group
from byline.store.codec import decode_ids, dequantise, encode_ids, encode_step, quantise

GROUPS = (Group("a", 3), Group("b", 1), Group("c", 5))
SPANS = ((0, 3), (3, 4), (4, 9))
TINY = float(np.finfo(np.float32).tiny)
FLOATS = st.floats(-(2.0**127), 2.0**127, width=32)
FEATURES = st.integers(0, 130).flatmap(lambda n: arrays(np.float32, (n, 9), elements=FLOATS, fill=FLOATS))


@given(FEATURES)
def test_quantiser_equals_a_for_loop(features_NK):
    q_NK, scales_NL = quantise(features_NK, GROUPS)
    for n, row in enumerate(features_NK):
        for layer, (a, b) in enumerate(SPANS):
            scale = np.float32(max(abs(x) for x in row[a:b])) / np.float32(127)
            scale = np.float32(0) if scale < TINY else scale
            assert scales_NL[n, layer] == scale
            for k in range(a, b):
                assert q_NK[n, k] == (round(float(row[k] / scale)) if scale else 0)


@given(FEATURES)
def test_error_is_at_most_half_a_scale(features_NK):
    q_NK, scales_NL = quantise(features_NK, GROUPS)
    out_NK = np.empty_like(features_NK)
    dequantise(q_NK, scales_NL, [3, 1, 5], out_NK)
    for n, row in enumerate(features_NK.astype(np.float64)):
        for layer, (a, b) in enumerate(SPANS):
            bound = float(scales_NL[n, layer]) * 0.50001 or 127 * TINY
            assert max(abs(row[k] - float(out_NK[n, k])) for k in range(a, b)) <= bound
    assert q_NK.min(initial=0) >= -127


def test_small_layers_survive_beside_large_ones():
    features_NK = np.array([[1e-4, -2e-4, 3e-4, 7.0, 1e4, -1e4, 5e3, 0.0, 1.0]], dtype=np.float32)
    q_NK, _ = quantise(features_NK, GROUPS)
    assert q_NK.tolist() == [[42, -85, 127, 127, 127, -127, 64, 0, 0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_features_that_are_not_finite_are_refused(bad):
    features_NK = np.zeros((70, 9), dtype=np.float32)
    features_NK[66, 8] = bad
    with pytest.raises(StoreError, match=r"row 66 .* layer 'c'") as fault:
        quantise(features_NK, GROUPS)
    assert fault.value.code == "not-finite"


@given(st.lists(st.text(min_size=1)))
def test_ids_round_trip(ids):
    data = encode_ids(ids)
    assert decode_ids(data) == ids
    assert data.count(b"\n") == len(ids)


@pytest.mark.parametrize("data", [b'"a","b"\n', b'"a"', b'["a"]\n', b'""\n', b'"\\u0061"\n', b' "a"\n', b"1\n", b"\n"])
def test_ids_in_another_form_are_refused(data):
    with pytest.raises(ValueError):
        decode_ids(data)


@pytest.mark.parametrize("bad", ["", 7, None, "\ud800"])
def test_bad_ids_are_refused(bad):
    with pytest.raises(StoreError) as fault:
        encode_ids(["good", bad])
    assert fault.value.code == "bad-id"


@pytest.mark.parametrize("record", [{"loss": math.nan}, {"x": {1, 2}}, {"step": 3}, {"x": np.float32(1)}])
def test_records_that_are_not_json_are_refused(record):
    with pytest.raises(StoreError) as fault:
        encode_step(3, record)
    assert fault.value.code == "bad-record"


def test_step_line_is_sorted_and_compact():
    assert encode_step(3, {"z": 0.1, "a": "é"}) == '{"a":"é","step":3,"z":0.1}\n'.encode()
    assert json.loads(encode_step(0, {"lr": 1e-300}))["lr"] == 1e-300
