"""What must be answered by when: our own promises, and what laws ask. Days are counted, holidays are not known here.

Working days are Monday to Friday; where the law of a place has holidays, the real day is later, never earlier. This is
a diary, not legal advice.
"""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from byline.core import Record, RegistryError
from byline.registry.optout import Dossier, What


@dataclass(frozen=True, slots=True)
class Clock(Record):
    """Something that is due. `done`: when it was done, or None while it is owed."""

    law: str
    what: str
    due: datetime
    cite: str
    done: datetime | None


@dataclass(frozen=True, slots=True)
class _Rule:
    what: str
    cite: str
    months: int = 0
    days: int = 0
    working_days: int = 0
    hours: int = 0
    longer_months: int = 0  # once the person has been told why
    longer_days: int = 0
    ends_with: tuple[What, ...] = (What.UPHELD, What.REJECTED, What.WITHDRAWN)


_CHECKED = (What.VERIFIED, What.UPHELD, What.REJECTED, What.WITHDRAWN)
OURS = "byline"
RULES: dict[str, tuple[_Rule, ...]] = {
    OURS: (
        _Rule("check who gave it", "our own promise", days=3, ends_with=_CHECKED),
        _Rule("decide on it", "our own promise", days=14),
    ),
    "gdpr": (_Rule("answer the request", "GDPR art. 12(3)", months=1, longer_months=2),),
    "uk-gdpr": (_Rule("answer the request", "UK GDPR art. 12(3)", months=1, longer_months=2),),
    "ccpa": (
        _Rule("confirm that it came in", "11 CCR 7021(a)", working_days=10, ends_with=tuple(What)),
        _Rule("answer the request", "11 CCR 7021(b)", days=45, longer_days=45),
    ),
    "pipl": (_Rule("answer the request", "PIPL art. 50; 15 working days as apps are held to", working_days=15),),
    "dmca": (_Rule("take it down (the law says expeditiously)", "17 USC 512(c)(1)(C); our target", hours=24),),
    "take-it-down": (_Rule("take the intimate image down", "TAKE IT DOWN Act sec. 3", hours=48),),
}


def laws() -> tuple[str, ...]:
    """Names by which a notice can ask for a law's clocks."""
    return tuple(name for name in RULES if name != OURS)


def check_laws(names: tuple[str, ...]) -> None:
    """Raises: RegistryError("unknown-law")."""
    unknown = [name for name in names if name not in laws()]
    if unknown:
        raise RegistryError("unknown-law", f"no clocks are known for {', '.join(unknown)}", f"use {', '.join(laws())}")


def clocks(dossier: Dossier) -> tuple[Clock, ...]:
    """Everything that is due for a notice, the earliest first; each from the moment it was received."""
    notice = dossier.notice
    found = [
        Clock(law, rule.what, _due(notice.received, rule, dossier), rule.cite, _done(rule, dossier))
        for law in (OURS, *notice.laws)
        for rule in RULES[law]
    ]
    return tuple(sorted(found, key=lambda clock: (clock.due, clock.law, clock.what)))


def next_due(dossier: Dossier) -> Clock | None:
    """The earliest thing that is still owed."""
    return next((clock for clock in clocks(dossier) if clock.done is None), None)


def _due(since: datetime, rule: _Rule, dossier: Dossier) -> datetime:
    longer = any(change.what is What.EXTENDED for change in dossier.changes)
    months = rule.months + (rule.longer_months if longer else 0)
    due = _months_later(since, months) + timedelta(days=rule.days + (rule.longer_days if longer else 0))
    for _ in range(rule.working_days):
        due += timedelta(days=1)
        while due.weekday() >= calendar.SATURDAY:
            due += timedelta(days=1)
    return due + timedelta(hours=rule.hours)


def _done(rule: _Rule, dossier: Dossier) -> datetime | None:
    return next((change.at for change in dossier.changes if change.what in rule.ends_with), None)


def _months_later(since: datetime, months: int) -> datetime:
    """The same day of a later month, or that month's last day (Regulation 1182/71, art. 3)."""
    if not months:
        return since
    year, month = divmod(since.month - 1 + months, 12)
    last = calendar.monthrange(since.year + year, month + 1)[1]
    day = date(since.year + year, month + 1, min(since.day, last))
    return since.replace(year=day.year, month=day.month, day=day.day)
