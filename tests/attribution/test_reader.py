"""A recorded run told again: every kept state leads to the very same weights, and leaving out is retraining without."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from byline.attribution import new_optimizers, read_trajectory, restore
from byline.attribution.restore import settings_as_numbers, torch_settings
from byline.capture import Recorder, named_parameters, weights_digest
from byline.core import AttributionError, StoreError
from byline.store import RunWriter, open_store

sys.path.insert(0, str(Path(__file__).parent))
from retold import IDS, NORM, OPTIMIZERS, STEPS, Net, apart, batches_of, same_bits, train, trained, walk


def refused(code, body, kind=AttributionError):
    with pytest.raises(kind) as fault:
        body()
    assert fault.value.code == code and fault.value.message and fault.value.fix


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_kept_state_leads_to_the_same_bits(tmp_path, name):
    """Accumulation, clipping, dropout, running statistics, a frozen layer, rates that change: all at once."""
    plain = train(OPTIMIZERS[name], None)
    model = train(OPTIMIZERS[name], tmp_path / "run", checkpoints=2)
    assert same_bits(model, plain)
    trajectory = read_trajectory(tmp_path / "run")
    assert trajectory.optimizer == name.split("-")[0] and trajectory.max_norm == NORM
    assert trajectory.kept[0] == 0 and trajectory.kept[-1] == STEPS == len(trajectory.steps)
    assert len(trajectory.kept) > 3
    for taken in trajectory.kept:
        assert same_bits(walk(trajectory, taken), model), taken
    other = walk(trajectory, trajectory.kept[1], dropout=0.0)
    assert not same_bits(other, model)  # what the walk does not tell again is seen


@pytest.mark.parametrize("name", ["sgd-momentum", "adamw", "adafactor", "muon+adamw"])
def test_leaving_out_is_training_without(tmp_path, name):
    """From the first state, weights of zero: the training that never weighed those examples, clipped anew."""
    train(OPTIMIZERS[name], tmp_path / "run")
    weights = {IDS[2]: 0.0, IDS[7]: 0.0, IDS[8]: 0.5}
    trajectory = read_trajectory(tmp_path / "run")
    retrained = train(OPTIMIZERS[name], None, weights=weights)
    assert same_bits(walk(trajectory, 0, weights=weights), retrained)
    assert not same_bits(walk(trajectory, 0), retrained)


def test_from_a_later_state_what_was_learned_before_stays(tmp_path):
    train(OPTIMIZERS["adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    middle = trajectory.kept[1]
    seen = next(IDS[row] for part in batches_of(middle) for row in part)
    assert not same_bits(walk(trajectory, middle, weights={seen: 0.0}), walk(trajectory, 0, weights={seen: 0.0}))


def test_without_the_norm_the_factors_are_repeated(tmp_path):
    model = train(OPTIMIZERS["adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    assert min(step.clip for step in trajectory.steps) < 0.9
    walked = walk(_replace(trajectory, max_norm=None), 0)
    assert apart(walked, model) < 1e-6  # the factor is known to the last bit or two


def test_what_a_scaler_multiplied_is_not_in_the_factor(tmp_path):
    def scaler():
        return torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)

    model = train(OPTIMIZERS["sgd-momentum"], tmp_path / "run", scaler=scaler())
    trajectory = read_trajectory(tmp_path / "run")
    lines = open_store(tmp_path / "run").step_log
    assert {line["scale"] for line in lines} == {2.0**k for k in range(10, 18)}
    without = train(OPTIMIZERS["sgd-momentum"], tmp_path / "without")
    clips = [step.clip for step in read_trajectory(tmp_path / "without").steps]
    assert [step.clip for step in trajectory.steps] == pytest.approx(clips, rel=1e-5)
    assert apart(walk(trajectory, 0), model) < 1e-6 and apart(without, model) < 1e-6


def test_skipped_batches_are_run_again_for_what_they_draw_and_count(tmp_path):
    model = train(OPTIMIZERS["adamw"], tmp_path / "run", skip=(0, 5, 13))
    assert same_bits(model, train(OPTIMIZERS["adamw"], None, skip=(0, 5, 13)))
    trajectory = read_trajectory(tmp_path / "run")
    assert [number for number, step in enumerate(trajectory.steps) if step.skipped] == [0, 5, 13]
    assert trajectory.steps[5].skipped == (tuple(IDS[:3]),)
    for taken in trajectory.kept:
        assert same_bits(walk(trajectory, taken), model)
    silent = [_replace(step, skipped=()) for step in trajectory.steps]
    assert not same_bits(walk(_replace(trajectory, steps=tuple(silent)), 0), model)


def test_steps_tell_what_was_trained(tmp_path):
    train(OPTIMIZERS["adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    for number, step in enumerate(trajectory.steps):
        assert step.batches == tuple(tuple(IDS[row] for row in rows) for rows in batches_of(number))
        assert step.divisor == 5 and step.rates == pytest.approx([0.01 * (1 - number / 80), 0.02 * (1 - number / 80)])
    names = {name for group in trajectory.groups for name in group.parameters}
    assert names == {name for name, parameter in Net().named_parameters() if parameter.requires_grad}
    assert trajectory.groups[1].parameters == ("last.weight", "last.bias") and trajectory.groups[0].kind == ""
    settings = trajectory.groups[0].settings
    assert (settings["beta1"], settings["beta2"], settings["eps"], settings["weight_decay"]) == (0.8, 0.95, 1e-4, 0.1)


def test_states_hold_the_model_in_its_own_order(tmp_path):
    model = train(OPTIMIZERS["adamw"], tmp_path / "run")
    end = read_trajectory(tmp_path / "run").state(STEPS)
    assert list(end.weights) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(end.weights[name], value) for name, value in model.named_parameters())
    assert all(torch.equal(end.buffers[name], value) for name, value in model.named_buffers())
    assert set(end.moments) == {"step", "exp_avg", "exp_avg_sq"} and "frozen.weight" not in end.moments["exp_avg"]
    store = open_store(tmp_path / "run")
    assert store.blob("weights_sha256").tobytes() == weights_digest(model)


def test_several_optimizers_name_their_groups(tmp_path):
    train(OPTIMIZERS["muon+adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    assert [group.kind for group in trajectory.groups] == ["muon", "adamw"]
    kinds = [type(optimizer) for optimizer in new_optimizers(Net(), trajectory)]
    assert kinds == [torch.optim.Muon, torch.optim.AdamW]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_survive_as_numbers(name):
    for optimizer in OPTIMIZERS[name](Net()):
        kind = type(optimizer).__name__.lower()
        for group in optimizer.param_groups:
            numbers = settings_as_numbers({key: group[key] for key in optimizer.defaults if key != "lr"})
            assert all(isinstance(value, float) for value in numbers.values())
            found = torch_settings(kind, numbers)
            again = type(optimizer)([{"params": group["params"], "lr": group["lr"], **found}]).param_groups[0]
            assert {key: again[key] for key in optimizer.defaults} == {key: group[key] for key in optimizer.defaults}


def test_a_text_setting_survives():
    matched = torch.optim.Muon([nn.Parameter(torch.zeros(2, 2))], adjust_lr_fn="match_rms_adamw").defaults
    assert torch_settings("muon", settings_as_numbers(matched))["adjust_lr_fn"] == "match_rms_adamw"


def test_an_unfinished_run_has_no_end(tmp_path):
    model = Net()
    optimizer = torch.optim.SGD(trained(model), lr=0.1)
    with pytest.raises(KeyboardInterrupt), Recorder(model, optimizer, tmp_path / "run") as recorder:
        with recorder.batch(["a", "b"]):
            model(torch.ones(2, 5)).sum().backward()
        optimizer.step()
        raise KeyboardInterrupt
    trajectory = read_trajectory(open_store(tmp_path / "run"))
    assert trajectory.kept == (0,) and len(trajectory.steps) == 1
    refused("no-such-state", lambda: trajectory.state(1))


def test_a_changed_byte_of_a_state_is_refused_and_named(tmp_path):
    train(OPTIMIZERS["adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    file = next((tmp_path / "run" / "blobs").glob(f"state.{trajectory.kept[1]:09d}.*"))
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreError, match=file.name) as fault:
        trajectory.state(trajectory.kept[1])
    assert fault.value.code == "wrong-digest"
    trajectory.state(trajectory.kept[0])


def test_a_log_that_was_rewritten_with_its_digests_breaks_the_chain(tmp_path):
    """Who can rewrite a shard's log and the manifest still cannot make the chain end where it ended."""
    train(OPTIMIZERS["sgd"], tmp_path / "run")
    head = open_store(tmp_path / "run").step_log[-1]["chain"]

    def rewrite(old, new):
        manifest = json.loads((tmp_path / "run" / "manifest.json").read_bytes())
        shard = manifest["shards"][0]
        file = tmp_path / "run" / "shards" / f"{shard['name']}.{'steps' if old.startswith(b',') else 'ids'}.jsonl"
        data = file.read_bytes()
        assert old in data
        file.write_bytes(data.replace(old, new, 1))
        shard["sha256"]["steps" if old.startswith(b",") else "ids"] = hashlib.sha256(file.read_bytes()).hexdigest()
        manifest_file = tmp_path / "run" / "manifest.json"
        manifest_file.write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))

    read_trajectory(tmp_path / "run")
    rewrite(b',"denominator":5.0,', b',"denominator":6.0,')
    refused("broken-chain", lambda: read_trajectory(tmp_path / "run"))
    rewrite(b',"denominator":6.0,', b',"denominator":5.0,')
    assert open_store(tmp_path / "run").step_log[-1]["chain"] == head
    rewrite(b'"ex:5"', b'"ex:x"')
    refused("broken-chain", lambda: read_trajectory(tmp_path / "run"))


def test_runs_that_cannot_be_walked_are_refused(tmp_path, toy_spec):
    with RunWriter.create(tmp_path / "old", toy_spec) as writer:
        writer.end_step(0, {"lr": {"a": 0.1}, "clip": 1.0})
    refused("no-trajectory", lambda: read_trajectory(tmp_path / "old"))

    model = Net()
    optimizer = torch.optim.AdamW(trained(model), lr=0.1, betas=(0.9, 0.99))
    with Recorder(model, optimizer, tmp_path / "changed") as recorder:
        for beta in (0.9, 0.9, 0.8):
            optimizer.param_groups[0]["betas"] = (beta, 0.99)
            with recorder.batch(["a", "b"]):
                model(torch.ones(2, 5)).sum().backward()
            optimizer.step()
    with pytest.raises(AttributionError, match="step 2") as fault:
        read_trajectory(tmp_path / "changed")
    assert fault.value.code == "changed-settings"


def test_a_state_fits_the_model_that_was_trained_only(tmp_path):
    train(OPTIMIZERS["adamw"], tmp_path / "run", steps=2)
    trajectory = read_trajectory(tmp_path / "run")
    other = nn.Linear(5, 8)
    refused("other-model", lambda: new_optimizers(other, trajectory))
    refused("other-model", lambda: restore(other, (), trajectory.state(0)))
    wide = Net()
    wide.norm.register_buffer("extra", torch.zeros(1))
    refused("other-model", lambda: restore(wide, (), trajectory.state(0)))
    refused("unknown-optimizer", lambda: new_optimizers(Net(), _replace(trajectory, optimizer="lion")))


def test_restoring_sets_every_weight_and_the_generators(tmp_path):
    train(OPTIMIZERS["adamw"], tmp_path / "run")
    trajectory = read_trajectory(tmp_path / "run")
    model = Net()
    optimizers = new_optimizers(model, trajectory)
    with torch.random.fork_rng():
        restore(model, optimizers, trajectory.state(trajectory.kept[1]))
        first = torch.rand(3)
        restore(model, optimizers, trajectory.state(trajectory.kept[1]))
        assert torch.equal(first, torch.rand(3))
    state = trajectory.state(trajectory.kept[1])
    assert all(torch.equal(state.weights[name], value) for name, value in named_parameters(model).items())
    steps = {float(held["step"]) for held in optimizers[0].state.values()}
    assert steps == {float(trajectory.kept[1])}


@pytest.fixture
def toy_spec():
    from byline.core import RunId
    from byline.store import Group, RunSpec

    return RunSpec(RunId("run:toy"), "toy", (Group("a", 2),))


def _replace(record, **changes):
    from dataclasses import replace

    return replace(record, **changes)


def test_a_run_goes_on_from_a_state_that_it_kept_itself(tmp_path):
    """Broken off after the state of step 32; what was recorded later is made again, and equals the unbroken run."""

    class Stop(Exception):
        pass

    def loop(path, stop=None, start=None):
        model = Net()
        optimizer = torch.optim.AdamW(trained(model), lr=0.01)
        torch.manual_seed(4)
        if start is not None:
            trajectory = read_trajectory(path)
            restore(model, [optimizer], trajectory.state(start))
        with Recorder(model, optimizer, path, checkpoints=2, resume_at=start) as recorder:
            for step in range(start or 0, 70):
                if step == stop:
                    recorder.flush()
                    raise Stop
                with recorder.batch([f"ex:{step % 7}", "ex:b", "ex:c"]):
                    (model(torch.full((3, 5), step / 70) + torch.eye(3, 5)) ** 2).mean().backward()
                optimizer.step()
                optimizer.zero_grad()
        return model

    whole = loop(tmp_path / "whole" / "run")
    with pytest.raises(Stop):
        loop(tmp_path / "broken" / "run", stop=37)
    kept = read_trajectory(tmp_path / "broken" / "run").kept
    assert kept == (0, 16, 32)
    again = loop(tmp_path / "broken" / "run", start=32)
    assert same_bits(again, whole)
    left, right = (open_store(tmp_path / name / "run") for name in ("whole", "broken"))
    assert left.step_log == right.step_log and left.blob_names == right.blob_names and right.verify() == []
    assert read_trajectory(right).kept == (0, 32, 64, 70)
    for name in left.blob_names:
        assert (left.blob(name) == right.blob(name)).all(), name
