"""The reference classifier: what a row loses depends on that row alone, and the log odds are those of its label."""

import math

import pytest
import torch

from byline.capture import weights_digest
from byline.training.classifier import ClassifierTask, classify, log_odds, new_classifier
from byline.training.loop import Plan, fit, weighted_loss

IDS = tuple(f"ex:{n}" for n in range(30))


@pytest.fixture(scope="module")
def task():
    """Three classes: a bright row of pixels at one of three heights, and noise."""
    generator = torch.Generator().manual_seed(5)
    images = {}
    for n, example in enumerate(IDS):
        images[example] = 0.3 * torch.rand(1, 6, 6, generator=generator)
        images[example][0, 2 * (n % 3)] += 0.7
    return ClassifierTask(images, {example: n % 3 for n, example in enumerate(IDS)})


def fresh(seed=1):
    return new_classifier(seed, side=6, classes=3, width=4)


def trained(task, weights_N=None, epochs=12):
    model = fresh()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), eps=1e-4)
    return fit(model, optimizer, task, Plan.epochs(IDS, epochs=epochs, batch=10, rate=2e-2), weights_N=weights_N)


@torch.no_grad()
def test_losses_and_log_odds_are_the_loop(task):
    model = fresh()
    batch = task.batch(IDS[:7], 0)
    logits = task.outputs(model, batch)
    losses = task.losses(logits, batch)
    odds = log_odds(model, *batch)
    assert losses.shape == odds.shape == (7,)
    for n, example in enumerate(IDS[:7]):
        found = model(task.images_of[example][None])[0].double()
        weight = [math.exp(float(z)) for z in found]
        own = weight[task.labels_of[example]]
        assert float(losses[n]) == pytest.approx(-math.log(own / sum(weight)), rel=1e-4)
        assert float(odds[n]) == pytest.approx(math.log(own / (sum(weight) - own)), rel=1e-4, abs=1e-5)


def test_log_odds_stay_finite_where_p_is_one_to_float_precision():
    def certain(images):
        return torch.tensor([[80.0, 0.0, -3.0]]).expand(len(images), 3)

    odds = log_odds(certain, torch.zeros(2, 1, 6, 6), torch.tensor([0, 1]))
    assert odds.tolist() == pytest.approx([80 - math.log(1 + math.exp(-3)), -80], rel=1e-6)


def test_order_and_batch_change_no_row(task):
    model = fresh()
    batch = task.batch(IDS, 0)
    whole = task.losses(task.outputs(model, batch), batch)
    for rows in ([3], [8, 3], [20, 3, 11, 0, 29]):
        part = task.batch([IDS[n] for n in rows], 4)
        torch.testing.assert_close(task.losses(task.outputs(model, part), part), whole[rows])


def test_each_row_loss_is_convex_in_its_outputs(task):
    batch = task.batch(IDS[:9], 0)
    a, b = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(2))
    between = task.losses((a + b) / 2, batch)
    assert (between < (task.losses(a, batch) + task.losses(b, batch)) / 2).all()


def test_the_same_training_gives_the_same_weights_and_learns(task):
    state = torch.get_rng_state()
    first = trained(task)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(77)
    assert weights_digest(first.model) == weights_digest(trained(task).model)
    assert weights_digest(fresh()) == weights_digest(fresh()) != weights_digest(fresh(2))
    images, labels = task.batch(IDS, 0)
    assert (classify(first.model, images) == labels).all() and (log_odds(first.model, images, labels) > 0).all()
    assert first.losses[-1] < first.losses[0] / 2


def test_an_example_at_weight_zero_could_have_been_anything(task):
    weights_N = torch.ones(len(IDS))
    weights_N[::4] = 0
    images = {e: image if weights_N[n] else 1 - image for n, (e, image) in enumerate(task.images_of.items())}
    labels = {e: label if weights_N[n] else 0 for n, (e, label) in enumerate(task.labels_of.items())}
    without = trained(task, weights_N, epochs=3).model
    other = trained(ClassifierTask(images, labels), weights_N, epochs=3).model
    for a, b in zip(without.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert weights_digest(without) != weights_digest(trained(task, epochs=3).model)


def test_weighted_loss_keeps_the_denominator(task):
    model, batch = fresh(), task.batch(IDS[:4], 0)
    losses = task.losses(task.outputs(model, batch), batch)
    found = weighted_loss(task, model, batch, torch.tensor([1.0, 0.0, 0.5, 0.0]))
    torch.testing.assert_close(found, (losses[0] + losses[2] / 2) / 4)
