"""A worker that is killed (kill -9) just before its Nth lasting step: a commit, a flush to the disk, a file put in
place.

python killed_worker.py HOME DATABASE N  (N = 0: it lives, and says how many steps there were)
"""

import os
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from byline.app.api import Place
from byline.app.home import Home
from byline.app.portal.accounts import open_accounts
from byline.app.worker import work_off

done, last = 0, int(sys.argv[3])


def step(*_):
    global done
    done += 1
    if done == last:
        os.kill(os.getpid(), signal.SIGKILL)


def counted(original):
    def call(*given, **more):
        step()
        return original(*given, **more)

    return call


home = Home.open(Path(sys.argv[1]), sys.argv[2] or None)
open_accounts(home.journal.engine)
place = Place(home)
sa.event.listen(sa.Engine, "commit", step)
for name in ("fsync", "replace", "rename"):
    setattr(os, name, counted(getattr(os, name)))
work_off(place, once=True)
print(done)
