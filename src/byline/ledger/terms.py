"""What was agreed before the money came: the policy, the measured reliability, the stakes in each cluster."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from byline.core import (
    PPB,
    PPM,
    ClusterId,
    EventId,
    LedgerError,
    Manifest,
    Record,
    Reliability,
    RevenueEvent,
    ShareTable,
    WorkId,
    cluster_id,
)
from byline.ledger.grown import GrownRecord

AGREED = "agreed"  # method and run of money that no measurement divides


class Prior(StrEnum):
    """How money that no measurement divides is divided among the clusters."""

    EQUAL = "equal-per-cluster"
    LENGTH = "by-length"
    CATALOGUE = "equal-per-catalogue"  # equal among the catalogues, then equal among the clusters of each


class Mode(StrEnum):
    """What the money was paid for. A lump-sum licence is `SHARES` with a training share (tau) of the whole."""

    SHARES = "by-shares"  # the rule of money
    FLAT = "flat-per-work"  # the same for every work that is named, as in the settlement of a lawsuit
    TOLL = "toll"  # by requests for each work, as a crawler pays them


class Pooling(StrEnum):
    """Whose outputs divide whose money: all payments by all outputs, or each payer's by the payer's own."""

    POOLED = "pooled"
    PAYER = "payer-centric"


class Game(StrEnum):
    """How a period's scores become the shares that divide money. Any but the plain one must be agreed on: the policy
    names it, and shares that were made by another one divide nothing."""

    LINEAR = "linear"  # each cluster by what it would be missed for
    REDUNDANCY = "redundancy"  # clusters that teach the same share what they taught together


class Probation(StrEnum):
    """What waits, of the pay of a work that came after money had been divided for the first time, until a person has
    looked at it."""

    NONE = "none"
    ATTRIBUTED = "attributed"  # what is left is paid by the prior; where that goes by length, junk earns its length
    ALL = "all"  # but for what a payment names the work for


class Unattributed(StrEnum):
    """Where the attribution money goes that was traced to nobody: to the prior, or to an account all can see."""

    PRIOR = "prior"
    COMMONS = "commons"


@dataclass(frozen=True, slots=True)
class Policy(GrownRecord):
    """An agreed pay rule; it has no currency. `train_share_ppm` is tau of the rule of money.

    `cap_ppm`: no cluster takes more than this of what attribution divides; what is cut off counts as unattributed.
    `recoup_ppm`: the most of a period's earnings that may pay back an advance. `guarantee_from`: the account that tops
    up earnings below a guaranteed minimum. `game`, `blended`, `words`: how shares have to be made. `probation`: what of
    the pay of a work that is new to the money waits until a person has looked at it. Contracts of single parties are
    in `contracts`.
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
    mode: Mode = Mode.SHARES
    pooling: Pooling = Pooling.POOLED
    cap_ppm: int = PPM
    recoup_ppm: int = PPM
    guarantee_from: str = "income:commission"
    game: Game = Game.LINEAR
    blended: bool = False  # whether channels joined by the audit's weights may divide money
    words: bool = False  # whether likeness of words may be one of them
    probation: Probation = Probation.NONE

    def __post_init__(self) -> None:
        for name in ("commission_ppm", "reserve_ppm", "train_share_ppm", "cap_ppm", "recoup_ppm"):
            if not 0 <= getattr(self, name) <= PPM:
                raise LedgerError("bad-policy", f"policy {self.id}: {name} is {getattr(self, name)}, not in [0, {PPM}]")
        if self.commission_ppm + self.reserve_ppm > PPM:
            raise LedgerError("bad-policy", f"policy {self.id}: commission and reserve take more than all")
        if self.guarantee_from not in GUARANTORS:
            names = ", ".join(GUARANTORS)
            raise LedgerError(
                "bad-policy", f"policy {self.id}: {self.guarantee_from} cannot guarantee", f"one of {names}"
            )


GUARANTORS = ("income:commission", "held:reserve", "held:commons")


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


def agreed_terms(policy: Policy) -> Terms:
    """Terms of money that no measurement divides (flat, toll, lump sum): lambda is 0, dated as the policy is."""
    return Terms(policy, Reliability(AGREED, AGREED, 0, 0, 0, 0, ""), policy.effective)


def no_shares(subject: str) -> ShareTable:
    """The share table to go with `agreed_terms`: everything unattributed."""
    return ShareTable(subject, "cluster", AGREED, AGREED, 0, (), PPB)


@dataclass(frozen=True, slots=True)
class Use(Record):
    """A work that a payment names, and how often it was asked for (1 where the mode is flat).

    Raises: LedgerError("bad-use").
    """

    event: EventId
    work: WorkId
    count: int = 1

    def __post_init__(self) -> None:
        if self.count <= 0:
            raise LedgerError("bad-use", f"{self.work} stands {self.count} times in {self.event}", "leave it out")


@dataclass(frozen=True, slots=True)
class Stake(GrownRecord):
    """One cluster of near-identical works: its length in characters, the works that carry its pay, with weights, and
    the catalogue it belongs to (a publisher's, a label's), where there is one. `new`: no person has looked at it yet.

    By default only the canonical (earliest evidenced) work carries weight. A copy, whoever sent it in, earns nothing
    until the parties agree on other weights: so copying a work neither adds to the cluster nor takes from it.
    Raises: LedgerError("bad-stake").
    """

    cluster: ClusterId
    length: int
    works: tuple[tuple[WorkId, int], ...]
    catalogue: str = ""
    new: bool = False

    def __post_init__(self) -> None:
        weights = [weight for _, weight in self.works]
        if self.length <= 0 or not any(weights) or min(weights) < 0:
            raise LedgerError("bad-stake", f"{self.cluster}: length {self.length}, weights of works {weights}")
        if len(dict(self.works)) != len(self.works):
            raise LedgerError("bad-stake", f"{self.cluster} names a work twice")


def canonical_stakes(
    manifest: Manifest, lengths: Mapping[WorkId, int], new: Collection[WorkId] = ()
) -> tuple[Stake, ...]:
    """One stake per cluster of the manifest, carried by its canonical work; `lengths` in characters per work, `new`:
    works on probation.

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
        stakes.append(Stake(cluster, lengths[work], ((work, 1),), new=work in new))
    return tuple(stakes)
