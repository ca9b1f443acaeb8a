"""What an audit fits beside its certificate: weights of channels, and how far another seed moves the same effects."""

from types import SimpleNamespace

import numpy as np
import pytest

from byline.app.engine.bank import Retrained
from byline.app.engine.case import WHOLE
from byline.app.engine.joined import LEAST, apart, blends, seed_reliability, told
from byline.app.engine.period import PERIOD
from byline.app.game import Choice, blend_words, weights_of
from byline.app.model import silent
from byline.core import AppError, ScoreTable
from byline.evaluation import FEWEST

IDS = tuple(f"e{n}" for n in range(30))


def bank(effects_CO, noise_CO):
    """Retrainings in which leaving out contributor c lowers output o by its effect and noise."""
    whole = np.zeros(effects_CO.shape[1])
    rows = {f"contributor/{c}": whole - row_O for c, row_O in enumerate(effects_CO + noise_CO)}
    return {key: Retrained(tuple(map(float, values)), "") for key, values in (rows | {WHOLE: whole}).items()}


def case(effects_CO, noise, other):
    made = np.random.default_rng(7)
    contributors = {f"contributor/{c}": frozenset({IDS[c]}) for c in range(len(effects_CO))}
    asked = []

    def under(seed):
        asked.append(seed)
        kept = bank(effects_CO, noise * made.normal(size=effects_CO.shape))
        return SimpleNamespace(fill=lambda wanted, progress: {key: kept[key] for key in wanted})

    return SimpleNamespace(contributors=contributors, seeds=(4,), under=under if other else None), asked


def test_the_reliability_between_seeds_is_the_planted_one():
    """Effects of variance 1 and noise of variance 1 in every seed: two seeds correlate by 1/2."""
    generator = np.random.default_rng(0)
    effects_CO = generator.normal(size=(30, 20))
    this, asked = case(effects_CO, 1.0, other=True)
    known = bank(effects_CO, generator.normal(size=effects_CO.shape))
    assert seed_reliability(this, known, 3, silent) == pytest.approx(0.5, abs=0.06)
    assert asked == [5, 6, 7]  # the recorded order is none of them


def test_pure_noise_reads_as_next_to_no_reliability_and_never_as_zero_or_less():
    generator = np.random.default_rng(1)
    this, _ = case(np.zeros((6, 3)), 1.0, other=True)
    found = [seed_reliability(this, bank(np.zeros((6, 3)), generator.normal(size=(6, 3))), 1, silent) for _ in range(8)]
    assert min(found) == LEAST and max(found) < 0.9


def test_a_run_that_can_only_be_replayed_has_no_other_seed():
    this, _ = case(np.ones((3, 2)), 0.0, other=False)
    with pytest.raises(AppError) as fault:
        seed_reliability(this, {}, 1, silent)
    assert fault.value.code == "no-other-seed"


def fitted(noise, subsets=30, words=False, outputs=4, queries="abcd"):
    """Channels of which the second counts three times as much in truth as it says, and EK-FAC says the same again."""
    generator = np.random.default_rng(2)
    names = ("head", "body", "ekfac", *(("words",) if words else ()))
    tables = {
        name: ScoreTable(generator.normal(size=(len(queries), len(IDS))).astype(np.float32), tuple(queries), IDS, "m")
        for name in names
    }
    out = [frozenset(generator.choice(IDS, 6, replace=False).tolist()) for _ in range(subsets)]
    mask_PN = np.array([[example in each for example in IDS] for each in out])
    truth_QN = tables["head"].scores_QN + 3 * tables["body"].scores_QN + (1 * tables["words"].scores_QN if words else 0)
    lost_QP = truth_QN @ mask_PN.T + noise * generator.normal(size=(len(queries), subsets))
    return blends(tables, out, lost_QP, outputs)


def test_weights_of_the_channels_by_what_subsets_lost():
    found = fitted(0.1)["blend"]
    assert found.factors[1] / found.factors[0] == pytest.approx(3, rel=0.05) and found.helps
    assert found.factors[2] < 0.05 * found.factors[0] and found.plain == ("head", "body")
    assert weights_of({"blend": found.to_json()}) == found
    digests = {Choice.of("linear", f).blend for f in ("", "a")}
    assert len(digests) == 2
    assert told({"blend": found}, None, 0).keys() == {"blend"} and told({}, 0.4, 2) == {"rho": 0.4, "seeds": 3}
    assert told({}, None, 0, {"ekfac": "why"}) == {"without": {"ekfac": "why"}}
    assert "body x" in blend_words(found.to_json()) and "30 retrainings" in blend_words(found.to_json())


def test_the_words_have_a_blend_of_their_own_which_is_used_only_where_asked():
    found = fitted(0.1, subsets=80, words=True)
    assert set(found) == {"blend", "blend_words"} and "words" not in found["blend"].channels
    assert found["blend_words"].held_out > found["blend"].held_out + 0.05  # planted: the words say something
    kept = {name: each.to_json() for name, each in found.items()}
    assert weights_of(kept) == found["blend"] and weights_of(kept, words=True) == found["blend_words"]
    with pytest.raises(AppError) as fault:
        weights_of({"blend": kept["blend"]}, words=True)
    assert fault.value.code == "no-blend"


def test_queries_that_are_fitted_on_have_no_output_in_common():
    """The period holds what is asked alone: what is left of it is another query, if anything is left."""
    parts = apart((PERIOD, "a", "b"), 5)
    assert parts.tolist() == [[1, -1, -1], [0, 1, 0], [0, 0, 1]]
    assert apart((PERIOD, "a", "b"), 2).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert apart(("a",), 1).tolist() == [[1]]
    assert fitted(0.1, queries=(PERIOD, "a", "b", "c"), outputs=3)["blend"].queries == 3
    assert fitted(0.1, queries=("a",), outputs=1) == {}  # weights cannot be judged on the query they were fitted to


def test_too_few_subsets_fit_nothing_and_a_gain_that_may_be_none_is_not_used():
    assert fitted(0.1, FEWEST - 1) == {}
    noise = fitted(200.0)["blend"]
    assert not noise.helps
    old = {name: value for name, value in noise.to_json().items() if name != "plain"}
    for kept in (None, {}, {"rho": 0.5}, {"blend": noise.to_json()}, {"blend": old}):
        with pytest.raises(AppError) as fault:
            weights_of(kept)
        assert fault.value.code == "no-blend"
