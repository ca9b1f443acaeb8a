"""It makes no difference when a fact becomes known: before the money is divided, or after it and then corrected."""

import csv
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from tiny_project import DAY, byline, write_catalogue

from byline.app.corrections import correct_all, waiting
from byline.app.home import Home
from byline.app.money import Unmeasured, pay
from byline.core import RevenueEvent
from byline.ledger import (
    JournalAccounts,
    Policy,
    Prior,
    Unattributed,
    Vote,
    open_payout_book,
    unclaimed_list,
    voted_move,
)
from byline.registry import People, read_people

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)
POLICY = Policy("policy:l", 1, date(2026, 1, 1), 100_000, 50_000, 1_000_000, Prior.LENGTH, Unattributed.COMMONS)
NAMES = ("Ada Moore", "Ben Okoro", "Cleo Marsh", "Eve Hart", "Hospital")
TITLES = ("Ada 1", "Ben 1", "Cleo 2", "Both")
EVENTS = [RevenueEvent(f"event:{n}", "Lab", str(10**12 + n), "EUR", DAY + timedelta(days=1 + 20 * n)) for n in range(3)]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    files = write_catalogue(tmp_path_factory.mktemp("files"))
    home, before = tmp_path_factory.mktemp("template") / "home", Path.cwd()
    os.chdir(files)
    for step in ("register works.csv --splits splits.csv", "freeze"):
        assert byline(*step.split(), "--home", home).code == 0
    os.chdir(before)
    return home


def drawn(random, folder):
    """Files of facts that follow one another: disputes, claims, heirs, decisions, withdrawals."""
    day = lambda: str(DAY + timedelta(days=random.randrange(-30, 50)))  # noqa: E731
    files, records = [], []
    share = lambda: f"{random.randint(1, 70)}%"  # noqa: E731
    for number in range(random.randint(2, 5)):
        person, other = random.sample(NAMES, 2)
        kind = random.choice(["dispute", "claim", "succession", "resolution", "withdrawal", "merge"])
        row = {"kind": kind, "person": person, "effective": day(), "evidence": "ab" * 32, "decided_by": "One;Two"}
        if kind == "dispute":
            row |= {"other": other, "work": random.choice(TITLES), "share": share(), "ground": "share"}
        elif kind == "claim":
            row |= {"work": random.choice(TITLES), "share": share()}
        elif kind == "succession":
            row |= {"shares": f"{other}={share()}"}
        elif kind == "merge":
            row |= {"other": other}
        elif kind == "resolution":
            row |= {"record": "dispute", "shares": f"{person}=60%;{other}=40%"}
        else:
            row |= {"record": "claim"}
        files.append((folder / f"facts-{number}.csv", row))
        records.append(kind)
    return files


def record(home, files):
    """One fact after the other, as they become known; one that contradicts those before it is left out."""
    people = People(home.journal.engine, home.registry)
    people.add_all(NAMES, [], DAY)
    ids = {}
    for path, row in files:
        if row.get("record") in ("dispute", "claim"):
            if row["record"] not in ids:
                continue
            row = {**row, "record": ids[row["record"]]}
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row)
        found, problems = read_people(path, home.registry.works())
        assert problems == []
        added = people.add_all([], found.records, DAY)
        if not added.faults:
            ids[row["kind"]] = added.ids[0]


def home_of(template, folder):
    return Home(Path(shutil.copytree(template, folder)))


def owed(home):
    return {name: nano for name, nano in home.journal.balances("EUR").items() if nano}


@pytest.mark.parametrize(
    "seeds", [pytest.param(range(4), id="quick"), pytest.param(range(4, 54), id="slow", marks=pytest.mark.slow)]
)
def test_facts_known_later_end_where_facts_known_before_would(template, tmp_path, seeds):
    changed = 0
    for seed in seeds:
        facts = drawn(Random(seed), tmp_path)
        before, after = (home_of(template, tmp_path / f"{seed}-{which}") for which in ("before", "after"))
        record(before, facts)
        for home in (before, after):
            pay(Unmeasured(home, "main"), EVENTS, POLICY, NOW)
        untouched = owed(after)
        at = Random(seed).randrange(len(facts) + 1)
        for some in (facts[:at], facts):  # known bit by bit, and corrected each time
            record(after, some)
            corrections, problems = correct_all(after, DAY, "known later", NOW)
            assert problems == []
        assert owed(after) == owed(before)
        assert sum(change.nano for each in corrections for change in each.changes) == 0
        assert correct_all(after, DAY, "again", NOW) == ([], [])
        assert after.journal.check() == []
        changed += owed(after) != untouched
    assert changed, "no drawn fact changed anything"


def test_what_a_vote_gave_away_keeps_its_division_and_the_rest_is_corrected(template, tmp_path):
    home = home_of(template, tmp_path / "home")
    heirs = {"kind": "succession", "person": "Cleo Marsh", "shares": "Ada Moore=25%", "effective": "2026-01-01",
             "evidence": "ab" * 32, "decided_by": "One;Two"}  # fmt: skip
    record(home, [(tmp_path / "facts.csv", heirs)])
    settlement = pay(Unmeasured(home, "main"), EVENTS, POLICY, NOW).settlement
    lines = waiting(home)
    assert {line.title for line in lines} == {"Cleo 1", "Cleo 2"}
    given = next(
        one
        for one in unclaimed_list([settlement], home.journal.balances("EUR"), "EUR", {})
        if one.work == lines[0].work
    )
    vote = Vote("ab" * 32, 9, 1, given.since.replace(year=given.since.year + 3))
    book = open_payout_book(home.journal.engine, JournalAccounts(home.journal))
    assert book.release([voted_move(given, {"held:commons": 1}, vote, 3, NOW)]) == 1
    found = {**heirs, "shares": "Ada Moore=25%;Hospital=75%"}
    record(home, [(tmp_path / "found.csv", found)])
    corrections, problems = correct_all(home, DAY, "an heir is found", NOW)
    assert [problem.code for problem in problems] == ["given-away"] and lines[0].work in problems[0].says
    (gained,) = [c.nano for each in corrections for c in each.changes if c.nano > 0]
    assert gained == int(lines[1].amount_nano) and waiting(home) == [] and home.journal.check() == []
    again, problems = correct_all(home, DAY, "once more", NOW)
    assert again == [] and [problem.code for problem in problems] == ["given-away"]
