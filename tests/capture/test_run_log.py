"""The line of every step, its chain, the states on the way, and what the recorder refuses to write there."""

import copy
import hashlib
import json

import pytest
import torch
from torch import nn

from byline.capture import Projector, Recorder, broken_link, chained, random_digest, states_in, weights_digest
from byline.capture.gradients import Gauge, norm_of
from byline.core import CaptureError
from byline.store import open_store


def refused(code, body):
    with pytest.raises(CaptureError) as fault:
        body()
    assert fault.value.code == code and fault.value.message and fault.value.fix


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 2))


def record(path, steps=12, optimizer_of=None, denominators=None, **options):
    """Weights before each step, states of the generator before each, and the run."""
    model = net()
    optimizer = optimizer_of(model) if optimizer_of else torch.optim.SGD(model.parameters(), lr=0.01)
    weights, generators = [], []
    with Recorder(model, optimizer, path, projector=Projector(2), **options) as recorder:
        for step in range(steps):
            weights.append(weights_digest(model).hex())
            generators.append(torch.get_rng_state())
            with recorder.batch(
                [f"ex:{step}", "ex:b", "ex:a"], **({"denominator": denominators} if denominators else {})
            ):
                (model(torch.ones(3, 4)) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    return weights, generators, open_store(path)


def test_the_chain_is_the_hash_that_the_page_gives(tmp_path):
    """Written out here a second time: previous chain, step, ids in order, the line with floats in hexadecimal."""
    _, _, run = record(tmp_path / "run")
    previous = run.spec.run
    for step, line in enumerate(run.step_log):
        ids = [f"ex:{step}", "ex:b", "ex:a"]
        told = {
            "lr": {name: float(rate).hex() for name, rate in line["lr"].items()},
            "rates": [rate.hex() for rate in line["rates"]],
            "clip": line["clip"].hex(),
            "denominator": line["denominator"].hex(),
            "rng": line["rng"],
            **({"weights": line["weights"]} if "weights" in line else {}),
        }
        text = json.dumps([previous, step, ids, told], sort_keys=True, separators=(",", ":"))
        assert line["chain"] == hashlib.sha256(text.encode()).hexdigest()
        previous = line["chain"]


def test_the_chain_sees_every_change(tmp_path):
    _, _, run = record(tmp_path / "run")
    ids = [[f"ex:{step}", "ex:b", "ex:a"] for step in range(12)]
    assert broken_link(run.spec.run, run.step_log, ids) is None
    assert broken_link("run:other", run.step_log, ids) == 0
    swapped = copy.deepcopy(ids)
    swapped[4] = swapped[4][::-1]
    assert broken_link(run.spec.run, run.step_log, swapped) == 4
    for key, value in (("clip", 0.5), ("rates", [0.02]), ("rng", "0" * 32), ("denominator", 2.0), ("extra", 1)):
        log = copy.deepcopy(run.step_log)
        log[7][key] = value
        assert broken_link(run.spec.run, log, ids) == 7
    cut = run.step_log[1:]
    assert broken_link(run.spec.run, cut, ids[1:]) == 0
    assert chained("a", 0, ["b"], {"x": 0.1}) != chained("a", 0, ["b"], {"x": 0.1 + 2**-54})


def test_weights_and_generators_are_those_before_the_step(tmp_path):
    weights, generators, run = record(tmp_path / "run", steps=18, hash_weights_every=5, checkpoints=1)
    said = {line["step"]: line["weights"] for line in run.step_log if "weights" in line}
    assert set(said) == {0, 5, 10, 15, 16}  # every fifth, and the state after sixteen steps
    assert all(said[step] == weights[step] for step in said)
    assert [line["rng"] for line in run.step_log] == [random_digest({"cpu": state}) for state in generators]
    assert len({line["rng"] for line in run.step_log}) == 18  # dropout draws in every step


def test_states_can_be_left_out(tmp_path):
    _, _, run = record(tmp_path / "run", checkpoints=0)
    assert states_in(run.blob_names) == () and all("weights" not in line for line in run.step_log)
    assert states_in(record(tmp_path / "some", steps=20, checkpoints=2)[2].blob_names) == (0, 16, 20)


def test_recording_states_changes_no_bit_and_no_draw(tmp_path):
    ends = []
    for options in ({}, {"checkpoints": 0}, {"checkpoints": 2, "hash_weights_every": 1, "max_norm": 1.0}):
        torch.manual_seed(9)
        record(tmp_path / str(len(ends)), steps=20, **options)
        ends.append((open_store(tmp_path / str(len(ends))).blob("weights_sha256").tobytes(), torch.rand(1).item()))
    assert ends[0] == ends[1] == ends[2]


def test_a_broken_off_batch_is_told(tmp_path):
    """The loop catches an error of its own (a batch too large for the memory) and goes on: the draws are known."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        with pytest.raises(MemoryError), recorder.batch(["big", "bigger"]):
            model(torch.ones(2, 4))
            raise MemoryError
        with recorder.batch(["a"]):
            model(torch.ones(1, 4)).sum().backward()
        optimizer.step()
    (line,) = open_store(tmp_path / "run").step_log
    assert line["skipped"] == [["big", "bigger"]] and open_store(tmp_path / "run").example_ids == ("a",)


def test_a_scaler_that_overflows_skips(tmp_path):
    """The real thing: the first scales are too large, the scaler leaves those steps out and halves."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1000)
    with Recorder(model, optimizer, tmp_path / "run", scaler=scaler) as recorder:
        for number in range(12):
            with recorder.batch([f"ex:{number}"]):
                scaler.scale(64 * (model(torch.ones(1, 4)) ** 2).sum()).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    run = open_store(tmp_path / "run")
    skipped = [ids for line in run.step_log for ids in line.get("skipped", [])]
    assert 0 < len(skipped) == 12 - run.n_steps and skipped == [[f"ex:{number}"] for number in range(len(skipped))]
    assert all(line["clip"] * line["scale"] == pytest.approx(1.0) for line in run.step_log)
    assert run.step_log[0]["scale"] == 2.0 ** (127 - len(skipped))


# --- denominators -------------------------------------------------------------------------------------------------


def test_the_denominator_is_the_rows_of_the_step_unless_it_is_said(tmp_path):
    assert {line["denominator"] for line in record(tmp_path / "a")[2].step_log} == {3.0}
    assert {line["denominator"] for line in record(tmp_path / "b", denominators=700)[2].step_log} == {700.0}


@pytest.mark.parametrize(("first", "second"), [(4, 5), (4, None), (None, 4)])
def test_a_step_has_one_denominator(tmp_path, first, second):
    def body():
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with Recorder(model, optimizer, tmp_path / "run") as recorder:
            for denominator in (first, second):
                with recorder.batch(["a"], denominator):
                    model(torch.ones(1, 4)).sum().backward()
            optimizer.step()

    refused("bad-denominator", body)


@pytest.mark.parametrize("denominator", [0, -1, float("nan"), float("inf")])
def test_a_denominator_is_a_positive_number(tmp_path, denominator):
    def body():
        model = net()
        with Recorder(model, torch.optim.SGD(model.parameters(), lr=0.01), tmp_path / "run") as recorder:
            with recorder.batch(["a"], denominator):
                model(torch.ones(1, 4)).sum().backward()

    refused("bad-denominator", body)


# --- several optimizers -------------------------------------------------------------------------------------------


def several(model):
    return [
        torch.optim.Muon([p for p in model.parameters() if p.ndim == 2], lr=0.01),
        torch.optim.AdamW([p for p in model.parameters() if p.ndim == 1], lr=0.001),
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_several_optimizers_take_one_step(tmp_path, turned):
    ends = []
    for path in (tmp_path / "run", None):
        model = net()
        optimizers = several(model)
        recorder = Recorder(model, optimizers, path) if path else None
        torch.manual_seed(2)
        with recorder or torch.enable_grad():
            for _ in range(5):
                with recorder.batch(["a", "b"]) if recorder else torch.enable_grad():
                    (model(torch.ones(2, 4)) ** 2).sum().backward()
                for optimizer in reversed(optimizers) if turned else optimizers:
                    optimizer.step()
                model.zero_grad()
        ends.append(weights_digest(model))
    assert ends[0] == ends[1]
    run = open_store(tmp_path / "run")
    assert run.n_steps == 5 and run.n_rows == 10
    assert all(line["rates"] == [0.01, 0.001] and set(line["lr"].values()) == {0.01} for line in run.step_log)
    assert run.read(0, 10).any(axis=1).all()


def test_one_optimizer_cannot_run_ahead(tmp_path):
    def body():
        model = net()
        muon, adamw = several(model)
        with Recorder(model, [muon, adamw], tmp_path / "run") as recorder:
            for _ in range(2):
                with recorder.batch(["a"]):
                    model(torch.ones(1, 4)).sum().backward()
                muon.step()

    refused("uneven-steps", body)


# --- the factor ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [(0, 1, 2), (1, 2), (2,)])
def test_one_layer_tells_the_factor_of_all(used):
    """Also when the smallest layers have no gradient, or one of zeros."""
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(size, 3)) for size in (2, 5, 9)]
    for number, weight in enumerate(weights):
        weight.grad = torch.randn_like(weight) if number in used else (torch.zeros_like(weight) if number else None)
    gauge = Gauge(weights)
    gauge.read()
    before = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None]).double().norm()
    nn.utils.clip_grad_norm_(weights, 0.1)
    after = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None]).double().norm()
    assert gauge.moved and gauge.factor() == pytest.approx(float(after / before), rel=1e-6)


def test_without_any_gradient_the_factor_is_one():
    weights = [nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.randn(2, 3))]
    weights[0].grad = torch.zeros_like(weights[0])
    gauge = Gauge(weights)
    gauge.read()
    assert not gauge.moved and gauge.factor() == 1.0 and not gauge.any_left()
    weights[1].grad = torch.ones_like(weights[1])
    assert gauge.any_left() and norm_of(weights[1].grad) == 6**0.5
    gauge.read()
    assert gauge.factor() == 1.0
    weights[1].grad = None
    assert gauge.factor() == 0.0
