"""The walk gives the recorded bits; with weights it gives those of a training under these weights."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from byline.attribution.replay import check_replay, flat, replay, retrainer, visited
from byline.capture import weights_digest
from byline.core import AttributionError

sys.path.insert(0, str(Path(__file__).parent))
from walked import NAMES, OPTIMIZERS, TinyTask, run, tiny


def same(state, other):
    assert state.taken == other.taken and same_weights(state.weights, other.weights)
    assert state.moments.keys() == other.moments.keys()
    return all(same_weights(state.moments[key], moments) for key, moments in other.moments.items())


def same_weights(found, wanted):
    assert found.keys() == wanted.keys()
    return all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_walk_gives_the_recorded_bits(kind, dtype):
    model, task, trajectory, trained = run(kind, dtype=dtype, keep=(5,))
    assert same(replay(model, task, trajectory), trajectory.state(12))
    assert same(replay(model, task, trajectory, from_=5), trajectory.state(12))
    assert same(replay(model, task, trajectory, from_=0, until=7), trajectory.state(7))
    assert check_replay(model, task, trajectory) == weights_digest(trained).hex()
    assert check_replay(model, task, trajectory, from_=5) == weights_digest(trained).hex()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_weights_are_those_of_a_training_under_them(kind):
    """The truth is the plain loop, clipping recomputed, denominators as they were."""
    weights = {"ex:2": 0.0, "ex:5": 0.5, "ex:0": 1.0}
    model, task, trajectory, _ = run(kind)
    *_, truth = run(kind, weights=weights)
    found = replay(model, task, trajectory, weights, from_=0)
    assert same_weights(found.weights, dict(truth.named_parameters()))
    assert not torch.equal(found.weights["head.weight"], trajectory.state(12).weights["head.weight"])


@pytest.mark.parametrize("kind", ["adamw", "nadam"])
def test_dropout_pieces_and_thrown_away_batches_are_walked_again(kind):
    model, task, trajectory, _ = run(kind, dropout=0.3, pieces=True, keep=(5,))
    torch.manual_seed(99)
    before = torch.get_rng_state()
    check_replay(model, task, trajectory)
    check_replay(model, task, trajectory, from_=5)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's own draws go on as if nothing had been
    other = {taken: trajectory.state(taken) for taken in trajectory.kept}
    other[0] = dataclasses.replace(other[0], rng={"cpu": before})
    with pytest.raises(AttributionError, match="between steps 0 and 5"):
        check_replay(model, task, dataclasses.replace(trajectory, state=other.__getitem__))


def test_the_start_is_the_last_state_before_a_changed_example():
    batches = [["ex:0", "ex:1"]] * 4 + [["ex:2", "ex:3"]] * 4
    model, task, trajectory, _ = run(batches=batches, keep=(2, 4, 6))
    asked = []
    watched = dataclasses.replace(trajectory, state=lambda taken: asked.append(taken) or trajectory.state(taken))
    found = replay(model, task, watched, {"ex:3": 0.0})
    assert asked == [4] and same(found, replay(model, task, trajectory, {"ex:3": 0.0}, from_=0))
    replay(model, task, watched, {"ex:3": 1.0})
    assert asked == [4, 8]  # nothing changes: the end itself


def test_the_callers_model_is_left_alone():
    model, task, trajectory, _ = run()
    before = {name: p.clone() for name, p in model.named_parameters()}
    replay(model, task, trajectory, {"ex:1": 0.0})
    assert all(torch.equal(before[name], p) and p.grad is None for name, p in model.named_parameters())


def test_an_unknown_norm_replays_the_recorded_factors_nearly():
    model, task, trajectory, trained = run()
    blind = dataclasses.replace(trajectory, max_norm=None)
    assert min(step.clip for step in trajectory.steps) < 0.9  # clipping is active
    found = replay(model, task, blind, from_=0)
    for name, parameter in trained.named_parameters():
        torch.testing.assert_close(found.weights[name], parameter.detach(), rtol=1e-9, atol=1e-12)
    check_replay(model, task, blind, from_=0, tolerance=1e-9)


def test_a_walk_that_leaves_the_recorded_path_is_told_where():
    model, task, trajectory, _ = run(keep=(4, 8))
    steps = list(trajectory.steps)
    steps[6] = dataclasses.replace(steps[6], rates=tuple(rate * (1 + 1e-9) for rate in steps[6].rates))
    bent = dataclasses.replace(trajectory, steps=tuple(steps))
    with pytest.raises(AttributionError, match="between steps 4 and 8") as fault:
        check_replay(model, task, bent)
    assert fault.value.code == "replay-differs"
    check_replay(model, task, bent, tolerance=1e-6)
    with pytest.raises(AttributionError, match="replay"):
        check_replay(model, task, bent, tolerance=1e-15)

    class Restless(TinyTask):
        def losses(self, outputs, batch):
            return super().losses(outputs, batch) * (1 + 1e-12)

    with pytest.raises(AttributionError, match="between steps 0 and 4"):
        check_replay(model, Restless(), trajectory)


def test_the_run_as_a_function_of_weights():
    model, task, trajectory, trained = run()
    train = retrainer(model, task, trajectory)
    assert visited(trajectory) == ("ex:0", "ex:1", "ex:3", "ex:2", "ex:5", "ex:4")
    assert np.array_equal(train(np.ones(len(NAMES))), flat(dict(trained.named_parameters())))
    weights_N = np.ones(len(NAMES))
    weights_N[2] = 0  # the third to be read
    assert np.array_equal(train(weights_N), flat(replay(model, task, trajectory, {"ex:3": 0.0}).weights))


class OneLoss(TinyTask):
    def losses(self, outputs, batch):
        return super().losses(outputs, batch).mean()


REFUSED = {
    "starts-too-late": lambda m, t, r: replay(m, t, r, {"ex:3": 0.0}, from_=5),
    "no-such-state": lambda m, t, r: replay(m, t, r, from_=3),
    "unknown-example": lambda m, t, r: replay(m, t, r, {"ex:99": 0.0}),
    "bad-losses": lambda m, t, r: replay(m, OneLoss(), r, from_=0),
    "unknown-optimizer": lambda m, t, r: replay(m, t, dataclasses.replace(r, optimizer="lion")),
    "other-model": lambda m, t, r: replay(torch.nn.Linear(2, 2).double(), t, r),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_cannot_be_walked_is_refused(code):
    model, task, trajectory, _ = run(keep=(5,))
    with pytest.raises(AttributionError) as fault:
        REFUSED[code](model, task, trajectory)
    assert fault.value.code == code and fault.value.fix


def test_a_model_of_other_shapes_is_refused():
    _, task, trajectory, _ = run()
    wider = tiny()
    wider.head = torch.nn.Linear(4, 9, bias=False).double()
    with pytest.raises(AttributionError, match=r"head\.weight"):
        replay(wider, task, trajectory)
