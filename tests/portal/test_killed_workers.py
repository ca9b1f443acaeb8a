"""kill -9 of a worker before each lasting step of each kind of work, on both databases: what another worker then makes
of it is what an undisturbed one makes, nothing is lost, and nothing is there twice."""

import csv
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from portal_project import TITLES, build
from staff import measure, work

from byline.app.api import Queue
from byline.app.api.tables import JOBS, prepare
from byline.app.home import Home
from byline.app.portal.accounts import open_accounts
from byline.app.tasks import CORRECTION, INDEX, SETTLEMENT, settlement_asked
from byline.core import RevenueEvent
from byline.disclosure import entry_hash
from byline.registry import People, open_database, read_people

pytestmark = pytest.mark.slow
WORKER = Path(__file__).with_name("killed_worker.py")
MOST = 24  # kills of one kind of work, from its first step to its last; there are fewer steps but in the index's
DAY = date(2026, 10, 20)
MONEY = [RevenueEvent(f"event:{n}", "Model Company", str(n * 10**11), "EUR", DAY) for n in (3, 4)]


class Case:
    """A project in which one piece of work waits, to be copied for each kill."""

    def __init__(self, kind, url, folder, files):
        self.kind, self.url, self.copies = kind, None if url.startswith("sqlite") else url, 0
        self.home = build(Home(folder / "home", self.url), files)
        prepare(self.home.journal.engine)
        open_accounts(self.home.journal.engine)
        measure(self.home)
        self.ask(self.home)

    def ask(self, home):
        queue = Queue(home.journal.engine)
        if self.kind == INDEX:
            queue.ask("person:1", INDEX, {"what": "texts", "again": True})
            return
        for event in MONEY:
            asked = settlement_asked("main", [event])
            shown = done(home, queue.ask("person:1", SETTLEMENT, asked))
            queue.ask("person:1", SETTLEMENT, asked | {"shown": shown["settlement"]})
            if self.kind == SETTLEMENT:
                return
            work(home)
        learn(home)
        asked = {"day": str(DAY), "shown": ""}
        shown = done(home, queue.ask("person:1", CORRECTION, asked))
        assert len(shown["corrected"]) > 1  # several settlements, so that there is a between
        queue.ask("person:1", CORRECTION, asked | {"shown": shown["digest"]})

    def copy(self, folder):
        """The folder and, where it is not in it, the database."""
        self.home.journal.engine.dispose()
        path = shutil.copytree(self.home.path, folder)
        if self.url is None:
            return Home.open(path)
        base, _, query = self.url.rpartition("?")
        server, _, name = base.rpartition("/")
        self.copies += 1
        engine = open_database(f"{server}/postgres?{query}").execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}_{self.copies} TEMPLATE {name}")
        engine.dispose()
        return Home.open(path, f"{server}/{name}_{self.copies}?{query}")


def done(home, job):
    assert work(home) == 1
    told = Queue(home.journal.engine).one(job)
    assert told.state == "done", told.error
    return told.result


def learn(home):
    """That two fifths of a work, which nobody was named for, are Ada's."""
    path = home.path / "facts.csv"
    fact = {"kind": "claim", "person": "Ada Moore", "work": TITLES[2], "share": "40%", "effective": "2020-01-01",
            "evidence": "ab" * 32, "decided_by": "One;Two"}  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(fact))
        writer.writeheader()
        writer.writerow(fact)
    found, problems = read_people(path, home.registry.works())
    assert problems == [] and not People(home.journal.engine, home.registry).add_all([], found.records, DAY).faults


def run(home, at=0):
    return subprocess.run(
        [sys.executable, WORKER, home.path, home.database or "", str(at)], capture_output=True, text=True
    )


def expire(home):
    with home.journal.engine.begin() as connection:
        connection.execute(sa.update(JOBS).where(JOBS.c.state == "running").values(leased_until=0.0))


def left(home):
    """What there is afterwards, without the moments at which it was made."""
    again = Home.open(home.path, home.database)
    journal, leaves = again.journal, list(again.log.leaves())
    assert journal.check() == []
    head = entry_hash("journal", journal.head().digest())
    assert len(set(leaves)) == len(leaves)
    entries = [entry.posting() for entry in journal.entries()]
    files = sorted(str(path.relative_to(home.path)) for path in home.path.glob("statements/**/*") if path.is_file())
    last = Queue(journal.engine).last([SETTLEMENT, CORRECTION, INDEX], 1)[0]
    return {"entries": entries, "balances": journal.all_balances(), "settlements": sorted(journal.settlement_ids()),
            "files": files, "logged": head in leaves or not entries, "state": last.state, "error": last.error,
            "result": result(last),
            "parts": [path.name for path in home.path.glob("**/*.part")]}  # fmt: skip


def result(job):
    """What it says that it did; whether an earlier worker had booked it is all that may differ."""
    return {name: value for name, value in (job.result or {}).items() if name not in ("posted", "digest", "to_heirs")}


@pytest.mark.parametrize("kind", [SETTLEMENT, CORRECTION, INDEX])
def test_wherever_it_is_killed_the_next_one_ends_where_it_would_have(kind, database_url, tmp_path, tmp_path_factory):
    case = Case(kind, database_url, tmp_path, tmp_path_factory.mktemp("files"))
    whole = case.copy(tmp_path / "whole")
    steps = int(run(whole).stdout.split()[-1])
    meant = left(whole)
    assert steps >= 4 and meant["state"] == "done"
    for at in sorted({1 + each * (steps - 1) // (MOST - 1) for each in range(MOST)}):
        home = case.copy(tmp_path / str(at))
        assert run(home, at).returncode == -signal.SIGKILL, at
        expire(home)
        after = run(home)
        assert after.returncode == 0, after.stderr[-2000:]
        assert left(home) == meant, (kind, at)
        assert told(home), (kind, at)
        home.journal.engine.dispose()
        shutil.rmtree(home.path)


def told(home):
    """The trail has a line of it."""
    from byline.app.portal.tables import TRAIL

    with home.journal.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(TRAIL)).scalar_one() >= 1
