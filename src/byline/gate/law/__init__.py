"""Law packs: what may be trained on where, by rules with citations, and what is still missing.

Needs the extra `byline[rights]` (PyYAML, pydantic, cedarpy, license-expression). Not legal advice: every pack that
ships is an unreviewed draft, and says so in every ruling.
"""

from byline.gate.law.cedar import CedarEngine, policies
from byline.gate.law.decision import decision_of
from byline.gate.law.established import licence_facts, run_facts, signal_facts
from byline.gate.law.forms import Answer, FairUseWorksheet, LegitimateInterest, SampleReport, read_form
from byline.gate.law.missing import Step, ways_to_allow
from byline.gate.law.pack import JURISDICTIONS, Effect, Pack, Reading, Rule, load_pack, load_packs
from byline.gate.law.ruling import Outcome, Reason, Ruling, facts_digest, rule_on
from byline.gate.law.table import FactTable, Judged, Judgement, judge, judge_all
from byline.gate.law.vocabulary import Facts, Value, Vocabulary, vocabulary
from byline.gate.law.whatif import Comparison, Flip, Setting, compare

__all__ = [
    "JURISDICTIONS",
    "Answer",
    "CedarEngine",
    "Comparison",
    "Effect",
    "FactTable",
    "Facts",
    "FairUseWorksheet",
    "Flip",
    "Judged",
    "Judgement",
    "LegitimateInterest",
    "Outcome",
    "Pack",
    "Reading",
    "Reason",
    "Rule",
    "Ruling",
    "SampleReport",
    "Setting",
    "Step",
    "Value",
    "Vocabulary",
    "compare",
    "decision_of",
    "facts_digest",
    "judge",
    "judge_all",
    "licence_facts",
    "load_pack",
    "load_packs",
    "policies",
    "read_form",
    "rule_on",
    "run_facts",
    "signal_facts",
    "vocabulary",
    "ways_to_allow",
]
