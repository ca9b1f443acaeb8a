"""Law packs for officers: what is in force and what changes when; which works flip between two days, readings or
versions of a pack; and what evidence is missing, per jurisdiction. Nothing here changes anything.

The packs that ship are unreviewed drafts and no legal advice, which every page says.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field
from byline.app.portal.visit import Answer, Page, Visit
from byline.core import AppError, GateError, Work, WorkId

if TYPE_CHECKING:
    from byline.app.law import Asked, Corpus
    from byline.gate.law import Comparison, Judged, Pack, Rule

MOST_BYTES = 200_000  # of a table of rules
TITLES = 12  # works named of a group
VECTORS = 100  # distinct sets of facts per place for which the missing evidence is searched
SAYS = {
    "deny": "not allowed",
    "review": "a person has to decide",
    "allow-with-duties": "allowed, with duties",
    "allow": "allowed",
}


def add(doors: Doors) -> None:
    doors.page("GET", "/office/law", Role.OFFICER)(show)
    doors.page("POST", "/office/law", Role.OFFICER, reads=True)(compare)
    doors.page("GET", "/office/law/works/{work}", Role.OFFICER)(work)


def show(visit: Visit) -> Answer:
    today = visit.now.date()
    return _page(visit, _filled(("EU",), today, today, False, ""), None)


def _filled(places: Sequence[str], on: date, then: date, strict: bool, given: str) -> dict[str, Any]:
    return {"places": places, "on": on.isoformat(), "then": then.isoformat(), "strict": strict, "given": given}


def _page(visit: Visit, filled: dict[str, Any], found: dict[str, Any] | None) -> Page:
    packs = [_pack(pack, visit.now.date()) for pack in _packs()]
    return Page("lawbook.html", "The law", {"filled": filled, "found": found, "packs": packs, "says": SAYS})


def _packs(places: Sequence[str] = (), overlays: Sequence[Path] = ()) -> "tuple[Pack, ...]":
    """Those that ship, or those of some places with a version of one's own. Raises: AppError("rights-missing")."""
    try:
        from byline.gate.law import JURISDICTIONS, load_packs
    except ImportError as fault:
        raise AppError("rights-missing", f"law packs need {fault.name}", "pip install 'byline[rights]'") from fault
    return load_packs(places or JURISDICTIONS, overlays)


def _pack(pack: "Pack", today: date) -> dict[str, Any]:
    """A pack today, and the changes that stand in it already."""
    held = [rule for rule in pack.rules if _holds(rule, today)]
    changes = [(day, rule) for rule in pack.rules for day in (rule.effective_from, rule.effective_to) if day]
    coming = sorted(((day, rule) for day, rule in changes if day > today), key=lambda each: (each[0], each[1].id))
    last = max((day for day, _ in changes if day <= today), default=None)
    return {"place": pack.jurisdiction, "title": pack.title, "version": pack.version, "status": pack.status,
            "rules": len(held), "last": last, "coming": [_change(rule, day) for day, rule in coming]}  # fmt: skip


def _holds(rule: "Rule", on: date) -> bool:
    """In force on a day, on a plain or a strict reading."""
    begun = rule.effective_from is None or rule.effective_from <= on
    return begun and not (rule.effective_to is not None and rule.effective_to <= on)


def _change(rule: "Rule", day: date) -> dict[str, Any]:
    return {"day": day, "begins": day == rule.effective_from, **_rule(rule)}


def _rule(rule: "Rule") -> dict[str, Any]:
    return {"id": rule.id, "effect": rule.effect.value, "because": rule.because, "cite": list(rule.cite)}


# --- two worlds ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Worlds:
    """What is compared: the same places on two days, under one pack each, with facts that hold in both."""

    now: "Asked"
    then: "Asked"
    filled: dict[str, Any]


def compare(visit: Visit) -> Answer:
    with _asked(visit) as worlds:
        from byline.app.law import what_if

        before, after = worlds.now.packs(), worlds.then.packs()
        works, later = _corpus(visit, worlds.now), _corpus(visit, worlds.then)
        comparison = what_if(works, later, worlds.now, worlds.then)
        found = {
            "rules": [row for pair in zip(before, after, strict=True) for row in _differences(*pair, worlds)],
            "flips": [_flip(works, each) for each in comparison.flips],
            "flipped": comparison.flipped,
            "works": len(works.works),
            "places": _places(works, comparison, worlds.now.on),
            "query": f"places={','.join(worlds.filled['places'])}&on={worlds.filled['on']}",
        }
    return _page(visit, worlds.filled, found)


@contextmanager
def _asked(visit: Visit) -> Iterator[_Worlds]:
    """The form; a version of a pack that was sent lies in a folder of its own while it is looked at."""
    from byline.app.law import Asked, assumed

    known = [pack.jurisdiction for pack in _packs()]
    places = tuple(place for place in known if place in visit.form.get("places", ()))
    with visit.at("places"):
        if not places:
            raise AppError("bad-choice", "no place was chosen", "choose at least one")
    on = then = visit.now.date()
    with visit.at("on"):
        on = day_field(visit, "on")
    with visit.at("then"):
        then = day_field(visit, "then")
    given = visit.field("given")
    with visit.at("given"):
        assumed(given.split("\n") if given else ())
    with TemporaryDirectory(prefix="byline-pack-") as folder:
        overlays: list[Path] = []
        with visit.at("file"):
            overlays = _overlay(visit, Path(folder), places)
        visit.refuse_faults()
        strict = visit.field("strict", 10) == "yes"
        now = Asked(places, on, False, None, tuple(given.split("\n") if given else ()))
        later = replace(now, on=then, strict=strict, overlays=tuple(overlays))
        with visit.at("then"):
            if now == later:
                raise AppError("same-world", "both sides are the same", "choose another day, reading or version")
        visit.refuse_faults()
        yield _Worlds(now, later, _filled(places, on, then, strict, given))


def _overlay(visit: Visit, folder: Path, places: Sequence[str]) -> list[Path]:
    """A pack that was sent, read once to see whether it is one. Raises: GateError, AppError("too-long")."""
    if visit.upload is None or not visit.upload.content:
        return []
    path, content = folder / "your-version.yaml", visit.upload.content
    if len(content) > MOST_BYTES:
        raise AppError("too-long", f"this has {len(content):,} bytes", f"a table of rules has at most {MOST_BYTES:,}")
    path.write_bytes(content)
    try:
        _refuse_references(content)
        _packs(places, [path])
    except GateError as fault:
        raise GateError(fault.code, fault.message.replace(f"{folder}/", ""), fault.fix) from fault
    return [path]


def _refuse_references(content: bytes) -> None:
    """A reference in YAML can make of a short file one that fills the memory; tables of rules have none."""
    import yaml  # comes with the packs

    try:
        found = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(content.decode("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise GateError("bad-law-table", "your-version.yaml is no YAML", "correct the table") from fault
    if found:
        raise GateError("bad-law-table", "your-version.yaml refers to parts of itself", "write them out")


def _corpus(visit: Visit, asked: "Asked", among: "Sequence[Work]" = ()) -> "Corpus":
    """Every work, or some, with what is known of it; faults in records are told by `byline check`."""
    from byline.app.law import corpus

    return corpus(visit.home, asked, among)[0]


def _differences(before: "Pack", after: "Pack", worlds: _Worlds) -> list[dict[str, Any]]:
    """Rules that hold on one side and not on the other, or that say something else there."""
    old, new = ({rule.id: rule for rule in pack.rules if rule.active(asked.on, asked.reading)}
                for pack, asked in ((before, worlds.now), (after, worlds.then)))  # fmt: skip
    rows = [{"what": "begins", **_rule(new[id])} for id in new if id not in old]
    rows += [{"what": "ends", **_rule(old[id])} for id in old if id not in new]
    rows += [{"what": "changes", **_rule(new[id])} for id in new if id in old and old[id].told() != new[id].told()]
    return [{"place": before.jurisdiction, **row} for row in rows]


def _flip(works: "Corpus", flip: Any) -> dict[str, Any]:
    some = [works.works[index] for index in flip.works[:TITLES]]
    return {"before": SAYS[flip.before], "after": SAYS[flip.after], "rules": list(flip.rules),
            "count": len(flip.works), "works": [(each.id, each.title) for each in some]}  # fmt: skip


# --- missing evidence -----------------------------------------------------------------------------------------------


def _places(works: "Corpus", comparison: "Comparison", on: date) -> list[dict[str, Any]]:
    """Per place: how many works come out how, today's side; and what would have to be shown or done for the others."""
    return [
        {
            "place": judged.pack.jurisdiction,
            "counts": [(SAYS[outcome], count) for outcome, count in judged.counts().items()],
            "missing": _missing(works, judged, on),
        }
        for judged in comparison.before.by_pack
    ]


def _missing(works: "Corpus", judged: "Judged", on: date) -> list[tuple[str, int]]:
    """What is asked for most, with the number of works that it would bring nearer."""
    from byline.gate.law import ways_to_allow

    sizes = Counter(judged.which_N.tolist())
    wanted: Counter[str] = Counter()
    for vector, count in sizes.most_common(VECTORS):
        if judged.rulings[vector].outcome.permits:
            continue
        ways = ways_to_allow(judged.pack, works.table.row(int(judged.first_V[vector])), on)
        steps = {step.how for step in ways[0]} if ways else {"Nothing that could still be done would allow it."}
        for how in steps:
            wanted[how] += count
    return wanted.most_common(20)


def work(visit: Visit) -> Answer:
    """Everything behind the rulings on one work: facts, rules with sources, what is missing."""
    from byline.app.law import Asked, explain, judge_corpus

    name, known = WorkId(visit.named["work"]), [pack.jurisdiction for pack in _packs()]
    if name not in visit.home.works:
        raise AppError("no-such-page", "there is no such work", "search by its title")
    places = tuple(place for place in known if place in visit.asked.get("places", "EU").split(","))
    asked = Asked(places or ("EU",), _day(visit))
    works = _corpus(visit, asked, visit.home.registry.works_of_ids([name]))
    told = explain(works, judge_corpus(works, asked), name, asked)
    return Page("law-work.html", told["title"], {"told": told, "says": SAYS, "on": asked.on, "facts": _facts(told)})


def _facts(told: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """What is known of a work: name of the fact, the question that it answers, and the answer."""
    from byline.gate.law import vocabulary

    asks = {name: fact.asks for name, fact in vocabulary().facts.items()}
    return [(name, asks.get(name, ""), value) for name, value in told["facts"].items()]


def _day(visit: Visit) -> date:
    read: Callable[[str], date] = date.fromisoformat
    try:
        return read(visit.asked.get("on", ""))
    except ValueError:
        return visit.now.date()
