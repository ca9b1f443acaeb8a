"""Taps against an oracle that runs one backward pass per example."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from byline.capture import Projector, find_taps, tapped
from byline.core import CaptureError

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32, WORLDS, Gpt2, Llama, Plain, assert_near, slow_features


def capture(model, taps, loss):
    """Rows of one backward pass: {layer: (B, K)}."""
    found = {}

    def receive(tap, inputs, grads):
        rows = tap.project(inputs, grads, None)
        found[tap.name] = found[tap.name] + rows if tap.name in found else rows

    with tapped(taps, receive):
        loss().backward()
    model.zero_grad()
    return found


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("batch", [1, 3, 7])
@pytest.mark.parametrize("name", WORLDS)
def test_rows_are_projected_gradients_of_single_examples(name, batch, reduce):
    world = WORLDS[name]
    model, examples = world.model(), world.examples(batch)
    taps, _ = find_taps(model, Projector(rank=4, seed=1))
    _, terms = world.loss(model, examples)
    divisor = terms if reduce == "mean" else 1
    found = capture(model, taps, lambda: world.loss(model, examples)[0] / divisor)
    assert set(found) == {tap.name for tap in taps}
    for row, example in enumerate(examples):
        for layer, want_K in slow_features(world, model, taps, example, divisor).items():
            assert_near(found[layer][row], want_K, FLOAT32)


@pytest.mark.parametrize("name", WORLDS)
def test_rows_add_up_to_the_projected_grad(name):
    world = WORLDS[name]
    model, examples = world.model(), world.examples(5)
    taps, _ = find_taps(model, Projector(rank=3))
    found = {tap.name: 0 for tap in taps}

    def receive(tap, inputs, grads):
        found[tap.name] = found[tap.name] + tap.project(inputs, grads, None).sum(0)

    with tapped(taps, receive):
        for part in (examples[:2], examples[2:]):  # gradient accumulation
            (world.loss(model, part)[0] / 5).backward()
    for tap in taps:
        grad_OI = (tap.weight.grad.T if tap.transposed else tap.weight.grad).double()
        want = (tap.left_OK.double().T @ grad_OI @ tap.right_IK.double()).flatten()
        assert_near(found[tap.name], want, FLOAT32)


def test_of_a_tied_embedding_both_uses_are_captured_as_one_weight():
    world = Gpt2()
    model, examples = world.model(), world.examples(3)
    model.lm_head.weight = model.transformer.wte.weight
    taps, uncaptured = find_taps(model, Projector(rank=4))
    assert [tap.name for tap in taps if tap.weight is model.lm_head.weight] == ["lm_head"]
    assert not any("wte" in item.parameter for item in uncaptured)
    found = capture(model, taps, lambda: world.loss(model, examples)[0])
    for row, example in enumerate(examples):
        for layer, want_K in slow_features(world, model, taps, example, 1).items():
            assert_near(found[layer][row], want_K, FLOAT32)


def test_a_fully_masked_example_contributes_nothing():
    world = Llama()
    model = world.model()
    taps, _ = find_taps(model, Projector(rank=4))
    seen, masked = (torch.tensor([1, 2, 3, 4]), 0), (torch.tensor([5, 6, 7, 8, 9]), 5)
    found = capture(model, taps, lambda: world.loss(model, [seen, masked])[0])
    assert all(not rows[1].any() and rows[0].any() for rows in found.values())


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_changes_no_row(reentrant):
    world = Plain()
    model, examples = world.model(), world.examples(3)
    taps, _ = find_taps(model, Projector(rank=4))
    plain = capture(model, taps, lambda: world.loss(model, examples)[0])
    x, y = (torch.stack(part) for part in zip(*examples, strict=True))

    def loss():
        out = checkpoint(model, x.clone().requires_grad_(), use_reentrant=reentrant)
        return ((out - y) ** 2).sum()

    again = capture(model, taps, loss)
    assert all(torch.equal(plain[layer], again[layer]) for layer in plain)


def test_forward_without_gradient_is_not_heard():
    model = nn.Linear(2, 2)
    taps, _ = find_taps(model, Projector())
    heard = []
    with tapped(taps, lambda *args: heard.append(args)):
        with torch.no_grad():
            model(torch.ones(1, 2))
        model(torch.ones(1, 2))  # with gradients, but no backward pass follows
    assert heard == []
    model(torch.ones(1, 2)).sum().backward()
    assert heard == []  # the hooks are gone


def test_a_single_vector_is_a_batch_of_one():
    model = nn.Linear(3, 2)
    taps, _ = find_taps(model, Projector())
    x = torch.randn(3)
    one = capture(model, taps, lambda: (model(x) ** 2).sum())
    row = capture(model, taps, lambda: (model(x[None]) ** 2).sum())
    assert torch.allclose(one["model"], row["model"]) and one["model"].shape == (1, 6)


class Shared(nn.Module):
    """Two layers with one weight, a layer under two names, an embedding tied to the output, a norm, a loose weight."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.b.weight = self.a.weight
        self.alias = self.a
        self.norm = nn.LayerNorm(4)
        self.loose = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        h = self.norm(self.b(torch.tanh(self.a(self.embed(tokens)))) * self.loose)
        return self.head(h)


def test_what_is_not_captured_is_reported():
    model = Shared()
    taps, uncaptured = find_taps(model, Projector())
    assert [tap.name for tap in taps] == ["head", "a"]
    assert {item.parameter for item in uncaptured} == {"a.bias", "norm.weight", "norm.bias", "loose"}


def test_a_use_that_cannot_be_read_is_reported_beside_the_one_that_is():
    taps, uncaptured = find_taps(Shared(), Projector(skip=("embed",)))
    found = {item.parameter: item for item in uncaptured}
    assert [tap.name for tap in taps] == ["a", "head"] and taps[1].modules[0].out_features == 9
    assert found["embed.weight"].size == 0
    assert "skip" in found["embed.weight"].reason and "tied to head.weight" in found["embed.weight"].reason


def test_only_layers_of_the_model_can_be_skipped():
    for name in ("nowhere", "norm"):
        with pytest.raises(CaptureError) as fault:
            find_taps(Shared(), Projector(skip=(name,)))
        assert fault.value.code == "no-such-layer" and name in fault.value.message
    assert Projector.from_json(Projector(skip=("embed",)).to_json()) == Projector(skip=("embed",))


@pytest.mark.parametrize("model", [Shared(), Gpt2().model(), Llama().model(), Plain().model(), nn.Linear(2, 3)])
def test_captured_and_uncaptured_sizes_add_up(model):
    next(model.parameters()).requires_grad_(len(list(model.parameters())) < 4)  # the larger ones have a frozen one
    taps, uncaptured = find_taps(model, Projector())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sum(tap.weight.numel() for tap in taps) + sum(item.size for item in uncaptured) == trained


def test_layers_that_share_a_weight_are_one_gradient():
    torch.manual_seed(0)
    model = Shared()
    taps, _ = find_taps(model, Projector(rank=4, skip=("embed", "head")))
    tokens = torch.randint(0, 9, (5, 3))
    found = capture(model, taps, lambda: F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()))
    F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
    want = (taps[0].left_OK.T @ model.a.weight.grad @ taps[0].right_IK).flatten().double()
    assert_near(found["a"].sum(0), want, FLOAT32)


def test_weights_used_without_calling_their_layer_are_not_taken_for_captured():
    model = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, dropout=0.0)
    taps, uncaptured = find_taps(model, Projector())
    assert [tap.name for tap in taps] == ["linear1", "linear2"]
    assert {"self_attn.in_proj_weight", "self_attn.out_proj.weight"} <= {item.parameter for item in uncaptured}


def test_nothing_to_capture():
    frozen = nn.Linear(2, 2)
    frozen.requires_grad_(False)
    for model in (nn.LayerNorm(3), frozen):
        with pytest.raises(CaptureError) as fault:
            find_taps(model, Projector())
        assert fault.value.code == "nothing-to-capture"
