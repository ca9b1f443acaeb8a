"""What would become of a corpus elsewhere, on a stricter reading, on a later day, or under another rule."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from byline.core import GateError, Record
from byline.gate.law.pack import Pack, Reading
from byline.gate.law.ruling import Outcome
from byline.gate.law.table import FactTable, Judgement, judge_all
from byline.gate.law.vocabulary import Facts


@dataclass(frozen=True)
class Setting:
    """One way to judge a corpus. `assuming` are facts taken for every work, such as another purpose."""

    packs: Sequence[Pack]
    on: date
    reading: Reading = Reading.PLAIN
    assuming: Facts = field(default_factory=dict)

    def judge(self, table: FactTable) -> Judgement:
        return judge_all(table.assuming(self.assuming), self.packs, self.on, self.reading)


@dataclass(frozen=True, slots=True)
class Flip(Record):
    """Works that go from one outcome to another for the same rules. `rules`: those on which the outcome rests that
    decides the change (the worse of the two sides). `works` are their positions in the table, in order."""

    before: Outcome
    after: Outcome
    rules: tuple[str, ...]
    works: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    before: Judgement
    after: Judgement
    flips: tuple[Flip, ...]

    @property
    def flipped(self) -> int:
        return sum(len(flip.works) for flip in self.flips)


def compare(table: FactTable, before: Setting, after: Setting, then: FactTable | None = None) -> Comparison:
    """Both judgements, and every work whose worst outcome differs, the largest group first. `then`: the facts of the
    same works under the other setting, where they are not those of `table`.

    Raises: GateError("tables-differ") if they are not as many works.
    """
    if then is not None and then.size != table.size:
        raise GateError("tables-differ", f"facts of {table.size} and of {then.size} works", "give the same works")
    was, becomes = before.judge(table), after.judge(then or table)
    moved = np.flatnonzero(was.severity_N() != becomes.severity_N()).tolist()
    groups: dict[tuple[Outcome, Outcome, tuple[str, ...]], list[int]] = {}
    for index in moved:
        pair = was.outcome(index), becomes.outcome(index)
        worse = was if _worse(*pair) else becomes
        rules = tuple(dict.fromkeys(worse.deciding(index)))
        groups.setdefault((*pair, rules), []).append(index)
    flips = [Flip(*key, tuple(works)) for key, works in groups.items()]
    return Comparison(was, becomes, tuple(sorted(flips, key=lambda flip: (-len(flip.works), flip.rules))))


def _worse(one: Outcome, other: Outcome) -> bool:
    order = list(Outcome)
    return order.index(one) < order.index(other)
