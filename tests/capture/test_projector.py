"""Projections are drawn again from seed and name alone, and keep inner products on average."""

import torch

from byline.capture import Projector


def test_drawn_again_the_same_and_apart_by_seed_layer_and_side():
    side = Projector(4, 7).side("a", "in", 9)
    assert side.shape == (9, 4) and set(side.abs().flatten().tolist()) == {0.5}
    assert torch.equal(side, Projector(4, 7).side("a", "in", 9))
    others = [
        Projector(4, 8).side("a", "in", 9),
        Projector(4, 7).side("b", "in", 9),
        Projector(4, 7).side("a", "out", 9),
    ]
    assert not any(torch.equal(side, other) for other in others)


def test_golden_signs():
    """These decide what every stored feature means: they may never change."""
    assert (Projector(2, 0).side("layer", "out", 6) > 0).int().flatten().tolist() == [
        0,
        0,
        1,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]


def test_narrow_sides_are_kept_whole():
    assert torch.equal(Projector(4).side("a", "in", 4), torch.eye(4))
    assert Projector(4).width(3, 9) == 12


def test_inner_products_are_kept_on_average():
    torch.manual_seed(0)
    a, b = torch.randn(12, 10), torch.randn(12, 10)
    found = []
    for seed in range(2000):
        left, right = Projector(4, seed).side("w", "out", 12), Projector(4, seed).side("w", "in", 10)
        found.append(float(((left.T @ a @ right) * (left.T @ b @ right)).sum()))
    mean, error = sum(found) / 2000, float(torch.tensor(found).std()) / 2000**0.5
    assert abs(mean - float((a * b).sum())) < 4 * error
