"""The whole journal as text: for beancount and hledger, which add it up without us, and as JSON lines for anybody.

Amounts are written with all nine decimals. beancount would let half a last digit pass; the options at the head set
its tolerance to zero, and every balance is asserted with a tolerance of zero.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from byline.core import LedgerError
from byline.ledger.entry import Entry, add_up
from byline.ledger.journal import Journal

LEDGER_FORMAT = "byline-ledger/1"
_ROOTS = {"assets": "Assets", "payable": "Liabilities:Payable", "held": "Liabilities:Held"}
_ROOTS |= {"income": "Income", "equity": "Equity"}
_HEAD = (
    'option "title" "Byline journal"\noption "inferred_tolerance_default" "*:0"\noption "tolerance_multiplier" "0"\n'
)


def export(journal: Journal, form: str) -> str:
    """The journal in one of `FORMS`. Raises: LedgerError("no-such-format")."""
    if form not in FORMS:
        raise LedgerError("no-such-format", f"the journal cannot be written as {form!r}", f"one of {', '.join(FORMS)}")
    if form == "json":
        return "".join(json_lines(journal))
    return "".join((beancount if form == "beancount" else hledger)(journal.entries()))


FORMS = ("beancount", "hledger", "json")


def beancount(entries: Sequence[Entry]) -> Iterator[str]:
    """A beancount file: accounts opened, a transaction per entry, a balance per account on the day after the last."""
    yield _HEAD
    for account, day in sorted(_first_days(entries).items()):
        yield f"{day} open {account_name(account)}\n"
    for entry in entries:
        yield f"\n{entry.effective} * {_quoted(entry.settlement)} {_quoted(entry.reference)}\n"
        yield f'  seq: {entry.seq}\n  recorded: "{entry.recorded.isoformat()}"\n  leaf: "{entry.leaf}"\n'
        yield from (f"  {account_name(account)}  {amount(int(nano), entry.currency)}\n" for account, nano in entry.legs)
    for day, account, nano, currency in _closing(entries):
        yield f"\n{day} balance {account_name(account)}  {amount(nano, '~ 0 ' + currency)}\n"


def hledger(entries: Sequence[Entry]) -> Iterator[str]:
    """An hledger (or ledger) journal; the last transaction moves nothing and asserts every balance."""
    for entry in entries:
        yield f"{entry.effective} * {_line(entry.reference)}  ; {_line(entry.settlement)}, entry {entry.seq}\n"
        yield from (
            f"    {account_name(account)}  {amount(int(nano), entry.currency)}\n" for account, nano in entry.legs
        )
        yield "\n"
    closing = list(_closing(entries))
    if closing:
        yield f"{closing[0][0]} * balances\n"
    for _, account, nano, currency in closing:
        yield f"    {account_name(account)}  {amount(0, currency)} = {amount(nano, currency)}\n"


def json_lines(journal: Journal) -> Iterator[str]:
    """One JSON object per line: the head, every run with its inputs, every entry. With this file alone somebody who has
    no Byline can compute every allocation, hash and balance again (examples/verify_ledger.py)."""
    yield _json({"format": LEDGER_FORMAT, **journal.head().to_json()})
    entries = journal.entries()
    for run in dict.fromkeys(entry.settlement for entry in entries):
        yield _json({"run": run, "inputs": journal.inputs(run)})
    for entry in entries:
        yield _json({"entry": entry.to_json()})


def amount(nano: int, currency: str) -> str:
    """An amount in major units with nine decimals, such as "-0.000000001 EUR"."""
    major, rest = divmod(abs(nano), 10**9)
    return f"{'-' if nano < 0 else ''}{major}.{rest:09} {currency}"


def account_name(account: str) -> str:
    """The account as beancount and hledger name it: different accounts get different names."""
    kind, *names = account.split(":")
    return ":".join([_ROOTS[kind], *map(_component, names)])


def _component(name: str) -> str:
    """A component begins with a capital or a digit and has letters, digits and dashes: the rest is written in hex."""
    escaped = "".join(char if char.isascii() and char.isalnum() else f"-{ord(char):x}-" for char in name)
    if not escaped:
        return "0-"
    if escaped[0].islower():
        return escaped[0].upper() + escaped[1:]
    return escaped if escaped[0].isdigit() else f"U-{escaped}"


def _first_days(entries: Iterable[Entry]) -> dict[str, date]:
    days: dict[str, date] = {}
    for entry in entries:
        for account, _ in entry.legs:
            days[account] = min(entry.effective, days.get(account, entry.effective))
    return days


def _closing(entries: Sequence[Entry]) -> Iterator[tuple[date, str, int, str]]:
    """Day after the last entry, account, balance, currency; also of accounts that came back to zero."""
    if not entries:
        return
    day = max(entry.effective for entry in entries) + timedelta(1)
    balances = add_up(list(entries))
    touched = {(entry.currency, account) for entry in entries for account, _ in entry.legs}
    for currency, account in sorted(touched):
        yield day, account, balances[currency].get(account, 0), currency


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(text: str) -> str:
    """Text that cannot end a line, begin a comment or split a field."""
    return " ".join(text.replace(";", ",").replace("|", "/").split())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
