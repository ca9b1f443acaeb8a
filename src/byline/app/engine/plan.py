"""What a training would cost with Byline beside it, before it is begun.

    told = plan(shape_of("llama-small"), Data(examples=1000, tokens=128, epochs=3), gflops=60.0)
    told.rank, told.tiers, told.advice

Nothing is known beforehand of how good the answers will be; `measured` repeats what benches measured and says where.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from byline.app.engine.advice import advice_on
from byline.app.engine.cost import (
    ADAM,
    GIGA,
    TOGETHER,
    Asked,
    Budget,
    Data,
    Tier,
    capture_floor,
    choose_rank,
    sizes_of,
    tiers_of,
    within,
)
from byline.app.engine.measured import measured
from byline.app.engine.shape import Shape
from byline.core import AppError, Record


@dataclass(frozen=True, slots=True)
class Plan(Record):
    model: str
    parameters: int
    assumed: tuple[str, ...]
    rank: int
    gflops: float
    gflops_from: str
    cores: int
    capture_floor: float  # multiplications of the sketch over those of the training
    store_bytes: int
    shortlist_bytes: int
    checkpoint_bytes: int
    tangent_bytes: int
    audit_memory_bytes: int
    tiers: tuple[Tier, ...]
    fits: bool
    advice: tuple[str, ...]
    measured: tuple[str, ...]


def plan(
    shape: Shape,
    data: Data,
    gflops: float,
    *,
    gflops_from: str = "given",
    cores: int = 1,
    asked: Asked | None = None,
    budget: Budget | None = None,
    rank: int | None = None,
    results: Path | None = None,
) -> Plan:
    """`gflops`: 10^9 floating-point operations a second in forward and backward passes, of one training at a time.

    Raises: AppError("bad-plan") for numbers that are not above zero, ("unreadable") for damaged results of a bench.
    """
    asked, budget = asked or Asked(), budget or Budget()
    _refuse(data, asked, budget, gflops, rank)
    rank = rank or choose_rank(shape, data, budget)
    sizes = sizes_of(shape, data, asked, rank)
    training = shape.training_flops(data.tokens) * data.tokens * data.visits / (gflops * GIGA) / 3600
    tiers = within(tiers_of(shape, data, asked, rank, training, cores, sizes), budget)
    return Plan(
        model=shape.name,
        parameters=shape.parameters,
        assumed=shape.assumed,
        rank=rank,
        gflops=gflops,
        gflops_from=gflops_from,
        cores=cores,
        capture_floor=capture_floor(shape, rank),
        store_bytes=sizes["store"],
        shortlist_bytes=sizes["shortlist"],
        checkpoint_bytes=sizes["checkpoints"],
        tangent_bytes=sizes["tangents"],
        audit_memory_bytes=(2 * math.isqrt(data.steps) + 2 + TOGETHER) * ADAM * shape.parameters,
        tiers=tiers,
        fits=all(tier.within for tier in tiers),
        advice=tuple(advice_on(shape, data, budget, rank, tiers, sizes)),
        measured=measured(shape, rank, results),
    )


def _refuse(data: Data, asked: Asked, budget: Budget, gflops: float, rank: int | None) -> None:
    numbers = {
        "examples": data.examples,
        "tokens per example": data.tokens,
        "epochs": data.epochs,
        "batch": data.batch,
        "contributors": asked.contributors,
        "outputs": asked.outputs,
        "GFLOP/s": gflops,
        "rank": rank,
        "hours": budget.hours,
        "GB": budget.gb,
    }
    for name, value in numbers.items():
        if value is not None and not 0 < value < math.inf:
            raise AppError("bad-plan", f"{name} is {value}", "give a number above zero")
