"""Cooperatives of contributors: members, votes, and what a vote brings about. No tensors, no network."""

from byline.cooperative.ballots import ABSTAIN, NO, YES, Ballot, Receipt, receipt_faults
from byline.cooperative.book import CoopBook, open_coop_book
from byline.cooperative.box import Box, Closing, read_box, recount
from byline.cooperative.documents import document, option
from byline.cooperative.impact import OTHERS, Impact, fate_impact, fate_weights, policy_impact
from byline.cooperative.offer import Covered, Offer, covered, rsl, work_url
from byline.cooperative.records import (
    NONE,
    Cooperative,
    Effect,
    Fate,
    MemberClass,
    Membership,
    Option,
    Proposal,
    Rule,
    Statutes,
    Step,
)
from byline.cooperative.tally import Tally, count
from byline.cooperative.transparency import Accounts, Flow, year_accounts

__all__ = [
    "ABSTAIN",
    "NO",
    "NONE",
    "OTHERS",
    "YES",
    "Accounts",
    "Ballot",
    "Box",
    "Closing",
    "CoopBook",
    "Cooperative",
    "Covered",
    "Effect",
    "Fate",
    "Flow",
    "Impact",
    "MemberClass",
    "Membership",
    "Offer",
    "Option",
    "Proposal",
    "Receipt",
    "Rule",
    "Statutes",
    "Step",
    "Tally",
    "count",
    "covered",
    "document",
    "fate_impact",
    "fate_weights",
    "open_coop_book",
    "option",
    "policy_impact",
    "read_box",
    "receipt_faults",
    "recount",
    "rsl",
    "work_url",
    "year_accounts",
]
