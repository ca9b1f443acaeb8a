"""kill -9 of a worker before lasting steps of what needs a model: a period's attribution, and a question of the API."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from test_jobs import TEXTS

from byline.app.api import Queue
from byline.app.api.attributing import ATTRIBUTION
from byline.app.api.tables import JOBS, prepare
from byline.app.home import Home
from byline.app.tasks import PERIOD

pytestmark = pytest.mark.slow
WORKER = Path(__file__).parents[1] / "portal" / "killed_worker.py"
BODIES = {
    PERIOD: {"training": "main", "texts": TEXTS[:1], "threshold": "1"},
    ATTRIBUTION: {"training": "main", "texts": TEXTS[:2]},
}
MOST = 3  # kills of one kind of work, from its first step to its last


def run(home, at=0):
    return subprocess.run([sys.executable, WORKER, home.path, "", str(at)], capture_output=True, text=True)


def left(home, job):
    told = Queue(home.journal.engine).one(job)
    kept = (home.training("main") / "attribution.json").read_bytes()
    with home.journal.engine.connect() as connection:
        jobs = connection.execute(sa.select(sa.func.count()).select_from(JOBS)).scalar_one()
    return {"state": told.state, "error": told.error, "result": told.result, "kept": kept, "jobs": jobs,
            "parts": [path.name for path in home.path.glob("**/*.part")]}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_wherever_it_is_killed_the_next_one_ends_where_it_would_have(settled, tmp_path, kind):
    first = Home.open(settled.copy(tmp_path / "first").home)
    job = Queue(prepare(first.journal.engine)).ask("person:1", kind, BODIES[kind], 2)
    first.journal.engine.dispose()
    whole = Home.open(shutil.copytree(first.path, tmp_path / "whole"))
    ran = run(whole)
    assert ran.returncode == 0, ran.stderr[-2000:]
    meant, steps = left(whole, job), int(ran.stdout.split()[-1])
    assert meant["state"] == "done" and meant["result"], meant["error"]
    for at in sorted({1 + each * (steps - 1) // (MOST - 1) for each in range(MOST)}):
        home = Home.open(shutil.copytree(first.path, tmp_path / str(at)))
        assert run(home, at).returncode == -signal.SIGKILL, at
        with home.journal.engine.begin() as connection:
            connection.execute(sa.update(JOBS).where(JOBS.c.state == "running").values(leased_until=0.0))
        ran = run(home)
        assert ran.returncode == 0, ran.stderr[-2000:]
        assert left(home, job) == meant, (kind, at, steps)
        home.journal.engine.dispose()
