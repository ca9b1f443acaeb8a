"""Three forms that a person fills in and rules read only by their outcome and expiry.

    LegitimateInterest   the ICO's three tests for training data taken from the web
    FairUseWorksheet     the four factors of 17 USC 107 for a class of source and a purpose
    SampleReport         the counts of inspections that GB/T 45654 asks for

An incomplete form establishes nothing: its facts are those of a form that is not there.
Source: ICO, generative AI outcomes report (purpose, necessity, balancing); 17 USC 107; GB/T 45654-2025 after TC260-003.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from byline.core import PPM, CoreError, GateError, Record
from byline.gate.law.vocabulary import Value

LIA_MONTHS = 12
WORKSHEET_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """An answer in words and the documents that bear it out."""

    text: str
    evidence: tuple[str, ...]

    @property
    def given(self) -> bool:
        return bool(self.text.strip()) and bool(self.evidence)


class LiaOutcome(StrEnum):
    """Outcome of the three tests together, as the reviewer judged."""

    FAIL = "fail"
    PASS_WITH_SAFEGUARDS = "pass_with_safeguards"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class LegitimateInterest(Record):
    """The three tests. `purpose_specific`, `purpose_evidence`: the interest is legitimate, specific and shown.
    `necessity_licensed`: why licensed or directly collected data would not do. `balancing_expectations`: invisible
    processing and what people expect. `balancing_safeguards`: safeguards, and how people exercise their rights."""

    purpose_specific: Answer
    purpose_evidence: Answer
    necessity_licensed: Answer
    balancing_expectations: Answer
    balancing_safeguards: Answer
    outcome: LiaOutcome
    reviewer: str
    reviewed: date

    def unanswered(self) -> tuple[str, ...]:
        """Names of the questions without an answer and evidence, and `reviewer` if nobody reviewed it."""
        named = (name for name in self.__slots__ if isinstance(getattr(self, name), Answer))
        return (*(name for name in named if not getattr(self, name).given), *_unsigned("reviewer", self.reviewer))

    def facts(self) -> dict[str, Value]:
        if self.unanswered():
            return {"lia_outcome": "none"}
        return {"lia_outcome": str(self.outcome), "lia_until": months_later(self.reviewed, LIA_MONTHS)}


class Weight(StrEnum):
    """How a factor weighs for the use."""

    FOR = "for"
    NEUTRAL = "neutral"
    AGAINST = "against"


@dataclass(frozen=True, slots=True)
class Factor(Record):
    weight: Weight
    because: str


class Rating(StrEnum):
    """Counsel's overall rating. It is not computed from the four factors: courts weigh them together."""

    UNFAVOURABLE = "unfavourable"
    MIXED = "mixed"
    FAVOURABLE = "favourable"


@dataclass(frozen=True, slots=True)
class FairUseWorksheet(Record):
    """The four factors for a class of source (such as news sites) and a purpose of the model."""

    source_class: str
    model_purpose: str
    purpose_and_character: Factor
    nature_of_work: Factor
    amount_used: Factor
    market_effect: Factor
    rating: Rating
    signed_by: str
    signed: date

    def unanswered(self) -> tuple[str, ...]:
        factors = ("purpose_and_character", "nature_of_work", "amount_used", "market_effect")
        silent = (name for name in factors if not getattr(self, name).because.strip())
        heads = (name for name in ("source_class", "model_purpose") if not getattr(self, name).strip())
        return (*heads, *silent, *_unsigned("signed_by", self.signed_by))

    def facts(self) -> dict[str, Value]:
        if self.unanswered():
            return {"worksheet": "none", "worksheet_signed": False}
        until = months_later(self.signed, WORKSHEET_MONTHS)
        return {"worksheet": str(self.rating), "worksheet_signed": True, "worksheet_until": until}


@dataclass(frozen=True, slots=True)
class SampleReport(Record):
    """Counts of items. `source_*`: the sample taken before collection; `manual_*`, `auto_*`: after it. `raters` and
    `sample_ids` say who looked at what; `corpus_items` is the size of the corpus."""

    source_sampled: int
    source_illegal: int
    corpus_items: int
    manual_inspected: int
    manual_passed: int
    auto_inspected: int
    auto_passed: int
    raters: tuple[str, ...]
    sample_ids: str

    def unanswered(self) -> tuple[str, ...]:
        """What is missing, or contradicts itself (more passed than were inspected)."""
        pairs = (
            ("source_illegal", self.source_illegal, self.source_sampled),
            ("manual_passed", self.manual_passed, self.manual_inspected),
            ("auto_passed", self.auto_passed, self.auto_inspected),
            ("auto_inspected", self.auto_inspected, self.corpus_items),
        )
        wrong = tuple(name for name, part, whole in pairs if not 0 <= part <= whole or whole == 0)
        return (*wrong, *(("raters",) if not self.raters else ()), *_unsigned("sample_ids", self.sample_ids))

    def facts(self) -> dict[str, Value]:
        """Parts per million; a bad part is rounded up and a good one down, so that rounding never passes a sample."""
        if self.unanswered():
            return {}
        return {
            "source_illegal_ppm": -(-self.source_illegal * PPM // self.source_sampled),
            "manual_sample_items": self.manual_inspected,
            "manual_pass_ppm": self.manual_passed * PPM // self.manual_inspected,
            "auto_sample_ppm": self.auto_inspected * PPM // self.corpus_items,
            "auto_pass_ppm": self.auto_passed * PPM // self.auto_inspected,
        }


Form = LegitimateInterest | FairUseWorksheet | SampleReport
FORMS: Mapping[str, type[Form]] = {
    "legitimate-interest": LegitimateInterest,
    "fair-use": FairUseWorksheet,
    "sample": SampleReport,
}


def read_form(value: Any) -> Form:
    """A form from JSON, whose field `form` says which. Raises: GateError("bad-form")."""
    kind = FORMS.get(value.get("form", "")) if isinstance(value, dict) else None
    if kind is None:
        raise GateError("bad-form", "its field `form` names no form", f"one of {', '.join(FORMS)}")
    try:
        return kind.from_json({name: field for name, field in value.items() if name != "form"})
    except CoreError as fault:
        raise GateError("bad-form", fault.message, "docs/rights.md shows each form whole") from fault


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _unsigned(name: str, text: str) -> tuple[str, ...]:
    return () if text.strip() else (name,)
