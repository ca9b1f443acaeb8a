"""From the movements of an account to the lines of a statement; the lines of a movement add up to it.

A line is a plain object, ready for canonical JSON: every amount is text in nano-units, positive to the payee's good.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from byline.core import PPB, PartyId, RevenueEvent, Share, WorkId
from byline.ledger.account import Movement, PayeeAccounts
from byline.ledger.contracts import advance_account
from byline.ledger.formula import formula
from byline.ledger.lines import Basis, Line, Settlement, payable

EARNING, ADJUSTMENT = "earning", "adjustment"
# How a line of the account is named, by the run that it came from.
_SAYS = {
    "hold": "Held back while a dispute is decided",
    "release": "Released to you",
    "claim": "Money that waited for its rightful payee",
    "reserve-release": "Your part of the reserve, released",
    "withholding": "Tax withheld",
    "fx": "Exchanged into another currency",
    "advance": "Advance",
    "contract": "By your own contract",
    "payout": "Paid to you",
    "return": "Came back from the bank",
}
RECOUPED = "advance-recouped"


def account_lines(
    accounts: PayeeAccounts, party: PartyId, movement: Movement, titles: Mapping[WorkId, str], signed: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Lines of one movement. `signed`: settlement -> digest of the payee's statement about it, where there is one."""
    if movement.kind == "settlement":
        yield from _earnings(accounts, party, movement, titles)
    elif movement.kind == "adjustment":
        yield from _corrections(accounts, party, movement, titles, signed)
    else:
        yield from _bookings(accounts, party, movement)


# --- what a settlement gave -----------------------------------------------------------------------------------


def _earnings(
    accounts: PayeeAccounts, party: PartyId, movement: Movement, titles: Mapping[WorkId, str]
) -> Iterator[dict[str, Any]]:
    settlement = accounts.settlement(movement.run)
    event = event_of_settlement(settlement, movement.event)
    for line in accounts.lines(movement.run, movement.event, payable(party)):
        yield {
            **_base(movement, EARNING, line.amount_nano, BASIS_SAYS[line.basis.value]),
            **_work(line, titles),
            "event": event.id,
            "basis": line.basis.value,
            **_shares(line, settlement, accounts.measured(movement.run, line)),
            "cluster_nano": line.cluster_nano,
            "formula": formula(line, event, settlement),
        }


BASIS_SAYS = {
    Basis.ATTRIBUTION.value: "Measured influence on what the model wrote",
    Basis.TRAINING.value: "For having taught the model",
    Basis.PRIOR.value: "By the agreed rule, where nothing could be measured",
    Basis.FLAT.value: "The same for every work that was named",
    Basis.TOLL.value: "By how often the work was asked for",
}


def event_of_settlement(settlement: Settlement, name: str) -> RevenueEvent:
    return next(event for event in settlement.events if event.id == name)


def _shares(line: Line, settlement: Settlement, share: Share | None) -> dict[str, Any]:
    """The part of the whole, with its interval where it was measured, and what the line would be at either end of it.

    Both ends are rounded down; where the measured share is zero there is no line."""
    weight, whole = line.share
    found: dict[str, Any] = {
        "share_ppb": weight * PPB // whole,
        "interval_ppb": None,
        "interval_nano": None,
        "lambda_ppm": settlement.terms.reliability.lambda_ppm,
        "split_ppm": line.split_ppm,
    }
    if share:
        ends = (share.low_ppb, share.high_ppb)
        found["interval_ppb"] = list(ends)
        found["interval_nano"] = [str(line.nano * end // share.ppb) for end in ends] if share.ppb else None
    return found


# --- what a correction changed --------------------------------------------------------------------------------


def _corrections(
    accounts: PayeeAccounts, party: PartyId, movement: Movement, titles: Mapping[WorkId, str], signed: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """One line per work and basis that changed: what stood there, what is right, and which statement had said it."""
    adjustment = accounts.adjustment(movement.run)
    before = _by_part(accounts, adjustment.after, movement.event, party)
    after = _by_part(accounts, movement.run, movement.event, party)
    for key in sorted(before | after):
        was, now = (sum(line.nano for line in of.get(key, [])) for of in (before, after))
        if was == now:
            continue
        any_line = (after.get(key) or before[key])[0]
        yield {
            **_base(movement, ADJUSTMENT, str(now - was), f"Correction: {adjustment.because}"),
            **_work(any_line, titles),
            "event": movement.event,
            "basis": any_line.basis.value,
            "before_nano": str(was),
            "after_nano": str(now),
            "before_split_ppm": sum(line.split_ppm for line in before.get(key, [])),
            "after_split_ppm": sum(line.split_ppm for line in after.get(key, [])),
            "because": adjustment.because,
            "corrects": {
                "settlement": adjustment.replaces,
                "run": adjustment.after,
                "statement": signed.get(adjustment.replaces, ""),
            },
        }


def _by_part(accounts: PayeeAccounts, run: str, event: str, party: PartyId) -> dict[tuple[str, str], list[Line]]:
    found: dict[tuple[str, str], list[Line]] = {}
    for line in accounts.lines(run, event, payable(party)):
        found.setdefault((line.work or "", line.basis.value), []).append(line)
    return found


# --- everything else ------------------------------------------------------------------------------------------


def _bookings(accounts: PayeeAccounts, party: PartyId, movement: Movement) -> Iterator[dict[str, Any]]:
    """A contract's booking is two things to a payee: what was added, and what of an advance was paid back."""
    because, facts = accounts.because(movement.run)
    kept = {name: facts[name] for name in sorted(facts) if not name.startswith("party:")}
    recouped = -int(dict(movement.others).get(advance_account(party), "0")) if movement.kind == "contract" else 0
    if recouped:
        says = "Paid back of an advance"
        yield {**_base(movement, RECOUPED, str(-recouped), says), "because": because, "facts": kept}
    if movement.nano + recouped:
        rest = movement.nano + recouped
        says = _says(movement.kind, because, rest)
        yield {**_base(movement, movement.kind, str(rest), says), "because": because, "facts": kept}


def _says(kind: str, because: str, nano: int) -> str:
    if because == "inherited":
        return "Inherited" if nano > 0 else "Handed over to your heirs"
    if kind in ("release", "claim") and nano < 0:
        return "Released to others"
    return _SAYS.get(kind, kind.replace("-", " ").capitalize())


# --- parts of every line --------------------------------------------------------------------------------------


def _base(movement: Movement, kind: str, amount_nano: str, says: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "day": movement.effective.isoformat(),
        "says": says,
        "amount_nano": amount_nano,
        "entry": movement.entry,
        "leaf": movement.leaf,
        "run": movement.run,
    }


def _work(line: Line, titles: Mapping[WorkId, str]) -> dict[str, Any]:
    return {
        "work": line.work or "",
        "title": titles.get(line.work, "") if line.work else "",
        "cluster": line.cluster or "",
    }
