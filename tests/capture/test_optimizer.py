"""The factored preconditioner against loops, and what is read off the optimizer."""

import numpy as np
import pytest
import torch
from torch import nn

from byline.capture import OptimizerView, Projector, find_taps
from byline.capture.optimizer import FLOOR, factored_scale


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
