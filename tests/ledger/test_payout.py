"""Who is paid how much: thresholds, what is carried forward, ids; the file of it against the official schema."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import strategies as st

from byline.core import LedgerError
from byline.ledger import (
    Batch,
    Debtor,
    Payee,
    PayoutRule,
    Reason,
    Standing,
    Withholding,
    minor_text,
    nano_per_minor,
    pain001,
    plan_payout,
    provider_csv,
    read_provider_csv,
)
from byline.ledger.payout import CLEARING

sys.path.insert(0, str(Path(__file__).parent))
from invariants import invariant
from payees import CENT, CLOSED, DAY, DEBTOR, ELSEWHERE, NOW, OTHER, RULE, payee

NS = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"


def planned(owed, payees, rule=RULE, number=1, **more):
    balances = {f"payable:party:{name}": -nano for name, nano in owed.items()}
    return plan_payout(balances, payees, rule, number=number, execution=DAY, recorded=NOW, **more)


def test_thresholds_carry_forward_and_a_payee_may_ask_to_be_paid_anyway():
    owed = {"ann": 1000 * CENT, "bob": 999 * CENT, "cy": 999 * CENT + 1, "dot": CENT - 1, "eve": -5 * CENT}
    people = [payee(name) for name in owed]
    batch = planned(owed, people)
    assert [(one.party, one.minor) for one in batch.instructions] == [("party:ann", 1000)]
    assert {(c.party, c.reason, int(c.amount_nano)) for c in batch.carried} == {
        ("party:bob", Reason.THRESHOLD, 999 * CENT),
        ("party:cy", Reason.THRESHOLD, 999 * CENT + 1),
        ("party:dot", Reason.FRACTION, CENT - 1),
    }
    asked = planned(owed, people, replace(RULE, anyway=("party:cy", "party:dot")))
    assert {one.party: one.minor for one in asked.instructions} == {"party:ann": 1000, "party:cy": 999}


def test_nobody_is_paid_who_is_blocked_unverified_or_without_an_account():
    people = [
        payee("ann", standing=Standing.BLOCKED),
        payee("bob", standing=Standing.UNVERIFIED),
        payee("cy", iban=""),
        payee("eve", iban="", token="acct_1"),
    ]
    batch = planned(dict.fromkeys(["ann", "bob", "cy", "dot", "eve"], 10**12), people)
    assert {c.party: c.reason for c in batch.carried} == {
        "party:ann": Reason.BLOCKED,
        "party:bob": Reason.UNVERIFIED,
        "party:cy": Reason.NO_ACCOUNT,
        "party:dot": Reason.NO_ACCOUNT,
    }
    assert [one.party for one in batch.instructions] == ["party:eve"]


@invariant(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(-(10**13), 10**13), min_size=1),
    st.integers(0, 5000),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("def")),
    quick=60,
)
def test_i06_i07_paid_and_remaining_add_up_and_no_account_gives_more_than_is_in_it(owed, threshold, currency, merged):
    aliases = {f"party:{a}": f"party:{b}" for a, b in merged.items()}
    rule = PayoutRule(currency, threshold)
    batch = planned(owed, [payee(name) for name in "abcdef"], rule, merged=aliases)
    unit, paid = nano_per_minor(currency), {}
    for one in batch.instructions:
        legs = {account: int(nano) for account, nano in one.legs}
        assert sum(legs.values()) == 0 and legs.pop(CLEARING) == -one.minor * unit
        assert one.minor >= max(threshold, 1)
        for account, nano in legs.items():
            name = account.removeprefix("payable:party:")
            assert aliases.get(f"party:{name}", f"party:{name}") == one.party
            paid[name] = nano
    for party in {aliases.get(f"party:{name}", f"party:{name}") for name in owed}:
        mine = [name for name in owed if aliases.get(f"party:{name}", f"party:{name}") == party]
        due = sum(owed[name] for name in mine)
        left = due - sum(paid.get(name, 0) for name in {*mine, party.removeprefix("party:")})
        sent = any(one.party == party for one in batch.instructions)
        assert 0 <= left < unit if sent else left == due
        if sent:
            assert all(owed[name] - paid.get(name, 0) == 0 for name in mine if f"party:{name}" != party)
        elif due > 0:
            assert next(int(c.amount_nano) for c in batch.carried if c.party == party) == due


def test_ids_come_of_what_is_paid_and_never_repeat():
    owed, people = {"ann": 10**12, "bob": 10**12}, [payee("ann"), payee("bob")]
    batch = planned(owed, people)
    assert batch == planned(dict(reversed(owed.items())), people[::-1])
    assert batch.id == planned(owed, [payee("ann", OTHER), payee("bob")]).id  # where to is no part of the id
    others = [
        planned(owed, people, number=2),
        planned({**owed, "bob": 2 * 10**12}, people),
        planned(owed, people, PayoutRule("USD", 1000)),
    ]
    ids = [one.end_to_end for made in [batch, *others] for one in made.instructions] + [m.id for m in [batch, *others]]
    assert len(set(ids)) == len(ids) == 12 and {len(name) for name in ids} == {35}
    assert Batch.from_json(batch.to_json()) == batch


def schema():
    sepaxml, xmlschema = pytest.importorskip("sepaxml"), pytest.importorskip("xmlschema")
    return xmlschema.XMLSchema(str(Path(sepaxml.__file__).parent / "schemas" / "pain.001.001.09.xsd"))


def test_the_file_is_valid_by_the_schema_of_iso_20022():
    official = schema()
    people = [payee("ann", bic="DEUTDEFF"), payee("bob", OTHER), payee("a" * 90)]
    for currency, debtor in (("EUR", DEBTOR), ("JPY", Debtor("日本 " * 40, OTHER, basic_latin=False)), ("KWD", DEBTOR)):
        batch = planned({"ann": 12_345_678_901_234, "bob": 10**13, "a" * 90: 10**15}, people, PayoutRule(currency, 1))
        file = pain001(batch, people, debtor, note="Royalties “Q3” & more")
        official.validate(file.decode())
        assert file == pain001(batch, people[::-1], debtor, note="Royalties “Q3” & more")
        root = ET.fromstring(file)
        amounts = [element.text for element in root.iter(f"{NS}InstdAmt")]
        assert amounts == [minor_text(one.minor, currency) for one in batch.instructions]
        assert {sum_.text for sum_ in root.iter(f"{NS}CtrlSum")} == {minor_text(batch.total_minor, currency)}
        assert {code.text for code in root.iter(f"{NS}Purp/{NS}Cd")} <= {"ROYA"}
        assert [e.text for e in root.iter(f"{NS}EndToEndId")] == [one.end_to_end for one in batch.instructions]
    with pytest.raises(Exception, match=r"(?i)MsgId|pattern|value"):
        official.validate(file.decode().replace(batch.id, "x" * 36))


def test_names_are_written_in_letters_that_every_bank_takes():
    people = [Payee("party:x", "Łukasz Ångström-Œuvré & Søn; 山", ELSEWHERE)]
    file = pain001(planned({"x": 10**12}, people), people, DEBTOR).decode()
    assert "<Nm>Lukasz Angstrom-OEuvre + Son. .</Nm>" in file
    assert "<Nm>Byline Operator + Sohne</Nm>" in file


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"iban": "NL84MOCK0000000004"}, "bad-payee"),
        ({"bic": "X"}, "bad-payee"),
        ({"name": "a\x01b"}, "bad-payee"),
        ({"token": "=cmd()"}, "bad-payee"),
        ({"iban": ""}, "no-iban"),
    ],
)
def test_what_cannot_stand_in_a_file_is_refused(fields, code):
    with pytest.raises(LedgerError) as caught:
        people = [Payee(**{"party": "party:ann", "name": "Ann", "iban": CLOSED, "token": "t", **fields})]
        pain001(planned({"ann": 10**12}, people), people, DEBTOR)
    assert caught.value.code == code
    for wrong in (lambda: Debtor("D", "NL00"), lambda: Debtor("D", CLOSED, "?"), lambda: PayoutRule("EUR", -1)):
        with pytest.raises(LedgerError):
            wrong()
    with pytest.raises(LedgerError, match="no party"):
        pain001(planned({"ann": 0}, []), [], DEBTOR)
    with pytest.raises(LedgerError, match="twice"):
        planned({"ann": 1}, [payee("ann"), payee("ann")])


def test_a_provider_gets_tokens_and_minor_units_and_no_names():
    people = [payee("ann", token="acct_1"), payee("bob", iban="", token="acct_2")]
    batch = planned({"ann": 10**12, "bob": 2 * 10**12}, people)
    text = provider_csv(batch, people).decode()
    assert text.splitlines()[1] == f"{batch.instructions[0].end_to_end},acct_1,100000,EUR,ROYA,{batch.id}"
    assert "Ann" not in text and ELSEWHERE not in text
    with pytest.raises(LedgerError, match="token"):
        provider_csv(batch, people[:1])
    header = "idempotency_key,status,amount_minor,currency,reason"
    answer = f"{header}\n{batch.instructions[0].end_to_end},paid,100000,EUR,\nx,?,,,\n"
    reports, problems = read_provider_csv(answer.encode(), "answers.csv")
    assert [(r.answer.value, r.amount_minor) for r in reports] == [("settled", "100000")]
    assert [problem.at.line for problem in problems] == [3]


def test_a_batch_of_another_day_has_other_ids():
    people = [payee("ann")]
    later = plan_payout(
        {"payable:party:ann": -(10**12)}, people, RULE, number=1, execution=DAY + timedelta(1), recorded=NOW
    )
    assert later.id != planned({"ann": 10**12}, people).id


def tax(name, ppm=150_000, until=DAY, **more):
    return Withholding(
        f"party:{name}", ppm, **{"country": "DE", "ground": "treaty, article 12", "until": until, **more}
    )


def test_tax_is_withheld_before_paying_rounded_down_and_only_while_it_holds():
    owed = {"ann": 1_007 * CENT + 5, "bob": 1_000 * CENT}
    people = [payee(name) for name in owed]
    batch = planned(owed, people, taxed=[tax("ann"), tax("bob", until=DAY - timedelta(1))])
    ann, bob = batch.instructions
    assert (ann.minor, ann.tax_minor) == (1_007 - 151, "151") and (bob.minor, bob.tax_minor) == (1_000, "0")
    assert ann.ground == "15 % tax to DE: treaty, article 12" and bob.ground == ""
    legs = {account: int(nano) for account, nano in ann.legs}
    taken = {"payable:party:ann": 1_007 * CENT, "held:withholding:DE": -151 * CENT, CLEARING: -856 * CENT}
    assert legs == taken
    assert "tax_minor" not in bob.to_json()  # as before there was tax: what was stored reads and hashes as it did
    assert Batch.from_json(batch.to_json()) == batch
    with pytest.raises(LedgerError):
        planned(owed, people, taxed=[tax("ann"), tax("ann")])
    for wrong in ({"ppm": 0}, {"ppm": 10**6}, {"country": "Germany"}, {"ground": " "}):
        with pytest.raises(LedgerError) as caught:
            tax("ann", **wrong)
        assert caught.value.code == "bad-rate"
