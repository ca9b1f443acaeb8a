"""Telephone numbers as people write them inside their country, by its numbering plan.

Presidio's own recogniser searches a text once per region, a minute for two megabytes; here a shape comes first and only
what has it is held against the plans. Needs the extra `byline[pii]` (the package phonenumbers).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version

from byline.core import GateError
from byline.gate.pii.recognise import Find

REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "IN", "BR", "JP", "SG", "CN", "KR", "AU")
MOST = 200
"""Candidates that are looked at in one piece of text; a table of numbers has more, and one find is enough."""

# Groups of digits with something between them: a bare run of digits is a number of anything.
_SHAPE = re.compile(r"(?<![\w.,/+-])\(?0?\d{2,5}\)?[ ./-]{1,2}\d{2,4}(?:[ ./-]\d{2,5}){0,4}(?![\w]|[.,/-]\d)")


class Phones:
    """Call it with a piece of text. Raises: GateError("pii-extra") without the package phonenumbers."""

    def __init__(self) -> None:
        try:
            self.name = f"phonenumbers/{version('phonenumbers')}"
        except ImportError as fault:
            says = "phonenumbers is not installed: only telephone numbers that begin with + are found"
            raise GateError("pii-extra", says, "pip install 'byline[pii]'") from fault

    def __call__(self, text: str) -> Iterable[Find]:
        for number, match in enumerate(_SHAPE.finditer(text)):
            if number == MOST:
                return
            if 9 <= sum(map(str.isdigit, match[0])) <= 12 and _valid(match[0]):
                yield Find("phone", match.start(), match.end(), self.name)


@lru_cache(100_000)
def _valid(written: str) -> bool:
    """As a number of some region, grouped as it is written there."""
    import phonenumbers as plans

    for region in REGIONS:
        try:
            number = plans.parse(written, region)
        except plans.NumberParseException:
            continue
        if plans.is_valid_number_for_region(number, region) and _grouped(written, number, plans):
            return True
    return False


def _grouped(written: str, number: "object", plans: "object") -> bool:
    """Whether the groups of digits are those in which the region writes the number: dates and amounts are not."""
    national = plans.format_number(number, plans.PhoneNumberFormat.NATIONAL)  # type: ignore[attr-defined]
    return re.findall(r"\d+", written) == re.findall(r"\d+", national)
