"""Inputs that cannot be settled, each refused before any money is divided."""

from collections.abc import Sequence

from byline.core import PPM, LedgerError, RevenueEvent, ShareTable, Split
from byline.ledger.lines import Settlement
from byline.ledger.outputs import OutputSums, rates_of
from byline.ledger.terms import Mode, Pooling, Prior, Stake, Terms

INT64_MAX = 2**63 - 1


def refuse_unless_settleable(told: Settlement) -> None:
    """Raises: LedgerError with the codes that `settle` lists."""
    _refuse_events(told.events, told.terms)
    _refuse_shares(told.shares, told.stakes, told.terms)
    _refuse_splits(told.splits)
    _refuse_uses(told)
    _refuse_outputs(told)


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
    if terms.policy.prior is Prior.CATALOGUE and not all(stake.catalogue for stake in stakes):
        raise LedgerError("bad-stake", "a cluster belongs to no catalogue", "name one, or agree on another prior")
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


def _refuse_uses(told: Settlement) -> None:
    mode, named = told.terms.policy.mode, {use.event for use in told.uses}
    if mode is Mode.SHARES:
        if told.uses:
            raise LedgerError("bad-use", "works are named, but the policy divides by shares", "a policy of mode toll")
        return
    known = {work for stake in told.stakes for work, _ in stake.works}
    if named != {event.id for event in told.events}:
        raise LedgerError("bad-use", "payments and the works they name do not match", f"mode {mode} names works")
    if len({(use.event, use.work) for use in told.uses}) != len(told.uses):
        raise LedgerError("bad-use", "a payment names a work twice", "add up its requests")
    for use in told.uses:
        if use.work not in known:
            raise LedgerError("bad-use", f"{use.event} names {use.work}, which is in no cluster", "settle it by itself")


def _refuse_outputs(told: Settlement) -> None:
    policy = told.terms.policy
    if not told.outputs:
        if policy.pooling is Pooling.PAYER and policy.mode is Mode.SHARES:
            raise LedgerError(
                "outputs-differ", "payer-centric, and no outputs", "give the sums over each one's outputs"
            )
        return
    events = {event.id: event.nano for event in told.events}
    if policy.mode is not Mode.SHARES or sorted(events) != sorted(sums.event for sums in told.outputs):
        raise LedgerError("outputs-differ", "payments and outputs do not match", "one sum over outputs per payment")
    clusters = {stake.cluster for stake in told.stakes}
    for sums in told.outputs:
        _refuse_sums(sums, events[sums.event], told.terms)
        for cluster, _ in sums.clusters:
            if cluster not in clusters:
                raise LedgerError("unknown-cluster", f"outputs name {cluster}, which was not in the training manifest")


def _refuse_sums(sums: OutputSums, received: int, terms: Terms) -> None:
    pots = (sums.commission_nano, sums.reserve_nano, sums.training_nano, sums.prior_nano, sums.unattributed_nano)
    total = sum(map(int, pots)) + sum(int(nano) for _, nano in sums.clusters)
    if not received == int(sums.received_nano) == total:
        says = f"{received} nano received for {sums.event}, outputs priced {sums.received_nano}, divided {total}"
        raise LedgerError("outputs-differ", says, "settle what was received for these outputs")
    if sums.rates != rates_of(terms) or len(dict(sums.clusters)) != len(sums.clusters):
        raise LedgerError("outputs-differ", f"outputs of {sums.event} were divided under other terms", "divide again")
