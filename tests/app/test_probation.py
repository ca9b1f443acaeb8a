"""A work that came after money was divided: its pay waits, is listed, and is paid once somebody has looked at it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from tiny_project import DAY, byline, prose, write_catalogue, write_csv

from byline.app.corrections import correct_all, waiting
from byline.app.home import Home
from byline.app.notices import moment
from byline.core import party_id
from byline.ledger import NEW, payable

POLICY = {
    "id": "policy:lump", "version": 1, "effective": "2026-01-01", "commission_ppm": 100_000, "reserve_ppm": 50_000,
    "train_share_ppm": 1_000_000, "prior": "equal-per-cluster", "unattributed": "commons", "probation": "all",
}  # fmt: skip
EVE = payable(party_id("Eve Hart"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Works that money was divided among, and one by Eve that came afterwards; more money came then."""
    files = write_catalogue(tmp_path / "files")
    monkeypatch.chdir(files)
    monkeypatch.setenv("BYLINE_HOME", str(tmp_path / "home"))
    Path("policy.json").write_text(json.dumps(POLICY))
    told("register", "works.csv", "--splits", "splits.csv")
    told("freeze")
    assert settle("p1")["new_works"] == []
    Path("eve.txt").write_text(prose("cloud rain wind storm thunder hail", 9))
    columns = Path("works.csv").read_text().splitlines()[0].split(",")
    row = ["eve.txt", "Eve 1", "Eve Hart", "author", "2020-01-01", "test", "CC0-1.0"]
    write_csv(Path("more.csv"), columns, row)
    return Home.open(tmp_path / "home")


def told(*words, code=0):
    ran = byline(*words, "--json")
    assert ran.code == code, ran.err + ran.out
    return ran.last


def settle(name, code=0):
    day = DAY + timedelta(days=1)
    rows = ["received", "licensee", "amount", "currency", "payment"], [day, "Lab", "900.00", "EUR", name]
    write_csv(Path(f"{name}.csv"), *rows)
    return told("settle", f"{name}.csv", "--policy", "policy.json", code=code)


def test_it_waits_is_listed_and_is_paid_once_somebody_has_looked(home):
    told("register", "more.csv")
    told("freeze")
    assert len(settle("p2")["new_works"]) == 1
    balances = home.journal.balances("EUR")
    assert EVE not in balances and home.journal.check() == []
    (line,) = [one for one in waiting(home) if one.title == "Eve 1"]
    assert line.why == NEW and line.new and balances[f"held:unclaimed:{line.work}"] == -int(line.amount_nano) < 0
    assert [one["title"] for one in told("review")["new"]] == ["Eve 1"]
    assert correct_all(home, date.today(), "nobody has looked", moment()) == ([], [])
    told("review", "Eve 1", "--release", "--because", "A book of the weather", "--by", "Olga")
    assert told("review")["new"] == []
    told("adjust", "--because", "somebody has looked at Eve 1")
    after = home.journal.balances("EUR")
    assert after[EVE] == -int(line.amount_nano) and not after.get(f"held:unclaimed:{line.work}")
    others = {name: nano for name, nano in balances.items() if name.startswith("payable:")}
    assert {name: after[name] for name in others} == others
    assert waiting(Home.open(home.path)) == [] and home.journal.check() == []
