"""For operators: what a bank or a payment provider answers to a payout, shown first and then booked."""

import base64
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from byline.app.payouts import apply_answers, book_of, read_answers
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.payouts import MOST, STATES
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError, Problem, digest
from byline.ledger import Applied, BankReport, Move, follow, minor_text


def add(doors: Doors) -> None:
    doors.page("POST", "/operate/payouts/answer", Role.OPERATOR, reads=True, back="/operate/payouts")(answer)
    doors.page("POST", "/operate/payouts/answer/book", Role.OPERATOR, back="/operate/payouts")(book)


def answer(visit: Visit) -> Answer:
    """What a bank's or a provider's answer would book. Nothing is booked."""
    content = visit.upload.content if visit.upload else b""
    with visit.at("answer"):
        if not content:
            raise AppError("empty-field", "there is no file", "choose the file that the bank sent")
        if len(content) > MOST:
            raise AppError("too-long", "the file has more than a million bytes", "the command payout reads it")
        reports, problems = _reports(content)
    visit.refuse_faults()
    applied = _followed(visit, reports)
    said = [each.says for each in (*problems, *applied.problems)]
    data = {"rows": [_row(visit, move) for move in applied.moves], "problems": said, "applied": applied,
            "content": base64.b64encode(content).decode(), "seal": _seal(applied.moves)}  # fmt: skip
    return Page("payout-answer.html", "What the bank says", data)


def book(visit: Visit) -> Answer:
    """Book exactly what was shown. Raises: AppError("shown-otherwise")."""
    try:
        content = base64.b64decode(visit.field("content", 2 * MOST), validate=True)
    except ValueError as fault:  # binascii.Error is one
        raise AppError("shown-otherwise", "the answer did not come back whole", "send the file again") from fault
    reports, _ = _reports(content)
    if _seal(_followed(visit, reports).moves) != visit.field("seal", 100):
        raise AppError("shown-otherwise", "the books have changed since this was shown", "send the file again")
    applied = apply_answers(visit.home, reports, visit.now)
    visit.did(f"booked {len(applied.moves)} moves by an answer of the bank", _seal(applied.moves))
    return Onward("/operate/payouts")


def _reports(content: bytes) -> tuple[list[BankReport], list[Problem]]:
    """Raises: LedgerError("bad-bank-file")."""
    with TemporaryDirectory(prefix="byline-answer-") as folder:
        plain = content.removeprefix(b"\xef\xbb\xbf").lstrip()
        path = Path(folder) / ("answer.xml" if plain.startswith(b"<") else "answer.csv")
        path.touch(0o600)
        path.write_bytes(content)
        return read_answers([path])


def _followed(visit: Visit, reports: Sequence[BankReport]) -> Applied:
    book = book_of(visit.home)
    return follow(reports, book.batches(), book.moves(), visit.now)


def _seal(moves: Sequence[Move]) -> str:
    return digest([[move.reference, [list(leg) for leg in move.legs]] for move in moves])


def _row(visit: Visit, move: Move) -> dict[str, str]:
    found = [(batch, each) for batch in book_of(visit.home).batches() for each in batch.instructions
             if each.end_to_end == move.end_to_end]  # fmt: skip
    batch, instruction = found[0]
    return {"name": visit.home.names.get(instruction.party, instruction.party), "reason": move.reason,
            "amount": f"{minor_text(instruction.minor, batch.rule.currency)} {batch.rule.currency}",
            "state": STATES.get(move.kind.value, move.kind.value)}  # fmt: skip
