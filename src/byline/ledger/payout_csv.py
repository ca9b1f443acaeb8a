"""Files for payment providers, who know payees by a token and amounts in minor units, and what they report back.

Names and account numbers stay out of them. The idempotency key is the end-to-end id: a provider that gets the same row
twice pays it once.
"""

import csv
import io
from collections.abc import Sequence

from byline.core import LedgerError, Problem, Source
from byline.ledger.payout import Batch, Payee
from byline.ledger.payout_bank import Answer, BankReport
from byline.ledger.payout_pain001 import PURPOSE

COLUMNS = ("idempotency_key", "destination", "amount_minor", "currency", "purpose", "transfer_group")
_ANSWERS = {"paid": Answer.SETTLED, "failed": Answer.REJECTED, "returned": Answer.RETURNED, "pending": Answer.ACCEPTED}


def provider_csv(batch: Batch, payees: Sequence[Payee]) -> bytes:
    """The transfers of `batch`. Raises: LedgerError("nothing-to-pay"), LedgerError("no-token")."""
    if not batch.instructions:
        raise LedgerError(
            "nothing-to-pay", "no party reaches the threshold", "wait, or pay those who ask for it anyway"
        )
    tokens = {payee.party: payee.token for payee in payees}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in batch.instructions:
        if not tokens.get(one.party):
            raise LedgerError(
                "no-token", f"{one.party} has no token", "onboard the payee with the provider, or use a bank"
            )
        row = (one.end_to_end, tokens[one.party], one.amount_minor, batch.rule.currency, PURPOSE, batch.id)
        writer.writerow(row)
    return text.getvalue().encode()


def read_provider_csv(content: bytes, name: str) -> tuple[list[BankReport], list[Problem]]:
    """Answers with the columns idempotency_key, status (paid, failed, returned, pending), amount_minor, currency and
    reason; rows that cannot be read come back as problems. Raises: LedgerError("bad-bank-file")."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise LedgerError(
            "bad-bank-file", f"{name} is not CSV: {fault}", "give the file as the provider made it"
        ) from fault
    reports, problems = [], []
    for line, row in enumerate(rows, 2):
        answer = _ANSWERS.get((row.get("status") or "").lower())
        amount = row.get("amount_minor") or ""
        if (
            answer is None
            or not row.get("idempotency_key")
            or not ((amount.isascii() and amount.isdigit()) or not amount)
        ):
            problems.append(
                Problem("bank-entry", Source(name, line), f"status {row.get('status')!r}, amount {amount!r}")
            )
            continue
        told = (row["idempotency_key"], "", str(int(amount)) if amount else "", row.get("currency") or "")
        reports.append(BankReport(answer, *told, None, row.get("reason") or "", name))
    return reports, problems
