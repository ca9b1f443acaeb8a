"""The facts that rules may read, with the question each answers, and the duties that rules may impose (facts.yaml).

A fact that nobody has established is absent; no fact has a default that would stand in for an answer.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from byline.core import GateError
from byline.gate.law.source import read_yaml, shaped

Value = bool | str | int | date | frozenset[str]
"""What is known: yes or no, a choice, a number in its unit, a day, or the places where something holds."""

Facts = Mapping[str, Value]

WORLD = "WORLD"
Kind = Literal["yes-no", "choice", "number", "day", "places"]


class Closed(BaseModel):
    """Base of what is read from a table: a field that the table does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _sentence(text: str) -> str:
    if not text.endswith((".", "?")):
        raise ValueError("a sentence ends with a full stop or a question mark")
    return text


Sentence = Annotated[str, Field(min_length=3), AfterValidator(_sentence)]


class Fact(Closed):
    """`source` is the kind of record that establishes it; `act` changes a known answer, where an act can."""

    kind: Kind
    values: tuple[str, ...] = ()
    unit: str = ""
    source: str = Field(alias="from")
    asks: Sentence
    act: Sentence | None = None


class Vocabulary(Closed):
    """`places`: the codes of law packs; `duties`: what an allowed use may owe; `unless_on_file`: the unfavourable
    answer of those facts that the operator's own files would hold if it were otherwise."""

    places: tuple[str, ...]
    facts: dict[str, Fact]
    unless_on_file: dict[str, str]
    duties: dict[str, Sentence]

    def fact(self, name: str) -> Fact:
        """Raises: GateError("unknown-fact")."""
        if name not in self.facts:
            raise GateError("unknown-fact", f"{name!r} is not a fact", "facts stand in gate/law/facts.yaml")
        return self.facts[name]

    def covering(self, place: str) -> tuple[str, ...]:
        """The codes that cover a place: its own, that of the country it is a part of, and the world."""
        return (place, *([place.partition("-")[0]] if "-" in place else []), WORLD)

    def checked(self, facts: Facts) -> Facts:
        """The same facts. Raises: GateError("unknown-fact"), GateError("bad-fact")."""
        for name, value in facts.items():
            if not self._fits(self.fact(name), value):
                wanted = " or ".join(self.fact(name).values) or self.fact(name).kind
                raise GateError("bad-fact", f"{name} = {value!r} is not {wanted}", "leave out what is not known")
        return facts

    def parse(self, name: str, text: str) -> Value | None:
        """A fact from a cell of a table; None for an empty cell, which says nothing.

        Raises: GateError("unknown-fact"), GateError("bad-fact").
        """
        fact = self.fact(name)
        if not text:
            return None
        try:
            value: Value = _PARSERS[fact.kind](text)
        except (KeyError, ValueError):
            value = ""
        if not self._fits(fact, value):
            raise GateError("bad-fact", f"{name} cannot be {text!r}", f"{name}: {_SHAPES[fact.kind](fact, self)}")
        return value

    def write(self, value: Value) -> str:
        """A fact as `parse` reads it back."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, frozenset):
            return ";".join(sorted(value)) or "none"
        return value.isoformat() if isinstance(value, date) else str(value)

    def on_file(self, facts: Facts) -> dict[str, Value]:
        """The facts, and of what the operator's files do not hold the unfavourable answer."""
        absent = {name: self.parse(name, text) for name, text in self.unless_on_file.items() if name not in facts}
        return dict(facts) | {name: value for name, value in absent.items() if value is not None}

    def _fits(self, fact: Fact, value: Value) -> bool:
        if fact.kind == "places":
            return isinstance(value, frozenset) and value <= set(self.places)
        if fact.kind == "choice":
            return value in fact.values
        if fact.kind == "number":
            return type(value) is int and value >= 0
        return type(value) is (bool if fact.kind == "yes-no" else date)


_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_PARSERS: Mapping[str, Callable[[str], Value]] = {
    "yes-no": lambda text: _YES_NO[text.lower()],
    "choice": lambda text: text,
    "number": int,
    "day": date.fromisoformat,
    "places": lambda text: frozenset(part.strip() for part in text.split(";")) - {"none"},
}
_SHAPES: Mapping[str, "Callable[[Fact, Vocabulary], str]"] = {
    "yes-no": lambda fact, known: "yes or no, or empty if it is not known",
    "choice": lambda fact, known: " or ".join(fact.values),
    "number": lambda fact, known: f"a whole number of {fact.unit}",
    "day": lambda fact, known: "a day such as 2026-11-22",
    "places": lambda fact, known: f"none, or some of {', '.join(known.places)} with ; between them",
}


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary that ships with Byline."""
    return shaped(Vocabulary, read_yaml("facts.yaml"), "facts.yaml")
