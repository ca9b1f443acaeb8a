"""Sums of a statement that do not come out: what it says, and what it should be."""

from collections.abc import Iterator, Mapping
from typing import Any

from byline.ledger.period_words import PERIOD_KIND
from byline.ledger.statement import amount_text, earnings_faults, remainder_nano


def statement_faults(body: Mapping[str, Any]) -> list[str]:
    """Sums of a statement that do not come out, each as a sentence; empty if all do, or if it is no statement."""
    return period_faults(body) if body.get("kind") == PERIOD_KIND else earnings_faults(body)


def period_faults(body: Mapping[str, Any]) -> list[str]:
    """Each as a sentence that begins with the field; empty if everything adds up."""
    return [*_account(body), *_texts(body), *_sums(body), *_payments(body), *_corrections(body), *_change(body)]


def _account(body: Mapping[str, Any]) -> Iterator[str]:
    lines = sum(int(line["amount_nano"]) for line in body["lines"])
    opening, closing = int(body["opening"]["nano"]), int(body["closing"]["nano"])
    if opening + lines != closing:
        yield (
            f"/closing/nano says {closing}; the opening balance {opening} and the lines ({lines}) make "
            f"{opening + lines}"
        )
    rest = remainder_nano(closing, body["currency"])
    if str(rest) != body["closing"]["remainder_nano"]:
        yield f"/closing/remainder_nano says {body['closing']['remainder_nano']}; it should be {rest}"


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    for name in ("opening", "earned", "closing"):
        text = amount_text(int(body[name]["nano"]), body["currency"])
        if body[name]["text"] != text:
            yield f"/{name}/text says {body[name]['text']}; {body[name]['nano']} nano is {text}"


def _sums(body: Mapping[str, Any]) -> Iterator[str]:
    sums: dict[str, int] = {}
    for line in body["lines"]:
        names = [line["kind"]] + ([f"earning:{line['basis']}"] if line["kind"] == "earning" else [])
        for name in names:
            sums[f"{name}_nano"] = sums.get(f"{name}_nano", 0) + int(line["amount_nano"])
    for name in sorted(sums.keys() | body["sums"].keys()):
        if str(sums.get(name, 0)) != body["sums"].get(name):
            yield f"/sums/{name} says {body['sums'].get(name)}; its lines add up to {sums.get(name, 0)}"
    earned = sums.get("earning_nano", 0) + sums.get("adjustment_nano", 0)
    if str(earned) != body["earned"]["nano"]:
        yield f"/earned/nano says {body['earned']['nano']}; earnings and corrections add up to {earned}"


def _payments(body: Mapping[str, Any]) -> Iterator[str]:
    """Everything received went somewhere, and the payee's part is what the lines of that payment add up to."""
    told: dict[tuple[str, int], int] = {}
    for line in body["lines"]:
        if line["kind"] == "earning":
            key = (line["event"], line["entry"])
            told[key] = told.get(key, 0) + int(line["amount_nano"])
            if not line["formula"].endswith(f" = {line['amount_nano']}"):
                at = f"/lines/{int(line['line']) - 1}"
                yield f"{at}/amount_nano says {line['amount_nano']}; {at}/formula ends with another amount"
    for number, payment in enumerate(body["payments"]):
        names = ("commission", "reserve", "payees", "unattributed", "unclaimed")
        out = sum(int(payment[f"{name}_nano"]) for name in names)
        if out != int(payment["received_nano"]):
            yield f"/payments/{number}/received_nano says {payment['received_nano']}; {out} nano is accounted for"
        mine = told.pop((payment["event"], payment["entry"]), 0)
        if mine != int(payment["you_nano"]):
            yield f"/payments/{number}/you_nano says {payment['you_nano']}; its lines add up to {mine}"
    for event, entry in told:
        yield f"/payments lacks {event} of entry {entry}"


def _corrections(body: Mapping[str, Any]) -> Iterator[str]:
    for number, line in enumerate(body["lines"]):
        if line["kind"] == "adjustment":
            difference = int(line["after_nano"]) - int(line["before_nano"])
            if str(difference) != line["amount_nano"]:
                yield f"/lines/{number}/amount_nano says {line['amount_nano']}; after less before is {difference}"


def _change(body: Mapping[str, Any]) -> Iterator[str]:
    change = body["change"]
    if not change:
        return
    difference = int(change["after_nano"]) - int(change["before_nano"])
    parts = sum(int(part["amount_nano"]) for part in change["parts"])
    if not str(difference) == change["difference_nano"] == str(parts):
        yield f"/change/difference_nano says {change['difference_nano']}; it should be {difference}; parts: {parts}"
    if change["after_nano"] != body["earned"]["nano"]:
        yield f"/change/after_nano says {change['after_nano']}; {body['earned']['nano']} was earned"
