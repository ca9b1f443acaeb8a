"""Commands of the gate: check, whatif and freeze, with law packs or without.

They stand in a file of their own; `cli` adds them to the program. Law packs are loaded only when a jurisdiction is
asked for, so that a gate by licence alone needs no extra.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home, check, freeze_manifest
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    DayOption,
    HomeOption,
    JsonOption,
    bars,
    day,
    out,
    refuse_problems,
    say,
)
from byline.core import AppError, Decision, Verdict, WorkId

if TYPE_CHECKING:
    from byline.app.law import Asked, Corpus
    from byline.gate.law import Comparison, Judgement


class Kind(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


JurisdictionOption = Annotated[
    str | None, typer.Option("--jurisdiction", help="Law packs, with commas: EU,UK,US,JP,SG,CN.")
]
EvidenceOption = Annotated[Path | None, typer.Option(help="Facts per work, CSV or JSONL (docs/rights.md).")]
AssumeOption = Annotated[
    list[str] | None, typer.Option("--assume", help="A fact for all works, fact=value; repeatable.")
]
FormOption = Annotated[list[Path] | None, typer.Option("--form", help="A filled-in form (JSON); repeatable.")]
PackOption = Annotated[list[Path] | None, typer.Option("--pack", help="Rules of your own over a pack; repeatable.")]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", help="Works of this kind alone, for a model that reads no others.")
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Open questions of law are answered against the use.")]
COLOURS = {"deny": "red", "review": "yellow", "allow-with-duties": "green", "allow": "green"}


def check_command(
    jurisdiction: JurisdictionOption = None,
    explain: Annotated[str | None, typer.Option(help="Title or id of a work: everything behind its verdicts.")] = None,
    evidence: EvidenceOption = None,
    assume: AssumeOption = None,
    form: FormOption = None,
    pack: PackOption = None,
    strict: StrictOption = False,
    on: DayOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say for each work whether it may teach a model, and why."""
    place = Home.open(home, database)
    asked = _asked(jurisdiction, day(on), strict, evidence, assume, form, pack)
    law: dict[str, Any] = {}
    decided: Mapping[WorkId, Decision] | None = None
    if asked is not None:
        law, decided = _by_law(place, asked, explain, as_json)
    elif explain or evidence or assume or form or pack or strict:
        raise AppError("no-jurisdiction", "these options ask law packs, and none is named", "add --jurisdiction EU,US")
    with bars() as progress:
        decisions, _ = check(place, day(on), decided, progress)
    refused = [d for d in decisions if d.verdict is Verdict.REFUSE]
    if not as_json and refused and not explain:
        table = Table("work", "contributor", "rule", "because", box=None)
        for d in refused:
            table.add_row(place.works[d.work].title, place.contributors(d.work), d.rule, d.because)
        out.print(table)
    told = {"admitted": len(decisions) - len(refused), "refused": [d.to_json() for d in refused]}
    say(as_json, told | law, f"{told['admitted']} works admitted, {len(refused)} refused.")


def whatif_command(
    jurisdiction: JurisdictionOption = None,
    instead: Annotated[str | None, typer.Option("--instead", help="Law packs of the other world.")] = None,
    then: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the other world.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="The other world reads strictly.")] = False,
    assume: Annotated[
        list[str] | None, typer.Option("--assume", help="A fact of the other world, over the evidence.")
    ] = None,
    pack: Annotated[list[Path] | None, typer.Option("--pack", help="Rules of the other world.")] = None,
    given: Annotated[list[str] | None, typer.Option("--given", help="A fact of both worlds, fact=value.")] = None,
    evidence: EvidenceOption = None,
    form: FormOption = None,
    on: DayOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which works would flip elsewhere, read strictly, on a later day, under other facts or other rules."""
    place = Home.open(home, database)
    now = _asked(jurisdiction, day(on), False, evidence, given, form, None)
    if now is None:
        raise AppError("no-jurisdiction", "no law pack is named", "add --jurisdiction EU")
    later = _asked(instead or jurisdiction, day(then or on), strict, evidence, given, form, pack)
    later = later and replace(later, supposing=tuple(assume or ()))
    if later is None or later == now:
        raise AppError("same-world", "both worlds are the same", "add --instead, --then, --strict, --assume or --pack")
    from byline.app.law import what_if

    works = _works(place, now, as_json)
    found = what_if(works, _works(place, later, as_json), now, later)
    if not as_json:
        _print_flips(found, works)
    say(as_json, _comparison(found, works), f"{found.flipped} of {len(works.works)} works flip.")


def freeze_command(
    jurisdiction: JurisdictionOption = None,
    evidence: EvidenceOption = None,
    assume: AssumeOption = None,
    form: FormOption = None,
    pack: PackOption = None,
    strict: StrictOption = False,
    kind: KindOption = None,
    on: DayOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze the admitted works in a manifest with a Merkle root."""
    place = Home.open(home, database)
    asked = _asked(jurisdiction, day(on), strict, evidence, assume, form, pack)
    law, decided = _by_law(place, asked, None, as_json) if asked else ({}, None)
    with bars() as progress:
        manifest = freeze_manifest(place, day(on), decided, kind.value if kind else None, progress)
    if asked:
        from byline.app.law_kept import keep_facts

        keep_facts(place, manifest, _works(place, asked, as_json), asked)
    told = {
        "manifest": manifest.id,
        "root": manifest.root,
        "works": len(manifest.entries),
        "refused": len(manifest.refused),
    }
    say(as_json, told | law, f"{manifest.id}: {len(manifest.entries)} works, root {manifest.root}")


LAW_COMMANDS: tuple[Callable[..., None], ...] = (check_command, whatif_command, freeze_command)


# --- asking -----------------------------------------------------------------------------------------------------


def _asked(
    jurisdictions: str | None,
    on: date,
    strict: bool,
    evidence: Path | None,
    assume: list[str] | None,
    forms: list[Path] | None,
    packs: list[Path] | None,
) -> "Asked | None":
    """None if no jurisdiction is named. Raises: AppError("rights-missing") without the extra."""
    places = [part.strip().upper() for part in (jurisdictions or "").split(",") if part.strip()]
    if not places:
        return None
    try:
        from byline.app.law import Asked
    except ImportError as fault:
        raise AppError("rights-missing", f"law packs need {fault.name}", "pip install 'byline[rights]'") from fault
    return Asked(tuple(places), on, strict, evidence, tuple(assume or ()), tuple(forms or ()), tuple(packs or ()))


def _works(place: Home, asked: "Asked", as_json: bool) -> "Corpus":
    """The works with their facts; faults of the evidence file end the command."""
    from byline.app.law import corpus

    works, problems = corpus(place, asked)
    refuse_problems(problems, as_json, "nothing was decided")
    return works


def _by_law(
    place: Home, asked: "Asked", explain: str | None, as_json: bool
) -> tuple[dict[str, Any], dict[WorkId, Decision]]:
    from byline.app import law
    from byline.app.law_kept import keep_rulings

    works = _works(place, asked, as_json)
    judgement = law.judge_corpus(works, asked)
    keep_rulings(place, works, judgement)
    told: dict[str, Any] = {"law": _summary(judgement, asked)}
    if explain:
        told["explained"] = law.explain(works, judgement, explain, asked)
    if not as_json:
        out.print(_counts_table(judgement))
        out.print("[dim]Law packs are unreviewed drafts and no legal advice.[/]", highlight=False)
        if explain:
            _print_explained(told["explained"])
    return told, law.decisions(works, judgement)


def _summary(judgement: "Judgement", asked: "Asked") -> dict[str, Any]:
    packs = {
        judged.pack.jurisdiction: {
            "outcomes": {str(outcome): count for outcome, count in judged.counts().items()},
            "vectors": len(judged.rulings),
            "pack": judged.pack.digest,
            "version": judged.pack.version,
            "status": judged.pack.status,
        }
        for judged in judgement.by_pack
    }
    overall = {str(outcome): count for outcome, count in judgement.counts().items()}
    return {"on": asked.on.isoformat(), "reading": str(asked.reading), "outcomes": overall, "jurisdictions": packs}


# --- showing ----------------------------------------------------------------------------------------------------


def _counts_table(judgement: "Judgement") -> Table:
    table = Table("jurisdiction", *COLOURS, "distinct facts", "pack", box=None)
    for judged in judgement.by_pack:
        counts = {str(outcome): count for outcome, count in judged.counts().items()}
        cells = [str(counts.get(outcome, 0)) for outcome in COLOURS]
        table.add_row(judged.pack.jurisdiction, *cells, str(len(judged.rulings)), judged.pack.status)
    return table


def _print_explained(told: dict[str, Any]) -> None:
    out.print(f"\n[bold]{escape(told['title'])}[/] {told['work']}", highlight=False)
    for ruling in told["rulings"]:
        colour = COLOURS[ruling["outcome"]]
        out.print(f"[bold]{ruling['jurisdiction']}[/] [{colour}]{ruling['outcome']}[/]", highlight=False)
        for reason in ruling["reasons"]:
            _print_reason(reason)
        if ruling["duties"]:
            out.print(f"  owed: {', '.join(ruling['duties'])}", highlight=False, soft_wrap=True)
        _print_missing(ruling)


def _print_reason(reason: dict[str, Any]) -> None:
    mark = "" if reason["applies"] else f" [dim](undecided: {', '.join(reason['open'])})[/]"
    out.print(f"  {reason['rule']}: {escape(reason['because'])}{mark}", highlight=False, soft_wrap=True)
    for line in reason["cite"]:
        text, _, confidence = line.rpartition(" | ")
        out.print(f"    [dim]{escape(text)} ({confidence})[/]", highlight=False, soft_wrap=True)


def _print_missing(ruling: dict[str, Any]) -> None:
    if ruling["hopeless"]:
        out.print("  missing: nothing that could still be done would allow it.", highlight=False)
    for number, way in enumerate(ruling["missing"]):
        out.print("  missing, at the least:" if number == 0 else "  or:", highlight=False)
        for step in way:
            line = f"    {step['fact']} = {' or '.join(step['wanted'])} <- {step['how']}"
            out.print(escape(line), highlight=False, soft_wrap=True)


def _print_flips(found: "Comparison", works: "Corpus") -> None:
    table = Table("works", "now", "then", "rules", "for example", box=None)
    for flip in found.flips:
        rules = ", ".join(flip.rules[:3]) + (" ..." if len(flip.rules) > 3 else "")
        example = works.works[flip.works[0]].title
        table.add_row(str(len(flip.works)), flip.before, flip.after, escape(rules), escape(example))
    if found.flips:
        out.print(table)


def _comparison(found: "Comparison", works: "Corpus") -> dict[str, Any]:
    sides = {"now": found.before, "then": found.after}
    counts = {name: {str(what): count for what, count in side.counts().items()} for name, side in sides.items()}
    flips = [
        {
            "before": str(flip.before),
            "after": str(flip.after),
            "rules": list(flip.rules),
            "works": [works.works[index].id for index in flip.works],
        }
        for flip in found.flips
    ]
    return counts | {"flipped": found.flipped, "flips": flips}
