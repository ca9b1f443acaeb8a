"""A small cooperative to test with."""

from datetime import date, timedelta

from byline.cooperative import (
    Cooperative,
    Effect,
    MemberClass,
    Membership,
    Proposal,
    Rule,
    Statutes,
    Step,
    option,
)
from byline.core import party_id
from byline.ledger import Policy, Prior, Unattributed

DAY = date(2026, 3, 2)
EVIDENCE = "ab" * 32
STATUTES = Statutes(
    version=1,
    effective=date(2026, 1, 1),
    rules=tuple(Rule(effect, 200_000, 500_000, 2, 5) for effect in Effect),
    voting=(MemberClass.PERSON, MemberClass.ESTATE),
    unclaimed_years=3,
)
COOP = Cooperative("Readers", "main", DAY, STATUTES)
NAMES = [f"Member {number}" for number in range(9)]
MEMBERS = [party_id(name) for name in NAMES]


def policy(number=1, **over):
    fields = dict(id=f"policy:{number}", version=1, effective=DAY, commission_ppm=50_000, reserve_ppm=20_000)
    fields |= dict(train_share_ppm=200_000, prior=Prior.EQUAL, unattributed=Unattributed.PRIOR)
    return Policy(**{**fields, **over})


def joined(party, on=DAY, kind=MemberClass.PERSON, step=Step.JOINED):
    return Membership(COOP.id, party, step, kind, on, "the board", EVIDENCE)


def proposal(*documents, effect=Effect.POLICY, on=DAY, statutes=STATUTES, title="Pay rule", text="The whole text."):
    told = documents or (policy().to_json(),)
    options = tuple(option(f"rule {n}", effect, one) for n, one in enumerate(told, 1))
    opens = on + timedelta(2)
    return Proposal(COOP.id, title, text, effect, options, statutes.digest(), on, opens, opens + timedelta(5))


def founded(book, members=5):
    book.found(COOP, DAY)
    for party in MEMBERS[:members]:
        book.admit(joined(party), DAY)
    return book


def decided(book, made, choices, on=None):
    """Propose, vote with each choice by the members in turn, and close."""
    book.propose(made, made.proposed)
    receipts = [book.vote(made.id, party, choice, made.opens) for party, choice in zip(MEMBERS, choices, strict=False)]
    return book.close(made.id, on or made.closes), receipts
