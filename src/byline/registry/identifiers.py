"""Numbers by which people and organisations are known elsewhere.

A check digit catches a typing error; it proves nothing about who somebody is: that takes evidence and a decision, which
the records in `people` hold.
"""

import re
from collections.abc import Callable

from stdnum import isni as stdnum_isni
from stdnum import lei as stdnum_lei
from stdnum.exceptions import ValidationError

_ORCID_RANGES = ((15_000_000, 35_000_000), (900_000_000_000, 900_100_000_000))  # of the 15 digits before the check


def normalise_identifier(scheme: str, value: str) -> str | None:
    """The number as it is written in its scheme (ISNI, ORCID, IPI, LEI, QID, VIAF), or None if it cannot be one."""
    check = _SCHEMES.get(scheme.upper())
    return check(value.strip()) if check else None


def schemes() -> tuple[str, ...]:
    return tuple(_SCHEMES)


def _isni(value: str) -> str | None:
    """16 digits, the last by ISO 7064 mod 11-2."""
    try:
        return str(stdnum_isni.validate(value))
    except ValidationError:
        return None


def _orcid(value: str) -> str | None:
    """An ISNI of the ranges set aside for ORCID, written with hyphens. Source: ORCID, structure of the identifier."""
    plain = re.sub(r"^https?://orcid\.org/", "", value)
    number = _isni(plain)
    if number is None or not any(low <= int(number[:15]) <= high for low, high in _ORCID_RANGES):
        return None
    return "-".join(number[at : at + 4] for at in range(0, 16, 4))


def _ipi(value: str) -> str | None:
    """IPI name number: 11 digits, the last two check the first nine by weights 10 to 2, modulo 101."""
    number = re.sub(r"[ .-]", "", value)
    if not (number.isascii() and number.isdigit() and 9 <= len(number) <= 11):
        return None
    number = number.zfill(11)
    rest = sum(int(digit) * weight for digit, weight in zip(number[:9], range(10, 1, -1), strict=True)) % 101
    check = (101 - rest) % 100 if rest else 0
    return number if int(number) and check == int(number[9:]) else None


def _lei(value: str) -> str | None:
    try:
        return str(stdnum_lei.validate(value))
    except ValidationError:
        return None


def _pattern(pattern: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return value if re.fullmatch(pattern, value, re.ASCII) else None

    return check


_SCHEMES: dict[str, Callable[[str], str | None]] = {
    "ISNI": _isni,
    "ORCID": _orcid,
    "IPI": _ipi,
    "LEI": _lei,
    "QID": _pattern(r"Q[1-9]\d{0,11}"),
    "VIAF": _pattern(r"[1-9]\d{0,21}"),
}
