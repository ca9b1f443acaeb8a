"""What every attribution method must satisfy: one suite, run over each of them."""

import numpy as np
import pytest

from byline.core import AttributionError, RunId
from byline.store import Group, RunSpec, RunWriter, open_store


def check_method(method_of, store, queries_QK, folder):
    """`method_of()` makes an unfitted method with `fit(store)`, `score(store, queries_QK)` and `method`; `folder` is
    the path of a run to write."""
    check_it_only_stores_at_first(method_of, store, queries_QK)
    scores_QN = method_of().fit(store).score(store, queries_QK)
    assert scores_QN.shape == (len(queries_QK), len(store.example_ids))  # query, example
    assert scores_QN.dtype == np.float32 and np.isfinite(scores_QN).all() and scores_QN.any()
    check_it_repeats_itself(method_of, store, queries_QK, scores_QN)
    check_it_is_linear_in_the_query(method_of, store, queries_QK, scores_QN)
    check_an_example_explains_itself(method_of, folder)


def check_it_only_stores_at_first(method_of, store, queries_QK):
    method = method_of()
    stored = dict(vars(method))
    assert isinstance(method.method, str) and method.method == method_of().method
    with pytest.raises(AttributionError) as fault:
        method.score(store, queries_QK)
    assert fault.value.code == "not-fitted"
    assert method.fit(store) is method
    learned = set(vars(method)) - set(stored)
    assert learned and all(name.endswith("_") for name in learned)
    assert {name: getattr(method, name) for name in stored} == stored


def check_it_repeats_itself(method_of, store, queries_QK, scores_QN):
    before = queries_QK.copy()
    method = method_of().fit(store)
    assert np.array_equal(method.score(store, queries_QK), method.score(store, queries_QK))
    assert np.array_equal(queries_QK, before)
    assert near(method.score(store, queries_QK[::-1].copy())[::-1], scores_QN)
    assert near(np.concatenate([method.score(store, row[None]) for row in queries_QK]), scores_QN)


def check_it_is_linear_in_the_query(method_of, store, queries_QK, scores_QN):
    method = method_of().fit(store)
    assert near(method.score(store, -3 * queries_QK), -3 * scores_QN)
    assert near(method.score(store, queries_QK.sum(0, keepdims=True)), scores_QN.sum(0, keepdims=True))
    assert not method.score(store, 0 * queries_QK).any()


def check_an_example_explains_itself(method_of, folder):
    """An example seen once is a proponent of the query whose gradient is minus that of the example's loss."""
    features_NK = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    with RunWriter.create(folder, RunSpec(RunId("run:once"), "m", (Group("a", 3), Group("b", 2)))) as writer:
        for step, rows in enumerate(features_NK.reshape(4, 3, 5)):
            writer.append(step, [f"ex:{3 * step + i}" for i in range(3)], rows)
            writer.end_step(step, {"lr": {"a": 0.1, "b": 0.1}, "clip": 1.0})
    store = open_store(folder)
    assert (np.diag(method_of().fit(store).score(store, -features_NK)) > 0).all()


def near(got, want):
    return np.abs(got - want).max() <= 1e-4 * np.abs(want).max()
