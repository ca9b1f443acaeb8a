"""Money: dividing what was received, writing it down for good, and telling each payee why. Integers only."""

from byline.ledger.allocate import allocate
from byline.ledger.journal import Entry, Head, Journal, open_journal
from byline.ledger.settlement import (
    COMMISSION,
    COMMONS,
    RECEIVABLE,
    RESERVE,
    Basis,
    Line,
    Settlement,
    payable,
    settle,
    settle_again,
    unclaimed,
)
from byline.ledger.statement import amount_text, remainder_nano, statement, statement_faults
from byline.ledger.terms import Policy, Prior, Stake, Terms, Unattributed, canonical_stakes

__all__ = [
    "COMMISSION",
    "COMMONS",
    "RECEIVABLE",
    "RESERVE",
    "Basis",
    "Entry",
    "Head",
    "Journal",
    "Line",
    "Policy",
    "Prior",
    "Settlement",
    "Stake",
    "Terms",
    "Unattributed",
    "allocate",
    "amount_text",
    "canonical_stakes",
    "open_journal",
    "payable",
    "remainder_nano",
    "settle",
    "settle_again",
    "statement",
    "statement_faults",
    "unclaimed",
]
