"""For officers of a cooperative: putting a pay rule, a licence, the fate of unclaimed money or other statutes to the
vote, after everybody could see what it would change for whom."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from byline.app.coop import Coop, dates, make_proposal, propose
from byline.app.money_files import STANDARD_POLICY
from byline.app.portal.accounts import Role
from byline.app.portal.assembly import coop_of, day_of, impact_told
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.cooperative import Effect, MemberClass, Proposal
from byline.core import PPM, AppError
from byline.ledger import Policy, Prior, Probation, Unattributed

OPTIONS = (1, 2, 3)  # of which members may rank; the first is always there
KINDS = {"policy": Effect.POLICY, "offer": Effect.OFFER, "unclaimed": Effect.UNCLAIMED, "statutes": Effect.STATUTES}
HEADS = {Effect.POLICY: "a pay rule", Effect.OFFER: "a licence", Effect.UNCLAIMED: "what becomes of unclaimed money",
         Effect.STATUTES: "other statutes"}  # fmt: skip
FATES = {"members": "to the members, in equal parts", "commons": "to the commons"}
VOTES_ON = {Effect.POLICY: "a pay rule", Effect.OFFER: "a licence", Effect.UNCLAIMED: "unclaimed money",
            Effect.STATUTES: "the statutes"}  # fmt: skip
CLASSES = {MemberClass.PERSON: "persons", MemberClass.ESTATE: "estates", MemberClass.ORGANISATION: "organisations"}
PRIORS = {
    Prior.EQUAL: "in equal parts, one for each work",
    Prior.LENGTH: "by the length of the works",
    Prior.CATALOGUE: "in equal parts, one for each catalogue",
}
RESTS = {Unattributed.COMMONS: "to the commons", Unattributed.PRIOR: "to all, as the training share"}
WAITS = {
    Probation.NONE: "nothing",
    Probation.ATTRIBUTED: "what they earn by what they did for the outputs",
    Probation.ALL: "everything that they earn",
}
CHOICES: dict[str, dict[Any, str]] = {"prior": PRIORS, "unattributed": RESTS, "probation": WAITS}
USES = {"ai-train": "train a model", "ai-input": "give it to a model as input", "ai-index": "index it for a model",
        "search": "show it in a search", "ai-all": "everything that models do", "all": "everything"}  # fmt: skip
MOST_WAITING = 200  # works whose money waits, on the form
PAYMENTS = {"training": "for each training", "use": "for each use", "crawl": "for each visit of a crawler",
            "subscription": "by subscription", "purchase": "once", "contribution": "as a contribution",
            "attribution": "by naming the source", "free": "nothing"}  # fmt: skip
REPORTS = {"provenance": "where outputs come from", "telemetry": "how much is used", "audit": "an audit"}


def add(doors: Doors) -> None:
    back = "/coop/{coop}/propose/{kind}"
    doors.page("GET", back, Role.COOPERATIVE)(form)
    doors.page("POST", f"{back}/try", Role.COOPERATIVE, reads=True, back=back)(attempt)
    doors.page("POST", back, Role.COOPERATIVE)(make)


def form(visit: Visit) -> Answer:
    coop, effect, day = coop_of(visit), _effect(visit), visit.now.date()
    first, last = dates(coop, effect, None, None, day)
    statutes = coop.book.statutes(coop.record.id, day)
    rule = statutes.rule(effect)
    data = {
        "coop": coop.record,
        "kind": effect.value,
        "head": HEADS[effect],
        "first": first.isoformat(),
        "last": last.isoformat(),
        "day": day.isoformat(),
        "rule": rule,
        "options": OPTIONS[:1] if effect is Effect.STATUTES else OPTIONS,
        "now": _in_force(coop, day),
        "priors": PRIORS,
        "rests": RESTS,
        "waits": WAITS,
        "uses": USES,
        "payments": PAYMENTS,
        "reports": REPORTS,
        "fates": FATES,
        "votes_on": VOTES_ON,
        "classes": CLASSES,
        "statutes": statutes,
        "waiting": coop.waiting(day)[:MOST_WAITING] if effect is Effect.UNCLAIMED else [],
    }
    return Page("propose.html", "A proposal", data)


def _effect(visit: Visit) -> Effect:
    """Raises: AppError("no-such-page")."""
    if visit.named["kind"] not in KINDS:
        raise AppError("no-such-page", "that cannot be proposed here", "the cooperative’s page has what can")
    return KINDS[visit.named["kind"]]


def _in_force(coop: Coop, day: date) -> Policy:
    return coop.book.policy_in_force(coop.record.id, day) or STANDARD_POLICY


def attempt(visit: Visit) -> Answer:
    """What it would change for whom, before anybody votes. Nothing is proposed."""
    coop, made = _made(visit)
    day = visit.now.date()
    told = {"title": made.title, "text": made.text, "opens": made.opens, "closes": made.closes}
    fields = [
        (name, value) for name, values in visit.form.items() for value in values if name not in ("opens", "closes")
    ]
    fields += [("opens", made.opens.isoformat()), ("closes", made.closes.isoformat()), ("shown", made.id)]
    data = {"coop": coop.record, "kind": made.effect.value, "vote": told, "fields": fields,
            "impact": impact_told(coop, made, day)}  # fmt: skip
    return Page("propose-try.html", "Before it is proposed", data)


def make(visit: Visit) -> Answer:
    """Put exactly what was shown to the vote. Raises: AppError("shown-otherwise")."""
    coop, made = _made(visit)
    if made.id != visit.field("shown", 200):
        raise AppError("shown-otherwise", "this is not what was shown", "look at it again")
    propose(coop, made, visit.now.date())
    visit.did("put something to the vote", made.id)
    return Onward(f"/coop/proposals/{made.id}")


def _made(visit: Visit) -> tuple[Coop, Proposal]:
    """The proposal as the form has it. Raises: AppError("empty-field") and others, those of `make_proposal`."""
    coop, effect, day = coop_of(visit), _effect(visit), visit.now.date()
    title = text = ""
    with visit.at("title"):
        title = visit.needed("title", "say in one line what is proposed", 200)
    with visit.at("text"):
        text = visit.needed("text", "write what members vote on", 20_000)
    documents = _documents(visit, coop, effect, title)
    opens = closes = None
    with visit.at("opens"):
        opens = day_of(given) if (given := visit.field("opens", 10)) else None
    with visit.at("closes"):
        closes = day_of(given) if (given := visit.field("closes", 10)) else None
    visit.refuse_faults()
    first, last = dates(coop, effect, opens, closes, day)
    return coop, make_proposal(coop, title, text, effect, documents, first, last, day)


def _documents(visit: Visit, coop: Coop, effect: Effect, title: str) -> dict[str, Any]:
    """By the names of the options. One alone has the name of the proposal."""
    several = effect is not Effect.STATUTES
    given = [n for n in OPTIONS if n == 1 or (several and visit.field(f"name_{n}", 100))]
    readers = {Effect.POLICY: _policy, Effect.OFFER: _offer, Effect.UNCLAIMED: _fate, Effect.STATUTES: _statutes}
    read = readers[effect]
    found: dict[str, Any] = {}
    for n in given:
        name = title if len(given) == 1 else visit.field(f"name_{n}", 100)
        with visit.at(f"name_{n}"):
            if not name and len(given) > 1:
                raise AppError("empty-field", "this option has no name", "name each of several options")
            if name in found:
                raise AppError("bad-choice", "two options have the same name", "name them differently")
        found[name] = read(visit, coop, n, len(given))
    return found


def _policy(visit: Visit, coop: Coop, n: int, of: int) -> dict[str, Any]:
    """The pay rule of an option: the one in force with what the form changes."""
    rates = dict.fromkeys(("commission", "reserve", "training"), 0)
    for name in rates:
        with visit.at(f"{name}_{n}"):
            rates[name] = ppm(visit.field(f"{name}_{n}", 20))
    effective = visit.now.date()
    with visit.at("effective"):
        effective = day_of(visit.field("effective", 10) or effective.isoformat())
    told = _in_force(coop, visit.now.date()).to_json()
    version = 1 + sum(each.effect is Effect.POLICY for each in coop.book.proposals(coop.record.id))
    mark = f"-{n}" if of > 1 else ""
    told |= {"id": f"policy:{coop.record.id.rpartition(':')[2][:8]}{mark}", "version": version}
    told |= {"effective": effective.isoformat(), "commission_ppm": rates["commission"]}
    told |= {"reserve_ppm": rates["reserve"], "train_share_ppm": rates["training"]}
    told |= {"prior": visit.field(f"prior_{n}", 40), "unattributed": visit.field(f"rest_{n}", 40)}
    told |= {"probation": visit.field(f"waits_{n}", 40) or told.get("probation", Probation.NONE.value)}
    with visit.at(f"commission_{n}"):
        if rates["commission"] + rates["reserve"] > PPM:
            raise AppError("bad-share", "commission and reserve take more than all", "write less")
    with visit.at(f"prior_{n}"):
        if any(told[name] not in list(of) for name, of in CHOICES.items()):
            raise AppError("bad-choice", "that is none of the choices", "choose one of the list")
    return told


def ppm(text: str) -> int:
    """Per cent as parts per million. Raises: AppError("bad-share")."""
    try:
        found = Decimal(text.replace(",", ".").rstrip("% \u00a0")).scaleb(4)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 <= found <= PPM or found != int(found):
        raise AppError("bad-share", f"“{text}” is no per cent", "write a number from 0 to 100, such as 12.5")
    return int(found)


def _offer(visit: Visit, coop: Coop, n: int, of: int) -> dict[str, Any]:
    payment = visit.field(f"payment_{n}", 40)
    free = payment == "free"
    return {
        "permits": [use for use in visit.form.get(f"permits_{n}", ()) if use in USES],
        "payment": payment,
        "amount": "" if free else visit.field(f"amount_{n}", 30).replace(",", "."),
        "currency": "" if free else visit.field(f"currency_{n}", 3).upper(),
        "terms": visit.field(f"terms_{n}", 500),
        "reports": [each for each in visit.form.get(f"reports_{n}", ()) if each in REPORTS],
    }


def _fate(visit: Visit, coop: Coop, n: int, of: int) -> dict[str, Any]:
    """Of the works that were chosen, which all options share; of none, all that wait."""
    to, chosen = visit.field(f"to_{n}", 20), visit.form.get("works", ())
    waiting = {one.work for one in coop.waiting(visit.now.date())}
    with visit.at(f"to_{n}"):
        if to not in FATES:
            raise AppError("bad-choice", "that is none of the choices", "choose one of the list")
    with visit.at("works"):
        if any(work not in waiting for work in chosen):
            raise AppError("bad-choice", "the money of one of these works does not wait", "choose from the list")
    return {"to": to, "works": sorted(set(chosen))}


def _statutes(visit: Visit, coop: Coop, n: int, of: int) -> dict[str, Any]:
    """All of the statutes, as they would read."""
    now, years, effective = coop.book.statutes(coop.record.id, visit.now.date()), 0, visit.now.date()
    with visit.at("effective"):
        effective = day_of(visit.field("effective", 10))
    with visit.at("years"):
        years = _whole(visit.field("years", 5), 1)
    voting = [each.value for each in MemberClass if each.value in visit.form.get("voting", ())]
    with visit.at("voting"):
        if not voting:
            raise AppError("bad-choice", "nobody would vote", "choose who votes")
    told = {"version": now.version + 1, "effective": effective.isoformat(), "unclaimed_years": years, "voting": voting}
    return told | {"rules": [_rule(visit, effect) for effect in Effect]}


def _rule(visit: Visit, effect: Effect) -> dict[str, Any]:
    """What a vote on one effect would need."""
    found: dict[str, Any] = {"effect": effect.value}
    for name, least, most in (("quorum", 1, PPM), ("majority", PPM // 2, PPM - 1)):
        with visit.at(f"{name}_{effect.value}"):
            found[f"{name}_ppm"] = ppm(visit.field(f"{name}_{effect.value}", 20))
            if not least <= found[f"{name}_ppm"] <= most:
                says = "more than nothing take part" if name == "quorum" else "a majority is half or more, and not all"
                raise AppError("bad-share", "so nobody could ever decide, or anybody", says)
    for name, at_least in (("notice", 0), ("open", 1)):
        with visit.at(f"{name}_{effect.value}"):
            found[f"{name}_days"] = _whole(visit.field(f"{name}_{effect.value}", 5), at_least)
    return found


def _whole(text: str, least: int) -> int:
    """Raises: AppError("bad-number")."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= 1_000):
        raise AppError("bad-number", f"“{text}” is no such number", f"write a whole number from {least} to 1,000")
    return int(text)
