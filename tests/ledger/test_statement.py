import re
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import Party, canonical_json
from byline.ledger import Basis, amount_text, payable, remainder_nano, settle, statement, statement_faults

sys.path.insert(0, str(Path(__file__).parent))
from drawn import worlds
from worlds import world

TITLES = {"work:0.0": "First Address", "work:1.0": "Second Address"}


def party(name="a"):
    return Party(f"party:{name}", f"Contributor {name.upper()}")


def value(expression):
    """Exact value of a formula as printed: numbers, + − × / and brackets."""
    python = re.sub(r"[0-9.]+", lambda m: f"Fraction('{m[0]}')", expression)
    python = python.replace("×", "*").replace("−", "-")
    assert re.fullmatch(r"(Fraction\('[0-9.]+'\)|[-+*/() ])+", python)
    return eval(python)


@pytest.mark.parametrize(
    ("nano", "currency", "text", "rest"),
    [
        (1_234_567_890_123, "EUR", "1234.56 EUR", 7_890_123),
        (9_999_999, "EUR", "0.00 EUR", 9_999_999),
        (10_000_000, "USD", "0.01 USD", 0),
        (1_234_567_890_123, "JPY", "1234 JPY", 567_890_123),
        (1_234_567_890_123, "KWD", "1234.567 KWD", 890_123),
        (-1_239_000_000, "EUR", "-1.23 EUR", -9_000_000),
        (-9_999_999, "EUR", "0.00 EUR", -9_999_999),
    ],
)
def test_amounts_are_rounded_down_and_the_remainder_is_shown(nano, currency, text, rest):
    assert amount_text(nano, currency) == text
    assert remainder_nano(nano, currency) == rest


@settings(max_examples=60)
@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_I6_text_and_remainder_are_the_amount(nano, currency):
    shown = Fraction(amount_text(nano, currency).split()[0])
    assert shown * 10**9 + remainder_nano(nano, currency) == nano


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from("abcdef"))
def test_I27_every_nano_of_a_statement_resolves_to_lines_events_and_evidence(told, name):
    settlement = settle(**told)
    body = statement(party(name), settlement, TITLES)
    mine = [line for line in settlement.lines if line.account == payable(f"party:{name}")]
    assert int(body["total"]["nano"]) == sum(line.nano for line in mine)
    assert [(x["event"], x["work"], x["basis"], x["amount_nano"]) for x in body["lines"]] == [
        (line.event, line.work, line.basis, line.amount_nano) for line in mine
    ]
    assert {line["event"] for line in body["lines"]} <= {revenue.id for revenue in settlement.events}
    assert body["terms"]["attribution_sha256"] == settlement.shares.digest()
    assert body["settlement"] == settlement.id
    assert statement_faults(body) == []
    assert canonical_json(body)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_the_printed_formula_can_be_redone_by_hand(told):
    settlement = settle(**told)
    names = {line.account.removeprefix("payable:party:") for line in settlement.lines if "payable" in line.account}
    for name in names:
        for line in statement(party(name), settlement, TITLES)["lines"]:
            if "-" in line["amount_nano"]:
                continue
            to_cluster, to_payee = line["formula"].split("; ")
            for step, slack in ((to_cluster, 1), (to_payee, 2)):
                left, _, right = step.partition(" = ")
                assert abs(value(left) - int(right)) < slack
            assert line["formula"].endswith(f" = {line['amount_nano']}")


def test_a_statement_reads_as_a_sentence_and_shows_its_terms():
    told = world()
    body = statement(party("a"), settle(**told), TITLES)
    assert body["summary"] == (
        "Contributor A is due 630.74 EUR of the 1333.33 EUR received in 2 payments, for 2 works: "
        "275.28 EUR by measured influence, the rest by the agreed rule. "
        "The measurement has reliability 0.6 (0 = none, 1 = perfect)."
    )
    by_measure = [line for line in body["lines"] if line["basis"] == Basis.ATTRIBUTION]
    assert by_measure[0]["title"] == "First Address"
    assert by_measure[0]["interval_ppb"] == [200_000_000, 800_000_000]
    assert {line["interval_ppb"] for line in body["lines"] if line["basis"] == Basis.PRIOR} == {None}
    assert body["terms"]["policy_sha256"] == told["terms"].policy.digest()
    assert body["terms"]["reliability_evidence_sha256"] == told["terms"].reliability.evidence
    assert [(item["work"], item["title"]) for item in body["waiting"]] == [("work:1.0", "Second Address")]


def test_a_party_without_works_is_told_so():
    body = statement(party("z"), settle(**world()), TITLES)
    assert body["total"] == {"nano": "0", "text": "0.00 EUR", "remainder_nano": "0"}
    assert body["summary"].startswith("Contributor Z is due nothing of the 1333.33 EUR")
    assert body["lines"] == body["waiting"] == []


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        (("total", "nano", "1"), "the total says 1"),
        (("total", "text", "9.99 EUR"), "the total says 9.99 EUR"),
        (("conservation", "held_nano", "0"), "accounted for"),
    ],
)
def test_sums_that_do_not_come_out_are_named(where, fault):
    body = statement(party("a"), settle(**world()), TITLES)
    group, field, wrong = where
    body[group] = {**body[group], field: wrong}
    assert len(statement_faults(body)) == 1
    assert fault in statement_faults(body)[0]
