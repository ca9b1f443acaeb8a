"""For officers of a cooperative: founding it, members, what is in force, and proposals until they are counted."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from byline.app.coop import (
    STANDARD_STATUTES,
    Coop,
    book_of,
    box_path,
    close,
    count_again,
    found,
    record_step,
)
from byline.app.coop_effects import carry_out, impact
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.papers import trainings
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.cooperative import OTHERS, Effect, Impact, MemberClass, Offer, Proposal, Statutes, Step
from byline.core import AppError, BylineError, PartyId, digest, sha256_hex
from byline.ledger import COMMISSION, COMMONS, RESERVE, Move, Policy

STATES = {"before": "not open yet", "open": "open", "over": "to be counted"}


def add(doors: Doors) -> None:
    doors.page("GET", "/coop", Role.COOPERATIVE)(show)
    doors.page("POST", "/coop", Role.COOPERATIVE)(make)
    doors.page("GET", "/coop/proposals/{proposal}", Role.COOPERATIVE)(proposal)
    doors.page("POST", "/coop/proposals/{proposal}/count", Role.COOPERATIVE)(count)
    doors.page("GET", "/coop/proposals/{proposal}/box", Role.COOPERATIVE)(box)
    doors.page("POST", "/coop/proposals/{proposal}/carry-out", Role.COOPERATIVE)(give_out)
    doors.page("GET", "/coop/{coop}/members", Role.COOPERATIVE)(members)
    doors.page("POST", "/coop/{coop}/members", Role.COOPERATIVE)(admit)


# --- what there is --------------------------------------------------------------------------------------------------


def show(visit: Visit) -> Answer:
    home, day = visit.home, visit.now.date()
    told = []
    for record in book_of(home).cooperatives():
        coop = Coop(home, book_of(home), record)
        votes = [vote(coop, each, day) for each in reversed(coop.book.proposals(record.id))]
        told.append({"id": record.id, "name": record.name, "pool": record.pool, "votes": votes, "year": day.year,
                     "members": len(coop.book.members(record.id, day)),
                     "policy": coop.book.policy_in_force(record.id, day),
                     "offer": bool(coop.book.carried(record.id, Effect.OFFER, day))})  # fmt: skip
    taken = {each["pool"] for each in told}
    free = [name for name in trainings(home) if name not in taken]
    return Page("coop.html", "Cooperative", {"cooperatives": told, "free": free})


def make(visit: Visit) -> Answer:
    """Raises: AppError("empty-field"), AppError("bad-choice"), CooperativeError("pool-taken")."""
    name, pool = visit.needed("name", "give the cooperative a name", 200), visit.field("pool", 100)
    if pool not in trainings(visit.home):
        raise AppError("bad-choice", "no training of that name is finished", "choose one of the list")
    record, _ = found(visit.home, name, pool, STANDARD_STATUTES, visit.now.date())
    visit.did("founded a cooperative", record.id)
    return Onward("/coop")


def coop_of(visit: Visit) -> Coop:
    """Raises: AppError("no-such-page")."""
    book = book_of(visit.home)
    record = next((each for each in book.cooperatives() if each.id == visit.named["coop"]), None)
    if record is None:
        raise AppError("no-such-page", "there is no such cooperative", "the list has them all")
    return Coop(visit.home, book, record)


def proposal_of(visit: Visit) -> tuple[Coop, Proposal]:
    """Raises: AppError("no-such-page")."""
    book = book_of(visit.home)
    for record in book.cooperatives():
        for each in book.proposals(record.id):
            if each.id == visit.named["proposal"]:
                return Coop(visit.home, book, record), each
    raise AppError("no-such-page", "there is no such proposal", "the list has them all")


def vote(coop: Coop, record: Proposal, day: date) -> dict[str, Any]:
    """A vote that is open shows its turnout and nothing of how people vote."""
    closing = coop.book.closing(record.id)
    voted, roll = coop.book.turnout(record.id, coop.merged(record))
    running = "before" if day < record.opens else "open" if day < record.closes else "over"
    state = STATES[running] if closing is None else "carried" if closing.tally.carried else "not carried"
    return {"id": record.id, "title": record.title, "state": state, "running": running, "counted": closing is not None,
            "voted": voted, "roll": roll, "opens": record.opens, "closes": record.closes, "text": record.text,
            "effect": record.effect.value, "ranked": record.ranked,
            "options": [{"name": each.name, "told": document_told(record.effect, each.told())}
                        for each in record.options],
            "tally": closing.tally if closing else None}  # fmt: skip


def document_told(effect: Effect, told: dict[str, Any]) -> dict[str, Any]:
    """What an option brings about, for a page."""
    kinds: dict[Effect, Any] = {Effect.POLICY: Policy, Effect.OFFER: Offer, Effect.STATUTES: Statutes}
    return {effect.value: kinds[effect].from_json(told)} if effect in kinds else {effect.value: told}


def impact_told(coop: Coop, record: Proposal, day: date, only: PartyId | None = None) -> dict[str, Any] | None:
    """What each option would change on the last money that was divided, for everybody or for one member; None where
    nothing was divided yet."""
    try:
        options = impact(coop, record, day)
    except BylineError:
        return None
    names = coop.home.names

    def order(each: Impact) -> tuple[int, str]:
        return (0 if each.who in names else 1 if each.who == OTHERS else 2, names.get(PartyId(each.who), each.who))

    return {
        option: {
            "unit": unit,
            "rows": [
                (names.get(PartyId(each.who)) or _account(coop, each.who), int(each.before_nano), int(each.after_nano))
                for each in sorted(rows, key=order)
                if only in (None, each.who)
            ],
        }
        for option, (unit, rows) in options.items()
    }


ACCOUNTS = {
    OTHERS: "others, together",
    "held:unclaimed": "waiting for whoever it belongs to",
    COMMONS: "the commons: traced to nobody",
    COMMISSION: "commission",
    RESERVE: "reserve for corrections",
}


def _account(coop: Coop, who: str) -> str:
    return ACCOUNTS.get(who) or account_name(coop.home, who)


# --- members --------------------------------------------------------------------------------------------------------


def members(visit: Visit) -> Answer:
    coop, names = coop_of(visit), visit.home.names
    day = visit.now.date()
    inside = coop.book.members(coop.record.id, day)
    data = {
        "coop": coop.record,
        "members": sorted((names.get(party, party), each) for party, each in inside.items()),
        "history": [(names.get(each.party, each.party), each) for each in
                    reversed(coop.book.memberships(coop.record.id))][:200],
        "classes": [each.value for each in MemberClass],
        "day": day.isoformat(),
        "by": visit.me.name,
    }  # fmt: skip
    return Page("coop-members.html", "Members", data)


def admit(visit: Visit) -> Answer:
    """Somebody joins or leaves, on a document of which the fingerprint is kept.

    Raises: AppError("no-such-party"), AppError("bad-choice"), AppError("empty-field"), those of `CoopBook.admit`.
    """
    coop = coop_of(visit)
    name, step, kind, by, day = "", Step.JOINED, MemberClass.PERSON, "", visit.now.date()
    with visit.at("member"):
        name = visit.needed("member", "write the name as it stands in the books", 200)
        coop.party(name)
    with visit.at("step"):
        step = Step(_among(visit.field("step", 20), [each.value for each in Step]))
    with visit.at("kind"):
        kind = MemberClass(_among(visit.field("kind", 20), [each.value for each in MemberClass]))
    with visit.at("since"):
        day = day_of(visit.field("since", 10))
    with visit.at("evidence"):
        if visit.upload is None:
            raise AppError("empty-field", "no document was chosen", "choose the one that you have seen")
    with visit.at("by"):
        by = visit.needed("by", "write who saw it and decided", 200)
    visit.refuse_faults()
    seen = sha256_hex(visit.upload.content if visit.upload else b"")
    made, _ = record_step(coop, name, step, kind, seen, by, day, visit.now.date())
    visit.did(f"recorded that a member {step.value}", made.id)
    return Onward(f"/coop/{coop.record.id}/members")


def _among(text: str, choices: list[str]) -> str:
    """Raises: AppError("bad-choice")."""
    if text not in choices:
        raise AppError("bad-choice", "that is none of the choices", "choose one of the list")
    return text


def day_of(text: str) -> date:
    """Raises: AppError("bad-date")."""
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise AppError("bad-date", f"“{text}” is no day", "write it as 2026-12-01") from fault


# --- a proposal, until it is counted --------------------------------------------------------------------------------


def proposal(visit: Visit) -> Answer:
    coop, record = proposal_of(visit)
    told = vote(coop, record, visit.now.date())
    data = {
        "coop": coop.record,
        "vote": told,
        "impact": impact_told(coop, record, visit.now.date()),
        "again": _again(coop, record) if told["counted"] else None,
        "given": _given(coop, record, visit),
    }
    return Page("proposal.html", record.title, data)


def _given(coop: Coop, record: Proposal, visit: Visit) -> dict[str, Any] | None:
    """What carrying out a vote on unclaimed money would move, and to whom; None for other votes."""
    closing = coop.book.closing(record.id)
    if record.effect is not Effect.UNCLAIMED or closing is None or not closing.tally.carried:
        return None
    try:
        moves = carry_out(coop, record, visit.now.date(), visit.now, dry_run=True)
    except AppError:  # the members chose that all stays as it is
        return None
    sums: Counter[tuple[str, str]] = Counter()
    for move in moves:
        for account, nano in move.legs:
            if not account.startswith("held:unclaimed:"):
                sums[move.currency, account] -= int(nano)
    rows = [(_account(coop, account).removeprefix("owed to "), nano, currency)
            for (currency, account), nano in sorted(sums.items())]  # fmt: skip
    return {"works": len(moves), "rows": rows, "shown": _moved(moves)}


def _moved(moves: Sequence[Move]) -> str:
    return digest([[move.reference, [list(leg) for leg in move.legs]] for move in moves])


def give_out(visit: Visit) -> Answer:
    """Move unclaimed money where a vote that carried sends it, exactly as it was shown.

    Raises: AppError("nothing-voted"), AppError("shown-otherwise").
    """
    coop, record = proposal_of(visit)
    moves = carry_out(coop, record, visit.now.date(), visit.now, dry_run=True)
    if _moved(moves) != visit.field("shown", 100):
        raise AppError("shown-otherwise", "the books have changed since this was shown", "look at it again")
    carry_out(coop, record, visit.now.date(), visit.now, dry_run=False)
    visit.did("carried out a vote on unclaimed money", record.id)
    return Onward(f"/coop/proposals/{record.id}")


def _again(coop: Coop, record: Proposal) -> dict[str, Any]:
    """The published ballots, counted again now, and held against the log and the result that was kept."""
    path = box_path(coop.home, record)
    closing, problems = count_again(path, coop.home) if path.is_file() else (None, [])
    kept = coop.book.closing(record.id)
    return {"file": path.is_file(), "holds": closing is not None and closing == kept and not problems,
            "problems": [each.says for each in problems]}  # fmt: skip


def count(visit: Visit) -> Answer:
    """Raises: CooperativeError("still-open")."""
    coop, record = proposal_of(visit)
    close(coop, record, visit.now.date())
    visit.did("counted a vote", record.id)
    return Onward(f"/coop/proposals/{record.id}")


def box(visit: Visit) -> Answer:
    coop, record = proposal_of(visit)
    return box_file(coop, record)


def box_file(coop: Coop, record: Proposal) -> Download:
    """The ballots that were published. Raises: AppError("no-such-page") before the vote is counted."""
    path = box_path(coop.home, record)
    if not path.is_file():
        raise AppError("no-such-page", "the ballots are not published yet", "they are when the vote is counted")
    return Download(path.read_bytes(), path.name, "application/x-ndjson")
