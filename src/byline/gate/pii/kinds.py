"""Kinds of personal data that the audit knows, and what finding one establishes.

An audit can show that something is there. It cannot show that nothing is: detectors miss names, and see no meaning. So
what it finds becomes a fact for the gate, and what it does not find stays not known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`says`: what it is, for people. `facts`: those of the gate's vocabulary that one find establishes; none for what
    does not point to a person by itself. `checked`: how a match is told from any other string of that shape."""

    says: str
    facts: tuple[str, ...]
    checked: str


_PERSON = ("personal_data",)

KINDS: Mapping[str, Kind] = {
    "email": Kind("e-mail address", _PERSON, "shape"),
    "phone": Kind("telephone number", _PERSON, "shape; numbering plan of its country where Presidio runs"),
    "cn_mobile": Kind("mobile number of mainland China", _PERSON, "shape"),
    "cn_resident_id": Kind("resident identity number of China", _PERSON, "province, birth date, check digit GB 11643"),
    "id_of_a_minor": Kind(
        "identity number with a birth date of less than eighteen years ago", (*_PERSON, "minor"), "as cn_resident_id"
    ),
    "cn_uscc": Kind("credit code of an organisation in China", (), "check character GB 32100"),
    "jp_my_number": Kind(
        "individual number of Japan (My Number)", _PERSON, "check digit; grouping or a word beside it"
    ),
    "sg_nric": Kind("identity number of Singapore (NRIC, FIN)", _PERSON, "check letter"),
    "us_ssn": Kind("social security number of the United States", _PERSON, "ranges that are given out"),
    "uk_nino": Kind("national insurance number of the United Kingdom", _PERSON, "prefixes that are given out"),
    "iban": Kind("bank account number (IBAN)", _PERSON, "country, length, check digits"),
    "payment_card": Kind("payment card number", _PERSON, "issuer, check digit (Luhn)"),
    "ip_address": Kind("public address of a computer (IP)", (), "shape; not of a private range"),
    "crypto_wallet": Kind("address of a wallet", (), "checksum (Presidio)"),
    "national_id": Kind("identity, tax or health number of another country", _PERSON, "check digit (Presidio)"),
    "speech": Kind("speech", (*_PERSON, "biometric_voice"), "Silero voice activity"),
    "face": Kind("face", (*_PERSON, "biometric_face"), "CenterFace"),
}


def facts_of(kinds: Iterable[str]) -> dict[str, bool]:
    """Facts that finds of these kinds establish; never that something is not so."""
    return {fact: True for kind in sorted(set(kinds)) for fact in KINDS[kind].facts}
