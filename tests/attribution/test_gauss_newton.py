"""The transport against a loop over dense matrices, against retraining where it is exact, and against its transpose."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.attribution.walked import NAMES, OPTIMIZERS, QUERIES, measure, run
from torch import nn

import byline.attribution.gauss_newton as gauss_newton
from byline.attribution import GaussNewtonTransport, Metagradient, State, Step, Trajectory
from byline.attribution.path import Path
from byline.attribution.tangents import Tangents, contributor_tangents
from byline.capture import weights_digest
from byline.core import AttributionError

ALL = range(20)


def scores(model, task, trajectory, **settings):
    return GaussNewtonTransport(**settings).score(model, task, trajectory, QUERIES, measure).total


def dense_oracle(model, task, trajectory, query):
    """The recursion of the module's head, by hand: dense matrices, one example and one parameter vector at a time."""
    names = [name for group in trajectory.groups for name in group.parameters]
    rate_at = {name: place for place, group in enumerate(trajectory.groups) for name in group.parameters}
    settings = {name: group.settings for group in trajectory.groups for name in group.parameters}

    def load(state):
        model.load_state_dict({**state.weights, **state.buffers})
        return dict(model.named_parameters())

    def flat(parts):
        return torch.cat([part.reshape(-1) for part in parts])

    def spread(value_of):
        return flat([torch.full_like(now[name], value_of(name)) for name in names])

    now = load(trajectory.state(len(trajectory.steps)))
    grads = torch.autograd.grad(measure(model, query), [now[n] for n in names], allow_unused=True)
    lam = flat([torch.zeros_like(now[n]) if g is None else g for n, g in zip(names, grads, strict=True)])
    mu, tau = torch.zeros_like(lam), dict.fromkeys(NAMES, 0.0)
    for s in reversed(range(len(trajectory.steps))):
        step, after = trajectory.steps[s], trajectory.state(s + 1)
        now = load(trajectory.state(s))
        rate = spread(lambda name, step=step: step.rates[rate_at[name]])
        beta, decay = spread(lambda n: settings[n]["beta1"]), spread(lambda n: settings[n]["weight_decay"])
        second = [after.moments["exp_avg_sq"].get(n, torch.full_like(now[n], torch.inf)) for n in names]
        second = flat(second) / (1 - spread(lambda n: settings[n]["beta2"]) ** (s + 1))
        mu = mu - rate / (1 - beta ** (s + 1)) / (second.sqrt() + 1e-4) * lam
        u = (1 - beta) * mu
        curved = torch.zeros_like(lam)
        for example in step.example_ids:
            batch = task.batch([example], s)
            outputs = task.outputs(model, batch)
            rows = []
            for value in outputs.reshape(-1):
                row = torch.autograd.grad(value, [now[n] for n in names], retain_graph=True, allow_unused=True)
                rows.append(
                    flat([torch.zeros_like(now[n]) if g is None else g for n, g in zip(names, row, strict=True)])
                )
            jacobian = torch.stack(rows)
            free = outputs.detach().requires_grad_()
            (slope,) = torch.autograd.grad(task.losses(free, batch).sum(), free)
            tau[example] += step.clip / step.divisor * float((slope.reshape(-1) @ jacobian) @ u)
            hessian = torch.autograd.functional.hessian(lambda o, b=batch: task.losses(o, b).sum(), free.detach())
            hessian = hessian.reshape(len(rows), len(rows))
            curved = curved + jacobian.T @ (hessian @ (jacobian @ u)) / step.divisor
        lam = (1 - rate * decay) * lam + step.clip * curved
        mu = beta * mu
    return [tau[name] for name in NAMES]


def test_it_is_the_loop_over_dense_matrices():
    model, task, trajectory, trained = run("adamw", steps=5, keep=ALL[:6])
    found = scores(model, task, trajectory)
    assert set(found.example_ids) == set(NAMES)
    for q, (name, query) in enumerate(QUERIES.items()):
        assert found.query_ids[q] == name
        want = dense_oracle(trained, task, trajectory, query)
        got = [found.scores_QN[q, found.example_ids.index(example)] for example in NAMES]
        assert np.allclose(got, want, rtol=1e-5, atol=1e-9)


class Line(nn.Module):
    """Logits linear in the weights: there the Gauss-Newton matrix is the Hessian, and the transport is exact."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, inputs_BI):
        return self.layer(inputs_BI)


class LineTask:
    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(6, 3, generator=generator, dtype=torch.float64)
        self.labels = torch.randint(4, (6,), generator=generator)

    def batch(self, example_ids, step):
        rows = [int(name.split(":")[1]) for name in example_ids]
        return self.inputs[rows], self.labels[rows]

    def outputs(self, model, batch):
        return model(batch[0])

    def losses(self, outputs, batch):
        return F.cross_entropy(outputs, batch[1], reduction="none")


def line_measure(model, query):
    return F.log_softmax(model(query), -1)[0, 1]


LINE_QUERY = torch.tensor([[0.3, -1.0, 0.5]], dtype=torch.float64)


def line_run(make, weights=None, steps=8):
    """Train `Line` by hand without clipping; every state kept. Also returns the measurement at the end."""
    weights = weights or dict.fromkeys(NAMES, 1.0)
    torch.manual_seed(0)
    model, task = Line().double(), LineTask()
    optimizer = make(model)
    names = {id(p): name for name, p in model.named_parameters()}
    states, made = {}, []

    def keep(taken):
        moments = {}
        for parameter, state in optimizer.state.items():
            for key, value in state.items():
                if value is not None:
                    moments.setdefault(key, {})[names[id(parameter)]] = value.clone()
        states[taken] = State(taken, {n: p.detach().clone() for n, p in model.named_parameters()}, moments, {})

    keep(0)
    for s in range(steps):
        ids = [NAMES[(s + i) % 6] for i in range(3)]
        batch = task.batch(ids, s)
        weights_B = torch.tensor([weights[name] for name in ids], dtype=torch.float64)
        ((task.losses(task.outputs(model, batch), batch) * weights_B).sum() / 3).backward()
        optimizer.step()
        optimizer.zero_grad()
        made.append(Step(tuple(ids), tuple(group["lr"] for group in optimizer.param_groups)))
        keep(s + 1)
    _, _, example, _ = run("adamw" if isinstance(optimizer, torch.optim.AdamW) else "momentum", steps=1)
    group = optimizer.param_groups[0]
    settings = dict(example.groups[0].settings) | {
        key: float(group[key])
        for key in ("momentum", "dampening", "weight_decay", "nesterov", "eps")
        if group.get(key) is not None
    }
    groups = (dataclasses.replace(example.groups[0], parameters=("layer.weight", "layer.bias"), settings=settings),)
    trajectory = Trajectory(example.optimizer, groups, tuple(made), tuple(range(steps + 1)), states.__getitem__)
    return model, task, trajectory, float(line_measure(model, LINE_QUERY).detach())


SGD = {
    "plain": lambda m: torch.optim.SGD(m.parameters(), lr=0.5),
    "momentum": lambda m: torch.optim.SGD(m.parameters(), lr=0.3, momentum=0.8, dampening=0.3, weight_decay=0.1),
    "nesterov": lambda m: torch.optim.SGD(m.parameters(), lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.1),
}


@pytest.mark.parametrize("kind", SGD)
def test_it_is_retraining_where_nothing_is_approximated(kind):
    """Linear logits and SGD: central differences over the weight of every example."""
    model, task, trajectory, _ = line_run(SGD[kind])
    found = GaussNewtonTransport().score(model, task, trajectory, {"q": LINE_QUERY}, line_measure).total
    for n, example in enumerate(found.example_ids):
        moved = [line_run(SGD[kind], dict.fromkeys(NAMES, 1.0) | {example: 1 + h})[3] for h in (1e-4, -1e-4)]
        assert found.scores_QN[0, n] == pytest.approx((moved[0] - moved[1]) / 2e-4, rel=1e-4, abs=1e-9)


def test_with_adam_it_is_the_audit_with_frozen_moments():
    model, task, trajectory, _ = line_run(
        lambda m: torch.optim.AdamW(m.parameters(), lr=0.05, betas=(0.8, 0.95), eps=1e-4)
    )
    found = GaussNewtonTransport().score(model, task, trajectory, {"q": LINE_QUERY}, line_measure).total
    torch.manual_seed(0)
    audit = Metagradient(frozen=True, tolerance=1e-9).fit(Line().double(), task, trajectory)
    exact = audit.score({"q": LINE_QUERY}, line_measure)
    order = [exact.example_ids.index(example) for example in found.example_ids]
    assert np.allclose(found.scores_QN, exact.scores_QN[:, order], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_tangents_are_its_transpose(kind):
    """Walked forwards for contributors, backwards for queries: the same numbers, up to the rounding to int8."""
    model, task, trajectory, trained = run(kind, keep=(4, 9))

    def owner(example):
        return f"c:{int(example[3:]) % 2}"

    members = {name: [example for example in NAMES if owner(example) == name] for name in ("c:0", "c:1")}
    tangents = contributor_tangents(model, task, trajectory, members)
    names, sums_QC = scores(model, task, trajectory).sum_by(
        [owner(example) for example in scores(model, task, trajectory).example_ids]
    )
    assert tangents.names == tuple(names) == ("c:0", "c:1")
    told_QC = tangents.score(trained, QUERIES, measure)
    assert np.allclose(told_QC, sums_QC, atol=0.02 * np.abs(sums_QC).max())
    assert np.corrcoef(told_QC.ravel(), np.ravel(sums_QC))[0, 1] > 0.9999


def test_tangents_come_back_from_the_file(tmp_path):
    model, task, trajectory, trained = run(steps=3)
    tangents = contributor_tangents(model, task, trajectory, {name: [name] for name in NAMES} | {"c:both": NAMES[:2]})
    tangents.save(tmp_path / "tangents.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["tangents.safetensors"]
    again = Tangents.load(tmp_path / "tangents.safetensors")
    one_QC = again.score(trained, QUERIES, measure)
    assert np.allclose(one_QC[:, :2].sum(1), one_QC[:, -1], atol=0.03 * np.abs(one_QC).max())  # an owner of both
    assert np.array_equal(again.score(trained, QUERIES, measure), tangents.score(trained, QUERIES, measure))
    (tmp_path / "tangents.safetensors").write_bytes(b"no")
    with pytest.raises(AttributionError) as fault:
        Tangents.load(tmp_path / "tangents.safetensors")
    assert fault.value.code == "bad-tangents"
    with pytest.raises(AttributionError) as fault:
        tangents.score(trained, {}, measure)
    assert fault.value.code == "no-queries"
    with pytest.raises(AttributionError) as fault:
        contributor_tangents(model, task, trajectory, {})
    assert fault.value.code == "no-members"


def test_queries_do_not_touch_each_other_or_the_model():
    model, task, trajectory, _ = run(keep=(5,))
    before = weights_digest(model)
    whole = scores(model, task, trajectory)
    one_by_one = scores(model, task, trajectory, chunk=1)
    assert weights_digest(model) == before
    assert np.allclose(whole.scores_QN, one_by_one.scores_QN, rtol=1e-5, atol=1e-10)


def test_a_period_is_the_sum_of_its_outputs():
    model, task, trajectory, _ = run(keep=(5,))
    whole = scores(model, task, trajectory)
    period = GaussNewtonTransport().score(
        model,
        task,
        trajectory,
        {"period": [2.0, 0.5, 1.0]},
        lambda m, paid: sum(r * measure(m, query) for r, query in zip(paid, QUERIES.values(), strict=True)),
    )
    assert np.allclose(period.total.scores_QN[0], [2.0, 0.5, 1.0] @ whole.scores_QN, rtol=1e-4, atol=1e-9)


def test_channels_add_up_and_one_alone_is_its_own_transport():
    model, task, trajectory, _ = run(keep=(5,))
    apart = GaussNewtonTransport(lambda name: name.split(".")[0]).score(model, task, trajectory, QUERIES, measure)
    assert set(apart.channels) == {"embedding", "qkv", "norm", "head", "spare"}
    assert np.allclose(apart.total.scores_QN, scores(model, task, trajectory).scores_QN, rtol=1e-4, atol=1e-9)
    assert not apart.channels["spare"].scores_QN.any()  # never had a gradient
    head = GaussNewtonTransport(lambda name: "head" if name.startswith("head") else "")
    alone = head.score(model, task, trajectory, QUERIES, measure)
    assert list(alone.channels) == ["head"] and alone.total.scores_QN.any()


def test_resampling_changes_the_products_only_a_little_and_follows_from_its_seed():
    model, task, trajectory, _ = run(keep=(5,))
    plain, one, same, other = (scores(model, task, trajectory, resample=seed).scores_QN for seed in (None, 1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.corrcoef(plain.ravel(), one.ravel())[0, 1] > 0.8


def test_an_onlooker_scores_as_if_it_had_been_read_and_changes_nothing():
    model, task, trajectory, _ = run(keep=(5,))
    plain = scores(model, task, trajectory)
    twin, seen = NAMES[0], [s for s, step in enumerate(trajectory.steps) if NAMES[0] in step.example_ids]

    class Told:
        """The task, with a second name for one example."""

        outputs, losses = task.outputs, task.losses

        def batch(self, example_ids, step):
            return task.batch([twin if example == "twin" else example for example in example_ids], step)

    found = scores(model, Told(), trajectory, onlookers={s: ["twin"] for s in seen})
    assert seen
    at = [found.example_ids.index(example) for example in (*plain.example_ids, "twin")]
    want = np.hstack([plain.scores_QN, plain.scores_QN[:, [plain.example_ids.index(twin)]]])
    assert np.allclose(found.scores_QN[:, at], want, rtol=1e-4, atol=1e-9)


def test_states_between_kept_ones_are_interpolated():
    _, _, trajectory, _ = run(steps=6, keep=(2,))
    path = Path(trajectory)
    travelled = np.cumsum([0.0, *(step.rates[0] for step in trajectory.steps)])
    part = (travelled[1] - travelled[0]) / (travelled[2] - travelled[0])
    low, high = trajectory.state(0).weights, trajectory.state(2).weights
    found = path.weights(1)
    for name in low:
        assert torch.allclose(found[name], low[name] * (1 - part) + high[name] * part)
        assert torch.equal(path.weights(2)[name], high[name])
    second = trajectory.state(2).moments["exp_avg_sq"]["head.weight"] / (1 - 0.95**2)
    assert torch.allclose(path.preconditioners(0)["head.weight"], 1 / (second.sqrt() + 1e-4))
    assert not path.preconditioners(0)["spare.weight"].any()


def test_what_it_refuses():
    model, task, trajectory, _ = run(steps=3)

    def refused(queries=QUERIES, trajectory=trajectory, asked=measure, **settings):
        with pytest.raises(AttributionError) as fault:
            GaussNewtonTransport(**settings).score(model, task, trajectory, queries, asked)
        return fault.value.code

    assert refused(queries={}) == "no-queries"
    assert refused(trajectory=dataclasses.replace(trajectory, kept=(0,))) == "unfinished-run"
    assert refused(trajectory=dataclasses.replace(trajectory, kept=(2, 3))) == "unfinished-run"
    assert refused(trajectory=dataclasses.replace(trajectory, optimizer="muon")) == "unknown-optimizer"
    assert refused(asked=lambda m, query: m(query[None])[0, 0]) == "not-scalar"
    assert refused(channels=lambda name: "") == "nothing-carried"
    assert gauss_newton.GaussNewtonTransport().method == "byline-gauss-newton-transport"
