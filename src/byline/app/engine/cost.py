"""What recording, attributing and auditing a training costs, counted from dimensions alone.

Bytes come from the formats, multiplications from the matrices: a sketch of rank r costs r (i + o) + r^2 multiply-adds
per token and matrix, training it 3 i o; a Gauss-Newton product is a forward pass, which all functionals share, and for
each another one and a backward pass, where a training step is three such units; the exact metagradient walks the run
three times and differentiates each step once per query, at twice the price of the step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from byline.app.engine.shape import Matrix, Shape
from byline.core import Record

RANKS = (32, 16, 8, 4)
FLOOR = 0.05  # most that the sketch may add to the training's multiplications where the rank is ours to choose
STATES = 13  # most that a recorder keeps at its default of 6 checkpoints: 11 on the way, the first and the last
ADAM = 12  # bytes of a float32 weight and its two moments
TOGETHER = 8  # queries that the metagradient carries at a time
SHARED, EACH = 1 / 3, 1.0  # trainings: Gauss-Newton products of all functionals (or contributors), and of each more
SMOOTHNESS = 3  # trainings
GIGA = 10**9
LEFT_OUT, SUBSETS, ALONE = 10, 24, 4  # of an audit: contributors, random subsets, outputs beside the period


@dataclass(frozen=True, slots=True)
class Data:
    """The recorded data: `tokens` per example, `batch` rows a step."""

    examples: int
    tokens: int
    epochs: int = 3
    batch: int = 16

    @property
    def visits(self) -> int:
        return self.examples * self.epochs

    @property
    def steps(self) -> int:
        return max(1, self.examples // self.batch) * self.epochs


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of it: shares of `contributors` in `outputs`, and an audit of so many retrainings."""

    contributors: int = 50
    outputs: int = 100
    left_out: int = LEFT_OUT
    subsets: int = SUBSETS
    single_outputs: int = ALONE


@dataclass(frozen=True, slots=True)
class Budget:
    """None: no limit."""

    hours: float | None = None
    gb: float | None = None


@dataclass(frozen=True, slots=True)
class Tier(Record):
    """`trainings`: its work, in trainings of this model on these data; `hours`: its time on this machine, with the
    retrainings of an audit side by side on all cores; `within`: whether the budget reaches for it."""

    tier: int
    name: str
    trainings: float
    hours: float
    bytes: int
    within: bool
    basis: str


def capture_floor(shape: Shape, rank: int) -> float:
    """The least that a sketch of this rank adds to a training, as a part of the training's multiplications."""
    sketched = sum(_sketch(matrix, rank) for matrix in shape.matrices)
    return sketched / sum(3 * matrix.size for matrix in shape.matrices if not matrix.lookup)


def row_bytes(shape: Shape, rank: int) -> int:
    """Of one visit of one example in the feature store: int8 features, a float32 scale per layer, its two numbers."""
    return _features(shape, rank) + 4 * len(shape.matrices) + 8


def _sketch(matrix: Matrix, rank: int) -> int:
    """Multiply-adds per token. The input of a lookup is a row of the projection: nothing to multiply there."""
    out, into = min(rank, matrix.outputs), min(rank, matrix.inputs)
    return out * matrix.outputs + (0 if matrix.lookup else into * matrix.inputs) + out * into


def _features(shape: Shape, rank: int) -> int:
    return sum(min(rank, matrix.outputs) * min(rank, matrix.inputs) for matrix in shape.matrices)


def sizes_of(shape: Shape, data: Data, asked: Asked, rank: int) -> dict[str, int]:
    layers = len(shape.matrices)
    step_line, id_line = 240 + 45 * layers, 41  # of JSON, as counted in a run of nine layers
    squares = sum((min(rank, m.outputs) * min(rank, m.inputs)) ** 2 for m in shape.matrices)
    return {
        "store": data.visits * row_bytes(shape, rank) + data.steps * step_line + data.examples * id_line,
        "shortlist": data.examples * (_features(shape, rank) + 8 + id_line) + 4 * squares + 8 * _features(shape, rank),
        "checkpoints": min(STATES, data.steps + 1) * ADAM * shape.parameters,
        "tangents": asked.contributors * shape.parameters,  # int8
    }


def tiers_of(
    shape: Shape, data: Data, asked: Asked, rank: int, training: float, cores: int, sizes: dict[str, int]
) -> list[Tier]:
    floor = capture_floor(shape, rank)
    functionals = 1 + asked.single_outputs
    walks = 1 + 2 * math.ceil(functionals / TOGETHER)
    audit = SMOOTHNESS + walks + 2 * functionals
    bank = 1 + asked.left_out + asked.subsets  # the first leaves nobody out
    rows = [
        (
            0,
            "trace: the recorded training",
            1 + floor,
            1 + floor,
            sizes["store"] + sizes["checkpoints"],
            "one training and the sketch's multiplications",
        ),
        (
            1,
            f"shortlist of {asked.outputs} outputs",
            *2 * (asked.outputs / data.visits,),
            sizes["shortlist"],
            "one pass each; the scan is not counted",
        ),
        (
            2,
            "transport of one period's invoice",
            *2 * (SHARED + EACH,),
            0,
            "Gauss-Newton products, whatever the outputs",
        ),
        (
            3,
            f"audit: {functionals} functionals, {asked.left_out} contributors, {asked.subsets} subsets",
            audit + bank,
            audit + math.ceil(bank / cores),
            0,
            "metasmoothness, exact walks, retrainings",
        ),
        (
            2,
            f"tangents of {asked.contributors} contributors, for outputs one by one",
            *2 * (SHARED + asked.contributors * EACH,),
            sizes["tangents"],
            "Gauss-Newton products, one walk per contributor; int8 kept",
        ),
    ]
    return [
        Tier(number, name, work, time * training, size, True, basis) for number, name, work, time, size, basis in rows
    ]


def within(tiers: Sequence[Tier], budget: Budget) -> tuple[Tier, ...]:
    """In this order: a tier is within if time and space are left for it after those before it that are. Tangents come
    last, since nothing else needs them."""
    hours, gb = 0.0, 0.0
    told: list[Tier] = []
    for tier in tiers:
        after, size = hours + tier.hours, gb + tier.bytes / GIGA
        possible = not told or told[0].within
        within = possible and after <= (budget.hours or math.inf) and size <= (budget.gb or math.inf)
        if within:
            hours, gb = after, size
        told.append(
            Tier(tier.tier, tier.name, tier.trainings, tier.hours, tier.bytes, within, tier.basis),
        )
    return tuple(told)


def choose_rank(shape: Shape, data: Data, budget: Budget) -> int:
    """The largest whose sketch stays below FLOOR and whose store leaves half of the space for everything else."""
    for rank in RANKS:
        rows = data.visits * row_bytes(shape, rank)
        if capture_floor(shape, rank) <= FLOOR and rows <= (budget.gb or math.inf) * GIGA / 2:
            return rank
    return RANKS[-1]
