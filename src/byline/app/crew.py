"""Workers of `byline serve`: processes of its own that work off the queue, start again when they die, and end with it.

A worker reads its standard input, which is a pipe that nobody writes to: when the server ends, however it ends, the
pipe closes and the worker stops.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = logging.getLogger("byline.worker")
PROGRAM = "from byline.app.cli import main; main()"
LONGEST_PAUSE = 60.0  # seconds between two starts of a worker that dies at once
GRACE = 10.0  # seconds that a worker has to give its job back


class Crew:
    """So many workers of a project. `pause`: seconds before one that died starts again, doubled each time."""

    def __init__(self, count: int, home: Path, database: str | None, pause: float = 1.0) -> None:
        self._home, self._database, self._pause = home, database, pause
        self._ended = threading.Event()
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * count
        self._threads = [threading.Thread(target=self._keep, args=(n,), daemon=True) for n in range(count)]

    def pids(self) -> list[int]:
        """Of those that run."""
        return [each.pid for each in self._processes if each is not None and each.poll() is None]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Each gives back what it was at, or is stopped."""
        self._ended.set()
        for process in filter(None, self._processes):
            _close(process)
        for thread in self._threads:
            thread.join(GRACE)

    def _keep(self, number: int) -> None:
        pause = self._pause
        while not self._ended.is_set():
            began = time.monotonic()
            process = self._processes[number] = self._one()
            if self._ended.is_set():  # it ended while this one was being started
                _close(process)
            code = process.wait()
            if process.stdin is not None:
                process.stdin.close()
            if self._ended.is_set():
                return
            pause = self._pause if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            LOG.warning("a worker ended with %d and starts again", code)
            self._ended.wait(pause)

    def _one(self) -> subprocess.Popen[bytes]:
        """The address of the database can hold a password, so it goes by the environment. A session of its own, so that
        Ctrl-C reaches the server alone, which then ends its workers."""
        given = {"BYLINE_DATABASE": self._database} if self._database else {}
        command = [sys.executable, "-c", PROGRAM, "worker", "--with-stdin", "--home", str(self._home)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **given},
            start_new_session=True,
        )


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def crew(count: int, home: Path, database: str | None) -> Iterator[Crew]:
    found = Crew(count, home, database)
    found.start()
    try:
        yield found
    finally:
        found.end()


def stop_with_stdin() -> None:
    """From now on this process gets the signal to end once its standard input has ended. It heeds the signal even if
    it was started by a shell that makes what runs in its background ignore it. Main thread only."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does: what it holds is given back
