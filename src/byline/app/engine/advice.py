"""Which dial to turn where a plan does not fit its budget."""

from collections.abc import Sequence

from byline.app.engine.cost import FLOOR, GIGA, Budget, Data, Tier, capture_floor
from byline.app.engine.shape import Shape


def advice_on(
    shape: Shape, data: Data, budget: Budget, rank: int, tiers: Sequence[Tier], sizes: dict[str, int]
) -> list[str]:
    """For each tier that the budget does not reach, the dial that brings it nearest."""
    trace, shortlist, invoice, audit, tangents = tiers
    told = []
    if not trace.within:
        return _trace_advice(data, budget, rank, trace, sizes)
    if not invoice.within:
        told.append(f"transport does not fit: allow {trace.hours + invoice.hours:.2g} hours, or take fewer --epochs")
    if not tangents.within:
        told.append(
            "tangents do not fit: bill by the period (one invoice for all outputs), or carry the tangents of the "
            "contributors with the largest shares only (lower --contributors)"
        )
    if not audit.within:
        needed = sum(tier.hours for tier in tiers if tier.within) + audit.hours
        told.append(
            f"the audit does not fit: allow {needed:.2g} hours, lower --subsets (a certificate needs 20) or "
            "--left-out (it needs 5), or audit a smaller twin and say so"
        )
    if not shortlist.within:
        told.append(f"the shortlist does not fit: lower --rank below {rank}, or ask about fewer --outputs")
    if capture_floor(shape, rank) > FLOOR:
        told.append(f"the sketch adds {capture_floor(shape, rank):.0%} to the training: lower --rank below {rank}")
    return told


def _trace_advice(data: Data, budget: Budget, rank: int, trace: Tier, sizes: dict[str, int]) -> list[str]:
    told = []
    if budget.hours is not None and trace.hours > budget.hours:
        epochs = int(data.epochs * budget.hours / trace.hours)
        dial = (
            f"--epochs {epochs}" if epochs else f"at most {_part(data.examples, budget.hours / trace.hours)} examples"
        )
        told.append(
            f"the training alone takes {trace.hours:.2g} hours: {dial}, a smaller model, or a machine "
            f"{trace.hours / budget.hours:.1f} times as fast"
        )
    if budget.gb is not None and trace.bytes > budget.gb * GIGA:
        if sizes["checkpoints"] >= sizes["store"]:
            told.append(
                f"the kept states take {sizes['checkpoints'] / GIGA:.2g} GB: Recorder(checkpoints=1) keeps at most "
                "3 of them, checkpoints=0 none (then there is neither transport nor audit)"
            )
        else:
            told.append(f"the feature store takes {sizes['store'] / GIGA:.2g} GB: lower --rank below {rank}")
    return told


def _part(count: int, part: float) -> int:
    return max(1, int(count * part))
