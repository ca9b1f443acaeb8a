"""What uploads earn, with the defences and without: the part of every attack that is the same in any world.

Everything after the scores is what pays in earnest: the gate, shares by cluster, and the settlement in nano-units.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import numpy as np

from byline.app.credit import paid_clusters, without_nobody
from byline.attribution import group_scores, share_table
from byline.core import (
    PPB,
    PPM,
    ClusterId,
    Contribution,
    EventId,
    Example,
    Reliability,
    RevenueEvent,
    Role,
    ScoreTable,
    Share,
    ShareTable,
    Split,
    Verdict,
    Work,
    WorkId,
    account_id,
    cluster_id,
    example_id,
    party_id,
    quantise,
    sha256_hex,
    work_id,
)
from byline.gate import (
    Disorder,
    Echo,
    credited_works,
    decide_all,
    find_clusters,
    find_disorder,
    find_excerpts,
    hold_for_review,
    own_lengths,
)
from byline.ledger import Policy, Prior, Probation, Stake, Terms, Unattributed, payable, settle

DAY = date(2026, 9, 1)
LAMBDA_PPM = 600_000
POLICY = Policy(
    id="policy:attack",
    version=1,
    effective=DAY - timedelta(30),
    commission_ppm=100_000,
    reserve_ppm=50_000,
    train_share_ppm=200_000,
    prior=Prior.LENGTH,
    unattributed=Unattributed.COMMONS,
    probation=Probation.ATTRIBUTED,
)


class Guard(StrEnum):
    """With which defences an attack is paid out."""

    OFF = "without"
    ON = "with"
    WAVED = "with, but whoever is asked to look at something lets it pass"


def policy_of(prior: Prior) -> Policy:
    """`POLICY` with another prior. One that pays per work or per catalogue pays for any that is added: there all waits
    that new works earn, not only what is attributed to them."""
    waits = Probation.ATTRIBUTED if prior is Prior.LENGTH else Probation.ALL
    return replace(POLICY, id=f"policy:attack-{prior}", prior=prior, probation=waits)


Score = Callable[[Sequence[Example], Mapping[WorkId, str]], ScoreTable]
Doubts = Callable[[Mapping[WorkId, str]], tuple[Echo, ...]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A text as somebody handed it in, in the spans that a model reads. Sock puppets share a purse: `name` uploads,
    `purse` gets the money."""

    name: str
    title: str
    spans: tuple[str, ...]
    purse: str

    @property
    def text(self) -> str:
        return " ".join(self.spans)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text.split(" "))

    def work(self) -> Work:
        account, sha256 = account_id(self.name), sha256_hex(self.text.encode())
        return Work(
            id=work_id(account, self.title, sha256),
            title=self.title,
            kind="text",
            account=account,
            contributions=(Contribution(party_id(self.name), Role.AUTHOR),),
            created=DAY,
            source="",
            licence="CC0-1.0",
            sha256=sha256,
        )

    def examples(self, work: WorkId) -> list[Example]:
        made, at = [], 0
        for span in self.spans:
            sha256, end = sha256_hex(span.encode()), at + len(span)
            made.append(Example(example_id(work, at, end, sha256), work, at, end, sha256))
            at = end + 1
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Uploads in the order of registration, what a model trained on some of them owes to each, and lambda. `doubts`:
    which texts read as if a model had written them. `founding`: texts that were there when money was divided for the
    first time; by default all of them were."""

    uploads: tuple[Upload, ...]
    score: Score
    lambda_ppm: int = LAMBDA_PPM
    doubts: Doubts = lambda texts: ()
    founding: frozenset[str] | None = None
    policy: Policy = POLICY

    def is_new(self, text: str) -> bool:
        return self.founding is not None and text not in self.founding


def pay(market: Market, guard: Guard, revenue_nano: int = 10**12) -> dict[str, int]:
    """Nano-units that each purse gets."""
    by_work = {upload.work(): upload for upload in market.uploads}
    works, texts = list(by_work), {work.id: upload.text for work, upload in by_work.items()}
    examples = {work.id: upload.examples(work.id) for work, upload in by_work.items()}
    if guard is Guard.OFF:
        shares, stakes = _undefended(works, texts, examples, market.score)
    else:
        shares, stakes = _defended(works, texts, examples, market, waved=guard is Guard.WAVED)
    splits = [Split(work.id, ((work.contributions[0].party, PPM),), DAY - timedelta(99)) for work in works]
    low = market.lambda_ppm
    terms = Terms(market.policy, Reliability("run:attack", "attack", low, low, low, 1, "0" * 64), DAY - timedelta(9))
    event = RevenueEvent(EventId("event:attack"), "Licensee", str(revenue_nano), "EUR", DAY)
    settled = settle([event], shares, stakes, splits, terms)
    purses = {payable(party_id(upload.name)): upload.purse for upload in market.uploads}
    income: Counter[str] = Counter()
    for line in settled.lines:
        if line.account in purses:
            income[purses[line.account]] += line.nano
    return dict(income)


_Examples = Mapping[WorkId, Sequence[Example]]


def _defended(
    works: Sequence[Work], texts: Mapping[WorkId, str], examples: _Examples, market: Market, *, waved: bool
) -> tuple[ShareTable, list[Stake]]:
    """Gate first; influence by cluster, stolen passages to whom they were taken from, summed before it is clipped; what
    is new waits."""
    clusters, excerpts = find_clusters(works, texts), find_excerpts(works, texts)
    doubts: list[Disorder | Echo] = [] if waved else [*find_disorder(works, texts), *market.doubts(texts)]
    decisions = hold_for_review(decide_all(works, clusters, [], DAY), doubts)
    verdicts = {decision.work: decision.verdict for decision in decisions}
    admitted = [work for work in works if verdicts[work.id] is Verdict.ADMIT]
    read = [example for work in admitted for example in examples[work.id]]
    cluster_of = dict(clusters.cluster_of)
    groups = paid_clusters(credited_works(read, excerpts), cluster_of)
    found = group_scores(market.score(read, texts), groups)
    lengths = own_lengths({work.id: len(texts[work.id]) for work in admitted}, excerpts)
    canonical = [work for work in admitted if cluster_id(work.id) == cluster_of[work.id]]
    stakes = [
        replace(_stake(work, cluster_of[work.id], lengths[work.id]), new=not waved and market.is_new(texts[work.id]))
        for work in canonical
    ]
    return without_nobody(share_table(found, "period", "cluster", "attack", "run:attack")), stakes


def _undefended(
    works: Sequence[Work], texts: Mapping[WorkId, str], examples: _Examples, score: Score
) -> tuple[ShareTable, list[Stake]]:
    """Every upload for itself, clipped output by output: what a plain similarity or influence scheme does."""
    read = [example for work in works for example in examples[work.id]]
    names, sums_QG = score(read, texts).sum_by([example.work for example in read])
    kept_QG = np.maximum(sums_QG, 0)
    parts_G = (kept_QG / np.maximum(kept_QG.sum(1, keepdims=True), 1e-12)).mean(0)
    parts = quantise([*parts_G, max(0.0, 1 - math.fsum(parts_G))], PPB)[:-1]
    lines = tuple(Share(cluster_id(WorkId(name)), part, part, part) for name, part in zip(names, parts, strict=True))
    stakes = [_stake(work, cluster_id(work.id), len(texts[work.id])) for work in works]
    return ShareTable("period", "cluster", "attack", "run:attack", 900_000, lines, PPB - sum(parts)), stakes


def _stake(work: Work, cluster: ClusterId, length: int) -> Stake:
    """Whoever uploads is a catalogue."""
    return Stake(cluster, length, ((work.id, 1),), catalogue=work.account)
