"""The reference diffusion model: a small denoiser of images, its task, its measurement and its sampler.

An image x and noise e make x_t = a_t x + s_t e, with a_t = cos(pi t / 2) and s_t = sin(pi t / 2) at time t in (0, 1)
(Nichol and Dhariwal, arXiv 2102.09672, without their offset). The model reads x_t and t and predicts x. No draw depends
on a global random state: those of a visit follow from the example's id and the step, those of a measurement are fixed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from byline.core import TrainingError, sha256_hex

# Suffixes: B rows of a batch, D draws of time and noise, P pixels, E numbers that describe a time

EDGE = 0.01  # times lie in [EDGE, 1 - EDGE]: at 0 nothing is hidden, at 1 nothing is shown
Noised = tuple[Tensor, Tensor, Tensor]  # images_BP, times_BD, noise_BDP


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Times in (0, 1) and standard normal noise at which a denoiser is measured."""

    times_D: Tensor
    noise_DP: Tensor

    @classmethod
    def fixed(cls, count: int, pixels: int, seed: int = 0) -> "Draws":
        """`count` draws: times spread evenly, and each noise used twice, once with its sign turned (antithetic).

        Raises: TrainingError("odd-draws") if `count` is not even and positive.
        """
        if count < 2 or count % 2:
            raise TrainingError("odd-draws", f"{count} draws cannot be made of pairs", "give an even number")
        half = count // 2
        times = EDGE + (1 - 2 * EDGE) * (torch.arange(half) + 0.5) / half
        noise = torch.randn(half, pixels, generator=torch.Generator().manual_seed(seed))
        return cls(torch.cat([times, times]), torch.cat([noise, -noise]))


class Denoiser(nn.Module):
    """Predicts the image from the noised one and the time: a perceptron whose hidden layers add to a stream.

    All leading dimensions are rows: it reads (..., P) and (...) and gives (..., P)."""

    def __init__(self, pixels: int = 64, width: int = 128, layers: int = 2, frequencies: int = 8) -> None:
        super().__init__()
        self.frequency_E: Tensor
        self.register_buffer("frequency_E", math.pi * torch.arange(1, frequencies + 1), persistent=False)
        self.read = nn.Linear(pixels + 2 * frequencies, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.write = nn.Linear(width, pixels)

    def forward(self, noised: Tensor, times: Tensor) -> Tensor:
        angles = times[..., None] * self.frequency_E
        stream = self.read(torch.cat([noised, angles.sin(), angles.cos()], -1))
        for layer in self.hidden:
            stream = stream + layer(F.gelu(stream))
        predicted: Tensor = self.write(F.gelu(stream))
        return predicted


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionTask:
    """Images as a `Task`: each row's loss is the mean squared error of the predicted image, over pixels and draws.

    A visit draws `draws` times, one from each equal part of (0, 1), and as many noises.
    """

    images_of: Mapping[str, Tensor]  # example id -> image (P,), scaled to [-1, 1]
    draws: int = 4
    seed: int = 0

    def batch(self, example_ids: Sequence[str], step: int) -> Noised:
        images_BP = torch.stack([self.images_of[example] for example in example_ids])
        visits = [self._visit(example, step, images_BP.shape[1]) for example in example_ids]
        return images_BP, torch.stack([times for times, _ in visits]), torch.stack([noise for _, noise in visits])

    def outputs(self, model: nn.Module, batch: Noised) -> Tensor:
        """The predicted image under each draw: (B, D, P)."""
        images_BP, times_BD, noise_BDP = batch
        predicted_BDP: Tensor = model(add_noise(images_BP[:, None], times_BD, noise_BDP), times_BD)
        return predicted_BDP

    def losses(self, outputs: Tensor, batch: Noised) -> Tensor:
        return (outputs - batch[0][:, None]).square().mean((1, 2))

    def _visit(self, example: str, step: int, pixels: int) -> tuple[Tensor, Tensor]:
        """Times (D,) and noise (D, P) of one visit."""
        key = int(sha256_hex(f"{self.seed}/{step}/{example}".encode())[:15], 16)
        generator = torch.Generator().manual_seed(key)
        offsets = torch.rand(self.draws, generator=generator)
        times = EDGE + (1 - 2 * EDGE) * (torch.arange(self.draws) + offsets) / self.draws
        return times, torch.randn(self.draws, pixels, generator=generator)

    def sampled(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Its gradient is noise with the Hessian of a mean squared error as variance (byline.attribution.sampled)."""
        noise = torch.randn(outputs.shape, generator=generator)
        value: Tensor = (outputs * noise).sum() * (2 / outputs[0].numel()) ** 0.5
        return value


def add_noise(images: Tensor, times: Tensor, noise: Tensor) -> Tensor:
    """cos(pi t / 2) image + sin(pi t / 2) noise: (..., P); `times` lacks the last dimension."""
    angles = (math.pi / 2 * times)[..., None]
    return angles.cos() * images + angles.sin() * noise


def new_denoiser(seed: int, *, pixels: int = 64, width: int = 128, layers: int = 2) -> Denoiser:
    """Initial weights follow from the seed; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Denoiser(pixels, width, layers)


def denoising_score(model: nn.Module, images_BP: Tensor, draws: Draws) -> Tensor:
    """Minus the mean squared error, over pixels and `draws`, with which each image is restored: (B,), at most 0.

    Higher: the model knows the image better. With the draws fixed it is one smooth function of the weights. Up to how
    times are weighted, and a constant, it is a lower bound of the log-likelihood (Kingma et al., arXiv 2107.00630).
    """
    times_BD = draws.times_D.expand(len(images_BP), -1)
    noised_BDP = add_noise(images_BP[:, None], times_BD, draws.noise_DP)
    predicted_BDP: Tensor = model(noised_BDP, times_BD)
    return -(predicted_BDP - images_BP[:, None]).square().mean((1, 2))


@torch.no_grad()
def sample(model: nn.Module, noise_BP: Tensor, steps: int = 20) -> Tensor:
    """Images (B, P) in [-1, 1] that the model makes of standard normal noise, by DDIM without added noise.

    Source: Song et al., arXiv 2010.02502, eq. 12 with sigma 0. Differs: each prediction is clamped to [-1, 1].
    """
    times = torch.linspace(1 - EDGE, EDGE, steps + 1)
    images_BP = predicted_BP = noise_BP
    for now, then in pairwise(times):
        predicted_BP = model(images_BP, now.expand(len(images_BP))).clamp(-1, 1)
        angle = math.pi / 2 * now
        error_BP = (images_BP - angle.cos() * predicted_BP) / angle.sin()
        images_BP = add_noise(predicted_BP, then, error_BP)
    return predicted_BP
