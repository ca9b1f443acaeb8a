"""What a division of money consists of: its accounts, its lines, and the settlement that holds them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from byline.core import PPM, ClusterId, EventId, PartyId, Record, RevenueEvent, ShareTable, Split, WorkId
from byline.ledger.grown import GrownRecord
from byline.ledger.outputs import OutputSums
from byline.ledger.terms import Probation, Stake, Terms, Use

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
    FLAT = "flat"
    TOLL = "toll"
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
class Settlement(GrownRecord):
    """The inputs of one distribution and the lines that follow from them. `id` is the hash of the inputs. `uses` are
    the works that flat payments and tolls name; `outputs` the sums over outputs where money is divided per output."""

    id: str
    rule: str
    events: tuple[RevenueEvent, ...]
    shares: ShareTable
    stakes: tuple[Stake, ...]
    splits: tuple[Split, ...]
    terms: Terms
    lines: tuple[Line, ...]
    uses: tuple[Use, ...] = ()
    outputs: tuple[OutputSums, ...] = ()

    @property
    def currency(self) -> str:
        return self.events[0].currency

    def inputs(self) -> dict[str, Any]:
        """JSON of everything but the lines: enough to compute the settlement again."""
        return {name: value for name, value in self.to_json().items() if name not in ("id", "lines")}

    def on_probation(self) -> dict[ClusterId, tuple[WorkId, ...]]:
        """Clusters, with their works, of whose pay something waits until a person has looked at them."""
        asked = self.terms.policy.probation is not Probation.NONE
        return {each.cluster: tuple(dict(each.works)) for each in self.stakes if asked and each.new}

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


NEW = "the work is new, and waits until a person has looked at it"


def _side(account: str) -> str:
    return {"payable": "allocated", "held": "held", "income": "commission"}[account.partition(":")[0]]
