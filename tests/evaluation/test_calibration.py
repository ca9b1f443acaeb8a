"""Slopes by size: what was planted comes back, sizes alone decide the buckets, and the record is exact."""

import json

import numpy as np
import pytest

from byline.core import EvaluationError
from byline.evaluation import Calibration, calibrate, slope


def audit(slopes, sizes, queries=5, noise=0.0):
    generator = np.random.default_rng(0)
    predicted_CQ = generator.normal(size=(len(sizes), queries))
    actual_CQ = np.array(slopes)[:, None] * predicted_CQ + noise * generator.normal(size=predicted_CQ.shape)
    return predicted_CQ, actual_CQ, sizes


def test_planted_slopes_come_back_by_size():
    found = calibrate("run:1", "m", *audit([1.1, 1.5, 1.1, 1.5, 1.1, 1.5], [3, 40, 5, 30, 4, 50]), buckets=2)
    assert [(b.largest, b.slope_ppm, b.pairs) for b in found.buckets] == [(5, 1_100_000, 15), (50, 1_500_000, 15)]
    assert found.factors([1, 5, 6, 50, 1000]).tolist() == [1.1, 1.1, 1.5, 1.5, 1.5]


def test_one_bucket_is_the_plain_slope_inside_its_interval():
    pairs = audit([1.3] * 8, list(range(1, 9)), noise=0.3)
    (bucket,) = calibrate("run:1", "m", *pairs).buckets
    assert bucket.slope_ppm == round(slope(pairs[0].ravel(), pairs[1].ravel()) * 1e6)
    assert bucket.low_ppm < bucket.slope_ppm < bucket.high_ppm and bucket.pairs == 40


def test_contributors_of_one_size_share_a_bucket():
    found = calibrate("run:1", "m", *audit([1.2] * 8, [7] * 6 + [9] * 2), buckets=1)
    assert [b.largest for b in found.buckets] == [9]
    with pytest.raises(EvaluationError) as fault:
        calibrate("run:1", "m", *audit([1.2] * 8, [7] * 6 + [9] * 2), buckets=2)  # two of size 9 are too few
    assert fault.value.code == "too-few-pairs"


def test_the_order_of_contributors_does_not_matter_to_the_slopes():
    predicted_CQ, actual_CQ, sizes = audit([1.1, 1.2, 1.3, 1.4, 1.5, 1.6], [6, 5, 4, 3, 2, 1], noise=0.1)
    one = calibrate("run:1", "m", predicted_CQ, actual_CQ, sizes, buckets=2)
    two = calibrate("run:1", "m", predicted_CQ[::-1], actual_CQ[::-1], sizes[::-1], buckets=2)
    assert [b.slope_ppm for b in one.buckets] == [b.slope_ppm for b in two.buckets]
    assert one.evidence != two.evidence  # the grid itself is other


def test_the_record_goes_through_json_and_is_hashed():
    found = calibrate("run:1", "m", *audit([1.3] * 4, [1, 2, 3, 4], noise=0.1))
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.digest() != calibrate("run:2", "m", *audit([1.3] * 4, [1, 2, 3, 4], noise=0.1)).digest()


@pytest.mark.parametrize("planted", [0.0, -0.5])
def test_a_method_that_points_the_wrong_way_cannot_be_calibrated(planted):
    with pytest.raises(EvaluationError) as fault:
        calibrate("run:1", "m", *audit([planted] * 4, [1, 2, 3, 4]))
    assert fault.value.code == "no-slope"


def test_shapes_must_fit():
    predicted_CQ, actual_CQ, sizes = audit([1.0] * 4, [1, 2, 3, 4])
    for pairs in ((predicted_CQ[1:], actual_CQ, sizes), (predicted_CQ, actual_CQ, sizes[1:])):
        with pytest.raises(EvaluationError) as fault:
            calibrate("run:1", "m", *pairs)
        assert fault.value.code == "shape-mismatch"
