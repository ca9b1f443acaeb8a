"""Conditions over facts, in three-valued logic: what rests on a fact nobody has established is neither true nor false.

Written in a pack as

    {method: crawl, lawful_access: true}        all of these
    {licence_train: [permits, conditional]}     one of these values
    {signal_age_h: {at_least: 25}}              also at_most; whole numbers
    {grant_until: in-force}                     the day is today or later
    {grant_in: here}                            the places cover that of the rule
    all: [...]   any: [...]   not: {...}   is: name-of-a-condition

and kept in negation normal form: `Every` and `Some` over `Question`s.
Source: S. C. Kleene, Introduction to Metamathematics (1952), section 64 (strong connectives).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from byline.core import GateError
from byline.gate.law.vocabulary import Facts, Value, Vocabulary


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one fact. `operation`: among, at_least, at_most, in_force or covers; `operands` are the values,
    the bound, none, or the codes that cover the place. With `negated` the answer is turned round."""

    fact: str
    operation: str
    operands: tuple[Any, ...]
    negated: bool = False

    def answer(self, value: Value, on: date) -> bool:
        return bool(_OPERATIONS[self.operation](value, self.operands, on)) != self.negated


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple["Condition", ...]


Condition = Question | Every | Some

_OPERATIONS: Mapping[str, Any] = {
    "among": lambda value, operands, on: value in operands,
    "at_least": lambda value, operands, on: value >= operands[0],
    "at_most": lambda value, operands, on: value <= operands[0],
    "in_force": lambda value, operands, on: value >= on,
    "covers": lambda value, operands, on: not value.isdisjoint(operands),
}


def holds(condition: Condition, facts: Facts, on: date) -> bool | None:
    """True, False, or None when facts are missing that could turn it either way."""
    if isinstance(condition, Question):
        value = facts.get(condition.fact)
        return None if value is None else condition.answer(value, on)
    stop = isinstance(condition, Some)  # the answer of a part that settles the whole
    undecided = False
    for part in condition.parts:
        answer = holds(part, facts, on)
        if answer is stop:
            return stop
        undecided = undecided or answer is None
    return None if undecided else not stop


def negation(condition: Condition) -> Condition:
    """By De Morgan's laws, down to the tests."""
    if isinstance(condition, Question):
        return Question(condition.fact, condition.operation, condition.operands, not condition.negated)
    parts = tuple(negation(part) for part in condition.parts)
    return Some(parts) if isinstance(condition, Every) else Every(parts)


def questions(condition: Condition) -> Iterator[Question]:
    if isinstance(condition, Question):
        yield condition
    else:
        for part in condition.parts:
            yield from questions(part)


def told(condition: Condition) -> Any:
    """The condition as JSON."""
    if isinstance(condition, Question):
        return [condition.fact, condition.operation, list(condition.operands), condition.negated]
    return {"every" if isinstance(condition, Every) else "some": [told(part) for part in condition.parts]}


def open_facts(condition: Condition, facts: Facts, on: date) -> frozenset[str]:
    """The facts not established on which an undecided condition hangs; parts that are decided ask for nothing."""
    if holds(condition, facts, on) is not None:
        return frozenset()
    if isinstance(condition, Question):
        return frozenset({condition.fact})
    return frozenset[str]().union(*(open_facts(part, facts, on) for part in condition.parts))


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads conditions of one rule: `place` is what `here` means, `named` are the conditions that `is` may name."""

    vocabulary: Vocabulary
    place: str
    named: Mapping[str, Any]
    where: str
    depth: int = 0

    def parse(self, written: Any) -> Condition:
        """Raises: GateError("bad-condition") naming the rule and the part."""
        if not isinstance(written, dict) or not written:
            raise _bad(self.where, written, "a condition is a mapping such as {method: crawl}")
        parts = tuple(self._part(key, value) for key, value in written.items())
        return parts[0] if len(parts) == 1 else Every(parts)

    def _part(self, key: str, value: Any) -> Condition:
        if key == "not":
            return negation(self.parse(value))
        if key == "is":
            return self._named(value)
        if key not in ("all", "any"):
            return self._test(key, value)
        if not isinstance(value, list) or not value:
            raise _bad(self.where, value, f"{key} takes a list of conditions")
        parts = tuple(self.parse(item) for item in value)
        return Every(parts) if key == "all" else Some(parts)

    def _named(self, name: Any) -> Condition:
        if not isinstance(name, str) or name not in self.named:
            raise _bad(self.where, name, f"the named conditions are {', '.join(self.named)}")
        if self.depth > len(self.named):
            raise _bad(self.where, name, "it is defined by itself")
        inner = Parser(self.vocabulary, self.place, self.named, self.where, self.depth + 1)
        return inner.parse(self.named[name])

    def _test(self, name: str, value: Any) -> Question:
        fact = self.vocabulary.facts.get(name)
        if fact is None:
            raise _bad(self.where, name, "no such fact stands in facts.yaml")
        if fact.kind == "day" and value == "in-force":
            return Question(name, "in_force", ())
        if fact.kind == "places" and value == "here":
            return Question(name, "covers", self.vocabulary.covering(self.place))
        if fact.kind == "number" and isinstance(value, dict) and len(value) == 1:
            ((operation, bound),) = value.items()
            if operation in ("at_least", "at_most") and type(bound) is int:
                return Question(name, operation, (bound,))
        if fact.kind == "yes-no" and type(value) is bool:
            return Question(name, "among", (value,))
        if fact.kind == "choice":
            chosen = tuple(value) if isinstance(value, list) else (value,)
            if chosen and set(map(str, chosen)) <= set(fact.values):
                return Question(name, "among", chosen)
        raise _bad(self.where, {name: value}, f"{name} is a {fact.kind} ({', '.join(fact.values)})")


def _bad(where: str, written: Any, says: str) -> GateError:
    return GateError("bad-condition", f"{where}: {written!r}: {says}", "see the forms in docs/rights.md")
