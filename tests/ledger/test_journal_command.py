"""`byline journal`: what it shows, refuses and writes."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from byline.app.cli import app
from byline.app.home import Home
from byline.ledger import by_account, export, settle

sys.path.insert(0, str(Path(__file__).parent))
from busy import LATER, NOW, corrected, fill
from worlds import DAY, world


@pytest.fixture
def home(tmp_path):
    place = Home(tmp_path / "home")
    (tmp_path / "home").mkdir()
    place.mark()
    fill(place.journal)
    return place


def journal(home, *words):
    done = CliRunner().invoke(app, ["journal", "--home", str(home.path), "--json", *map(str, words)])
    told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else None
    return done.exit_code, told, done


def test_balances_are_shown_and_can_be_asked_for_a_day_or_a_kind_of_account(home):
    code, told, _ = journal(home)
    assert code == 0 and told["size"] == home.journal.head().size
    assert told["balances"] == {
        currency: {name: str(nano) for name, nano in of.items()} for currency, of in home.journal.all_balances().items()
    }
    _, early, _ = journal(home, "--effective", DAY.isoformat(), "--account", "payable:")
    assert set(early["balances"]["EUR"]) < set(told["balances"]["EUR"])
    assert all(name.startswith("payable:") for name in early["balances"]["EUR"])
    _, known, _ = journal(home, "--recorded", (DAY - timedelta(1)).isoformat())
    assert known["balances"] == {"EUR": {}, "USD": {}}
    shown = CliRunner().invoke(app, ["journal", "--home", str(home.path)])
    assert "payable:party:a" in shown.stdout


def test_check_says_what_was_changed_and_ends_with_1(home):
    code, told, done = journal(home, "--check")
    assert (code, told["problems"]) == (0, [])
    with home.journal.engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER ledger_entry_no_update"))
        connection.execute(sa.text("UPDATE ledger_entry SET currency = 'USD' WHERE seq = 2"))
    code, told, done = journal(home, "--check", "--checkpoint")
    assert code == 1 and "entry-altered" in {problem["code"] for problem in told["problems"]}
    assert "checkpoint" not in told
    assert "entry 2" in done.stderr


def test_checkpoints_and_exports_are_written_unless_it_is_a_dry_run(home, tmp_path):
    file = tmp_path / "ledger.txt"
    _, told, _ = journal(home, "--export", "hledger", "--to", file, "--dry-run")
    assert told["bytes"] and not file.exists()
    for form in ("beancount", "hledger", "json"):
        code, told, _ = journal(home, "--export", form, "--to", file)
        assert code == 0 and file.read_text(encoding="utf-8") == export(home.journal, form)
    _, told, _ = journal(home, "--checkpoint")
    assert told["checkpoint"]["size"] == home.journal.head().size


def test_an_export_needs_a_file_and_a_known_form(home, tmp_path):
    assert journal(home, "--export", "json")[2].exception.code == "no-target"
    assert journal(home, "--export", "excel", "--to", tmp_path / "x")[2].exception.code == "no-such-format"


def test_what_another_policy_would_have_paid_is_shown_and_nothing_written(tmp_path):
    place = Home(tmp_path / "home")
    (tmp_path / "home").mkdir()
    place.mark()
    first = settle(**world())
    place.journal.post(first, NOW)
    place.journal.adjust(corrected(first), first.id, LATER, "later", NOW)
    head, file = place.journal.head(), tmp_path / "policy.json"
    file.write_text(json.dumps({**first.terms.policy.to_json(), "commission_ppm": 0}), encoding="utf-8")
    code, told, _ = journal(place, "--what-if", file)
    assert code == 0 and place.journal.head() == head
    changes = {each["account"]: each for each in told["changes"]}
    now = by_account(corrected(first))
    assert {name: int(each["before_nano"]) for name, each in changes.items()} == now
    assert changes["income:commission"]["after_nano"] == "0"
    assert sum(int(each["after_nano"]) - int(each["before_nano"]) for each in told["changes"]) == 0
    shown = CliRunner().invoke(app, ["journal", "--home", str(place.path), "--what-if", str(file)])
    assert "under the other policy" in shown.stdout
