"""Works that would be admitted, but that a person has to look at first, or has looked at and keeps held."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from byline.core import Decision, Verdict, WorkId

HELD_RULES = ("like-a-model", "no-order")
"""Rules that hold a work until a person has looked at it."""


class Finding(Protocol):
    """A reason to look: of which work, by which rule, in words, and what it rests on."""

    @property
    def work(self) -> WorkId: ...
    @property
    def rule(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class KeptHeld:
    """A person has looked at a work that `rule` held, and keeps it held, whatever is found from now on. `evidence`:
    what names that review; who it was and why stand there and not here."""

    work: WorkId
    rule: str
    evidence: tuple[str, ...]

    @property
    def because(self) -> str:
        return "A person has looked at it and keeps it held."


def hold_for_review(decisions: Sequence[Decision], found: Sequence[Finding]) -> tuple[Decision, ...]:
    """The decisions, with works refused that were admitted and that something was found about; of several findings
    about a work the first counts."""
    first = {each.work: each for each in reversed(found)}
    return tuple(
        _held(one, first[one.work]) if one.verdict is Verdict.ADMIT and one.work in first else one for one in decisions
    )


def _held(decision: Decision, found: Finding) -> Decision:
    return replace(decision, verdict=Verdict.REFUSE, rule=found.rule, because=found.because, evidence=found.evidence)
