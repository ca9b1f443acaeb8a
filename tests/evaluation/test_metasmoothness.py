"""The score against a loop, and on trainings whose smoothness is known; the gate at its edges."""

import numpy as np
import pytest

from byline.core import EvaluationError
from byline.evaluation import metasmoothness, smoothness_gate

N, P = 5, 40
MIX = np.random.default_rng(4).normal(size=(P, N))


def curved(weights_N):
    return np.tanh(MIX @ weights_N)


def kinked(weights_N):
    return np.abs(MIX @ (weights_N - 1.004))  # some parameters turn within the distance walked


def jagged(weights_N):
    return np.sin(1e4 * MIX @ weights_N)


def slow_score(train, h, seed):
    v = np.random.default_rng(seed).standard_normal(N)
    a, b, c = train(np.ones(N)), train(1 + h * v), train(1 + 2 * h * v)
    total = sum(abs(c[j] - a[j]) for j in range(P))
    return sum(abs(c[j] - a[j]) / total * np.sign(b[j] - a[j]) * np.sign(c[j] - b[j]) for j in range(P))


@pytest.mark.parametrize("train", [curved, kinked, jagged])
def test_the_score_is_the_loop(train):
    found = metasmoothness(train, N, h=0.01, seed=3)
    assert found.score == pytest.approx(slow_score(train, 0.01, 3)) and (found.h, found.seed) == (0.01, 3)
    assert found == metasmoothness(train, N, h=0.01, seed=3)


def test_a_smooth_training_scores_one_and_a_jagged_one_does_not():
    assert metasmoothness(curved, N).score == pytest.approx(1)
    assert metasmoothness(kinked, N).score < 0.99
    assert abs(metasmoothness(jagged, N).score) < 0.5


def test_it_trains_three_times_and_starts_from_the_run_itself():
    seen = []
    metasmoothness(lambda weights_N: seen.append(weights_N) or curved(weights_N), N, h=0.1)
    assert len(seen) == 3 and np.array_equal(seen[0], np.ones(N))
    np.testing.assert_allclose(seen[2] - 1, 2 * (seen[1] - 1))


@pytest.mark.parametrize(
    ("score", "drop"), [(1.0, 0.10), (0.99, 0.10), (0.9899, 0.02), (0.95, 0.02), (0.9499, 0.0), (-1.0, 0.0)]
)
def test_the_gate(score, drop):
    found = smoothness_gate(score)
    assert found.largest_drop == drop and f"{score:.3f}" in found.because
    assert bool(found.fix) == (drop == 0)


def test_what_has_no_score_is_refused():
    for code, train, h in [
        ("flat-training", lambda w: np.ones(P), 0.01),
        ("not-finite", lambda w: np.full(P, np.nan), 0.01),
        ("bad-step", curved, 0.0),
    ]:
        with pytest.raises(EvaluationError) as fault:
            metasmoothness(train, N, h=h)
        assert fault.value.code == code
