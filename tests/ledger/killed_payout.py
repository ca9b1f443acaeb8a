"""A process that settles, pays out, and books what the bank says of it; killed at random, then run again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from payees import DAY, NOW, OTHER, payee
from worlds import DAY as RECEIVED
from worlds import event, world

from byline.ledger import Answer, BankReport, JournalAccounts, PayoutRule, open_journal, open_payout_book, settle
from byline.registry import open_database

ROUNDS = 4
PEOPLE = [payee("a"), payee("b", OTHER)]


def work(journal, book, number):
    """One payment settled, paid out, and answered: every second batch settles, the others come back whole.

    Every round pays whoever is owed something, so a round that was killed is finished by the next run of it.
    """
    told = {**world(), "events": (event(10**12 + number, f"event:{number}", RECEIVED),)}
    journal.post(settle(**told), NOW)
    if len(book.batches()) <= number:
        book.send(PEOPLE, PayoutRule("EUR", 0), DAY, NOW)
    batch = book.batches()[number]
    answer = Answer.RETURNED if number % 2 else Answer.SETTLED
    reports = [
        BankReport(answer, one.end_to_end, batch.id, one.amount_minor, "EUR", DAY, "", f"camt {number}")
        for one in batch.instructions
    ]
    book.apply(reports, NOW)


if __name__ == "__main__":
    made = open_journal(open_database(sys.argv[1]))
    payouts = open_payout_book(made.engine, JournalAccounts(made))
    print("ready", flush=True)
    sys.stdin.readline()
    for each in range(ROUNDS):
        work(made, payouts, each)
    print("done", flush=True)
