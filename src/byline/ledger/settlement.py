"""Who is due what of the money received: the rule of money, as a pure function from records to allocation lines.

After commission and reserve, both rounded down, the rest R of an event goes to cluster w as

    tau*R*prior_w  +  (1-tau)*R*[ lambda*attribution_w  +  (1-lambda)*prior_w ]

in one division by largest remainder over all (basis, cluster) lines, so that each line is within one nano-unit of the
formula; then from the cluster to its works, and from each work to the parties of the split in force on the event's day.
What no measurement traced and what no split names is kept in accounts that everybody can see; so is, where the policy
says so, the pay of new works that no person has looked at yet.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from byline.core import PPM, LedgerError, RevenueEvent, ShareTable, Split, WorkId, digest, make_id
from byline.ledger.allocate import allocate
from byline.ledger.division import cluster_lines, deductions
from byline.ledger.lines import (
    COMMISSION,
    COMMONS,
    RECEIVABLE,
    RESERVE,
    Basis,
    Line,
    Settlement,
    payable,
    unclaimed,
)
from byline.ledger.outputs import OutputSums
from byline.ledger.refusals import refuse_unless_settleable
from byline.ledger.terms import Probation, Stake, Terms, Use

__all__ = [
    "COMMISSION",
    "COMMONS",
    "RECEIVABLE",
    "RESERVE",
    "RULE",
    "Basis",
    "Line",
    "Settlement",
    "payable",
    "resettle",
    "settle",
    "settle_again",
    "unclaimed",
]

RULE = "byline-rule-1"
WAITS: dict[Probation, tuple[Basis, ...]] = {
    Probation.NONE: (),
    Probation.ATTRIBUTED: (Basis.ATTRIBUTION,),
    Probation.ALL: (Basis.ATTRIBUTION, Basis.TRAINING, Basis.PRIOR),
}


def settle(
    events: Sequence[RevenueEvent],
    shares: ShareTable,
    stakes: Sequence[Stake],
    splits: Sequence[Split],
    terms: Terms,
    *,
    uses: Sequence[Use] = (),
    outputs: Sequence[OutputSums] = (),
) -> Settlement:
    """Allocation lines for `events`, all governed by the same shares (unit "cluster") and terms. Order-independent.

    By the policy's mode money follows the shares, or the works that `uses` names. With `outputs` (one per event) each
    output's price has followed its own shares, and `shares` tells about the period as a whole.
    Raises: LedgerError with code "no-events", "duplicate-event", "mixed-currencies", "bad-amount", "terms-too-late",
    "wrong-unit", "reliability-mismatch", "unknown-cluster", "bad-stake", "bad-split", "bad-use", "outputs-differ".
    """
    ordered = Settlement(
        id="",
        rule=RULE,
        events=tuple(sorted(events, key=lambda event: event.id)),
        shares=replace(shares, lines=tuple(sorted(shares.lines, key=lambda line: line.id))),
        stakes=tuple(sorted(stakes, key=lambda stake: stake.cluster)),
        splits=tuple(sorted(splits, key=lambda split: (split.work, split.effective))),
        terms=terms,
        lines=(),
        uses=tuple(sorted(uses, key=lambda use: (use.event, use.work))),
        outputs=tuple(sorted(outputs, key=lambda sums: sums.event)),
    )
    refuse_unless_settleable(ordered)
    lines = tuple(line for event in ordered.events for line in _event_lines(event, ordered) if line.nano)
    return replace(ordered, id=make_id("settlement", digest(ordered.inputs())), lines=lines)


def settle_again(inputs: dict[str, Any]) -> Settlement:
    """The settlement of stored `Settlement.inputs()`. Raises: LedgerError("unknown-rule") and those of `settle`."""
    if inputs.get("rule") != RULE:
        raise LedgerError("unknown-rule", f"settled by rule {inputs.get('rule')!r}, this program knows {RULE!r}")
    told = Settlement.from_json({**inputs, "id": "", "lines": []})
    return resettle(told)


def resettle(told: Settlement) -> Settlement:
    """Settle what a settlement was made of again. Raises: those of `settle`."""
    given = (told.events, told.shares, told.stakes, told.splits, told.terms)
    return settle(*given, uses=told.uses, outputs=told.outputs)


# --- one event ------------------------------------------------------------------------------------------------


def _event_lines(event: RevenueEvent, told: Settlement) -> Iterator[Line]:
    policy = told.terms.policy
    commission, reserve = deductions(event, told)
    yield Line(event.id, Basis.COMMISSION, COMMISSION, str(commission), (policy.commission_ppm, PPM))
    yield Line(event.id, Basis.RESERVE, RESERVE, str(reserve), (policy.reserve_ppm, PPM))
    works = {stake.cluster: stake.works for stake in told.stakes}
    splits, probation = _in_force(told.splits, event), told.on_probation()
    for line in cluster_lines(event, told):
        if line.cluster is None:
            yield line
        else:
            waits = line.cluster in probation and line.basis in WAITS[policy.probation]
            for part in _work_lines(line, works[line.cluster]):
                yield from _waiting_lines(part) if waits else _party_lines(part, splits)


def _work_lines(line: Line, works: Sequence[tuple[WorkId, int]]) -> Iterator[Line]:
    weights: dict[str, int] = dict(works)
    parts = allocate(line.nano, weights, f"{line.event} {line.basis} {line.cluster}")
    for work, weight in works:
        yield replace(line, work=work, amount_nano=str(parts[work]), in_cluster=(weight, sum(weights.values())))


def _party_lines(line: Line, splits: dict[WorkId, Split]) -> Iterator[Line]:
    """By the split in force; what the split leaves open waits in an account of the work."""
    if line.work is None:
        return
    weights: Counter[str] = Counter()
    for party, ppm in splits[line.work].lines if line.work in splits else ():
        weights[payable(party)] += ppm
    weights[unclaimed(line.work)] = PPM - sum(weights.values())
    parts = allocate(line.nano, weights, f"{line.event} {line.basis} {line.work}")
    for account, ppm in weights.items():
        yield replace(line, account=account, amount_nano=str(parts[account]), split_ppm=ppm)


def _waiting_lines(line: Line) -> Iterator[Line]:
    """Nobody is paid yet: all of it waits in the account of the work."""
    if line.work is not None:
        yield replace(line, account=unclaimed(line.work))


def _in_force(splits: Sequence[Split], event: RevenueEvent) -> dict[WorkId, Split]:
    """Per work the latest split effective on or before the event's day (`splits` is ordered by date)."""
    return {split.work: split for split in splits if split.effective <= event.received}
