"""Who is paid how much today, and who is not and why: a pure function from balances to payment instructions.

Amounts are rounded down to minor units here and nowhere before; what is left stays in the payee's own account. What is
below the threshold is carried forward, never given to others, and a payee may ask to be paid anyway. Ids of messages
and payments are hashes of what they pay, so that making a file again makes the same file, and a bank that has it
already refuses the second one as a duplicate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban

from byline.core import PPM, LedgerError, PartyId, Record, digest
from byline.ledger.booking import withholding
from byline.ledger.grown import GrownRecord
from byline.ledger.settlement import payable
from byline.ledger.statement import minor_digits

PREFIX = "BYL"  # of every message id and end-to-end id that we give out; both have at most 35 characters
CLEARING = "assets:clearing:payouts"  # money that a bank was told to pay and has not yet reported
MAX_MINOR = 10**15  # ISO 20022 allows 18 digits; no payout comes near


class Standing(StrEnum):
    """Whether a payee may be paid, as whoever checks identities and sanctions lists says."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Payee(Record):
    """Where a party wants its money: an account (`iban`, `bic`) or the `token` under which a payment provider knows it.

    This is never kept in the database and never hashed: it is read for making a file and forgotten.
    Raises: LedgerError("bad-payee") if an account number's check digits are wrong, or a text cannot stand in a file.
    """

    party: PartyId
    name: str
    iban: str = ""
    bic: str = ""
    token: str = ""
    standing: Standing = Standing.VERIFIED

    def __post_init__(self) -> None:
        if self.iban and not stdnum_iban.is_valid(self.iban):
            raise LedgerError(
                "bad-payee", f"{self.name}: the IBAN fails its check digits", "ask the payee for it again"
            )
        if self.bic and not stdnum_bic.is_valid(self.bic):
            raise LedgerError(
                "bad-payee", f"{self.name}: {self.bic!r} is no BIC", "leave it empty inside the euro area"
            )
        if not self.name.strip() or not self.name.isprintable():
            raise LedgerError("bad-payee", f"{self.name!r} cannot name a payee in a file", "write the name as on paper")
        if not ((self.token.isascii() and self.token.replace("-", "").replace("_", "").isalnum()) or not self.token):
            raise LedgerError(
                "bad-payee", f"{self.name}: the token {self.token!r} has other signs than letters, digits, _"
            )


@dataclass(frozen=True, slots=True)
class PayoutRule(Record):
    """`threshold_minor`: below it, in minor units, money is carried forward; `anyway`: parties who asked to be paid all
    the same. Raises: LedgerError("bad-payout")."""

    currency: str  # ISO 4217
    threshold_minor: int
    anyway: tuple[PartyId, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold_minor < 0:
            raise LedgerError("bad-payout", f"the threshold is {self.threshold_minor}", "give 0 or more minor units")


class Reason(StrEnum):
    """Why a party that is owed something is not paid today."""

    THRESHOLD = "below-threshold"
    FRACTION = "below-one-unit"
    NO_ACCOUNT = "no-account"
    UNVERIFIED = "unverified"
    BLOCKED = "blocked"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class Carried(Record):
    """Money that stays in the party's own account."""

    party: PartyId
    amount_nano: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Withholding(Record):
    """Tax that is kept back from what a party is paid: its rate, the country it is owed to, the legal ground as it is
    printed, and the last day on which this holds. The form that shows it stays with whoever checked it.

    Raises: LedgerError("bad-rate").
    """

    party: PartyId
    rate_ppm: int
    country: str
    ground: str
    until: date

    def __post_init__(self) -> None:
        country = self.country
        if not (0 < self.rate_ppm < PPM and len(country) == 2 and country.isalpha() and country.isupper()):
            told = f"{self.party}: {self.rate_ppm} ppm to {country!r}"
            raise LedgerError("bad-rate", told, "a rate above 0 and below 100 %, and a country as DE")
        if not self.ground.strip():
            raise LedgerError("bad-rate", f"{self.party}: no legal ground", "name the law or the treaty")


@dataclass(frozen=True, slots=True)
class Instruction(GrownRecord):
    """One payment. `legs` are what sending it books, (account, nano-units as text), as signed in the journal.

    `amount_minor` is what the bank pays; `tax_minor` was withheld before, on the `ground` that is printed.
    """

    end_to_end: str
    party: PartyId
    amount_minor: str
    legs: tuple[tuple[str, str], ...]
    tax_minor: str = "0"
    ground: str = ""

    @property
    def minor(self) -> int:
        return int(self.amount_minor)


@dataclass(frozen=True, slots=True)
class Batch(Record):
    """The payments of one day in one currency, ordered by party. `id` is the message id; `number` counts batches."""

    id: str
    number: int
    rule: PayoutRule
    execution: date
    recorded: datetime
    instructions: tuple[Instruction, ...]
    carried: tuple[Carried, ...]

    @property
    def total_minor(self) -> int:
        return sum(instruction.minor for instruction in self.instructions)


def nano_per_minor(currency: str) -> int:
    unit: int = 10 ** (9 - minor_digits(currency))
    return unit


def minor_text(minor: int, currency: str) -> str:
    """A whole number of minor units in major units, such as 10.12, as files of payments have it."""
    digits = minor_digits(currency)
    return f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}" if digits else str(minor)


def plan_payout(
    balances: Mapping[str, int],
    payees: Sequence[Payee],
    rule: PayoutRule,
    *,
    number: int,
    execution: date,
    recorded: datetime,
    merged: Mapping[PartyId, PartyId] | None = None,
    taxed: Sequence[Withholding] = (),
) -> Batch:
    """The batch that pays what `balances` owe (signed nano-units per account: owed is negative).

    `merged` names the party that an alias was found to be: its balance is paid together with theirs, and the legs take
    it from the account where it lay. `taxed`: tax to withhold, rounded down to minor units; what the bank rejects gives
    it back with the rest. Raises: LedgerError("bad-payout") if a party has two payees or two taxes.
    """
    known = {payee.party: payee for payee in payees}
    taxes = {one.party: one for one in taxed if one.until >= execution}
    if len(known) != len(payees):
        raise LedgerError("bad-payout", "a party stands twice among the payees", "give each party one account")
    if len({one.party for one in taxed}) != len(taxed):
        raise LedgerError("bad-payout", "a party stands twice among the taxed", "give each party one rate")
    drafts, carried = [], []
    for party, accounts in sorted(_owed(balances, merged or {}).items()):
        due = sum(accounts.values())
        minor = due // nano_per_minor(rule.currency)
        reason = _reason(minor, known.get(party), rule, party) if due > 0 else None
        if reason:
            carried.append(Carried(party, str(due), reason))
        elif due > 0:
            drafts.append(_draft(party, accounts, minor, nano_per_minor(rule.currency), taxes.get(party)))
    draft = Batch("", number, rule, execution, recorded, tuple(drafts), tuple(carried))
    return _named(draft)


def _owed(balances: Mapping[str, int], merged: Mapping[PartyId, PartyId]) -> dict[PartyId, dict[str, int]]:
    """Per party the accounts that are its own, with what is owed in each (negative: overpaid)."""
    owed: dict[PartyId, dict[str, int]] = {}
    for account, nano in balances.items():
        kind, _, name = account.partition(":")
        if kind == "payable" and nano:
            party = PartyId(name)
            owed.setdefault(merged.get(party, party), {})[account] = -nano
    return owed


def _reason(minor: int, payee: Payee | None, rule: PayoutRule, party: PartyId) -> Reason | None:
    if payee is not None and payee.standing is Standing.BLOCKED:
        return Reason.BLOCKED
    if payee is not None and payee.standing is Standing.UNVERIFIED:
        return Reason.UNVERIFIED
    if payee is None or not (payee.iban or payee.token):
        return Reason.NO_ACCOUNT
    if minor < 1:
        return Reason.FRACTION
    if minor < rule.threshold_minor and party not in rule.anyway:
        return Reason.THRESHOLD
    return Reason.TOO_LARGE if minor > MAX_MINOR else None


def _draft(
    party: PartyId, accounts: Mapping[str, int], minor: int, unit: int, withheld: Withholding | None
) -> Instruction:
    """Other accounts of the party are emptied, its own keeps the remainder; what goes out waits in clearing, and the
    tax in the account of its country."""
    own, tax = payable(party), minor * withheld.rate_ppm // PPM if withheld else 0
    legs = {account: owed for account, owed in accounts.items() if account != own}
    legs[own] = minor * unit - sum(legs.values())
    legs[CLEARING] = -(minor - tax) * unit
    ground = ""
    if withheld and tax:
        legs[withholding(withheld.country)] = -tax * unit
        ground = f"{withheld.rate_ppm / 10_000:g} % tax to {withheld.country}: {withheld.ground}"
    ordered = tuple((account, str(amount)) for account, amount in sorted(legs.items()) if amount)
    return Instruction("", party, str(minor - tax), ordered, str(tax), ground)


def _named(draft: Batch) -> Batch:
    """Ids from what is paid, to whom, when, and how many batches there were before; not from the moment of making."""
    told = [[one.party, one.amount_minor, [list(leg) for leg in one.legs]] for one in draft.instructions]
    seal = digest([draft.number, draft.rule.currency, draft.execution.isoformat(), told])
    named = [
        replace(one, end_to_end=f"{PREFIX}E{digest([seal, one.party])[:31].upper()}") for one in draft.instructions
    ]
    return replace(draft, id=f"{PREFIX}{seal[:32].upper()}", instructions=tuple(named))
