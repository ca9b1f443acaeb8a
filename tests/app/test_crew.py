"""Workers of `byline serve`: there, started again when they die, and gone with the server, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_project import STEPS, byline, write_catalogue

from byline.app.crew import Crew

SERVER = """
import sys, time
from pathlib import Path
from byline.app.crew import Crew
crew = Crew(1, Path(sys.argv[1]), None)
crew.start()
while not crew.pids():
    time.sleep(0.01)
print(crew.pids()[0], flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    files = write_catalogue(tmp_path_factory.mktemp("catalogue"))
    found = tmp_path_factory.mktemp("project") / "home"
    with contextlib.chdir(files):
        assert byline(*STEPS[0].split(), "--home", found).code == 0
    return found


def until(holds):
    """Wait as long as a slow machine may need; pytest stops what hangs."""
    while not (found := holds()):
        time.sleep(0.02)
    return found


def alive(pid):
    """A process that has ended and that nobody has asked about yet counts as gone."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_dies_is_started_again_and_none_is_left_behind(home):
    crew = Crew(1, home, None, pause=0.01)
    crew.start()
    try:
        (first,) = until(crew.pids)
        os.kill(first, signal.SIGKILL)
        (second,) = until(lambda: [pid for pid in crew.pids() if pid != first])
    finally:
        crew.end()
    assert not alive(first) and not alive(second) and crew.pids() == []


def test_no_worker_outlives_a_server_that_was_killed(home):
    server = subprocess.Popen([sys.executable, "-c", SERVER, home], stdout=subprocess.PIPE, text=True)
    worker = int(server.stdout.readline())
    assert alive(worker)
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: not alive(worker))


def test_with_nothing_asked_for_there_is_no_process(home):
    crew = Crew(0, home, None)
    crew.start()
    assert crew.pids() == []
    crew.end()


def test_the_address_of_the_database_stands_in_no_list_of_processes(home):
    secret = f"sqlite:///{home}/byline.db?secret=4711"
    crew = Crew(1, home, secret, pause=60)
    crew.start()
    try:
        (pid,) = until(crew.pids)
        assert b"4711" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    finally:
        crew.end()
