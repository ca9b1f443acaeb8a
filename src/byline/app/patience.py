"""Waiting while another process builds the index that this one needs: two servers of one project may start at once.

The lock goes with the process that holds it, however it ends, so waiting ends too.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from byline.core import LookupFault

Made = TypeVar("Made")
EVERY_SECONDS = 0.5
SAYS = "Another process is building the index of the look-up. Waiting for it; Ctrl-C ends this."


def once_built(
    make: Callable[[], Made], tell: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> Made:
    """What `make` gives, tried again as long as the index is being built; `tell` hears of it once.

    Raises: whatever `make` raises but LookupFault("index-busy").
    """
    told = False
    while True:
        try:
            return make()
        except LookupFault as fault:
            if fault.code != "index-busy":
                raise
        if not told:
            tell(SAYS)
            told = True
        pause(EVERY_SECONDS)
