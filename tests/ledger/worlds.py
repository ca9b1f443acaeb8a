"""Small settlements to test with. (Hypothesis draws others: see drawn.py.)"""

from datetime import date, timedelta

from byline.core import PPB, PPM, Reliability, RevenueEvent, Share, ShareTable, Split
from byline.ledger import Policy, Prior, Stake, Terms, Unattributed

DAY = date(2026, 9, 1)
DIGEST = "ab" * 32


def share_table(ppb, **over):
    lines = tuple(Share(name, n, n // 2, min(PPB, 2 * n)) for name, n in ppb.items())
    fields = dict(subject="period:1", unit="cluster", method="m", run="run:1", level_ppm=900_000, lines=lines)
    return ShareTable(**{**fields, "unattributed_ppb": PPB - sum(ppb.values()), **over})


def terms(lambda_ppm=600_000, published=DAY - timedelta(30), **policy):
    fields = dict(id="policy:1", version=1, effective=DAY - timedelta(60), commission_ppm=50_000, reserve_ppm=20_000)
    fields |= dict(train_share_ppm=200_000, prior=Prior.EQUAL, unattributed=Unattributed.PRIOR)
    reliability = Reliability("run:1", "m", lambda_ppm, lambda_ppm // 2, PPM, 40, DIGEST)
    return Terms(Policy(**{**fields, **policy}), reliability, published)


def event(nano=1_000_000_000_000, name="event:1", received=DAY, currency="EUR"):
    return RevenueEvent(name, "Licensee Ltd", str(nano), currency, received)


def stakes(count, works=1):
    return tuple(
        Stake(f"cluster:{c}", 1000 + 7 * c, tuple((f"work:{c}.{w}", int(w == 0)) for w in range(works)))
        for c in range(count)
    )


def world():
    """Three clusters; work 0 of one party, work 1 of two, work 2 of nobody known."""
    splits = (
        Split("work:0.0", (("party:a", PPM),), DAY - timedelta(100)),
        Split("work:1.0", (("party:a", 250_000), ("party:b", 500_000)), DAY - timedelta(100)),
    )
    shares = share_table({"cluster:0": 400_000_000, "cluster:1": 250_000_001})
    return dict(
        events=(event(), event(333_333_333_331, "event:2", DAY + timedelta(3))),
        shares=shares,
        stakes=stakes(3),
        splits=splits,
        terms=terms(),
    )
