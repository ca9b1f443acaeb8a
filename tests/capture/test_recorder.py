"""The recorder in real training loops: what it writes, what it refuses, and that training does not notice it."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from byline.capture import OptimizerView, Projector, Recorder, find_taps, weights_digest
from byline.core import CaptureError, StoreError
from byline.store import open_store

sys.path.insert(0, str(Path(__file__).parent))
from oracle import FLOAT32, INT8, WORLDS, Llama, Plain, assert_near, slow_features

RANK = Projector(rank=4)


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), **{"lr": 0.1, **options})


def adamw(model, **options):
    return torch.optim.AdamW(model.parameters(), **{"lr": 1e-2, **options})


def refused(code, body, kind=CaptureError):
    with pytest.raises(kind) as fault:
        body()
    assert fault.value.code == code
    assert fault.value.message and fault.value.fix


def train(path, world, optimizer_of, batches, clip=None, recorded=True):
    """Train over `batches` (a list per step of a list per micro-batch of examples' numbers); the trained model."""
    model = world.model()
    optimizer = optimizer_of(model)
    examples = world.examples(8)

    def loss(rows):
        total, terms = world.loss(model, [examples[row] for row in rows])
        return total / terms

    if not recorded:
        for parts in batches:
            for rows in parts:
                loss(rows).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
        return model
    with Recorder(model, optimizer, path, projector=RANK) as recorder:
        for parts in batches:
            for rows in parts:
                with recorder.batch([f"ex:{row}" for row in rows]):
                    loss(rows).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()
    return model


# --- what is written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "optimizer_of"), [("linear-2d", sgd), ("linear-3d", adamw), ("gpt2-left", adamw), ("llama-right", sgd)]
)
def test_stored_rows_are_the_features_of_single_examples(tmp_path, name, optimizer_of):
    """Steps 0 to 12, two micro-batches each; the second moment is looked at after each of the first ten steps, then
    after step 10. The rows of step 0 have the scale that Adam had after it."""
    world, examples = WORLDS[name], WORLDS[name].examples(8)
    batches = [[[step % 8, (step + 1) % 8], [(step + 5) % 8]] for step in range(13)]
    train(tmp_path / "run", world, optimizer_of, batches)
    store = open_store(tmp_path / "run")
    assert [int(step) for step in store.steps_N] == [step for step in range(13) for _ in range(3)]

    model = world.model()
    optimizer = optimizer_of(model)
    taps, _ = find_taps(model, RANK)
    view = OptimizerView.of(optimizer, taps)
    row, scales = 0, None
    for step, parts in enumerate(batches):
        before, losses = copy.deepcopy(model), []
        for rows in parts:
            total, terms = world.loss(model, [examples[r] for r in rows])
            losses.append((rows, terms))
            (total / terms).backward()
        optimizer.step()
        optimizer.zero_grad()
        now = {tap.name: view.scale(tap) for tap in taps}
        used = now if step == 0 else scales
        if 2 < step < 10:
            row, scales = row + 3, now
            continue
        old_taps, _ = find_taps(before, RANK)
        for rows, terms in losses:
            for r in rows:
                assert store.example_ids[store.examples_N[row]] == f"ex:{r}"
                want = slow_features(
                    world, before, old_taps, examples[r], terms, used if optimizer_of is adamw else None
                )
                got = store.read(row, row + 1)[0]
                for layer, want_K in want.items():
                    assert_near(torch.from_numpy(got[store.spec.columns(layer)]), want_K, INT8)
                row += 1
        if step <= 10:
            scales = now


def test_order_inside_the_batch_does_not_matter(tmp_path):
    rows = {}
    for name, order in (("a", [0, 1, 2, 3]), ("b", [2, 0, 3, 1])):
        train(tmp_path / name, Plain(), sgd, [[order]])
        store = open_store(tmp_path / name)
        rows[name] = {store.example_ids[n]: store.read(i, i + 1)[0] for i, n in enumerate(store.examples_N)}
    for example, row in rows["a"].items():
        assert np.abs(row - rows["b"][example]).max() <= FLOAT32 * np.abs(row).max() + np.abs(row).max() / 127


def test_the_step_log_has_the_rates_and_the_clip_factor_really_used(tmp_path):
    model = Plain().model()
    groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[2].parameters(), "lr": 0.25}]
    optimizer = torch.optim.SGD(groups)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    x, y = torch.randn(4, 5), torch.randn(4, 3)
    clips = []
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        for step in range(4):
            with recorder.batch(list("abcd")):
                ((model(x) - y) ** 2).sum().backward()
            before = torch.cat([p.grad.flatten() for p in model.parameters()]).clone()
            if step % 2:
                nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            clips.append(float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm() / before.norm()))
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    log = open_store(tmp_path / "run").step_log
    assert [step["lr"] for step in log] == [{"0": 0.5 / (s + 1), "2": 0.25 / (s + 1)} for s in range(4)]
    assert log[0]["clip"] == 1.0 and log[2]["clip"] == 1.0
    assert [step["clip"] for step in log] == pytest.approx(clips, rel=1e-4) and clips[1] < 0.5


def test_the_clip_factor_is_seen_when_the_last_layer_is_not_used(tmp_path):
    model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])
    optimizer = adamw(model)
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        for used in (0, 1):  # the second layer has its first gradient in the second step
            with recorder.batch(["a"]):
                (model[used](torch.ones(1, 3)) ** 2).sum().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
            optimizer.zero_grad()
    store = open_store(tmp_path / "run")
    assert all(0 < step["clip"] < 0.1 for step in store.step_log)
    first, second = store.read(0, 2)
    assert first[:6].any() and not first[6:].any() and not second[:6].any() and second[6:].any()


def test_a_layer_that_adam_meets_later_has_its_scale_from_its_first_row_on(tmp_path):
    """Two equal layers; one is used in step 0, the other in step 20 only: their rows are the same."""
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])
    model[1].load_state_dict(model[0].state_dict())
    optimizer = adamw(model, weight_decay=0.0)
    recorder = Recorder(model, optimizer, tmp_path / "run", projector=Projector(8))
    with recorder:
        for step in range(21):
            with recorder.batch(["a"]):
                (model[int(step == 20)](torch.ones(1, 3)) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    store = open_store(tmp_path / "run")
    assert np.allclose(store.read(20, 21)[0, 6:], store.read(0, 1)[0, :6], rtol=1e-5)


def test_maximising_is_logged_as_a_negative_rate(tmp_path):
    train(tmp_path / "run", Plain(), lambda model: sgd(model, maximize=True), [[[0]]])
    assert open_store(tmp_path / "run").step_log[0]["lr"] == {"0": -0.1, "2": -0.1}


def test_the_run_says_what_it_did_not_capture(tmp_path):
    import json

    train(tmp_path / "run", Llama(), adamw, [[[0, 1]]])
    notes = json.loads(open_store(tmp_path / "run").spec.extra)
    assert notes["optimizer"] == "adamw"
    assert notes["captured"] + sum(item["size"] for item in notes["uncaptured"]) == notes["parameters"]
    assert "model.norm.weight" in {item["parameter"] for item in notes["uncaptured"]}


# --- that training does not notice ------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer_of", [sgd, adamw])
def test_trained_weights_are_the_same_bits_with_and_without(tmp_path, optimizer_of):
    batches = [[[step % 8, (step + 3) % 8]] for step in range(20)]
    recorded = train(tmp_path / "run", Llama(), optimizer_of, batches, clip=0.5)
    assert weights_digest(recorded) == weights_digest(train(None, Llama(), optimizer_of, batches, 0.5, recorded=False))
    assert weights_digest(recorded) != weights_digest(Llama().model())


def test_the_random_state_is_untouched(tmp_path):
    world = Plain()
    model = world.model()
    optimizer = sgd(model)
    torch.manual_seed(11)
    np.random.seed(11)
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()
    loss = world.loss(model, world.examples(3))[0]
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        with recorder.batch(["a", "b", "c"]):
            loss = world.loss(model, [(torch.ones(5), torch.ones(3))] * 3)[0]
            loss.backward()
        optimizer.step()
    assert torch.equal(before, torch.get_rng_state())
    assert (legacy == np.random.get_state()[1]).all()


def test_evaluation_between_steps_is_ignored(tmp_path):
    world = Plain()
    model, examples = world.model(), world.examples(2)
    optimizer = sgd(model)
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        for _ in range(2):
            with torch.no_grad():
                world.loss(model, world.examples(7))
            with recorder.batch(["a", "b"]):
                world.loss(model, examples)[0].backward()
                with torch.no_grad():
                    world.loss(model, world.examples(7))
            optimizer.step()
            optimizer.zero_grad()
    assert open_store(tmp_path / "run").n_rows == 4


# --- steps that were skipped ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("reset", ["before the batch", "inside the batch"])
@pytest.mark.parametrize("to_none", [True, False])
def test_a_skipped_step_leaves_no_rows(tmp_path, bad, reset, to_none):
    """As a gradient scaler does on overflow: no optimizer step, gradients thrown away wherever the loop does that."""
    world = Plain()
    model, examples = world.model(), world.examples(2)
    optimizer = sgd(model)
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        for name in ("skipped", "kept", "skipped", "kept", "skipped"):
            if reset == "before the batch":
                optimizer.zero_grad(to_none)
            with recorder.batch([name, name]):
                if reset == "inside the batch":
                    optimizer.zero_grad(to_none)
                (world.loss(model, examples)[0] * (bad if name == "skipped" else 1)).backward()
            if name == "kept":
                optimizer.step()
    store = open_store(tmp_path / "run")
    assert store.example_ids == ("kept",) and store.n_rows == 4 and store.n_steps == 2


def test_rows_after_the_last_step_are_dropped(tmp_path):
    world = Plain()
    model = world.model()
    with Recorder(model, sgd(model), tmp_path / "run") as recorder, recorder.batch(["a"]):
        world.loss(model, world.examples(1))[0].backward()
    assert open_store(tmp_path / "run").n_rows == 0


# --- what is refused --------------------------------------------------------------------------------------------


def in_recorder(path, body, world=None, **options):
    world = world or Plain()
    model = world.model()
    optimizer = sgd(model)
    with Recorder(model, optimizer, path, **options) as recorder:
        body(recorder, optimizer, lambda n=2: world.loss(model, world.examples(n))[0])


def test_one_id_per_row(tmp_path):
    def body(recorder, optimizer, loss):
        with recorder.batch(["a", "b", "c"]):
            loss(2).backward()

    refused("batch-size", lambda: in_recorder(tmp_path / "a", body))

    def none(recorder, optimizer, loss):
        with recorder.batch([]):
            loss(2).backward()

    refused("no-ids", lambda: in_recorder(tmp_path / "b", none))


def test_a_batch_needs_a_backward_pass(tmp_path):
    def body(recorder, optimizer, loss):
        with recorder.batch(["a", "b"]):
            loss()

    refused("no-backward", lambda: in_recorder(tmp_path / "run", body))


def test_no_step_without_a_recorded_batch(tmp_path):
    refused("unrecorded-step", lambda: in_recorder(tmp_path / "a", lambda recorder, optimizer, loss: optimizer.step()))

    def twice(recorder, optimizer, loss):
        with recorder.batch(["a", "b"]):
            loss().backward()
        optimizer.step()
        optimizer.step()

    refused("unrecorded-step", lambda: in_recorder(tmp_path / "b", twice))


def test_no_backward_pass_outside_a_batch(tmp_path):
    refused("outside-batch", lambda: in_recorder(tmp_path / "a", lambda recorder, optimizer, loss: loss().backward()))


def test_a_gradient_that_no_row_explains(tmp_path):
    model = nn.ModuleDict({"called": nn.Linear(2, 2), "used": nn.Linear(2, 2)})
    optimizer = sgd(model)

    def body():
        with Recorder(model, optimizer, tmp_path / "run") as recorder:
            with recorder.batch(["a"]):
                nn.functional.linear(model["called"](torch.ones(1, 2)), model["used"].weight).sum().backward()
            optimizer.step()

    refused("missed-layer", body)


def test_only_examples_of_the_manifest(tmp_path):
    def body(recorder, optimizer, loss):
        with recorder.batch(["a", "b"]):
            loss().backward()

    in_recorder(tmp_path / "a", body, allowed=frozenset("ab"))
    refused("not-in-manifest", lambda: in_recorder(tmp_path / "b", body, allowed=frozenset("ac")))


def test_the_optimizer_must_be_understood_and_hold_every_layer(tmp_path):
    model = Plain().model()
    refused("unknown-optimizer", lambda: Recorder(model, torch.optim.RMSprop(model.parameters()), tmp_path / "a"))
    part = torch.optim.SGD(model[0].parameters(), lr=0.1)
    refused("not-optimised", lambda: Recorder(model, part, tmp_path / "a"))
    refused("nothing-to-capture", lambda: Recorder(nn.LayerNorm(2), part, tmp_path / "a"))
    refused("bad-rank", lambda: Projector(rank=0))
    assert not (tmp_path / "a").exists()


def test_it_works_between_enter_and_exit_only(tmp_path):
    model = Plain().model()
    recorder = Recorder(model, sgd(model), tmp_path / "run")
    refused("not-open", lambda: recorder.batch(["a"]).__enter__())
    refused("not-open", recorder.flush)
    with recorder:
        pass
    refused("not-open", lambda: recorder.batch(["a"]).__enter__())
    refused("not-empty", lambda: Recorder(model, sgd(model), tmp_path / "run").__enter__(), StoreError)


def test_an_error_in_the_loop_keeps_the_steps_that_were_made(tmp_path):
    def body(recorder, optimizer, loss):
        with recorder.batch(["a", "b"]):
            loss().backward()
        optimizer.step()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_recorder(tmp_path / "run", body)
    store = open_store(tmp_path / "run")
    assert store.n_steps == 1 and store.n_rows == 2 and "weights_sha256" not in store.blob_names


def test_names_of_layers_need_not_be_names_of_files(tmp_path):
    model = nn.ModuleDict({"_orig_mod": nn.Sequential(nn.Linear(2, 2)), "x" * 200: nn.Linear(2, 2)})
    optimizer = adamw(model)
    with Recorder(model, optimizer, tmp_path / "run") as recorder:
        with recorder.batch(["a"]):
            sum(layer(torch.ones(1, 2)).sum() for layer in model.values()).backward()
        optimizer.step()
    assert "weights_sha256" in open_store(tmp_path / "run").blob_names


def test_the_digest_of_weights_sees_names_shapes_and_bits():
    model = nn.Linear(2, 2)
    model.scale = nn.Parameter(torch.tensor(1.0))
    other = copy.deepcopy(model)
    assert weights_digest(model) == weights_digest(other)
    other.scale.data += 1e-7
    assert weights_digest(model) != weights_digest(other)
