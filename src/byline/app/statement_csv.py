"""A statement as a table for spreadsheets: one row per line, from the opening to the closing balance."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from byline.core import PPB, PPM
from byline.ledger import decimal_text

HEAD = (
    "line,day,kind,what,work,title,event,basis,amount,currency,amount_nano,share,share_low,share_high,"
    "amount_low_nano,amount_high_nano,lambda,split,late,because,formula,entry,run"
).split(",")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins to compute


def statement_csv(document: Mapping[str, Any]) -> str:
    """The rows under `HEAD`; amounts are exact, in major units and in nano-units."""
    body, text = document["statement"], io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in _rows(body):
        writer.writerow([row.get(name, "") for name in HEAD])
    return text.getvalue()


def _rows(body: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    yield _balance("opening", body["period"]["start"], "Balance at the beginning", body)
    for line in body["lines"]:
        yield {**_row(line), "currency": body["currency"]}
    yield _balance("closing", body["period"]["end"], "Balance at the end", body)


def _balance(kind: str, day: str, what: str, body: Mapping[str, Any]) -> dict[str, str]:
    nano = body[kind]["nano"]
    amount = {"amount": exact(int(nano)), "currency": body["currency"], "amount_nano": nano}
    return {"kind": kind, "day": day, "what": what, **amount}


def _row(line: Mapping[str, Any]) -> dict[str, str]:
    plain = ("line", "day", "kind", "work", "event", "basis", "amount_nano", "run")
    texts = {"what": "says", "title": "title", "because": "because", "formula": "formula"}
    row = {name: str(line.get(name, "")) for name in plain} | {
        name: harmless(str(line.get(field, ""))) for name, field in texts.items()
    }
    row |= {"amount": exact(int(line["amount_nano"])), "entry": str(line["entry"]), "late": "yes" * line["late"]}
    if line["kind"] == "earning":
        row |= {"share": decimal_text(line["share_ppb"], PPB), "split": decimal_text(line["split_ppm"], PPM)}
        row["lambda"] = decimal_text(line["lambda_ppm"], PPM)
    if line.get("interval_ppb"):
        row["share_low"], row["share_high"] = (decimal_text(end, PPB) for end in line["interval_ppb"])
    if line.get("interval_nano"):
        row["amount_low_nano"], row["amount_high_nano"] = line["interval_nano"]
    return row


def exact(nano: int) -> str:
    """An amount in major units with all nine decimals."""
    whole, rest = divmod(abs(nano), 10**9)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"


def harmless(text: str) -> str:
    """A title may begin like a formula; a spreadsheet takes it as text behind an apostrophe."""
    one_line = " ".join(text.splitlines())
    return f"'{one_line}" if one_line.startswith(_FORMULAS) else one_line
