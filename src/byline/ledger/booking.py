"""Everything that moves money between accounts and is no division of it: holds, releases, withholding, FX, payouts.

Each function here makes a `Booking`, which is pure data with an id that is its hash; `Journal.book` writes it down,
once. A booking cannot take from an account of a payee, or from held money, more than is in it, and cannot pay the
operator: that only a policy does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from byline.core import PPM, LedgerError, PartyId, Record, WorkId, digest, make_id
from byline.ledger.allocate import allocate
from byline.ledger.entry import Posting, posting
from byline.ledger.lines import payable, unclaimed

BOOKING_RULE = "byline-booking-1"
BANK = "assets:bank"
FX = "equity:fx"
KINDS_OF_ACCOUNT = ("assets", "payable", "held", "income", "equity")


class Kind(StrEnum):
    """What a booking does."""

    HOLD = "hold"
    RELEASE = "release"
    CLAIM = "claim"
    RESERVE = "reserve-release"
    WITHHOLDING = "withholding"
    FX = "fx"
    ADVANCE = "advance"
    CONTRACT = "contract"
    PAYOUT = "payout"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Booking(Record):
    """Postings with the reason for them; `facts` are (name, value) pairs that the reason rests on, such as a rate, its
    source and its time, or the digest of a decision."""

    kind: Kind
    because: str
    facts: tuple[tuple[str, str], ...]
    postings: tuple[Posting, ...]

    @property
    def id(self) -> str:
        return make_id(self.kind.value, digest(self.inputs()))

    def inputs(self) -> dict[str, Any]:
        return {"rule": BOOKING_RULE, **self.to_json()}

    def refuse_if_wrong(self) -> None:
        """Raises: LedgerError("unbalanced"), LedgerError("bad-account"), LedgerError("operator-paid")."""
        for each in self.postings:
            _refuse_posting(each)


def booking_again(inputs: Mapping[str, Any]) -> Booking:
    """The booking of stored `Booking.inputs()`."""
    return Booking.from_json({name: value for name, value in inputs.items() if name != "rule"})


def book_moves(
    kind: Kind,
    because: str,
    day: date,
    moves: Mapping[str, Mapping[str, int]],
    facts: Mapping[str, str],
    reference: str,
) -> Booking:
    """A booking of `moves` (currency -> account -> nano-units), one posting per currency."""
    several = len(moves) > 1
    postings = tuple(
        posting(f"{reference}:{currency}" if several else reference, day, currency, of)
        for currency, of in sorted(moves.items())
    )
    return Booking(kind, because, tuple(sorted(facts.items())), postings)


# --- disputes -------------------------------------------------------------------------------------------------


def contested(case: str, party: PartyId) -> str:
    """The account in which the slice that `case` contests of the party's money waits."""
    return f"held:dispute:{case}:{party}"


def hold(case: str, party: PartyId, nano: int, currency: str, day: date, because: str) -> Booking:
    """Exactly `nano` of what the party is due waits until the case is decided; nobody else is affected."""
    _refuse_unless_positive(nano)
    moves = {payable(party): nano, contested(case, party): -nano}
    return book_moves(Kind.HOLD, because, day, {currency: moves}, {"case": case}, f"hold:{case}:{party}")


def release(
    case: str,
    party: PartyId,
    nano: int,
    shares: Sequence[tuple[PartyId, int]],
    currency: str,
    day: date,
    because: str,
) -> Booking:
    """What was held of the party's money, all of it, to those whom the decision names, with their parts per million.

    Raises: LedgerError("bad-split") unless they add up to the whole.
    """
    _refuse_unless_positive(nano)
    moves = {contested(case, party): nano}
    reference = f"release:{case}:{party}"
    for to, part in _parts(nano, shares, reference).items():
        moves[payable(to)] = -part
    return book_moves(Kind.RELEASE, because, day, {currency: moves}, {"case": case}, reference)


def claim(
    work: WorkId,
    nano: int,
    shares: Sequence[tuple[PartyId, int]],
    currency: str,
    day: date,
    because: str,
    evidence: str,
) -> Booking:
    """All the money of a work that waited for its rightful payees, to them. `evidence`: digest of the decision.

    Raises: LedgerError("bad-split") unless the shares add up to the whole.
    """
    _refuse_unless_positive(nano)
    moves = {unclaimed(work): nano}
    reference = f"claim:{work}:{evidence}"
    for to, part in _parts(nano, shares, reference).items():
        moves[payable(to)] = -part
    return book_moves(Kind.CLAIM, because, day, {currency: moves}, {"evidence": evidence, "work": work}, reference)


# --- tax and currency -----------------------------------------------------------------------------------------


def withholding(country: str) -> str:
    return f"held:withholding:{country}"


def withhold(
    party: PartyId, nano: int, rate_ppm: int, country: str, ground: str, currency: str, day: date, reference: str
) -> Booking:
    """Tax on `nano` that is about to be paid to the party, rounded down. `ground`: the legal basis, as printed.

    Raises: LedgerError("bad-rate").
    """
    _refuse_unless_positive(nano)
    if not 0 <= rate_ppm <= PPM:
        raise LedgerError("bad-rate", f"withholding at {rate_ppm} ppm", f"between 0 and {PPM}")
    tax = nano * rate_ppm // PPM
    facts = {"rate_ppm": str(rate_ppm), "on_nano": str(nano), "ground": ground}
    moves = {payable(party): tax, withholding(country): -tax}
    return book_moves(Kind.WITHHOLDING, ground, day, {currency: moves}, facts, f"withholding:{reference}:{party}")


def exchange(
    party: PartyId,
    nano: int,
    from_to: tuple[str, str],
    rate: tuple[int, int],
    quoted: tuple[str, datetime],
    day: date,
    reference: str,
) -> Booking:
    """`nano` of what the party is due, turned into another currency at `rate` = (numerator, denominator) units of the
    new for one of the old, rounded down. `quoted`: the source of the rate and its time.

    Raises: LedgerError("bad-rate").
    """
    _refuse_unless_positive(nano)
    old, new = from_to
    if min(rate) <= 0 or old == new:
        raise LedgerError("bad-rate", f"{old} to {new} at {rate[0]}/{rate[1]}", "two currencies and a positive rate")
    got = nano * rate[0] // rate[1]
    moves = {old: {payable(party): nano, FX: -nano}, new: {payable(party): -got, FX: got}}
    facts = {"rate": f"{rate[0]}/{rate[1]}", "source": quoted[0], "quoted": quoted[1].isoformat()}
    return book_moves(Kind.FX, f"{old} into {new}", day, moves, facts, f"fx:{reference}:{party}")


# --- checks ---------------------------------------------------------------------------------------------------


def _parts(nano: int, shares: Sequence[tuple[PartyId, int]], salt: str) -> dict[PartyId, int]:
    weights: dict[str, int] = {party: ppm for party, ppm in shares}
    if sum(weights.values()) != PPM or len(weights) != len(shares):
        raise LedgerError("bad-split", f"shares of {salt} add to {sum(ppm for _, ppm in shares)} ppm", "give all of it")
    return {PartyId(to): part for to, part in allocate(nano, weights, salt).items()}


def _refuse_unless_positive(nano: int) -> None:
    if nano <= 0:
        raise LedgerError("bad-amount", f"{nano} nano cannot be booked", "give an amount above zero")


def _refuse_posting(each: Posting) -> None:
    names = [account for account, _ in each.legs]
    if names != sorted(set(names)) or not all(_known(name) for name in names):
        raise LedgerError(
            "bad-account", f"{each.reference} moves {', '.join(names)}", "known accounts, once each, in order"
        )
    if sum(each.moves().values()) or not names:
        raise LedgerError("unbalanced", f"legs of {each.reference} add up to {sum(each.moves().values())} nano")
    for account, nano in each.moves().items():
        if account.startswith("income:") and nano < 0:
            raise LedgerError("operator-paid", f"{each.reference} pays {-nano} nano to {account}", "only a policy does")


def _known(account: str) -> bool:
    kind, _, name = account.partition(":")
    return kind in KINDS_OF_ACCOUNT and bool(name)
