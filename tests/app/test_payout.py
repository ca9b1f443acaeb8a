"""`byline payout` on a project whose journal holds money: dry run, file, the bank's answer, and nothing twice."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from byline.app.cli import app
from byline.app.home import Home
from byline.core import party_id
from byline.ledger.booking import BANK, Kind, book_moves

IBANS = {"Ann": "NL30MOCK0000000005", "Bob": "DE89370400440532013000"}
FROM = ["--from-name", "Operator", "--from-iban", "NL41MOCK0000000001"]


@pytest.fixture
def project(tmp_path):
    home = Home(tmp_path / "home")
    home.mark()
    now = datetime(2026, 9, 1, tzinfo=UTC)
    moves = {BANK: 50 * 10**9, f"payable:{party_id('Ann')}": -45 * 10**9, f"payable:{party_id('Bob')}": -5 * 10**9}
    home.journal.book(book_moves(Kind.CONTRACT, "test", now.date(), {"EUR": moves}, {}, "opening"), now)
    payees = tmp_path / "payees.csv"
    payees.write_text("contributor,iban\n" + "".join(f"{name},{iban}\n" for name, iban in IBANS.items()))
    return home.path, payees


def byline(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    lines = done.stdout.strip().splitlines()
    return done, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None


def test_payout_pays_once_and_takes_a_rejection_back(project, tmp_path):
    home, payees = project
    words = ("payout", payees, *FROM, "--home", home, "--json", "--on", "2026-10-01")
    done, dry = byline(*words, "--dry-run")
    assert done.exit_code == 0 and dry["file"] is None and dry["total"] == "45.00", done.output
    done, told = byline(*words)
    assert [one["amount"] for one in told["paid"]] == ["45.00"] and told["carried"][0]["reason"] == "below-threshold"
    root = ET.parse(told["file"]).getroot()
    assert [element.text for element in root.iter() if element.tag.endswith("EndToEndId")] == [
        told["paid"][0]["end_to_end"]
    ]
    assert byline(*words, "--release")[1]["paid"] == []
    assert byline(*words, "--anyway", "Bob")[1]["total"] == "5.00"
    answer = tmp_path / "answer.csv"
    answer.write_text(f"idempotency_key,status\n{told['paid'][0]['end_to_end']},failed\n")
    for moves in (1, 0):
        done, said = byline("payout", "--answer", answer, "--home", home, "--json")
        assert done.exit_code == 0 and len(said["moves"]) == moves
    listed = byline("payout", "--home", home, "--json")[1]
    assert listed["totals"]["rejected"] == "45.00" and listed["totals"]["on_their_way"] == "5.00"
    assert byline(*words)[1]["total"] == "45.00"


def test_payees_that_cannot_be_paid_are_all_named_and_nobody_is(project):
    home, payees = project
    payees.write_text("contributor,iban,standing\nAnn,NL00,\nBob,,sleeping\n")
    done, told = byline("payout", payees, *FROM, "--home", home, "--json")
    assert done.exit_code == 1 and len(told["problems"]) == 2
    done, _ = byline("payout", payees, "--home", home, "--form", "csv", *FROM)
    assert done.exit_code == 1
