"""Writing a batch as a bank wants it: ISO 20022 pain.001.001.09, customer credit transfer initiation.

The same batch and payees give the same bytes. The purpose of every payment is ROYA (royalties). Text is brought to the
basic Latin letters that every SEPA bank takes, unless told otherwise.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from xml.etree import ElementTree as ET

from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban

from byline.core import LedgerError
from byline.ledger.payout import Batch, Instruction, Payee, minor_text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
PURPOSE = "ROYA"
_NAME, _NOTE = 70, 140  # the SEPA rulebook's lengths; the message itself allows 140 for a name
_LATIN = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "’": "'",
        "–": "-",
        "—": "-",
        "&": "+",
    }
)
_BASIC = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")


@dataclass(frozen=True, slots=True)
class Debtor:
    """Whose account pays. Raises: LedgerError("bad-debtor")."""

    name: str
    iban: str
    bic: str = ""
    basic_latin: bool = True  # False: leave names as they are written

    def __post_init__(self) -> None:
        if not stdnum_iban.is_valid(self.iban) or not self.name.strip() or not self.name.isprintable():
            raise LedgerError("bad-debtor", f"{self.name!r} with account {self.iban!r} cannot pay", "check the IBAN")
        if self.bic and not stdnum_bic.is_valid(self.bic):
            raise LedgerError("bad-debtor", f"{self.bic!r} is no BIC", "leave it empty inside the euro area")


def pain001(batch: Batch, payees: Sequence[Payee], debtor: Debtor, note: str = "Royalties") -> bytes:
    """The file for `batch`, UTF-8. `note` is what payees see beside the payment.

    Raises: LedgerError("nothing-to-pay") for a batch without payments, LedgerError("no-iban") for a payee without one.
    """
    if not batch.instructions:
        raise LedgerError(
            "nothing-to-pay", "no party reaches the threshold", "wait, or pay those who ask for it anyway"
        )
    known = {payee.party: payee for payee in payees}
    document = ET.Element("Document", xmlns=NAMESPACE)
    message = ET.SubElement(document, "CstmrCdtTrfInitn")
    header = ET.SubElement(message, "GrpHdr")
    _put(header, "MsgId", batch.id)
    _put(header, "CreDtTm", batch.recorded.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    _totals(header, batch)
    _put(header, "InitgPty/Nm", _text(debtor.name, debtor, _NAME))
    payment = _payment(message, batch, debtor)
    for instruction in batch.instructions:
        payee = known.get(instruction.party)
        if payee is None or not payee.iban:
            raise LedgerError("no-iban", f"{instruction.party} has no IBAN", "pay by a provider's file instead")
        _transfer(payment, instruction, payee, batch, debtor, note)
    ET.indent(document, " ")
    written: bytes = ET.tostring(document, encoding="UTF-8", xml_declaration=True)
    return written + b"\n"


def _payment(message: ET.Element, batch: Batch, debtor: Debtor) -> ET.Element:
    payment = ET.SubElement(message, "PmtInf")
    _put(payment, "PmtInfId", batch.id)
    _put(payment, "PmtMtd", "TRF")
    _put(payment, "BtchBookg", "false")  # one line per payment on the statement, or returns could not be told apart
    _totals(payment, batch)
    if batch.rule.currency == "EUR":
        _put(payment, "PmtTpInf/SvcLvl/Cd", "SEPA")
    _put(payment, "ReqdExctnDt/Dt", batch.execution.isoformat())
    _put(payment, "Dbtr/Nm", _text(debtor.name, debtor, _NAME))
    _put(payment, "DbtrAcct/Id/IBAN", stdnum_iban.compact(debtor.iban))
    agent = ET.SubElement(ET.SubElement(payment, "DbtrAgt"), "FinInstnId")
    _put(agent, *(("BICFI", stdnum_bic.compact(debtor.bic)) if debtor.bic else ("Othr/Id", "NOTPROVIDED")))
    _put(payment, "ChrgBr", "SLEV")
    return payment


def _transfer(
    payment: ET.Element, instruction: Instruction, payee: Payee, batch: Batch, debtor: Debtor, note: str
) -> None:
    transfer = ET.SubElement(payment, "CdtTrfTxInf")
    _put(transfer, "PmtId/EndToEndId", instruction.end_to_end)
    amount = _put(transfer, "Amt/InstdAmt", minor_text(instruction.minor, batch.rule.currency))
    amount.set("Ccy", batch.rule.currency)
    if payee.bic:
        _put(transfer, "CdtrAgt/FinInstnId/BICFI", stdnum_bic.compact(payee.bic))
    _put(transfer, "Cdtr/Nm", _text(payee.name, debtor, _NAME))
    _put(transfer, "CdtrAcct/Id/IBAN", stdnum_iban.compact(payee.iban))
    _put(transfer, "Purp/Cd", PURPOSE)
    _put(transfer, "RmtInf/Ustrd", _text(f"{note} {instruction.end_to_end}", debtor, _NOTE))


def _totals(parent: ET.Element, batch: Batch) -> None:
    _put(parent, "NbOfTxs", str(len(batch.instructions)))
    _put(parent, "CtrlSum", minor_text(batch.total_minor, batch.rule.currency))


def _put(parent: ET.Element, path: str, text: str) -> ET.Element:
    """The elements of `path`, one in the other, the last with `text`."""
    for name in path.split("/"):
        parent = ET.SubElement(parent, name)
    parent.text = text
    return parent


def _text(text: str, debtor: Debtor, length: int) -> str:
    if debtor.basic_latin:
        plain = unicodedata.normalize("NFKD", text.translate(_LATIN))
        letters = (c for c in plain if not unicodedata.combining(c))
        text = "".join(c if c in _BASIC else "." for c in letters)
    return text.strip()[:length].strip()
