"""What stands on a day by what was known on another, against a slow reading of the same rules, on random histories."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from evidence_samples import registry_of_two
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import Work
from byline.registry import Ending, Evidence, Licence, Why, open_database

FIRST = date(2024, 1, 1)
SCOPES = ("*", "domain:example.org", "domain:poems.example.org")


def day(number: int) -> date:
    return FIRST + timedelta(number)


# A step: (what, which earlier record, scope, effective day, days until it runs out or None, days since the last step)
steps = st.lists(
    st.tuples(
        st.sampled_from(["new", "new", "supersede", "supersede", *Why]),
        st.integers(0, 30),
        st.sampled_from(SCOPES),
        st.integers(0, 9),
        st.none() | st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=14,
)


def told(history: list[tuple[object, date]], chains: dict[str, list[str]], on: date, as_of: date) -> set[str]:
    """The rules as docs/registry.md states them, one record at a time."""
    known = [record for record, recorded in history if recorded <= as_of]
    endings = {one.record: one for one in known if isinstance(one, Ending)}
    licences = {one.id: one for one in known if isinstance(one, Licence)}
    standing = set()
    for chain in chains.values():
        speaking = None
        for name in chain:
            never = name in endings and endings[name].why is Why.MISTAKEN
            if name in licences and licences[name].effective <= on and not never:
                speaking = licences[name]
        if speaking is None:
            continue
        ended = speaking.id in endings and endings[speaking.id].effective <= on
        ran_out = speaking.until is not None and speaking.until < on
        if not ended and not ran_out:
            standing.add(speaking.id)
    return standing


def play(evidence: Evidence, plan: list[tuple]) -> tuple[list[tuple[object, date]], dict[str, list[str]]]:
    history: list[tuple[object, date]] = []
    chains: dict[str, list[str]] = {}
    ended: set[str] = set()
    today = FIRST
    for number, (what, which, scope, effective, lasts, passed) in enumerate(plan):
        today += timedelta(passed)
        until = None if lasts is None else day(effective + lasts)
        names = [name for chain in chains.values() for name in chain]
        if isinstance(what, Why):
            left = [name for name in names if name not in ended]
            if not left:
                continue
            record: object = Ending(left[which % len(left)], what, day(effective))
            ended.add(record.record)
        else:
            last = chains[sorted(chains)[which % len(chains)]][-1] if what == "supersede" and chains else ""
            record = Licence(scope, f"L-{number}", day(effective), until, supersedes=last)
            if last:
                next(chain for chain in chains.values() if chain[-1] == last).append(record.id)
            else:
                chains[record.id] = [record.id]
        evidence.add([record], today)
        history.append((record, today))
    return history, chains


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> tuple[Path, Work]:
    """A register without evidence, to be copied, and a work in it that every scope reaches."""
    folder = tmp_path_factory.mktemp("two-days")
    engine = open_database(folder / "byline.db")
    registry = registry_of_two(engine, folder)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return folder / "byline.db", next(work for work in registry.works() if work.title == "Ode")


@settings(max_examples=25, deadline=None)
@given(steps)
def test_a_register_says_what_its_rules_say(empty: tuple[Path, Work], plan: list[tuple]) -> None:
    database, ode = empty
    engine = open_database(shutil.copyfile(database, database.with_name("copy.db")))
    evidence = Evidence(engine)
    history, chains = play(evidence, plan)
    for on in (day(n) for n in range(1, 15, 4)):
        for as_of in {recorded for _, recorded in history} | {FIRST - timedelta(1)}:
            wanted = told(history, chains, on, as_of)
            got = evidence.in_force(Licence, on, as_of)
            assert {one.id for one in got} == wanted
            here = evidence.in_force(Licence, on, as_of, about=SCOPES[:1])
            assert {one.id for one in here} == {one.id for one in got if one.about == SCOPES[0]}
            assert {one.id for one in evidence.of_work(Licence, ode, on, as_of)} == wanted
        many = evidence.of_works(Licence, [ode], on).get(ode.id, ())
        assert {one.id for one in many} == told(history, chains, on, date.max)
    engine.dispose()
    for left in database.parent.glob("copy.db*"):
        left.unlink()


def test_the_same_on_a_server(database: sa.Engine, tmp_path: Path) -> None:
    plan = [("new", 0, "*", 0, None, 0), ("supersede", 0, "*", 4, 5, 1), (Why.MISTAKEN, 1, "*", 4, None, 1),
            ("new", 0, "domain:example.org", 2, 3, 0), (Why.REVOKED, 2, "*", 3, None, 1)]  # fmt: skip
    evidence = registry_of_two(database, tmp_path).evidence
    history, chains = play(evidence, plan)
    for on in range(12):
        for as_of in range(-1, 5):
            got = {one.id for one in evidence.in_force(Licence, day(on), day(as_of))}
            assert got == told(history, chains, day(on), day(as_of))
