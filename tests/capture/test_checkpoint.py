"""Which states are kept, against a search over all marks, and their bytes."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from byline.capture.checkpoint import FIRST, Schedule, Snapshot, random_states, take_snapshot, weights_digest
from byline.core import CaptureError


def follow(wanted, rates):
    """States that stand at the end when a schedule is asked before every step, as the recorder does."""
    schedule, kept = Schedule(wanted), []
    for step, rate in enumerate(rates):
        keep, dropped = schedule.due()
        assert set(dropped) <= set(kept)
        kept = [taken for taken in kept if taken not in dropped] + [step] * keep
        schedule.ended(rate if isinstance(rate, tuple) else [rate])
    return kept, schedule


RATES = {
    "constant": [1e-3] * 1000,
    "decaying": [1e-3 * (1 - step / 1000) for step in range(1000)],
    "warm": [1e-3 * min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * step / 1000)) for step in range(1000)],
    "zero at first": [0.0] * 30 + [1e-2] * 400,
}


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("wanted", [1, 3, 6])
def test_states_stand_at_nearly_equal_amounts_of_learning_rate(name, wanted):
    rates = RATES[name]
    kept, schedule = follow(wanted, rates)
    assert kept[0] == 0 and tuple(kept[1:]) == schedule.kept
    assert wanted <= len(kept) - 1 < 2 * wanted
    summed = np.concatenate([[0.0], np.cumsum(rates)])
    gaps = np.diff(summed[kept])
    assert np.abs(gaps - np.median(gaps)).max() <= 2 * max(rates)
    assert summed[-1] - summed[kept[-1]] <= np.median(gaps) + 2 * max(rates)


def test_the_states_are_those_of_the_last_amount():
    """The doubling rule told in one go: the first step at or after each multiple of the amount it ended with."""
    rates = RATES["warm"]
    kept, _ = follow(6, rates)
    amount = sum(rates[:FIRST])
    while sum(rates[: len(rates) - 1]) // amount >= 12:
        amount *= 2
    summed = np.concatenate([[0.0], np.cumsum(rates)])
    marks = [next(s for s in range(1000) if summed[s] >= k * amount * (1 - 1e-6)) for k in range(1, 12)
             if k * amount <= summed[999]]  # fmt: skip
    assert kept == [0, *marks]


def test_signs_and_scales_of_rates_do_not_matter():
    rates = RATES["decaying"]
    want = follow(4, rates)[0]
    assert follow(4, [-rate for rate in rates])[0] == want
    assert follow(4, [(rate, 3 * rate) for rate in rates])[0] == want


def test_none_wanted_none_kept_and_without_a_rate_only_the_first():
    assert follow(0, RATES["constant"])[0] == []
    assert follow(3, [0.0] * 100)[0] == [0]


def test_a_jump_of_the_rate_does_not_stop_it():
    kept, _ = follow(2, [1e-6] * 50 + [1.0] * 50)
    assert kept[0] == 0 and 2 <= len(kept) - 1 < 4 and kept[-1] > 50


# --- bytes --------------------------------------------------------------------------------------------------------


class Odd(nn.Module):
    """Tied weights, two precisions, a scalar, a buffer that is not saved by state_dict."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.b.weight = self.a.weight
        self.low = nn.Parameter(torch.randn(2, 3).bfloat16())
        self.scalar = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("count", torch.tensor(7), persistent=False)
        self.register_buffer("turned", torch.arange(6).reshape(2, 3).T)


def snapshot_of(model):
    optimizer = torch.optim.AdamW(model.parameters())
    (model.b(model.a(torch.ones(2, 3))).sum() + model.low.float().sum() * model.scalar).backward()
    optimizer.step()
    return take_snapshot(model, [optimizer], random_states(), 5, weights_digest(model).hex())


def test_a_state_survives_its_bytes():
    model = Odd()
    taken = snapshot_of(model)
    again = Snapshot.from_array(taken.to_array())
    assert (again.taken, again.weights_sha256) == (5, weights_digest(model).hex())
    assert list(again.weights) == [name for name, _ in model.named_parameters()] == list(taken.weights)
    assert set(again.buffers) == {"count", "turned"} and set(again.moments) == {"step", "exp_avg", "exp_avg_sq"}
    assert torch.equal(again.rng["cpu"], torch.get_rng_state())
    for part in ("weights", "buffers"):
        for name, value in getattr(taken, part).items():
            found = getattr(again, part)[name]
            assert found.dtype == value.dtype and torch.equal(found, value)
    for moment, named in taken.moments.items():
        assert set(again.moments[moment]) == {"a.weight", "low", "scalar"}
        assert all(torch.equal(again.moments[moment][name], value) for name, value in named.items())


def test_the_same_state_has_the_same_bytes():
    taken = snapshot_of(Odd())
    assert np.array_equal(taken.to_array(), taken.to_array())


def test_bytes_are_a_copy():
    model = Odd()
    packed = snapshot_of(model).to_array()
    before = Snapshot.from_array(packed).weights["a.weight"].clone()
    model.a.weight.data += 1
    assert torch.equal(Snapshot.from_array(packed).weights["a.weight"], before)


def test_bytes_are_those_of_safetensors():
    """Its own reader finds the same tensors; also of every type, transposed, and without a single element."""
    import safetensors.torch

    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
    tensors = {str(kind): torch.arange(6).reshape(2, 3).T.to(kind) for kind in (*kinds, torch.uint8, torch.bool)}
    tensors |= {"none": torch.empty(0, 3), "one": torch.tensor(1.5), "é/ü": torch.ones(2)}
    found = safetensors.torch.load(Snapshot({}, tensors, {}, {}).to_array().tobytes())
    assert set(found) == {f"buffers/{name}" for name in tensors}
    for name, value in tensors.items():
        assert found[f"buffers/{name}"].dtype == value.dtype and torch.equal(found[f"buffers/{name}"], value)


def test_bytes_that_are_no_state_are_refused():
    good = snapshot_of(Odd()).to_array()
    header = int.from_bytes(good[:8].tobytes(), "little")
    offsets = json.loads(good[8 : 8 + header].tobytes())["weights/a.weight"]["data_offsets"]
    altered = good.copy()
    altered[8 + header + offsets[0]] ^= 1
    import safetensors.torch

    plain = np.frombuffer(safetensors.torch.save({"x": torch.ones(1)}), dtype=np.uint8)
    for bad in (good[:-1], good[8:], good[:0], altered, plain):
        with pytest.raises(CaptureError) as fault:
            Snapshot.from_array(bad)
        assert fault.value.code == "bad-state" and fault.value.fix
