"""The reference image classifier: a small convolutional network.

It has no normalisation over the batch and no dropout, so each row's outputs depend on that row alone and nothing is
drawn at random; GELU instead of ReLU keeps the trained weights a smooth function of the weights of the examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Suffixes: B rows of a batch, C channels, H height, W width, K classes

Labelled = tuple[Tensor, Tensor]  # images_BCHW and labels_B; without B it is one image and its label


class ImageClassifier(nn.Module):
    """Two convolutions, of which the second halves the resolution, and a linear layer on what they found."""

    def __init__(self, side: int = 8, classes: int = 10, width: int = 16, channels: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.head = nn.Linear(2 * width * ((side + 1) // 2) ** 2, classes)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Logits (B, K)."""
        hidden = F.gelu(self.second(F.gelu(self.first(images_BCHW))))
        logits_BK: Tensor = self.head(hidden.flatten(1))
        return logits_BK


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierTask:
    """Labelled images as a `Task`: each row's loss is -log p(its label), nats."""

    images_of: Mapping[str, Tensor]  # example id -> image (C, H, W)
    labels_of: Mapping[str, int]  # example id -> class

    def batch(self, example_ids: Sequence[str], step: int) -> Labelled:
        images_BCHW = torch.stack([self.images_of[example] for example in example_ids])
        return images_BCHW, torch.tensor([self.labels_of[example] for example in example_ids])

    def outputs(self, model: nn.Module, batch: Labelled) -> Tensor:
        """Logits (B, K)."""
        logits_BK: Tensor = model(batch[0])
        return logits_BK

    def losses(self, outputs: Tensor, batch: Labelled) -> Tensor:
        return F.cross_entropy(outputs, batch[1], reduction="none")

    def sampled(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy of classes that the model draws (byline.attribution.sampled)."""
        labels_B1 = torch.multinomial(outputs.detach().softmax(1), 1, generator=generator)
        return F.cross_entropy(outputs, labels_B1[:, 0], reduction="sum")


def new_classifier(seed: int, *, side: int = 8, classes: int = 10, width: int = 16) -> ImageClassifier:
    """Initial weights follow from the seed; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ImageClassifier(side, classes, width)


def log_odds(model: nn.Module, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
    """log(p / (1 - p)) of each image's label, nats: (B,). Higher: the model holds to the label more.

    Unlike log p it does not level off at 0 for images that are read well, so what one contributor changes stays
    visible. Source: the output function of TRAK, arXiv 2303.14186, section 3.
    """
    logits_BK: Tensor = model(images_BCHW)
    own_BK = F.one_hot(labels_B, logits_BK.shape[1]).bool()
    others_B = logits_BK.masked_fill(own_BK, float("-inf")).logsumexp(1)
    return logits_BK.gather(1, labels_B[:, None])[:, 0] - others_B


@torch.no_grad()
def classify(model: nn.Module, images_BCHW: Tensor) -> Tensor:
    """The likeliest class of each image: (B,)."""
    labels_B: Tensor = model(images_BCHW).argmax(1)
    return labels_B
