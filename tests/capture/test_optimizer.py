"""The factored preconditioner against loops, and what is read off the optimizer."""

import numpy as np
import pytest
import torch
from torch import nn

from byline.capture import OptimizerView, Projector, find_taps
from byline.capture.optimizer import FLOOR, factored_scale
from byline.core import CaptureError


def slow_scale(second):
    """out_O * in_I = (row mean * column mean / mean) ** -1/4, entry by entry; the means held at FLOOR of the mean."""
    rows, columns = second.shape
    mean = sum(float(second[i, j]) for i in range(rows) for j in range(columns)) / (rows * columns)
    found = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            row = max(sum(float(x) for x in second[i]) / columns, FLOOR * mean)
            column = max(sum(float(x) for x in second[:, j]) / rows, FLOOR * mean)
            found[i, j] = (row * column / mean) ** -0.25
    return found


def test_factored_scale_is_the_loop():
    second_OI = torch.rand(5, 3) ** 4
    second_OI[2] = 0  # a row that never had a gradient
    scale = factored_scale(second_OI)
    assert np.allclose(torch.outer(scale.out_O, scale.in_I).numpy(), slow_scale(second_OI), rtol=1e-5)


def test_rank_one_is_exact_and_zero_is_silent():
    second_OI = torch.outer(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 3.0]))
    scale = factored_scale(second_OI)
    assert torch.allclose(torch.outer(scale.out_O, scale.in_I), second_OI**-0.25)
    nothing = factored_scale(torch.zeros(3, 2))
    assert not nothing.out_O.any() and not nothing.in_I.any()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam])
def test_the_second_moment_is_corrected_for_its_start(kind):
    model = nn.Linear(3, 2)
    taps, _ = find_taps(model, Projector())
    optimizer = kind(model.parameters(), betas=(0.9, 0.95))
    view = OptimizerView.of(optimizer, taps)
    assert not view.ready(taps[0]) and view.scale(taps[0]) is None
    (model(torch.randn(4, 3)) ** 2).sum().backward()
    gradient = model.weight.grad.clone()
    optimizer.step()
    assert view.ready(taps[0])
    scale = view.scale(taps[0])  # after one step the corrected second moment is the squared gradient
    want = slow_scale(gradient**2)
    assert np.allclose(torch.outer(scale.out_O, scale.in_I).numpy(), want, rtol=1e-4)


def test_sgd_has_no_scale():
    model = nn.Linear(3, 2)
    taps, _ = find_taps(model, Projector())
    view = OptimizerView.of(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), taps)
    assert view.ready(taps[0]) and view.scale(taps[0]) is None


def test_reading_leaves_the_optimizer_as_it_was():
    model = nn.Linear(3, 2)
    taps, _ = find_taps(model, Projector())
    optimizer = torch.optim.AdamW(model.parameters())
    view = OptimizerView.of(optimizer, taps)
    view.ready(taps[0]), view.scale(taps[0])
    assert len(optimizer.state) == 0


# --- what each optimizer does to a gradient -------------------------------------------------------------------------


def stepped(optimizer_of, steps=3, shape=(4, 6)):
    """A layer after some steps, and by what its last step moved it, without weight decay."""
    torch.manual_seed(1)
    model = nn.Linear(shape[1], shape[0], bias=False)
    taps, _ = find_taps(model, Projector())
    optimizer = optimizer_of(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        (model(torch.randn(5, shape[1]) * torch.logspace(-1, 1, shape[1])) ** 2).sum().backward()
        before = model.weight.detach().clone()
        optimizer.step()
    return model, OptimizerView.of(optimizer, taps).scale(taps[0]), before - model.weight.detach()


def applied(scale):
    return (torch.outer(scale.out_O, scale.in_I) ** 2).numpy()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("eps", [1e-8, 0.3, 1e6])
def test_adams_scale_is_what_it_multiplies_by(kind, eps):
    """Without momentum a step is lr * P * gradient; P as factored is compared with P itself by its factored form."""
    rate = 0.1 * max(1.0, eps)
    model, scale, moved = stepped(lambda p: kind(p, lr=rate, betas=(0.0, 0.9), eps=eps, weight_decay=0.0))
    exact = (moved / (rate * model.weight.grad)).abs()
    want = factored_scale(1 / exact**2)
    assert np.allclose(applied(scale), applied(want), rtol=1e-3)
    flat = applied(scale).max() < 3 * applied(scale).min()
    assert flat == (eps == 1e6)  # a large eps flattens the preconditioner


def test_amsgrad_divides_by_the_largest_second_moment():
    torch.manual_seed(0)
    model = nn.Linear(3, 2, bias=False)
    taps, _ = find_taps(model, Projector())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.0, 0.5), eps=0.0, amsgrad=True)
    for size in (10.0, 1.0, 1.0):
        optimizer.zero_grad()
        (model(torch.full((2, 3), size)) ** 2).sum().backward()
        before = model.weight.detach().clone()
        optimizer.step()
    exact = ((before - model.weight.detach()) / (0.1 * model.weight.grad)).abs()
    scale = OptimizerView.of(optimizer, taps).scale(taps[0])
    assert np.allclose(applied(scale), applied(factored_scale(1 / exact**2)), rtol=1e-3)


@pytest.mark.parametrize("lr", [0.02, 5.0])
@pytest.mark.parametrize("eps2", [1e-3, 10.0])
def test_adafactors_scale_is_what_it_multiplies_by(lr, eps2):
    """Its second moment is factored already: P is exact, but for the size of the weight, read after the step."""

    def optimizer_of(parameters):
        return torch.optim.Adafactor(parameters, lr=lr, eps=(1e-9, eps2), d=1e9)

    model, scale, moved = stepped(optimizer_of)
    size_before, size_after = ((w.detach() ** 2).mean().sqrt() for w in (model.weight + moved, model.weight))
    sizes = max(eps2, float(size_after)) / max(eps2, float(size_before))
    exact = (moved / (lr * model.weight.grad)).detach() * sizes
    assert np.allclose(applied(scale), applied(factored_scale(1 / exact**2)), rtol=1e-3)


@pytest.mark.parametrize("adjust", [None, "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(4, 6), (9, 2)])
def test_muons_scale_has_the_length_of_its_step(adjust, shape):
    """Of the momentum made orthogonal, also where it is nearly of rank one, as it is here."""

    def optimizer_of(parameters):
        return torch.optim.Muon(parameters, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0, adjust_lr_fn=adjust)

    model, scale, moved = stepped(optimizer_of, shape=shape)
    factor = applied(scale)
    assert np.allclose(factor, factor[0, 0])
    assert float(factor[0, 0] * model.weight.grad.norm()) == pytest.approx(
        float(moved.norm() / 0.1), rel=0.02
    )  # torch rounds to bfloat16


def test_a_layer_without_a_gradient_is_silent_whatever_the_optimizer():
    for kind in (torch.optim.AdamW, torch.optim.Adafactor, torch.optim.Muon):
        model = nn.Linear(3, 2, bias=False)
        taps, _ = find_taps(model, Projector())
        optimizer = kind(model.parameters(), lr=0.1)
        model.weight.grad = torch.zeros_like(model.weight)
        optimizer.step()
        scale = OptimizerView.of(optimizer, taps).scale(taps[0])
        assert not torch.outer(scale.out_O, scale.in_I).any()


def test_several_optimizers_are_one_view():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    taps, _ = find_taps(model, Projector())
    muon = torch.optim.Muon([model[0].weight], lr=0.3)
    rest = [{"params": [model[0].bias], "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.2, "maximize": True}]
    view = OptimizerView.of([muon, torch.optim.AdamW(rest)], taps)
    assert view.kind == "muon+adamw" and view.rates() == [0.3, 0.1, 0.2]
    assert list(view.learning_rates(taps).values()) == [0.3, -0.2]
    described = view.describe(model)
    assert [(group["kind"], group["parameters"]) for group in described] == [
        ("muon", ["0.weight"]),
        ("adamw", ["0.bias"]),
        ("adamw", ["1.weight", "1.bias"]),
    ]
    assert described[2]["settings"]["maximize"] and "lr" not in described[2]["settings"]


def test_a_parameter_of_something_else_is_refused():
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    taps, _ = find_taps(model, Projector())
    view = OptimizerView.of(torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1), taps)
    with pytest.raises(CaptureError) as fault:
        view.describe(model)
    assert fault.value.code == "foreign-parameter" and fault.value.fix
