"""Two servers of one project without an index start at once: one builds, the other waits, and both serve."""

import fcntl
import os
import subprocess
import sys
import threading

import pytest
from tiny_project import DAY, prose, write_csv

from byline.app.home import Home, freeze_manifest, register
from byline.app.lookup import Library
from byline.app.patience import SAYS, once_built
from byline.core import LookupFault

BUSY = LookupFault("index-busy", "busy", "wait")


def test_it_is_tried_again_until_it_is_built_and_told_once():
    answers, told, paused = [BUSY, BUSY, BUSY, "ready"], [], []

    def make():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert once_built(make, told.append, paused.append) == "ready"
    assert told == [SAYS] and len(paused) == 3
    assert once_built(lambda: 7, told.append, paused.append) == 7 and len(told) == 1


def test_other_faults_are_not_waited_for():
    with pytest.raises(LookupFault, match="missing"):
        once_built(raising, lambda _: None, lambda _: pytest.fail("it waited"))


def raising():
    raise LookupFault("lookup-missing", "a part is missing", "install it")


@pytest.fixture
def project(tmp_path):
    """Twelve works on a frozen list; nothing is indexed yet."""
    rows = []
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(prose("river boat stone bridge mill", number), encoding="utf-8")
        rows.append([f"{number}.txt", f"Book {number}", "Ada Moore", "author", "2020-01-01", "", "CC0-1.0"])
    head = ["path", "title", "contributor", "role", "created", "source", "licence"]
    home = Home(tmp_path / "home")
    assert register(home, write_csv(tmp_path / "works.csv", head, *rows), None, None, DAY)[1] == []
    freeze_manifest(home, DAY)
    return home


def test_whoever_comes_second_waits_for_the_first_and_has_the_whole_index(project):
    folder = project.path / "lookup" / "works"
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    waits, second = threading.Event(), Library(project, DAY)
    with pytest.raises(LookupFault) as fault:
        second.update()
    assert fault.value.code == "index-busy"
    made = []
    asked = threading.Thread(target=lambda: made.append(once_built(second.update, lambda _: waits.set())))
    asked.start()
    assert waits.wait(30)
    os.close(handle)  # the first one is done, or dead
    asked.join(60)
    assert made[0]["works"]["added"] == 12 and len(second.corpus.works) == 12


START = """
import sys
from datetime import date
from pathlib import Path
from byline.app.home import Home
from byline.app.lookup import Library
from byline.app.patience import once_built
library = Library(Home.open(Path(sys.argv[1])), date.fromisoformat(sys.argv[2]))
sys.stdin.readline()
print(once_built(library.update, lambda says: None)["works"]["added"], len(library.corpus.works))
"""


def test_two_processes_at_once_both_end_with_all_works_indexed_once(project):
    both = [
        subprocess.Popen([sys.executable, "-c", START, project.path, str(DAY)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    for each in both:
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=120)[0].split() for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert [each[1] for each in told] == ["12", "12"] and sorted(int(each[0]) for each in told) == [0, 12]
