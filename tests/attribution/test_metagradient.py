"""The metagradient against central differences of retraining, and its invariances."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from byline.attribution.metagradient import Metagradient
from byline.attribution.replay import replay
from byline.attribution.update import UPDATES, Instant
from byline.core import AttributionError

sys.path.insert(0, str(Path(__file__).parent))
from walked import NAMES, OPTIMIZERS, QUERIES, TinyTask, loaded, measure, run, settings_of, snapshot

TIGHT = {"rtol": 1e-5, "atol": 1e-9}  # scores are float32


def central_difference(model, task, trajectory, example, query, h):
    """From two retrainings: (measurement at weight 1 + h) - (at 1 - h), over 2 h."""
    ends = [replay(model, task, trajectory, {example: 1 + sign * h}, from_=0) for sign in (1, -1)]
    with torch.no_grad():
        up, down = (float(measure(loaded(end), query)) for end in ends)
    return (up - down) / (2 * h)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_scores_are_derivatives_of_retraining(kind):
    """20 random pairs in float64; weight decay, clipping and examples seen several times, one twice in a batch."""
    model, task, trajectory, _ = run(kind, steps=14)
    clips = [step.clip for step in trajectory.steps]
    assert min(clips) < 0.9 and max(clips) == 1.0  # clipping sets in at some steps and not at others
    scores = Metagradient().fit(model, task, trajectory).score(QUERIES, measure)
    assert set(scores.example_ids) == set(NAMES) and scores.query_ids == tuple(QUERIES)
    generator = np.random.default_rng(0)
    for _ in range(20):
        q, n = generator.integers(len(QUERIES)), generator.integers(len(NAMES))
        example, query = scores.example_ids[n], list(QUERIES.values())[q]
        truth = central_difference(model, task, trajectory, example, query, 1e-5)
        assert scores.scores_QN[q, n] == pytest.approx(truth, rel=1e-3, abs=1e-8)


def test_scores_are_derivatives_under_dropout_and_accumulation():
    model, task, trajectory, _ = run(dropout=0.3, pieces=True)
    asked = Asleep(measure)
    scores = Metagradient(segments=4).fit(model, task, trajectory).score(QUERIES, asked)
    for n, example in enumerate(scores.example_ids):
        truth = central_difference(model, task, trajectory, example, QUERIES["q:1"], 1e-5)
        assert scores.scores_QN[1, n] == pytest.approx(truth, rel=1e-3, abs=1e-8)


class Asleep:
    """A measure in evaluation mode: without dropout."""

    def __init__(self, measure):
        self.measure = measure

    def __call__(self, model, query):
        model.eval()
        try:
            return self.measure(model, query)
        finally:
            model.train()


def test_positive_is_proponent():
    """Training on the very sequence that is asked about raises its likelihood."""
    model, task, trajectory, _ = run("sgd", steps=6)
    asked = {"q": task.batch(["ex:0"], 0)[0]}
    scores = Metagradient().fit(model, task, trajectory).score(asked, measure)
    best = scores.example_ids[int(scores.scores_QN[0].argmax())]
    without = loaded(replay(model, task, trajectory, {best: 0.0}, from_=0))
    assert best == "ex:0" and scores.scores_QN.max() > 0
    with torch.no_grad():
        assert measure(without, asked["q"]) < measure(loaded(trajectory.state(6)), asked["q"])


def test_the_number_of_segments_and_queries_together_changes_nothing():
    model, task, trajectory, _ = run(keep=(5,))
    wanted = Metagradient(segments=1).fit(model, task, trajectory).score(QUERIES, measure)
    for segments, together in [(2, 1), (5, 2), (12, 3), (100, 8)]:
        audit = Metagradient(segments=segments, together=together).fit(model, task, trajectory)
        assert len(audit.starts_) <= 12
        found = audit.score(QUERIES, measure)
        assert found.example_ids == wanted.example_ids
        np.testing.assert_allclose(found.scores_QN, wanted.scores_QN, rtol=1e-6)


def test_the_measure_is_linear_and_the_model_left_alone():
    model, task, trajectory, _ = run()
    audit = Metagradient().fit(model, task, trajectory)
    before = {name: p.clone() for name, p in model.named_parameters()}
    each = audit.score(QUERIES, measure).scores_QN.astype(np.float64)
    revenue = [3.0, 0.0, 0.5]

    def period(model, queries):
        return sum(r * measure(model, query) for r, query in zip(revenue, queries, strict=True))

    whole = audit.score({"period": list(QUERIES.values())}, period).scores_QN[0]
    np.testing.assert_allclose(whole, revenue @ each, **TIGHT)
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    assert audit.digest_ == Metagradient().fit(model, task, trajectory).digest_


def test_the_order_of_rows_in_a_batch_changes_nothing():
    batches = [[f"ex:{(2 * s + i) % 6}" for i in (0, 1, 3)] for s in range(9)]
    found = []
    for order in ([0, 1, 2], [2, 0, 1]):
        model, task, trajectory, _ = run(batches=[[batch[i] for i in order] for batch in batches], max_norm=1e9)
        # the copy that every third batch gets is of its first row: take it out again, it differs between the orders
        steps = tuple(dataclasses.replace(step, example_ids=step.example_ids[:3]) for step in trajectory.steps)
        kept = dataclasses.replace(trajectory, steps=steps, kept=(0,), state=trajectory.state)
        end = replay(model, task, kept, from_=0)
        kept = dataclasses.replace(kept, kept=(0, 9), state={0: trajectory.state(0), 9: end}.__getitem__)
        scores = Metagradient().fit(model, task, kept).score(QUERIES, measure)
        found.append({name: scores.scores_QN[:, n] for n, name in enumerate(scores.example_ids)})
    for name in NAMES:
        np.testing.assert_allclose(found[0][name], found[1][name], **TIGHT)


def test_frozen_moments_are_close_and_not_the_same():
    model, task, trajectory, _ = run()
    exact = Metagradient().fit(model, task, trajectory).score(QUERIES, measure)
    frozen = Metagradient(frozen=True).fit(model, task, trajectory).score(QUERIES, measure)
    assert exact.method != frozen.method
    assert np.corrcoef(exact.scores_QN.ravel(), frozen.scores_QN.ravel())[0, 1] > 0.7
    assert not np.allclose(exact.scores_QN, frozen.scores_QN, rtol=1e-3)
    model, task, trajectory, _ = run("nesterov", max_norm=1e9)  # no second moment, nothing clipped: nothing is frozen
    both = [Metagradient(frozen=f).fit(model, task, trajectory).score(QUERIES, measure) for f in (True, False)]
    np.testing.assert_array_equal(both[0].scores_QN, both[1].scores_QN)


def test_the_contract_of_estimators():
    model, task, trajectory, _ = run()
    audit = Metagradient(frozen=True, segments=3, tolerance=0.0, together=2)
    stored = dict(vars(audit))
    assert stored == {"frozen": True, "segments": 3, "tolerance": 0.0, "together": 2}
    assert audit.fit(model, task, trajectory) is audit
    first, again = (audit.score(QUERIES, measure).scores_QN for _ in range(2))
    assert np.array_equal(first, again)
    assert all(name.endswith("_") for name in set(vars(audit)) - set(stored))
    assert {name: getattr(audit, name) for name in stored} == stored


def test_the_cost_is_counted():
    model, task, trajectory, _ = run()
    audit = Metagradient(segments=3, together=2).fit(model, task, trajectory)
    audit.score(QUERIES, measure)
    cost = audit.cost_
    # the checking walk; then, for two groups of queries, each step with a graph and 3 segments of 4 walked again but
    # for their last step; one product per query and step
    assert (cost.steps, cost.gradients, cost.products) == (12, 12 + 2 * (12 + 9), 36)
    assert cost.trainings == (54 + 72) / 12 and cost.seconds > 0
    assert cost.epochs == cost.trainings * sum(len(s.example_ids) for s in trajectory.steps) / len(NAMES)


def test_what_the_last_batch_did_can_be_written_down():
    """SGD, one step: the score is rate / denominator * <grad of the measurement, minus grad loss>."""
    model, task, trajectory, trained = run("sgd", steps=1, max_norm=1e9)
    query = QUERIES["q:0"]
    scores = Metagradient().fit(model, task, trajectory).score({"q": query}, measure)
    wanted = torch.autograd.grad(measure(trained, query), list(trained.parameters()), allow_unused=True)
    batch = task.batch(trajectory.steps[0].example_ids, 0)
    losses_B = task.losses(task.outputs(model, batch), batch)
    for n, loss in enumerate(losses_B):
        grads = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True, allow_unused=True)
        dot = sum(float((a * b).sum()) for a, b in zip(wanted, grads, strict=True) if a is not None)
        assert scores.scores_QN[0, n] == pytest.approx(-trajectory.steps[0].rates[0] * dot / 3, rel=1e-5)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_written_updates_are_those_of_torch(kind):
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(9, dtype=torch.float64))
    model = nn.Module()
    model.p = parameter
    optimizer = OPTIMIZERS[kind](model)
    name = "sgd" if isinstance(optimizer, torch.optim.SGD) else kind
    update, keys = UPDATES[name]
    group = next(group for group in optimizer.param_groups if group["params"])
    state = {"weights": parameter.detach().clone(), **{key: torch.zeros(9, dtype=torch.float64) for key in keys}}
    for taken in range(4):
        grad = torch.randn(9, dtype=torch.float64)
        grad[0] = 0.0  # a coordinate that never moves
        parameter.grad = grad.clone()
        optimizer.step()
        state |= update(settings_of(group), Instant(group["lr"], taken), state, grad)
        torch.testing.assert_close(state["weights"], parameter.detach(), rtol=1e-12, atol=1e-14)


def test_a_coordinate_without_gradient_has_finite_scores():
    """Rows of tokens that never occur have a second moment of zero, where the root has no derivative."""
    model, task, trajectory, _ = run(shift=False)
    second = trajectory.state(12).moments["exp_avg_sq"]["embedding.weight"]
    assert (second == 0).all(1).any() and not (second == 0).all()
    scores = Metagradient().fit(model, task, trajectory).score(QUERIES, measure)
    truth = central_difference(model, task, trajectory, "ex:1", QUERIES["q:0"], 1e-5)
    assert scores.scores_QN[0, scores.example_ids.index("ex:1")] == pytest.approx(truth, rel=1e-3)


class Averaging(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.register_buffer("seen", torch.zeros(1, dtype=torch.float64))

    def forward(self, tokens_BT):
        self.seen += 1
        return self.inner(tokens_BT)


def test_running_statistics_are_refused():
    model, task, trajectory, _ = run()
    wrapped = Averaging(model)
    groups = tuple(
        dataclasses.replace(g, parameters=tuple(f"inner.{p}" for p in g.parameters)) for g in trajectory.groups
    )
    start = snapshot(wrapped, torch.optim.SGD(wrapped.parameters()), 0)
    moved = dataclasses.replace(trajectory, groups=groups, kept=(0,), state={0: start}.__getitem__)
    end = replay(wrapped, task, moved, from_=0)
    moved = dataclasses.replace(moved, kept=(0, 12), state={0: start, 12: end}.__getitem__)
    with pytest.raises(AttributionError) as fault:
        Metagradient().fit(wrapped, task, moved)
    assert fault.value.code == "moving-buffers" and "inner" not in fault.value.message


def test_optimizers_that_can_only_be_walked_forwards_are_refused():
    for kind, setting in [("nadam", {}), ("adam", {"amsgrad": 1.0}), ("adam", {"maximize": 1.0})]:
        model, task, trajectory, _ = run(kind)
        groups = tuple(dataclasses.replace(g, settings={**g.settings, **setting}) for g in trajectory.groups)
        with pytest.raises(AttributionError, match=next(iter(setting), kind)) as fault:
            Metagradient().fit(model, task, dataclasses.replace(trajectory, groups=groups))
        assert fault.value.code == "unknown-optimizer"


REFUSED = {
    "not-fitted": lambda fitted, *world: Metagradient().score(QUERIES, measure),
    "no-queries": lambda fitted, *world: fitted.score({}, measure),
    "not-scalar": lambda fitted, *world: fitted.score(QUERIES, lambda model, q: model(q[None])),
    "flat-query": lambda fitted, *world: fitted.score(QUERIES, lambda model, q: torch.tensor(1.0)),
    "no-beginning": lambda fitted, m, t, r: Metagradient().fit(m, t, dataclasses.replace(r, kept=(5, 12))),
    "replay-differs": lambda fitted, m, t, r: Metagradient().fit(m, Louder(), r),
}


class Louder(TinyTask):
    def losses(self, outputs, batch):
        return 2 * super().losses(outputs, batch)


@pytest.mark.parametrize("code", REFUSED)
def test_what_cannot_be_audited_is_refused(code):
    model, task, trajectory, _ = run(keep=(5,))
    fitted = Metagradient().fit(model, task, trajectory)
    with pytest.raises(AttributionError) as fault:
        REFUSED[code](fitted, model, task, trajectory)
    assert fault.value.code == code and fault.value.fix
