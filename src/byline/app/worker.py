"""Whoever works off the queue: one job after the other, of every kind; what a person's job has changed stands in the
trail, under the number of whoever asked for it."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from byline.app.api import Place
from byline.app.api.attributing import ATTRIBUTION, attribute_texts
from byline.app.api.jobs import Held
from byline.app.home import Home
from byline.app.portal.accounts import open_accounts
from byline.app.portal.trail import Trail
from byline.app.tasks import CORRECTION, INDEX, PERIOD, SETTLEMENT, correct_job, index_job, period_job, settle_job
from byline.core import AppError

LOG = logging.getLogger("byline.worker")
Told = dict[str, Any]
Work = Callable[[Place, Held], Told]


def _of_home(work: Callable[[Home, Held], Told]) -> Work:
    return lambda place, held: work(place.home, held)


WORKS: Mapping[str, Work] = {
    ATTRIBUTION: attribute_texts,
    SETTLEMENT: _of_home(settle_job),
    CORRECTION: _of_home(correct_job),
    INDEX: _of_home(index_job),
    PERIOD: _of_home(period_job),
}


def work_off(place: Place, once: bool, idle_seconds: float = 1.0) -> int:
    """Do what waits in the queue; with `once` until it is empty, else for ever. How many jobs were done."""
    done = 0
    while True:
        held = place.queue.take()
        if held is None:
            if once:
                return done
            time.sleep(idle_seconds)
            continue
        _do(place, held)
        done += 1


def _do(place: Place, held: Held) -> None:
    """A fault of the program ends the job, not the worker."""
    try:
        held.run(lambda job: _work(place, job))
    except Exception:
        LOG.exception("%s", held.job.id)


def _work(place: Place, held: Held) -> Told:
    """Raises: AppError("unknown-work") for a kind that only a newer Byline knows."""
    kind = held.job.kind
    if kind not in WORKS:
        raise AppError("unknown-work", f"no work is called {kind!r}", "run a worker of the version that asked for it")
    told = WORKS[kind](place, held)
    if did := _did(kind, told):
        home = place.home
        trail = Trail(open_accounts(home.journal.engine).engine, home.log)
        trail.add(
            held.job.owner, did, str(told.get("settlement", held.job.id)), datetime.now(UTC).replace(microsecond=0)
        )
    return told


def _did(kind: str, told: Told) -> str:
    """What a job has changed, in the words of the trail; empty if it only looked."""
    if kind == SETTLEMENT and "statements" in told:
        return "booked" if told["posted"] else "had booked before"
    if kind == CORRECTION and told["booked"]:
        return "corrected what was divided"
    return {INDEX: "brought the index up to date", PERIOD: "had a period attributed"}.get(kind, "")
