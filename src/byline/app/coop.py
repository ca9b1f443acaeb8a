"""A cooperative inside a project folder: names for people, the log, and the money of its pool."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_json, read_kept
from byline.cooperative import (
    Box,
    Closing,
    CoopBook,
    Cooperative,
    Effect,
    MemberClass,
    Membership,
    Proposal,
    Receipt,
    Rule,
    Statutes,
    Step,
    open_coop_book,
    option,
    read_box,
    recount,
)
from byline.core import AppError, CoreError, PartyId, Problem, sha256_hex
from byline.disclosure import entry_hash
from byline.ledger import (
    Settlement,
    Unclaimed,
    unclaimed_list,
)
from byline.registry import People

STANDARD_STATUTES = Statutes(
    version=1,
    effective=date(2026, 1, 1),
    rules=(
        Rule(Effect.POLICY, 200_000, 500_000, 7, 7),
        Rule(Effect.OFFER, 200_000, 500_000, 7, 7),
        Rule(Effect.UNCLAIMED, 200_000, 500_000, 7, 7),
        Rule(Effect.STATUTES, 500_000, 666_666, 14, 14),
    ),
    voting=(MemberClass.PERSON, MemberClass.ESTATE, MemberClass.ORGANISATION),
    unclaimed_years=3,
)
"""A low quorum with notice for what is decided every year, a high one for the statutes themselves: of past proposals
of a federation of cooperatives hardly any reached half of the members."""


@dataclass(frozen=True)
class Coop:
    """One cooperative of a project."""

    home: Home
    book: CoopBook
    record: Cooperative

    @classmethod
    def open(cls, home: Home, name: str = "") -> "Coop":
        """The one of that name, or the only one. Raises: AppError("no-cooperative")."""
        book = book_of(home)
        found = [one for one in book.cooperatives() if name in ("", one.name)]
        if len(found) != 1:
            known = ", ".join(one.name for one in book.cooperatives()) or "none"
            raise AppError("no-cooperative", f"{name or 'which cooperative?'}: there is {known}", "give --coop NAME")
        return cls(home, book, found[0])

    @cached_property
    def people(self) -> People:
        return People(self.home.journal.engine, self.home.registry)

    def party(self, name: str) -> PartyId:
        """By name or id. Raises: AppError("no-such-party")."""
        found = [party for party, known in self.home.names.items() if name in (party, known)]
        if len(found) != 1:
            raise AppError("no-such-party", f"{name!r} is not registered", "a member is registered as a contributor")
        return found[0]

    def merged(self, proposal: Proposal) -> dict[PartyId, PartyId]:
        """Two names of one person, as it was known when the proposal was made."""
        return self.people.known(proposal.proposed).merged(proposal.opens)

    def proposal(self, name: str) -> Proposal:
        """By id, by a beginning of it, or by title. Raises: AppError("no-such-proposal")."""
        all_of_them = self.book.proposals(self.record.id)
        found = [one for one in all_of_them if name == one.title or (one.id.startswith(name) and len(name) > 9)]
        if len(found) != 1:
            fix = "give the id that `byline coop show` prints"
            raise AppError("no-such-proposal", f"{name!r} names {len(found)} proposals", fix)
        return found[0]

    # --- money of the pool --------------------------------------------------------------------------------------

    def settlements(self) -> list[Settlement]:
        """Divisions of the pool's money, in the order of their ids."""
        run = read_kept(self.home, self.record.pool, "training")["run"]
        journal = self.home.journal
        return [one for one in map(journal.settlement, journal.settlement_ids()) if one.shares.run == run]

    def last_settlement(self) -> Settlement:
        """Of the latest payment. Raises: AppError("not-made-yet")."""
        found = self.settlements()
        if not found:
            raise AppError("not-made-yet", f"no money of {self.record.pool} was divided yet", "byline settle EVENTS")
        return max(found, key=lambda one: max(event.received for event in one.events))

    def waiting(self, on: date, works: Sequence[str] = ()) -> list[Unclaimed]:
        """Money that nobody has claimed for as many years as the statutes ask, of the pool's works."""
        years = self.book.statutes(self.record.id, on).unclaimed_years
        return [one for one in self._unclaimed() if _old(one.since, years) <= on and (not works or one.work in works)]

    def _unclaimed(self) -> list[Unclaimed]:
        settlements = self.settlements()
        ours = {line.account for one in settlements for line in one.lines}
        titles = {work.id: work.title for work in self.home.works.values()}
        found: list[Unclaimed] = []
        for currency in sorted({one.currency for one in settlements}):
            balances = {name: n for name, n in self.home.journal.balances(currency).items() if name in ours}
            found += unclaimed_list(settlements, balances, currency, titles)
        return found


def book_of(home: Home) -> CoopBook:
    return open_coop_book(home.journal.engine)


# --- founding, joining ------------------------------------------------------------------------------------------


def found(home: Home, name: str, pool: str, statutes: Statutes, today: date) -> tuple[Cooperative, bool]:
    made = Cooperative(name, pool, today, statutes)
    return made, book_of(home).found(made, today)


def read_statutes(path: Path | None) -> Statutes:
    """Statutes in a JSON file, or the standard ones. Raises: AppError("unreadable"), CooperativeError."""
    if path is None:
        return STANDARD_STATUTES
    try:
        return Statutes.from_json(read_json(path, "write it as docs/cooperatives.md shows"))
    except CoreError as fault:
        raise AppError("unreadable", f"{path}: {fault.message}", "write it as docs/cooperatives.md shows") from fault


def step(
    coop: Coop, name: str, what: Step, kind: MemberClass, evidence: Path, decided_by: str, effective: date, today: date
) -> tuple[Membership, bool]:
    """Record that somebody joins or leaves. Raises: AppError("no-file") for the evidence."""
    try:
        sha256 = sha256_hex(evidence.read_bytes())
    except OSError as fault:
        raise AppError("no-file", f"{evidence}: {fault.strerror}", "name the document that shows who it is") from fault
    return record_step(coop, name, what, kind, sha256, decided_by, effective, today)


def record_step(
    coop: Coop, name: str, what: Step, kind: MemberClass, sha256: str, decided_by: str, effective: date, today: date
) -> tuple[Membership, bool]:
    """The same, with the SHA-256 of the evidence."""
    made = Membership(coop.record.id, coop.party(name), what, kind, effective, decided_by, sha256)
    return made, coop.book.admit(made, today)


# --- proposing and voting ---------------------------------------------------------------------------------------


def make_proposal(
    coop: Coop, title: str, text: str, effect: Effect, documents: Mapping[str, Any], opens: date, closes: date, on: date
) -> Proposal:
    """A proposal under the statutes in force. Raises: CooperativeError."""
    statutes = coop.book.statutes(coop.record.id, on)
    options = tuple(option(name, effect, told) for name, told in documents.items())
    made = Proposal(coop.record.id, title, text, effect, options, statutes.digest(), on, opens, closes)
    made.refuse_hasty(statutes)
    return made


def dates(coop: Coop, effect: Effect, opens: date | None, closes: date | None, on: date) -> tuple[date, date]:
    """The earliest that the statutes allow, where none is given."""
    rule = coop.book.statutes(coop.record.id, on).rule(effect)
    start = opens or on + timedelta(rule.notice_days)
    return start, closes or start + timedelta(rule.open_days)


def propose(coop: Coop, proposal: Proposal, today: date) -> bool:
    """Keep it; its hash goes into the log."""
    new = coop.book.propose(proposal, today)
    if new:
        coop.home.log.append("proposal", proposal.digest())
    return new


def cast(coop: Coop, proposal: Proposal, member: PartyId, choice: Sequence[str], today: date) -> dict[str, Any]:
    """Vote; the receipt, signed. The commitment goes into the log, and the log head is signed."""
    receipt = coop.book.vote(proposal.id, member, choice, today, coop.merged(proposal))
    index = coop.home.log.append("ballot", receipt.ballot.commitment)
    coop.home.log.checkpoint(coop.home.key)
    told = receipt.to_json()
    return {
        "receipt": told,
        "log_index": index,
        "signature": coop.home.key.sign(f"byline-receipt-1\n{receipt.digest()}\n"),
    }


def read_receipt(path: Path) -> Receipt:
    """Raises: AppError("unreadable"), AppError("not-made-yet")."""
    told = read_json(path, "byline coop vote", ("receipt",))
    try:
        return Receipt.from_json(told["receipt"])
    except CoreError as fault:
        raise AppError("unreadable", f"{path}: {fault.message}", "use the receipt as it was given") from fault


def close(coop: Coop, proposal: Proposal, today: date) -> Box:
    """Count; the box is written to the folder, and its closing goes into the log."""
    fresh = coop.book.closing(proposal.id) is None
    box = coop.book.close(proposal.id, today, coop.merged(proposal))
    if fresh:
        coop.home.log.append("vote", box.closing.digest())
        coop.home.log.checkpoint(coop.home.key)
    write_box(box_path(coop.home, proposal), box)
    return box


def box_path(home: Home, proposal: Proposal) -> Path:
    return home.path / "votes" / f"{proposal.id.removeprefix('proposal:')}.jsonl"


def write_box(path: Path, box: Box) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(box.lines())
    return part.replace(path)


def count_again(path: Path, home: Home | None) -> tuple[Closing | None, list[Problem]]:
    """Count an exported box. With a project folder, its log and the closing kept there are asked too.

    Raises: AppError("no-file").
    """
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise AppError(
            "no-file", f"{path}: {fault.strerror}", "name the file that `byline coop close` wrote"
        ) from fault
    box, problems = read_box(data, path.name)
    if box is None:
        return None, problems
    return recount(box, path.name, _logged(home, box) if home else None)


def _logged(home: Home, box: Box) -> list[str]:
    leaves = set(home.log.leaves())
    return [one.commitment for one in box.ballots if entry_hash("ballot", one.commitment) in leaves]


def _old(since: date, years: int) -> date:
    try:
        return since.replace(year=since.year + years)
    except ValueError:  # the 29th of February
        return since.replace(year=since.year + years, day=28)


def read_document_file(path: Path) -> Any:
    """Raises: AppError("unreadable"), AppError("no-file")."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault
    except ValueError as fault:
        raise AppError("unreadable", f"{path} is not JSON: {fault}", "docs/cooperatives.md shows one") from fault
