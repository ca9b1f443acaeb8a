"""Reading what a bank answers: pain.002 (status), camt.053, camt.054 and camt.052 (account), pacs.004 (returns).

All become the same plain reports, in whatever version of the message they came: elements are found by their names
without the namespace. Nothing is decided here; `payout_book` does, and it takes the same report any number of times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from xml.etree import ElementTree as ET

from byline.core import LedgerError, Problem, Record, Source
from byline.ledger.statement import minor_digits

MAX_BYTES = 64 * 2**20
MAX_AMOUNT = 10**18  # minor units; ISO 20022 writes no more digits
_REJECTED = ("RJCT", "CANC")
_DUPLICATE = ("DUPL", "AM05")


class Answer(StrEnum):
    """What a bank says of a payment, of a whole file (`end_to_end` is empty then), or of a line on the account."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"  # it was received before: the first one counts, and nothing is to be undone
    SETTLED = "settled"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class BankReport(Record):
    """One answer. `message`: id of our file, where the bank names it; `amount_minor` is empty where it says none."""

    answer: Answer
    end_to_end: str
    message: str
    amount_minor: str
    currency: str
    on: date | None
    reason: str
    source: str  # message id of the bank's own message


def read_bank(content: bytes, name: str) -> tuple[list[BankReport], list[Problem]]:
    """The reports in one message, and what in it cannot be read; `name` is the file's, for problems.

    Raises: LedgerError("bad-bank-file") for what is no XML, declares a DTD, or is none of the messages above.
    """
    root = _parse(content, name)
    body = next(iter(root), None)
    kind = _tag(body) if body is not None else ""
    readers = {
        "CstmrPmtStsRpt": _status,
        "BkToCstmrStmt": _account,
        "BkToCstmrDbtCdtNtfctn": _account,
        "BkToCstmrAcctRpt": _account,
        "PmtRtr": _returns,
    }
    if body is None or kind not in readers:
        fix = "give pain.002, camt.052, camt.053, camt.054 or pacs.004"
        raise LedgerError("bad-bank-file", f"{name} holds {kind or _tag(root)!r}, not a bank's answer", fix)
    reports: list[BankReport] = []
    problems: list[Problem] = []
    for found in readers[kind](body, _get(body, "GrpHdr/MsgId")):
        if isinstance(found, str):
            problems.append(Problem("bank-entry", Source(name), found))
        else:
            reports.append(found)
    return reports, problems


class _Tree(ET.TreeBuilder):
    """A document type declaration has no place in a bank's file; it is how entities are blown up."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise LedgerError("bad-bank-file", "the file declares a document type", "ask the bank for the message itself")


def _parse(content: bytes, name: str) -> ET.Element:
    if len(content) > MAX_BYTES:
        raise LedgerError("bad-bank-file", f"{name} has {len(content)} bytes", "split it into its messages")
    try:
        parser = ET.XMLParser(target=_Tree())
        parser.feed(content)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError) as fault:
        raise LedgerError(
            "bad-bank-file", f"{name} is not XML: {fault}", "give the file as the bank sent it"
        ) from fault
    return root


# --- pain.002 -------------------------------------------------------------------------------------------------


def _status(body: ET.Element, source: str) -> Iterator[BankReport | str]:
    """The status of the file, then of its one block, then of each payment; the more exact one says more."""
    group = _find(body, "OrgnlGrpInfAndSts")
    message = _get(group, "OrgnlMsgId")
    if report := _status_of(group, "GrpSts", "", message, source):
        yield report
    for block in _all(body, "OrgnlPmtInfAndSts"):
        if report := _status_of(block, "PmtInfSts", "", message, source):
            yield report
        for payment in _all(block, "TxInfAndSts"):
            end_to_end = _get(payment, "OrgnlEndToEndId")
            if not end_to_end:
                yield f"a payment of {message} has a status and no end-to-end id"
            elif report := _status_of(payment, "TxSts", end_to_end, message, source):
                yield report


def _status_of(element: ET.Element | None, tag: str, end_to_end: str, message: str, source: str) -> BankReport | None:
    status = _get(element, tag)
    if not status or status == "PART":  # PART: the payments speak for themselves
        return None
    reason = _get(element, "StsRsnInf/Rsn/Cd") or _get(element, "StsRsnInf/Rsn/Prtry")
    answer = Answer.REJECTED if status in _REJECTED else Answer.ACCEPTED
    if answer is Answer.REJECTED and reason in _DUPLICATE:
        answer = Answer.DUPLICATE
    return BankReport(answer, end_to_end, message, "", "", None, reason, source)


# --- camt.052, camt.053, camt.054 ------------------------------------------------------------------------------


def _account(body: ET.Element, source: str) -> Iterator[BankReport | str]:
    for part in ("Stmt", "Ntfctn", "Rpt"):
        for statement in _all(body, part):
            for entry in _all(statement, "Ntry"):
                yield from _entry(entry, source)


def _entry(entry: ET.Element, source: str) -> Iterator[BankReport | str]:
    """Booked lines only; one report per transaction of a line that names an end-to-end id."""
    if (_get(entry, "Sts/Cd") or _get(entry, "Sts")) != "BOOK":
        return
    details = [each for detail in _all(entry, "NtryDtls") for each in _all(detail, "TxDtls")]
    if not details and _find(entry, "NtryDtls/Btch") is not None:
        yield f"a line of {source} books a whole batch without its payments; ask the bank to book them one by one"
    for each in details:
        end_to_end = _get(each, "Refs/EndToEndId")
        if end_to_end and end_to_end != "NOTPROVIDED":
            yield _transaction(entry, each, len(details), end_to_end, source)


def _transaction(entry: ET.Element, each: ET.Element, of: int, end_to_end: str, source: str) -> BankReport | str:
    money = _find(each, "Amt")
    if money is None:
        money = _find(each, "AmtDtls/TxAmt/Amt")
    if money is None and of == 1:
        money = _find(entry, "Amt")
    minor, currency = _amount(money)
    if minor is None:
        return f"{end_to_end} has no amount that can be read in {source}"
    debit = (_get(each, "CdtDbtInd") or _get(entry, "CdtDbtInd")) == "DBIT"
    if not debit and not _is_return(entry, each):
        return f"{end_to_end} stands in {source} as money coming in, and not as a return"
    reason = _get(each, "RtrInf/Rsn/Cd") or _get(each, "RtrInf/Rsn/Prtry")
    on = _day(_get(entry, "BookgDt/Dt") or _get(entry, "BookgDt/DtTm"))
    answer = Answer.SETTLED if debit else Answer.RETURNED
    return BankReport(answer, end_to_end, _get(each, "Refs/MsgId"), str(minor), currency, on, reason, source)


def _is_return(entry: ET.Element, each: ET.Element) -> bool:
    codes = {_get(at, "BkTxCd/Domn/Fmly/SubFmlyCd") for at in (entry, each)}
    return _find(each, "RtrInf") is not None or "RRTN" in codes or _get(entry, "RvslInd") == "true"


# --- pacs.004 -------------------------------------------------------------------------------------------------


def _returns(body: ET.Element, source: str) -> Iterator[BankReport | str]:
    group = _get(body, "OrgnlGrpInf/OrgnlMsgId")
    for each in _all(body, "TxInf"):
        end_to_end = _get(each, "OrgnlEndToEndId")
        minor, currency = _amount(_find(each, "RtrdIntrBkSttlmAmt"))
        if not end_to_end or minor is None:
            yield f"a return in {source} has no end-to-end id or no amount"
            continue
        on = _day(_get(each, "IntrBkSttlmDt") or _get(body, "GrpHdr/IntrBkSttlmDt"))
        reason = _get(each, "RtrRsnInf/Rsn/Cd") or _get(each, "RtrRsnInf/Rsn/Prtry")
        message = _get(each, "OrgnlGrpInf/OrgnlMsgId") or group
        yield BankReport(Answer.RETURNED, end_to_end, message, str(minor), currency, on, reason, source)


# --- elements -------------------------------------------------------------------------------------------------


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if _tag(child) == name)


def _find(element: ET.Element | None, path: str) -> ET.Element | None:
    for name in path.split("/"):
        if element is None:
            return None
        element = next(_all(element, name), None)
    return element


def _get(element: ET.Element | None, path: str) -> str:
    found = _find(element, path)
    return (found.text or "").strip() if found is not None else ""


def _amount(element: ET.Element | None) -> tuple[int | None, str]:
    """Whole minor units, or None for what is none."""
    currency = element.get("Ccy", "") if element is not None else ""
    try:
        amount = Decimal((element.text or "").strip() if element is not None else "")
        minor = amount.scaleb(minor_digits(currency))
    except InvalidOperation:
        return None, currency
    if not minor.is_finite() or not 0 <= minor < MAX_AMOUNT or minor != int(minor):
        return None, currency
    return int(minor), currency


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
