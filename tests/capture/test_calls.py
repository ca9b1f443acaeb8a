"""Inputs that are projected at the forward pass, several layers' at once, against those that wait for gradients."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from byline.capture import Early, Projector, find_taps, tapped
from byline.capture.hooks import Scale
from byline.capture.layers import Dense
from byline.core import CaptureError

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32, WORLDS, assert_near, slow_features


def random_scales(taps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        tap.name: Scale(
            torch.rand(len(tap.left_OK), generator=generator) + 0.5,
            torch.rand(len(tap.right_IK), generator=generator) + 0.5,
        )
        for tap in taps
    }


def early_rows(taps, scales, run, late=None):
    """{layer: (B, K)} of the layers that `scales` knows; `late` gets the names of those that were reported raw."""
    found = {}

    def add(tap, rows_BK):
        found[tap.name] = found.get(tap.name, 0) + rows_BK

    def receive(tap, inputs, grads):
        if late is not None:
            late.append(tap.name)
        if tap.name in scales:
            add(tap, tap.project(inputs, grads, scales[tap.name]))

    with tapped(taps, receive, Early(scales, add)):
        for loss in run():
            loss.backward()
    return found


@pytest.mark.parametrize("name", WORLDS)
def test_rows_projected_early_are_those_of_the_oracle(name):
    """Three passes over the same layers: what belongs together is learned in the first and used in the others."""
    world = WORLDS[name]
    model, examples = world.model(), world.examples(3)
    taps, _ = find_taps(model, Projector(rank=4, seed=1))
    scales, late = random_scales(taps), []
    found = early_rows(taps, scales, lambda: (world.loss(model, examples)[0] for _ in range(3)), late)
    model.zero_grad()
    for row, example in enumerate(examples):
        for layer, want_K in slow_features(world, model, taps, example, 1, scales).items():
            assert_near(found[layer][row] / 3, want_K, FLOAT32)
    dense = {tap.name for tap in taps if isinstance(tap.layer, Dense)}
    assert not dense & set(late) and dense == set(scales) - set(late)


class Attention(nn.Module):
    """Three layers read one tensor; `use` says which of them are called. The third is called twice."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.v = nn.Linear(6, 4), nn.Linear(6, 5), nn.Linear(6, 4, bias=False)
        self.use = "qkvv"

    def forward(self, x):
        return sum((getattr(self, name)(x) ** 2).sum() for name in self.use)


class Counted(Dense):
    """Counts products."""

    made = 0

    def project(self, inputs, right_IL):
        Counted.made += 1
        return super().project(inputs, right_IL)


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.setattr("byline.capture.calls.read_layer", lambda module: Counted())
    Counted.made = 0
    return Counted


def test_layers_that_read_one_tensor_are_projected_by_one_product(counted):
    model = Attention()
    taps, _ = find_taps(model, Projector(3))
    scales, x = random_scales(taps), torch.randn(2, 7, 6)
    made = []

    def run():
        for use in ("qkv", "qkv", "q", "qk", "kq", "qkv"):
            model.use = use
            before = counted.made
            yield model(x.clone())
            made.append(counted.made - before)

    found = early_rows(taps, scales, run)
    # of "q" the first again knew of three; then "k" is new to it; "kq" is a group of its own; "qkv" misses "v"
    assert made == [3, 1, 1, 2, 2, 2]
    model.zero_grad()
    for name, times in (("q", 6), ("k", 5), ("v", 3)):
        model.use = name
        want = early_rows(taps, scales, lambda: [model(x)])[name]
        for row in range(2):
            assert_near(found[name][row], times * want[row].double(), FLOAT32)


def test_a_layer_called_twice_on_one_tensor_counts_twice():
    model = Attention()
    taps, _ = find_taps(model, Projector(3))
    scales, x = random_scales(taps), torch.randn(2, 7, 6)
    twice = early_rows(taps, scales, lambda: [model(x), model(x)])
    model.use = "v"
    once = early_rows(taps, scales, lambda: [model(x)])
    assert_near(twice["v"], 4 * once["v"].double(), FLOAT32)


def test_an_input_may_be_overwritten_once_it_is_projected():
    """The next layer reads the same tensor with other numbers in it: it is another input."""
    model = Attention()
    taps, _ = find_taps(model, Projector(3))
    scales, x = random_scales(taps), torch.randn(2, 7, 6)

    def run():
        for _ in range(2):
            y = x.clone()
            with torch.autocast("cpu", torch.bfloat16):  # autograd keeps a copy of its own and does not refuse
                q = model.q(y)
                y += 1
                k = model.k(y)
            yield (q.float() ** 2).sum() + (k.float() ** 2).sum()

    found = early_rows(taps, scales, run)
    model.zero_grad()
    for name, seen in (("q", x), ("k", x + 1)):

        def again(name=name, seen=seen):
            with torch.autocast("cpu", torch.bfloat16):
                out = getattr(model, name)(seen)
            yield (out.float() ** 2).sum()

        assert_near(found[name], 2 * early_rows(taps, scales, again)[name].double(), FLOAT32)


def test_scales_that_change_between_forward_and_backward_leave_both_sides_alike():
    model = Attention()
    model.use = "qkv"
    taps, _ = find_taps(model, Projector(3))
    first, x = random_scales(taps), torch.randn(2, 7, 6)
    scales = dict(first)

    def run():
        for _ in range(2):
            loss = model(x)
            scales.update(random_scales(taps, seed=1))
            yield loss
            scales.update(first)

    found = early_rows(taps, scales, run)
    want = early_rows(taps, first, lambda: [model(x), model(x)])
    assert all(torch.allclose(found[name], want[name], rtol=1e-4, atol=1e-6) for name in want)


def test_a_layer_without_a_scale_is_reported_raw_beside_those_that_have_one():
    model = Attention()
    model.use = "qkv"
    taps, _ = find_taps(model, Projector(3))
    scales, late = random_scales(taps), []
    del scales["k"]

    def run():
        yield model(x)
        yield model(x)
        scales.update(random_scales(taps))
        yield model(x)

    x = torch.randn(2, 7, 6)
    found = early_rows(taps, scales, run, late)
    assert late == ["k", "k"]
    one = early_rows(taps, scales, lambda: [model(x)])
    for name, times in (("q", 3), ("k", 1), ("v", 3)):
        assert_near(found[name], times * one[name].double(), FLOAT32)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing(reentrant):
    model = Attention()
    model.use = "qkv"
    taps, _ = find_taps(model, Projector(3))
    scales, x = random_scales(taps), torch.randn(2, 7, 6, requires_grad=True)
    want = early_rows(taps, scales, lambda: [model(x), model(x)])
    found = early_rows(taps, scales, lambda: (checkpoint(model, x, use_reentrant=reentrant) for _ in range(2)))
    assert all(torch.allclose(found[name], want[name], rtol=1e-4, atol=1e-6) for name in want)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's own
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_models(backend):
    model = Attention()
    model.use = "qkv"
    taps, _ = find_taps(model, Projector(3))
    scales, x = random_scales(taps), torch.randn(2, 7, 6)
    want = early_rows(taps, scales, lambda: [model(x), model(x), model(x)])
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend)
    found = early_rows(taps, scales, lambda: (compiled(x) for _ in range(3)))
    assert all(torch.allclose(found[name], want[name], rtol=1e-4, atol=1e-5) for name in want)


def test_a_second_backward_pass_is_refused():
    model = Attention()
    taps, _ = find_taps(model, Projector(3))
    with tapped(taps, lambda *seen: None, Early(random_scales(taps), lambda *seen: None)):
        loss = model(torch.randn(2, 7, 6))
        loss.backward(retain_graph=True)
        with pytest.raises(CaptureError) as fault:
            loss.backward()
    assert fault.value.code == "second-backward"
