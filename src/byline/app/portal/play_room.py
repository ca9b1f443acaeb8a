"""The playroom: passages that visitors asked a model for, one made at a time, each kept in memory for a while.

Nothing of it is written anywhere: neither what was asked nor what the model wrote.
"""

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock, Semaphore
from typing import Any

from byline.core import AppError, BylineError

LOG = logging.getLogger("byline.portal")
MOST_WAITING = 5  # passages asked for and not finished, the one in work included
KEPT = 60  # finished passages
KEPT_SECONDS = 3_600
SECONDS = 120  # for one passage
LOOKERS = 8  # requests that wait for a passage at the same time

Progress = Callable[[str, int, int], None]
Make = Callable[[Progress], dict[str, Any]]


@dataclass
class Asked:
    """One passage. `state`: waiting, working, done or failed; `doing`: how far it is, in words."""

    id: str
    began: float
    state: str = "waiting"
    doing: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    fault: BylineError | None = None
    over: Event = field(default_factory=Event)


class Playroom:
    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self._clock, self._seconds = clock, seconds
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self._lock, self._lookers = Lock(), Semaphore(LOOKERS)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="playground")

    def ask(self, make: Make) -> str:
        """The id under which the passage is found. Raises: AppError("too-often") if too many wait already."""
        with self._lock:
            self._forget()
            if sum(not one.over.is_set() for one in self._asked.values()) >= MOST_WAITING:
                raise AppError("too-often", "others are waiting for their passages", "try again in a minute")
            asked = Asked(secrets.token_urlsafe(18), self._clock())
            self._asked[asked.id] = asked
        self._worker.submit(self._work, asked, make)
        return asked.id

    def find(self, name: str, wait: float = 0.0) -> tuple[Asked, bool]:
        """The passage, once it is finished or `wait` seconds have passed, and whether there was room to wait.

        Raises: AppError("no-such-page") if there is none, or no more.
        """
        with self._lock:
            self._forget()
            asked = self._asked.get(name)
        if asked is None:
            raise AppError("no-such-page", "there is no such passage any more", "ask for a new one")
        if not wait or asked.over.is_set():
            return asked, True
        if not self._lookers.acquire(blocking=False):
            return asked, False
        try:
            asked.over.wait(wait)
        finally:
            self._lookers.release()
        return asked, True

    def before(self, asked: Asked) -> int:
        """How many are made before this one."""
        with self._lock:
            open_ones = [one.id for one in self._asked.values() if not one.over.is_set()]
        return open_ones.index(asked.id) if asked.id in open_ones else 0

    def _forget(self) -> None:
        finished = [one for one in self._asked.values() if one.over.is_set()]
        old = [one for one in finished if one.began < self._clock() - KEPT_SECONDS]
        for one in {id(each): each for each in (*old, *finished[: max(0, len(finished) - KEPT)])}.values():
            del self._asked[one.id]

    # --- in the worker's thread

    def _work(self, asked: Asked, make: Make) -> None:
        asked.state, until = "working", self._clock() + self._seconds

        def progress(what: str, done: int, of: int) -> None:
            if self._clock() > until:
                fix = "ask again with a shorter beginning, or later, when less is going on"
                raise AppError("took-too-long", f"the passage took longer than {self._seconds:.0f} seconds", fix)
            asked.doing = f"{what}, {done} of {of}" if of > 1 else what

        try:
            asked.told, asked.state = make(progress), "done"
        except BylineError as fault:
            asked.fault, asked.state = fault, "failed"
        except Exception:
            LOG.exception("playground")
            asked.state = "failed"
        finally:
            asked.over.set()
