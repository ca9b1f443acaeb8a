"""Works that would be admitted, but that a person has to look at first."""

from collections.abc import Sequence
from dataclasses import replace

from byline.core import Decision, Verdict
from byline.gate.echo import Echo
from byline.gate.order import Disorder


def hold_for_review(decisions: Sequence[Decision], found: Sequence[Disorder | Echo]) -> tuple[Decision, ...]:
    """The decisions, with works refused that were admitted and that something was found about; of several findings
    about a work the first counts."""
    first = {each.work: each for each in reversed(found)}
    return tuple(
        _held(one, first[one.work]) if one.verdict is Verdict.ADMIT and one.work in first else one for one in decisions
    )


def _held(decision: Decision, found: Disorder | Echo) -> Decision:
    return replace(decision, verdict=Verdict.REFUSE, rule=found.rule, because=found.because, evidence=found.evidence)
