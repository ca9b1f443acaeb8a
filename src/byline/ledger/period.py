"""The spans of days that a statement can be about: a month, a quarter, a year."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from byline.core import LedgerError, Record

_MONTHS = "January February March April May June July August September October November December".split()
_NAMES = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period(Record):
    """`start` to `end`, both included. `name` is 2026-10, 2026-Q4 or 2026."""

    name: str
    start: date
    end: date

    def __str__(self) -> str:
        """For people: October 2026, October to December 2026, 2026."""
        if len(self.name) == 4:
            return self.name
        first, last = _MONTHS[self.start.month - 1], _MONTHS[self.end.month - 1]
        return f"{first} {self.start.year}" if first == last else f"{first} to {last} {self.start.year}"

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end

    def around(self, day: date) -> "Period":
        """The period of the same length that holds `day`."""
        year = f"{day.year:04d}"
        if len(self.name) == 4:
            return read_period(year)
        quarter = (day.month - 1) // 3 + 1
        return read_period(f"{year}-Q{quarter}" if "Q" in self.name else f"{year}-{day.month:02d}")


def read_period(name: str) -> Period:
    """The period of a name. Raises: LedgerError("bad-period")."""
    found = _NAMES.fullmatch(name)
    if not found or not 1 < int(found[1]) < 9999:
        raise LedgerError("bad-period", f"{name!r} names no period", "write 2026-10, 2026-Q4 or 2026")
    year = int(found[1])
    first, months = (int(found[2]), 1) if found[2] else (3 * int(found[3]) - 2, 3) if found[3] else (1, 12)
    return Period(name, date(year, first, 1), _month_after(year, first + months - 1) - timedelta(1))


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)
