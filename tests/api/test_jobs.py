"""The queue: in order, each job by one worker at a time, and gone on with when a worker dies."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from tiny_project import byline

from byline.app.api import Tokens
from byline.app.api.jobs import DEATHS, MOST_WAITING, LeaseLost, Queue
from byline.app.api.tables import JOBS, PARTS, prepare
from byline.core import AppError
from byline.registry import writing

WORKER = "import sys; sys.argv = ['byline', 'worker', '--once', *sys.argv[1:]]; from byline.app.cli import main; main()"
TEXTS = [
    {"text": "the river and the boat under the bridge", "title": "a"},
    {"text": "star and moon and comet and lens in the dark night", "title": "b"},
    {"text": "bread and flour and salt in the oven", "title": "c"},
]


@pytest.fixture
def queue(database):
    return Queue(prepare(database), lease=30)


@pytest.fixture
def token(queue, database):
    return Tokens(database).new("test", ["attributions:make"])[0].id


def add(queue, token, *numbers):
    with writing(queue._engine) as connection:
        return [queue.add(connection, token, "test", {"number": number}, 3) for number in numbers]


def expire(engine):
    """As if the lease had run out."""
    with writing(engine) as connection:
        connection.execute(sa.update(JOBS).values(leased_until=time.time() - 1))


def test_jobs_are_done_in_order_and_once(queue, token):
    ids = add(queue, token, 1, 2)
    first, second, third = queue.take(), queue.take(), queue.take()
    assert [first.job.id, second.job.id, third] == [*ids, None] and queue.waiting() == 0
    first.run(lambda held: {"seen": held.job.body["number"]})
    done = queue.one(ids[0])
    assert (done.state, done.result, done.done, done.of) == ("done", {"seen": 1}, 3, 3)
    assert queue.one(ids[1]).state == "running"
    with pytest.raises(AppError) as error:
        queue.one("job:none")
    assert error.value.code == "no-such-job"


def test_nobody_fills_the_queue(queue, token, database):
    add(queue, token, *range(MOST_WAITING))
    with pytest.raises(AppError) as error:
        add(queue, token, 0)
    assert error.value.code == "queue-full" and queue.waiting() == MOST_WAITING
    add(queue, Tokens(database).new("another", ["attributions:make"])[0].id, 0)
    assert queue.waiting() == MOST_WAITING + 1


def test_a_dead_worker_s_job_goes_on_after_its_parts(queue, token):
    (name,) = add(queue, token, 1)
    dead = queue.take()
    dead.keep(0, {"part": 0})
    assert queue.one(name).done == 1
    expire(queue._engine)
    heir = queue.take()
    assert heir.job.id == name and heir.job.attempt == 2 and heir.parts() == {0: {"part": 0}}
    for late in (lambda: dead.keep(1, {"part": "late"}), lambda: dead.progress("late", 1, 2)):
        with pytest.raises(LeaseLost):
            late()
    dead.run(lambda held: {"who": "dead"})
    heir.run(lambda held: {"parts": len(held.parts())})
    assert queue.one(name).result == {"parts": 1}
    with queue._engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PARTS)).scalar_one() == 0


def test_a_lease_is_renewed_while_the_work_goes_on(database, token):
    queue = Queue(database, lease=0.6)
    add(queue, token, 1)
    held = queue.take()

    def long(held):
        time.sleep(1.2)
        return {"taken_by_another": queue.take() is not None}

    held.run(long)
    assert queue.one(held.job.id).result == {"taken_by_another": False}


def test_a_job_that_kills_its_workers_is_given_up(queue, token):
    (name,) = add(queue, token, 1)
    for _ in range(DEATHS):
        assert queue.take() is not None
        expire(queue._engine)
    queue.take().run(lambda held: pytest.fail("it was done again"))
    assert queue.one(name).state == "failed" and queue.one(name).error["code"] == "job-given-up"
    assert queue.take() is None


def test_our_errors_are_its_answer_and_faults_fail_it(queue, token):
    ids = add(queue, token, 1, 2)

    def wrong(held):
        raise AppError("bad-name", "it is wrong", "mend it")

    def broken(held):
        raise ZeroDivisionError("secret inside")

    queue.take().run(wrong)
    assert queue.one(ids[0]).error == {"code": "bad-name", "what": "it is wrong", "fix": "mend it"}
    with pytest.raises(ZeroDivisionError):
        queue.take().run(broken)
    assert queue.one(ids[1]).error["code"] == "internal" and "secret" not in json.dumps(queue.one(ids[1]).error)


def test_a_killed_worker_is_gone_on_with(api):
    """kill -9 in the middle of a question of three texts: the next worker does what is left, and no money moved."""
    kept = (api.home.training("main") / "attribution.json").read_bytes()
    told = api.all.post("/v1/attributions", json={"texts": TEXTS}).json()
    assert told["state"] == "queued" and told["of"] == 3
    worker = subprocess.Popen([sys.executable, "-c", WORKER, "--home", api.home.path])
    try:
        until = time.monotonic() + 60
        while (now := api.all.get(told["status"]).json())["done"] == 0 and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(worker.pid, signal.SIGKILL)
    finally:
        worker.kill()
        worker.wait()
    assert now["done"] >= 1
    if (now := api.all.get(told["status"]).json())["state"] != "done":  # the machine may have been too fast
        assert now["state"] == "running" and 1 <= now["done"] < 3
        assert byline("worker", "--once", "--home", api.home.path, "--json").last == {"done": 0}  # it is still held
        expire(api.home.journal.engine)
        assert byline("worker", "--once", "--home", api.home.path, "--json").last == {"done": 1}
    now = api.all.get(told["status"]).json()
    assert now["state"] == "done" and now["done"] == 3
    passages = now["result"]["passages"]
    assert [passage["title"] for passage in passages] == ["a", "b", "c"]
    for passage in passages:
        shares = passage["contributor"]["shares"]
        assert sum(line["ppb"] for line in shares["lines"]) + shares["unattributed_ppb"] == 10**9
    assert (api.home.training("main") / "attribution.json").read_bytes() == kept
    events = api.all.get(f"{told['status']}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert json.loads(events.text.removeprefix("data: "))["state"] == "done"


def test_a_question_that_cannot_be_answered_says_why(api):
    told = api.all.post("/v1/attributions", json={"texts": [{"text": "?!"}]}).json()
    byline("worker", "--once", "--home", api.home.path)
    now = api.all.get(told["status"]).json()
    assert now["state"] == "failed" and now["error"]["code"] == "empty-query"
    answer = api.all.post("/v1/attributions", json={"texts": [{"text": "a boat"}], "training": "none"})
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "no-such-training"


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(queue, token):
    (name,) = add(queue, token, 1)

    def stopped(held):
        held.keep(0, {"part": 0})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queue.take().run(stopped)
    assert (queue.one(name).state, queue.one(name).deaths) == ("queued", 0)
    heir = queue.take()
    assert heir.parts() == {0: {"part": 0}}
    heir.run(lambda held: {})
    assert queue.one(name).state == "done" and queue.one(name).ended >= queue.one(name).begun


def test_what_failed_can_be_tried_again_and_goes_on_after_its_parts(queue, token):
    (name,) = add(queue, token, 1)

    def fails(held):
        held.keep(0, {"part": 0})
        raise AppError("bad-name", "it is wrong", "mend it")

    queue.take().run(fails)
    assert queue.take() is None
    queue.retry(name)
    assert queue.one(name).error is None
    queue.take().run(lambda held: held.parts()[0])
    assert queue.one(name).result == {"part": 0}
    with pytest.raises(AppError) as error:
        queue.retry(name)
    assert error.value.code == "not-failed"


def test_the_same_asked_twice_is_one_job_until_it_has_ended(queue):
    first = queue.ask("person:1", "test", {"number": 1})
    assert queue.ask("person:1", "test", {"number": 1}) == first
    others = {queue.ask("person:2", "test", {"number": 1}), queue.ask("person:1", "test", {"number": 2})}
    assert len(others - {first}) == 2
    queue.take().run(lambda held: {})
    again = queue.ask("person:1", "test", {"number": 1})
    assert again != first and next(job.id for job in queue.last(["test"], 2)) == again
    assert queue.last(["other"], 9) == []


def test_a_period_is_attributed_by_a_worker_and_the_next_money_follows_it(settled, tmp_path):
    """On a copy: it replaces the division of the period."""
    from byline.app.home import Home
    from byline.app.tasks import PERIOD

    home = Home.open(settled.copy(tmp_path).home)
    kept = home.training("main") / "attribution.json"
    before = kept.read_bytes()
    queue = Queue(prepare(home.journal.engine))
    job = queue.ask("person:1", PERIOD, {"training": "main", "texts": TEXTS[:2], "threshold": "1"})
    assert byline("worker", "--once", "--home", home.path, "--json").last == {"done": 1}
    done = queue.one(job)
    assert done.state == "done", done.error
    assert done.result["passages"] >= 2 and kept.read_bytes() != before
    told = json.loads(kept.read_text())
    assert len(told["passages"]) == done.result["passages"]
    assert sum(line["ppb"] for line in told["period"]["lines"]) + told["period"]["unattributed_ppb"] == 10**9


def test_work_of_a_newer_program_fails_with_a_code(api):
    job = Queue(api.home.journal.engine).ask("person:1", "dreaming", {})
    byline("worker", "--once", "--home", api.home.path)
    assert Queue(api.home.journal.engine).one(job).error["code"] == "unknown-work"


def test_questions_from_before_the_queue_took_everything_are_kept(database):
    """The migration, on both databases."""
    from pathlib import Path

    from alembic import command
    from alembic.config import Config

    import byline.app.api.tables as tables

    config = Config()
    config.set_main_option("script_location", str(Path(tables.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["version_table"] = "api_version"
    old = {"id": "job:1", "token": "token:1", "kind": "test", "body": '{"number": 1}', "state": "running", "doing": "x",
           "created": "2026-11-01T00:00:00+00:00", "attempt": 1, "leased_until": 0.0, "done": 1, "of": 3}  # fmt: skip
    token = {"id": "token:1", "sha256": "ab", "name": "n", "scopes": "[]", "per_minute": 1, "created": "x"}
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "a001")
        for table, row in (("api_tokens", token), ("api_jobs", old)):
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), row)
        connection.execute(sa.text("INSERT INTO api_job_parts VALUES ('job:1', 0, '{\"part\": 0}')"))
    queue = Queue(prepare(database))
    held = queue.take()
    assert held.job.owner == "token:1" and held.parts() == {0: {"part": 0}}
    held.run(lambda held: {})
    assert queue.ask("person:1", "test", {}) != "job:1" and queue.waiting() == 1
