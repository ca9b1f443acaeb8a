"""Is the training smooth in its examples' weights? If not, no derivative predicts what leaving examples out does.

    found = metasmoothness(train, n)              # three trainings
    smoothness_gate(found.score)                             # up to which part of the examples a certificate may speak

Three trainings under weights 1, 1 + h v and 1 + 2h v, v one random direction: where the trained weights move the same
way in both halves, the training is close to linear over that distance. Each parameter votes with how far it moved.

Source: metasmoothness, arXiv 2503.13751.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from byline.core import EvaluationError
from byline.evaluation.correlation import Floats

# Suffixes: N training examples, P parameters of the model

Train = Callable[[Floats], Floats]  # weights_N of the examples -> parameters_P of the trained model

SMOOTH, NEARLY = 0.99, 0.95  # by convention; docs/audit.md says where they come from
DROP_IF_SMOOTH, DROP_IF_NEARLY = 0.10, 0.02


@dataclass(frozen=True, slots=True)
class Metasmoothness:
    """`score` in [-1, 1]: 1 is smooth, 0 is as good as random."""

    score: float
    h: float
    seed: int
    trainings: int = 3


@dataclass(frozen=True, slots=True)
class SmoothnessGate:
    """`largest_drop`: part of the examples whose removal a certificate may speak about; 0 refuses it altogether."""

    largest_drop: float
    because: str
    fix: str = ""


def metasmoothness(train: Train, n: int, h: float = 0.01, seed: int = 0) -> Metasmoothness:
    """Train three times; everything but the weights (order, initial weights, denominators) must stay the same.

    `n`: number of examples; `h`: how far their weights are moved, in units of a whole example. A score of another h is
    another score: publish both. Raises: EvaluationError("flat-training", "not-finite", "bad-step").
    """
    if not h > 0:
        raise EvaluationError("bad-step", f"metasmoothness with h = {h}", "use a small positive number, e.g. 0.01")
    direction_N = np.random.default_rng(seed).standard_normal(n)
    start_P, half_P, end_P = (np.asarray(train(1 + k * h * direction_N), dtype=np.float64) for k in range(3))
    moved_P = np.abs(end_P - start_P)
    total = float(moved_P.sum())
    if not np.isfinite(total):
        raise EvaluationError("not-finite", "a training ended with weights that are not finite", "lower the rate or h")
    if total == 0:
        raise EvaluationError(
            "flat-training",
            f"weights that differ by h = {h} gave the very same model",
            "check that train uses its argument, or raise h above the precision of the weights",
        )
    agree_P = np.sign(half_P - start_P) * np.sign(end_P - half_P)
    return Metasmoothness(float((moved_P / total) @ agree_P), h, seed)


def smoothness_gate(score: float) -> SmoothnessGate:
    """What metasmoothness allows: removal of up to 10 % of the examples, of up to 2 %, or nothing."""
    if score >= SMOOTH:
        return SmoothnessGate(DROP_IF_SMOOTH, f"metasmoothness {score:.3f} is at least {SMOOTH}")
    if score >= NEARLY:
        return SmoothnessGate(DROP_IF_NEARLY, f"metasmoothness {score:.3f} is at least {NEARLY} and below {SMOOTH}")
    return SmoothnessGate(
        0.0,
        f"metasmoothness {score:.3f} is below {NEARLY}: derivatives do not say what this training would have done",
        "train with a lower learning rate, a larger batch, a larger epsilon of Adam, gradient clipping or normalised "
        "queries and keys, or start from a base model, and measure again",
    )
