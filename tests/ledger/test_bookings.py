"""Bookings, corrections and checkpoints, on both databases, and after a kill at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from byline import ledger
from byline.core import PPM, LedgerError, Split, canonical_json
from byline.ledger import (
    Kind,
    book_moves,
    claim,
    contested,
    exchange,
    hold,
    open_journal,
    release,
    settle,
    withhold,
)
from byline.ledger.entry import postings_of, write_down
from byline.ledger.tables import insert_entries
from byline.registry import open_database, writing

sys.path.insert(0, str(Path(__file__).parent))
from busy import LATER, NOW, corrected, fill
from killed_ledger import EVENTS, ROUNDS, work
from worlds import DAY, event, world

KILLED = Path(__file__).with_name("killed_ledger.py")


@pytest.fixture
def journal(database):
    return open_journal(database)


def code_of(call, *args):
    with pytest.raises(LedgerError) as fault:
        call(*args)
    return fault.value.code


# --- corrections ----------------------------------------------------------------------------------------------


def test_a_correction_posts_the_difference_only_and_cites_what_it_corrects(journal):
    first = settle(**world())
    journal.post(first, NOW)
    before = Counter(journal.balances("EUR"))
    assert journal.adjust(corrected(first), first.id, LATER, "a later agreement", NOW)
    after = Counter(journal.balances("EUR"))
    after.subtract(before)
    assert {account for account, nano in after.items() if nano} == {
        "payable:party:a",
        "held:unclaimed:work:1.0",
    }
    assert after["payable:party:a"] == -after["held:unclaimed:work:1.0"] < 0
    (correction,) = journal.adjustments(first.id)
    assert (correction.replaces, correction.effective, correction.because) == (first.id, LATER, "a later agreement")
    assert journal.settlement(first.id) == first and correction.settlement == corrected(first)
    assert journal.check() == []


def test_going_back_and_forth_is_a_new_correction_each_time(journal):
    first = settle(**world())
    journal.post(first, NOW)
    heads = []
    for version in (corrected(first), first, corrected(first), first):
        assert journal.adjust(version, first.id, LATER, "again", NOW)
        heads.append(journal.head())
    assert len({head.root for head in heads}) == 4
    assert len(journal.adjustments(first.id)) == 4
    assert not journal.adjust(first, first.id, LATER, "again", NOW)
    expected = Counter({"assets:receivable": first.totals()["received"]})
    for line in first.lines:
        expected[line.account] -= line.nano
    assert {a: n for a, n in journal.balances("EUR").items() if n} == dict(expected)
    assert journal.check() == []


def test_a_correction_may_restate_what_was_received(journal):
    told = world()
    first = settle(**told)
    journal.post(first, NOW)
    restated = tuple(event(r.nano // 2, r.id, r.received) for r in told["events"])
    journal.adjust(settle(**{**told, "events": restated}), first.id, LATER, "the licensee corrected its report", NOW)
    assert journal.balances("EUR")["assets:receivable"] == sum(r.nano for r in restated)
    assert journal.check() == []


def test_corrections_that_cannot_be(journal):
    first = settle(**world())
    assert code_of(journal.adjust, first, first.id, LATER, "", NOW) == "no-such-settlement"
    journal.post(first, NOW)
    less = settle(**{**world(), "events": world()["events"][:1]})
    assert code_of(journal.adjust, less, first.id, LATER, "", NOW) == "adjustment-differs"
    assert code_of(journal.adjust, corrected(first), first.id, LATER, "", datetime(2026, 9, 30)) == "naive-time"
    assert journal.adjustments(first.id) == []


def test_a_dry_run_of_each_kind_says_what_then_happens(journal):
    first = settle(**world())
    steps = [
        (lambda: journal.preview(first), lambda: journal.post(first, NOW)),
        (
            lambda: journal.preview_adjustment(corrected(first), first.id, LATER, "x"),
            lambda: journal.adjust(corrected(first), first.id, LATER, "x", NOW),
        ),
    ]
    held = hold("case", "party:a", 5, "EUR", LATER, "authorship")
    steps.append((lambda: journal.preview(held), lambda: journal.book(held, NOW)))
    for preview, run in steps:
        before = journal.balances("EUR")
        effects = preview()
        assert journal.balances("EUR") == before
        run()
        told = {effect.account: (int(effect.before_nano), int(effect.after_nano)) for effect in effects}
        after = journal.balances("EUR")
        assert told and told == {account: (before.get(account, 0), after[account]) for account in told}
        assert {a: n for a, n in after.items() if a not in told} == {a: n for a, n in before.items() if a not in told}


# --- bookings -------------------------------------------------------------------------------------------------


def test_a_booking_is_booked_once(journal):
    journal.post(settle(**world()), NOW)
    held = hold("case", "party:a", 7, "EUR", LATER, "authorship")
    assert journal.book(held, NOW)
    assert not journal.book(held, NOW + timedelta(3))
    assert journal.balances("EUR")[contested("case", "party:a")] == -7
    again = hold("case", "party:a", 8, "EUR", LATER, "authorship")
    assert code_of(journal.book, again, NOW) == "reference-taken"


@pytest.mark.parametrize(
    "make",
    [
        lambda due: hold("case", "party:a", due + 1, "EUR", LATER, ""),
        lambda due: hold("case", "party:nobody", 1, "EUR", LATER, ""),
        lambda due: hold("case", "party:a", 1, "USD", LATER, ""),
        lambda due: release("case", "party:a", 1, [("party:b", PPM)], "EUR", LATER, ""),
        lambda due: claim("work:0.0", 1, [("party:b", PPM)], "EUR", LATER, "", ""),
        lambda due: withhold("party:a", 2 * (due + 1), PPM // 2, "DE", "", "EUR", LATER, ""),
        lambda due: exchange("party:a", due + 1, ("EUR", "USD"), (1, 1), ("bank", NOW), LATER, ""),
        lambda due: book_moves(
            Kind.CONTRACT,
            "",
            LATER,
            {"EUR": {"payable:party:a": -5, "assets:advance:party:a": -5, "held:reserve": 10}},
            {},
            "x",
        ),
    ],
)
def test_nothing_is_taken_that_is_not_there(journal, make):
    journal.post(settle(**world()), NOW)
    head, due = journal.head(), -journal.balances("EUR")["payable:party:a"]
    assert code_of(journal.book, make(due), NOW) == "overdrawn"
    assert journal.head() == head


@pytest.mark.parametrize(
    ("moves", "code"),
    [
        ({"payable:party:a": 5, "income:commission": -5}, "operator-paid"),
        ({"payable:party:a": 5, "held:reserve": -4}, "unbalanced"),
        ({}, "unbalanced"),
        ({"wallet:x": 5, "held:reserve": -5}, "bad-account"),
        ({"payable": 5, "held:reserve": -5}, "bad-account"),
    ],
)
def test_bookings_that_cannot_be(journal, moves, code):
    assert code_of(journal.book, book_moves(Kind.HOLD, "", DAY, {"EUR": moves}, {}, "x"), NOW) == code


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: hold("c", "p", 0, "EUR", DAY, ""), "bad-amount"),
        (lambda: release("c", "p", 1, [("p", PPM - 1)], "EUR", DAY, ""), "bad-split"),
        (lambda: claim("w", 1, [("p", PPM // 2), ("p", PPM // 2)], "EUR", DAY, "", ""), "bad-split"),
        (lambda: withhold("p", 1, PPM + 1, "DE", "", "EUR", DAY, ""), "bad-rate"),
        (lambda: exchange("p", 1, ("EUR", "EUR"), (1, 1), ("bank", NOW), DAY, ""), "bad-rate"),
        (lambda: exchange("p", 1, ("EUR", "USD"), (0, 1), ("bank", NOW), DAY, ""), "bad-rate"),
    ],
)
def test_bookings_that_cannot_be_made(call, code):
    assert code_of(call) == code


def test_exchange_is_one_entry_per_currency_each_summing_to_zero(journal):
    journal.post(settle(**world()), NOW)
    journal.book(exchange("party:a", 999, ("EUR", "JPY"), (16_251, 100), ("bank", NOW), LATER, "q3"), NOW)
    assert journal.balances("JPY") == {"equity:fx": 162_347, "payable:party:a": -162_347}  # 999 x 162.51 = 162347.49
    assert journal.balances("EUR")["equity:fx"] == -999
    assert journal.check() == []


def test_balances_as_of_a_day_and_as_known_on_a_day(journal):
    first = settle(**world())
    journal.post(first, NOW)
    assert sum(journal.balances("EUR", effective=DAY).values()) == 0
    assert journal.balances("EUR", effective=DAY)["assets:receivable"] == 10**12
    assert journal.balances("EUR", effective=DAY - timedelta(1)) == {}
    journal.adjust(corrected(first), first.id, LATER, "later", NOW + timedelta(30))
    known = journal.balances("EUR", recorded=NOW + timedelta(29))
    assert known == journal.balances("EUR", effective=LATER - timedelta(1)) != journal.balances("EUR")
    journal.post(settle(**{**world(), "events": (event(5, "event:half"),)}), NOW + timedelta(30, microseconds=5))
    exact = NOW + timedelta(30, microseconds=4), NOW + timedelta(30, microseconds=5)
    assert [journal.balances("EUR", recorded=moment)["assets:receivable"] % 10 for moment in exact] == [1, 6]
    elsewhere = (NOW + timedelta(31)).astimezone(timezone(timedelta(hours=5)))
    assert journal.balances("EUR", recorded=elsewhere) == journal.balances("EUR")
    assert code_of(lambda: journal.balances("EUR", recorded=datetime(2026, 1, 1))) == "naive-time"


def test_sums_beyond_64_bits_are_exact(journal):
    told = world()
    several = tuple(event(2**63 - 1, f"event:{i}") for i in range(5))
    journal.post(settle(**{**told, "events": several}), NOW)
    assert journal.balances("EUR")["assets:receivable"] == 5 * (2**63 - 1)
    assert journal.check() == []


def test_a_journal_of_before_adjustments_is_migrated_and_still_holds(database):
    config = Config()
    config.set_main_option("script_location", str(Path(ledger.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    settlement = settle(**world())
    with writing(database) as connection:
        config.attributes |= {"connection": connection, "version_table": "ledger_version"}
        command.upgrade(config, "l001")
        inputs = canonical_json(settlement.inputs()).decode()
        sql = sa.text("INSERT INTO ledger_settlement (id, inputs) VALUES (:id, :inputs)")
        connection.execute(sql, {"id": settlement.id, "inputs": inputs})
        entries = [write_down(each, n, settlement.id, NOW) for n, each in enumerate(postings_of(settlement), 1)]
        insert_entries(connection, entries)
    journal = open_journal(database)
    assert journal.entries() == entries and journal.check() == []
    assert journal.adjust(corrected(settlement), settlement.id, LATER, "later", NOW)
    assert journal.check() == []


# --- checkpoints ----------------------------------------------------------------------------------------------


def test_a_checkpoint_is_kept_once_and_checked(journal):
    fill(journal)
    (kept,) = journal.checkpoints()
    assert kept == journal.checkpoint(NOW + timedelta(5))
    assert kept.size == journal.head().size and kept.root == journal.head().root
    assert {(c, a): int(n) for c, a, n in kept.balances} == {
        (currency, account): nano
        for currency, of in journal.all_balances().items()
        for account, nano in of.items()
        if nano
    }
    journal.post(settle(**{**world(), "events": (event(5, "event:later"),)}), NOW)
    assert journal.check() == []


def test_check_finds_checkpoints_that_are_not_what_the_entries_add_up_to(journal):
    journal.post(settle(**world()), NOW)
    made = journal.checkpoint(NOW)
    engine = journal.engine
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger_checkpoint SET root = ''"))
    rows = [
        {"size": 1, "root": made.root, "balances": "[]"},
        {"size": 9, "root": made.root, "balances": "[]"},
        {"size": 0, "root": open_root(), "balances": '[["EUR", "held:reserve", "-1"]]'},
    ]
    with engine.begin() as connection:
        for row in rows:
            sql = "INSERT INTO ledger_checkpoint VALUES (:size, :root, :balances, '2026-09-30T12:00:00+00:00')"
            connection.execute(sa.text(sql), row)
    assert Counter(p.code for p in journal.check()) == {"checkpoint-differs": 2, "entry-missing": 1}


def open_root():
    from byline.core import merkle_root

    return merkle_root([]).hex()


def test_check_finds_an_altered_correction_and_booking(journal):
    first = fill(journal)
    with journal.engine.begin() as connection:
        if journal.engine.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE ledger_settlement DISABLE TRIGGER USER"))
        else:
            connection.execute(sa.text("DROP TRIGGER ledger_settlement_no_update"))
        for kind, old, new in (
            ("hold", "authorship", "identity"),
            ("adjustment", "later", "other"),
            ("fx", "bank", "pub"),
        ):
            sql = "UPDATE ledger_settlement SET inputs = replace(inputs, :old, :new) WHERE id LIKE :kind"
            assert connection.execute(sa.text(sql), {"old": old, "new": new, "kind": f"{kind}:%"}).rowcount == 1
    problems = journal.check()
    assert [problem.code for problem in problems] == ["settlement-altered"] * 3
    assert first.id not in " ".join(problem.says for problem in problems)


# --- other writers, and kills ---------------------------------------------------------------------------------


def ledger_process(url):
    process = subprocess.Popen([sys.executable, KILLED, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def expected_balances(tmp_path):
    engine = open_database(tmp_path / "undisturbed.db")
    journal = open_journal(engine)
    for number in range(ROUNDS):
        work(journal, number)
    found = journal.balances("EUR"), journal.head().size
    engine.dispose()
    return found


def test_two_writers_at_once_write_each_run_once(database_url, tmp_path):
    writers = [ledger_process(database_url) for _ in range(2)]
    for process in writers:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=300)[0].strip() for process in writers] == ["done", "done"]
    engine = open_database(database_url)
    journal = open_journal(engine)
    assert (journal.balances("EUR"), journal.head().size) == expected_balances(tmp_path)
    assert journal.check() == []
    engine.dispose()


@pytest.mark.parametrize("kills", [pytest.param(1, id="quick"), pytest.param(20, id="slow", marks=pytest.mark.slow)])
def test_a_ledger_killed_at_random_points_loses_and_doubles_nothing(database_url, tmp_path, kills):
    dice = random.Random(kills)
    for _ in range(kills):
        process = ledger_process(database_url)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(dice.uniform(0, 0.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        engine = open_database(database_url)
        journal = open_journal(engine)
        assert journal.check() == []  # every run that is there is there whole
        counts = Counter(entry.settlement for entry in journal.entries())
        assert {n for run, n in counts.items() if run.startswith("settlement:")} <= {EVENTS}
        engine.dispose()
    process = ledger_process(database_url)
    process.communicate("go\n", timeout=300)
    engine = open_database(database_url)
    journal = open_journal(engine)
    assert (journal.balances("EUR"), journal.head().size) == expected_balances(tmp_path)
    assert journal.check() == []
    engine.dispose()


def test_a_correction_of_a_payment_with_signs_and_odd_names(journal):
    """Event ids are free text; what an entry is about is found all the same."""
    told = world()
    events = (event(-(10**9), "event:~x%_"), event(10**9, "event:~x%_~y"))
    first = settle(**{**told, "events": events})
    journal.post(first, NOW)
    new = replace(told["splits"][0], lines=(("party:q", PPM),))
    again = settle(**{**told, "events": events, "splits": (new, *told["splits"][1:])})
    assert journal.adjust(again, first.id, LATER, "x", NOW)
    assert journal.balances("EUR")["payable:party:q"] == 0
    assert journal.check() == []
    assert isinstance(new, Split)
