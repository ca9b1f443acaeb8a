"""How many requests a token may make: a bucket that fills evenly, one for all processes of a project.

A process takes a second's worth out of the bucket at a time and gives it to its own requests, so that most of them ask
no database. What it took is gone from the bucket: processes together never let more through than the bucket held.
"""

import threading
import time
from collections import OrderedDict

from byline.app.api.counts import Counts, Numbers
from byline.core import AppError

REMEMBERED = 10_000  # callers of whom this process holds some requests in hand; the longest silent are forgotten
RETRY_SECONDS = 5
MINUTE = 60.0  # in this time an empty bucket is full again


class Buckets:
    """Raises on `take` once a caller is faster than allowed."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._lock = threading.Lock()
        self._ours: OrderedDict[str, tuple[int, float]] = OrderedDict()  # requests in hand, and since when

    def take(self, caller: str, per_minute: int) -> None:
        """One request. Raises: AppError("too-many-requests")."""
        if self._in_hand(caller):
            return
        taken = self._take(caller, per_minute)
        if not taken:
            what = f"more than {per_minute} requests a minute"
            raise AppError("too-many-requests", what, f"wait {RETRY_SECONDS} seconds, or ask for a wider token")
        with self._lock:
            self._ours[caller] = (self._ours.pop(caller, (0, 0.0))[0] + taken - 1, time.monotonic())
            while len(self._ours) > REMEMBERED:
                self._ours.popitem(last=False)

    def _in_hand(self, caller: str) -> bool:
        """One of those that were taken before; after a minute they count for nothing, for the bucket is full again."""
        with self._lock:
            left, since = self._ours.get(caller, (0, 0.0))
            if left < 1 or time.monotonic() - since > MINUTE:
                self._ours.pop(caller, None)
                return False
            self._ours[caller] = (left - 1, since)
            return True

    def _take(self, caller: str, per_minute: int) -> int:
        now = time.time()

        def some(numbers: Numbers) -> tuple[Numbers, int]:
            left, at = numbers or (float(per_minute), now)
            left = min(float(per_minute), left + max(0.0, now - at) * per_minute / MINUTE)
            taken = min(max(1, int(per_minute / MINUTE)), int(left))
            return ([left - taken, now], taken) if taken else (numbers, 0)

        return self._counts.change(f"bucket {caller}", now + MINUTE, now, some)
