"""The facts of many works, by column, and the rulings on them: one per distinct vector of facts, not one per work.

Two vectors are the same to a pack if every test of its rules answers alike, so ages, days and places fall into the few
classes that the rules can tell apart.

Suffixes: N works, V distinct vectors.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from byline.core import GateError
from byline.gate.law.cedar import CedarEngine
from byline.gate.law.condition import Question, holds, questions
from byline.gate.law.pack import Effect, Pack, Reading, Rule
from byline.gate.law.ruling import SEVERITY, Outcome, Ruling, rule_on
from byline.gate.law.vocabulary import Facts, Value, vocabulary

Codes = npt.NDArray[np.int64]
_MOST_KEYS = 2**62
SAMPLE = 200
"""Distinct vectors, spread over all, whose outcome Cedar is asked as well."""


@dataclass(frozen=True, slots=True)
class Column:
    """`values[codes_N[n]]` is what is known of work n; -1 for nothing."""

    values: tuple[Value, ...]
    codes_N: Codes


@dataclass(frozen=True)
class FactTable:
    """Facts of `size` works by name. Facts that no column holds are not known of any work."""

    size: int
    columns: Mapping[str, Column]

    @classmethod
    def of(cls, rows: Sequence[Facts]) -> "FactTable":
        """From one mapping per work, in their order. Raises: GateError("unknown-fact"), GateError("bad-fact")."""
        names = sorted({name for row in rows for name in row})
        return cls(len(rows), {name: _column(name, rows) for name in names})

    def assuming(self, facts: Facts) -> "FactTable":
        """The same works with these facts for all of them, over whatever was known."""
        vocabulary().checked(facts)
        same = {name: Column((value,), np.zeros(self.size, dtype=np.int64)) for name, value in facts.items()}
        return FactTable(self.size, {**self.columns, **same})

    def only(self, indices: Codes) -> "FactTable":
        """The works at these positions."""
        columns = {name: Column(each.values, each.codes_N[indices]) for name, each in self.columns.items()}
        return FactTable(len(indices), columns)

    def row(self, index: int) -> dict[str, Value]:
        """What is known of one work."""
        codes = ((name, column.values, int(column.codes_N[index])) for name, column in self.columns.items())
        return {name: values[code] for name, values, code in codes if code >= 0}

    def vectors(self, pack: Pack, on: date, reading: Reading) -> tuple[Codes, Codes]:
        """first_V: a work with each vector that the pack can tell apart; which_N: the vector of each work."""
        asked: dict[str, list[Question]] = {}
        for rule in pack.rules:
            if rule.active(on, reading):
                for test in questions(rule.when):
                    asked.setdefault(test.fact, []).append(test)
        keys_N, bound = np.zeros(self.size, dtype=np.int64), 1
        for name in sorted(asked.keys() & self.columns.keys()):
            classes_N, count = _classes(self.columns[name], asked[name], on)
            if bound * count > _MOST_KEYS:
                distinct, keys_N = np.unique(keys_N, return_inverse=True)
                bound = len(distinct)
            keys_N, bound = keys_N * count + classes_N, bound * count
        _, first_V, which_N = np.unique(keys_N, return_index=True, return_inverse=True)
        return first_V, which_N


def _column(name: str, rows: Sequence[Facts]) -> Column:
    values: dict[Value, int] = {}
    codes = [-1 if (value := row.get(name)) is None else values.setdefault(value, len(values)) for row in rows]
    for value in values:
        vocabulary().checked({name: value})
    return Column(tuple(values), np.array(codes, dtype=np.int64))


def _classes(column: Column, asked: Sequence[Question], on: date) -> tuple[Codes, int]:
    """Class of each work by the answers of the tests, 0 for what is not known, and the number of classes."""
    numbers: dict[tuple[bool, ...], int] = {}
    answers = [tuple(test.answer(value, on) for test in asked) for value in column.values]
    class_of = np.array([0, *(numbers.setdefault(each, len(numbers) + 1) for each in answers)], dtype=np.int64)
    return class_of[column.codes_N + 1], len(numbers) + 1


@dataclass(frozen=True)
class Judged:
    """The rulings of one pack on a table: `rulings[which_N[n]]` is the one on work n; work `first_V[v]` is the first
    with vector v."""

    pack: Pack
    rulings: tuple[Ruling, ...]
    first_V: Codes
    which_N: Codes

    def of(self, index: int) -> Ruling:
        return self.rulings[int(self.which_N[index])]

    def counts(self) -> dict[Outcome, int]:
        """Works by outcome, the worst outcome first; outcomes of no work are left out."""
        works_V = np.bincount(self.which_N, minlength=len(self.rulings))
        found: Counter[Outcome] = Counter()
        for ruling, works in zip(self.rulings, works_V.tolist(), strict=True):
            found[ruling.outcome] += works
        return {outcome: found[outcome] for outcome in SEVERITY if found[outcome]}

    def severity_N(self) -> Codes:
        """Position of each work's outcome in SEVERITY."""
        places = np.array([SEVERITY.index(ruling.outcome) for ruling in self.rulings], dtype=np.int64)
        return places[self.which_N]


def judge(
    table: FactTable, pack: Pack, on: date, reading: Reading = Reading.PLAIN, *, cedar: bool | None = None
) -> Judged:
    """The rulings of a pack on all works. Cedar must agree: on every rule for every distinct answer to its questions,
    and on the outcome for works that rest on every rule and for a sample of all. Cedar forbids if any prohibition holds
    and permits only by a permission that holds, so that agreement on each rule is agreement on each vector.

    `cedar`: None asks Cedar if cedarpy is installed; True demands it; False leaves it out.
    Raises: GateError("engines-differ"), GateError("rights-missing") and those of `CedarEngine`.
    """
    judged = _read(table, pack, on, reading)
    if _wanted(cedar):
        _check(pack, _to_check(table, judged, on, reading), on, reading)
    return judged


def _read(table: FactTable, pack: Pack, on: date, reading: Reading) -> Judged:
    first_V, which_N = table.vectors(pack, on, reading)
    rulings = tuple(rule_on(pack, table.row(index), on, reading) for index in first_V.tolist())
    return Judged(pack, rulings, first_V, which_N)


@dataclass(frozen=True, slots=True)
class ToCheck:
    """What Cedar is asked: `rules`, each with distinct facts that it reads and our answers; whole `facts` with our
    `outcomes`."""

    rules: tuple[tuple[Rule, tuple[Facts, ...], tuple[bool | None, ...]], ...]
    facts: tuple[Facts, ...]
    outcomes: tuple[Outcome, ...]


def _to_check(table: FactTable, judged: Judged, on: date, reading: Reading) -> ToCheck:
    distinct = table.only(judged.first_V)
    rules = []
    for rule in judged.pack.rules:
        if rule.active(on, reading) and rule.effect is not Effect.DUTY:  # duties are no policies
            alone = replace(judged.pack, rules=(rule,))
            facts = [_asked(distinct.row(index), alone) for index in distinct.vectors(alone, on, reading)[0].tolist()]
            rules.append((rule, tuple(facts), tuple(holds(rule.when, each, on) for each in facts)))
    resting: dict[tuple[Outcome, str], int] = {}
    for index, ruling in zip(judged.first_V.tolist(), judged.rulings, strict=True):
        for reason in ruling.reasons:
            resting.setdefault((ruling.outcome, reason.rule), index)
    sample = judged.first_V[:: max(1, len(judged.first_V) // SAMPLE)].tolist()
    wholes = sorted({*resting.values(), *sample})
    whole = tuple(_asked(table.row(index), judged.pack) for index in wholes)
    return ToCheck(tuple(rules), whole, tuple(judged.of(index).outcome for index in wholes))


def _asked(facts: Facts, pack: Pack) -> Facts:
    read = set(pack.facts)
    return {name: value for name, value in facts.items() if name in read}


def _check(pack: Pack, asked: ToCheck, on: date, reading: Reading) -> None:
    """In a process of its own or here."""
    engine = CedarEngine(pack)
    for rule, facts, answers in asked.rules:
        engine.check_rule(rule, answers, facts, on, reading)
    engine.check(asked.outcomes, asked.facts, on, reading)


def _wanted(cedar: bool | None) -> bool:
    return cedar if cedar is not None else find_spec("cedarpy") is not None


@dataclass(frozen=True)
class Judgement:
    """The rulings of several packs on the same works. A work is as its worst jurisdiction says."""

    by_pack: tuple[Judged, ...]

    def severity_N(self) -> Codes:
        severities: list[Codes] = [judged.severity_N() for judged in self.by_pack]
        worst_N: Codes = np.min(severities, axis=0)
        return worst_N

    def outcome(self, index: int) -> Outcome:
        return min((ruling.outcome for ruling in self.of(index)), key=SEVERITY.index)

    def of(self, index: int) -> tuple[Ruling, ...]:
        """The ruling of each pack on one work."""
        return tuple(judged.of(index) for judged in self.by_pack)

    def counts(self) -> dict[Outcome, int]:
        found = np.bincount(self.severity_N(), minlength=len(SEVERITY)).tolist()
        return {outcome: count for outcome, count in zip(SEVERITY, found, strict=True) if count}

    def deciding(self, index: int) -> Iterator[str]:
        """The rules on which the worst outcome of a work rests."""
        worst = self.outcome(index)
        return (reason.rule for ruling in self.of(index) if ruling.outcome is worst for reason in ruling.reasons)


def judge_all(
    table: FactTable,
    packs: Sequence[Pack],
    on: date,
    reading: Reading = Reading.PLAIN,
    *,
    cedar: bool | None = None,
    processes: int = 0,
) -> Judgement:
    """`judge` under several packs. `processes`: Cedar is asked in that many others, while this one reads on.

    Raises: GateError("no-packs") and those of `judge`.
    """
    if not packs:
        raise GateError("no-packs", "no jurisdiction was asked for", "name at least one, e.g. EU")
    if not processes or not _wanted(cedar):
        return Judgement(tuple(judge(table, pack, on, reading, cedar=cedar) for pack in packs))
    judged, checks = [], []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for pack in packs:
            judged.append(_read(table, pack, on, reading))
            to_check = _to_check(table, judged[-1], on, reading)
            checks.append(pool.submit(_check, pack, to_check, on, reading))
        for check in checks:
            check.result()
    return Judgement(tuple(judged))
