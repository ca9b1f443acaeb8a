"""Law packs: the rules of a jurisdiction as a table that counsel can read, checked before any rule is used.

A pack's own rules stand behind those of packs/common.yaml. Nothing here is legal advice, and `status` says who has
reviewed a pack: those that ship are unreviewed drafts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from byline.core import GateError, digest
from byline.gate.law.condition import Condition, Parser, questions, told
from byline.gate.law.source import read_yaml, shaped
from byline.gate.law.vocabulary import Closed, Sentence, Vocabulary, vocabulary

JURISDICTIONS = ("EU", "UK", "US", "JP", "SG", "CN")

Confidence = Literal["primary", "secondary", "memory", "policy"]
_CONFIDENCE = {"primary", "secondary", "memory", "policy"}


class Effect(StrEnum):
    """`allow` is a ground for the use. `review` keeps the use back until a person has decided; one marked as a ground
    may itself become the permission. `duty` adds what an allowed use owes."""

    DENY = "deny"
    REVIEW = "review"
    ALLOW = "allow"
    DUTY = "duty"


class Reading(StrEnum):
    """A strict reading adds the rules that hold if an open question of law is answered against the user."""

    PLAIN = "plain"
    STRICT = "strict"


class _Written(Closed):
    """A rule as a pack writes it. `cite`: "text | confidence", where confidence says how the source was read: in the
    primary text, in a secondary one, from memory, or that it is a policy and not law."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    jurisdiction: str = ""
    effect: Effect
    ground: bool = False
    reading: Reading = Reading.PLAIN
    basis: Literal["law", "policy"] = "law"
    when: dict[str, Any]
    because: Sentence
    duties: tuple[str, ...] = ()
    cite: tuple[str, ...] | dict[str, tuple[str, ...]] = Field(min_length=1)
    evidence: tuple[str, ...] = Field(min_length=1)
    effective_from: date | None = None
    effective_to: date | None = None

    @field_validator("cite")
    @classmethod
    def _sources(cls, cite: Any) -> Any:
        for line in cite if isinstance(cite, tuple) else [line for lines in cite.values() for line in lines]:
            text, bar, confidence = line.rpartition(" | ")
            if not (bar and text.strip() and confidence in _CONFIDENCE):
                raise ValueError(f"{line!r} must end in ' | ' and one of {', '.join(sorted(_CONFIDENCE))}")
        return cite

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.ground and self.effect is not Effect.REVIEW:
            raise ValueError("only a review can be marked as a ground; an allow is one")
        if bool(self.duties) and self.effect not in (Effect.ALLOW, Effect.DUTY):
            raise ValueError(f"a rule with effect {self.effect} has no duties")
        if self.effect is Effect.DUTY and not self.duties:
            raise ValueError("a duty names the duties")
        if self.effective_from and self.effective_to and self.effective_from >= self.effective_to:
            raise ValueError("effective_to is not behind effective_from")
        return self


class _Table(Closed):
    """A file of a pack. `reviewed_by` is a person's name or null; nobody is invented."""

    jurisdiction: str = ""
    title: str
    version: str
    status: str
    reviewed_by: str | None
    reviewed_on: date | None = None
    conditions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rules: tuple[_Written, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _said(self) -> Self:
        ids = [rule.id for rule in self.rules]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            raise ValueError(f"rules that stand twice: {', '.join(twice)}")
        if (self.reviewed_by is None) != (self.reviewed_on is None) or (
            self.reviewed_by is None and self.status != "unreviewed draft"
        ):
            raise ValueError("a pack is an unreviewed draft, or names who reviewed it and when")
        return self


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready for use. `effective_to` is the first day on which it no longer holds."""

    id: str
    jurisdiction: str
    effect: Effect
    ground: bool
    reading: Reading
    basis: str
    when: Condition
    because: str
    duties: tuple[str, ...]
    cite: tuple[str, ...]
    evidence: tuple[str, ...]
    effective_from: date | None
    effective_to: date | None

    def active(self, on: date, reading: Reading) -> bool:
        begun = self.effective_from is None or self.effective_from <= on
        ended = self.effective_to is not None and self.effective_to <= on
        return begun and not ended and (self.reading is Reading.PLAIN or reading is Reading.STRICT)

    def told(self) -> dict[str, Any]:
        """Everything the rule says, as JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        days = {name: day and day.isoformat() for name, day in plain.items() if name.startswith("effective")}
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return plain | days | lists | {"when": told(self.when)}


@dataclass(frozen=True)
class Pack:
    """The rules of one jurisdiction, in order: of several grounds the first that holds is the one relied on."""

    jurisdiction: str
    title: str
    version: str
    status: str
    rules: tuple[Rule, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything the pack says; a ruling carries it."""
        return digest([self.jurisdiction, self.version, self.status, [rule.told() for rule in self.rules]])

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts its rules read, in order of name."""
        return tuple(sorted({test.fact for rule in self.rules for test in questions(rule.when)}))

    def without(self, rule: str) -> "Pack":
        """The same pack with one rule struck out. Raises: GateError("no-such-rule")."""
        kept = tuple(each for each in self.rules if each.id != rule)
        if len(kept) == len(self.rules):
            raise GateError("no-such-rule", f"{rule} is not a rule of {self.jurisdiction}", "docs/rights.md lists them")
        return replace(self, rules=kept)


@cache
def load_pack(jurisdiction: str) -> Pack:
    """The pack that ships for a jurisdiction. Raises: GateError("no-such-jurisdiction")."""
    if jurisdiction not in JURISDICTIONS:
        says = f"there is no law pack for {jurisdiction!r}"
        raise GateError("no-such-jurisdiction", says, f"the packs are {', '.join(JURISDICTIONS)}")
    common = shaped(_Table, read_yaml("packs/common.yaml"), "packs/common.yaml")
    name = f"packs/{jurisdiction.lower()}.yaml"
    return _joined(common, shaped(_Table, read_yaml(name), name), name)


def load_packs(jurisdictions: Iterable[str], overlays: Iterable[Path] = ()) -> tuple[Pack, ...]:
    """Packs in the order asked for, each once. An overlay is a pack file of your own: its rules replace those with the
    same id and the others are added, which is how tomorrow's rule is tried.

    Raises: GateError("no-such-jurisdiction"), GateError("bad-law-table"), GateError("bad-condition").
    """
    packs = {place: load_pack(place) for place in jurisdictions}
    for path in overlays:
        table = shaped(_Table, read_yaml(path), path.name)
        common = shaped(_Table, read_yaml("packs/common.yaml"), "packs/common.yaml")
        if table.jurisdiction not in packs:
            says = f"{path.name} is of {table.jurisdiction!r}, which is not among {', '.join(packs)}"
            raise GateError("no-such-jurisdiction", says, "ask for its jurisdiction too")
        packs[table.jurisdiction] = _overlaid(packs[table.jurisdiction], common, table, path.name)
    return tuple(packs.values())


def _joined(common: _Table, own: _Table, name: str) -> Pack:
    place, words = own.jurisdiction, vocabulary()
    named = common.conditions | own.conditions
    shared = [(rule, f"{place.lower()}-{rule.id}") for rule in common.rules]
    written = [*shared, *((rule, rule.id) for rule in own.rules)]
    rules = tuple(
        _rule(rule, id, cite, place, named, words, name) for rule, id in written if (cite := _cite(rule, place))
    )
    stray = [id for _, id in written if not id.startswith(f"{place.lower()}-")]
    if stray:
        raise GateError("bad-law-table", f"{name}: ids not of {place}: {', '.join(stray)}", "begin ids with the place")
    return Pack(place, own.title, f"{own.version}+{common.version}", own.status, rules)


def _overlaid(pack: Pack, common: _Table, own: _Table, name: str) -> Pack:
    named = common.conditions | own.conditions
    fresh = [
        _rule(rule, rule.id, _cite(rule, pack.jurisdiction), pack.jurisdiction, named, vocabulary(), name)
        for rule in own.rules
    ]
    replaced = {rule.id: rule for rule in fresh}
    kept = tuple(replaced.pop(rule.id, rule) for rule in pack.rules)
    version = f"{pack.version}+{own.version}"
    return replace(pack, rules=kept + tuple(replaced.values()), version=version, status=own.status)


def _cite(rule: _Written, place: str) -> tuple[str, ...]:
    """The citations of a rule for a place; none if it is not a rule there."""
    if isinstance(rule.cite, tuple):
        return rule.cite
    return rule.cite.get(place, rule.cite.get("*", ()))


def _rule(
    written: _Written,
    id: str,
    cite: tuple[str, ...],
    place: str,
    named: Mapping[str, Any],
    words: Vocabulary,
    name: str,
) -> Rule:
    where, here = f"{name}: {id}", written.jurisdiction or place
    unknown = sorted(set(written.duties) - set(words.duties)) + [here] * (here not in words.places)
    if unknown:
        raise GateError("bad-law-table", f"{where}: {', '.join(unknown)} not in facts.yaml", "name it there first")
    return Rule(
        id,
        here,
        written.effect,
        written.ground,
        written.reading,
        written.basis,
        Parser(words, here, named, where).parse(written.when),
        written.because,
        written.duties,
        cite,
        written.evidence,
        written.effective_from,
        written.effective_to,
    )
