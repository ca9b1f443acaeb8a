import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from byline.core import LedgerError, merkle_root
from byline.ledger import open_journal, settle
from byline.ledger.entry import Entry
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from worlds import DAY, event, world

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)

POSTER = f"""
import sys, dataclasses
sys.path.insert(0, {str(Path(__file__).parent)!r})
from datetime import UTC, datetime, timedelta
from worlds import DAY, event, world
from byline.ledger import open_journal, settle
from byline.registry import open_database
url, events = sys.argv[1], int(sys.argv[2])
told = {{**world(), "events": tuple(event(10**9 + i, f"event:{{i:04}}", DAY) for i in range(events))}}
settlement = settle(**told)
journal = open_journal(open_database(url))
print("ready", flush=True)
sys.stdin.readline()
print(journal.post(settlement, datetime(2026, 9, 30, 12, 0, tzinfo=UTC)), flush=True)
"""


@pytest.fixture
def journal(database):
    return open_journal(database)


def poster(url, events):
    process = subprocess.Popen(
        [sys.executable, "-c", POSTER, url, str(events)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_posted_entries_come_back_and_balance(journal):
    settlement = settle(**world())
    assert journal.post(settlement, NOW)
    first, second = journal.entries()
    assert (first.reference, first.effective, first.recorded, first.currency) == ("event:1", DAY, NOW, "EUR")
    assert dict(first.legs)["assets:receivable"] == "1000000000000"
    assert sum(int(nano) for entry in (first, second) for _, nano in entry.legs) == 0
    assert journal.settlement(settlement.id) == settlement
    assert journal.check() == []
    assert journal.head().root == merkle_root([first.hash(), second.hash()]).hex()


def test_I2_I4_balances_are_the_lines(journal):
    told = world()
    settlement = settle(**told)
    journal.post(settlement, NOW)
    later = settle(**{**told, "events": (event(777, "event:9", DAY + timedelta(30)),)})
    journal.post(later, NOW)
    expected = Counter({"assets:receivable": settlement.totals()["received"] + 777})
    for line in (*settlement.lines, *later.lines):
        expected[line.account] -= line.nano
    assert journal.balances("EUR") == expected
    assert sum(journal.balances("EUR").values()) == 0
    assert journal.balances("USD") == {}


def test_I9_the_same_postings_give_the_same_head_in_another_database(journal, tmp_path):
    other = open_journal(open_database(tmp_path / "other.db"))
    for each in (journal, other):
        each.post(settle(**world()), NOW)
    assert journal.head() == other.head()
    assert journal.entries() == other.entries()
    other.engine.dispose()


def test_an_event_is_paid_out_once(journal):
    told = world()
    journal.post(settle(**told), NOW)
    head = journal.head()
    with pytest.raises(LedgerError) as fault:
        journal.post(settle(**{**told, "splits": ()}), NOW)
    assert fault.value.code == "event-settled"
    assert "event:1" in fault.value.message
    assert journal.head() == head
    assert len(journal.settlement_ids()) == 1


def test_largest_amounts_fit(journal):
    told = {**world(), "events": (event(2**63 - 1), event(-(2**63 - 1), "event:2"))}
    assert journal.post(settle(**told), NOW)
    assert journal.check() == []
    assert set(journal.balances("EUR").values()) == {0}


def test_refusals(journal):
    with pytest.raises(LedgerError) as fault:
        journal.post(settle(**world()), datetime(2026, 9, 30))
    assert fault.value.code == "naive-time"
    with pytest.raises(LedgerError) as fault:
        journal.settlement("settlement:none")
    assert fault.value.code == "no-such-settlement"


@pytest.mark.parametrize("table", ["ledger_settlement", "ledger_entry", "ledger_leg"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_or_delete(journal, table, change):
    if "TRUNCATE" in change and journal.engine.dialect.name == "sqlite":
        change = "DELETE FROM {} WHERE 1 = 1"
    journal.post(settle(**world()), NOW)
    before = journal.entries()
    column = {"ledger_settlement": "inputs", "ledger_entry": "currency", "ledger_leg": "amount_nano"}[table]
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), journal.engine.begin() as connection:
        connection.execute(sa.text(change.format(table, column, column)))
    assert journal.entries() == before
    assert journal.check() == []


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (
            "UPDATE ledger_leg SET amount_nano = amount_nano + 1 WHERE entry = 1 AND account = 'payable:party:a'",
            "entry-",
        ),
        ("UPDATE ledger_entry SET currency = 'USD' WHERE seq = 2", "entry-altered"),
        ("UPDATE ledger_entry SET recorded = '2020-01-01T00:00:00+00:00' WHERE seq = 2", "entry-altered"),
        (
            "UPDATE ledger_settlement SET inputs = replace(inputs, '\"lambda_ppm\":600000', '\"lambda_ppm\":600001')",
            "sett",
        ),
        ("UPDATE ledger_settlement SET inputs = 'x'", "settlement-altered"),
        ("DELETE FROM ledger_leg WHERE entry = 2", "posting-differs"),
    ],
)
def test_check_finds_what_was_changed_with_the_triggers_off(journal, sql, code):
    journal.post(settle(**world()), NOW)
    _triggers_off(journal.engine)
    with journal.engine.begin() as connection:
        assert connection.exec_driver_sql(sql).rowcount
    assert any(problem.code.startswith(code) for problem in journal.check())


def test_check_finds_a_balanced_forgery_with_a_fresh_hash(journal):
    """Money moved between two payees, and the entry's hash computed anew: only the settlement gives it away."""
    journal.post(settle(**world()), NOW)
    entry = journal.entries()[0]
    _triggers_off(journal.engine)
    moved = {"payable:party:a": -1, "payable:party:b": 1}
    legs = tuple((account, str(int(nano) + moved.get(account, 0))) for account, nano in entry.legs)
    forged = Entry.from_json({**entry.to_json(), "legs": [list(leg) for leg in legs]}).sealed()
    with journal.engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger_entry SET leaf = :leaf WHERE seq = 1"), {"leaf": forged.leaf})
        for account, nano in moved.items():
            connection.execute(
                sa.text("UPDATE ledger_leg SET amount_nano = amount_nano + :n WHERE entry = 1 AND account = :a"),
                {"n": nano, "a": account},
            )
    assert [problem.code for problem in journal.check()] == ["posting-differs"]


@pytest.mark.parametrize("seq", [1, 2])
def test_check_finds_a_deleted_entry(journal, seq):
    journal.post(settle(**world()), NOW)
    _triggers_off(journal.engine)
    with journal.engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM ledger_leg WHERE entry = {seq}"))
        connection.execute(sa.text(f"DELETE FROM ledger_entry WHERE seq = {seq}"))
    assert {problem.code for problem in journal.check()} == {"entry-missing"}


def _triggers_off(engine):
    with engine.begin() as connection:
        for table in ("ledger_settlement", "ledger_entry", "ledger_leg"):
            if engine.dialect.name == "postgresql":
                connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            else:
                connection.execute(sa.text(f"DROP TRIGGER {table}_no_update"))
                connection.execute(sa.text(f"DROP TRIGGER {table}_no_delete"))


def test_two_processes_that_post_the_same_settlement_post_it_once(database_url):
    posters = [poster(database_url, 20) for _ in range(2)]
    for process in posters:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = sorted(process.communicate()[0].strip() for process in posters)
    assert answers == ["False", "True"]
    engine = open_database(database_url)
    journal = open_journal(engine)
    assert [entry.seq for entry in journal.entries()] == list(range(1, 21))
    assert journal.check() == []
    engine.dispose()


def test_a_killed_post_leaves_all_or_nothing_and_completes_on_the_next(database_url):
    engine = open_database(database_url)
    journal = open_journal(engine)
    seen = Counter()
    for delay in (0.0, 0.03, 0.08):
        process = poster(database_url, 300)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        found = len(journal.entries())
        assert found in (0, 300)
        seen[found] += 1
        if found:
            break
    assert seen[0], "no kill came early enough to test anything"
    process = poster(database_url, 300)
    process.communicate("go\n")
    assert len(journal.entries()) == 300
    assert len(journal.settlement_ids()) == 1
    assert journal.check() == []
    engine.dispose()
