"""A process that posts, corrects, holds and releases, one run after the other; killed at random, then run again."""

import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from busy import NOW
from worlds import DAY, event, world

from byline.core import PPM, Split
from byline.ledger import hold, open_journal, release, settle
from byline.registry import open_database

ROUNDS, EVENTS = 4, 12


def work(journal, number):
    """One payment settled, one correction, one dispute: four runs of which each is posted whole, once."""
    told = {**world(), "events": tuple(event(10**9 + i, f"event:{number}:{i:03}", DAY) for i in range(EVENTS))}
    first = settle(**told)
    journal.post(first, NOW)
    case = f"case-{number}"
    journal.book(hold(case, "party:a", 10**6, "EUR", DAY, "authorship"), NOW)
    split = Split("work:2.0", (("party:c", PPM),), DAY - timedelta(7))
    journal.adjust(settle(**{**told, "splits": (*told["splits"], split)}), first.id, DAY, "found the author", NOW)
    journal.book(release(case, "party:a", 10**6, [("party:b", PPM)], "EUR", DAY, "decided"), NOW)


if __name__ == "__main__":
    made = open_journal(open_database(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(ROUNDS):
        work(made, number)
    print("done", flush=True)
