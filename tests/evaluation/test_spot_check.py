"""A verifier meets honest and dishonest publishers of scores in a world whose best linear predictor is known."""

import numpy as np
import pytest

from byline.core import EvaluationError
from byline.evaluation import SpotPlan, spot_check

Q = 4
PLAN = SpotPlan(groups=12, each=3)


class World:
    """Outcome of a subset: linear in the kept examples, plus pairs, plus the noise of each training."""

    def __init__(self, n, noise=0.2, seed=0):
        generator = np.random.default_rng(seed)
        self.effects_QN = generator.normal(size=(Q, n))
        self.pairs_QNN = generator.normal(size=(Q, n, n)) * 0.15 / n**0.5
        self.noise = noise * n**0.5 / 2
        self.generator = generator
        self.trainings = 0

    def __call__(self, kept_N):
        self.trainings += 1
        centred_N = kept_N - 0.5
        pairs_Q = np.einsum("qij,i,j->q", self.pairs_QNN, centred_N, centred_N)
        return self.effects_QN @ centred_N + pairs_Q + self.noise * self.generator.normal(size=Q)


def favoured(scores_QN):
    """A tenth of the examples belongs to a friend."""
    raised_QN = scores_QN.copy()
    raised_QN[:, : scores_QN.shape[1] // 10] += 1.5
    return raised_QN


PUBLISHERS = {
    "honest": (lambda s: s, True),
    "pays half": (lambda s: s / 2, False),
    "favours a friend": (favoured, False),
    "makes it up": (lambda s: s[:, ::-1], False),
    "turned": (lambda s: -s, False),
}


@pytest.mark.parametrize("n", [30, 300])  # the same number of retrainings for both
@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_the_verifier_tells_who_is_honest(publisher, n):
    publish, honest = PUBLISHERS[publisher]
    right = 0
    for seed in range(20):
        world = World(n, seed=seed)
        right += spot_check(world, publish(world.effects_QN), plan=PLAN, seed=seed).accepted == honest
        assert world.trainings == 36
    assert right >= 18


def test_the_estimate_is_the_weight_of_the_linear_residual():
    """Shrunk by a half, a linear world leaves a quarter of its variance to a better predictor; noise is none of it."""
    found = []
    for seed in range(40):
        world = World(50, noise=0.5, seed=seed)
        world.pairs_QNN *= 0
        found.append(spot_check(world, world.effects_QN / 2, plan=PLAN, seed=seed))
    share = 0.25 / (1 + 0.25)  # variance of the noise is a quarter of the effects'
    assert np.mean([check.suboptimality for check in found]) == pytest.approx(share, abs=0.03)
    assert np.mean([check.unexplained for check in found]) == pytest.approx(share + 0.2, abs=0.05)
    assert all(check.high > check.suboptimality for check in found)


def test_subsets_of_a_group_share_their_draws_as_often_as_said():
    kept_GEN = SpotPlan(20, 2, 0.8, 0.3).draw(2000, seed=1)
    assert kept_GEN.mean() == pytest.approx(0.8, abs=0.01)
    first, second = kept_GEN[:, 0].ravel(), kept_GEN[:, 1].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.3, abs=0.02)
    assert abs(np.corrcoef(kept_GEN[0, 0], kept_GEN[1, 0])[0, 1]) < 0.1
    assert np.array_equal(kept_GEN, SpotPlan(20, 2, 0.8, 0.3).draw(2000, seed=1))


def test_the_check_follows_from_its_seed():
    def outcome(kept_N):
        return World(30).effects_QN @ kept_N

    scores_QN = World(30).effects_QN * 0.8
    assert spot_check(outcome, scores_QN, seed=4) == spot_check(outcome, scores_QN, seed=4)
    assert spot_check(outcome, scores_QN, seed=4).high != spot_check(outcome, scores_QN, seed=5).high


def test_what_cannot_be_checked_is_refused():
    world = World(10)
    for code, retrain, options in [
        ("too-few-subsets", world, {"groups": 2}),
        ("too-few-subsets", world, {"each": 1}),
        ("too-few-subsets", world, {"correlation": 0.0}),
        ("shape-mismatch", lambda kept_N: np.zeros(Q + 1), {}),
        ("not-finite", lambda kept_N: np.full(Q, np.inf), {}),
    ]:
        with pytest.raises(EvaluationError) as fault:
            spot_check(retrain, world.effects_QN, plan=SpotPlan(**options), seed=0)
        assert fault.value.code == code
