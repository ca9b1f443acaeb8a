"""A durable queue in the project's own database, for work of every kind. A worker holds a job by a lease that it renews
while it works; when a worker dies, the lease ends, and the next one goes on after the parts that were finished. A
worker that is stopped gives its job back at once.

Why not a library: docs/adr (huey removes a job from its table before it runs, and keeps it pickled; procrastinate needs
PostgreSQL).
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from byline.app.api.tables import JOBS, PARTS
from byline.app.api.tokens import now
from byline.core import AppError, BylineError
from byline.registry import writing

LEASE_SECONDS = 60.0
MOST_WAITING = 100  # jobs of one token or one person
DEATHS = 3  # a job whose worker died so often is given up: it may be what kills them
WAITING = "waiting for a worker"
Told = dict[str, Any]
Work = Callable[["Held"], Told]


class LeaseLost(Exception):
    """Somebody else holds the job now; what this worker still does with it counts for nothing."""


@dataclass(frozen=True, slots=True)
class Job:
    """`owner`: the token, or the number of the person, that asked. `state`: queued, running, done or failed. `doing`,
    `done`, `of`: how far it is, in words and numbers."""

    id: str
    owner: str
    kind: str
    body: Told
    state: str
    created: str
    begun: str | None
    ended: str | None
    attempt: int
    deaths: int
    doing: str
    done: int
    of: int
    result: Told | None
    error: Told | None


class Queue:
    """The jobs of a project."""

    def __init__(self, engine: sa.Engine, lease: float = LEASE_SECONDS) -> None:
        self._engine, self.lease = engine, lease

    def add(self, connection: sa.Connection, owner: str, kind: str, body: Mapping[str, Any], parts: int) -> str:
        """Id of a new job, queued when the connection's transaction ends. `parts`: how many steps it has.

        Raises: AppError("queue-full") if too many of the owner's wait already.
        """
        mine = sa.select(sa.func.count()).where(JOBS.c.owner == owner, JOBS.c.state == "queued")
        if connection.execute(mine).scalar_one() >= MOST_WAITING:
            what = f"{MOST_WAITING} of these wait already"
            raise AppError("queue-full", what, "wait until some are done; the operator may run more workers")
        name = f"job:{secrets.token_hex(12)}"
        row: Told = {
            "id": name,
            "owner": owner,
            "kind": kind,
            "body": json.dumps(body),
            "state": "queued",
            "created": now(),
        }
        row |= {"attempt": 0, "deaths": 0, "leased_until": 0.0, "doing": WAITING, "done": 0, "of": parts}
        connection.execute(sa.insert(JOBS), [row])
        return name

    def ask(self, owner: str, kind: str, body: Mapping[str, Any], parts: int = 1) -> str:
        """Id of a new job in a transaction of its own; of one of the same owner, kind and body that waits or runs, its.

        Raises: AppError("queue-full").
        """
        same = (JOBS.c.owner == owner, JOBS.c.kind == kind, JOBS.c.body == json.dumps(body))
        with writing(self._engine) as connection:
            query = sa.select(JOBS.c.id).where(*same, JOBS.c.state.in_(("queued", "running")))
            found: str | None = connection.execute(query).scalars().first()
            return found or self.add(connection, owner, kind, body, parts)

    def retry(self, job: str) -> None:
        """Queue a job that failed once more; it goes on after what it had finished. Raises: AppError("not-failed")."""
        again: Told = {"state": "queued", "doing": WAITING, "error": None, "ended": None, "deaths": 0}
        with writing(self._engine) as connection:
            where = (JOBS.c.id == job, JOBS.c.state == "failed")
            if connection.execute(sa.update(JOBS).where(*where).values(again)).rowcount != 1:
                raise AppError("not-failed", f"{job} has not failed", "look how far it is")

    def last(self, kinds: Sequence[str], most: int) -> list[Job]:
        """Jobs of some kinds, the newest first."""
        query = sa.select(JOBS).where(JOBS.c.kind.in_(kinds)).order_by(JOBS.c.seq.desc()).limit(most)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def one(self, job: str) -> Job:
        """Raises: AppError("no-such-job")."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job)).first()
        if row is None:
            raise AppError("no-such-job", f"there is no job {job}", "use the id that the request was answered with")
        return _job(row)

    def waiting(self) -> int:
        """Jobs that nobody works on."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).where(_free())).scalar_one())

    def take(self) -> "Held | None":
        """The oldest job that nobody holds, held from now on; None if there is none."""
        with writing(self._engine) as connection:
            row = connection.execute(sa.select(JOBS).where(_free()).order_by(JOBS.c.seq).limit(1)).first()
            if row is None:
                return None
            until = time.time() + self.lease
            values = {"state": "running", "attempt": row.attempt + 1, "leased_until": until, "begun": now()}
            values["deaths"] = row.deaths + (row.state == "running")
            connection.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(values))
        return Held(self, self.one(row.id))

    # --- what a holder writes; it fails once the job is somebody else's

    def _write(self, job: Job, **values: Any) -> None:
        with writing(self._engine) as connection:
            self._write_in(connection, job, **values)

    def _write_in(self, connection: sa.Connection, job: Job, **values: Any) -> None:
        mine = (JOBS.c.id == job.id, JOBS.c.attempt == job.attempt, JOBS.c.state == "running")
        if connection.execute(sa.update(JOBS).where(*mine).values(values)).rowcount != 1:
            raise LeaseLost(job.id)

    def _parts(self, job: Job) -> dict[int, Told]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(PARTS).where(PARTS.c.job == job.id))
            return {row.number: json.loads(row.body) for row in rows}

    def _keep(self, job: Job, number: int, told: Told) -> None:
        with writing(self._engine) as connection:
            self._write_in(connection, job, done=number + 1, leased_until=time.time() + self.lease)
            connection.execute(sa.insert(PARTS), [{"job": job.id, "number": number, "body": json.dumps(told)}])

    def _end(self, job: Job, **values: Any) -> None:
        with writing(self._engine) as connection:
            self._write_in(connection, job, ended=now(), **values)
            if values["state"] == "done":  # one that failed may be tried again, and goes on after them
                connection.execute(sa.delete(PARTS).where(PARTS.c.job == job.id))


class Held:
    """A job in the hands of one worker."""

    def __init__(self, queue: Queue, job: Job) -> None:
        self._queue, self.job = queue, job
        self._told_at = 0.0

    def progress(self, doing: str, done: int, of: int) -> None:
        """Say what is going on, at most once a second."""
        if time.monotonic() - self._told_at >= 1:
            self._told_at = time.monotonic()
            self._queue._write(self.job, doing=f"{doing}: {done} of {of}")

    def parts(self) -> dict[int, Told]:
        """What earlier workers finished, by number."""
        return self._queue._parts(self.job)

    def keep(self, number: int, told: Told) -> None:
        """A finished part."""
        self._queue._keep(self.job, number, told)

    def run(self, work: Work) -> None:
        """Do it. What goes wrong by a rule of ours is the job's answer; what is our fault fails it and is raised. A
        worker that is told to stop gives the job back."""
        if self.job.deaths >= DEATHS:
            self._failed("job-given-up", f"its worker died {DEATHS} times", "look at the worker's log, then ask again")
            return
        try:
            with self._renewed():
                result = work(self)
            self._queue._end(self.job, state="done", doing="finished", result=json.dumps(result), done=self.job.of)
        except LeaseLost:
            return
        except BylineError as error:
            self._failed(error.code, error.message, error.fix)
        except Exception:
            self._failed("internal", "the job failed by a fault of the program", "report it to the operator")
            raise
        except BaseException:
            with suppress(LeaseLost):
                self._queue._write(self.job, state="queued", doing=WAITING, leased_until=0.0)
            raise

    def _failed(self, code: str, what: str, fix: str) -> None:
        error = json.dumps({"code": code, "what": what, "fix": fix})
        with suppress(LeaseLost):
            self._queue._end(self.job, state="failed", doing="failed", error=error)

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """The lease is renewed from a thread, because a step may take longer than it."""
        stop = threading.Event()

        def renew() -> None:
            while not stop.wait(self._queue.lease / 3):
                try:
                    self._queue._write(self.job, leased_until=time.time() + self._queue.lease)
                except LeaseLost:
                    return

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _free() -> sa.ColumnElement[bool]:
    return sa.or_(JOBS.c.state == "queued", sa.and_(JOBS.c.state == "running", JOBS.c.leased_until < time.time()))


def _job(row: Any) -> Job:
    told = {name: getattr(row, name) for name in ("id", "owner", "kind", "state", "created", "begun", "ended")}
    told |= {name: getattr(row, name) for name in ("attempt", "deaths", "doing", "done", "of")}
    for name in ("body", "result", "error"):
        told[name] = json.loads(getattr(row, name)) if getattr(row, name) else None
    return Job(**told)
