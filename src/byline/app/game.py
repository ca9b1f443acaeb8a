"""How a period's sums become credit: the choice that a policy names, versioned and hashed, and the numbers of each.

`linear`: a cluster is due the sum of its examples' scores; share and uniqueness are one number. `redundancy`: clusters
that teach the same divide what they taught together (`byline.attribution.held_game`), and uniqueness says what would be
lost without each. The choice stands in attribution.json and in the subject of the shares, so that a settlement and its
statements say how they were divided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from byline.attribution import RIDGE, WIDTH, displacements, held_game, leading, two_numbers
from byline.core import AppError, EvaluationError, Record, ScoreTable, digest
from byline.evaluation import Channelled
from byline.store import RunReader

# Suffixes: N training examples, G clusters, K features

Floats = npt.NDArray[np.float64]
LINEAR, REDUNDANCY = "linear", "redundancy"
VERSION = 1  # of both games; a change of what they compute is another version
PERIOD = "period"  # subject of the shares of the linear game


@dataclass(frozen=True, slots=True)
class Choice(Record):
    """`ridge_ppm` and `width` of the redundancy game, 0 in the linear one; `blend` is the digest of the weights that
    join channels, "" where the transport's channels count alike; `words`: whether likeness of words is one of them.
    The last is written only where it is true, so that choices made before it existed keep their digest."""

    game: str = LINEAR
    version: int = VERSION
    ridge_ppm: int = 0
    width: int = 0
    blend: str = ""
    words: bool = False

    def to_json(self) -> dict[str, Any]:
        written = Record.to_json(self)
        return written if self.words else {name: value for name, value in written.items() if name != "words"}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return super(Choice, cls).from_json({"words": False} | value if isinstance(value, dict) else value)

    @classmethod
    def of(cls, game: str, blend: str = "", words: bool = False) -> "Choice":
        """Raises: AppError("unknown-game")."""
        if game not in (LINEAR, REDUNDANCY):
            raise AppError("unknown-game", f"there is no game {game!r}", f"use --game {LINEAR} or --game {REDUNDANCY}")
        if game == LINEAR:
            return cls(blend=blend, words=words)
        return cls(game, VERSION, round(1e6 * RIDGE), WIDTH, blend, words)

    @property
    def subject(self) -> str:
        """Of the shares: how they were divided, and the digest of this choice, unless it is the plain one."""
        if self == Choice():
            return PERIOD
        joined = (", blended channels with words" if self.words else ", blended channels") if self.blend else ""
        return f"{PERIOD}, {self.game} game {self.version}{joined} ({self.digest()[:16]})"


@dataclass(frozen=True, slots=True)
class How:
    """How a period is asked to be divided: the game; how many more times its scores are carried back, with resampled
    batches, to learn how much they owe to chance (0: that stays unknown); whether channels are joined by the weights
    that the audit fitted, and whether the words are one of them.

    Raises: AppError("bad-streams") for one stream, which has no spread.
    """

    game: str = LINEAR
    streams: int = 0
    blend: bool = False
    words: bool = False

    @property
    def joins(self) -> bool:
        return self.blend or self.words

    def __post_init__(self) -> None:
        if self.streams < 0 or self.streams == 1:
            raise AppError("bad-streams", f"{self.streams} streams of batches", "ask for none, or for 2 or more")

    def choice(self, weights: Channelled | None = None) -> Choice:
        """Raises: AppError("unknown-game")."""
        return Choice.of(self.game, "" if weights is None else weights_digest(weights), self.words)


def weights_digest(weights: Channelled) -> str:
    return digest({name: repr(factor) for name, factor in zip(weights.channels, weights.factors, strict=True)})


def weights_of(kept: Mapping[str, Any] | None, words: bool = False) -> Channelled:
    """The blend that the audit kept in calibration.json, without the words or with them.

    Raises: AppError("no-blend") if it fitted none, or if what it is worth where it was not fitted is not above zero
    beyond chance: then the plain sum is the better founded."""
    name = "blend_words" if words else "blend"
    if not kept or name not in kept:
        says = f"no audit of this run fitted weights of channels{' with the words' if words else ''}"
        raise AppError("no-blend", says, "byline audit --subsets 24, about 2 outputs or more")
    try:
        found = Channelled.from_json(kept[name])
    except EvaluationError as fault:
        raise AppError("no-blend", fault.message, fault.fix) from fault
    if not found.helps:
        says = f"the blend gains {found.gain:+.3f}, 90 % interval {found.low:+.3f} to {found.high:+.3f}: maybe nothing"
        raise AppError("no-blend", says, "leave --blend out, or audit with more --subsets")
    return found


def blend_words(told: Mapping[str, Any]) -> str:
    """A kept blend in words: its weights, each channel alone, and what joining them gains."""
    rows = zip(told["channels"], told["factors"], told["alone"], strict=True)
    parts = ", ".join(f"{name} x {factor:.3g} (alone {alone:.3f})" for name, factor, alone in rows)
    return (
        f"{parts}. LDS {told['held_out']:.3f} where the weights were not fitted, {told['added']:.3f} without a blend: "
        f"gain {told['gain']:+.3f}, 90 % interval {told['low']:+.3f} to {told['high']:+.3f}; fitted on "
        f"{told['queries']} queries and {told['retrainings']} retrainings"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Credits:
    """Share and uniqueness of each group, in the unit of the scores. `stretch`: how much larger the shares are than
    the linear sums, over all groups; errors of the sums are multiplied by it. `orders_G`: errors of sampled orders."""

    share_G: Floats
    unique_G: Floats
    orders_G: Floats
    stretch: float
    explained: float


def credits_of(choice: Choice, store: RunReader, scores: ScoreTable, groups: Sequence[str], sums_G: Floats) -> Credits:
    """`scores`: of one functional, over the examples in any order; `sums_G` of the groups in the order of their names.

    Raises: AttributionError("empty-run", "bad-game").
    """
    if choice.game == LINEAR:
        return Credits(sums_G, sums_G, np.zeros_like(sums_G), 1.0, 0.0)
    place: dict[str, int] = {example: n for n, example in enumerate(store.example_ids)}
    rows_NK = displacements(store)[[place[example] for example in scores.example_ids]]
    held = held_game(leading(rows_NK, choice.width), scores.scores_QN[0], groups, choice.ridge_ppm / 1e6)
    found = two_numbers(held)
    whole = float(np.abs(sums_G).sum())
    stretch = float(np.abs(found.share_G).sum()) / whole if whole > 0 else 1.0
    return Credits(found.share_G, found.unique_G, found.orders_G, stretch, held.explained)
