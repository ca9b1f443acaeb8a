"""How many requests a token may make: a bucket that fills evenly. Counted in this process; each process has its own."""

import threading
import time
from collections import OrderedDict

from byline.core import AppError

REMEMBERED = 10_000  # callers; the ones longest silent are forgotten, and begin with a full bucket


class Buckets:
    """Raises on `take` once a caller is faster than allowed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was

    def take(self, caller: str, per_minute: int) -> None:
        """One request. Raises: AppError("too-many-requests")."""
        with self._lock:
            now = time.monotonic()
            left, at = self._left.pop(caller, (float(per_minute), now))
            left = min(float(per_minute), left + (now - at) * per_minute / 60)
            allowed = left >= 1
            self._left[caller] = (left - 1 if allowed else left, now)
            while len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
        if not allowed:
            what = f"more than {per_minute} requests a minute"
            raise AppError("too-many-requests", what, f"wait {RETRY_SECONDS} seconds, or ask for a wider token")


RETRY_SECONDS = 5
