"""Who is due what of the money received: the rule of money, as a pure function from records to allocation lines.

After commission and reserve, both rounded down, the rest R of an event goes to cluster w as

    tau*R*prior_w  +  (1-tau)*R*[ lambda*attribution_w  +  (1-lambda)*prior_w ]

in one division by largest remainder over all (basis, cluster) lines, so that each line is within one nano-unit of the
formula; then from the cluster to its works, and from each work to the parties of the split in force on the event's day.
What no measurement traced and what no split names is kept in accounts that everybody can see.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from byline.core import (
    PPB,
    PPM,
    ClusterId,
    EventId,
    LedgerError,
    PartyId,
    Record,
    RevenueEvent,
    ShareTable,
    Split,
    WorkId,
    digest,
    make_id,
)
from byline.ledger.allocate import allocate
from byline.ledger.terms import Policy, Prior, Stake, Terms, Unattributed

RULE = "byline-rule-1"
INT64_MAX = 2**63 - 1

RECEIVABLE = "assets:receivable"
COMMISSION = "income:commission"
RESERVE = "held:reserve"
COMMONS = "held:commons"


class Basis(StrEnum):
    """Why money went where it went."""

    ATTRIBUTION = "attribution"
    TRAINING = "training"
    PRIOR = "prior"
    UNATTRIBUTED = "unattributed"
    COMMISSION = "commission"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True)
class Line(Record):
    """One allocation. `share` = (weight, whole) of the cluster on this basis: parts per billion for attribution, prior
    weights for training and prior, parts per million of the gross for deductions. `cluster_nano` is what the cluster
    got on this basis; of it the work got `in_cluster` = (weight, whole), and of that the account got `split_ppm`."""

    event: EventId
    basis: Basis
    account: str
    amount_nano: str
    share: tuple[int, int]
    cluster: ClusterId | None = None
    cluster_nano: str = "0"
    work: WorkId | None = None
    in_cluster: tuple[int, int] = (1, 1)
    split_ppm: int = PPM

    @property
    def nano(self) -> int:
        return int(self.amount_nano)


@dataclass(frozen=True, slots=True)
class Settlement(Record):
    """The inputs of one distribution and the lines that follow from them. `id` is the hash of the inputs."""

    id: str
    rule: str
    events: tuple[RevenueEvent, ...]
    shares: ShareTable
    stakes: tuple[Stake, ...]
    splits: tuple[Split, ...]
    terms: Terms
    lines: tuple[Line, ...]

    @property
    def currency(self) -> str:
        return self.events[0].currency

    def inputs(self) -> dict[str, Any]:
        """JSON of everything but the lines: enough to compute the settlement again."""
        return {name: value for name, value in self.to_json().items() if name not in ("id", "lines")}

    def totals(self) -> dict[str, int]:
        """Nano-units: received = allocated (to parties) + held (reserve, unclaimed, commons) + commission."""
        sums = {"allocated": 0, "held": 0, "commission": 0}
        for line in self.lines:
            sums[_side(line.account)] += line.nano
        return {"received": sum(event.nano for event in self.events), **sums}


def payable(party: PartyId) -> str:
    return f"payable:{party}"


def unclaimed(work: WorkId) -> str:
    return f"held:unclaimed:{work}"


def settle(
    events: Sequence[RevenueEvent],
    shares: ShareTable,
    stakes: Sequence[Stake],
    splits: Sequence[Split],
    terms: Terms,
) -> Settlement:
    """Allocation lines for `events`, all governed by the same shares (unit "cluster") and terms. Order-independent.

    Raises: LedgerError with code "no-events", "duplicate-event", "mixed-currencies", "bad-amount", "terms-too-late",
    "wrong-unit", "reliability-mismatch", "unknown-cluster", "bad-stake", "bad-split".
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
    )
    _refuse_events(ordered.events, terms)
    _refuse_shares(ordered.shares, ordered.stakes, terms)
    _refuse_splits(ordered.splits)
    lines = tuple(line for event in ordered.events for line in _event_lines(event, ordered) if line.nano)
    return replace(ordered, id=make_id("settlement", digest(ordered.inputs())), lines=lines)


def settle_again(inputs: dict[str, Any]) -> Settlement:
    """The settlement of stored `Settlement.inputs()`. Raises: LedgerError("unknown-rule") and those of `settle`."""
    if inputs.get("rule") != RULE:
        raise LedgerError("unknown-rule", f"settled by rule {inputs.get('rule')!r}, this program knows {RULE!r}")
    told = Settlement.from_json({**inputs, "id": "", "lines": []})
    return settle(told.events, told.shares, told.stakes, told.splits, told.terms)


# --- one event ------------------------------------------------------------------------------------------------


def _event_lines(event: RevenueEvent, told: Settlement) -> Iterator[Line]:
    policy = told.terms.policy
    commission, reserve = deductions(event, policy)
    yield Line(event.id, Basis.COMMISSION, COMMISSION, str(commission), (policy.commission_ppm, PPM))
    yield Line(event.id, Basis.RESERVE, RESERVE, str(reserve), (policy.reserve_ppm, PPM))
    works = {stake.cluster: stake.works for stake in told.stakes}
    splits = _in_force(told.splits, event)
    for line in _cluster_lines(event.id, event.nano - commission - reserve, told):
        if line.cluster is None:
            yield line
        else:
            for part in _work_lines(line, works[line.cluster]):
                yield from _party_lines(part, splits)


def _cluster_lines(event: EventId, net: int, told: Settlement) -> Iterator[Line]:
    """One line per basis and cluster; weights are over the common whole PPM * PPM * PPB * (sum of prior weights)."""
    tau, lam, rest = told.terms.policy.train_share_ppm, told.terms.reliability.lambda_ppm, told.shares.unattributed_ppb
    ppb, prior = told.shares.ppb(), prior_weights(told)
    whole = sum(prior.values())
    to_prior = (PPM - lam) * PPB
    if told.terms.policy.unattributed is Unattributed.PRIOR:
        to_prior, rest = to_prior + lam * rest, 0
    weights: dict[tuple[Basis, ClusterId | None], int] = {}
    for cluster, weight in prior.items():
        weights[Basis.TRAINING, cluster] = tau * PPM * PPB * weight
        weights[Basis.PRIOR, cluster] = (PPM - tau) * to_prior * weight
        weights[Basis.ATTRIBUTION, cluster] = (PPM - tau) * lam * ppb.get(cluster, 0) * whole
    weights[Basis.UNATTRIBUTED, None] = (PPM - tau) * lam * rest * whole
    parts = allocate(net, {f"{basis} {cluster}": weight for (basis, cluster), weight in weights.items()}, event)
    for basis, name in weights:
        amount = str(parts[f"{basis} {name}"])
        if name is None:
            yield Line(event, basis, COMMONS, amount, (rest, PPB))
        else:
            share = (ppb.get(name, 0), PPB) if basis is Basis.ATTRIBUTION else (prior[name], whole)
            yield Line(event, basis, "", amount, share, cluster=name, cluster_nano=amount)


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


def prior_weights(told: Settlement) -> dict[ClusterId, int]:
    """Weight of each cluster under the agreed prior."""
    equal = told.terms.policy.prior is Prior.EQUAL
    return {stake.cluster: 1 if equal else stake.length for stake in told.stakes}


def _in_force(splits: Sequence[Split], event: RevenueEvent) -> dict[WorkId, Split]:
    """Per work the latest split effective on or before the event's day (`splits` is ordered by date)."""
    return {split.work: split for split in splits if split.effective <= event.received}


def deductions(event: RevenueEvent, policy: Policy) -> tuple[int, int]:
    """Commission and reserve of an event, in nano-units."""
    return _rounded_down(event.nano, policy.commission_ppm), _rounded_down(event.nano, policy.reserve_ppm)


def _rounded_down(amount: int, ppm: int) -> int:
    """The operator never gets more than its rate, also when an event takes money back."""
    return abs(amount) * ppm // PPM * (1 if amount >= 0 else -1)


def _side(account: str) -> str:
    return {"payable": "allocated", "held": "held", "income": "commission"}[account.partition(":")[0]]


# --- inputs that cannot be settled ----------------------------------------------------------------------------


def _refuse_events(events: Sequence[RevenueEvent], terms: Terms) -> None:
    if not events:
        raise LedgerError("no-events", "nothing was received", "add at least one revenue event")
    if len({event.id for event in events}) != len(events):
        raise LedgerError("duplicate-event", "an event stands twice in the settlement", "give each event once")
    currencies = sorted({event.currency for event in events})
    if len(currencies) > 1:
        raise LedgerError("mixed-currencies", f"events in {', '.join(currencies)}", "settle each currency by itself")
    for event in events:
        _refuse_amount(event)
        terms.refuse_if_late(event)


def _refuse_amount(event: RevenueEvent) -> None:
    text = event.amount_nano
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20 and str(int(text)) == text):
        raise LedgerError("bad-amount", f"{event.id}: {text!r} is not a whole number of nano-units", "e.g. 1000000000")
    if abs(int(text)) > INT64_MAX:
        raise LedgerError("bad-amount", f"{event.id}: {text} nano does not fit 64 bits", "book it as several events")


def _refuse_shares(shares: ShareTable, stakes: Sequence[Stake], terms: Terms) -> None:
    if shares.unit != "cluster":
        raise LedgerError("wrong-unit", f"shares are per {shares.unit}, money is divided per cluster")
    if (shares.run, shares.method) != (terms.reliability.run, terms.reliability.method):
        raise LedgerError(
            "reliability-mismatch",
            f"shares come from {shares.method} on {shares.run}, "
            f"lambda from {terms.reliability.method} on {terms.reliability.run}",
            "measure the reliability of the method and run that gave the shares",
        )
    clusters = {stake.cluster for stake in stakes}
    if not stakes or len(clusters) != len(stakes):
        raise LedgerError("bad-stake", f"{len(stakes)} stakes for {len(clusters)} clusters", "one stake per cluster")
    strangers = sorted({line.id for line in shares.lines if line.ppb} - clusters)
    if strangers:
        raise LedgerError("unknown-cluster", f"shares name {strangers[0]}, which was not in the training manifest")


def _refuse_splits(splits: Sequence[Split]) -> None:
    seen = set()
    for split in splits:
        parts = [ppm for _, ppm in split.lines]
        if sum(parts) > PPM or any(ppm < 0 for ppm in parts):
            raise LedgerError("bad-split", f"split of {split.work} from {split.effective} adds to {sum(parts)} ppm")
        if (split.work, split.effective) in seen:
            raise LedgerError("bad-split", f"{split.work} has two splits from {split.effective}", "withdraw one")
        seen.add((split.work, split.effective))
