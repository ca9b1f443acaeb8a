"""What was agreed before the money came: the policy, the measured reliability, the stakes in each cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from byline.core import PPM, ClusterId, LedgerError, Manifest, Record, Reliability, RevenueEvent, WorkId, cluster_id


class Prior(StrEnum):
    """How money that no measurement divides is divided among the clusters."""

    EQUAL = "equal-per-cluster"
    LENGTH = "by-length"


class Unattributed(StrEnum):
    """Where the attribution money goes that was traced to nobody: to the prior, or to an account all can see."""

    PRIOR = "prior"
    COMMONS = "commons"


@dataclass(frozen=True, slots=True)
class Policy(Record):
    """An agreed pay rule; it has no currency. `train_share_ppm` is tau of the rule of money.

    Raises: LedgerError("bad-policy") on a rate outside [0, 1e6] or on deductions above the whole.
    """

    id: str
    version: int
    effective: date
    commission_ppm: int
    reserve_ppm: int
    train_share_ppm: int
    prior: Prior
    unattributed: Unattributed

    def __post_init__(self) -> None:
        for name in ("commission_ppm", "reserve_ppm", "train_share_ppm"):
            if not 0 <= getattr(self, name) <= PPM:
                raise LedgerError("bad-policy", f"policy {self.id}: {name} is {getattr(self, name)}, not in [0, {PPM}]")
        if self.commission_ppm + self.reserve_ppm > PPM:
            raise LedgerError("bad-policy", f"policy {self.id}: commission and reserve take more than all")


@dataclass(frozen=True, slots=True)
class Terms(Record):
    """The policy, the reliability lambda, and the day on which lambda was published."""

    policy: Policy
    reliability: Reliability
    published: date

    def refuse_if_late(self, event: RevenueEvent) -> None:
        """Raises: LedgerError("terms-too-late") unless policy and lambda are dated before the day of the event."""
        for what, day in (("policy", self.policy.effective), ("lambda", self.published)):
            if day >= event.received:
                raise LedgerError(
                    "terms-too-late",
                    f"{what} is dated {day}, but {event.id} was received on {event.received}",
                    "settle the event under the terms that were published before its day",
                )


@dataclass(frozen=True, slots=True)
class Stake(Record):
    """One cluster of near-identical works: its length in characters and the works that carry its pay, with weights.

    By default only the canonical (earliest evidenced) work carries weight. A copy, whoever sent it in, earns nothing
    until the parties agree on other weights: so copying a work neither adds to the cluster nor takes from it.
    Raises: LedgerError("bad-stake").
    """

    cluster: ClusterId
    length: int
    works: tuple[tuple[WorkId, int], ...]

    def __post_init__(self) -> None:
        weights = [weight for _, weight in self.works]
        if self.length <= 0 or not any(weights) or min(weights) < 0:
            raise LedgerError("bad-stake", f"{self.cluster}: length {self.length}, weights of works {weights}")
        if len(dict(self.works)) != len(self.works):
            raise LedgerError("bad-stake", f"{self.cluster} names a work twice")


def canonical_stakes(manifest: Manifest, lengths: Mapping[WorkId, int]) -> tuple[Stake, ...]:
    """One stake per cluster of the manifest, carried by its canonical work; `lengths` in characters per work.

    Raises: LedgerError("no-canonical-work") if the work that names a cluster was not admitted.
    """
    canonical = {cluster_id(entry.work): entry.work for entry in manifest.entries}
    stakes = []
    for cluster in sorted({entry.cluster for entry in manifest.entries}):
        if cluster not in canonical:
            raise LedgerError(
                "no-canonical-work",
                f"{manifest.id} admits copies in {cluster}, but not the work they are copies of",
                "refuse the copies of a refused work at the gate, and freeze again",
            )
        work = canonical[cluster]
        stakes.append(Stake(cluster, lengths[work], ((work, 1),)))
    return tuple(stakes)
