"""What is exported adds up to what the journal says, by programs that share no code with it."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import LedgerError
from byline.ledger import account_name, export, hledger, open_journal
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from busy import fill

VERIFIER = Path(__file__).parents[2] / "examples" / "verify_ledger.py"
BEAN_CHECK = Path(sys.executable).with_name("bean-check")  # GPL: an external program, never imported


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    engine = open_database(tmp_path_factory.mktemp("busy") / "journal.db")
    made = open_journal(engine)
    fill(made)
    yield made
    engine.dispose()


def verified(path):
    done = subprocess.run([sys.executable, "-I", VERIFIER, path], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def bean_check(text, tmp_path):
    path = tmp_path / "ledger.beancount"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([BEAN_CHECK, "--no-cache", path], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


def test_everything_has_happened_and_holds(journal):
    kinds = {run.split(":")[0] for run in journal.run_ids()}
    booked = {"hold", "release", "claim", "withholding", "fx", "advance", "contract"}
    assert kinds == {"settlement", "adjustment", *booked}
    assert journal.check() == []


def test_i30_the_independent_verifier_reports_the_same_balances(journal, tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text(export(journal, "json"), encoding="utf-8")
    code, balances, says = verified(path)
    assert code == 0, says
    assert f"{journal.head().size} entries" in says
    expected = sorted(
        f"{currency} {account} {nano}"
        for currency, of in journal.all_balances().items()
        for account, nano in of.items()
    )
    assert sorted(balances.splitlines()) == expected


def test_i30_beancount_accepts_it_and_its_balances_at_tolerance_zero(journal, tmp_path):
    assert bean_check(export(journal, "beancount"), tmp_path) == (0, "")


def test_i30_beancount_refuses_a_single_nano(journal, tmp_path):
    """Otherwise its yes would say nothing."""
    lines = export(journal, "beancount").splitlines(keepends=True)
    leg = next(i for i, line in enumerate(lines) if line.startswith("  Liabilities:") and "1 EUR" in line[-6:])
    off = [*lines[:leg], lines[leg].replace("1 EUR", "2 EUR"), *lines[leg + 1 :]]
    code, says = bean_check("".join(off), tmp_path)
    assert code != 0 and "does not balance" in says
    asserted = next(i for i, line in enumerate(lines) if " balance Liabilities:" in line)
    wrong = lines[asserted].replace(".", ".0", 1)
    code, says = bean_check("".join([*lines[:asserted], wrong, *lines[asserted + 1 :]]), tmp_path)
    assert code != 0 and "Balance failed" in says


def test_hledger_text_adds_up_to_the_balances(journal):
    """Read with a parser of a few lines: amounts, and the assertions of the last transaction."""
    sums, asserted = Counter(), {}
    for line in "".join(hledger(journal.entries())).splitlines():
        if line.startswith("    "):
            account, number, currency, *rest = line.split()
            sums[account, currency] += Fraction(number) * 10**9
            if rest:
                assert rest[0] == "=" and rest[2] == currency
                asserted[account, currency] = Fraction(rest[1]) * 10**9
    balances = {
        (account_name(name), currency): nano
        for currency, of in journal.all_balances().items()
        for name, nano in of.items()
    }
    assert sums == asserted == balances


@given(st.text(":-aB0é ", max_size=6), st.text(":-aB0é ", max_size=6))
def test_different_accounts_have_different_names(one, other):
    names = [account_name(f"held:{each}") for each in (one, other)]
    assert (names[0] == names[1]) == (one == other)


def test_an_empty_journal_and_an_unknown_form(tmp_path):
    engine = open_database(tmp_path / "empty.db")
    empty = open_journal(engine)
    path = tmp_path / "ledger.jsonl"
    path.write_text(export(empty, "json"), encoding="utf-8")
    assert verified(path)[0] == 0
    assert bean_check(export(empty, "beancount"), tmp_path) == (0, "")
    assert export(empty, "hledger") == ""
    with pytest.raises(LedgerError) as fault:
        export(empty, "excel")
    assert fault.value.code == "no-such-format"
    engine.dispose()


def altered(path):
    """(what, text of the export) for every number, text and id in it, changed one at a time."""
    for number, line in enumerate(lines := path.read_text(encoding="utf-8").splitlines()):
        told = json.loads(line)
        for where, change in leaves(told):
            yield (
                f"line {number} {where}",
                "\n".join([*lines[:number], json.dumps(change), *lines[number + 1 :]]) + "\n",
            )


def leaves(value, where=""):
    """(path, the value with that leaf changed)"""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ((w, {**value, key: changed}) for w, changed in leaves(item, f"{where}.{key}"))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from ((w, [*value[:i], changed, *value[i + 1 :]]) for w, changed in leaves(item, f"{where}[{i}]"))
    elif isinstance(value, bool):
        yield where, not value
    elif isinstance(value, int):
        yield where, value + 1
    elif isinstance(value, str):
        yield where, value[:-1] + ("1" if value[-1:] == "0" else "0")


@pytest.mark.parametrize("every", [pytest.param(97, id="quick"), pytest.param(1, id="slow", marks=pytest.mark.slow)])
def test_i25_any_change_of_the_export_fails_verification(journal, tmp_path, every):
    path = tmp_path / "ledger.jsonl"
    path.write_text(export(journal, "json"), encoding="utf-8")
    sys.path.insert(0, str(VERIFIER.parent))
    from verify_ledger import main

    forgery = tmp_path / "forged.jsonl"
    tried = 0
    for number, (what, text) in enumerate(altered(path)):
        if number % every == 0:
            tried += 1
            forgery.write_text(text, encoding="utf-8")
            try:
                assert main(forgery) == 1, what
            except (KeyError, ValueError):  # so altered that it is no ledger any more
                continue
    assert tried >= 5


def test_i25_the_verifier_finds_a_forger_who_computes_all_hashes_again(journal, tmp_path):
    """A nano moved between two payees, with leaf and root made anew: only the allocation gives it away."""
    from byline.core import merkle_root
    from byline.ledger import Entry

    lines = [json.loads(line) for line in export(journal, "json").splitlines()]
    at = next(i for i, line in enumerate(lines) if "entry" in line)
    moved = {"payable:party:a": -1, "payable:party:b": 1}
    legs = [[account, str(int(nano) + moved.get(account, 0))] for account, nano in lines[at]["entry"]["legs"]]
    lines[at] = {"entry": Entry.from_json({**lines[at]["entry"], "legs": legs}).sealed().to_json()}
    roots = [bytes.fromhex(line["entry"]["leaf"]) for line in lines if "entry" in line]
    lines[0]["root"] = merkle_root(roots).hex()
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    code, _, says = verified(path)
    assert code == 1 and "computed again, it posts something else" in says


def test_recorded_moments_are_in_one_zone(journal):
    assert {entry.recorded.tzinfo for entry in journal.entries()} == {UTC}
    assert journal.balances("EUR", recorded=datetime(2020, 1, 1, tzinfo=UTC)) == {}
