"""Work of an operator that may take long, as jobs of the queue: dividing money, correcting what was divided, the index
of the look-up, and where a period's outputs came from. Each can be done again: what a worker that was killed has booked
is not booked twice.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from byline.app.api.jobs import Held
from byline.app.coop_effects import policy_for
from byline.app.corrections import Correction, correct_all, hand_over
from byline.app.home import Home
from byline.app.lookup import Library
from byline.app.lookup_media import MediaLibrary
from byline.app.money import Details, Unmeasured, conservation, contract_dues, divide, is_measured, pay
from byline.app.money_files import STANDARD_POLICY
from byline.core import AppError, RevenueEvent, digest
from byline.disclosure import entry_hash
from byline.ledger import Contract, Policy

SETTLEMENT, CORRECTION, INDEX, PERIOD = "settlement", "correction", "index", "period"
KINDS = (SETTLEMENT, CORRECTION, INDEX, PERIOD)
BECAUSE = "what is known by now"
Told = dict[str, Any]
Build = Callable[[Home, bool, Held], Told]


def _now() -> datetime:
    return datetime.now(UTC)


# --- dividing money -------------------------------------------------------------------------------------------------


def settlement_asked(
    training: str,
    events: Sequence[RevenueEvent],
    shown: str = "",
    policy: Policy | None = None,
    contracts: Sequence[Contract] = (),
) -> Told:
    """The body of a job. `shown`: the settlement that is to be booked exactly as it was shown; empty: show it.
    `policy`: one that was chosen; None: what a cooperative voted for, or the standard one."""
    told: Told = {"training": training, "events": [event.to_json() for event in events], "shown": shown}
    told |= {"policy": policy.to_json()} if policy else {}
    return told | ({"contracts": [each.to_json() for each in contracts]} if contracts else {})


def settle_job(home: Home, held: Held) -> Told:
    """What dividing does to every account, and what contracts change. It is booked only if it is what was shown.

    Raises: AppError("shown-otherwise"), those of `divide` and `pay`.
    """
    asked = held.job.body
    events = [RevenueEvent.from_json(told) for told in asked["events"]]
    held.progress("dividing payments", 0, len(events))
    ground = Unmeasured(home, asked["training"])
    policy = _policy(home, asked, events)
    details = Details(contracts=[Contract.from_json(each) for each in asked.get("contracts", ())])
    settlement = divide(ground, events, policy, details)
    told: Told = {
        "settlement": settlement.id,
        "currency": settlement.currency,
        "says": conservation(settlement),
        "policy": {"id": policy.id, "version": policy.version, "measured": is_measured(policy)},
        "lambda_ppm": settlement.terms.reliability.lambda_ppm,
    }
    before = settlement.id in home.journal.settlement_ids()
    agreed = [] if before else contract_dues(home, settlement, details.contracts)
    told |= {"dues": [each.to_json() for each in agreed]}
    if not asked["shown"]:
        effects = [] if before else home.journal.preview(settlement)
        return told | {"posted": before, "accounts": [effect.to_json() for effect in effects]}
    otherwise = not before and "dues" in asked and told["dues"] != asked["dues"]
    if settlement.id != asked["shown"] or otherwise:
        raise AppError("shown-otherwise", "the records have changed since this was shown", "try it again, and look")
    settled = pay(ground, events, policy, _now(), details)
    _log_head(home)
    return told | {
        "dues": [each.to_json() for each in settled.dues],
        "posted": settled.posted,
        "statements": len(settled.statements),
    }


def _policy(home: Home, asked: Mapping[str, Any], events: Sequence[RevenueEvent]) -> Policy:
    """Raises: LedgerError("bad-policy"), those of `policy_for`."""
    if "policy" in asked:
        return Policy.from_json(asked["policy"])
    return policy_for(home, asked["training"], events) or STANDARD_POLICY


def _log_head(home: Home) -> None:
    """A worker that was killed between booking and logging has left this to the next."""
    head = home.journal.head().digest()
    if entry_hash("journal", head) not in set(home.log.leaves()):
        home.log.append("journal", head)


# --- correcting -----------------------------------------------------------------------------------------------------


def correct_job(home: Home, held: Held) -> Told:
    """What was settled, by all that is known about people on a day. Booked only if it is what was shown.

    Raises: AppError("shown-otherwise").
    """
    asked = held.job.body
    day = date.fromisoformat(asked["day"])
    held.progress("computing every settlement again", 0, 1)
    found, problems = correct_all(home, day, BECAUSE, _now(), dry_run=True)
    shown = [_corrected(each) for each in found]
    told: Told = {"corrected": shown, "problems": [each.to_json() for each in problems], "digest": digest(shown)}
    if not asked["shown"]:
        return told | {"booked": False}
    whole = _go_on(home, held, shown, told["digest"])
    correct_all(home, day, BECAUSE, _now())
    moved = hand_over(home, day, _now())
    _log_head(home)
    return told | {"corrected": whole, "booked": True, "to_heirs": moved}


def _go_on(home: Home, held: Held, found: list[Told], digest_found: str) -> list[Told]:
    """Book only what was shown: all of it, or, after a worker that was killed on the way, what is left of it. What was
    shown is kept before the first booking, since each settlement is corrected for itself; it is the answer.

    Raises: AppError("shown-otherwise").
    """
    begun = held.parts().get(0)
    if begun is not None:
        _log_head(home)  # of what was booked before the kill, whatever becomes of the rest
    same = digest_found == held.job.body["shown"] if begun is None else all(each in begun["shown"] for each in found)
    if found and not same:
        raise AppError("shown-otherwise", "the records have changed since this was shown", "try it again, and look")
    if begun is None:
        begun = {"shown": found}
        held.keep(0, begun)
    whole: list[Told] = begun["shown"]
    return whole


def _corrected(each: Correction) -> Told:
    changes = [{"account": c.account, "before_nano": str(c.before_nano), "after_nano": str(c.after_nano)}
               for c in each.changes]  # fmt: skip
    return {"settlement": each.replaces, "currency": each.settlement.currency, "changes": changes}


# --- the index of the look-up ---------------------------------------------------------------------------------------


def index_job(home: Home, held: Held) -> Told:
    """Bring an index up to date, or build it again. Raises: AppError("unknown-work"), those of the index."""
    what = held.job.body["what"]
    if what not in INDEXES:
        raise AppError("unknown-work", f"there is no index of {what!r}", f"the indexes are {', '.join(INDEXES)}")
    return INDEXES[what](home, held.job.body["again"], held)


def _index_texts(home: Home, again: bool, held: Held) -> Told:
    library = Library(home, date.today())
    if not library.manifests:
        raise AppError("nothing-frozen", "no manifest was frozen yet, so there is nothing to search", "byline freeze")
    of = len(library.wanted()[0])
    return library.update(again, lambda done: held.progress("reading works", done, of))


def _index_media(kind: str) -> Build:
    def build(home: Home, again: bool, held: Held) -> Told:
        return MediaLibrary(home, date.today()).update(again, held.progress, [kind])

    return build


INDEXES: Mapping[str, Build] = {
    "texts": _index_texts,
    "pictures": _index_media("image"),
    "sounds": _index_media("audio"),
}
"""By what they are of."""


# --- where a period's outputs came from -----------------------------------------------------------------------------


def period_job(home: Home, held: Held) -> Told:
    """What `byline attribute` does with the outputs of a period: the division that the next money follows is made anew.

    Raises: those of `Training.open`, `given_passages` and `attribute`.
    """
    held.progress("opening the training", 0, 1)
    from byline.app.answers import attribute
    from byline.app.model import Training
    from byline.app.passages import given_passages
    from byline.app.period import Hurdle

    asked = held.job.body
    training = Training.open(home, asked["training"])
    passages = [part for each in asked["texts"] for part in given_passages(training, each["text"], each["title"])]
    period = attribute(training, passages, held.progress, Hurdle.of(asked["threshold"], 0))["period"]
    return {"training": training.name, "passages": len(passages), "clusters": len(period["lines"]),
            "unattributed_ppb": period["unattributed_ppb"]}  # fmt: skip
