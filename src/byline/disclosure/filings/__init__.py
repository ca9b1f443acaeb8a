"""Filings that laws and formats ask for, made from the records that gated the training.

What the records do not say and nobody has answered stays open; a filing that disagrees with the records is refused.
"""

from byline.disclosure.filings.ab2013 import AB2013
from byline.disclosure.filings.answers import read_answers, template
from byline.disclosure.filings.cn import CN, shortfalls
from byline.disclosure.filings.corpus import FACTS, Corpus, Domain, Material, domains, registered_domain
from byline.disclosure.filings.croissant import CROISSANT, WORKS, works_csv
from byline.disclosure.filings.dps import DPS
from byline.disclosure.filings.eu import EU
from byline.disclosure.filings.filing import (
    Change,
    Filing,
    Regime,
    check_filing,
    diff_filings,
    make_filing,
    read_filing,
    refuse,
)
from byline.disclosure.filings.items import Answer, Disagreement, Field, Item, Kind, State, shown
from byline.disclosure.filings.lia import LIA
from byline.disclosure.filings.render import domains_csv, html, markdown, status
from byline.disclosure.filings.spdx import SPDX

REGIMES = {regime.name: regime for regime in (EU, AB2013, CN, LIA, CROISSANT, DPS, SPDX)}

__all__ = [
    "AB2013",
    "CN",
    "CROISSANT",
    "DPS",
    "EU",
    "FACTS",
    "LIA",
    "REGIMES",
    "SPDX",
    "WORKS",
    "Answer",
    "Change",
    "Corpus",
    "Disagreement",
    "Domain",
    "Field",
    "Filing",
    "Item",
    "Kind",
    "Material",
    "Regime",
    "State",
    "check_filing",
    "diff_filings",
    "domains",
    "domains_csv",
    "html",
    "make_filing",
    "markdown",
    "read_answers",
    "read_filing",
    "refuse",
    "registered_domain",
    "shortfalls",
    "shown",
    "status",
    "template",
    "works_csv",
]
