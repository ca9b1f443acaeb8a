"""Limits: a bucket that fills evenly, a window that slides, and processes that count together on both databases."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from byline.app.api import counts as counting
from byline.app.api.counts import Counts, open_counts
from byline.app.api.limits import Buckets
from byline.app.home import Home
from byline.app.portal.visit import Meter
from byline.core import AppError

CALLERS, MOST = 40, 30
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PROCESS = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from byline.app.api.counts import open_counts
from byline.app.api.limits import Buckets
from byline.app.home import Home
from byline.app.portal.visit import Meter
from byline.core import AppError

counts = open_counts(Home(Path(sys.argv[1]), sys.argv[2]))
buckets, meter, let = Buckets(counts), Meter(counts, "searches", {MOST}, 60), 0
print("ready", flush=True)
sys.stdin.readline()
for caller in range({CALLERS}):
    try:
        buckets.take(str(caller), 1)
        let += 1
    except AppError:
        pass
admitted = sum(meter.admits("somebody", datetime(2026, 11, 1, 12, tzinfo=UTC)) for _ in range({MOST}))
print(let, admitted)
"""


@pytest.fixture
def home(database_url, tmp_path):
    place = Home(tmp_path / "home", database_url)
    open_counts(place)  # the tables, and the key
    return place


@pytest.fixture
def counts(home):
    return open_counts(home)


def test_two_processes_count_together(home):
    command = [sys.executable, "-c", PROCESS, str(home.path), home.database]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [list(map(int, process.communicate()[0].split())) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [sum(each) for each in zip(*told, strict=True)] == [CALLERS, MOST]


def test_a_bucket_fills_evenly(counts, monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr("byline.app.api.limits.time.time", lambda: now[0])
    monkeypatch.setattr("byline.app.api.limits.time.monotonic", lambda: now[0])

    def let(times):
        done = 0
        for _ in range(times):
            try:
                Buckets.take(buckets, "somebody", 6)
                done += 1
            except AppError as error:
                assert error.code == "too-many-requests"
        return done

    buckets = Buckets(counts)
    assert let(10) == 6
    now[0] += 10
    assert let(3) == 1
    now[0] += 3600
    assert let(10) == 6
    now[0] -= 100  # a clock that is put back gives nothing and takes nothing
    assert let(3) == 0


def test_what_a_process_has_in_hand_is_gone_from_the_bucket(counts):
    one, other = Buckets(counts), Buckets(counts)
    let = 0
    for _ in range(800):
        for buckets in (one, other):
            try:
                buckets.take("somebody", 6000)
                let += 1
            except AppError:
                pytest.fail("1,600 of 6,000 were asked for")
    assert let == 1600
    with pytest.raises(AppError):
        for _ in range(20_000):
            one.take("somebody else", 300)


def test_a_window_slides(counts):
    meter = Meter(counts, "searches", 2, 60)
    assert [meter.admits("a", NOW + timedelta(seconds=at)) for at in (0, 30, 59, 61, 62, 91)] == [
        True, True, False, True, False, True]  # fmt: skip
    assert meter.admits("b", NOW) and Meter(counts, "mails", 2, 60).admits("a", NOW + timedelta(seconds=62))


def test_what_is_over_is_forgotten_and_no_key_is_readable(home, counts, monkeypatch):
    monkeypatch.setattr(counting, "_CLEAN_EVERY", 1)
    for number in range(5):
        Meter(counts, "searches", 2, 60).admits(f"192.0.2.{number}", NOW)
    assert "192.0.2" not in str(kept(counts)) and len(kept(counts)) == 5
    Meter(counts, "searches", 2, 60).admits("192.0.2.9", NOW + timedelta(seconds=61))
    assert len(kept(counts)) == 1


def kept(counts: Counts):
    with counts._engine.connect() as connection:
        return connection.execute(sa.select(counting.LIMITS)).all()
