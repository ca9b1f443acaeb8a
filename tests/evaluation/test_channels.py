"""Channels joined: the planted weights come back, a gain is what it is on data not seen, and chance gains nothing."""

import json

import numpy as np
import pytest

from byline.core import EvaluationError, ScoreTable
from byline.evaluation import Channelled, fit_channels


def world(weights, noise, retrainings=40, queries=6, seed=0):
    """Predictions of channels, and retrainings that are their weighted sum and noise."""
    generator = np.random.default_rng(seed)
    channels = {f"c{n}": generator.normal(size=(queries, retrainings)) for n in range(len(weights))}
    truth_QP = sum(w * rows for w, rows in zip(weights, channels.values(), strict=True))
    return channels, truth_QP + noise * generator.normal(size=(queries, retrainings))


def test_planted_weights_come_back_whatever_the_channels_units():
    channels, actual_QP = world((3.0, 1.0, 0.0), 0.1)
    channels["c1"] *= 1000.0
    found = fit_channels(channels, actual_QP)
    ratio = found.factors[0] / (1000.0 * found.factors[1])
    assert ratio == pytest.approx(3.0, rel=0.05) and found.factors[2] < 0.03 * found.factors[0]
    assert found.helps and found.held_out > 0.99 > found.added and found.retrainings == 40
    assert found.alone[0] > found.alone[1] > found.alone[2]


def test_a_channel_of_the_wrong_sign_gets_nothing():
    channels, actual_QP = world((1.0, -1.0), 0.1)
    assert fit_channels(channels, actual_QP).factors[1] == 0


def test_where_adding_up_is_right_already_no_gain_is_claimed():
    """Over many worlds the interval of the gain is above zero no more often than it says."""
    found = [fit_channels(*world((1.0, 1.0), 1.0, retrainings=24, queries=4, seed=seed)) for seed in range(20)]
    assert np.mean([each.helps for each in found]) <= 0.1
    assert np.mean([each.gain for each in found]) <= 0.005


def test_agreement_is_measured_on_retrainings_that_were_not_fitted():
    """Eight channels of noise fit forty retrainings a little, and predict none of them."""
    found = [fit_channels(*world((0.0,) * 8, 1.0, queries=2, seed=seed)) for seed in range(12)]
    assert abs(np.mean([each.held_out for each in found])) < 0.2
    assert not any(each.helps for each in found if each.held_out <= 0)


def test_mixing_keeps_the_size_of_the_scores_and_the_record_round_trips():
    found = fit_channels(*world((3.0, 1.0), 0.1))
    tables = {
        name: ScoreTable(np.array(rows, dtype=np.float32), ("q",), ("x", "y"), "m")
        for name, rows in {"c0": [[1, -2]], "c1": [[0, 4]]}.items()
    }
    mixed = found.mix(tables).scores_QN
    want = found.factors[0] * np.array([[1, -2]]) + found.factors[1] * np.array([[0, 4]])
    assert np.abs(mixed).sum() == pytest.approx(3.0)
    np.testing.assert_allclose(mixed / np.abs(mixed).sum(), want / np.abs(want).sum(), rtol=1e-6)
    assert Channelled.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_misuse_is_refused():
    channels, actual_QP = world((1.0, 1.0), 0.1)
    for code, body in {
        "bad-channels": lambda: fit_channels(channels, actual_QP[:, 1:]),
        "bad-channels ": lambda: fit_channels(channels, actual_QP * np.nan),
        "bad-channels  ": lambda: fit_channels(channels, actual_QP).mix({}),
        "too-few-pairs": lambda: fit_channels({n: r[:, :9] for n, r in channels.items()}, actual_QP[:, :9]),
    }.items():
        with pytest.raises(EvaluationError) as fault:
            body()
        assert fault.value.code == code.strip()


def test_a_few_retrainings_with_a_common_drop_do_not_speak_against_the_blend():
    """Predictions share a large mean, since all subsets drop as much; folds whose factors differ must not turn that
    mean into noise. What is added up is right, so blending may cost a little, and no more."""
    found = []
    for seed in range(12):
        channels, actual_QP = world((1.0, 1.0), 1.0, retrainings=12, queries=4, seed=seed)
        found.append(fit_channels({name: rows + 50.0 for name, rows in channels.items()}, actual_QP).gain)
    assert np.mean(found) > -0.08
