"""The trail: no change without a line, also when a process is killed between the two."""

import gc
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from byline.app.home import Home
from byline.app.portal import create_app
from byline.app.portal.accounts import open_accounts
from byline.app.portal.intents import Intents
from byline.app.portal.trail import KIND, Trail
from byline.disclosure import Log

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
# Somebody says no, and the process dies at a place between the change and its line.
DYING_PORTAL = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from portal_project import ADA, Clock, signed_in
from byline.app.home import Home
from byline.app.portal import create_app
from byline.app.portal.trail import Trail

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

app = create_app(Home.open(Path(sys.argv[1])), "https://portal.example.org", Clock())
ada = signed_in(app, "ada@example.org", party=ADA)
setattr(Trail, sys.argv[2], die)
ada.fill("/no", of="River book", by="Ada Moore", uses=["train.gen"])
"""
DYING = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from byline.app.portal.accounts import open_accounts
from byline.app.portal.intents import Intents
from byline.app.portal.trail import Trail
from byline.disclosure import Log
from byline.registry import open_database

accounts = open_accounts(open_database(sys.argv[1]))
trail = Trail(accounts.engine, Log(Path(sys.argv[2]) / "log"), Intents(accounts.engine, Path(sys.argv[2]) / "alive"))
now = datetime(2026, 11, 1, 12, tzinfo=UTC)
with trail.intending("person:1", "POST /x", now):
    accounts.invite("new@example.org", [])
    if sys.argv[3] == "after":
        trail.add("person:1", "invited", "person:2", now)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def ran(script, *arguments):
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("at", ["add", "_write"])
def test_a_no_of_a_killed_process_has_its_line(home, clock, at):
    here = Path(__file__).parent
    ran(DYING_PORTAL, home.path, at, here, here.parent / "app")
    assert len(home.notices.all()) == 1  # the change is there
    trail = create_app(Home.open(home.path), clock=clock).state.portal.trail
    (line,) = [line for line in trail.lines() if line.did.startswith("began")]
    assert line.did.startswith("began POST /no at ") and line.who.startswith("person:")
    logged = [leaf for leaf in home.log.entries() if leaf.kind == KIND]
    assert line.digest() in [leaf.digest for leaf in logged]
    count = len(trail.lines())
    assert len(create_app(Home.open(home.path), clock=clock).state.portal.trail.lines()) == count  # once


@pytest.mark.parametrize(("when", "lines"), [("before", ["began POST /x"]), ("after", ["invited"])])
def test_a_killed_change_has_one_line_on_both_databases(database_url, database, tmp_path, when, lines):
    ran(DYING, database_url, tmp_path, when)
    accounts = open_accounts(database)
    assert [person.email for person in accounts.people()] == ["new@example.org"]
    trail = Trail(database, Log(tmp_path / "log"), Intents(database, tmp_path / "alive"))
    trail.finish(NOW)
    assert [line.did.split(" at ")[0] for line in trail.lines()] == lines
    assert trail.finish(NOW) == 0


def test_what_lives_is_left_alone(database, tmp_path):
    open_accounts(database)
    one, other = (Intents(database, tmp_path / "alive") for _ in range(2))
    working, looking = (Trail(database, Log(tmp_path / "log"), each) for each in (one, other))
    with working.intending("person:1", "POST /x", NOW):
        assert looking.finish(NOW) == 0 and looking.lines() == []
        working.add("person:1", "did it", "x", NOW)
    with pytest.raises(ValueError, match="no"), working.intending("person:1", "POST /x", NOW):
        raise ValueError("no")
    del working, one
    gc.collect()
    assert looking.finish(NOW) == 0 and [line.did for line in looking.lines()] == ["did it"]


def test_a_refused_form_leaves_neither_intent_nor_line(app, ada):
    before = len(app.state.portal.trail.lines())
    assert ada.fill("/no", of="no such work at all", by="Ada").status_code == 422
    trail = app.state.portal.trail
    assert len(trail.lines()) == before and not list(trail._intents.left_behind())
