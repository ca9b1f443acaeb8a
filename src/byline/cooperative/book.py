"""The book of cooperatives: what was recorded and decided, who voted, and the ballots, in SQL. Append-only.

A second person voting at the same moment, or a crash, changes nothing: every step is one transaction in which nobody
else writes. When a vote closes the voters' salts are deleted, so that from then on not even the book leads from a
member to a ballot; what the voters keep in their receipts still does, for them.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from byline.cooperative.ballots import Receipt, make_ballot, token_of
from byline.cooperative.book_rows import (
    BALLOT,
    SALT,
    all_of,
    body_of,
    carried_of,
    closing_of,
    counted,
    insert,
    members_of,
    one_cooperative,
    one_proposal,
    roll_of,
    salt_of,
    statutes_of,
    voted_on,
)
from byline.cooperative.box import Box, Closing
from byline.cooperative.records import (
    Cooperative,
    Effect,
    Membership,
    Option,
    Proposal,
    Statutes,
    Step,
)
from byline.core import CooperativeError, PartyId
from byline.ledger import Policy
from byline.registry import upgrade, writing


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
            for other in all_of(connection, Cooperative):
                if other == cooperative:
                    return False
                if other.pool == cooperative.pool:
                    says = f"{other.name} decides about the pool {other.pool}"
                    raise CooperativeError("pool-taken", says, "a pool has one cooperative; join it")
            insert(connection, cooperative.id, cooperative, today)
        return True

    def admit(self, membership: Membership, today: date) -> bool:
        """A party joins or leaves; False if that is recorded already.

        Raises: CooperativeError("not-a-member") if somebody leaves who is none, ("already-member").
        """
        with writing(self.engine) as connection:
            before = all_of(connection, Membership)
            if membership in before:
                return False
            one_cooperative(connection, membership.cooperative)
            held = members_of(before, membership.cooperative, membership.effective)
            day, fix = f"on {membership.effective}", "`byline coop show` lists the members"
            if membership.step is Step.JOINED and membership.party in held:
                raise CooperativeError("already-member", f"{membership.party} is a member {day}", fix)
            if membership.step is Step.LEFT and membership.party not in held:
                raise CooperativeError("not-a-member", f"{membership.party} is not a member {day}", fix)
            insert(connection, membership.id, membership, today)
        return True

    def propose(self, proposal: Proposal, today: date) -> bool:
        """False if it stands there already.

        Raises: CooperativeError("too-hasty"), ("other-statutes") unless it names the statutes in force.
        """
        with writing(self.engine) as connection:
            if proposal in all_of(connection, Proposal):
                return False
            statutes = statutes_of(connection, proposal.cooperative, proposal.proposed)
            if statutes.digest() != proposal.statutes:
                fix = "propose it again"
                raise CooperativeError("other-statutes", f"{proposal.title} names statutes not in force", fix)
            proposal.refuse_hasty(statutes)
            insert(connection, proposal.id, proposal, today)
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
            proposal = one_proposal(connection, proposal_id)
            closed = closing_of(connection, proposal_id)
            if closed or not proposal.opens <= today < proposal.closes:
                says = f"{proposal.title} is open from {proposal.opens} until the day before {proposal.closes}"
                raise CooperativeError("not-open", says, "vote while it is open" if not closed else "it was counted")
            person = (merged or {}).get(party, party)
            if person not in roll_of(connection, proposal, merged or {}):
                fix = f"members vote who were recorded as such on {proposal.proposed}"
                raise CooperativeError("not-on-roll", f"{party} has no vote on {proposal.title}", fix)
            salt = salt_of(connection, proposal_id, person)
            token = token_of(salt, person, proposal_id)
            query = sa.select(sa.func.coalesce(sa.func.max(BALLOT.c.version), 0)).where(BALLOT.c.token == token)
            version: int = connection.execute(query).scalar_one() + 1
            ballot = make_ballot(proposal, person, tuple(choice), salt, version)
            row = {"token": token, "version": version, "proposal": proposal_id, "body": body_of(ballot)}
            connection.execute(sa.insert(BALLOT), row)
        return Receipt(person, salt, ballot)

    def close(self, proposal_id: str, today: date, merged: Mapping[PartyId, PartyId] | None = None) -> Box:
        """Count, keep the result and delete the salts; the same box again if it was closed before.

        Raises: CooperativeError("still-open"), ("no-such-proposal").
        """
        with writing(self.engine) as connection:
            proposal = one_proposal(connection, proposal_id)
            if closing_of(connection, proposal_id) is None:
                if today < proposal.closes:
                    says = f"members vote on {proposal.title} until the day before {proposal.closes}"
                    raise CooperativeError("still-open", says, "nobody sees a result before")
                box = counted(connection, proposal, merged or {}, today)
                insert(connection, box.closing.id, box.closing, today)
                connection.execute(sa.delete(SALT).where(SALT.c.proposal == proposal_id))
        return self.box(proposal_id, merged)

    # --- asking -------------------------------------------------------------------------------------------------

    def cooperatives(self) -> list[Cooperative]:
        with self.engine.connect() as connection:
            return all_of(connection, Cooperative)

    def of_pool(self, pool: str) -> Cooperative | None:
        return next((one for one in self.cooperatives() if one.pool == pool), None)

    def members(self, cooperative: str, on: date) -> dict[PartyId, Membership]:
        """Members on a day, with the record by which they joined."""
        with self.engine.connect() as connection:
            return members_of(all_of(connection, Membership), cooperative, on)

    def memberships(self, cooperative: str) -> list[Membership]:
        with self.engine.connect() as connection:
            return [one for one in all_of(connection, Membership) if one.cooperative == cooperative]

    def proposals(self, cooperative: str) -> list[Proposal]:
        with self.engine.connect() as connection:
            return [one for one in all_of(connection, Proposal) if one.cooperative == cooperative]

    def proposal(self, proposal_id: str) -> Proposal:
        """Raises: CooperativeError("no-such-proposal")."""
        with self.engine.connect() as connection:
            return one_proposal(connection, proposal_id)

    def statutes(self, cooperative: str, on: date) -> Statutes:
        """Those in force on a day. Raises: CooperativeError("no-such-cooperative")."""
        with self.engine.connect() as connection:
            return statutes_of(connection, cooperative, on)

    def turnout(self, proposal_id: str, merged: Mapping[PartyId, PartyId] | None = None) -> tuple[int, int]:
        """Members who voted, members who can: all that anybody is told before a vote closes."""
        with self.engine.connect() as connection:
            proposal = one_proposal(connection, proposal_id)
            return len(voted_on(connection, proposal_id)), len(roll_of(connection, proposal, merged or {}))

    def roll(self, proposal_id: str, merged: Mapping[PartyId, PartyId] | None = None) -> set[PartyId]:
        """Who can vote. Raises: CooperativeError("no-such-proposal")."""
        with self.engine.connect() as connection:
            return roll_of(connection, one_proposal(connection, proposal_id), merged or {})

    def voted(self, proposal_id: str) -> list[PartyId]:
        """Who has voted, not how: for the voters themselves until the vote is counted, then for everybody."""
        with self.engine.connect() as connection:
            return voted_on(connection, proposal_id)

    def closing(self, proposal_id: str) -> Closing | None:
        with self.engine.connect() as connection:
            return closing_of(connection, proposal_id)

    def box(self, proposal_id: str, merged: Mapping[PartyId, PartyId] | None = None) -> Box:
        """Raises: CooperativeError("still-open") before the vote is closed, ("no-such-proposal")."""
        with self.engine.connect() as connection:
            proposal, closing = one_proposal(connection, proposal_id), closing_of(connection, proposal_id)
            if closing is None:
                raise CooperativeError(
                    "still-open", f"{proposal.title} was not counted yet", f"byline coop close {proposal_id}"
                )
            return counted(connection, proposal, merged or {}, closing.closed)

    def carried(self, cooperative: str, effect: Effect, before: date) -> list[tuple[Proposal, Option, Closing]]:
        """Votes with that effect that carried and were closed before a day, oldest first."""
        with self.engine.connect() as connection:
            return carried_of(connection, cooperative, effect, before)

    def policy_in_force(self, cooperative: str, on: date) -> Policy | None:
        """The policy of the last vote that was counted before the day, among those that count by then."""
        found = None
        for _, option, _ in self.carried(cooperative, Effect.POLICY, on):
            policy = Policy.from_json(option.told())
            found = policy if policy.effective < on else found
        return found
