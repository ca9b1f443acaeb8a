"""What is missing: the least that would have to be established, or brought about, for a use to be allowed.

The use is allowed when no deny and no review rule can apply and one ground does. That is one condition, in negation
normal form; a search with bounds finds every smallest set of facts that makes it certain. A fact counts 1 if it must be
established, or if its known answer must be changed by an act that the vocabulary names (a licence concluded, an
assessment renewed). Known facts without such an act are as they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from byline.core import Record
from byline.gate.law.condition import Condition, Every, Question, Some, negation, questions
from byline.gate.law.pack import Effect, Pack, Reading
from byline.gate.law.vocabulary import Fact, Facts, Value, vocabulary

Choices = Mapping[str, frozenset[Any]]
"""For each fact that was touched, the values it may still have."""

MOST_WAYS = 8
"""Ways of the same size that are listed."""


@dataclass(frozen=True, slots=True)
class Step(Record):
    """One fact to establish (`known` False) or to change. `wanted` are the answers that would do, as text; `how` is the
    question to answer or the act to perform."""

    fact: str
    known: bool
    wanted: tuple[str, ...]
    how: str
    evidence: str


Way = tuple[Step, ...]


def ways_to_allow(pack: Pack, facts: Facts, on: date, reading: Reading = Reading.PLAIN) -> tuple[Way, ...]:
    """Every smallest set of steps that would make the pack allow the use, at most MOST_WAYS of them.

    One empty way if it is allowed already; none if no step could (a pirated copy stays one). They say what would do if
    the answers come out that way, not that they will.
    """
    goal = _goal(pack, on, reading)
    search = _Search(facts, _domains(pack, goal, on), on)
    search.run([goal], {})
    ways = {tuple(sorted(_steps(choices, facts, search.domains), key=_key)) for choices in search.best}
    return tuple(sorted(ways, key=lambda way: [_key(step) for step in way])[:MOST_WAYS])


def _goal(pack: Pack, on: date, reading: Reading) -> Condition:
    active = [rule for rule in pack.rules if rule.active(on, reading)]
    grounds = tuple(rule.when for rule in active if rule.effect is Effect.ALLOW)
    hindrances = (rule.when for rule in active if rule.effect in (Effect.DENY, Effect.REVIEW) and not rule.ground)
    return Every((*(negation(hindrance) for hindrance in hindrances), Some(grounds)))


def _domains(pack: Pack, goal: Condition, on: date) -> dict[str, frozenset[Any]]:
    """Values of each fact that the rules can tell apart, so that trying them all tries everything."""
    bounds: dict[str, set[Any]] = {}
    for test in questions(goal):
        bounds.setdefault(test.fact, set()).update(_examples(vocabulary().fact(test.fact), test, on))
    return {name: frozenset(values) for name, values in bounds.items()}


def _examples(fact: Fact, test: Question, on: date) -> set[Any]:
    if fact.kind == "yes-no":
        return {True, False}
    if fact.kind == "choice":
        return set(fact.values)
    if fact.kind == "day":
        return {on, on - timedelta(days=1)}
    if fact.kind == "places":
        return {frozenset(), frozenset(test.operands[:1])}
    bound = test.operands[0]
    return {bound, bound - 1 if test.operation == "at_least" else bound + 1} - {-1}


class _Search:
    """Depth first over the parts still to be made certain; a branch ends when it costs more than the best found."""

    def __init__(self, facts: Facts, domains: Mapping[str, frozenset[Any]], on: date) -> None:
        self._facts, self.domains, self._on = facts, domains, on
        self._fixed = {name for name in facts if vocabulary().fact(name).act is None}
        self._least = len(domains) + 1
        self.best: list[Choices] = []

    def run(self, waiting: list[Condition], choices: Choices) -> None:
        if self._cost(choices) > self._least:
            return
        taken, alternatives = self._settle(waiting, choices)
        if taken is None or (cost := self._cost(taken)) > self._least:
            return
        unsettled = [some for some in alternatives if not self._certain(some, taken)]
        if not unsettled:
            self.best = [*(self.best if cost == self._least else []), taken]
            self._least = cost
            return
        first = min(unsettled, key=lambda some: len(some.parts))
        # Settled alternatives are kept: a fact that settles one now may be changed for the sake of another.
        rest = [some for some in alternatives if some is not first]
        for part in sorted(first.parts, key=lambda part: sum(1 for _ in questions(part))):
            self.run([part, *rest], taken)

    def _settle(self, waiting: list[Condition], choices: Choices) -> tuple[Choices | None, list[Some]]:
        """Take in all that must be so (None if it cannot be); what is left are alternatives."""
        todo, alternatives, taken = list(waiting), list[Some](), dict(choices)
        while todo:
            part = todo.pop()
            if isinstance(part, Every):
                todo += part.parts
            elif isinstance(part, Some):
                alternatives.append(part)
            else:
                left = self._values(part.fact, taken) & self._answering(part)
                if not left:
                    return None, []
                taken[part.fact] = left
        return taken, alternatives

    def _certain(self, condition: Condition, taken: Choices) -> bool:
        """True if it holds whatever the choices left open, at no further cost."""
        if isinstance(condition, Question):
            return self._held(condition.fact, taken) <= self._answering(condition)
        every = all if isinstance(condition, Every) else any
        return every(self._certain(part, taken) for part in condition.parts)

    def _held(self, name: str, taken: Choices) -> frozenset[Any]:
        """What the fact can be if nothing more is done about it."""
        left = taken.get(name)
        value = self._known(name)
        if value is not None and (left is None or value in left):
            return frozenset({value})
        return self.domains[name] if left is None else left

    def _values(self, name: str, taken: Choices) -> frozenset[Any]:
        """What the fact can be made to be."""
        if name in taken:
            return taken[name]
        value = self._known(name)
        if value is None:
            return self.domains[name]
        return frozenset({value}) if name in self._fixed else self.domains[name] | {value}

    def _known(self, name: str) -> Any:
        return self._facts.get(name)

    def _answering(self, test: Question) -> frozenset[Any]:
        value = self._known(test.fact)
        candidates = self.domains[test.fact] | (frozenset() if value is None else {value})
        return frozenset(each for each in candidates if test.answer(each, self._on))

    def _cost(self, choices: Choices) -> int:
        return sum(self._known(name) not in left for name, left in choices.items())


def _key(step: Step) -> tuple[str, tuple[str, ...]]:
    return step.fact, step.wanted


def _steps(choices: Choices, facts: Facts, domains: Choices) -> Iterator[Step]:
    for name, left in choices.items():
        value = facts.get(name)
        if value in left:
            continue
        fact = vocabulary().fact(name)
        known = value is not None
        how = (fact.act or fact.asks) if known else fact.asks
        yield Step(name, known, _wanted(fact, left, domains[name]), how, fact.source)


def _wanted(fact: Fact, left: frozenset[Any], domain: frozenset[Any]) -> tuple[str, ...]:
    """The answers that would do, for people."""
    if fact.kind == "number":
        low, high = min(left), max(left)
        bounds = [f"at least {low}"] * (low > min(domain)) + [f"at most {high}"] * (high < max(domain))
        return (" and ".join(bounds),)
    if fact.kind == "day":
        return (f"{min(left).isoformat()} or later",)
    return tuple(sorted(_shown(each) for each in left))


def _shown(value: Value) -> str:
    if isinstance(value, frozenset):
        return ";".join(sorted(value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
