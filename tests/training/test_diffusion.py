"""The reference diffusion model: a replay sees the same draws, a measurement is fixed, the sampler is DDIM."""

import math

import pytest
import torch

from byline.capture import weights_digest
from byline.core import TrainingError
from byline.training.diffusion import DiffusionTask, Draws, add_noise, denoising_score, new_denoiser, sample
from byline.training.loop import Plan, fit, weighted_loss

IDS = tuple(f"ex:{n}" for n in range(24))
PIXELS = 9


@pytest.fixture(scope="module")
def task():
    """Two motifs, each with a little noise."""
    generator = torch.Generator().manual_seed(5)
    motif = torch.tensor([[1.0, -1, 1, -1, 1, -1, 1, -1, 1], [-1.0, -1, -1, 1, 1, 1, -1, -1, -1]])
    images = {e: motif[n % 2] + 0.05 * torch.randn(PIXELS, generator=generator) for n, e in enumerate(IDS)}
    return DiffusionTask(images, draws=3, seed=1)


def fresh(seed=1):
    return new_denoiser(seed, pixels=PIXELS, width=16, layers=1)


def trained(task, weights_N=None, epochs=40):
    model = fresh()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), eps=1e-4)
    return fit(model, optimizer, task, Plan.epochs(IDS, epochs=epochs, batch=8, rate=2e-2), weights_N=weights_N)


def test_a_visit_draws_the_same_whoever_stands_beside_it(task):
    torch.manual_seed(3)
    images, times, noise = task.batch(IDS[:5], 7)
    torch.manual_seed(4)
    assert images.shape == (5, PIXELS) and times.shape == (5, 3) and noise.shape == (5, 3, PIXELS)
    for n in (4, 0, 2):
        for a, b in zip((images, times, noise), task.batch([IDS[9], IDS[n]], 7), strict=True):
            assert torch.equal(a[n], b[1])


def test_other_steps_examples_and_seeds_draw_otherwise(task):
    here = task.batch(IDS[:1], 7)
    other = [task.batch(IDS[:1], 8), task.batch(IDS[1:2], 7), DiffusionTask(task.images_of, 3, 2).batch(IDS[:1], 7)]
    for _, times, noise in other:
        assert not torch.equal(times, here[1]) and not torch.equal(noise, here[2])


def test_draws_are_spread_over_time_and_standard_normal(task):
    batches = [task.batch(IDS, step) for step in range(60)]
    times = torch.cat([times for _, times, _ in batches])
    noise = torch.cat([noise.flatten() for *_, noise in batches])
    unit = (times - 0.01) / 0.98
    assert ((unit >= torch.arange(3) / 3) & (unit <= torch.arange(1, 4) / 3)).all()
    torch.testing.assert_close(times.mean(0), (torch.arange(3) + 0.5) / 3, atol=0.02, rtol=0)
    assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02


@torch.no_grad()
def test_losses_are_the_loop(task):
    model, batch = fresh(), task.batch(IDS[:4], 2)
    losses = task.losses(task.outputs(model, batch), batch)
    assert losses.shape == (4,)
    for n in range(4):
        image, total = batch[0][n], 0.0
        for d in range(3):
            t, noise = float(batch[1][n, d]), batch[2][n, d]
            noised = math.cos(math.pi * t / 2) * image + math.sin(math.pi * t / 2) * noise
            predicted = model(noised[None], torch.tensor([t]))[0]
            total += sum((float(predicted[p]) - float(image[p])) ** 2 for p in range(PIXELS))
        assert float(losses[n]) == pytest.approx(total / 3 / PIXELS, rel=1e-4)
    found = weighted_loss(task, model, batch, torch.tensor([1.0, 0.0, 0.5, 0.0]))
    torch.testing.assert_close(found, (losses[0] + losses[2] / 2) / 4)


def test_each_row_loss_is_convex_in_its_outputs(task):
    batch = task.batch(IDS[:5], 0)
    a, b = torch.randn(2, 5, 3, PIXELS, generator=torch.Generator().manual_seed(2))
    assert (task.losses((a + b) / 2, batch) < (task.losses(a, batch) + task.losses(b, batch)) / 2).all()


def test_fixed_draws_are_antithetic_and_do_not_change():
    draws = Draws.fixed(6, PIXELS, seed=3)
    assert torch.equal(draws.noise_DP[:3], -draws.noise_DP[3:]) and torch.equal(draws.times_D[:3], draws.times_D[3:])
    assert draws.times_D.unique().tolist() == pytest.approx([0.01 + 0.98 * k / 6 for k in (1, 3, 5)])
    torch.manual_seed(9)
    assert torch.equal(draws.noise_DP, Draws.fixed(6, PIXELS, seed=3).noise_DP)
    assert not torch.equal(draws.noise_DP, Draws.fixed(6, PIXELS, seed=4).noise_DP)


@pytest.mark.parametrize("count", [0, 1, 7, -2])
def test_draws_that_are_no_pairs_are_refused(count):
    with pytest.raises(TrainingError) as error:
        Draws.fixed(count, PIXELS)
    assert error.value.code == "odd-draws"


@torch.no_grad()
def test_the_score_is_the_loop_and_ignores_the_batch(task):
    model, draws = fresh(), Draws.fixed(4, PIXELS)
    images = torch.stack([task.images_of[example] for example in IDS[:5]])
    scores = denoising_score(model, images, draws)
    for n, image in enumerate(images):
        total = 0.0
        for t, noise in zip(draws.times_D, draws.noise_DP, strict=True):
            noised = add_noise(image, t, noise)
            total += float((model(noised[None], t[None])[0] - image).square().mean())
        assert float(scores[n]) == pytest.approx(-total / 4, rel=1e-4)
        torch.testing.assert_close(denoising_score(model, image[None], draws)[0], scores[n])


def test_the_same_training_gives_the_same_weights_and_learns(task):
    state = torch.get_rng_state()
    first = trained(task)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(77)
    assert weights_digest(first.model) == weights_digest(trained(task).model)
    assert weights_digest(fresh()) == weights_digest(fresh()) != weights_digest(fresh(2))
    draws, images = Draws.fixed(8, PIXELS), task.batch(IDS, 0)[0]
    known = denoising_score(first.model, images, draws)
    strange = denoising_score(first.model, -images, draws)
    assert known.mean() > denoising_score(fresh(), images, draws).mean() and (known > strange).all()


def test_samples_look_like_the_training_images(task):
    model = trained(task).model
    noise = torch.randn(40, PIXELS, generator=torch.Generator().manual_seed(1))
    made = sample(model, noise)
    images = task.batch(IDS, 0)[0].clamp(-1, 1)
    away = (made[:, None] - images[None]).square().mean(2)
    assert (away.min(1).values < 0.1).float().mean() > 0.9
    assert set((away.argmin(1) % 2).tolist()) == {0, 1}  # both motifs, not one for all
    torch.testing.assert_close(sample(model, noise[7:9]), made[7:9])


def test_ddim_with_the_true_denoiser_stays_on_its_path():
    """Of one image the best denoiser always says that image: its path is known at every time."""
    image = torch.linspace(-0.9, 0.9, PIXELS)
    seen = []

    def knows(noised, times):
        seen.append((noised, float(times[0])))
        return image.expand_as(noised)

    noise = torch.randn(2, PIXELS, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sample(knows, noise, steps=5), image.expand(2, PIXELS))
    assert [t for _, t in seen] == pytest.approx([0.99 - 0.98 * k / 5 for k in range(5)])
    start = math.pi / 2 * 0.99
    error = (noise - math.cos(start) * image) / math.sin(start)
    for noised, t in seen:
        torch.testing.assert_close(noised, math.cos(math.pi * t / 2) * image + math.sin(math.pi * t / 2) * error)


def test_an_example_at_weight_zero_could_have_been_anything(task):
    weights_N = torch.ones(len(IDS))
    weights_N[::4] = 0
    images = {e: image if weights_N[n] else -image for n, (e, image) in enumerate(task.images_of.items())}
    without = trained(task, weights_N, epochs=3).model
    other = trained(DiffusionTask(images, 3, 1), weights_N, epochs=3).model
    for a, b in zip(without.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert weights_digest(without) != weights_digest(trained(task, epochs=3).model)
