"""What was settled, computed again with what is known about people today; only the differences are booked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache

from byline.app.home import Home, looked_at
from byline.app.money import splits_in_force
from byline.core import PartyId, Problem, Source, Split, WorkId
from byline.ledger import (
    NEW,
    Change,
    JournalAccounts,
    Settlement,
    Stake,
    Unclaimed,
    compare,
    inherited_moves,
    open_payout_book,
    resettle,
    unclaimed,
    unclaimed_list,
)
from byline.registry import Division, People

_UNCLAIMED = unclaimed(WorkId(""))


@dataclass(frozen=True, slots=True)
class Correction:
    """Of one settlement: what it is replaced by, and what that changes for each account. `booked`: False if shown."""

    replaces: str
    settlement: Settlement
    changes: tuple[Change, ...]
    booked: bool


def correct_all(
    home: Home, day: date, because: str, now: datetime, dry_run: bool = False
) -> tuple[list[Correction], list[Problem]]:
    """Correct every settlement that what is known now divides otherwise; the entries and the statements that are there
    stay as they are. Doing it again books nothing.

    Problem code: "given-away" for a work whose held money a vote or a claim has given away already: its division is
    left as it was. Who was paid more than is theirs owes it to their own account, and gets less of later money.
    """
    corrections, problems = [], []
    for name in home.journal.settlement_ids():
        standing = home.journal.standing(name)
        found, faults = _corrected(home, standing, name)
        changes = tuple(change for change in compare(standing, found) if change.nano)
        problems += faults
        if changes:
            booked = not dry_run and home.journal.adjust(found, name, day, because, now)
            corrections.append(Correction(name, found, changes, booked))
    if any(each.booked for each in corrections):
        home.log.append("journal", home.journal.head().digest())
    return corrections, problems


def hand_over(home: Home, day: date, now: datetime) -> int:
    """What is still owed to parties whom others have succeeded goes to these; how many moves that were."""
    heirs, moves = People(home.journal.engine, home.registry).known().heirs(day), 0
    book = open_payout_book(home.journal.engine, JournalAccounts(home.journal))
    for currency in home.journal.currencies():
        moves += book.release(inherited_moves(home.journal.balances(currency), heirs, currency, day, now))
    return moves


def _corrected(home: Home, standing: Settlement, name: str) -> tuple[Settlement, list[Problem]]:
    """The settlement by today's knowledge, but for works whose waiting money is somewhere else by now."""
    works = {work for stake in standing.stakes for work, _ in stake.works if work in home.works}
    found = _divided_again(home, standing, works)
    gone = _given_away(home, standing, found)
    says = "what waited for the work was given away by a vote or a claim; its division is left as it was"
    problems = [Problem("given-away", Source(name), f"{work}: {says}") for work in sorted(gone)]
    return (_divided_again(home, standing, works - gone) if gone else found), problems


def _divided_again(home: Home, standing: Settlement, works: Iterable[WorkId]) -> Settlement:
    wanted = set(works)
    kept: list[Split] = [split for split in standing.splits if split.work not in wanted]
    splits = (*kept, *splits_in_force(home, wanted, standing.events))
    return resettle(replace(standing, stakes=_stakes_now(home, standing), splits=splits))


def _stakes_now(home: Home, standing: Settlement) -> tuple[Stake, ...]:
    """Works that somebody has looked at since are no longer new; what was once looked at stays so."""
    seen = looked_at(home)
    return tuple(
        replace(stake, new=stake.new and not all(work in seen for work, _ in stake.works)) for stake in standing.stakes
    )


def _given_away(home: Home, standing: Settlement, corrected: Settlement) -> set[WorkId]:
    less = {change.account: -change.nano for change in compare(standing, corrected) if change.nano < 0}
    held = [account for account in less if account.startswith(_UNCLAIMED)]
    taken = home.journal.given_away(held, standing.currency)
    balances = home.journal.balances(standing.currency)
    return {WorkId(account.removeprefix(_UNCLAIMED)) for account in taken if less[account] > -balances.get(account, 0)}


# --- what waits -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the public list: money that waits for a work, since when, and for what; `new`: for a person to look
    at the work. Amounts in nano-units."""

    work: WorkId
    title: str
    amount_nano: str
    currency: str
    since: date
    why: str
    new: bool


def waiting(home: Home) -> list[Waiting]:
    """Everything that waits for rightful payees, by currency, largest amount first."""
    unclaimed, new = _unclaimed(home)
    divisions = cache(People(home.journal.engine, home.registry).divisions_on)
    return [_told(one, _why(divisions(one.since).get(one.work), one.work in new), new) for one in unclaimed]


def waiting_new(home: Home) -> list[Waiting]:
    """Of it only the pay of new works that waits until a person has looked at them."""
    unclaimed, new = _unclaimed(home)
    return [_told(one, NEW, new) for one in unclaimed if one.work in new]


def _told(one: Unclaimed, why: str, new: set[WorkId]) -> Waiting:
    return Waiting(one.work, one.title, one.amount_nano, one.currency, one.since, why, one.work in new)


def _unclaimed(home: Home) -> tuple[list[Unclaimed], set[WorkId]]:
    """Money of works that waits, and which works are new and were not looked at."""
    journal = home.journal
    settled = [journal.settlement(name) for name in journal.settlement_ids()]
    settled += [journal.standing(one.id) for one in settled]
    new = {work for each in settled for works in each.on_probation().values() for work in works} - looked_at(home)
    found = [one for currency in journal.currencies()
             for one in unclaimed_list(settled, journal.balances(currency), currency, {})]  # fmt: skip
    titles = {work.id: work.title for work in home.registry.works_of_ids([one.work for one in found])}
    return [replace(one, title=titles.get(one.work, "")) for one in found], new


def _why(division: Division | None, new: bool) -> str:
    if division is None:
        return "the work is not registered here"
    reasons = [NEW] if new else []
    reasons += [
        f"{hold.ppm / 10_000:g} % " + ("claimed by too many" if hold.id.startswith("overlap:") else "disputed")
        for hold in division.holds
    ]
    if division.unclaimed_ppm:
        reasons.append(f"nobody is named for {division.unclaimed_ppm / 10_000:g} %")
    return "; ".join(reasons) or "payees are known by now: byline adjust"


def estates(home: Home) -> dict[str, dict[PartyId, int]]:
    """Per currency, what was owed to parties of whose heirs not all are named, in nano-units."""
    prefix = "held:estate:"
    found = {}
    for currency in home.journal.currencies():
        balances = home.journal.balances(currency)
        found[currency] = {
            PartyId(name.removeprefix(prefix)): -n for name, n in balances.items() if name.startswith(prefix) and n
        }
    return {currency: of for currency, of in found.items() if of}
