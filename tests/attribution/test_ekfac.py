"""EK-FAC against dense matrices written out and solved, its draws against exact Hessians, and its edges."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from byline.attribution import EKFAC, Step, Trajectory
from byline.attribution.positions import gradient, layers_of, read
from byline.attribution.sampled import rooted, sampled_loss
from byline.attribution.trajectory import ParameterGroup, State
from byline.core import AttributionError
from byline.training import LanguageTask
from byline.training.classifier import ClassifierTask
from byline.training.diffusion import DiffusionTask

N, FEATURES, CLASSES = 24, 5, 3


def made():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, CLASSES, bias=False))


def data():
    draw = torch.Generator().manual_seed(1)
    ids = [f"x{n}" for n in range(N)]
    inputs = torch.randn(N, FEATURES, generator=draw)
    labels = torch.randint(CLASSES, (N,), generator=draw)
    return ids, dict(zip(ids, inputs, strict=True)), dict(zip(ids, labels.tolist(), strict=True))


class Plain:
    """A task without a rule for draws: they are made from its losses."""

    def __init__(self, task):
        self.task = task
        self.batch, self.outputs, self.losses = task.batch, task.outputs, task.losses


def trajectory_of(model, ids, parts=3):
    """A run that ended with the model's weights; nothing else of it is looked at."""
    size = len(ids) // parts
    steps = tuple(Step(tuple(ids[at : at + size]), (0.1,)) for at in range(0, len(ids), size))
    names = tuple(name for name, _ in model.named_parameters())
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    def state(taken):
        return State(taken, weights, {}, {})

    return Trajectory("sgd", (ParameterGroup(names, {}),), steps, (0, len(steps)), state)


def measure(model, query):
    return model(query[None])[0].log_softmax(0)[0]


@pytest.fixture(scope="module")
def world():
    ids, inputs, labels = data()
    model, task = made(), ClassifierTask(inputs, labels)
    trajectory = trajectory_of(model, ids)
    draw = torch.Generator().manual_seed(9)
    queries = {f"q{n}": torch.randn(FEATURES, generator=draw) for n in range(3)}
    return model, task, trajectory, queries, EKFAC().fit(made(), task, trajectory)


def flat(value, layer):
    weight, *bias = torch.autograd.grad(value, list(layer.parameters()))
    weight = weight.flatten(1)
    return (torch.cat([weight, bias[0][:, None]], 1) if bias else weight).flatten().double()


def test_it_is_the_damped_inverse_of_a_dense_matrix(world):
    model, task, _, queries, fitted = world
    found = fitted.by_layer(queries, measure)
    for name, layer in {"0": model[0], "2": model[2]}.items():
        inputs_II, outputs_OO = (side.double() for side in fitted.bases_[name])
        turn = torch.kron(outputs_OO, inputs_II)  # of matrices laid out row by row
        spectrum = fitted.spectra_[name].double().flatten()
        dense = turn @ torch.diag(spectrum + 0.1 * spectrum.mean()) @ turn.T
        rows = torch.stack(
            [flat(task.losses(task.outputs(model, b), b).sum(), layer) for b in _each(task, fitted.example_ids_)]
        )
        asked = torch.stack([flat(measure(model, query), layer) for query in queries.values()])
        expected = -asked @ torch.linalg.solve(dense, rows.T) / N
        assert np.allclose(found[name].scores_QN, expected.numpy(), rtol=1e-3, atol=1e-6)
    whole = fitted.score(queries, measure)
    assert np.allclose(whole.scores_QN, found["0"].scores_QN + found["2"].scores_QN, atol=1e-6)
    assert whole.method == "ekfac" and whole.example_ids == fitted.example_ids_ and whole.query_ids == tuple(queries)


def _each(task, ids):
    return [task.batch([example], 0) for example in ids]


def test_factors_and_spectrum_are_second_moments_of_drawn_gradients(world):
    """One example after the other, coordinate by coordinate, with the draws that the estimator made."""
    _, task, _, _, fitted = world
    for name in fitted.spectra_:
        inputs_II, outputs_OO = (side.double() for side in fitted.bases_[name])
        slow = torch.zeros_like(fitted.spectra_[name], dtype=torch.float64)
        for example in fitted.example_ids_:
            full = flat(fitted._drawn(1)([example], 0), _same(fitted, name)).view(slow.shape)
            for o in range(slow.shape[0]):
                for i in range(slow.shape[1]):
                    slow[o, i] += float(outputs_OO[:, o] @ full @ inputs_II[:, i]) ** 2 / N
        assert torch.allclose(fitted.spectra_[name].double(), slow, rtol=1e-3, atol=1e-9)
        for basis in (inputs_II, outputs_OO):
            assert torch.allclose(basis.T @ basis, torch.eye(len(basis), dtype=torch.float64), atol=1e-5)
    inputs = torch.stack([task.batch([e], 0)[0][0] for e in fitted.example_ids_]).double()
    padded = torch.cat([inputs, torch.ones(N, 1).double()], 1)
    turned = fitted.bases_["0"][0].double().T @ (padded.T @ padded) @ fitted.bases_["0"][0].double()
    assert torch.allclose(turned, torch.diag(turned.diagonal()), atol=1e-3)


def _same(fitted, name):
    return dict(fitted.model_.named_modules())[name]


@pytest.mark.parametrize("batch", [1, 5, 100])
def test_what_is_read_together_changes_nothing(world, batch):
    model, task, trajectory, queries, fitted = world
    again = EKFAC(batch=batch).fit(model, task, trajectory).score(queries, measure)
    assert np.allclose(again.scores_QN, fitted.score(queries, measure).scores_QN, rtol=1e-3, atol=1e-6)


def test_it_is_linear_in_the_query_and_leaves_the_model_alone(world):
    model, task, trajectory, queries, fitted = world
    before = json.dumps({k: v.tolist() for k, v in model.state_dict().items()})
    together = {"all": list(queries.values())}

    def summed(model, each):
        return torch.stack([measure(model, query) for query in each]).sum()

    one = EKFAC().fit(model, task, trajectory).score(together, summed).scores_QN[0]
    assert np.allclose(one, fitted.score(queries, measure).scores_QN.sum(0), rtol=1e-3, atol=1e-6)
    assert json.dumps({k: v.tolist() for k, v in model.state_dict().items()}) == before


def test_an_example_raises_its_own_likelihood(world):
    _, task, _, _, fitted = world
    inputs = {example: task.batch([example], 0) for example in fitted.example_ids_[:6]}

    def likely(model, batch):
        return -F.cross_entropy(model(batch[0]), batch[1])

    scores_QN = fitted.score(inputs, likely).scores_QN
    assert (np.diag(scores_QN[:, :6]) > 0).all() and scores_QN.shape == (6, N)


def test_examples_that_were_never_read_are_asked_by_the_same_curvature(world):
    _, task, _, queries, fitted = world
    known = fitted.score(queries, measure)
    more = ClassifierTask(
        {**task.images_of, "twin": task.images_of["x7"]}, {**task.labels_of, "twin": task.labels_of["x7"]}
    )
    found = fitted.score(queries, measure, task=more, example_ids=("twin", "x3"))
    place = known.example_ids.index
    assert np.allclose(found.scores_QN, known.scores_QN[:, [place("x7"), place("x3")]], rtol=1e-4, atol=1e-7)


def test_a_task_without_a_rule_gets_the_same_curvature_from_its_losses(world):
    """Draws differ, their second moments agree: the mean over many seeds of either comes to the same spectrum."""
    model, task, trajectory, _, _ = world

    def mean(one):
        parts = [EKFAC(seed=seed).fit(model, one, trajectory) for seed in range(20)]
        fixed = parts[0].bases_
        sums = 0.0
        for part in parts:
            part.bases_ = fixed
            sums = sums + part._spectra(lambda what, done, of: None)["2"] / len(parts)
        turn = torch.kron(*(side.double() for side in reversed(fixed["2"])))
        return turn @ torch.diag(sums.double().flatten()) @ turn.T

    drawn, rooted_ = mean(task), mean(Plain(task))
    assert float(drawn.trace()) == pytest.approx(float(rooted_.trace()), rel=0.1)


LOGITS = torch.tensor([[[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]]])
TASKS = {
    "classifier": (ClassifierTask({}, {}), LOGITS[:, 0], (None, torch.tensor([1]))),
    "language": (LanguageTask({}), LOGITS, torch.tensor([[0, 1, 2]])),
    "diffusion": (DiffusionTask({}), LOGITS, (torch.zeros(1, 3), None, None)),
}


def hessian_of(task, outputs, batch):
    shape = outputs.shape
    return torch.autograd.functional.hessian(lambda x: task.losses(x.view(shape), batch).sum(), outputs.flatten())


@pytest.mark.parametrize("kind", TASKS)
def test_drawn_gradients_have_the_hessian_of_the_loss_as_covariance(kind):
    task, outputs, batch = TASKS[kind]
    hessian = hessian_of(task, outputs, batch)
    generator, outputs = torch.Generator().manual_seed(0), outputs.clone().requires_grad_()
    total, draws = torch.zeros_like(hessian), 3000
    for _ in range(draws):
        drawn = torch.autograd.grad(sampled_loss(task, outputs, batch, [generator]), outputs)[0].flatten()
        total += torch.outer(drawn, drawn) / draws
    assert torch.allclose(total, hessian, atol=0.1 * float(hessian.abs().max()))


@pytest.mark.parametrize("kind", TASKS)
def test_the_root_of_the_hessian_is_exact_where_it_is_small(kind):
    task, outputs, batch = TASKS[kind]
    hessian = hessian_of(task, outputs.double(), batch)
    values, turn = torch.linalg.eigh(hessian)
    root = turn @ torch.diag(values.clamp_min(0).sqrt()) @ turn.T
    noise = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(2))
    found = rooted(Plain(task), outputs, batch, noise)
    assert torch.allclose(found.flatten(), root @ noise.flatten().double(), atol=1e-8)
    free = outputs.clone().requires_grad_()  # and that is what is drawn: noise of a row's own generator, rooted
    value = sampled_loss(Plain(task), free, batch, [torch.Generator().manual_seed(2)])
    assert torch.allclose(torch.autograd.grad(value, free)[0], found.to(outputs), atol=1e-6)


def test_a_loss_without_a_second_derivative_draws_nothing():
    class Absolute:
        def losses(self, outputs, batch):
            return outputs.abs().sum(1)

    noise = torch.randn(2, 3)
    assert float(rooted(Absolute(), torch.randn(2, 3), None, noise).abs().max()) == 0


class Once(torch.autograd.Function):
    """A square whose derivative torch may take once."""

    @staticmethod
    def forward(ctx, values):
        ctx.save_for_backward(values)
        return values.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def test_losses_without_a_second_derivative_are_refused(world):
    model, task, trajectory, _, _ = world

    class Squares(Plain):
        def __init__(self, task):
            super().__init__(task)
            self.losses = lambda outputs, batch: Once.apply(outputs).sum(1)

    class Absolute(Plain):
        def __init__(self, task):
            super().__init__(task)
            self.losses = lambda outputs, batch: outputs.abs().sum(1)

    for kind in (Squares, Absolute):
        with pytest.raises(AttributionError) as fault:
            EKFAC().fit(model, kind(task), trajectory)
        assert fault.value.code == "no-curvature"


def test_a_layer_that_teaches_nothing_has_no_part_in_it(world):
    """Its gradients are none: what a query would gain through it has no curvature to be measured by."""
    _, task, _, queries, _ = world

    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.alive, self.dead = nn.Linear(FEATURES, CLASSES), nn.Linear(FEATURES, 1)

        def forward(self, inputs):
            return self.alive(inputs) + 0 * self.dead(inputs)

    model = Dead()
    fitted = EKFAC().fit(model, task, trajectory_of(model, list(world[4].example_ids_)))
    found = fitted.by_layer(queries, lambda model, query: measure(model, query) + model.dead(query[None])[0, 0])
    assert set(found) == {"alive"} and np.isfinite(found["alive"].scores_QN).all()


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(3, 4), nn.Linear(3, 4, bias=False), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, stride=2)],
    ids=["linear", "plain", "padded", "strided"],
)
def test_positions_explain_the_gradient_of_every_row(layer):
    torch.manual_seed(0)
    inputs = torch.randn(2, 5, 3) if isinstance(layer, nn.Linear) else torch.randn(2, 3, 7, 7)
    seen = read({"only": layer}, lambda: layer(inputs).sin().sum(), 2)
    for row in range(2):
        expected = flat(layer(inputs[row : row + 1]).sin().sum(), layer)
        assert torch.allclose(gradient(seen["only"])[row].flatten().double(), expected, atol=1e-4)
    one = read({"only": layer}, lambda: layer(inputs).sin().sum() + layer(inputs[:1]).sum(), None)
    whole = flat(layer(inputs).sin().sum() + layer(inputs[:1]).sum(), layer)
    assert torch.allclose(gradient(one["only"])[0].flatten().double(), whole, atol=1e-4)


def test_wide_sides_are_left_unturned_and_still_damped(world):
    model, task, trajectory, queries, _ = world
    narrow = EKFAC(widest=4).fit(model, task, trajectory)
    assert narrow.bases_["0"][0] is None and narrow.bases_["0"][1] is not None  # 5 inputs and the bias, 4 outputs
    assert np.isfinite(narrow.score(queries, measure).scores_QN).all()


class SequenceFirst(nn.Module):
    """Hands its layer (time, rows, width)."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, CLASSES)

    def forward(self, inputs_BF):
        return self.layer(inputs_BF.T[..., None]).mean(0)


def test_misuse_is_refused(world):
    model, task, trajectory, queries, fitted = world
    ids = list(fitted.example_ids_)
    cases = {
        "bad-damping": lambda: EKFAC(0.0).fit(model, task, trajectory),
        "no-queries": lambda: fitted.score({}, measure),
        "not-scalar": lambda: fitted.score(queries, lambda model, query: model(query[None])[0]),
        "flat-query": lambda: fitted.score(queries, lambda model, query: torch.zeros(())),
        "no-curvature": lambda: layers_of(nn.Sequential(nn.LayerNorm(3), nn.Embedding(2, 3))),
        "rows-first": lambda: EKFAC().fit(odd := SequenceFirst(), task, trajectory_of(odd, ids)),
    }
    for code, body in cases.items():
        with pytest.raises(AttributionError) as fault:
            body()
        assert fault.value.code == code
    odd = SequenceFirst()
    alone = EKFAC(batch=1).fit(odd, task, trajectory_of(odd, ids)).score(queries, measure)
    assert np.isfinite(alone.scores_QN).all() and alone.scores_QN.any()
