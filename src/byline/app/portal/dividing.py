"""For operators: dividing money by a pay rule that is chosen, and with what single payees agreed on. First shown, by a
worker, to the last account; then booked exactly so (`tasks`)."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.api import Queue
from byline.app.coop_effects import policy_for, refuse_other_policy
from byline.app.money import is_measured, measured
from byline.app.money_files import CONTRACTS, STANDARD_POLICY, read_contracts
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field
from byline.app.portal.papers import trainings
from byline.app.portal.payments import Payments
from byline.app.portal.proposing import PRIORS, RESTS, ppm
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.app.tasks import SETTLEMENT, settlement_asked
from byline.core import PPM, AppError, BylineError, RevenueEvent, digest
from byline.ledger import Contract, Game, Policy

MOST = 200_000  # characters of a table of contracts
SHOWN = 100  # faults of a table
AGREED, CHANGED, WHOLE = "agreed", "changed", "whole"
RULES = {
    AGREED: "the one that the members voted for; without a cooperative, the standard one",
    CHANGED: "the standard one with the numbers below",
    WHOLE: "one that is written out whole",
}
GAMES = {
    Game.LINEAR: "each is paid for what it taught by itself",
    Game.REDUNDANCY: "they share what they taught together",
}
COLUMNS = ",".join((*CONTRACTS.required, *CONTRACTS.optional))


def add(doors: Doors) -> None:
    doors.page("GET", "/operate/divide", Role.OPERATOR)(show)
    doors.page("POST", "/operate/divide", Role.OPERATOR)(divide)


def show(visit: Visit) -> Answer:
    waiting = Payments(visit.home).waiting()
    data = {
        "count": len(waiting),
        "currencies": sorted({each.event.currency for each in waiting}),
        "trainings": trainings(visit.home),
        "rules": RULES,
        "standard": STANDARD_POLICY,
        "priors": PRIORS,
        "rests": RESTS,
        "games": GAMES,
        "columns": COLUMNS,
        "day": visit.now.date().isoformat(),
    }
    return Page("divide.html", "Divide by another rule", data)


def divide(visit: Visit) -> Answer:
    """Show, by a worker, what dividing would do. Nothing is booked. Raises: AppError("bad-payments") and others, each
    at its field; all problems of the contracts by line."""
    training, events = _asked(visit)
    policy = _policy(visit)
    contracts = _contracts(visit)
    visit.refuse_faults()
    with visit.at("rule"):
        _refuse_unfit(visit, training, events, policy)
    visit.refuse_faults()
    asked = settlement_asked(training, events, "", policy, contracts)
    return Onward(f"/operate/tasks/{Queue(visit.home.journal.engine).ask(visit.me.id, SETTLEMENT, asked)}")


def _asked(visit: Visit) -> tuple[str, list[RevenueEvent]]:
    training, currency, events = visit.field("training", 100), visit.field("currency", 3), list[RevenueEvent]()
    with visit.at("training"):
        if training not in trainings(visit.home):
            raise AppError("bad-payments", "no training of that name is finished", "choose one of the list")
    with visit.at("until"):
        events = Payments(visit.home).until(day_field(visit, "until"), currency)
        if not events:
            raise AppError("bad-payments", "no payment waits that was received by then", "choose a later day")
    return training, events


def _refuse_unfit(visit: Visit, training: str, events: Sequence[RevenueEvent], policy: Policy | None) -> None:
    """What a worker would refuse a moment later. Raises: AppError("bad-rule")."""
    try:
        if policy is None:
            policy_for(visit.home, training, events)
        else:
            refuse_other_policy(visit.home, training, events, policy)
    except AppError as fault:
        raise AppError("bad-rule", fault.message, "the members decide by which rule their money is divided") from fault
    late = [event for event in events if policy is not None and policy.effective >= event.received]
    if late:
        says = f"the rule counts for money received after {policy.effective if policy else ''}, and some came before"
        raise AppError("bad-rule", says, "write an earlier day, if the rule was agreed by then")
    if policy is not None and is_measured(policy):
        _refuse_unmeasured(visit, training, policy)


def _refuse_unmeasured(visit: Visit, training: str, policy: Policy) -> None:
    """Raises: AppError("bad-rule")."""
    try:
        measured(visit.home, training, policy)
    except AppError as fault:
        if fault.code == "other-game":
            says = "the shares were made in another way than this rule divides by"
            fix = "choose the other way of what works that teach the same are paid"
        else:
            says, fix = "nothing was measured yet that this rule could follow", "choose another training"
        raise AppError("bad-rule", says, fix) from fault


# --- the pay rule -------------------------------------------------------------------------------------------------


def _policy(visit: Visit) -> Policy | None:
    """None: what was agreed. Faults stand at their fields."""
    rule = visit.field("rule", 20)
    if rule == AGREED:
        return None
    if rule == CHANGED:
        return _changed(visit)
    with visit.at("rule"):
        if rule != WHOLE:
            raise AppError("bad-choice", "nothing was chosen", "choose by which rule")
        with visit.at("whole"):
            return _whole(visit.field("whole", 20_000))
    return None


def _changed(visit: Visit) -> Policy | None:
    """The standard rule with the numbers of the form; its name follows from them."""
    rates = dict.fromkeys(("commission", "reserve", "training"), 0)
    for name in rates:
        with visit.at(f"{name}_rate"):
            rates[name] = ppm(visit.field(f"{name}_rate", 20))
    prior, rest, effective = visit.field("prior", 40), visit.field("rest", 40), visit.now.date()
    game = visit.field("game", 40) or STANDARD_POLICY.game.value
    with visit.at("prior"):
        if prior not in list(PRIORS) or rest not in list(RESTS) or game not in list(GAMES):
            raise AppError("bad-choice", "that is none of the choices", "choose one of the list")
    with visit.at("effective"):
        effective = day_field(visit, "effective")
    with visit.at("commission_rate"):
        if rates["commission"] + rates["reserve"] > PPM:
            raise AppError("bad-share", "commission and reserve take more than all", "write less")
    if visit.faults:
        return None
    told = STANDARD_POLICY.to_json() | {"commission_ppm": rates["commission"], "reserve_ppm": rates["reserve"]}
    told |= {"train_share_ppm": rates["training"], "prior": prior, "unattributed": rest}
    told |= {"effective": effective.isoformat(), "game": game}
    return Policy.from_json(told | {"id": f"policy:{digest(told)[:8]}"})


def _whole(text: str) -> Policy:
    """Raises: AppError("bad-rule")."""
    try:
        told: Any = json.loads(text)
        if not isinstance(told, dict):
            raise ValueError("it is no object")
        return Policy.from_json(told)
    except (ValueError, RecursionError, BylineError) as fault:
        says = fault.message if isinstance(fault, BylineError) else "it is not JSON"
        fix = "docs/money.md has every field of a policy"
        raise AppError("bad-rule", f"this is no pay rule: {says}", fix) from fault


# --- contracts ----------------------------------------------------------------------------------------------------


def _contracts(visit: Visit) -> Sequence[Contract]:
    """Of a file, or of what was pasted; every problem by its line."""
    name, content = ("contracts", visit.upload.content) if visit.upload else ("pasted", b"")
    content = content or visit.field("pasted", MOST).encode()
    if not content.strip():
        return ()
    with TemporaryDirectory(prefix="byline-contracts-") as folder:
        path = Path(folder) / "contracts.csv"
        path.write_bytes(content)
        found, problems = read_contracts(path)
    for problem in problems[:SHOWN]:
        where = f"line {problem.at.line}: " if problem.at.line else ""
        visit.faults.append((name, AppError("bad-payments", f"{where}{problem.says}", "")))
    strangers = sorted({each.id for each in found if each.party not in visit.home.names})
    with visit.at(name):
        if strangers:
            says = f"of {', '.join(strangers[:5])} the contributor is not registered"
            raise AppError("bad-payments", says, "write names as they stand in the books")
    return found
