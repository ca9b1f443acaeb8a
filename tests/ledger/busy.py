"""A journal in which everything has happened once: to export, to verify, to tamper with."""

from datetime import UTC, datetime, timedelta

import numpy as np
from worlds import DAY, event, stakes, terms, world

from byline.core import PPB, PPM, Split
from byline.ledger import (
    Contract,
    Mode,
    Outputs,
    Prior,
    Unattributed,
    Use,
    advance,
    agreed_terms,
    claim,
    contract_booking,
    dues,
    exchange,
    hold,
    no_shares,
    release,
    settle,
    sum_outputs,
    withhold,
)

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)
LATER = DAY + timedelta(40)
CLUSTERS = ["cluster:0", "cluster:1", "cluster:2"]


def output_block(count=50, seed=1):
    random = np.random.default_rng(seed)
    ppb = random.integers(0, PPB // 3, (count, 3)).astype(np.uint32)
    ids = np.array([f"output:{i}" for i in range(count)], dtype="S")
    return Outputs(ids, random.integers(1, 10**9, count), ppb)


def of_outputs(name="event:outputs", block=None, **policy):
    block = block or output_block()
    told = {**world(), "terms": terms(**policy), "events": (event(int(block.nano_N.sum()), name),)}
    sums = sum_outputs(name, [block], CLUSTERS, told["terms"])
    return settle(**told, outputs=(sums,))


def by_use(mode, name, nano=10**9):
    agreed = agreed_terms(terms(mode=mode, train_share_ppm=0).policy)
    uses = (Use(name, "work:0.0"), Use(name, "work:2.0", 1 if mode is Mode.FLAT else 3))
    told = dict(events=(event(nano, name),), shares=no_shares(name), stakes=stakes(3), splits=world()["splits"])
    return settle(**told, terms=agreed, uses=uses)


def corrected(settled):
    """The same payments after the parties of work 1 have agreed to share it equally."""
    told = world()
    split = Split("work:1.0", (("party:a", 500_000), ("party:b", 500_000)), DAY - timedelta(50))
    return settle(**{**told, "events": settled.events, "splits": (*told["splits"], split)})


def fill(journal):
    """Every kind of run; returns the settlement that was corrected."""
    first = settle(**world())
    journal.post(first, NOW)
    due = -journal.balances("EUR")["payable:party:b"]
    journal.book(hold("case-1", "party:b", due // 3, "EUR", LATER, "authorship"), NOW)
    journal.adjust(corrected(first), first.id, LATER, "a later agreement", NOW)
    for settled in (of_outputs(), by_use(Mode.FLAT, "event:flat"), by_use(Mode.TOLL, "event:toll", 7)):
        journal.post(settled, NOW)
    told = {**world(), "events": (event(12_345_678_901, "event:rest"),)}
    told["terms"] = terms(unattributed=Unattributed.COMMONS, prior=Prior.LENGTH, cap_ppm=300_000)
    journal.post(settle(**told), NOW)
    journal.book(advance("party:a", 10**11, "EUR", LATER, "contract:a"), NOW)
    contracts = [
        Contract("contract:a", 1, "party:a", DAY, "EUR", 10_000),
        Contract("c:b", 1, "party:b", DAY, "EUR", PPM, True),
    ]
    found = dues([first], contracts, {"party:a": 10**11}, LATER)
    journal.book(contract_booking(found, first.terms.policy, "EUR", LATER, "2026-Q3"), NOW)
    held = [("party:a", 250_000), ("party:b", 750_000)]
    journal.book(release("case-1", "party:b", due // 3, held, "EUR", LATER, "decided"), NOW)
    waiting = -journal.balances("EUR")["held:unclaimed:work:2.0"]
    journal.book(claim("work:2.0", waiting, [("party:c", PPM)], "EUR", LATER, "heir", "ab" * 32), NOW)
    journal.book(withhold("party:b", 10**10, 150_000, "DE", "treaty", "EUR", LATER, "2026-Q3"), NOW)
    rate = ("central bank", NOW)
    journal.book(exchange("party:c", 10**9 + 1, ("EUR", "USD"), (108_123, 100_000), rate, LATER, "2026-Q3"), NOW)
    journal.checkpoint(NOW)
    return first
