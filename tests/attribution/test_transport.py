"""Scores against a loop over visits with matrix exponentials, against real retraining, and their invariances."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from byline.attribution import Run, SketchTransport, open_run
from byline.capture import Projector, Recorder, find_taps
from byline.core import AttributionError, RunId
from byline.evaluation import spearman
from byline.store import Group, RunSpec, RunWriter, open_store

sys.path.insert(0, str(Path(__file__).parent))
from method_checks import check_method, near
from recorded import QUERIES, adamw, measure_of, record, sgd

INT8 = 1 / 127  # two rows that differ by float noise may be stored a step of 127 apart


def slow_scores(model, run, queries, measure, damping):
    """{(query, example): score}: per query, layer and visit, lr * clip * <q, exp(-rates to come * H) row>, negated."""
    store = run.store
    taps, _ = find_taps(model, Projector.from_json(json.loads(store.spec.projector)))
    found = {(query, example): 0.0 for query in queries for example in store.example_ids}
    for layer, tap in enumerate(taps):
        rows = torch.from_numpy(store.read(0, store.n_rows, [tap.name])).double()
        second = sum(torch.outer(row, row) for row in rows)
        rates = [step["lr"][tap.name] for step in store.step_log]
        curvature = second / (second.trace() / len(second)) / (damping * sum(rates))
        for query, what in queries.items():
            model.zero_grad()
            measure(model, what).backward()
            gradient = tap.weight.grad.double()
            gradient_OI = gradient.T if tap.transposed else gradient
            if f"scale_out.{layer}" in store.blob_names:
                out, into = (torch.tensor(store.blob(f"scale_{side}.{layer}")).double() for side in ("out", "in"))
                gradient_OI = out[:, None] * gradient_OI * into
            q = (tap.left_OK.double().T @ gradient_OI @ tap.right_IK.double()).flatten()
            for visit, row in enumerate(rows):
                step = int(store.steps_N[visit])
                left = torch.linalg.matrix_exp(-sum(rates[step + 1 :]) * curvature) @ row
                weight = rates[step] * store.step_log[step]["clip"]
                found[query, store.example_ids[store.examples_N[visit]]] -= weight * float(q @ left)
    model.zero_grad()
    return found


@pytest.mark.parametrize("damping", [0.1, 2.0])
@pytest.mark.parametrize(
    ("name", "optimizer_of"), [("linear-2d", adamw), ("linear-3d", sgd), ("gpt2-left", adamw), ("llama-right", adamw)]
)
def test_scores_are_the_loop(tmp_path, name, optimizer_of, damping):
    model, run = record(tmp_path / "run", name, optimizer_of, steps=5, rank=2)
    table = run.score(model, QUERIES, measure_of(name), SketchTransport(damping).fit(run.store))
    want = slow_scores(model, run, QUERIES, measure_of(name), damping)
    assert (table.query_ids, table.example_ids) == (tuple(QUERIES), run.store.example_ids)
    assert str(damping) in table.method
    want_QN = np.array([[want[q, n] for n in table.example_ids] for q in table.query_ids])
    assert near(table.scores_QN, want_QN)


@pytest.mark.parametrize("damping", [0.05, 0.1, 10.0])
def test_the_suite_of_every_method(trained, tmp_path, damping):
    model, run, measure = trained
    check_method(lambda: SketchTransport(damping), run.store, run.featurise(model, QUERIES, measure), tmp_path / "run")


# --- against retraining -----------------------------------------------------------------------------------------


class Logistic:
    """A linear model of two classes, trained by SGD on twelve examples of which some labels are wrong."""

    def __init__(self, rate, steps):
        generator = torch.Generator().manual_seed(8)
        self.x = torch.randn(12, 3, generator=generator, dtype=torch.float64)
        self.y = (self.x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) > 0).double()
        self.y[:3] = 1 - self.y[:3]
        self.asked = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        self.rate, self.steps = rate, steps

    def loss(self, model, rows, weights):
        logits = model(self.x[rows])[:, 0]
        nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, self.y[rows], reduction="none")
        return (nll * weights[rows]).sum() / len(rows)

    def train(self, weights, path=None):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1, bias=False).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=self.rate)
        recorder = Recorder(model, optimizer, path, projector=Projector(8)) if path else None
        with recorder if recorder else torch.enable_grad():
            for step in range(self.steps):
                rows = [(4 * step + i) % 12 for i in range(4)]
                if recorder:
                    with recorder.batch([f"ex:{row}" for row in rows]):
                        self.loss(model, rows, weights).backward()
                else:
                    self.loss(model, rows, weights).backward()
                optimizer.step()
                optimizer.zero_grad()
        return model

    def measure(self, model, query):
        """log p of the class 1."""
        return torch.nn.functional.logsigmoid(model(self.asked[query : query + 1]))[0, 0]

    def truth(self):
        """Central differences: what the log-likelihood gains per unit of an example's weight."""
        found_QN = np.zeros((5, 12))
        for n in range(12):
            weights = torch.ones(12, dtype=torch.float64)
            for sign in (1, -1):
                weights[n] = 1 + sign * 1e-3
                model = self.train(weights)
                for q in range(5):
                    found_QN[q, n] += sign * float(self.measure(model, q).detach()) / 2e-3
        return found_QN

    def scores(self, path, damping):
        model = self.train(torch.ones(12, dtype=torch.float64), path)
        run = open_run(path)
        table = run.score(model, {f"q{i}": i for i in range(5)}, self.measure, SketchTransport(damping).fit(run.store))
        order = [table.example_ids.index(f"ex:{n}") for n in range(12)]
        return table.scores_QN[:, order]


def test_positive_scores_raise_the_likelihood_in_real_retrainings(tmp_path):
    world = Logistic(rate=0.1, steps=90)
    actual_QN, scores_QN = world.truth(), world.scores(tmp_path / "run", damping=0.1)
    assert spearman(scores_QN.ravel(), actual_QN.ravel()) > 0.75
    large = np.abs(scores_QN) > np.median(np.abs(scores_QN))
    assert (np.sign(scores_QN) == np.sign(actual_QN))[large].mean() > 0.9


def test_at_a_small_rate_and_without_decay_scores_are_the_change_itself(tmp_path):
    """Also its size: nats per unit of an example's weight."""
    world = Logistic(rate=1e-3, steps=6)
    actual_QN, scores_QN = world.truth(), world.scores(tmp_path / "run", damping=1e9)
    assert np.abs(scores_QN - actual_QN).max() < 0.01 * np.abs(actual_QN).max()


# --- invariances ------------------------------------------------------------------------------------------------


def test_a_copy_has_the_same_score(trained):
    model, run, measure = trained
    table = run.score(model, QUERIES, measure)
    column = dict(zip(table.example_ids, table.scores_QN.T, strict=True))
    assert np.abs(column["ex:1"] - column["ex:twin"]).max() <= 2 * INT8 * np.abs(column["ex:twin"]).max()


def test_the_order_inside_a_batch_does_not_matter(tmp_path):
    tables = []
    for name, order in (("a", (0, 1, 2, 3)), ("b", (3, 1, 0, 2))):
        model, run = record(tmp_path / name, "linear-2d", sgd, order=order)
        tables.append(run.score(model, QUERIES, measure_of("linear-2d")))
    one, other = (dict(zip(t.example_ids, t.scores_QN.T, strict=True)) for t in tables)
    largest = max(np.abs(scores).max() for scores in one.values())
    assert set(one) == set(other)
    assert all(np.abs(one[name] - other[name]).max() < 2 * INT8 * largest for name in one)


def test_size_of_shards_does_not_matter(trained, tmp_path):
    model, run, measure = trained
    want = run.score(model, QUERIES, measure)
    for shard_rows in (1, 7, 1000):
        store, path = run.store, tmp_path / str(shard_rows)
        with RunWriter.create(path, store.spec, shard_rows) as writer:
            for step, record_ in enumerate(store.step_log):
                rows = np.flatnonzero(store.steps_N == step)
                ids = [store.example_ids[n] for n in store.examples_N[rows]]
                writer.append(step, ids, store.read(int(rows[0]), int(rows[-1]) + 1))
                writer.end_step(step, {name: value for name, value in record_.items() if name != "step"})
            for name in store.blob_names:
                writer.put_blob(name, store.blob(name))
        again = Run(open_store(path)).score(model, QUERIES, measure)
        assert again.example_ids == want.example_ids and near(again.scores_QN, want.scores_QN)


def test_more_rows_than_a_block(tmp_path):
    """9000 rows are read in three blocks; a step's rows are divided between two of them."""
    generator = np.random.default_rng(0)
    spec = RunSpec(RunId("run:long"), "m", (Group("a", 3), Group("b", 2)))
    with RunWriter.create(tmp_path / "run", spec) as writer:
        for step in range(90):
            ids = [f"ex:{i}" for i in generator.integers(0, 40, 100)]
            writer.append(step, ids, generator.normal(size=(100, 5)))
            writer.end_step(step, {"lr": {"a": 0.1, "b": 0.2}, "clip": 1.0 - step / 100})
    store = open_store(tmp_path / "run")
    queries_QK = generator.normal(size=(2, 5)).astype(np.float32)
    got_QN = SketchTransport(1e9).fit(store).score(store, queries_QK)
    want_QN = np.zeros((2, 40))
    for row, (n, step) in enumerate(zip(store.examples_N, store.steps_N, strict=True)):
        features = store.read(row, row + 1)[0] * [0.1, 0.1, 0.1, 0.2, 0.2] * (1.0 - step / 100)
        want_QN[:, n] -= queries_QK @ features
    assert near(got_QN, want_QN)


def test_the_score_of_a_whole_is_the_sum_of_its_parts(trained):
    model, run, measure = trained
    parts = run.score(model, {"a": [0], "b": [2], "c": [5]}, measure)
    whole = run.score(model, {"all": [0, 2, 5]}, measure)
    assert near(parts.scores_QN.sum(0), whole.scores_QN[0])


# --- what is refused --------------------------------------------------------------------------------------------


def refused(code, body):
    with pytest.raises(AttributionError) as fault:
        body()
    assert fault.value.code == code and fault.value.fix


def test_queries_that_cannot_be_scored(trained):
    model, run, measure = trained
    refused("no-queries", lambda: run.score(model, {}, measure))
    refused("flat-query", lambda: run.score(model, {"q": 0}, lambda model, query: torch.ones(())))
    refused("flat-query", lambda: run.score(model, {"q": 0}, lambda model, query: next(model.parameters()).sum()))
    refused("flat-query", lambda: run.score(model, {"q": [0]}, lambda m, q: measure(m, q) * float("nan")))
    refused("not-scalar", lambda: run.score(model, {"q": 0}, lambda model, query: model(torch.ones(2, 5))))


def test_a_model_that_is_not_the_one(trained):
    model, run, measure = trained
    refused("other-model", lambda: run.score(torch.nn.Linear(5, 3), {"q": [0]}, measure))
    weight = model[0].weight.data[0, 0]
    before = weight.clone()
    weight += 1e-6
    refused("other-weights", lambda: run.score(model, {"q": [0]}, measure))
    weight.copy_(before)
    assert run.score(model, {"q": [0]}, measure).scores_QN.any()


def test_a_run_without_rows_or_without_end(tmp_path):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(model, optimizer, tmp_path / "empty"):
        pass
    measure = lambda model, query: model(torch.ones(1, 2)).sum()  # noqa: E731
    refused("empty-run", lambda: open_run(tmp_path / "empty").score(model, {"q": 0}, measure))
    with pytest.raises(KeyboardInterrupt), Recorder(model, optimizer, tmp_path / "stopped"):
        raise KeyboardInterrupt
    refused("unfinished-run", lambda: open_run(tmp_path / "stopped").score(model, {"q": 0}, measure))


def test_asking_leaves_the_model_alone(trained):
    model, run, measure = trained
    state = torch.get_rng_state()
    with torch.no_grad():
        run.score(model, QUERIES, measure)
    assert all(p.grad is None for p in model.parameters()) and torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks for module in model.modules())
