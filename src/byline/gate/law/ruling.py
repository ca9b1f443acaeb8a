"""What a pack says of one vector of facts: deny, review, allow with duties, or allow, and why.

    deny               a deny rule applies, or nothing permits the use and nothing open could
    review             a deny rule is undecided, a review applies or is undecided, or no ground is established yet
    allow-with-duties  a ground is established, nothing stands against it, and something is owed
    allow              the same, and nothing is owed

A review that is marked as a ground may become the permission; with another ground established it is moot.

A fact that is not established never helps: it cannot allow, and a rule that hangs on it keeps the use back.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from byline.core import Record, digest
from byline.gate.law.condition import holds, open_facts
from byline.gate.law.pack import Effect, Pack, Reading, Rule
from byline.gate.law.vocabulary import Facts, Value


class Outcome(StrEnum):
    DENY = "deny"
    REVIEW = "review"
    ALLOW_WITH_DUTIES = "allow-with-duties"
    ALLOW = "allow"

    @property
    def permits(self) -> bool:
        return self in (Outcome.ALLOW, Outcome.ALLOW_WITH_DUTIES)


SEVERITY = (Outcome.DENY, Outcome.REVIEW, Outcome.ALLOW_WITH_DUTIES, Outcome.ALLOW)
"""The worst first."""


def worst(outcomes: "list[Outcome]") -> Outcome:
    return min(outcomes, key=SEVERITY.index)


@dataclass(frozen=True, slots=True)
class Reason(Record):
    """A rule that bears on the outcome. `applies` is False for one that is undecided; `open` are the facts, not
    established, on which it hangs. `cite` keeps the confidence behind each source."""

    rule: str
    effect: str
    applies: bool
    because: str
    cite: tuple[str, ...]
    evidence: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ruling(Record):
    """The outcome for a vector of facts. `pack` is the digest of the rules applied, `status` who has reviewed them."""

    jurisdiction: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    duties: tuple[str, ...]
    on: date
    reading: Reading
    pack: str
    status: str


def rule_on(pack: Pack, facts: Facts, on: date, reading: Reading = Reading.PLAIN) -> Ruling:
    """The ruling of one pack on one vector of facts, by three-valued reading of its rules.

    `facts` must fit the vocabulary (`Vocabulary.checked`). Pure: the day is an argument.
    """
    held = [(rule, holds(rule.when, facts, on)) for rule in pack.rules if rule.active(on, reading)]
    outcome, bearing = _outcome(held)
    duties: tuple[str, ...] = ()
    if outcome.permits:
        owing = [rule for rule, answer in held if rule.effect is Effect.DUTY and answer is not False]
        duties = tuple(dict.fromkeys(duty for rule in [*bearing, *owing] for duty in rule.duties))
        bearing = [*bearing, *owing]
        outcome = Outcome.ALLOW_WITH_DUTIES if duties else Outcome.ALLOW
    answers = {rule.id: answer for rule, answer in held}
    reasons = tuple(_reason(rule, answers[rule.id], facts, on) for rule in bearing) or (_no_ground(pack),)
    return Ruling(pack.jurisdiction, outcome, reasons, duties, on, reading, pack.digest, pack.status)


def _outcome(held: list[tuple[Rule, bool | None]]) -> tuple[Outcome, list[Rule]]:
    """The outcome (duties aside) and the rules it rests on."""
    denying = [rule for rule, answer in held if rule.effect is Effect.DENY and answer]
    if denying:
        return Outcome.DENY, denying
    ground = next((rule for rule, answer in held if rule.effect is Effect.ALLOW and answer), None)
    possible = [rule for rule, answer in held if answer is not False and rule.effect is not Effect.DUTY]
    if ground is None and not any(rule.effect is Effect.ALLOW or rule.ground for rule in possible):
        return Outcome.DENY, []
    against = [rule for rule in possible if rule.effect is not Effect.ALLOW and not rule.ground]
    if ground is None:
        return Outcome.REVIEW, possible
    return (Outcome.REVIEW, against) if against else (Outcome.ALLOW, [ground])


def _reason(rule: Rule, answer: bool | None, facts: Facts, on: date) -> Reason:
    missing = tuple(sorted(open_facts(rule.when, facts, on)))
    return Reason(rule.id, rule.effect, answer is True, rule.because, rule.cite, rule.evidence, missing)


def _no_ground(pack: Pack) -> Reason:
    because = "Nothing that was established permits the use: no licence, no consent and no exception."
    return Reason(f"{pack.jurisdiction.lower()}-no-ground", Effect.DENY, True, because, (), (), ())


def facts_digest(facts: Facts) -> str:
    """SHA-256 over the facts by name."""
    return digest({name: written(facts[name]) for name in sorted(facts)})


def written(value: Value) -> Any:
    """A fact as JSON."""
    if isinstance(value, date):
        return value.isoformat()
    return sorted(value) if isinstance(value, frozenset) else value
