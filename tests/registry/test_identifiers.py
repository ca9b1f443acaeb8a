"""Numbers of people: real ones pass, every single wrong digit is caught."""

import pytest

from byline.registry import normalise_identifier, schemes

REAL = {
    "ISNI": "000000012281955X",
    "ORCID": "0000-0002-1825-0097",
    "IPI": "00052210040",
    "LEI": "213800KUD8LAJWSQ9D15",
    "QID": "Q82083",
    "VIAF": "97113511",
}


@pytest.mark.parametrize("scheme", ["ISNI", "ORCID", "IPI", "LEI"])
def test_a_real_number_passes_and_no_single_wrong_digit_does(scheme):
    number = REAL[scheme]
    assert normalise_identifier(scheme, number) == number == normalise_identifier(scheme.lower(), f" {number} ")
    for at, digit in enumerate(number):
        if digit.isdigit():
            for other in set("0123456789") - {digit}:
                assert normalise_identifier(scheme, number[:at] + other + number[at + 1 :]) is None, (at, other)


def test_other_ways_of_writing_become_the_one_way():
    assert normalise_identifier("ISNI", "0000 0001 2281 955X") == REAL["ISNI"]
    assert normalise_identifier("ORCID", "https://orcid.org/0000-0002-1825-0097") == REAL["ORCID"]
    assert normalise_identifier("IPI", "52210040") is None and normalise_identifier("IPI", "052210040") == REAL["IPI"]
    assert normalise_identifier("ORCID", "0000-0002-9079-593X") == "0000-0002-9079-593X"


def test_an_isni_outside_the_range_of_orcid_is_no_orcid():
    assert normalise_identifier("ORCID", REAL["ISNI"]) is None
    assert normalise_identifier("ISNI", REAL["ORCID"]) == "0000000218250097"


@pytest.mark.parametrize("scheme", schemes())
@pytest.mark.parametrize("value", ["", "0", "x", "Q0", "٣" * 16, "0" * 11, "0" * 16, "-", "1" * 40])
def test_what_is_no_number_is_none(scheme, value):
    assert normalise_identifier(scheme, value) is None or (scheme, value) == ("ISNI", "0" * 16)
    assert normalise_identifier("ISBN", value) is None


def test_all_schemes_are_tried_here():
    assert set(schemes()) == set(REAL)
    assert all(normalise_identifier(scheme, value) == value for scheme, value in REAL.items())
