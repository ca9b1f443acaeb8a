"""Taps on convolutions against one backward pass per example, over every setting that moves a patch."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from byline.capture import Projector, Recorder, find_taps, tapped, weights_digest

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32, assert_near

SETTINGS = {
    "plain": {},
    "stride": {"stride": 2, "padding": 1},
    "dilated": {"dilation": 2, "padding": 2},
    "same": {"padding": "same"},
    "circular": {"padding": 2, "padding_mode": "circular"},
    "reflect": {"padding": 1, "padding_mode": "reflect", "stride": 2},
    "replicate": {"padding": "same", "padding_mode": "replicate", "dilation": 2},
    "groups": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "stride": 2},
}
KINDS = {1: (nn.Conv1d, (9,)), 2: (nn.Conv2d, (7, 8)), 3: (nn.Conv3d, (5, 5, 6))}


def rows_of(model, rank, loss):
    """{layer: (B, K)} of one backward pass."""
    taps, _ = find_taps(model, Projector(rank=rank))
    found = {}

    def receive(tap, inputs, grads):
        found[tap.name] = found.get(tap.name, 0) + tap.project(inputs, grads, None)

    with tapped(taps, receive):
        loss().backward()
    model.zero_grad()
    return taps, found


def check(model, x, rank):
    """Rows are left^T G right of single examples; `tap.matrix` says how G is read."""
    torch.manual_seed(1)
    direction = torch.randn_like(model(x))
    taps, found = rows_of(model, rank, lambda: (torch.tanh(model(x)) * direction).sum())
    for row in range(len(x)):
        model.zero_grad()
        (torch.tanh(model(x[row : row + 1])) * direction[row]).sum().backward()
        for tap in taps:
            gradient_OI = tap.matrix(tap.weight.grad).double()
            want_K = (tap.left_OK.double().T @ gradient_OI @ tap.right_IK.double()).flatten()
            assert want_K.any()
            assert_near(found[tap.name][row], want_K, FLOAT32)
    return taps


@pytest.mark.parametrize("dimensions", KINDS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_rows_are_projected_gradients_of_single_examples(dimensions, setting):
    kind, sizes = KINDS[dimensions]
    torch.manual_seed(0)
    model = nn.Sequential(kind(4, 8, 3, **SETTINGS[setting]))
    check(model, torch.randn(3, 4, *sizes), rank=3)


@pytest.mark.parametrize("setting", ["plain", "groups"])
def test_at_full_rank_a_row_is_the_gradient_itself(setting):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, (2, 3), **SETTINGS[setting]), nn.ReLU(), nn.Conv2d(4, 2, 1))
    for tap in check(model, torch.randn(2, 2, 5, 6), rank=64):
        assert torch.equal(tap.left_OK, torch.eye(len(tap.left_OK)))
        assert tap.width == tap.weight.numel()


def test_an_image_without_batch_dimension_is_a_batch_of_one():
    torch.manual_seed(0)
    model = nn.Conv2d(2, 3, 3)
    image = torch.randn(2, 6, 6)
    _, one = rows_of(model, 4, lambda: (model(image) ** 2).sum())
    _, row = rows_of(model, 4, lambda: (model(image[None]) ** 2).sum())
    assert one["model"].shape == (1, 12) and torch.allclose(one["model"], row["model"])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(7, 4, padding_idx=0)
        self.conv, self.norm = nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6)
        self.up, self.head = nn.ConvTranspose1d(6, 6, 2), nn.Linear(6, 7)

    def forward(self, ids):
        return self.head(self.up(self.norm(self.conv(self.tokens(ids).transpose(1, 2)))).mean(2))


def test_what_of_a_convolutional_model_is_not_captured():
    taps, uncaptured = find_taps(Net(), Projector())
    assert [tap.name for tap in taps] == ["tokens", "conv", "head"]
    assert "up.weight" in {item.parameter for item in uncaptured}
    assert all(item.reason.startswith("not the weight of") for item in uncaptured)


@pytest.mark.parametrize("optimizer_of", [torch.optim.SGD, torch.optim.AdamW])
def test_trained_weights_are_the_same_bits_with_and_without(tmp_path, optimizer_of):
    def train(path):
        torch.manual_seed(2)
        model = Net()
        optimizer = optimizer_of(model.parameters(), lr=0.05)
        generator = torch.Generator().manual_seed(0)

        def step(ids):
            nn.functional.cross_entropy(model(ids), ids[:, 0]).backward()

        def steps(batch):
            for number in range(12):
                ids = torch.randint(7, (4, 5), generator=generator)
                with batch([f"ex:{number}:{row}" for row in range(4)]):
                    step(ids)
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
                optimizer.zero_grad()

        if path is None:
            steps(lambda ids: torch.enable_grad())
        else:
            with Recorder(model, optimizer, path, projector=Projector(3)) as recorder:
                steps(recorder.batch)
        return weights_digest(model)

    assert train(tmp_path / "run") == train(None) != weights_digest(Net())
