"""What a vote brings about in a project folder: impacts shown before, offers written, unclaimed money moved, pay rules
obeyed."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from byline.app.coop import Coop, book_of
from byline.app.home import Home
from byline.cooperative import (
    Covered,
    Effect,
    Fate,
    Impact,
    Offer,
    Proposal,
    covered,
    document,
    fate_impact,
    fate_weights,
    policy_impact,
    rsl,
    work_url,
)
from byline.core import AppError, PartyId, RevenueEvent
from byline.ledger import (
    COMMONS,
    JournalAccounts,
    Move,
    Policy,
    Vote,
    open_payout_book,
    payable,
    unclaimed,
    voted_move,
)

READ_BACK = 200  # works of an offer that are read back: every one up to twice this, then evenly spread


def impact(coop: Coop, proposal: Proposal, on: date) -> dict[str, tuple[str, tuple[Impact, ...]]]:
    """For every option: (currency, what it would change for each member), on the last money that was divided.

    For an offer it is the number of works that it would cover, in place of money.
    """
    members = list(coop.book.members(coop.record.id, on))
    return {one.name: _impact(coop, document(proposal.effect, one), members, on) for one in proposal.options}


def _impact(coop: Coop, what: Any, members: Sequence[PartyId], on: date) -> tuple[str, tuple[Impact, ...]]:
    if isinstance(what, Policy):
        last = coop.last_settlement()
        return last.currency, policy_impact(last, what, members)
    if isinstance(what, Fate):
        waiting = coop.waiting(on, what.works)
        currency = waiting[0].currency if waiting else ""
        return currency, fate_impact([one for one in waiting if one.currency == currency], what.to, members)
    if isinstance(what, Offer):
        place, works = offered(coop, on), coop.home.works
        by = {party: [w for w in place.offered if _by(works[w], party)] for party in members}
        return "works", tuple(Impact(party, "0", str(len(mine))) for party, mine in sorted(by.items()))
    return "", ()


def _by(work: Any, party: PartyId) -> bool:
    return any(part.party == party for part in work.contributions)


def offered(coop: Coop, on: date) -> Covered:
    return covered(
        coop.home.works.values(), coop.book.members(coop.record.id, on), coop.home.registry.opted_out_works(on)
    )


def offer_in_force(coop: Coop, on: date) -> tuple[Proposal, Offer]:
    """Raises: AppError("nothing-voted")."""
    carried = coop.book.carried(coop.record.id, Effect.OFFER, on + timedelta(1))
    if not carried:
        raise AppError("nothing-voted", f"no offer of {coop.record.name} carried yet", "byline coop propose")
    proposal, chosen, _ = carried[-1]
    return proposal, Offer.from_json(chosen.told())


def export_offer(coop: Coop, on: date, base: str, to: Path, observed_at: datetime) -> dict[str, Any]:
    """Write the offer in force as RSL, and say how a crawler that reads it understands it.

    Raises: AppError("nothing-voted"), CooperativeError("bad-offer"), GateError("signals-extra").
    """
    proposal, offer = offer_in_force(coop, on)
    place, works = offered(coop, on), list(coop.home.works.values())
    body = rsl(offer, place, works, base)
    sample = works[:: max(1, len(works) // READ_BACK)]
    readings = {work.id: read_back(body, work_url(work, base), observed_at) for work in sample}
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(to.name + ".part")
    part.write_bytes(body)
    part.replace(to)
    counted = {kind: sum(word == kind for word in readings.values()) for kind in sorted(set(readings.values()))}
    return {
        "file": str(to),
        "proposal": proposal.id,
        **{k: len(v) for k, v in place.to_json().items()},
        "read": counted,
    }


def read_back(body: bytes, url: str, observed_at: datetime) -> str:
    """What the gate's own reader of signals says of training, for the work at that address."""
    from byline.gate.signals import Category, Target, canonical, read_rsl, resolve

    found = read_rsl(body, Target("offer.xml", observed_at, url))
    return canonical(resolve(found.observations, found.problems))[Category.TRAIN_GEN]


def carry_out(coop: Coop, proposal: Proposal, on: date, now: datetime, dry_run: bool) -> list[Move]:
    """Divide unclaimed money as a vote that carried says. Doing it again moves nothing.

    Raises: AppError("nothing-voted") if it did not carry, or is about something else.
    """
    closing = coop.book.closing(proposal.id)
    chosen = proposal.option(closing.tally.winner) if closing else None
    if proposal.effect is not Effect.UNCLAIMED or closing is None or chosen is None:
        says = f"{proposal.title} is no vote on unclaimed money that carried"
        raise AppError("nothing-voted", says, "`byline coop show` lists the votes")
    fate = Fate.from_json(chosen.told())
    members = coop.book.members(coop.record.id, closing.closed)
    weights = {
        COMMONS if to == COMMONS else payable(PartyId(to)): w for to, w in fate_weights(fate.to, members).items()
    }
    vote = Vote(proposal.text_sha256, *closing.tally.ayes_and_nays(), closing.closed)
    years = coop.book.statutes(coop.record.id, closing.closed).unclaimed_years
    waiting = coop.waiting(closing.closed, fate.works)
    book = open_payout_book(coop.home.journal.engine, JournalAccounts(coop.home.journal))
    done = _carried_out(book.moves(), vote)
    moves = [voted_move(one, weights, vote, years, now) for one in waiting if unclaimed(one.work) not in done]
    if not dry_run:
        book.release(moves)
    return moves


def _carried_out(moves: Sequence[Move], vote: Vote) -> set[str]:
    """Accounts whose money this vote has moved: what comes into them later is for another vote."""
    source = f"proposal:{vote.proposal_sha256}"
    return {account for move in moves if move.source == source for account, _ in move.legs}


def policy_for(home: Home, pool: str, events: Sequence[RevenueEvent]) -> Policy | None:
    """The policy that members of the pool's cooperative have voted for; None where a pool has no cooperative.

    Raises: AppError("no-vote-yet") if they have voted for none by the day of a payment, AppError("two-policies") if
    the payments fall under different ones.
    """
    book = book_of(home)
    coop = book.of_pool(pool)
    if coop is None:
        return None
    found: dict[str, Policy] = {}
    for event in events:
        policy = book.policy_in_force(coop.id, event.received)
        if policy is None:
            says = f"{coop.name} decides about {pool}, and no policy was voted before {event.received}"
            raise AppError("no-vote-yet", says, "byline coop propose --effect policy")
        found[policy.digest()] = policy
    if len(found) > 1:
        says = f"the payments fall under {len(found)} policies that {coop.name} voted for"
        raise AppError("two-policies", says, "settle the payments before and after the vote one after the other")
    return next(iter(found.values()), None)


def refuse_other_policy(home: Home, pool: str, events: Sequence[RevenueEvent], policy: Policy) -> None:
    """Raises: AppError("other-policy") if the members of the pool's cooperative voted for another one."""
    voted = policy_for(home, pool, events)
    if voted is not None and voted.digest() != policy.digest():
        says = f"the pool {pool} is divided by policy {voted.digest()[:12]}, not {policy.digest()[:12]}"
        fix = "leave --policy out: what the members voted for is used; or propose the other one"
        raise AppError("other-policy", says, fix)
