"""Numbers and addresses in text: true ones in every spelling are found, near misses are not, and no line takes long."""

import random
import string
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import GateError
from byline.gate.pii import KINDS, Auditor, facts_of, find_in_text, presidio
from byline.gate.pii.presidio import Presidio
from byline.gate.pii.text import OVERLAP, WINDOW

ON = date(2026, 11, 22)
# Published specimens, or values whose check digit stands in the standard's own example.
TRUE = {
    "email": ["ada.moore+post@example.org", "a@b-c.co.uk"],
    "phone": ["+44 20 7946 0958", "+1 (415) 555-2671"],
    "cn_mobile": ["13800138000", "+86 138 0013 8000", "138-0013-8000", "0086 13800138000", "１３８００１３８０００"],
    "cn_resident_id": ["11010519491231002X", "110105 19491231 002x", "440524188001010014"],
    "cn_uscc": ["91110000600037341L", "Y1110000600037341Y"],
    "jp_my_number": ["6214 9832 0257", "6214-9832-0257", "マイナンバー：621498320257"],
    "sg_nric": ["S1234567D", "s1234567d"],
    "us_ssn": ["536-90-4399"],
    "uk_nino": ["AB 12 34 56 C", "AB123456C"],
    "iban": ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19 BIC NWBKGB2L", "BE68539007547034"],
    "payment_card": ["4111 1111 1111 1111", "378282246310005", "6212345678901234569"],
    "ip_address": ["8.8.8.8"],
}
FALSE = [
    "110105194912310021", "110105194913310025", "991105194912310025", "621498320257", "6214 9832 0258", "1380013800",
    "138001380001", "0.13800138000", "DE88370400440532013000", "DE8937040044053201300", "4111 1111 1111 1112",
    "1411 1111 1111 1111", "S1234567A", "000-12-3456", "123-45-67890", "GB123456A", "AB123456E", "91110000600037341M",
    "192.168.1.1", "version 8.8.8.8", "1.2.3.4.5", "999.1.1.1", "someone at example.org", "@example.org", "a@b",
    "2026-11-22 08:15:00", "978-3-16-148410-0", "+0123456789", "1700000000", "3.14159265358979",
]  # fmt: skip


def kinds(text, *detectors):
    return [find.kind for find in find_in_text(text, ON, detectors)]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in TRUE.items() for value in values])
@pytest.mark.parametrize("frame", ["{}", "say {}, please", "（{}）", "请登记：{}。", "x\n{}\ny"])
def test_a_true_value_is_found_in_any_sentence(kind, value, frame):
    text = frame.format(value)
    finds = [find for find in find_in_text(text, ON) if find.kind == kind]
    assert len(finds) == 1, find_in_text(text, ON)
    assert frame.partition("{")[0] == text[: finds[0].start] or value not in text[: finds[0].start]


@pytest.mark.parametrize("value", FALSE)
@pytest.mark.parametrize("frame", ["{}", "say {}, please", "请登记：{}。"])
def test_a_near_miss_is_not_found(value, frame):
    assert kinds(frame.format(value)) == []


@given(st.integers(0, 10_000), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_resident_id_passes_with_one_of_eleven_check_digits(days, serial):
    body = f"510107{date(1945, 1, 1) + timedelta(days=days):%Y%m%d}{serial:03d}"
    passing = [last for last in "0123456789X" if kinds(body + last) and kinds(body + last)[0].endswith("id")]
    assert len(passing) == 1


def test_a_birth_date_of_less_than_eighteen_years_ago_is_told_apart():
    assert kinds("11010520150101001" + check("11010520150101001")) == ["id_of_a_minor"]
    number = "11010520081122001"
    assert kinds(number + check(number)) == ["cn_resident_id"]  # eighteen on the day itself
    number = "11010520081123001"
    assert kinds(number + check(number)) == ["id_of_a_minor"]
    assert facts_of(["id_of_a_minor"]) == {"personal_data": True, "minor": True}


def check(body):
    return "10X98765432"[sum(int(d) * pow(2, 17 - n, 11) for n, d in enumerate(body)) % 11]


def test_ibans_in_a_row_are_all_found_and_each_ends_where_its_country_says():
    row = "BE68539007547034 ES9121000418450200051332 DE89 3704 0044 0532 0130 00 and more"
    finds = [find for find in find_in_text(row, ON) if find.kind == "iban"]
    assert [row[f.start : f.end] for f in finds] == [
        "BE68539007547034", "ES9121000418450200051332", "DE89 3704 0044 0532 0130 00"
    ]  # fmt: skip


def test_an_organisation_and_an_address_of_a_computer_are_reported_and_are_no_personal_data():
    assert facts_of(["cn_uscc", "ip_address", "crypto_wallet"]) == {}
    assert facts_of(["email"]) == {"personal_data": True} and facts_of([]) == {}
    assert all(
        set(kind.facts) <= {"personal_data", "minor", "biometric_voice", "biometric_face"} for kind in KINDS.values()
    )


SLOW = (
    "a",
    "1",
    "a@",
    "1 ",
    "1-",
    "AA00 ",
    "DE89 ",
    "DE89370400440532013000 ",
    "13800138000 ",
    "@a.",
    "１",
    "+1",
    "a.-",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("unit", SLOW)
def test_a_million_characters_in_one_line_come_to_an_end(unit):
    find_in_text(unit * (1_000_000 // len(unit)), ON)  # by the square it would take hours


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_any_text_ends_and_places_lie_inside_it(text):
    for find in find_in_text(text, ON):
        assert 0 <= find.start < find.end <= len(text) and find.kind in KINDS


@given(st.integers(0, 60), st.lists(st.sampled_from([v for values in TRUE.values() for v in values]), max_size=5))
@settings(max_examples=40, deadline=None)
def test_what_stands_around_changes_nothing(seed, values):
    draw = random.Random(seed)
    words = ["".join(draw.choice(string.ascii_lowercase) for _ in range(5)) for _ in range(6)]
    text = " ".join(word for value in values for word in (draw.choice(words) + ",", value + ","))
    each = [kind for value in values for kind in kinds(f"{value},")]
    assert sorted(kinds(text)) == sorted(each)


# --- Presidio and numbering plans -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others():
    pytest.importorskip("phonenumbers")
    loaded = set(sys.modules)
    auditor = Auditor(ON)
    if "numbers" in auditor.missing:
        pytest.skip("presidio-analyzer is not installed")
    assert "torch" in loaded or "torch" not in sys.modules
    return auditor.in_text


def test_national_numbers_are_found_where_a_country_gives_them_out(others):
    told = "NHS 943 476 5919; 900101-1234568; aadhaar 2345 6789 0124; PESEL 44051401359; ring 020 7946 0958, "
    told += "(415) 555-2671"
    found = kinds(told, *others)
    assert found.count("national_id") == 4 and found.count("phone") >= 2
    assert "national_id" not in kinds("PESEL 44051401358", *others)


def test_a_bare_number_without_a_word_beside_it_is_left_alone(others):
    draw = random.Random(0)
    text = "; ".join(str(draw.randrange(10**10, 10**12)) for _ in range(2000))
    assert kinds(text, *others).count("national_id") == 0
    assert kinds("in 2024 were 415 555 of 2,671 and 0.44051401359", *others) == []


def test_a_value_across_the_edge_of_a_window_is_found_once(others):
    for before in range(WINDOW - 20, WINDOW + 2):
        text = "x" * (before - 1) + " (415) 555-2671, " + "y" * OVERLAP
        assert kinds(text, *others) == ["phone"], before


def test_presidio_that_is_missing_is_said_and_our_own_recognisers_go_on(monkeypatch):
    def missing():
        raise GateError("pii-extra", "presidio-analyzer is not installed", "pip install 'byline[pii]'")

    monkeypatch.setattr(presidio, "_recognisers", missing)
    with pytest.raises(GateError, match="pip install"):
        Presidio()
    audit = Auditor(ON).text("letter", "ada@example.org")
    assert audit.counts == (("email", 1),) and [fault.code for fault in audit.unread] == ["pii-extra"]
    assert Auditor(ON).text("blank", "nothing here").facts() == {}
