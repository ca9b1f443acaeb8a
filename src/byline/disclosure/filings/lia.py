"""United Kingdom: the ICO's legitimate-interests assessment for training data, as a document and as the gate's form."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.derive import VERSION, kept_out
from byline.disclosure.filings.filing import Filing, Regime, Values
from byline.disclosure.filings.items import Answer, Derived, Disagreement, Item, Kind

MONTHS = 12  # an assessment is good for; as the gate's form has it
OUTCOMES = ("pass", "pass_with_safeguards", "fail")
QUESTIONS = {
    "purpose_specific": ("1 Purpose test", "Which specific and legitimate interest is pursued?"),
    "purpose_evidence": ("1 Purpose test", "What shows the interest, and who benefits?"),
    "necessity_licensed": ("2 Necessity test", "Why would licensed or directly collected data not do?"),
    "balancing_expectations": ("3 Balancing test", "Is the processing invisible, and what do people expect?"),
    "balancing_safeguards": (
        "3 Balancing test",
        "Which safeguards are there, and how do people exercise their rights?",
    ),
}
CONTEXT, OUTCOME = "0 What is processed", "4 Outcome"


def _questions() -> tuple[Item, ...]:
    found = []
    for name, (section, asks) in QUESTIONS.items():
        found.append(Item(name, section, asks))
        found.append(Item(f"{name}.evidence", section, f"Documents that bear it out: {asks.lower()}", Kind.LIST))
    return tuple(found)


ITEMS = (
    *VERSION,
    Item("controller", CONTEXT, "Controller, and contact for data protection"),
    Item("data", CONTEXT, "What the records say of the data"),
    Item("audit", CONTEXT, "What an automatic audit found, by type", optional=True),
    Item("subjects", CONTEXT, "Whose personal data are in it, and which"),
    *_questions(),
    Item("outcome", OUTCOME, "Outcome of the three tests together", Kind.CHOICE, options=OUTCOMES),
    Item("reviewer", OUTCOME, "Reviewer"),
    Item("reviewed", OUTCOME, f"Day of the review; the assessment is good for {MONTHS} months", Kind.DATE),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    methods = ", ".join(f"{count} by {name.replace('_', ' ')}" for name, count in corpus.counted("method").items())
    says = f"{len(corpus.works)} works ({', '.join(corpus.modalities)}); obtained: {methods}. {kept_out(corpus)}."
    found = {"data": Derived(says, f"works of {corpus.manifest}")}
    if corpus.personal is not None:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in corpus.personal) or "nothing"
        found["audit"] = Derived(f"{corpus.personal_by}: {listed}. Automatic detection misses some.", "audit")
    return found


def form(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    """The form that `byline check --form` reads. What is open stays empty; an incomplete form establishes nothing."""
    told: dict[str, Any] = {"form": "legitimate-interest"}
    for name in QUESTIONS:
        evidence = filing.values.get(f"{name}.evidence")
        told[name] = {"text": filing.text(name), "evidence": evidence if isinstance(evidence, list) else []}
    outcome, reviewed = filing.text("outcome") or "fail", filing.text("reviewed") or filing.made.isoformat()
    return told | {"outcome": outcome, "reviewer": filing.text("reviewer"), "reviewed": reviewed}


def cross(corpus: Corpus, values: Values) -> list[Disagreement]:
    """An assessment that had run out when the works were chosen covers nothing."""
    told = values.get("reviewed")
    if not isinstance(told, str):
        return []
    day = date.fromisoformat(told)
    until = date(day.year + 1, day.month, min(day.day, 28) if day.month == 2 else day.day)
    return [] if until >= corpus.frozen else [Disagreement("reviewed", told, f"works chosen on {corpus.frozen}")]


LIA = Regime(
    "lia",
    "Legitimate-interests assessment",
    "UK GDPR art. 6(1)(f); ICO, three tests for training data taken from the web. After secondary sources.",
    ITEMS,
    "controller",
    derive,
    cross,
    form,
    "lia-form.json",
)
