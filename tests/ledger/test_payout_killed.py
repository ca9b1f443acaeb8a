"""kill -9 at random moments of settling, paying out and reading the bank: nothing is lost and nothing comes twice."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from byline.ledger import JournalAccounts, open_journal, open_payout_book
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from killed_payout import ROUNDS, work

KILLED = Path(__file__).with_name("killed_payout.py")


def started(url):
    process = subprocess.Popen([sys.executable, KILLED, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def state(engine):
    journal = open_journal(engine)
    book = open_payout_book(engine, JournalAccounts(journal))
    return journal, book, (journal.balances("EUR"), book.totals("EUR"), [batch.id for batch in book.batches()])


def undisturbed(tmp_path):
    engine = open_database(tmp_path / "undisturbed.db")
    journal = open_journal(engine)
    book = open_payout_book(engine, JournalAccounts(journal))
    start = time.monotonic()
    for number in range(ROUNDS):
        work(journal, book, number)
    seconds, found = time.monotonic() - start, state(engine)[2]
    size = journal.head().size
    engine.dispose()
    return seconds, size, found


@pytest.mark.parametrize("kills", [pytest.param(2, id="quick"), pytest.param(40, id="slow", marks=pytest.mark.slow)])
def test_whatever_is_killed_the_next_run_ends_where_an_undisturbed_one_would(database_url, tmp_path, kills):
    seconds, size, expected = undisturbed(tmp_path)
    random, early = Random(7), 0
    for _ in range(kills):
        process = started(database_url)
        time.sleep(random.random() * seconds)
        early += process.poll() is None
        process.kill()  # nothing, if it ended by itself before
        process.wait()
        process.stdin.close()
        process.stdout.close()
    assert early, "no kill came early enough to test anything"
    process = started(database_url)
    assert process.communicate()[0] == "done\n"
    engine = open_database(database_url)
    journal, book, found = state(engine)
    assert found == expected and journal.head().size == size
    assert journal.check() == [] and book.catch_up() == 0
    references = Counter(move.reference for move in book.moves())
    assert max(references.values()) == 1
    assert book.totals("EUR")["on_their_way"] == 0
    engine.dispose()
