"""Taps on embeddings, alone and tied to an output layer, against one backward pass per example."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from byline.capture import Projector, Scale, find_taps, tapped
from byline.core import CaptureError

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32, assert_near

IDS = torch.tensor([[1, 4, 1, 0], [8, 8, 8, 8], [0, 0, 3, 2], [5, 0, 0, 0]])


class Reader(nn.Module):
    def __init__(self, padding=None, tied=False, first="embed"):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(9, 5, padding_idx=padding), nn.Linear(5, 9, bias=False)
        if tied and first == "embed":
            self.head.weight = self.embed.weight
        elif tied:
            self.embed.weight = self.head.weight

    def forward(self, ids_BT):
        return self.head(torch.tanh(self.embed(ids_BT)))


def rows_of(model, taps, loss, scales=None):
    found = {}

    def receive(tap, inputs, grads):
        found[tap.name] = found.get(tap.name, 0) + tap.project(inputs, grads, (scales or {}).get(tap.name))

    with tapped(taps, receive):
        loss().backward()
    model.zero_grad()
    return found


def loss_of(model, ids_BT):
    return F.cross_entropy(model(ids_BT)[:, :-1].flatten(0, 1), ids_BT[:, 1:].flatten(), reduction="sum")


def check(model, ids_BT, rank, scales=None):
    taps, _ = find_taps(model, Projector(rank=rank, seed=3))
    found = rows_of(model, taps, lambda: loss_of(model, ids_BT), scales)
    for row in range(len(ids_BT)):
        model.zero_grad()
        loss_of(model, ids_BT[row : row + 1]).backward()
        for tap in taps:
            gradient_OI = tap.matrix(tap.weight.grad).double()
            if scales:
                gradient_OI = scales[tap.name].out_O[:, None] * gradient_OI * scales[tap.name].in_I
            want_K = (tap.left_OK.double().T @ gradient_OI @ tap.right_IK.double()).flatten()
            assert_near(found[tap.name][row], want_K, FLOAT32)
    return taps, found


@pytest.mark.parametrize("rank", [3, 16])
@pytest.mark.parametrize("padding", [None, 0, 8])
@pytest.mark.parametrize("tied", [False, True])
def test_rows_are_projected_gradients_of_single_examples(rank, padding, tied):
    """With rank 16 both sides are whole: the row is the gradient itself."""
    taps, found = check(Reader(padding, tied), IDS, rank)
    assert len(taps) == (1 if tied else 2)
    assert all(rows.any() for rows in found.values())


def test_long_and_short_rows_are_read_alike():
    """From some length on the products are made in another way."""
    check(Reader(), torch.randint(9, (3, 70), generator=torch.Generator().manual_seed(0)), 3)


@pytest.mark.parametrize("tied", [False, True])
def test_the_scale_is_applied_from_both_sides_and_renewed(tied):
    model = Reader(tied=tied)
    shapes = {"embed": (5, 9), "head": (9, 5)}
    for seed in (1, 2):
        torch.manual_seed(seed)
        check(model, IDS, 3, {name: Scale(torch.rand(o), torch.rand(i)) for name, (o, i) in shapes.items()})
    taps, _ = find_taps(model, Projector(3))
    one, other = (Scale(torch.rand(taps[-1].left_OK.shape[0]), torch.rand(taps[-1].right_IK.shape[0])) for _ in "ab")
    inputs, grads = torch.randn(2, 4, 5), torch.randn(2, 4, 9)
    first = taps[-1].project(inputs, grads, one)
    assert not torch.equal(first, taps[-1].project(inputs, grads, other))  # nothing of the first is kept
    assert torch.equal(first, taps[-1].project(inputs, grads, one))


@pytest.mark.parametrize("first", ["embed", "head"])
def test_a_tied_weight_goes_by_the_name_of_the_output_layer(first):
    (tap,), uncaptured = find_taps(Reader(tied=True, first=first), Projector(3))
    assert tap.name == "head" and not tap.transposed and uncaptured == ()
    assert tap.left_OK.shape == (9, 3) and tap.right_IK.shape == (5, 3)


def test_labels_without_positions_are_one_per_row():
    model = nn.Embedding(6, 4)
    taps, _ = find_taps(model, Projector(8))
    labels = torch.tensor([3, 3, 0])
    found = rows_of(model, taps, lambda: (model(labels) * torch.tensor([[1.0], [2.0], [4.0]])).sum())["model"]
    want = torch.zeros(3, 4, 6)
    want[0, :, 3], want[1, :, 3], want[2, :, 0] = 1, 2, 4
    assert torch.equal(found.view(3, 4, 6), want)


def test_positions_of_all_rows_at_once_are_refused():
    """Their gradient is a sum over the rows and cannot be taken apart."""
    model = nn.ModuleList([nn.Embedding(9, 5), nn.Embedding(4, 5)])
    taps, _ = find_taps(model, Projector(3))
    with pytest.raises(CaptureError) as fault, tapped(taps, lambda tap, inputs, grads: None):
        (model[0](IDS) + model[1](torch.arange(4))).sum().backward()
    assert fault.value.code == "batch-size" and "skip=('1',)" in fault.value.fix
    taps, uncaptured = find_taps(model, Projector(3, skip=("1",)))
    assert [tap.name for tap in taps] == ["0"] and "skip" in uncaptured[0].reason


class Scaled(nn.Embedding):
    def forward(self, ids):
        return super().forward(ids) * 2


@pytest.mark.parametrize(
    ("embedding", "reason"),
    [
        (nn.Embedding(9, 5, sparse=True), "sparse"),
        (nn.Embedding(9, 5, scale_grad_by_freq=True), "frequency"),
        (nn.Embedding(9, 5, max_norm=1.0), "max_norm"),
        (Scaled(9, 5), "forward pass of its own"),
        (nn.EmbeddingBag(9, 5), "not the weight of"),
    ],
)
def test_embeddings_whose_gradient_is_another_are_reported(embedding, reason):
    taps, uncaptured = find_taps(nn.Sequential(embedding, nn.Linear(5, 2)), Projector())
    assert [tap.name for tap in taps] == ["1"]
    assert uncaptured[0].parameter == "0.weight" and uncaptured[0].size == 45 and reason in uncaptured[0].reason


def test_small_projections_keep_inner_products_on_average():
    """Of two examples' gradients of a tied weight, over seeds: the two uses are drawn from one pair of matrices."""
    model = Reader(tied=True)
    gradients = []
    for row in (0, 2):
        model.zero_grad()
        loss_of(model, IDS[row : row + 1]).backward()
        gradients.append(model.head.weight.grad.flatten().clone())
    model.zero_grad()
    products = []
    for seed in range(600):
        taps, _ = find_taps(model, Projector(3, seed))
        rows = rows_of(model, taps, lambda: loss_of(model, IDS))["head"]
        products.append([float(rows[0] @ rows[0]), float(rows[0] @ rows[2])])
    errors = torch.tensor(products).std(0) / len(products) ** 0.5
    want = torch.stack([gradients[0] @ gradients[0], gradients[0] @ gradients[1]])
    assert ((torch.tensor(products).mean(0) - want).abs() < 4 * errors).all()
    assert want[0] > 10 * errors[0]  # else nothing was shown
