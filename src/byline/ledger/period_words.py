"""The sentences of a statement for people: what was earned and from what, what is coming, what is waiting."""

from collections.abc import Mapping, Sequence
from typing import Any

from byline.core import PPM
from byline.ledger.formula import decimal_text
from byline.ledger.statement import amount_text

PERIOD_KIND = "byline-period-1"
_CHANGES = {
    "money": ("More money came in", "Less money came in"),
    "count": ("More outputs were paid for", "Fewer outputs were paid for"),
    "price": ("An output brought more money", "An output brought less money"),
    "shares": (
        "The measured share of your works grew, or other works left",
        "The measured share of your works shrank, or other works came",
    ),
    "lambda": ("The reliability (lambda) of the measurement changed",) * 2,
    "policy": ("The pay rule (policy) changed",) * 2,
    "splits": ("The agreed split of your works changed",) * 2,
    "outputs": ("Outputs were priced one by one",) * 2,
    "corrections": ("Corrections of earlier periods",) * 2,
}


def change_words(name: str, nano: int) -> str:
    """What a part of the change is called."""
    return _CHANGES[name][nano < 0]


def money_text(nano: int, currency: str) -> str:
    """As in running text: EUR 12.34, cut to whole minor units."""
    return " ".join(reversed(amount_text(nano, currency).split(" ")))


def summary(body: Mapping[str, Any]) -> str:
    """A few sentences; the first says what was earned, and from what."""
    sentences = [_earned(body), _by_measure(body), _corrected(body), _balance(body), _waiting(body), _change(body)]
    return " ".join(sentence for sentence in sentences if sentence)


def _earned(body: Mapping[str, Any]) -> str:
    earning = int(body["sums"].get("earning_nano", "0"))
    amount, period = money_text(earning, body["currency"]), body["period"]["says"]
    lines = [line for line in body["lines"] if line["kind"] == "earning"]
    if not lines:
        return f"You earned {amount} in {period}: no payment reached you."
    works = len({line["work"] for line in lines})
    return f"You earned {amount} in {period}: {_sources(body, lines, works)}."


def _corrected(body: Mapping[str, Any]) -> str:
    corrections = int(body["sums"].get("adjustment_nano", "0"))
    verb = "added" if corrections > 0 else "took back"
    amount = money_text(abs(corrections), body["currency"])
    return f"Corrections of earlier statements {verb} {amount}." if corrections else ""


def _sources(body: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], works: int) -> str:
    """What the works did, as far as it is known: outputs that were looked at, outputs that were paid for, payments."""
    payments = body["payments"]
    helped, asked = (body["evidence"].get(name, 0) for name in ("helped", "outputs"))
    if helped:
        measured = len({line["work"] for line in lines if line["basis"] == "attribution"})
        wrote = f"{count(measured, 'of your works')} helped write {helped} of the {count(asked, 'output')} looked at"
        return wrote if measured == works else f"{wrote}, and {count(works, 'of them')} taught the model"
    paid = sum(payment["outputs"] for payment in payments)
    source = count(paid, "paid output") if paid else count(len(payments), "payment")
    return f"{count(works, 'of your works')} {'has' if works == 1 else 'have'} a share in {source}"


def _by_measure(body: Mapping[str, Any]) -> str:
    sums = body["sums"]
    if not int(sums.get("earning_nano", "0")) or not body["terms"]:
        return ""
    by_measure = money_text(int(sums.get("earning:attribution_nano", "0")), body["currency"])
    lambdas = sorted({terms["reliability"]["lambda_ppm"] for terms in body["terms"]})
    said = " and ".join(decimal_text(lam, PPM) for lam in lambdas)
    return f"{by_measure} of it follows measured influence (reliability {said} of 1), the rest the agreed rule."


def _balance(body: Mapping[str, Any]) -> str:
    currency, sums = body["currency"], body["sums"]
    closing = int(body["closing"]["nano"])
    paid = -int(sums.get("payout_nano", "0")) - int(sums.get("return_nano", "0"))
    got = f"{money_text(paid, currency)} was paid out to you; " if paid else ""
    rest = f"your account stands at {money_text(closing, currency)}"
    sentence = got + rest + (", carried forward." if body["carried"] else ".")
    return sentence[0].upper() + sentence[1:]


def _waiting(body: Mapping[str, Any]) -> str:
    waiting = sum(int(item["amount_nano"]) for item in body["waiting"] if int(item["amount_nano"]) > 0)
    return f"{money_text(waiting, body['currency'])} more is waiting; the reasons stand below." if waiting else ""


def _change(body: Mapping[str, Any]) -> str:
    change = body["change"]
    if not change:
        return ""
    difference = int(change["difference_nano"])
    word = "more than" if difference > 0 else "less than" if difference < 0 else "exactly as much as"
    amount = f"{money_text(abs(difference), body['currency'])} " if difference else ""
    that = "With the corrections, that is" if int(body["sums"].get("adjustment_nano", "0")) else "That is"
    return f"{that} {amount}{word} in {change['since']['says']}."


def count(number: int, what: str) -> str:
    """1 payment, 2 payments; 3 of your works."""
    return f"{number:,} {what}" if what.startswith("of ") or number == 1 else f"{number:,} {what}s"
