"""Money and people from the command line, on works that were frozen and never trained on: no torch is needed for it."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_project import DAY, byline, files_of, state_of, write_catalogue, write_csv

from byline.app.home import Home
from byline.core import party_id

PROOF = "cd" * 32
LUMP = {
    "id": "policy:lump", "version": 1, "effective": "2026-01-01", "commission_ppm": 100_000, "reserve_ppm": 50_000,
    "train_share_ppm": 1_000_000, "prior": "equal-per-cluster", "unattributed": "commons",
}  # fmt: skip
FACTS = [
    "kind",
    "person",
    "work",
    "other",
    "share",
    "shares",
    "ground",
    "record",
    "effective",
    "evidence",
    "decided_by",
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project of eight works, frozen; `settled` files stand beside it."""
    files = write_catalogue(tmp_path / "files")
    monkeypatch.chdir(files)
    monkeypatch.setenv("BYLINE_HOME", str(tmp_path / "home"))
    for step in ("register works.csv --splits splits.csv --opt-outs opt-outs.csv", "freeze"):
        assert byline(*step.split()).code == 0
    (files / "lump.json").write_text(json.dumps(LUMP))
    pay("900.00", "p1")
    return files


def pay(amount, name, path="pay.csv"):
    day = DAY + timedelta(days=1)
    write_csv(Path(path), ["received", "licensee", "amount", "currency", "payment"], [day, "Lab", amount, "EUR", name])


def facts(*rows, path="people.csv"):
    with Path(path).open("w", newline="") as file:
        writer = csv.DictWriter(file, FACTS, restval="")
        writer.writeheader()
        writer.writerows({"effective": "2026-01-02", "evidence": PROOF, **row} for row in rows)
    return path


def told(*words, code=0):
    ran = byline(*words, "--json")
    assert ran.code == code, ran.err + ran.out
    return ran.last


def balances():
    return Home(Path(told_home())).journal.balances("EUR")


def told_home():
    import os

    return os.environ["BYLINE_HOME"]


def owed(name):
    return -balances().get(f"payable:{party_id(name)}", 0)


def work(title):
    return next(w.id for w in Home(Path(told_home())).works.values() if w.title == title)


def settle(*more):
    return told("settle", "pay.csv", "--policy", "lump.json", *more)


def test_settling_a_lump_sum_shows_each_payee_before_and_after_and_needs_no_torch(place):
    dry = settle("--dry-run")
    assert not dry["posted"] and {each["name"] for each in dry["accounts"]} > {"Ada Moore", "Ben Okoro", "Cleo Marsh"}
    ada = next(each for each in dry["accounts"] if each["name"] == "Ada Moore")
    assert ada["before_nano"] == "0" and int(ada["after_nano"]) < 0
    real = settle()
    assert real["posted"] and real["settlement"] == dry["settlement"] and owed("Ada Moore") == -int(ada["after_nano"])
    parts = [int(real[f"{what}_nano"]) for what in ("allocated", "held", "commission")]
    assert sum(parts) == int(real["received_nano"]) == 900 * 10**9 and int(real["reserve_nano"]) == 45 * 10**9
    assert not settle()["posted"] and settle("--dry-run")["accounts"] == []
    assert "reserve" in byline("settle", "pay.csv", "--policy", "lump.json").out


def test_a_split_agreed_later_is_an_adjustment_and_the_old_statement_keeps_its_bytes(place, tmp_path):
    settle()
    before, statements = (owed("Ada Moore"), owed("Ben Okoro")), files_of(tmp_path / "home" / "statements")
    assert told("adjust", "--dry-run")["corrected"] == []
    write_csv(
        place / "later.csv",
        ["title", "contributor", "share", "effective"],
        ["Both", "Ada Moore", "30%", "2020-01-01"],
        ["Both", "Ben Okoro", "70%", "2020-01-01"],
    )
    told("register", "works.csv", "--splits", "later.csv")
    dry = told("adjust", "--dry-run")
    assert (owed("Ada Moore"), owed("Ben Okoro")) == before
    found = told("adjust", "--because", "signed on paper")
    assert found["corrected"] == dry["corrected"] and len(found["corrected"]) == 1
    moved = {change["name"]: int(change["after_nano"]) - int(change["before_nano"]) for change in
             found["corrected"][0]["changes"]}  # fmt: skip
    net = 900 * 10**9 * 85 // 100 // 7  # equal among seven admitted clusters
    assert set(moved) == {"Ada Moore", "Ben Okoro"} and sum(moved.values()) == 0
    assert abs(moved["Ben Okoro"] - net * 3 // 10) <= 2
    assert (owed("Ada Moore"), owed("Ben Okoro")) == (before[0] + moved["Ada Moore"], before[1] + moved["Ben Okoro"])
    assert files_of(tmp_path / "home" / "statements") == statements
    for path in statements:
        assert byline("verify", path).code == 0
    assert told("adjust")["corrected"] == [] and told("journal", "--check")["problems"] == []


def test_a_dispute_holds_only_its_slice_and_a_decision_pays_all_of_it(place):
    settle()
    before = balances()
    facts(
        {"kind": "party", "person": "Eve Hart"},
        {"kind": "dispute", "work": "Ada 1", "person": "Ada Moore", "other": "Eve Hart", "share": "20%",
         "ground": "authorship"},
    )  # fmt: skip
    assert told("people", "people.csv", "--dry-run")["new"] == 1 and told("people")["records"] == []
    (dispute,) = told("people", "people.csv")["records"]
    assert told("people")["open_disputes"] == [dispute]
    told("adjust")
    during, slice_nano = balances(), 900 * 10**9 * 85 // 100 // 7 // 5
    changed = {name: during.get(name, 0) - before.get(name, 0) for name in {*during, *before}}
    changed = {name: nano for name, nano in changed.items() if nano}
    held, ada = f"held:unclaimed:{work('Ada 1')}", f"payable:{party_id('Ada Moore')}"
    assert set(changed) == {held, ada} and changed[ada] == -changed[held] and abs(changed[ada] - slice_nano) <= 1
    (line,) = told("unclaimed")["waiting"]
    assert (line["title"], line["why"], int(line["amount_nano"])) == ("Ada 1", "20 % disputed", changed[ada])
    facts({"kind": "resolution", "record": dispute, "shares": "Eve Hart=100%", "decided_by": "The court"})
    told("people", "people.csv")
    told("adjust")
    assert owed("Eve Hart") == changed[ada] and held not in {n for n, nano in balances().items() if nano}
    assert told("unclaimed")["waiting"] == []


def test_money_of_nobody_waits_in_a_public_list_and_a_late_claimant_is_paid_in_full(place):
    facts({"kind": "succession", "person": "Cleo Marsh", "shares": "Ada Moore=25%", "decided_by": "One;Two"})
    told("people", "people.csv")
    settle()
    lines = told("unclaimed", "--to", "public.csv")["waiting"]
    assert {line["title"] for line in lines} == {"Cleo 1", "Cleo 2"} and owed("Cleo Marsh") == 0
    assert {line["why"] for line in lines} == {"nobody is named for 75 %"}
    assert [row["title"] for row in csv.DictReader(Path("public.csv").read_text().splitlines())] == [
        line["title"] for line in lines
    ]
    waiting = sum(int(line["amount_nano"]) for line in lines)
    facts(
        {"kind": "party", "person": "Hospital"},
        {"kind": "succession", "person": "Cleo Marsh", "shares": "Ada Moore=25%;Hospital=75%", "decided_by": "One;Two"},
    )
    told("people", "people.csv")
    write_csv(place / "payees.csv", ["contributor", "iban"], ["Hospital", "DE89370400440532013000"])
    paid = told("payout", "payees.csv", "--release", "--from-name", "Op", "--from-iban", "NL41MOCK0000000001")
    assert paid["total"] == f"{waiting // 10**9}.{waiting % 10**9 // 10**7:02}" and len(paid["paid"]) == 1
    assert told("unclaimed")["waiting"] == []


def test_what_was_owed_to_the_dead_goes_to_the_heirs_and_what_was_paid_stays(place):
    settle()
    before = owed("Cleo Marsh")
    day = DAY + timedelta(days=5)
    facts(
        {"kind": "party", "person": "Hospital"},
        {"kind": "succession", "person": "Cleo Marsh", "shares": "Hospital=100%", "decided_by": "One;Two",
         "effective": day},
    )  # fmt: skip
    told("people", "people.csv")
    assert told("adjust")["to_heirs"] == 0 and owed("Cleo Marsh") == before  # not yet
    assert told("adjust", "--on", day)["to_heirs"] == 1 and (owed("Cleo Marsh"), owed("Hospital")) == (0, before)
    assert told("adjust", "--on", day) == {"corrected": [], "to_heirs": 0, "problems": [], "dry_run": False}


def test_faults_in_facts_are_all_told_and_nothing_is_recorded(place, tmp_path):
    facts(
        {"kind": "claim", "person": "Nobody Known", "work": "Ada 1", "share": "50%"},
        {"kind": "withdrawal", "record": "claim:0", "decided_by": "One"},
        {"kind": "party", "person": "Somebody New"},
    )
    told("people")  # makes the journal's tables
    before = state_of(tmp_path / "home")
    ran = byline("people", "people.csv", "--json")
    assert ran.code == 1 and [p["code"] for p in ran.last["problems"]] == ["unknown-party", "no-such-record"]
    assert [p["at"]["line"] for p in ran.last["problems"]] == [2, 3] and state_of(tmp_path / "home") == before


@pytest.mark.parametrize(("mode", "shares"), [("flat-per-work", (1, 1)), ("toll", (3, 1))])
def test_flat_payments_and_tolls_name_their_works(place, mode, shares):
    (place / "policy.json").write_text(json.dumps({**LUMP, "train_share_ppm": 0, "mode": mode}))
    write_csv(place / "uses.csv", ["payment", "work", "requests"], ["p1", "Ada 1", 3], ["p1", "Cleo 2", 1])
    told("settle", "pay.csv", "--policy", "policy.json", "--uses", "uses.csv")
    net, whole = 900 * 10**9 * 85 // 100, sum(shares)
    assert (owed("Ada Moore"), owed("Cleo Marsh")) == tuple(net * share // whole for share in shares)
    assert owed("Ben Okoro") == 0
    write_csv(place / "uses.csv", ["payment", "work", "requests"], ["p9", "Ada 1", 3], ["p1", "No such", "many"])
    pay("1.00", "p1")
    ran = byline("settle", "pay.csv", "--policy", "policy.json", "--uses", "uses.csv", "--json")
    assert ran.code == 1 and [p["code"] for p in ran.last["problems"]] == ["bad-use", "bad-use"]


def test_each_output_pays_by_its_own_shares(place):
    (place / "policy.json").write_text(json.dumps({**LUMP, "pooling": "payer-centric"}))
    rows = [["o1", "p1", "600.00", "Ada 1=40%;Cleo 1=10%"], ["o2", "p1", "300.00", ""]]
    write_csv(place / "outputs.csv", ["output", "payment", "price", "shares"], *rows)
    found = told("settle", "pay.csv", "--policy", "policy.json", "--outputs", "outputs.csv")
    assert int(found["allocated_nano"]) == 900 * 10**9 * 85 // 100
    kept = Home(Path(told_home())).journal.settlement(found["settlement"]).outputs
    assert [(sums.outputs, sums.received_nano) for sums in kept] == [(2, str(900 * 10**9))]
    rows = [["o1", "p1", "600.00", "Ada 1=90%;Cleo 1=20%"], ["o2", "p1", "-1", "Dov 1=5%"], ["", "p1", "1", ""]]
    write_csv(place / "outputs.csv", ["output", "payment", "price", "shares"], *rows)
    ran = byline("settle", "pay.csv", "--policy", "policy.json", "--outputs", "outputs.csv", "--json")
    assert ran.code == 1 and [p["at"]["line"] for p in ran.last["problems"]] == [2, 3, 4]


def test_contracts_and_advances_are_applied_once(place):
    write_csv(place / "book.csv", ["kind", "effective", "contributor", "amount", "currency", "reference"],
              ["advance", str(DAY), "Ben Okoro", "50.00", "EUR", "contract:ben"])  # fmt: skip
    columns = ["contract", "version", "contributor", "effective", "currency", "commission", "favoured", "guarantee"]
    write_csv(place / "contracts.csv", columns,
              ["ada", 1, "Ada Moore", "2026-01-01", "EUR", "5%", "no", ""],
              ["cleo", 2, "Cleo Marsh", "2026-01-01", "EUR", "", "yes", "1000"])  # fmt: skip
    assert told("book", "book.csv", "--dry-run")["new"] == 0
    assert told("book", "book.csv")["new"] == 1 and told("book", "book.csv")["new"] == 0
    dry = settle("--dry-run", "--contracts", "contracts.csv")
    found = settle("--contracts", "contracts.csv")
    assert found["contracts"] == dry["contracts"]
    due = {each["party"]: each for each in found["contracts"]}
    ada, ben, cleo = (due[party_id(name)] for name in ("Ada Moore", "Ben Okoro", "Cleo Marsh"))
    assert (ada["commission_ppm"], cleo["commission_ppm"]) == (50_000, 50_000)  # the favoured party gets as good a rate
    assert int(ada["rebate_nano"]) == int(ada["earned_nano"]) * 50_000 // 850_000
    assert int(cleo["earned_nano"]) + int(cleo["rebate_nano"]) + int(cleo["top_up_nano"]) == 1000 * 10**9
    assert ben["recouped_nano"] == str(50 * 10**9) and owed("Ben Okoro") == int(ben["earned_nano"]) - 50 * 10**9
    after = balances()
    assert settle("--contracts", "contracts.csv")["contracts"] == [] and balances() == after
    assert told("journal", "--check")["problems"] == []
    write_csv(place / "contracts.csv", columns, ["x", "one", "Ada Moore", "2026-01-01", "EUR", "5", "perhaps", ""])
    pay("1.00", "p2")
    assert byline("settle", "pay.csv", "--policy", "lump.json", "--contracts", "contracts.csv").code == 1


def test_bookings_freeze_exchange_and_release_all_or_none(place, tmp_path):
    found = settle()
    columns = ["kind", "effective", "contributor", "amount", "currency", "reference", "because", "shares", "to", "rate",
               "source", "quoted"]  # fmt: skip
    ada = owed("Ada Moore")
    write_csv(place / "book.csv", columns,
              ["hold", str(DAY), "Ada Moore", "10", "EUR", "case-1", "identity", "", "", "", "", ""],
              ["release", str(DAY), "Ada Moore", "10", "EUR", "case-1", "court", "Ada Moore=40%;Ben Okoro=60%", "", "",
               "", ""],
              ["exchange", str(DAY), "Ada Moore", "100", "EUR", "q3", "", "", "USD", "1.08125", "central bank",
               "2026-09-01T12:00+00:00"],
              ["reserve", str(DAY), "", "", "", found["settlement"], "a year is over", "", "", "", "", ""])  # fmt: skip
    assert len(told("book", "book.csv", "--dry-run")["accounts"]) > 4
    assert told("book", "book.csv")["new"] == 4
    home = Home(tmp_path / "home")
    assert home.journal.balances("USD")[f"payable:{party_id('Ada Moore')}"] == -108_125_000_000
    assert home.journal.balances("EUR").get("held:reserve", 0) == 0
    reserve = 45 * 10**9 * ada // (int(found["allocated_nano"]))
    assert abs(owed("Ada Moore") - (ada - 6 * 10**9 - 100 * 10**9 + reserve)) <= 1
    before = state_of(tmp_path / "home")
    write_csv(place / "book.csv", columns,
              ["hold", str(DAY), "Ada Moore", "10", "EUR", "case-2", "identity", "", "", "", "", ""],
              ["hold", str(DAY), "Ada Moore", "10000", "EUR", "case-3", "identity", "", "", "", "", ""])  # fmt: skip
    assert "[overdrawn]" in byline("book", "book.csv").err and state_of(tmp_path / "home") == before
    write_csv(place / "book.csv", columns,
              ["gift", str(DAY), "Ada Moore", "10", "EUR", "", "", "", "", "", "", ""],
              ["hold", str(DAY), "Zed", "-1", "EUR", "case-3", "identity", "", "", "", "", ""])  # fmt: skip
    ran = byline("book", "book.csv", "--json")
    assert ran.code == 1 and len(ran.last["problems"]) == 3 and state_of(tmp_path / "home") == before


def test_tax_is_withheld_and_a_rejection_gives_it_back(place):
    settle()
    before = owed("Ada Moore")
    write_csv(place / "payees.csv", ["contributor", "iban"], ["Ada Moore", "DE89370400440532013000"])
    until = DAY + timedelta(99)
    write_csv(place / "tax.csv", ["contributor", "rate", "country", "ground", "until"],
              ["Ada Moore", "15%", "DE", "treaty", until])  # fmt: skip
    words = ("payout", "payees.csv", "--withhold", "tax.csv", "--from-name", "Op", "--from-iban",
             "NL41MOCK0000000001")  # fmt: skip
    paid = told(*words)["paid"][0]
    cents = before // 10**7
    tax = cents * 15 // 100
    assert paid["withheld"] == f"{tax // 100}.{tax % 100:02}" and paid["ground"] == "15 % tax to DE: treaty"
    assert -balances()["held:withholding:DE"] == tax * 10**7 and owed("Ada Moore") == before - cents * 10**7
    write_csv(place / "answer.csv", ["idempotency_key", "status"], [paid["end_to_end"], "failed"])
    told("payout", "--answer", "answer.csv")
    assert owed("Ada Moore") == before and balances().get("held:withholding:DE", 0) == 0
    write_csv(place / "tax.csv", ["contributor", "rate", "country", "ground", "until"],
              ["Ada Moore", "lots", "DE", "treaty", until], ["Ada Moore", "15%", "DE", "", "soon"])  # fmt: skip
    assert len(told(*words, code=1)["problems"]) == 2
