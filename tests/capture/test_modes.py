"""Ways to run a training that change how or when gradients arrive, but not what a row is."""

import sys
import weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import checkpoint

from byline.capture import Projector, Recorder, find_taps, tapped
from byline.core import CaptureError
from byline.store import open_store

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32

BF16 = 0.03  # largest error of a feature, as part of the largest of its row, when activations have eight bits
RANK = Projector(rank=3, seed=1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.conv = nn.Linear(8, 12), nn.Conv1d(12, 8, 3, padding=1)

    def forward(self, x_BTD):
        h_BDT = torch.tanh(self.up(x_BTD)).transpose(1, 2)
        return x_BTD + self.conv(h_BDT).transpose(1, 2)


class Net(nn.Module):
    """Embedding tied to the output layer, two blocks of a linear layer and a convolution."""

    def __init__(self, mode=None):
        super().__init__()
        torch.manual_seed(0)
        self.mode = mode
        self.embed, self.head = nn.Embedding(11, 8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight
        self.blocks = nn.ModuleList([Block(), Block()])
        self.drop = nn.Dropout(0.3)

    def forward(self, ids_BT):
        h = self.embed(ids_BT)
        for block in self.blocks:
            h = block(h) if self.mode is None else checkpoint(block, h, use_reentrant=self.mode == "reentrant")
        return self.head(h)


IDS = torch.randint(11, (4, 40), generator=torch.Generator().manual_seed(0))
LAYERS = {"head", "blocks.0.up", "blocks.0.conv", "blocks.1.up", "blocks.1.conv"}


def loss_of(model, ids_BT):
    return F.cross_entropy(model(ids_BT)[:, :-1].flatten(0, 1).float(), ids_BT[:, 1:].flatten(), reduction="sum")


def rows_of(model, ids_BT, loss=loss_of, called=None):
    """{layer: (B, K)}, and how often each layer was heard, of one backward pass."""
    taps, _ = find_taps(model, RANK)
    found, heard = {}, []

    def receive(tap, inputs, grads):
        heard.append(tap.name)
        found[tap.name] = found.get(tap.name, 0) + tap.project(inputs, grads, None)

    with tapped(taps, receive):
        loss(model if called is None else called, ids_BT).backward()
    model.zero_grad()
    return found, sorted(heard)


def assert_same(found, want, tolerance=FLOAT32):
    assert set(found) == set(want)
    for layer, rows_BK in want.items():
        assert rows_BK.any()
        error_B = (found[layer] - rows_BK).abs().amax(1) / rows_BK.abs().amax(1)
        assert float(error_B.max()) <= tolerance


@pytest.mark.parametrize("mode", ["reentrant", "plain"])
def test_activation_checkpointing_changes_no_bit_and_counts_nothing_twice(mode):
    want, heard = rows_of(Net(), IDS)
    found, again = rows_of(Net(mode), IDS)
    assert again == heard == sorted([*LAYERS, "head"])
    assert all(torch.equal(found[layer], want[layer]) for layer in LAYERS)


def test_a_wrapped_block_keeps_its_names():
    want, heard = rows_of(Net(), IDS)
    model = Net()
    model.blocks[1] = checkpoint_wrapper(model.blocks[1])
    _, uncaptured = find_taps(model, RANK)
    found, again = rows_of(model, IDS)
    assert again == heard and all(torch.equal(found[layer], want[layer]) for layer in LAYERS)
    assert uncaptured == find_taps(Net(), RANK)[1]


@pytest.mark.parametrize("backward", ["outside", "inside"])
def test_autocast_to_bfloat16(backward):
    """Features are made in float32 from what the layers saw in bfloat16, also where backward runs under autocast."""

    def loss(model, ids):
        with torch.autocast("cpu", torch.bfloat16):
            return loss_of(model, ids)

    want, _ = rows_of(Net(), IDS)
    with torch.autocast("cpu", torch.bfloat16, enabled=backward == "inside"):
        found, _ = rows_of(Net(), IDS, loss)
    assert_same(found, want, BF16)
    assert all(rows.dtype == torch.float32 for rows in found.values())
    assert any(not torch.equal(found[layer], want[layer]) for layer in LAYERS)
    halves = [rows_of(Net(), part, loss)[0] for part in (IDS[:1], IDS[1:])]  # rows do not depend on the batch
    assert_same({layer: torch.cat([half[layer] for half in halves]) for layer in LAYERS}, found)


def test_an_input_that_is_overwritten_under_autocast_is_refused():
    """Autograd would keep its own bfloat16 copy and not notice; without autocast it refuses by itself."""
    layer = nn.Linear(8, 8)
    taps, _ = find_taps(layer, RANK)

    def run():
        with torch.autocast("cpu", torch.bfloat16):
            x = torch.ones(2, 8)
            y = layer(x)
            x += 1
        y.sum().backward()

    with pytest.raises(CaptureError) as fault, tapped(taps, lambda *seen: None):
        run()
    assert fault.value.code == "changed-input"
    run()  # and this is what autograd thinks of it


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's own
@pytest.mark.parametrize("backend", ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_models(backend):
    """Compiled while the taps are open, as a recorder has it when the first batch comes."""
    want, heard = rows_of(Net(), IDS)
    torch._dynamo.reset()
    model = Net()
    compiled = torch.compile(model, backend=backend)
    found, again = rows_of(model, IDS, called=compiled)
    assert again == heard
    assert_same(found, want)
    assert [tap.name for tap in find_taps(compiled, RANK)[0]] == [tap.name for tap in find_taps(model, RANK)[0]]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_accumulated_micro_batches_are_the_rows_of_one_batch(tmp_path, parts):
    def record(path, parts):
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        with Recorder(model, optimizer, path, projector=RANK) as recorder:
            for step in range(3):
                for rows in torch.arange(4).chunk(parts):
                    with recorder.batch([f"ex:{row}" for row in rows.tolist()]):
                        (loss_of(model, IDS[rows].roll(step, 1)) / 4).backward()
                optimizer.step()
                optimizer.zero_grad()
        return open_store(path)

    one, many = record(tmp_path / "one", 1), record(tmp_path / "many", parts)
    assert many.example_ids == one.example_ids and (many.steps_N == one.steps_N).all()
    want = torch.from_numpy(one.read(0, 12))
    assert want.any(1).all()
    assert float((torch.from_numpy(many.read(0, 12)) - want).abs().max()) <= 0.01 * float(want.abs().max())


def test_a_second_backward_pass_through_one_forward_pass_is_refused():
    """The input is let go at the first: kept, it would hold memory that the rest of the pass could use."""
    model = Net()
    taps, _ = find_taps(model, RANK)
    with tapped(taps, lambda *seen: None):
        loss = loss_of(model, IDS)
        loss.backward(retain_graph=True)
        with pytest.raises(CaptureError) as fault:
            loss.backward()
    assert fault.value.code == "second-backward"


def test_inputs_are_let_go_as_the_backward_pass_goes_on():
    """When the first layer is reached, the input of the last is gone."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    taps, _ = find_taps(model, RANK)
    alive, seen = [], []

    def receive(tap, inputs, grads):
        alive.append([ref() is not None for ref in seen])
        seen.append(weakref.ref(inputs.untyped_storage()))

    with tapped(taps, receive):
        hidden = model[1](model[0](torch.ones(2, 4)))
        out = model[2](hidden * 2)
        del hidden
        out.sum().backward()
    assert alive == [[], [False]]
