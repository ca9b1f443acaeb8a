"""The linear datamodeling score, its errors and its ceiling, against loops and simulated truths."""

import numpy as np
import pytest

from byline.core import EvaluationError
from byline.evaluation import lds, noise_ceiling, paired, spearman, subset_predictions

QUERIES, SUBSETS, EXAMPLES = 4, 9, 6


@pytest.fixture
def world():
    generator = np.random.default_rng(3)
    scores_QN = generator.normal(size=(QUERIES, EXAMPLES))
    kept_MN = generator.integers(0, 2, size=(SUBSETS, EXAMPLES)).astype(float)
    noise_QM = generator.normal(size=(QUERIES, SUBSETS))
    return scores_QN, kept_MN, subset_predictions(scores_QN, kept_MN) + noise_QM


def test_predictions_are_sums_over_the_kept_examples(world):
    scores_QN, kept_MN, _ = world
    found = subset_predictions(scores_QN, kept_MN)
    for q in range(QUERIES):
        for m in range(SUBSETS):
            assert found[q, m] == pytest.approx(sum(scores_QN[q, n] for n in range(EXAMPLES) if kept_MN[m, n]))


def test_lds_is_the_mean_of_spearman_over_queries(world):
    scores_QN, kept_MN, actual_QM = world
    predicted_QM = subset_predictions(scores_QN, kept_MN)
    found = lds(predicted_QM, actual_QM)
    assert found.rho_Q.tolist() == [spearman(predicted_QM[q], actual_QM[q]) for q in range(QUERIES)]
    assert found.mean == pytest.approx(sum(found.rho_Q) / QUERIES)
    order = [2, 0, 3, 1]
    moved = lds(predicted_QM[order], actual_QM[order])
    assert moved.mean == pytest.approx(found.mean) and moved.rho_Q.tolist() == found.rho_Q[order].tolist()
    assert lds(np.exp(predicted_QM), 3 * actual_QM - 7).mean == pytest.approx(found.mean)
    assert lds(-predicted_QM, actual_QM).mean == pytest.approx(-found.mean)


def slow_draws(predicted_QM, actual_QM, draws, seed):
    """The same resamples, written out: subsets repeated as often as they were drawn, ranked anew."""
    generator = np.random.default_rng(seed)
    subsets = generator.multinomial(SUBSETS, np.full(SUBSETS, 1 / SUBSETS), size=draws)
    queries = generator.multinomial(QUERIES, np.full(QUERIES, 1 / QUERIES), size=draws)
    for times_M, times_Q in zip(subsets, queries, strict=True):
        taken = [m for m in range(SUBSETS) for _ in range(times_M[m])]
        rho = [spearman(predicted_QM[q][taken], actual_QM[q][taken]) for q in range(QUERIES) for _ in range(times_Q[q])]
        yield sum(rho) / len(rho)


@pytest.mark.parametrize("tied", [False, True])
def test_the_error_is_that_of_resamples_written_out(world, tied):
    scores_QN, kept_MN, actual_QM = world
    predicted_QM = subset_predictions(np.sign(scores_QN) if tied else scores_QN, kept_MN)
    slow = list(slow_draws(predicted_QM, actual_QM, 40, 5))
    assert lds(predicted_QM, actual_QM, draws=40, seed=5).se == pytest.approx(np.std(slow, ddof=1))


def test_the_paired_difference_is_that_of_resamples_written_out(world):
    scores_QN, kept_MN, actual_QM = world
    good_QM, bad_QM = subset_predictions(scores_QN, kept_MN), subset_predictions(scores_QN[::-1].copy(), kept_MN)
    found = paired(good_QM, bad_QM, actual_QM, draws=60, seed=2)
    slow = [a - b for a, b in zip(*(slow_draws(p, actual_QM, 60, 2) for p in (good_QM, bad_QM)), strict=True)]
    assert found.difference == pytest.approx(lds(good_QM, actual_QM).mean - lds(bad_QM, actual_QM).mean)
    assert found.se == pytest.approx(np.std(slow, ddof=1))
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]))
    assert found.p == pytest.approx(min(1, 2 * (min(sum(d <= 0 for d in slow), sum(d >= 0 for d in slow)) + 1) / 61))
    assert paired(good_QM, good_QM, actual_QM, draws=60).p == 1.0


def test_the_paired_test_seldom_finds_a_difference_that_is_not_there():
    """Two methods of the same quality on fresh worlds: p below .05 in about a twentieth of them."""
    generator = np.random.default_rng(0)
    found = 0
    for world in range(100):
        true_QM = generator.normal(size=(20, 30))
        first_QM, second_QM, actual_QM = (true_QM + generator.normal(size=true_QM.shape) for _ in range(3))
        found += paired(first_QM, second_QM, actual_QM, draws=200, seed=world).p < 0.05
    assert found <= 12


def test_the_ceiling_is_what_a_perfect_predictor_reads():
    """Outcome = mean of the subset plus noise of the seed, of the same variance: reliability one half."""
    generator = np.random.default_rng(1)
    mean_QM = generator.normal(size=(30, 400))
    actual_RQM = mean_QM + generator.normal(size=(3, 30, 400))
    limit = noise_ceiling(actual_RQM, by_rank=False)
    assert limit.reliability == pytest.approx(0.5, abs=0.02) and limit.repetitions == 3
    perfect_one = np.mean([np.corrcoef(m, a)[0, 1] for m, a in zip(mean_QM, actual_RQM[0], strict=True)])
    perfect_mean = np.mean([np.corrcoef(m, a)[0, 1] for m, a in zip(mean_QM, actual_RQM.mean(0), strict=True)])
    assert limit.of_one == pytest.approx(perfect_one, abs=0.02)
    assert limit.of_mean == pytest.approx(perfect_mean, abs=0.02)
    assert noise_ceiling(actual_RQM).of_mean == pytest.approx(lds(mean_QM, actual_RQM.mean(0), draws=2).mean, abs=0.02)
    assert noise_ceiling(actual_RQM[::-1].copy()).of_one == pytest.approx(noise_ceiling(actual_RQM).of_one, rel=1e-12)


def test_the_ceiling_of_noise_is_not_negative():
    opposite = np.stack([np.arange(12.0).reshape(2, 6), -np.arange(12.0).reshape(2, 6)])
    assert noise_ceiling(opposite).of_mean == noise_ceiling(opposite).reliability == 0


def test_what_cannot_be_compared_is_refused(world):
    _, kept_MN, actual_QM = world
    broken_QM = actual_QM.copy()
    broken_QM[0, 0] = np.nan
    for code, call in [
        ("shape-mismatch", lambda: lds(actual_QM.T, actual_QM)),
        ("shape-mismatch", lambda: subset_predictions(np.zeros((2, 5)), kept_MN)),
        ("not-finite", lambda: lds(broken_QM, actual_QM)),
        ("not-finite", lambda: paired(actual_QM, broken_QM, actual_QM)),
        ("too-few-pairs", lambda: lds(actual_QM[:, :2], actual_QM[:, :2])),
        ("too-few-repetitions", lambda: noise_ceiling(actual_QM[None])),
        ("not-finite", lambda: noise_ceiling(np.stack([actual_QM, broken_QM]))),
    ]:
        with pytest.raises(EvaluationError) as fault:
            call()
        assert fault.value.code == code
