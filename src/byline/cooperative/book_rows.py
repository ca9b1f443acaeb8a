"""What the book of cooperatives reads and writes inside a transaction: its tables, and the state that follows from what
was written down, in the order in which it was."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar

import sqlalchemy as sa

from byline.cooperative.ballots import Ballot, fresh_salt
from byline.cooperative.box import Box, Closing, close
from byline.cooperative.records import Cooperative, Effect, Membership, Option, Proposal, Statutes, Step
from byline.core import CooperativeError, PartyId, Record, canonical_json

_Kind = TypeVar("_Kind", bound=Record)
_META = sa.MetaData()
RECORD = sa.Table(
    "coop_record",
    _META,
    sa.Column("seq", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("id", "kind", "body")),
    sa.Column("recorded", sa.Date),
)
VOTED = sa.Table("coop_voted", _META, sa.Column("proposal", sa.Text), sa.Column("party", sa.Text))
BALLOT = sa.Table(
    "coop_ballot",
    _META,
    sa.Column("token", sa.Text),
    sa.Column("version", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("proposal", "body")),
)
SALT = sa.Table("coop_salt", _META, *(sa.Column(name, sa.Text) for name in ("proposal", "party", "salt")))
_KINDS: Mapping[str, type[Record]] = {
    "cooperative": Cooperative,
    "membership": Membership,
    "proposal": Proposal,
    "closing": Closing,
}


def all_of(connection: sa.Connection, kind: type[_Kind], before: str = "") -> list[_Kind]:
    """Records of a kind, oldest first; with `before`, those that were written down before the record of that id."""
    name = next(name for name, one in _KINDS.items() if one is kind)
    query = sa.select(RECORD.c.body).where(RECORD.c.kind == name).order_by(RECORD.c.seq)
    if before:
        query = query.where(RECORD.c.seq < sa.select(RECORD.c.seq).where(RECORD.c.id == before).scalar_subquery())
    return [kind.from_json(json.loads(body)) for body in connection.execute(query).scalars()]


def insert(connection: sa.Connection, name: str, record: Record, today: date) -> None:
    last: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RECORD.c.seq), 0))).scalar_one()
    kind = next(kind for kind, one in _KINDS.items() if isinstance(record, one))
    row = {"seq": last + 1, "id": name, "kind": kind, "body": body_of(record), "recorded": today}
    connection.execute(sa.insert(RECORD), row)


def one_cooperative(connection: sa.Connection, name: str) -> Cooperative:
    for one in all_of(connection, Cooperative):
        if one.id == name:
            return one
    raise CooperativeError("no-such-cooperative", f"there is no {name}", "`byline coop show` lists them")


def one_proposal(connection: sa.Connection, name: str) -> Proposal:
    for one in all_of(connection, Proposal):
        if one.id == name:
            return one
    raise CooperativeError("no-such-proposal", f"there is no {name}", "`byline coop show` lists them")


def closing_of(connection: sa.Connection, proposal: str) -> Closing | None:
    return next((one for one in all_of(connection, Closing) if one.proposal == proposal), None)


def members_of(memberships: Sequence[Membership], cooperative: str, on: date) -> dict[PartyId, Membership]:
    held: dict[PartyId, Membership] = {}
    for one in sorted(memberships, key=lambda one: one.effective):  # stable: of one day, as recorded
        if one.cooperative == cooperative and one.effective <= on:
            held.pop(one.party, None)
            if one.step is Step.JOINED:
                held[one.party] = one
    return held


def statutes_of(connection: sa.Connection, cooperative: str, on: date) -> Statutes:
    found = one_cooperative(connection, cooperative).statutes
    for _, option, _ in carried_of(connection, cooperative, Effect.STATUTES, on):
        later = Statutes.from_json(option.told())
        found = later if later.effective <= on else found
    return found


def carried_of(
    connection: sa.Connection, cooperative: str, effect: Effect, before: date
) -> list[tuple[Proposal, Option, Closing]]:
    proposals = {one.id: one for one in all_of(connection, Proposal)}
    found = []
    for closing in all_of(connection, Closing):
        proposal = proposals[closing.proposal]
        option = proposal.option(closing.tally.winner)
        wanted = proposal.cooperative == cooperative and proposal.effect is effect and closing.closed < before
        if wanted and option is not None:
            found.append((proposal, option, closing))
    return found


def roll_of(connection: sa.Connection, proposal: Proposal, merged: Mapping[PartyId, PartyId]) -> set[PartyId]:
    """Members by what was written down before the proposal, of the classes that vote; two names of one person are
    one."""
    statutes = statutes_of(connection, proposal.cooperative, proposal.proposed)
    known = members_of(all_of(connection, Membership, proposal.id), proposal.cooperative, proposal.opens)
    return {merged.get(party, party) for party, one in known.items() if one.member_class in statutes.voting}


def salt_of(connection: sa.Connection, proposal: str, party: PartyId) -> str:
    where = (SALT.c.proposal == proposal, SALT.c.party == party)
    found = connection.execute(sa.select(SALT.c.salt).where(*where)).scalar_one_or_none()
    if found is not None:
        return str(found)
    salt = fresh_salt()
    connection.execute(sa.insert(SALT), {"proposal": proposal, "party": party, "salt": salt})
    connection.execute(sa.insert(VOTED), {"proposal": proposal, "party": party})
    return salt


def voted_on(connection: sa.Connection, proposal: str) -> list[PartyId]:
    query = sa.select(VOTED.c.party).where(VOTED.c.proposal == proposal).order_by(VOTED.c.party)
    return [PartyId(party) for party in connection.execute(query).scalars()]


def counted(connection: sa.Connection, proposal: Proposal, merged: Mapping[PartyId, PartyId], closed: date) -> Box:
    query = sa.select(BALLOT.c.body).where(BALLOT.c.proposal == proposal.id)
    ballots = [Ballot.from_json(json.loads(body)) for body in connection.execute(query).scalars()]
    statutes = statutes_of(connection, proposal.cooperative, proposal.proposed)
    roll = sorted(roll_of(connection, proposal, merged))
    return close(proposal, statutes, roll, voted_on(connection, proposal.id), ballots, closed)


def body_of(record: Record) -> str:
    return canonical_json(record.to_json()).decode()
