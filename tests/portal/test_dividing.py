"""Dividing by a chosen pay rule and with contracts; other bookings: shown first, then booked exactly so."""

import json

import pytest
from portal_project import ADA, BEN, NOW, signed_in
from staff import hidden, measure, work
from tiny_project import byline

from byline.app.api import Queue
from byline.app.money_files import STANDARD_POLICY
from byline.app.portal.accounts import Role
from byline.ledger import advance_account

DIVIDE, BOOK = "/operate/divide", "/operate/bookings"
PAID = {"received": "2026-10-20", "licensee": "Model Company", "amount": "1000", "currency": "EUR"}
ASKED = {"training": "main", "currency": "EUR", "until": "2026-11-01", "rule": "changed", "commission_rate": "8",
         "reserve_rate": "0", "training_rate": "20", "prior": "equal-per-cluster", "rest": "commons",
         "effective": "2026-01-01"}  # fmt: skip
CONTRACTS = "contract,version,contributor,effective,currency,commission,guarantee\n"


@pytest.fixture
def operator(app, home):
    measure(home)
    browser = signed_in(app, "op@example.org", Role.OPERATOR)
    browser.look(DIVIDE)
    assert browser.fill("/operate/income", **PAID).status_code == 303
    return browser


def tried(operator, home, **fields):
    """The address of the task, and its page."""
    answer = operator.fill(DIVIDE, **(ASKED | fields))
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    assert work(home) == 1
    return address, operator.look(address).text


def settlements(home):
    return {name: home.journal.settlement(name) for name in home.journal.settlement_ids()}


def test_money_is_divided_by_the_rule_that_was_chosen_and_shown(operator, home):
    before = settlements(home)
    address, page = tried(operator, home)
    assert "Book exactly this" in page and settlements(home).keys() == before.keys()
    booked = operator.fill(f"{address}/book").headers["location"]
    assert work(home) == 1 and "It is booked" in operator.look(booked).text
    (new,) = [each for name, each in settlements(home).items() if name not in before]
    policy = new.terms.policy
    assert (policy.commission_ppm, policy.reserve_ppm, policy.train_share_ppm) == (80_000, 0, 200_000)
    assert -home.journal.balances("EUR")["income:commission"] >= 80 * 10**9 and home.journal.check() == []


def test_the_command_divides_the_same_by_the_same_rule(operator, home, tmp_path):
    address, _ = tried(operator, home, training_rate="100")  # by the agreed part alone, which needs no model
    job = Queue(home.journal.engine).one(address.rpartition("/")[2])
    (tmp_path / "events.csv").write_text("received,licensee,amount,currency\n2026-10-20,Model Company,1000,EUR\n")
    (tmp_path / "policy.json").write_text(json.dumps(job.body["policy"]))
    told = byline("settle", tmp_path / "events.csv", "--policy", tmp_path / "policy.json", "--dry-run", "--home",
                  home.path, "--json")  # fmt: skip
    assert told.last["settlement"] == job.result["settlement"]


def test_contracts_are_shown_and_booked_with_the_division(operator, home):
    table = CONTRACTS + "less,1,Ada Moore,2026-01-01,EUR,2%,\nleast,1,Ben Okoro,2026-01-01,EUR,,500\n"
    address, page = tried(operator, home, pasted=table)
    assert "What single payees agreed on" in page and "less commission" in page and "up to the guarantee" in page
    before = home.journal.balances("EUR")
    booked = operator.fill(f"{address}/book").headers["location"]
    assert work(home) == 1 and "It is booked" in operator.look(booked).text
    after = home.journal.balances("EUR")
    contract = [name for name in home.journal.run_ids() if name.startswith("contract:")]
    assert len(contract) == 1 and home.journal.check() == []
    assert before[f"payable:{BEN}"] - after[f"payable:{BEN}"] >= 500 * 10**9
    assert len(list((home.path / "contracts").glob("*.json"))) == 2


def test_what_contracts_change_is_booked_only_as_it_was_shown(operator, home):
    table = CONTRACTS + "less,1,Ada Moore,2026-01-01,EUR,2%,\n"
    address, _ = tried(operator, home, pasted=table)
    shown = operator.fill(f"{BOOK}/try", kind="advance", contributor="Ada Moore", amount="5", currency="EUR",
                          reference="c1", effective="2026-10-01").text  # fmt: skip
    assert operator.fill(BOOK, **hidden(shown, BOOK)).status_code == 303  # what she owes changes meanwhile
    booked = operator.fill(f"{address}/book").headers["location"]
    before = home.journal.head()
    assert work(home) == 1 and "have changed since" in operator.look(booked).text
    assert home.journal.head() == before


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"rule": ""}, "nothing was chosen"), ({"rule": "whole", "whole": "{"}, "it is not json"),
     ({"rule": "whole", "whole": "[1]"}, "it is not json"), ({"rule": "whole", "whole": "{}"}, "no pay rule"),
     ({"commission_rate": "101"}, "no per cent"), ({"commission_rate": "60", "reserve_rate": "60"}, "more than all"),
     ({"prior": "mine"}, "none of the choices"), ({"game": "chess"}, "none of the choices"),
     ({"game": "redundancy"}, "made in another way"), ({"effective": "2026-10-25"}, "some came before"),
     ({"effective": "x"}, "is no day"), ({"training": "../main"}, "no training"),
     ({"until": "2020-01-01"}, "no payment"),
     ({"pasted": CONTRACTS + "a,x,Ada Moore,2026-01-01,EUR,2%,\n"}, "line 2"),
     ({"pasted": CONTRACTS + "a,1,Nobody,2026-01-01,EUR,2%,\n"}, "not registered"),
     ({"pasted": "a,b\n1,2\n"}, "column")],
)  # fmt: skip
def test_faults_are_told_at_their_fields_and_nothing_is_asked(operator, home, wrong, says):
    answer = operator.fill(DIVIDE, **(ASKED | wrong))
    assert answer.status_code == 422 and says in answer.text.lower(), answer.text[:4000]
    assert work(home) == 0


def test_a_whole_rule_is_taken_as_it_is(operator, home):
    rule = STANDARD_POLICY.to_json() | {"id": "policy:mine", "commission_ppm": 10_000, "probation": "none"}
    _, page = tried(operator, home, rule="whole", whole=json.dumps(rule))
    assert "By policy:mine" in page


def test_a_cooperatives_money_follows_no_other_rule(operator, home):
    from byline.app.coop import found, read_statutes

    found(home, "Writers", "main", read_statutes(None), NOW.date())
    answer = operator.fill(DIVIDE, **ASKED)
    assert answer.status_code == 422 and "members decide" in answer.text


# --- other bookings -----------------------------------------------------------------------------------------------

ADVANCE = {"kind": "advance", "contributor": "Ada Moore", "amount": "100,50", "currency": "EUR", "reference": "c 7",
           "effective": "2026-10-01"}  # fmt: skip
HOLD = {"kind": "hold", "contributor": "Ben Okoro", "amount": "10", "currency": "EUR", "reference": "case 1",
        "because": "Two say it is theirs", "effective": "2026-10-01"}  # fmt: skip


def shown_and_booked(operator, **fields):
    shown = operator.fill(f"{BOOK}/try", **fields)
    assert shown.status_code == 200, shown.text
    asked = hidden(shown.text, BOOK)
    assert operator.fill(BOOK, **asked).status_code == 303
    return shown.text, asked


def test_an_advance_is_shown_then_booked_once(operator, home, app):
    before = home.journal.head()
    shown = operator.fill(f"{BOOK}/try", **ADVANCE).text
    assert (
        "an advance" in shown
        and "100.50" in shown
        and "advanced to Ada Moore" in shown
        and "party:" not in shown
        and home.journal.head() == before
    )
    asked = hidden(shown, BOOK)
    assert operator.fill(BOOK, **(asked | {"shown": "x"})).status_code == 409 and home.journal.head() == before
    assert operator.fill(BOOK, **asked).status_code == 303
    assert home.journal.balances("EUR")[advance_account(ADA)] == 100_500_000_000 and home.journal.check() == []
    assert app.state.portal.trail.lines()[-1].did == "booked 1 moves of money"
    assert operator.fill(BOOK, **asked).status_code == 422  # it stands there
    assert "booked before" in operator.fill(f"{BOOK}/try", **ADVANCE).text


def test_money_waits_for_a_case_and_goes_where_it_was_decided(operator, home):
    shown_and_booked(operator, **HOLD)
    assert "10.00 EUR" in operator.look(BOOK).text and "case 1, of Ben Okoro" in operator.look(BOOK).text
    release = HOLD | {"kind": "release", "shares": "Ada Moore=25%;Ben Okoro=75%", "because": "decided"}
    before = home.journal.balances("EUR")[f"payable:{ADA}"]
    shown_and_booked(operator, **release)
    assert before - home.journal.balances("EUR")[f"payable:{ADA}"] == 2_500_000_000
    assert "Nothing waits for a case" in operator.look(BOOK).text


def test_a_reserve_and_another_currency(operator, home):
    (name,) = home.journal.settlement_ids()
    reserve = {"kind": "reserve", "reference": name, "because": "A year has passed", "effective": "2026-10-30"}
    assert name in operator.look(BOOK).text
    shown_and_booked(operator, **reserve)
    exchange = {"kind": "exchange", "contributor": "Ben Okoro", "amount": "20", "currency": "EUR", "to": "USD",
                "rate": "1.1", "source": "ECB", "quoted": "2026-10-01T12:00+00:00", "reference": "fx1",
                "effective": "2026-10-01"}  # fmt: skip
    shown, _ = shown_and_booked(operator, **exchange)
    assert "In EUR" in shown and "In USD" in shown
    assert home.journal.balances("USD")[f"payable:{BEN}"] == -22_000_000_000 and home.journal.check() == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"amount": "-5"}, "amount is"), ({"contributor": "Nobody"}, "not registered"),
     ({"effective": "soon"}, "write the day as"),
     ({"currency": ""}, "needs the column currency"), ({"amount": "1000000"}, "less than is to be taken"),
     ({"because": ""}, "because")],
)  # fmt: skip
def test_a_booking_with_a_fault_books_nothing(operator, home, wrong, says):
    before = home.journal.head()
    answer = operator.fill(f"{BOOK}/try", **(HOLD | wrong))
    assert answer.status_code == 422 and says in answer.text.lower(), answer.text
    assert home.journal.head() == before


def test_a_table_of_bookings_is_booked_whole_or_not_at_all(operator, home):
    head = "kind,effective,contributor,amount,currency,reference,because\n"
    good = "advance,2026-10-01,Ada Moore,5,EUR,c1,\nadvance,2026-10-01,Ben Okoro,5,EUR,c2,\n"
    bad = operator.fill(f"{BOOK}/try", pasted=head + good + "steal,2026-10-01,Ada Moore,5,EUR,c3,\n")
    assert bad.status_code == 422 and "line 4" in bad.text.lower()
    assert operator.fill(f"{BOOK}/try", pasted="").status_code == 422
    assert operator.fill(f"{BOOK}/try", files={"table": ("t.csv", b"\xff\xfe\xfa")}).status_code == 422
    shown = operator.fill(f"{BOOK}/try", files={"table": ("t.csv", (head + good).encode())}).text
    assert "2 bookings" in shown and operator.fill(BOOK, **hidden(shown, BOOK)).status_code == 303
    assert home.journal.balances("EUR")[advance_account(BEN)] == 5 * 10**9


def test_a_rehearsal_writes_nothing(operator, home):
    from byline.app.bookings import read_bookings

    path = home.path / "x.csv"
    path.write_text("kind,effective,contributor,amount,currency,reference\nadvance,2026-10-01,Ada Moore,5,EUR,c1\n")
    bookings, problems = read_bookings(home, path)
    before = home.journal.head()
    assert problems == [] and home.journal.rehearse(bookings, NOW) == bookings and home.journal.head() == before
    assert home.journal.book_all(bookings, NOW) == 1 and home.journal.rehearse(bookings, NOW) == []
