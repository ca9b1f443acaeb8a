"""An operator's day: money that came in, its division, corrections, payouts, and the tasks that take long."""

import json
import re
import signal
import subprocess
import sys

import pytest
from portal_project import BEN, signed_in
from staff import hidden, measure, work

from byline.app.api import Queue
from byline.app.portal.accounts import Role
from byline.app.portal.payments import Payments
from byline.app.tasks import SETTLEMENT

HEAD = "received,licensee,amount,currency,payment\n"
PAYMENTS = f"{HEAD}2026-10-20,Another <Co>,100.00,EUR,\n2026-10-21,Third Co,50.00,EUR,invoice 7\n"
FIELDS = {"received": "2026-10-20", "licensee": "Another <Co>", "amount": "100,00", "currency": "eur"}
INCOME, DIVIDE = "/operate/income", {"training": "main", "currency": "EUR", "until": "2026-10-31"}


@pytest.fixture
def operator(app, home):
    measure(home)
    browser = signed_in(app, "operator@example.org", Role.OPERATOR)
    browser.look(INCOME)
    return browser


def did(app):
    return [line.did for line in app.state.portal.trail.lines() if line.did != "signed in"]


def tried(operator, home, **fields):
    """The address of the task that shows a division, done."""
    address = operator.fill(f"{INCOME}/divide", **(DIVIDE | fields)).headers["location"]
    assert work(home) == 1
    return address


# --- money that came in -----------------------------------------------------------------------------------------


def test_a_payment_is_entered_seen_and_withdrawn(operator, home, app):
    assert operator.fill(INCOME, **FIELDS).headers["location"] == INCOME
    page = operator.look(INCOME).text
    assert "100.00 EUR from Another &lt;Co&gt;" in page and "1 payment waits" in page
    again = operator.fill(INCOME, **FIELDS)
    assert again.status_code == 422 and "was entered before" in again.text
    assert operator.fill(INCOME, **FIELDS, payment="invoice 8").status_code == 303
    assert len(Payments(home).waiting()) == 2
    event = hidden(operator.look(INCOME).text, f"{INCOME}/withdraw")["event"]
    assert operator.fill(f"{INCOME}/withdraw", event=event).status_code == 303
    assert operator.fill(f"{INCOME}/withdraw", event=event).status_code == 409
    assert len(Payments(home).waiting()) == 1
    assert operator.fill(INCOME, **FIELDS).status_code == 303 and len(Payments(home).waiting()) == 2
    assert did(app) == ["entered a payment", "entered a payment", "withdrew a payment", "entered a payment"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"amount": "-1"}, "a number above 0"), ({"received": "soon"}, "write it as 2026"),
     ({"currency": "e1"}, "ISO 4217"), ({"licensee": ""}, "no name")],
)  # fmt: skip
def test_a_fault_of_a_payment_is_told_and_nothing_is_kept(operator, home, wrong, says):
    answer = operator.fill(INCOME, **(FIELDS | wrong))
    assert answer.status_code == 422 and says in answer.text
    assert 'value="2026-10-20"' in answer.text or "received" in wrong  # what was filled in is there again
    assert Payments(home).waiting() == []


def test_a_table_is_taken_whole_or_not_at_all_with_every_fault_by_line(operator, home):
    bad = PAYMENTS + "soon,Fourth,1.00,EUR,\n2026-10-22,Fifth,x,EUR,\n2026-10-21,Third Co,50.00,EUR,invoice 7\n"
    answer = operator.fill(f"{INCOME}/table", files={"file": ("p.csv", bad.encode())})
    assert answer.status_code == 422
    for line in ("line 4", "line 5", "line 6"):
        assert line in answer.text.lower(), line
    assert "byline-payments-" not in answer.text and Payments(home).waiting() == []
    assert operator.fill(f"{INCOME}/table", files={"file": ("p.csv", PAYMENTS.encode())}).status_code == 303
    assert [str(each.event.received) for each in Payments(home).waiting()] == ["2026-10-20", "2026-10-21"]
    again = operator.fill(f"{INCOME}/table", pasted=PAYMENTS)
    assert again.status_code == 422 and again.text.count("was entered before") >= 2
    assert operator.fill(f"{INCOME}/table", pasted="").status_code == 422


# --- dividing it ------------------------------------------------------------------------------------------------


def test_money_is_shown_before_it_is_booked_and_booked_once(operator, home, app):
    operator.fill(f"{INCOME}/table", pasted=PAYMENTS)
    before = home.journal.head()
    address = operator.fill(f"{INCOME}/divide", **DIVIDE).headers["location"]
    waiting = operator.look(address)
    assert waiting.headers["refresh"] == "4" and "waiting" in waiting.text and "Read 1 November 2026" in waiting.text
    assert "refresh" not in operator.look(f"{address}?still=yes").headers
    assert operator.look("/operate").headers["refresh"] == "4"
    assert work(home) == 1
    shown = operator.look(address)
    assert "refresh" not in shown.headers and "refresh" not in operator.look("/operate").headers
    assert "150.00 EUR received" in shown.text and "Ben Okoro" in shown.text
    assert home.journal.head() == before
    booked = operator.fill(f"{address}/book").headers["location"]
    assert booked != address and home.journal.head() == before and work(home) == 1
    assert home.journal.head().size == before.size + 2 and home.journal.check() == []
    assert "signed statements" in operator.look(booked).text and "0 payments wait" in operator.look("/operate").text
    assert "in the journal already" in operator.look(address).text
    operator.fill(f"{address}/book")
    assert work(home) == 1 and home.journal.head().size == before.size + 2
    assert did(app)[1:] == ["asked to book what was shown", "booked", "asked to book what was shown",
                            "had booked before"]  # fmt: skip
    assert did(app)[0] == "entered 2 payments from a table"


def test_nothing_is_booked_that_was_not_shown(operator, home):
    operator.fill(INCOME, **FIELDS)
    address = tried(operator, home)
    kept, before = home.path / "trainings" / "main" / "attribution.json", home.journal.head()
    told = json.loads(kept.read_text())
    told["period"]["lines"][0]["ppb"] += 1_000_000
    told["period"]["unattributed_ppb"] -= 1_000_000
    kept.write_text(json.dumps(told))
    booked = operator.fill(f"{address}/book").headers["location"]
    assert work(home) == 1 and home.journal.head() == before
    page = operator.look(booked).text
    assert "shown-otherwise" in page and "have changed since" in page
    assert operator.fill(f"{booked}/book").status_code == 409


def test_what_failed_is_named_and_can_be_tried_again(operator, home, app):
    operator.fill(INCOME, **FIELDS)
    kept = home.path / "trainings" / "main" / "attribution.json"
    content = kept.read_bytes()
    kept.unlink()
    address = tried(operator, home)
    page = operator.look(address).text
    assert "not-made-yet" in page and "Try again" in page and str(home.path) not in page
    assert "failed" in operator.look("/operate").text
    kept.write_bytes(content)
    assert operator.fill(f"{address}/again").status_code == 303 and work(home) == 1
    assert "100.00 EUR received" in operator.look(address).text
    assert operator.fill(f"{address}/again").status_code == 409
    assert did(app)[-1] == "had a job tried again"


@pytest.mark.parametrize("wrong", [{"training": "../main"}, {"training": ""}, {"until": "x"}, {"until": "2020-01-01"},
                                   {"currency": "USD"}])  # fmt: skip
def test_what_cannot_be_divided_is_said_at_once(operator, home, wrong):
    operator.fill(INCOME, **FIELDS)
    assert operator.fill(f"{INCOME}/divide", **(DIVIDE | wrong)).status_code == 422
    assert Queue(home.journal.engine).waiting() == 0


KILLED = """
import os, sys
import byline.app.money as money
money.write_statements = lambda *_: os.kill(os.getpid(), 9)  # after booking, before anything was written of it
sys.argv = ["byline", "worker", "--once", "--home", sys.argv[1]]
from byline.app.cli import main
main()
"""


def test_a_worker_that_is_killed_between_booking_and_telling_is_gone_on_with(operator, home, app):
    import sqlalchemy as sa

    from byline.app.api.tables import JOBS
    from byline.disclosure import entry_hash

    operator.fill(INCOME, **FIELDS)
    address, before = tried(operator, home), home.journal.head()
    booked = operator.fill(f"{address}/book").headers["location"]
    ended = subprocess.run([sys.executable, "-c", KILLED, home.path], check=False)
    assert ended.returncode == -signal.SIGKILL
    size = home.journal.head().size
    assert size > before.size and "at work" in operator.look(booked).text and not list(home.path.glob("statements/*"))
    assert work(home) == 0  # it is still held
    with home.journal.engine.begin() as connection:
        connection.execute(sa.update(JOBS).values(leased_until=0.0))
    assert work(home) == 1 and home.journal.head().size == size
    page = operator.look(booked).text
    assert "2 signed statements" in page and len(list(home.path.glob("statements/*/*.json"))) == 2
    assert entry_hash("journal", home.journal.head().digest()) in home.log.leaves()
    assert Queue(home.journal.engine).last([SETTLEMENT], 1)[0].deaths == 1


# --- other tasks ------------------------------------------------------------------------------------------------


def test_the_index_is_brought_up_to_date_as_a_task(operator, home):
    address = operator.fill("/operate/tasks/index", what="texts").headers["location"]
    assert work(home) == 1
    assert "The index is up to date" in operator.look(address).text
    assert (home.path / "lookup" / "works").is_dir()
    assert operator.fill("/operate/tasks/index", what="dreams").status_code == 422


def test_an_index_of_pictures_is_a_task_too(operator, home):
    address = operator.fill("/operate/tasks/index", what="pictures", again="yes").headers["location"]
    assert work(home) == 1
    page = operator.look(address).text
    assert "The index is up to date" in page and "image: works" in page


def test_a_late_split_is_corrected_after_it_was_shown(operator, home, app, tmp_path):
    nothing = operator.fill("/operate/tasks/correction").headers["location"]
    assert work(home) == 1
    before = home.journal.head()
    page = operator.look(nothing).text
    if "Nothing would change" not in page:
        assert f"{nothing}/book" in page
        booked = operator.fill(f"{nothing}/book").headers["location"]
        assert home.journal.head() == before and work(home) == 1
        assert home.journal.head() != before and "corrected" in operator.look(booked).text
        assert did(app)[-1] == "corrected what was divided"
    last = operator.fill("/operate/tasks/correction").headers["location"]
    assert work(home) == 1 and "Nothing would change" in operator.look(last).text


def test_a_period_is_asked_of_a_worker_and_fails_with_its_reason_where_nothing_was_trained(operator, home):
    address = operator.fill("/operate/tasks/period", training="main", texts="One.\n---\nTwo.").headers["location"]
    job = Queue(home.journal.engine).one(address.rpartition("/")[2])
    assert [each["text"] for each in job.body["texts"]] == ["One.", "Two."]
    assert work(home) == 1 and "failed" in operator.look(address).text
    assert operator.fill("/operate/tasks/period", training="main", texts="\n---\n").status_code == 422
    assert operator.fill("/operate/tasks/period", training="none", texts="One.").status_code == 422
    file = {"file": ("x.txt", b"\xff\xfe\xfa")}
    assert operator.fill("/operate/tasks/period", training="main", files=file).status_code == 422


def test_what_programs_asked_is_listed_and_not_opened(operator, home):
    name = Queue(home.journal.engine).ask("token:1", "attribution", {"texts": [{"text": "secret words"}]})
    page = operator.look("/operate/tasks").text
    assert "A question of a program" in page and name not in page and "secret words" not in page
    assert operator.look(f"/operate/tasks/{name}").status_code == 404
    assert operator.look("/operate/tasks/job:none").status_code == 404


# --- payouts ----------------------------------------------------------------------------------------------------

OPEN, CLOSED = "NL30MOCK0000000005", "NL84MOCK0000000003"
PAYEES = f"contributor,iban\nAda Moore,{OPEN}\nBen Okoro,{CLOSED}\n"
ORDER = {"payees": PAYEES, "form": "pain.001", "currency": "EUR", "threshold": "10.00", "on": "2026-11-02",
         "from_name": "Example Operator", "from_iban": "NL41MOCK0000000001", "from_bic": "MOCKNL2AXXX"}  # fmt: skip
PAYOUTS = "/operate/payouts"


@pytest.fixture
def sent(operator):
    """The address of a payout."""
    shown = operator.fill(f"{PAYOUTS}/try", **ORDER).text
    return operator.fill(f"{PAYOUTS}/send", **hidden(shown, f"{PAYOUTS}/send")).headers["location"]


def test_a_payout_is_shown_then_sent_once_and_its_accounts_are_kept_in_the_file_alone(operator, home, app):
    before = home.journal.head()
    shown = operator.fill(f"{PAYOUTS}/try", **ORDER).text
    assert "Ada Moore" in shown and "to 2 payees" in shown and home.journal.head() == before
    asked = hidden(shown, f"{PAYOUTS}/send")
    address = operator.fill(f"{PAYOUTS}/send", **asked).headers["location"]
    assert home.journal.head() != before and home.journal.check() == []
    page = operator.look(address).text
    assert page.count("on its way") == 2 and did(app)[-1] == "sent a payout"
    file = operator.look(f"{address}/file")
    assert file.headers["content-type"].startswith("application/xml") and OPEN.encode() in file.content
    assert did(app)[-1] == "downloaded a payout file"
    again = operator.fill(f"{PAYOUTS}/send", **asked)
    assert again.status_code == 409 and "has changed since" in again.text
    kept = [path for path in home.path.rglob("*") if path.is_file() and OPEN.encode() in path.read_bytes()]
    assert [path.parent.name for path in kept] == ["payouts"]


def test_who_is_below_the_threshold_is_carried_forward_unless_they_ask(operator):
    low = ORDER | {"threshold": "100000"}
    page = operator.fill(f"{PAYOUTS}/try", **low).text
    assert "Nobody would be paid" in page and page.count("below the threshold") == 2
    one = operator.fill(f"{PAYOUTS}/try", **low, anyway="Ada Moore").text
    assert "to 1 payee" in one and one.count("below the threshold") == 1
    assert operator.fill(f"{PAYOUTS}/try", **low, anyway="Nobody Atall").status_code == 422


def test_tax_is_kept_back_on_a_ground(operator):
    tax = "contributor,rate,country,ground,until\nAda Moore,15%,DE,§ 50a EStG,2026-12-31\n"
    assert "15 % tax to DE: § 50a EStG" in operator.fill(f"{PAYOUTS}/try", **ORDER, withhold=tax).text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"payees": "contributor,iban\nAda Moore,NL00MOCK0000000000\nBen Okoro,XX\n"}, "line 3"),
     ({"payees": ""}, "table of payees"), ({"from_iban": "NL00"}, "cannot pay"), ({"from_name": ""}, "holder"),
     ({"threshold": "-1"}, "no threshold"), ({"currency": "XXX"}, "nothing is owed"), ({"on": "soon"}, "is no day"),
     ({"form": "gold"}, "no form of file"), ({"form": "csv", "from_name": "", "from_iban": ""}, "has no token"),
     ({"withhold": "contributor,rate\n"}, "line 1")],
)  # fmt: skip
def test_faults_of_a_payout_are_told_and_nothing_is_sent(operator, home, wrong, says):
    before = home.journal.head()
    for path in ("try", "send"):
        answer = operator.fill(f"{PAYOUTS}/{path}", **(ORDER | wrong))
        assert answer.status_code == 422 and says.lower() in answer.text.lower(), (path, answer.status_code)
    assert home.journal.head() == before and not (home.path / "payouts").exists()


def test_what_the_bank_rejects_is_owed_again(operator, home, sent, app):
    from datetime import date

    from byline.app.demo_bank import answers_of_a_bank

    content = operator.look(f"{sent}/file").content
    owed = home.journal.balances("EUR")[f"payable:{BEN}"]
    before = home.journal.head()
    booked = 0
    for path in answers_of_a_bank(content, date(2026, 11, 2), home.path / "bank"):
        shown = operator.fill(f"{PAYOUTS}/answer", files={"answer": (path.name, path.read_bytes())}).text
        if asked := hidden(shown, f"{PAYOUTS}/answer/book"):
            assert operator.fill(f"{PAYOUTS}/answer/book", **asked).headers["location"] == PAYOUTS
            booked += 1
            assert operator.fill(f"{PAYOUTS}/answer/book", **asked).status_code == 409
        shown = operator.fill(f"{PAYOUTS}/answer", files={"answer": (path.name, path.read_bytes())}).text
        assert "Nothing new" in shown
    page = operator.look(sent).text
    assert booked and re.search("rejected; owed again|sent back; owed again", page) and "paid," in page
    assert home.journal.balances("EUR")[f"payable:{BEN}"] < owed and home.journal.head() != before
    assert did(app)[-1].startswith("booked ") and home.journal.check() == []


@pytest.mark.parametrize("content", [b"", b"<html/>", b"<!DOCTYPE x []><Document/>", b"a,b\n1,2\n", b"\xff\xfe"])
def test_what_is_no_answer_of_a_bank_books_nothing(operator, home, content):
    before = home.journal.head()
    answer = operator.fill(f"{PAYOUTS}/answer", files={"answer": ("x.xml", content)})
    assert answer.status_code in (200, 422) and "answer/book" not in answer.text
    assert operator.fill(f"{PAYOUTS}/answer/book", content="é", seal="x").status_code == 409
    assert home.journal.head() == before and "byline-answer-" not in answer.text


def test_a_payout_is_one_that_the_book_knows(operator, home):
    (home.path / "payouts").mkdir()
    (home.path / "payouts" / "batch:1.xml").write_text("<secret/>")
    assert operator.look(f"{PAYOUTS}/batch:1").status_code == 404
    assert operator.look(f"{PAYOUTS}/batch:1/file").status_code == 404


# --- people -----------------------------------------------------------------------------------------------------


def test_an_operator_says_who_may_enter(operator, app, home):
    operator.look("/operate/people")
    answer = operator.fill("/operate/people", email="New@example.org", roles=["auditor", "emperor"], payee="Ben Okoro")
    assert answer.status_code == 303
    page = operator.look("/operate/people").text
    assert "new@example.org" in page and "auditor, contributor; reads the statements of Ben Okoro" in page
    person = next(each for each in app.state.portal.accounts.people() if each.email == "new@example.org")
    assert person.party == BEN and person.roles == {Role.AUDITOR, Role.CONTRIBUTOR}
    assert len(list((home.path / "outbox").glob("*.eml"))) == 1
    assert operator.fill("/operate/people", email="a@example.org", payee="Nobody Atall").status_code == 422
