"""Pages from templates: escaped always, with the layout that all share; and what is said when something goes wrong."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from byline.app.portal.accounts import Role
from byline.app.portal.visit import Page, Visit
from byline.core import PPB, BylineError
from byline.ledger import amount_text

_MONTHS = "January February March April May June July August September October November December".split()

# What people may read of an error as it is: its words come from the visitor's own input and name no path of ours.
OPEN = {
    "ambiguous-target": 422,
    "bad-address": 422,
    "no-vote-yet": 409,
    "nothing-voted": 409,
    "not-a-receipt": 422,
    "no-such-party": 422,
    "no-evidence": 422,
    "still-open": 409,
    "other-statutes": 409,
    "pool-taken": 409,
    "not-a-member": 422,
    "already-member": 422,
    "not-open": 409,
    "bad-policy": 422,
    "bad-offer": 422,
    "bad-document": 422,
    "too-hasty": 422,
    "bad-proposal": 422,
    "bad-assumption": 422,
    "queue-full": 429,
    "payment-known": 422,
    "not-failed": 409,
    "no-payment": 409,
    "nothing-shown": 409,
    "no-token": 422,
    "no-iban": 422,
    "bad-rate": 422,
    "bad-payee": 422,
    "bad-debtor": 422,
    "bad-bank-file": 422,
    "bad-audio": 422,
    "bad-choice": 422,
    "bad-date": 422,
    "bad-decision": 422,
    "bad-image": 422,
    "bad-condition": 422,
    "bad-fact": 422,
    "bad-grant": 422,
    "bad-iscc": 422,
    "bad-law-table": 422,
    "bad-notice": 422,
    "bad-number": 422,
    "bad-statutes": 422,
    "bad-price": 422,
    "bad-payments": 422,
    "bad-use": 422,
    "bad-rule": 422,
    "bad-share": 422,
    "circular-succession": 422,
    "empty-field": 422,
    "empty-query": 422,
    "iscc-missing": 422,
    "link-over": 410,
    "no-name": 422,
    "no-such-jurisdiction": 422,
    "no-such-question": 404,
    "matter-closed": 409,
    "not-held": 422,
    "not-text": 422,
    "not-searchable": 422,
    "notice-ended": 409,
    "not-shown": 422,
    "not-theirs": 422,
    "no-decider": 422,
    "no-reason": 422,
    "other-document": 422,
    "organisation-away": 503,
    "organisation-refused": 403,
    "own-notice": 409,
    "passkey-copied": 403,
    "passkey-refused": 403,
    "said-already": 422,
    "same-world": 422,
    "seal-over": 410,
    "seen-twice": 409,
    "shown-otherwise": 409,
    "no-payee": 422,
    "too-long": 422,
    "too-many-passkeys": 422,
    "took-too-long": 503,
    "too-often": 429,
    "unknown-fact": 422,
    "unknown-person": 422,
    "unknown-target": 422,
}
MISSING = {
    "no-such-work",
    "no-such-title",
    "no-such-notice",
    "no-such-passkey",
    "which-currency",
    "no-such-page",
    "bad-period",
}
_WORDS = {
    "stale-form": ("This form is too old", "Go back, load the page again and send it once more."),
    "no-length": ("That could not be read", "Send the form from its page."),
    "no-form": ("That could not be read", "Send the form from its page."),
    "bad-form": ("That could not be read", "Send the form from its page, with one file at most."),
    "too-large": ("That file is too large", "At most 12 megabytes can be sent. A few pages of the text are enough."),
    "not-yours": ("This page is not for your role", "Whoever runs this portal gives roles."),
    "index-busy": ("The index is being built", "Another process is at it. Ask again in a minute."),
    "broken": ("Something went wrong on our side", "It was noted. Nothing of what you sent was changed by half."),
    "not-found": ("There is no such page", "It may have been a typing error, or it is somebody else’s page."),
}


def error_page(code: str, status: int = 0, fault: BylineError | None = None) -> Page:
    """In plain words. What an error of ours says is shown only if it can hold no path and no secret."""
    if fault is not None and fault.code in MISSING:
        code, status = "not-found", 404
    if fault is not None and code in OPEN:
        says = _says(fault)
        return Page("error.html", "That did not work", {"head": says[0], "rest": says[1], "code": code}, OPEN[code])
    unknown = ("This cannot be answered now", "What it needs has not been made yet, or is being made.")
    head, rest = _WORDS.get(code, unknown)
    status = status or (503 if code == "index-busy" else 409)
    return Page("error.html", head, {"head": head, "rest": rest, "code": code}, status)


def told_faults(faults: Sequence[tuple[str, BylineError]]) -> tuple[tuple[str, str], ...]:
    """(field, words) of the faults of a form; none if one of them is not to be told beside a field."""
    if any(OPEN.get(fault.code) != 422 for _, fault in faults):
        return ()
    return tuple((name, " ".join(filter(None, _says(fault)))) for name, fault in faults)


def _says(fault: BylineError) -> tuple[str, str]:
    """What went wrong and what to do, without what is meant for whoever has a command line."""
    return _sentence(fault.message), _sentence(fault.fix) if not fault.fix.startswith(("byline", "`")) else ""


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".") if text else ""


@cache
def _environment() -> Environment:
    loader = PackageLoader("byline.app.portal", "templates")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters.update(
        day=day,
        moment=moment,
        money=lambda nano, currency: amount_text(int(nano), currency),
        percent=percent,
        ppm=lambda ppm: f"{int(ppm) / 1e4:.3g}\u00a0%",
        number=lambda value: f"{value:,}",
        quote=quoted,
    )
    return found


def render(page: Page, visit: Visit) -> str:
    """Raises: jinja2.UndefinedError if the page lacks what its template shows."""
    person = visit.person
    shared: dict[str, Any] = {
        "title": page.title,
        "person": person,
        "roles": {role.value: bool(person and person.may(role)) for role in Role},
        "token": visit.token,
        "path": visit.path,
        "today": visit.now.date(),
    }
    return _environment().get_template(page.template).render(**shared, **page.data)


# --- how things read ----------------------------------------------------------------------------------------------


def day(value: str | date) -> str:
    """2 September 2026."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: str | datetime) -> str:
    """2 September 2026, 14:05:09 UTC."""
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    return f"{day(at.date())}, {at:%H:%M:%S} UTC"


def percent(ppb: int) -> str:
    part = 100 * int(ppb) / PPB
    return f"{part:.3g}\u00a0%" if part >= 0.001 or not ppb else "under 0.001 %"


def quoted(text: str, most: int = 600) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most // 2]} … {plain[-most // 2 :]}"
