"""Of one event: what is deducted, and what each cluster gets on which basis. Nothing here knows works or parties."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import lcm

from byline.core import PPB, PPM, ClusterId, EventId, RevenueEvent
from byline.ledger.allocate import allocate
from byline.ledger.lines import COMMONS, Basis, Line, Settlement
from byline.ledger.outputs import OutputSums
from byline.ledger.terms import Mode, Prior, Stake, Unattributed


def cluster_lines(event: RevenueEvent, told: Settlement) -> Iterator[Line]:
    """One line per basis and cluster, and one for the commons; with the deductions they add up to the event."""
    sums = sums_of(told, event.id)
    net = event.nano - sum(deductions(event, told))
    if told.terms.policy.mode is not Mode.SHARES:
        return _by_use(event.id, net, told)
    return _by_outputs(sums, told) if sums else _by_shares(event.id, net, told)


def deductions(event: RevenueEvent, told: Settlement) -> tuple[int, int]:
    """Commission and reserve of an event, in nano-units; of the outputs it was for, if they are known."""
    if sums := sums_of(told, event.id):
        return int(sums.commission_nano), int(sums.reserve_nano)
    policy = told.terms.policy
    return _rounded_down(event.nano, policy.commission_ppm), _rounded_down(event.nano, policy.reserve_ppm)


def sums_of(told: Settlement, event: EventId) -> OutputSums | None:
    return next((sums for sums in told.outputs if sums.event == event), None)


def traced(told: Settlement) -> tuple[dict[ClusterId, int], int]:
    """Shares that money follows, in parts per billion, after the policy's cap; and what is left to nobody."""
    cap = told.terms.policy.cap_ppm * (PPB // PPM)
    ppb = {ClusterId(line.id): min(line.ppb, cap) for line in told.shares.lines}
    return ppb, PPB - sum(ppb.values())


def prior_weights(told: Settlement) -> dict[ClusterId, int]:
    """Weight of each cluster under the agreed prior."""
    rule = told.terms.policy.prior
    if rule is Prior.CATALOGUE:
        return _catalogue_weights(told.stakes)
    return {stake.cluster: 1 if rule is Prior.EQUAL else stake.length for stake in told.stakes}


def _catalogue_weights(stakes: tuple[Stake, ...]) -> dict[ClusterId, int]:
    """Each catalogue the same, and in a catalogue each cluster the same."""
    counts = Counter(stake.catalogue for stake in stakes)
    common = lcm(*counts.values())
    return {stake.cluster: common // counts[stake.catalogue] for stake in stakes}


def _by_shares(event: EventId, net: int, told: Settlement) -> Iterator[Line]:
    """The rule of money in one division; weights are over the whole PPM * PPM * PPB * (sum of prior weights)."""
    tau, lam = told.terms.policy.train_share_ppm, told.terms.reliability.lambda_ppm
    (ppb, rest), prior = traced(told), prior_weights(told)
    whole, to_prior = sum(prior.values()), (PPM - lam) * PPB
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
        amount = parts[f"{basis} {name}"]
        if name is None:
            yield Line(event, basis, COMMONS, str(amount), (rest, PPB))
        else:
            share = (ppb.get(name, 0), PPB) if basis is Basis.ATTRIBUTION else _share(prior, name, told)
            yield _line(event, basis, name, amount, share)


def _by_outputs(sums: OutputSums, told: Settlement) -> Iterator[Line]:
    """The attributed parts as the outputs added up to; the parts of training and prior divided here, once."""
    pools = {Basis.TRAINING: int(sums.training_nano), Basis.PRIOR: int(sums.prior_nano)}
    rest = int(sums.unattributed_nano)
    pot = rest + sum(int(nano) for _, nano in sums.clusters)
    if told.terms.policy.unattributed is Unattributed.PRIOR:
        pools[Basis.PRIOR] += rest
    else:
        yield Line(sums.event, Basis.UNATTRIBUTED, COMMONS, str(rest), _part(rest, pot))
    for cluster, nano in sums.clusters:
        yield _line(sums.event, Basis.ATTRIBUTION, cluster, int(nano), _part(int(nano), pot))
    prior = prior_weights(told)
    for basis, pool in pools.items():
        parts = allocate(pool, {str(name): weight for name, weight in prior.items()}, f"{sums.event} {basis}")
        for cluster in prior:
            yield _line(sums.event, basis, cluster, parts[cluster], _share(prior, cluster, told))


def _by_use(event: EventId, net: int, told: Settlement) -> Iterator[Line]:
    """Flat: every cluster of which a work is named gets the same. Toll: by requests. A copy shares with its cluster."""
    cluster_of = {work: stake.cluster for stake in told.stakes for work, _ in stake.works}
    flat = told.terms.policy.mode is Mode.FLAT
    weights: Counter[ClusterId] = Counter()
    for use in told.uses:
        if use.event == event:
            cluster = cluster_of[use.work]
            weights[cluster] = 1 if flat else weights[cluster] + use.count
    parts = allocate(net, {str(name): weight for name, weight in weights.items()}, event)
    for cluster, weight in sorted(weights.items()):
        share = (weight, weights.total())
        yield _line(event, Basis.FLAT if flat else Basis.TOLL, cluster, parts[cluster], share)


def _line(event: EventId, basis: Basis, cluster: ClusterId, nano: int, share: tuple[int, int]) -> Line:
    return Line(event, basis, "", str(nano), share, cluster=cluster, cluster_nano=str(nano))


def _share(prior: dict[ClusterId, int], cluster: ClusterId, told: Settlement) -> tuple[int, int]:
    if told.terms.policy.prior is not Prior.CATALOGUE:
        return prior[cluster], sum(prior.values())
    share = Fraction(prior[cluster], sum(prior.values()))  # in lowest terms: the common multiple can be huge
    return share.numerator, share.denominator


def _part(nano: int, pot: int) -> tuple[int, int]:
    """About how much of the pot this is, for people: the amounts themselves are in the sums."""
    return (min(PPB, abs(nano) * PPB // abs(pot)) if pot else 0), PPB


def _rounded_down(amount: int, ppm: int) -> int:
    """The operator never gets more than its rate, also when an event takes money back."""
    return abs(amount) * ppm // PPM * (1 if amount >= 0 else -1)
