"""Personal data in text, by shape and then by checksum. Needs no extra.

Every pattern begins behind a character that it cannot hold and repeats a bounded number of times, so that the time is
linear in the text, whatever the text is. Full-width letters and digits count as their plain forms.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from ipaddress import IPv4Address

from stdnum import iban, luhn
from stdnum.cn import ric, uscc
from stdnum.jp import in_ as my_number
from stdnum.us import ssn

from byline.core import Record

DETECTOR = "byline/1"
NEAR = 40  # characters before a number in which a word may say what it is
_OF_AGE = 18

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True, slots=True)
class Find(Record):
    """Where something stands: characters of the text, or milliseconds, or a number of the picture's faces. The value
    itself is never kept."""

    kind: str
    start: int
    end: int
    detector: str


@dataclass(frozen=True, slots=True)
class Recogniser:
    """`confirm` says of a match and of the day what kind it really is; "" for none. A shape that only looks ahead
    matches again inside of what it saw; its `length` says where a find ends."""

    shape: "re.Pattern[str]"
    confirm: Callable[["re.Match[str]", date], str]
    length: Callable[["re.Match[str]"], int] = lambda match: len(match[0])


def recognise(text: str, on: date) -> Iterator[Find]:
    """Every find of our own recognisers, kind by kind; finds of several kinds may overlap. `on`: the day on which a
    birth date is taken for a minor's."""
    plain = text.translate(_FULL_WIDTH)
    for recogniser in RECOGNISERS:
        for match in recogniser.shape.finditer(plain):
            kind = recogniser.confirm(match, on)
            if kind:
                yield Find(kind, match.start(), match.start() + recogniser.length(match), DETECTOR)


# --- checks -----------------------------------------------------------------------------------------------------


def _digits(match: "re.Match[str]") -> str:
    """Letters too, without what stands between them."""
    return re.sub(r"[^0-9A-Za-z]", "", match[match.re.groups]).upper()


def _said_before(match: "re.Match[str]", words: "re.Pattern[str]") -> bool:
    return words.search(match.string, max(0, match.start() - NEAR), match.start()) is not None


def _resident_id(match: "re.Match[str]", on: date) -> str:
    """Source: GB 11643-1999 (province, birth date, ISO 7064 MOD 11-2)."""
    number = _digits(match)
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return ""
    if number[:2] not in _PROVINCES or born > on or ric.calc_check_digit(number) != number[-1]:
        return ""
    age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return "id_of_a_minor" if age < _OF_AGE else "cn_resident_id"


def _credit_code(match: "re.Match[str]", _: date) -> str:
    """Source: GB 32100-2015. The first character may be a letter (Y: other bodies), which python-stdnum 2.2 refuses; so
    only its check character is asked for."""
    return "cn_uscc" if uscc.calc_check_digit(match[0][:17]) == match[0][17] else ""


def _my_number(match: "re.Match[str]", _: date) -> str:
    """One check digit lets a tenth of all numbers through, so grouping by four or a word beside it is asked as well."""
    likely = len(match[0]) > 12 or _said_before(match, _MY_NUMBER_WORDS)
    return "jp_my_number" if likely and my_number.is_valid(_digits(match)) else ""


def _nric(match: "re.Match[str]", _: date) -> str:
    """Weights and letters as published by users of the scheme; the authority does not publish them. M is not checked
    by letter and is left to Presidio."""
    text = match[0].upper()
    total = sum(int(digit) * weight for digit, weight in zip(text[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    letters = "JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK"
    return "sg_nric" if text[8] == letters[(total + 4 * (text[0] in "TG")) % 11] else ""


def _social_security(match: "re.Match[str]", _: date) -> str:
    return "us_ssn" if ssn.is_valid(match[0]) else ""


def _insurance(match: "re.Match[str]", _: date) -> str:
    return "" if match[0][:2].upper() in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ") else "uk_nino"


def _account(match: "re.Match[str]", _: date) -> str:
    """The shape may take in words that follow, so the country's length says where the number ends."""
    number = _digits(match)
    length = _iban_lengths().get(number[:2], 0)
    if not length or len(number) < length or match[1][_account_length(match) :][:1].isalnum():
        return ""
    return "iban" if iban.is_valid(number[:length], check_country=False) else ""


def _account_length(match: "re.Match[str]") -> int:
    length = _iban_lengths()[match[1][:2]]
    places = [n for n, character in enumerate(match[1]) if character.isalnum()]
    return places[length - 1] + 1


def _card(match: "re.Match[str]", _: date) -> str:
    number = _digits(match)
    return "payment_card" if _ISSUERS.match(number) and luhn.is_valid(number) else ""


def _address(match: "re.Match[str]", _: date) -> str:
    """Four numbers are a version of a program as often as an address; what no router would forward is neither."""
    try:
        public = IPv4Address(match[0]).is_global
    except ValueError:
        return ""
    return "ip_address" if public and not _said_before(match, _VERSION_WORDS) else ""


def _as(kind: str) -> Callable[["re.Match[str]", date], str]:
    return lambda match, on: kind


@cache
def _iban_lengths() -> dict[str, int]:
    """Characters of an IBAN by country, from the registry that python-stdnum carries."""
    found = {}
    for line in iban._ibandb.prefixes:
        parts = line[3].get("bban", "").split("!")
        counts = [re.sub(r"^[a-z]", "", part) for part in parts[:-1]]
        found[str(line[1])] = 4 + sum(map(int, counts))
    return found


_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"
    " 91".split()
)
_MY_NUMBER_WORDS = re.compile(r"マイナンバー|個人番号|my ?number|individual number", re.IGNORECASE)
_VERSION_WORDS = re.compile(r"(?:version|release|ver\.?|v)\s*$", re.IGNORECASE)
# Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
_ISSUERS = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:50|5[6-9]|6\d)\d{11,17})\Z"
)

RECOGNISERS: tuple[Recogniser, ...] = (
    Recogniser(
        re.compile(
            r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}"
            r"(?![A-Za-z0-9-])"
        ),
        _as("email"),
    ),
    Recogniser(re.compile(r"(?<![0-9A-Za-z+])\+(?!86)[1-9](?:[ ().-]{0,2}\d){7,14}(?!\d)"), _as("phone")),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z.+])(?:(?:\+|00)86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![0-9A-Za-z])"),
        _as("cn_mobile"),
    ),
    Recogniser(
        re.compile(
            r"(?<![0-9A-Za-z])[1-9]\d{5}[ -]?(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ -]?"
            r"\d{3}[0-9Xx](?![0-9A-Za-z])"
        ),
        _resident_id,
    ),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z])[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])"),
        _credit_code,
    ),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z])(?<!\d[ -])\d{4}(?:\d{4}| \d{4} |-\d{4}-)\d{4}(?![0-9A-Za-z])(?![ -]\d)"),
        _my_number,
    ),
    Recogniser(re.compile(r"(?<![0-9A-Za-z])[STFGstfg]\d{7}[A-Za-z](?![0-9A-Za-z])"), _nric),
    Recogniser(re.compile(r"(?<![0-9A-Za-z-])\d{3}-\d{2}-\d{4}(?![0-9A-Za-z-])"), _social_security),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![0-9A-Za-z])"),
        _insurance,
    ),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z])(?=([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}))"),
        _account,
        _account_length,
    ),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z.])(?<!\d[ -])[2-6](?:[ -]?\d){12,18}(?![0-9A-Za-z])(?![ -]\d)"),
        _card,
    ),
    Recogniser(
        re.compile(r"(?<![0-9A-Za-z.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![0-9A-Za-z]|\.\d)"),
        _address,
    ),
)
