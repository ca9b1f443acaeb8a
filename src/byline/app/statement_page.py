"""A statement as one HTML page that loads nothing, needs no script and prints well."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from byline.core import PPB, PPM
from byline.ledger import decimal_text, money_text

_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])  # no page may hold them
_MONTHS = "January February March April May June July August September October November December".split()
_BASIS = {
    "attribution": "measured influence",
    "training": "training",
    "prior": "agreed rule",
    "flat": "flat",
    "toll": "by requests",
}
_BASIS_LONG = {
    "attribution": "By measured influence on what the model wrote",
    "training": "For having taught the model, divided by the agreed rule",
    "prior": "By the agreed rule, by analogy, where nothing could be measured",
    "flat": "The same for every work that was named",
    "toll": "By how often the work was asked for",
}


def statement_html(document: Mapping[str, Any]) -> str:
    """The page of a signed statement; its last line has its end."""
    body = document["statement"]
    view = statement_view(body) | {"document": document, "size": int(document["log"]["size"])}
    text = _environment(body["currency"]).get_template("statement.html").render(**view)
    return "\n".join(line.rstrip() for line in text.translate(_CONTROLS).splitlines() if line.strip()) + "\n"


def statement_view(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a page shows of a statement's content, put in order."""
    return {
        "body": body,
        "works": _works(body),
        "account": _account(body),
        "corrections": [line for line in body["lines"] if line["kind"] == "adjustment"],
        "others": [line for line in body["lines"] if line["kind"] not in ("earning", "adjustment")],
        "payments": {(each["event"], each["entry"]): each for each in body["payments"]},
        "terms": {each["settlement"]: each for each in body["terms"]},
        "basis": _BASIS,
        "basis_long": _BASIS_LONG,
    }


def _environment(currency: str) -> Environment:
    loader = PackageLoader("byline.app", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        amount=_amount,
        money=lambda nano: money_text(int(nano), currency),
        day=_day,
        percent=_percent,
        rate=lambda ppm: f"{decimal_text(100 * ppm, PPM)}\u00a0%",
        decimal=lambda ppm: decimal_text(ppm, PPM),
        steps=lambda text: text.split("; "),
        facts=lambda facts: [_fact(name, value, currency) for name, value in facts.items()],
    )
    environment.globals["css"] = Markup(loader.get_source(environment, "statement.css")[0])
    return environment


def _amount(nano: str | int) -> Markup:
    """Whole minor units, and in small type what is below them: the columns add up exactly."""
    whole, rest = divmod(abs(int(nano)), 10**9)
    sign, digits = "−" if int(nano) < 0 else "", f"{rest:09d}"
    shown = f"{sign}{whole:,}.{digits[:2]}"
    return Markup('<span class="n">{}<small>{}</small></span>').format(shown, digits[2:])


def _day(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _percent(ppb: int) -> str:
    """A share for people, with three digits that count."""
    percent = 100 * ppb / PPB
    return f"{percent:.3g}\u00a0%" if percent >= 0.001 or not ppb else "under 0.001\u00a0%"


def _fact(name: str, value: str, currency: str) -> str:
    """What a booking rests on: "rate 15 %", "on EUR 10.00", "case 7"."""
    if name.endswith("_ppm") and value.isdigit():
        return f"{name.removesuffix('_ppm').replace('_', ' ')} {decimal_text(100 * int(value), PPM)}\u00a0%"
    if name.endswith("_nano") and value.isdigit():
        return f"{name.removesuffix('_nano').replace('_', ' ')} {money_text(int(value), currency)}"
    return f"{name.replace('_', ' ')} {value}"


def _works(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Earnings by work, the largest first, each with its lines and what stands behind it."""
    behind = {each["work"]: each for each in body["evidence"].get("works", [])}
    found: dict[str, dict[str, Any]] = {}
    for line in body["lines"]:
        if line["kind"] == "earning":
            work = found.setdefault(
                line["work"],
                {"title": line["title"] or line["work"], "work": line["work"], "nano": 0, "lines": [],
                 "behind": behind.get(line["work"])},
            )  # fmt: skip
            work["nano"] += int(line["amount_nano"])
            work["lines"].append(line)
    return sorted(found.values(), key=lambda work: (-work["nano"], work["title"], work["work"]))


def _account(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """From the opening to the closing balance in a few rows: what is of one kind is one row."""
    sums = body["sums"]
    rows = [(f"{_BASIS_LONG[name]}", sums[f"earning:{name}_nano"]) for name in _BASIS if f"earning:{name}_nano" in sums]
    said = {line["kind"]: line["says"] for line in body["lines"]}
    said["adjustment"] = "Corrections of earlier statements"
    kinds = [name.removesuffix("_nano") for name in sums if ":" not in name and name != "earning_nano"]
    return rows + [(said[kind], sums[f"{kind}_nano"]) for kind in sorted(kinds, key=_order)]


def _order(kind: str) -> int:
    order: Sequence[str] = ("adjustment", "contract", "advance-recouped", "release", "claim", "reserve-release", "hold",
                            "withholding", "fx", "payout", "return")  # fmt: skip
    return order.index(kind) if kind in order else len(order)
