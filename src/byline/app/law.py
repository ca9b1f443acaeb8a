"""Law packs over the works of a project: facts from the register and from an evidence file, rulings, explanations."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from byline.app.home import Home, in_order_of_registration
from byline.app.law_records import UNKNOWN, recorded_facts
from byline.core import AppError, Decision, GateError, OptOut, PartyId, Problem, Work, WorkId
from byline.gate.law import (
    Comparison,
    Facts,
    FactTable,
    Judgement,
    Pack,
    Reading,
    Ruling,
    Setting,
    Value,
    compare,
    decision_of,
    facts_digest,
    judge_all,
    licence_facts,
    load_packs,
    read_form,
    vocabulary,
    ways_to_allow,
)
from byline.registry import Columns, Row, read_rows


@dataclass(frozen=True)
class Asked:
    """What a command asks: places, the use that is assumed for all works, evidence per work, forms, own packs, and
    facts of a supposed world, which stand over the evidence."""

    jurisdictions: Sequence[str]
    on: date
    strict: bool = False
    evidence: Path | None = None
    assuming: Sequence[str] = ()
    forms: Sequence[Path] = ()
    overlays: Sequence[Path] = ()
    supposing: Sequence[str] = ()

    @property
    def reading(self) -> Reading:
        return Reading.STRICT if self.strict else Reading.PLAIN

    def packs(self) -> tuple[Pack, ...]:
        return load_packs(self.jurisdictions, self.overlays)

    def same_for_all(self) -> dict[str, Value]:
        """Facts of the use: the forms', and the assumed over them."""
        found: dict[str, Value] = {}
        for path in self.forms:
            found |= _form_facts(path)
        return found | assumed(self.assuming)


@dataclass(frozen=True)
class Corpus:
    """The works in the order of the table's rows."""

    works: tuple[Work, ...]
    table: FactTable

    def index(self, title_or_id: str) -> int:
        """Raises: AppError("no-such-title")."""
        found = [n for n, work in enumerate(self.works) if title_or_id in (work.id, work.title)]
        if len(found) != 1:
            how = "is the title of several works" if found else "is neither the title nor the id of a work"
            raise AppError("no-such-title", f"{title_or_id!r} {how}", "`byline check --json` names the ids")
        return found[0]


def corpus(home: Home, asked: Asked, among: Sequence[Work] = ()) -> tuple[Corpus, list[Problem]]:
    """Every registered work (or some) with what is known of it, and all that is wrong with evidence file and records.

    Weakest first: what the files do not hold, the catalogue's licence, the use, what the evidence file says of all
    works (`*`), the registry's records, the evidence of the work itself, what is supposed. Opt-outs count whatever they
    say;
    a reservation that was seen counts whatever the evidence says. Raises: AppError("nothing-registered"), and those of
    the forms.
    """
    works = tuple(among or in_order_of_registration(home))
    if not works:
        raise AppError("nothing-registered", f"{home.path} holds no works", "byline register CATALOGUE")
    evidence, problems = read_evidence(asked.evidence, works, home) if asked.evidence else (GivenFacts(), [])
    recorded = recorded_facts(home, works, asked.on)
    refused = said_no(works, home.opt_outs(asked.on)) | set(home.blocks(asked.on, among or None))
    same, supposed = asked.same_for_all() | evidence.of_all, assumed(asked.supposing)
    rows = []
    for work in works:
        known = same | recorded.facts.get(work.id, {}) | evidence.of_work.get(work.id, {})
        seen: dict[str, Value] = {"reserved": True} if work.id in recorded.reserved else {}
        rows.append(work_facts(work, known | seen | supposed, work.id in refused))
    return Corpus(works, FactTable.of(rows)), [*problems, *recorded.problems]


def work_facts(work: Work, given: Facts, opted_out: bool) -> dict[str, Value]:
    """What is known of a work. Claims other than opt-outs are not in the register yet, so that none is open there is no
    evidence that none is: `objection_open` follows from an opt-out only, and is otherwise for the evidence file. A text
    holds no recording of a voice or a face."""
    heard = {"biometric_voice": False, "biometric_face": False} if work.kind == "text" else {}
    facts = licence_facts(work.licence) | heard | {"phase": "admit"} | dict(given)
    facts = {name: value for name, value in facts.items() if value != UNKNOWN}
    facts["opt_out_open"] = opted_out or facts.get("opt_out_open") is True
    if opted_out:
        facts["objection_open"] = True
    return vocabulary().on_file(facts)


def said_no(works: Iterable[Work], opt_outs: Sequence[OptOut]) -> set[WorkId]:
    """Works that an opt-out in force reaches."""
    whole: set[PartyId] = {each.party for each in opt_outs if each.work is None}
    single = {(each.party, each.work) for each in opt_outs}
    return {
        work.id
        for work in works
        if any(part.party in whole or (part.party, work.id) in single for part in work.contributions)
    }


def judge_corpus(corpus: Corpus, asked: Asked) -> Judgement:
    return judge_all(corpus.table, asked.packs(), asked.on, asked.reading)


def decisions(corpus: Corpus, judgement: Judgement) -> dict[WorkId, Decision]:
    """For the gate: one decision per work, over all packs."""
    return {work.id: decision_of(work.id, judgement.of(n)) for n, work in enumerate(corpus.works)}


def what_if(now: Corpus, then: Corpus, asked: Asked, instead: Asked) -> Comparison:
    """The same works as they are judged, and as they would be; `then` holds what would be known of them."""
    before, after = (Setting(each.packs(), each.on, each.reading) for each in (asked, instead))
    return compare(now.table, before, after, then=then.table)


def explain(corpus: Corpus, judgement: Judgement, work: str, asked: Asked) -> dict[str, Any]:
    """Everything behind the rulings on one work, as JSON: facts, rules with citations, and what is missing."""
    index = corpus.index(work)
    facts = corpus.table.row(index)
    rulings = [
        _explained(ruling, judged.pack, facts, asked)
        for ruling, judged in zip(judgement.of(index), judgement.by_pack, strict=True)
    ]
    chosen = corpus.works[index]
    told = {name: value if isinstance(value, bool | int) else _text(value) for name, value in sorted(facts.items())}
    return {
        "work": chosen.id,
        "title": chosen.title,
        "facts": told,
        "facts_digest": facts_digest(facts),
        "outcome": judgement.outcome(index),
        "rulings": rulings,
    }


def _explained(ruling: Ruling, pack: Pack, facts: Facts, asked: Asked) -> dict[str, Any]:
    ways = () if ruling.outcome.permits else ways_to_allow(pack, facts, asked.on, asked.reading)
    hopeless = not ruling.outcome.permits and not ways
    return ruling.to_json() | {"missing": [[step.to_json() for step in way] for way in ways], "hopeless": hopeless}


# --- facts from files -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GivenFacts:
    """What an evidence file says of all works, and of single ones."""

    of_all: dict[str, Value] = field(default_factory=dict)
    of_work: dict[WorkId, dict[str, Value]] = field(default_factory=dict)


def read_evidence(path: Path, works: Sequence[Work], home: Home) -> tuple[GivenFacts, list[Problem]]:
    """Facts per work from a CSV or JSON-lines file: `title` or `work` names the work (`*`: every work), each other
    column is a fact. All problems at once, each with file and line."""
    words = vocabulary()
    columns = Columns((), ("work", "title", "account", *words.facts))
    rows, problems = read_rows(path, columns)
    accounts = home.registry.accounts()
    given = GivenFacts()
    for row in rows:
        named = _named(row, works, accounts)
        if not named:
            problems.append(
                Problem("unknown-work", row.at, f"names no registered work: {row['work'] or row['title']!r}")
            )
        facts, faults = _row_facts(row)
        problems += faults
        if row["title"] == "*" and not row["work"] and not row["account"]:
            given.of_all.update(facts)
            continue
        for work in named:
            given.of_work.setdefault(work, {}).update(facts)
    return given, problems


def _named(row: Row, works: Sequence[Work], accounts: Mapping[Any, str]) -> list[WorkId]:
    if row["work"]:
        return [work.id for work in works if work.id == row["work"]]
    owner = row["account"]
    return [
        work.id
        for work in works
        if row["title"] in ("*", work.title) and (not owner or accounts.get(work.account) == owner)
    ]


def _row_facts(row: Row) -> tuple[dict[str, Value], list[Problem]]:
    facts: dict[str, Value] = {}
    problems = []
    for name, cell in row.cells.items():
        if name in ("work", "title", "account"):
            continue
        try:
            value = vocabulary().parse(name, cell)
        except GateError as fault:
            problems.append(Problem(fault.code, row.at, f"{fault.message}; {fault.fix}"))
            continue
        if value is not None:
            facts[name] = value
    return facts, problems


def assumed(words: Sequence[str]) -> dict[str, Value]:
    """`fact=value` from the command line. Raises: AppError("bad-assumption"), GateError("unknown-fact"),
    GateError("bad-fact")."""
    found: dict[str, Value] = {}
    for word in words:
        name, sign, text = word.partition("=")
        value = vocabulary().parse(name.strip(), text.strip()) if sign else None
        if value is None:
            raise AppError("bad-assumption", f"{word!r} is not fact=value", "e.g. purpose=commercial")
        found[name.strip()] = value
    return found


def _form_facts(path: Path) -> dict[str, Value]:
    """Raises: AppError("bad-form-file") for a form that cannot be read or is not complete."""
    try:
        form = read_form(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as fault:
        raise AppError("bad-form-file", f"{path}: {fault}", "docs/rights.md shows each form whole") from fault
    if form.unanswered():
        says = f"{path}: not answered: {', '.join(form.unanswered())}"
        raise AppError("bad-form-file", says, "an incomplete form establishes nothing; complete it")
    return form.facts()


def _text(value: Value) -> str:
    return ";".join(sorted(value)) if isinstance(value, frozenset) else str(value)
