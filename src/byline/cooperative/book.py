"""The book of cooperatives: what was recorded and decided, who voted, and the ballots, in SQL. Append-only.

A second person voting at the same moment, or a crash, changes nothing: every step is one transaction in which nobody
else writes. When a vote closes the voters' salts are deleted, so that from then on not even the book leads from a
member to a ballot; what the voters keep in their receipts still does, for them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from byline.cooperative.ballots import Ballot, Receipt, fresh_salt, make_ballot, token_of
from byline.cooperative.box import Box, Closing, close
from byline.cooperative.records import (
    Cooperative,
    Effect,
    Membership,
    Option,
    Proposal,
    Statutes,
    Step,
)
from byline.core import CooperativeError, PartyId, Record, canonical_json
from byline.ledger import Policy
from byline.registry import upgrade, writing

_Kind = TypeVar("_Kind", bound=Record)
_META = sa.MetaData()
_RECORD = sa.Table(
    "coop_record",
    _META,
    sa.Column("seq", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("id", "kind", "body")),
    sa.Column("recorded", sa.Date),
)
_VOTED = sa.Table("coop_voted", _META, sa.Column("proposal", sa.Text), sa.Column("party", sa.Text))
_BALLOT = sa.Table(
    "coop_ballot",
    _META,
    sa.Column("token", sa.Text),
    sa.Column("version", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("proposal", "body")),
)
_SALT = sa.Table("coop_salt", _META, *(sa.Column(name, sa.Text) for name in ("proposal", "party", "salt")))
_KINDS: Mapping[str, type[Record]] = {
    "cooperative": Cooperative,
    "membership": Membership,
    "proposal": Proposal,
    "closing": Closing,
}


def open_coop_book(engine: sa.Engine) -> "CoopBook":
    """The book in this database; its tables are made or migrated if need be."""
    upgrade(engine, Path(__file__).parent / "migrations", "coop_version")
    return CoopBook(engine)


class CoopBook:
    """Cooperatives in a database that `open_coop_book` has prepared. `today`: the day on which a thing is recorded."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    # --- writing ------------------------------------------------------------------------------------------------

    def found(self, cooperative: Cooperative, today: date) -> bool:
        """False if it stands there already. Raises: CooperativeError("pool-taken")."""
        with writing(self.engine) as connection:
            for other in _all(connection, Cooperative):
                if other == cooperative:
                    return False
                if other.pool == cooperative.pool:
                    says = f"{other.name} decides about the pool {other.pool}"
                    raise CooperativeError("pool-taken", says, "a pool has one cooperative; join it")
            _insert(connection, cooperative.id, cooperative, today)
        return True

    def admit(self, membership: Membership, today: date) -> bool:
        """A party joins or leaves; False if that is recorded already.

        Raises: CooperativeError("not-a-member") if somebody leaves who is none, ("already-member").
        """
        with writing(self.engine) as connection:
            before = _all(connection, Membership)
            if membership in before:
                return False
            _cooperative(connection, membership.cooperative)
            held = _members(before, membership.cooperative, membership.effective)
            day, fix = f"on {membership.effective}", "`byline coop show` lists the members"
            if membership.step is Step.JOINED and membership.party in held:
                raise CooperativeError("already-member", f"{membership.party} is a member {day}", fix)
            if membership.step is Step.LEFT and membership.party not in held:
                raise CooperativeError("not-a-member", f"{membership.party} is not a member {day}", fix)
            _insert(connection, membership.id, membership, today)
        return True

    def propose(self, proposal: Proposal, today: date) -> bool:
        """False if it stands there already.

        Raises: CooperativeError("too-hasty"), ("other-statutes") unless it names the statutes in force.
        """
        with writing(self.engine) as connection:
            if proposal in _all(connection, Proposal):
                return False
            statutes = _statutes(connection, proposal.cooperative, proposal.proposed)
            if statutes.digest() != proposal.statutes:
                fix = "propose it again"
                raise CooperativeError("other-statutes", f"{proposal.title} names statutes not in force", fix)
            proposal.refuse_hasty(statutes)
            _insert(connection, proposal.id, proposal, today)
        return True

    def vote(
        self,
        proposal_id: str,
        party: PartyId,
        choice: Sequence[str],
        today: date,
        merged: Mapping[PartyId, PartyId] | None = None,
    ) -> Receipt:
        """Cast a ballot; a later one of the same member supersedes it. `merged`: alias -> person, as of the proposal.

        Raises: CooperativeError("not-open"), ("not-on-roll"), ("bad-choice"), ("no-such-proposal").
        """
        with writing(self.engine) as connection:
            proposal = _proposal(connection, proposal_id)
            closed = _closing(connection, proposal_id)
            if closed or not proposal.opens <= today < proposal.closes:
                says = f"{proposal.title} is open from {proposal.opens} until the day before {proposal.closes}"
                raise CooperativeError("not-open", says, "vote while it is open" if not closed else "it was counted")
            person = (merged or {}).get(party, party)
            if person not in _roll(connection, proposal, merged or {}):
                fix = f"members vote who were recorded as such on {proposal.proposed}"
                raise CooperativeError("not-on-roll", f"{party} has no vote on {proposal.title}", fix)
            salt = _salt(connection, proposal_id, person)
            token = token_of(salt, person, proposal_id)
            query = sa.select(sa.func.coalesce(sa.func.max(_BALLOT.c.version), 0)).where(_BALLOT.c.token == token)
            version: int = connection.execute(query).scalar_one() + 1
            ballot = make_ballot(proposal, person, tuple(choice), salt, version)
            row = {"token": token, "version": version, "proposal": proposal_id, "body": _text(ballot)}
            connection.execute(sa.insert(_BALLOT), row)
        return Receipt(person, salt, ballot)

    def close(self, proposal_id: str, today: date, merged: Mapping[PartyId, PartyId] | None = None) -> Box:
        """Count, keep the result and delete the salts; the same box again if it was closed before.

        Raises: CooperativeError("still-open"), ("no-such-proposal").
        """
        with writing(self.engine) as connection:
            proposal = _proposal(connection, proposal_id)
            if _closing(connection, proposal_id) is None:
                if today < proposal.closes:
                    says = f"members vote on {proposal.title} until the day before {proposal.closes}"
                    raise CooperativeError("still-open", says, "nobody sees a result before")
                box = _counted(connection, proposal, merged or {}, today)
                _insert(connection, box.closing.id, box.closing, today)
                connection.execute(sa.delete(_SALT).where(_SALT.c.proposal == proposal_id))
        return self.box(proposal_id, merged)

    # --- asking -------------------------------------------------------------------------------------------------

    def cooperatives(self) -> list[Cooperative]:
        with self.engine.connect() as connection:
            return _all(connection, Cooperative)

    def of_pool(self, pool: str) -> Cooperative | None:
        return next((one for one in self.cooperatives() if one.pool == pool), None)

    def members(self, cooperative: str, on: date) -> dict[PartyId, Membership]:
        """Members on a day, with the record by which they joined."""
        with self.engine.connect() as connection:
            return _members(_all(connection, Membership), cooperative, on)

    def memberships(self, cooperative: str) -> list[Membership]:
        with self.engine.connect() as connection:
            return [one for one in _all(connection, Membership) if one.cooperative == cooperative]

    def proposals(self, cooperative: str) -> list[Proposal]:
        with self.engine.connect() as connection:
            return [one for one in _all(connection, Proposal) if one.cooperative == cooperative]

    def proposal(self, proposal_id: str) -> Proposal:
        """Raises: CooperativeError("no-such-proposal")."""
        with self.engine.connect() as connection:
            return _proposal(connection, proposal_id)

    def statutes(self, cooperative: str, on: date) -> Statutes:
        """Those in force on a day. Raises: CooperativeError("no-such-cooperative")."""
        with self.engine.connect() as connection:
            return _statutes(connection, cooperative, on)

    def turnout(self, proposal_id: str, merged: Mapping[PartyId, PartyId] | None = None) -> tuple[int, int]:
        """Members who voted, members who can: all that anybody is told before a vote closes."""
        with self.engine.connect() as connection:
            proposal = _proposal(connection, proposal_id)
            return len(_voted(connection, proposal_id)), len(_roll(connection, proposal, merged or {}))

    def closing(self, proposal_id: str) -> Closing | None:
        with self.engine.connect() as connection:
            return _closing(connection, proposal_id)

    def box(self, proposal_id: str, merged: Mapping[PartyId, PartyId] | None = None) -> Box:
        """Raises: CooperativeError("still-open") before the vote is closed, ("no-such-proposal")."""
        with self.engine.connect() as connection:
            proposal, closing = _proposal(connection, proposal_id), _closing(connection, proposal_id)
            if closing is None:
                raise CooperativeError(
                    "still-open", f"{proposal.title} was not counted yet", f"byline coop close {proposal_id}"
                )
            return _counted(connection, proposal, merged or {}, closing.closed)

    def carried(self, cooperative: str, effect: Effect, before: date) -> list[tuple[Proposal, Option, Closing]]:
        """Votes with that effect that carried and were closed before a day, oldest first."""
        with self.engine.connect() as connection:
            return _carried(connection, cooperative, effect, before)

    def policy_in_force(self, cooperative: str, on: date) -> Policy | None:
        """The policy of the last vote that was counted before the day, among those that count by then."""
        found = None
        for _, option, _ in self.carried(cooperative, Effect.POLICY, on):
            policy = Policy.from_json(option.told())
            found = policy if policy.effective < on else found
        return found


# --- inside a transaction -------------------------------------------------------------------------------------


def _all(connection: sa.Connection, kind: type[_Kind], before: str = "") -> list[_Kind]:
    """Records of a kind, oldest first; with `before`, those that were written down before the record of that id."""
    name = next(name for name, one in _KINDS.items() if one is kind)
    query = sa.select(_RECORD.c.body).where(_RECORD.c.kind == name).order_by(_RECORD.c.seq)
    if before:
        query = query.where(_RECORD.c.seq < sa.select(_RECORD.c.seq).where(_RECORD.c.id == before).scalar_subquery())
    return [kind.from_json(json.loads(body)) for body in connection.execute(query).scalars()]


def _insert(connection: sa.Connection, name: str, record: Record, today: date) -> None:
    last: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(_RECORD.c.seq), 0))).scalar_one()
    kind = next(kind for kind, one in _KINDS.items() if isinstance(record, one))
    row = {"seq": last + 1, "id": name, "kind": kind, "body": _text(record), "recorded": today}
    connection.execute(sa.insert(_RECORD), row)


def _cooperative(connection: sa.Connection, name: str) -> Cooperative:
    for one in _all(connection, Cooperative):
        if one.id == name:
            return one
    raise CooperativeError("no-such-cooperative", f"there is no {name}", "`byline coop show` lists them")


def _proposal(connection: sa.Connection, name: str) -> Proposal:
    for one in _all(connection, Proposal):
        if one.id == name:
            return one
    raise CooperativeError("no-such-proposal", f"there is no {name}", "`byline coop show` lists them")


def _closing(connection: sa.Connection, proposal: str) -> Closing | None:
    return next((one for one in _all(connection, Closing) if one.proposal == proposal), None)


def _members(memberships: Sequence[Membership], cooperative: str, on: date) -> dict[PartyId, Membership]:
    held: dict[PartyId, Membership] = {}
    for one in sorted(memberships, key=lambda one: one.effective):  # stable: of one day, as recorded
        if one.cooperative == cooperative and one.effective <= on:
            held.pop(one.party, None)
            if one.step is Step.JOINED:
                held[one.party] = one
    return held


def _statutes(connection: sa.Connection, cooperative: str, on: date) -> Statutes:
    found = _cooperative(connection, cooperative).statutes
    for _, option, _ in _carried(connection, cooperative, Effect.STATUTES, on):
        later = Statutes.from_json(option.told())
        found = later if later.effective <= on else found
    return found


def _carried(
    connection: sa.Connection, cooperative: str, effect: Effect, before: date
) -> list[tuple[Proposal, Option, Closing]]:
    proposals = {one.id: one for one in _all(connection, Proposal)}
    found = []
    for closing in _all(connection, Closing):
        proposal = proposals[closing.proposal]
        option = proposal.option(closing.tally.winner)
        wanted = proposal.cooperative == cooperative and proposal.effect is effect and closing.closed < before
        if wanted and option is not None:
            found.append((proposal, option, closing))
    return found


def _roll(connection: sa.Connection, proposal: Proposal, merged: Mapping[PartyId, PartyId]) -> set[PartyId]:
    """Members by what was written down before the proposal, of the classes that vote; two names of one person are
    one."""
    statutes = _statutes(connection, proposal.cooperative, proposal.proposed)
    known = _members(_all(connection, Membership, proposal.id), proposal.cooperative, proposal.opens)
    return {merged.get(party, party) for party, one in known.items() if one.member_class in statutes.voting}


def _salt(connection: sa.Connection, proposal: str, party: PartyId) -> str:
    where = (_SALT.c.proposal == proposal, _SALT.c.party == party)
    found = connection.execute(sa.select(_SALT.c.salt).where(*where)).scalar_one_or_none()
    if found is not None:
        return str(found)
    salt = fresh_salt()
    connection.execute(sa.insert(_SALT), {"proposal": proposal, "party": party, "salt": salt})
    connection.execute(sa.insert(_VOTED), {"proposal": proposal, "party": party})
    return salt


def _voted(connection: sa.Connection, proposal: str) -> list[PartyId]:
    query = sa.select(_VOTED.c.party).where(_VOTED.c.proposal == proposal).order_by(_VOTED.c.party)
    return [PartyId(party) for party in connection.execute(query).scalars()]


def _counted(connection: sa.Connection, proposal: Proposal, merged: Mapping[PartyId, PartyId], closed: date) -> Box:
    query = sa.select(_BALLOT.c.body).where(_BALLOT.c.proposal == proposal.id)
    ballots = [Ballot.from_json(json.loads(body)) for body in connection.execute(query).scalars()]
    statutes = _statutes(connection, proposal.cooperative, proposal.proposed)
    roll = sorted(_roll(connection, proposal, merged))
    return close(proposal, statutes, roll, _voted(connection, proposal.id), ballots, closed)


def _text(record: Record) -> str:
    return canonical_json(record.to_json()).decode()
