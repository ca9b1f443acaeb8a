"""A payee's account by period: lines lead from balance to balance, corrections cite, nothing signed is told twice."""

import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st

from byline.core import Party, canonical_json
from byline.ledger import (
    Asked,
    Bridges,
    Issued,
    PayeeAccounts,
    hold,
    open_journal,
    payable,
    period_statement,
    read_period,
    settle,
    statement_faults,
)
from byline.ledger.period_statement import by_count
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from busy import LATER, NOW, corrected, fill, of_outputs, output_block
from drawn import worlds
from invariants import invariant
from worlds import DAY, event, world

MONTHS = ("2026-09", "2026-10")
TITLES = {"work:0.0": "First Address", "work:1.0": "Second <Address>"}


@pytest.fixture
def journal(database):
    return open_journal(database)


def told(journal, name, period, **over):
    asked = Asked(Party(f"party:{name}", f"Payee {name}"), read_period(period), "EUR", DAY, TITLES, **over)
    return period_statement(PayeeAccounts(journal), asked, Bridges())


def issued(body):
    return Issued(read_period(body["period"]["name"]), body["drawn"]["entries"], body["closing"]["nano"], "ab" * 32)


def of_kind(body, kind):
    return [line for line in body["lines"] if line["kind"] == kind]


def nano(lines):
    return sum(int(line["amount_nano"]) for line in lines)


def test_everything_that_can_happen_to_an_account_stands_in_lines_that_add_up(journal):
    fill(journal)
    for name in "abc":
        balance = 0
        for month in MONTHS:
            body = told(journal, name, month)
            assert statement_faults(body) == []
            assert canonical_json(body)
            assert int(body["opening"]["nano"]) == balance
            balance = int(body["closing"]["nano"])
            assert balance == -journal.balances("EUR", read_period(month).end).get(payable(f"party:{name}"), 0)
            by_entry = {entry.seq: dict(entry.legs) for entry in journal.entries()}
            for seq in {line["entry"] for line in body["lines"]}:
                of_entry = [line for line in body["lines"] if line["entry"] == seq]
                assert nano(of_entry) == -int(by_entry[seq][payable(f"party:{name}")])
    kinds = {line["kind"] for name in "abc" for month in MONTHS for line in told(journal, name, month)["lines"]}
    assert kinds == {
        "earning", "adjustment", "hold", "release", "claim", "withholding", "fx", "contract", "advance-recouped",
    }  # fmt: skip


def test_a_correction_is_a_line_of_its_own_that_cites_the_old_statement(journal):
    first = settle(**world())
    journal.post(first, NOW)
    before = told(journal, "a", "2026-09")
    journal.adjust(corrected(first), first.id, LATER, "a later agreement", NOW)
    assert told(journal, "a", "2026-09")["lines"] == before["lines"]
    body = told(journal, "a", "2026-10", signed={first.id: "cd" * 32})
    lines = of_kind(body, "adjustment")
    assert body["lines"] == lines and len(lines) == 6  # two payments, three bases
    for line in lines:
        assert line["corrects"] == {"settlement": first.id, "run": first.id, "statement": "cd" * 32}
        assert (line["because"], line["before_split_ppm"], line["after_split_ppm"]) == (
            "a later agreement", 250_000, 500_000,
        )  # fmt: skip
        assert int(line["after_nano"]) - int(line["before_nano"]) == int(line["amount_nano"]) > 0
    assert body["earned"]["nano"] == str(nano(lines))
    assert body["change"]["parts"][-1] | {"says": ""} == {
        "name": "corrections", "amount_nano": str(nano(lines)), "with_next": False, "says": "",
    }  # fmt: skip
    assert body["summary"].startswith("You earned EUR 0.00 in October 2026: no payment reached you. Corrections of ")
    assert "Corrections of earlier statements added EUR 108.29." in body["summary"]
    assert "With the corrections, that is EUR" in body["summary"]


def test_taking_a_correction_back_cites_the_correction(journal):
    first = settle(**world())
    journal.post(first, NOW)
    journal.adjust(corrected(first), first.id, LATER, "there", NOW)
    journal.adjust(first, first.id, LATER, "and back", NOW)
    lines = of_kind(told(journal, "a", "2026-10"), "adjustment")
    assert nano(lines) == 0 and len(lines) == 12
    assert {line["corrects"]["run"].partition(":")[0] for line in lines if line["because"] == "and back"} == {
        "adjustment"
    }


def test_what_comes_to_light_after_signing_stands_in_the_next_statement_marked_late(journal):
    first = settle(**world())
    journal.post(first, NOW)
    signed = told(journal, "a", "2026-09")
    journal.post(settle(**{**world(), "events": (event(10**11, "event:late", DAY + timedelta(5)),)}), NOW)
    journal.book(hold("case-9", "party:a", 7, "EUR", DAY + timedelta(45), "authorship"), NOW)
    body = told(journal, "a", "2026-10", issued=issued(signed))
    assert [line["late"] for line in body["lines"]] == [True] * 6 + [False]
    assert body["opening"] == {**body["opening"], "nano": signed["closing"]["nano"], "statement": "ab" * 32}
    assert body["closing"]["nano"] == str(-journal.balances("EUR")[payable("party:a")])
    assert statement_faults(body) == []
    assert body["change"]["before_nano"] == signed["earned"]["nano"]
    without = told(journal, "a", "2026-10")
    assert [line["kind"] for line in without["lines"]] == ["hold"]
    assert without["closing"] == body["closing"]


def test_days_between_two_statements_are_told_by_the_later_one(journal):
    journal.post(settle(**world()), NOW)
    signed = told(journal, "a", "2026-08")
    assert signed["lines"] == [] and signed["summary"].startswith("You earned EUR 0.00 in August 2026: no payment")
    body = told(journal, "a", "2026-11", issued=issued(signed))
    assert len(of_kind(body, "earning")) == 12 and all(line["late"] for line in body["lines"])


def test_what_waits_is_told_with_its_reason(journal):
    first = settle(**world())
    journal.post(first, NOW)
    journal.book(hold("case-9", "party:a", 7, "EUR", DAY, "authorship"), NOW)
    waiting = {item["why"]: item for item in told(journal, "a", "2026-09")["waiting"]}
    assert waiting["contested in case case-9"]["amount_nano"] == "7"
    share = waiting["no agreed split names it"]
    assert (share["work"], share["title"]) == ("work:1.0", "Second <Address>")
    assert int(share["amount_nano"]) == -journal.balances("EUR")["held:unclaimed:work:1.0"]
    fill_b = told(journal, "b", "2026-09")["waiting"]
    assert "case-9" not in str(fill_b)


def test_nothing_of_another_payee_stands_in_a_statement(journal):
    fill(journal)
    for month in MONTHS:
        text = canonical_json(told(journal, "a", month)).decode()
        assert "party:b" not in text and "party:c" not in text


def test_a_payment_for_outputs_says_how_many_and_the_change_splits_count_from_price(journal):
    journal.post(of_outputs(), NOW)
    more = of_outputs("event:more", output_block(80, 2))
    later = replace(more.events[0], received=DAY + timedelta(40))
    journal.post(settle(**{**world(), "terms": more.terms, "events": (later,)}, outputs=more.outputs), NOW)
    body = told(journal, "a", "2026-10")
    assert body["payments"][0]["outputs"] == 80 and "have a share in 80 paid outputs" in body["summary"]
    assert [part["name"] for part in body["change"]["parts"]][:2] == ["count", "price"]
    was = int(body["change"]["before_nano"])
    assert body["change"]["parts"][0]["amount_nano"] == str(was * 80 // 50 - was)
    assert statement_faults(body) == []


def test_counts_that_are_not_known_split_nothing():
    parts = [{"name": "money", "amount_nano": "5", "with_next": False}]
    assert by_count(parts, 10, None, 4) is parts and by_count(parts, 10, 0, 4) is parts
    assert [part["amount_nano"] for part in by_count(parts, 10, 2, 3)] == ["5", "0"]


@invariant(worlds(), st.sampled_from("abcdef"), st.lists(st.integers(1, 10**6), max_size=3))
def test_lines_lead_from_balance_to_balance_whatever_happened(drawn, name, held):
    engine = open_database("sqlite://")
    journal = open_journal(engine)
    settlement = settle(**drawn)
    journal.post(settlement, NOW)
    due = -journal.balances("EUR").get(payable(f"party:{name}"), 0)
    for number, amount in enumerate(held):
        if amount <= due:
            journal.book(hold(f"case-{number}", f"party:{name}", amount, "EUR", LATER, "x"), NOW)
            due -= amount
    for month in MONTHS:
        body = told(journal, name, month)
        assert statement_faults(body) == []
    assert int(body["closing"]["nano"]) == -journal.balances("EUR").get(payable(f"party:{name}"), 0)
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda b: b["closing"].update(nano="1"), "/closing/nano says 1"),
        (lambda b: b["earned"].update(text="9.99 EUR"), "/earned/text says 9.99 EUR"),
        (lambda b: b["sums"].update(earning_nano="1"), "/sums/earning_nano says 1"),
        (lambda b: b["payments"][0].update(commission_nano="1"), "is accounted for"),
        (lambda b: b["payments"][0].update(you_nano="1"), "/payments/0/you_nano says 1"),
        (lambda b: b["payments"].pop(), "/payments lacks"),
        (lambda b: b["lines"][0].update(amount_nano="1"), "/lines/0/formula ends with another amount"),
        (lambda b: b["closing"].update(remainder_nano="1"), "/closing/remainder_nano says 1"),
    ],
)
def test_a_sum_that_does_not_come_out_is_named_with_what_it_should_be(journal, change, fault):
    journal.post(settle(**world()), NOW)
    body = told(journal, "a", "2026-09")
    change(body)
    assert any(fault in each for each in statement_faults(body))


def test_the_first_sentence(journal):
    journal.post(settle(**world()), NOW)
    body = told(journal, "a", "2026-09")
    assert body["summary"].startswith(
        "You earned EUR 630.74 in September 2026: 2 of your works have a share in 2 payments."
    )
    assert (
        "EUR 275.28 of it follows measured influence (reliability 0.6 of 1), the rest the agreed rule."
        in body["summary"]
    )
    seen = {"helped": 41, "outputs": 50, "works": []}
    body = told(journal, "a", "2026-09", evidence=seen, carried=((date(2026, 9, 30), "threshold", "5"),))
    assert "2 of your works helped write 41 of the 50 outputs looked at." in body["summary"]
    assert body["summary"].count("carried forward") == 1 and body["carried"][0]["because"] == "threshold"
