"""`byline import`, `byline export` and `byline work`: evidence in and out, and all that is known of one work."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, DayOption, HomeOption, JsonOption, day, out, refuse_problems, say
from byline.core import AppError
from byline.registry import CATALOGUE_KINDS, EVIDENCE_KINDS

ALL = "all"
KindArgument = Annotated[str, typer.Argument(help=f"One of: parties, {', '.join(EVIDENCE_KINDS)}.")]
KnownOption = Annotated[
    datetime | None, typer.Option("--known", formats=["%Y-%m-%d"], help="Only what was recorded by this day.")
]


def import_command(
    kind: KindArgument,
    file: Annotated[Path, typer.Argument(help="The records, CSV or JSONL: docs/registry.md has every column.")],
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a file of evidence: acquisitions, licences, grants, consents, signals and more; all of it or nothing."""
    if kind in CATALOGUE_KINDS:
        fix = "byline register WORKS --splits SPLITS --opt-outs OPT-OUTS"
        raise AppError("register-instead", "works, splits and opt-outs come in together", fix)
    added, rows, problems = Home.open(home, database).registry.import_file(kind, file, date.today())
    refuse_problems(problems, as_json)
    told = {"kind": kind, "added": added, "rows": rows}
    say(as_json, told, f"{kind}: added {added} of {rows} rows; {rows - added} were there already.")


def export_command(
    kind: Annotated[
        str, typer.Argument(help=f"One of: all, {', '.join(CATALOGUE_KINDS)}, parties, {', '.join(EVIDENCE_KINDS)}.")
    ],
    to: Annotated[Path, typer.Option("--to", help="File, CSV or JSONL by its ending; a folder for all.")],
    known: KnownOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write records of a kind, superseded ones too, as a file that reads back as exactly the same."""
    registry = Home.open(home, database).registry
    as_of = known.date() if known else None
    kinds = (*CATALOGUE_KINDS, "parties", *EVIDENCE_KINDS) if kind == ALL else (kind,)
    files = {each: to / f"{each}.csv" if kind == ALL else to for each in kinds}
    written = {each: registry.export_file(each, path, as_of) for each, path in files.items()}
    told = {"to": str(to), "rows": written}
    says = ", ".join(f"{rows} {each}" for each, rows in written.items() if rows or kind != ALL)
    say(as_json, told, f"Wrote {says or 'nothing: the register is empty'} to {to}.")


def work_command(
    work: Annotated[str, typer.Argument(help="Title or id.")],
    on: DayOption = None,
    known: KnownOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say all that is known of a work: who, how obtained, licences, signals, decisions, data sets, trainings."""
    from byline.app.known import about_work

    told = about_work(Home.open(home, database), work, day(on), known.date() if known else None)
    if not as_json:
        for heading, lines in told_in_words(told):
            for number, line in enumerate(lines):
                label = f"[bold]{heading:<13}[/]" if number == 0 else " " * 13
                out.print(f"{label} {escape(line)}", highlight=False, soft_wrap=True)
    missing = "; ".join(told["not_on_record"])
    say(as_json, told, f"Not on record: {missing}." if missing else "Nothing that is asked for is missing.")


COMMANDS: tuple[Callable[..., None], ...] = (import_command, export_command, work_command)


# --- in words ---------------------------------------------------------------------------------------------------


def told_in_words(told: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Headings with sentences about the work; an empty list of sentences is left out."""
    yield "Work", [f"{told['title']} ({told['kind']}), created {told['created']}; {told['work']}"]
    yield "Made by", [_contributor(part) for part in told["contributors"]]
    yield "Handed in by", [f"{told['account']}; from {told['source'] or 'a source that is not named'}"]
    yield "Obtained", [_with(each, _acquisition(each)) for each in told["acquisitions"]]
    yield "Licence", [f"as registered: {told['licence'] or 'none stated'}", *map(_licence, told["licences"])]
    yield "Granted", [_with(each, _grant(each)) for each in told["grants"]]
    yield "Consent", [_with(each, _consent(each)) for each in told["consents"]]
    yield "Signals", [_with(each, _signal(each)) for each in told["signals"]]
    yield "Said no", [_opt_out(each) for each in told["opt_outs"]] or ["nobody, as far as is known here"]
    yield "Gate", [_decision(told["decision"])] if told["decision"] else []
    yield "Law", [_with(each, _legal(each)) for each in told["legal_decisions"]]
    yield "Shares", [_shares(told["shares"], told["on"])]
    yield "In data sets", [f"{each['id']}, frozen {each['frozen']}" for each in told["manifests"]] or ["none"]
    yield "In trainings", [_run(each) for each in told["runs"]] or ["none on record"]


def _with(each: dict[str, Any], says: str) -> str:
    """A sentence, with whom it reaches if that is more than this work, and its state if it does not stand."""
    reach = "" if each["reaches"] == "this work" else f" [{each['reaches']}]"
    return says + reach + ("" if each["state"] == "stands" else f" ({each['state']})")


def _contributor(part: dict[str, Any]) -> str:
    since = f", credited since {part['credited_since']}" if part["credited_since"] else ""
    return f"{part['name']}, {part['role']}{since}" + (f" ({', '.join(part['numbers'])})" if part["numbers"] else "")


def _acquisition(each: dict[str, Any]) -> str:
    until = f" to {each['collected_until']}" if each["collected_until"] else ""
    parts = [f"{each['method'].replace('_', ' ')} on {each['effective']}{until} from {each['source']}"]
    parts += [f"by {each['collector']}"] if each["collector"] else []
    if each["method"] == "crawl" or each["robots"] not in ("not_read", "not_applicable"):
        parts.append(f"robots.txt {each['robots'].replace('_', ' ')}")
    parts += [f"{name} {each[name]}" for name in ("upstream", "contract", "evidence") if each[name]]
    return ", ".join(parts) + _facts(each)


def _licence(each: dict[str, Any]) -> str:
    stated = f", stated in {each['stated_in']}" if each["stated_in"] else ""
    return _with(each, f"{each['expression']}{_span(each)}{stated}{_facts(each)}")


def _grant(each: dict[str, Any]) -> str:
    paid = f", {_amount(each)}" if each["amount_nano"] else ""
    uses, places = ", ".join(each["uses"]), ", ".join(each["territory"])
    parties = f"by {each['name']} to {each['grantee']}"
    return f"{parties} for {uses} in {places}{_span(each)}{paid}{_facts(each)}"


def _amount(each: dict[str, Any]) -> str:
    from byline.ledger import amount_text

    return f"{amount_text(int(each['amount_nano']), each['currency'])} {each['pricing']}".strip()


def _consent(each: dict[str, Any]) -> str:
    subjects, uses = ", ".join(each["subjects"]).replace("_", " "), ", ".join(each["uses"])
    return f"{each['name']}: {subjects} for {uses}, given to {each['controller']}{_span(each)}{_facts(each)}"


def _signal(each: dict[str, Any]) -> str:
    if each["problem"]:
        return f"{each['source']} could not be read ({each['problem']}): {each['raw']}"
    if each["carrier"] == "nothing":
        return f"{each['source']}: nothing was said on {each['effective']}"
    line = f" line {each['line']}" if each["line"] else ""
    said = ", ".join(f"{use} {reading}" for use, reading in each["canonical"]) or "nothing about a use"
    return f"{each['carrier']}{line} at {each['source']}, read {each['effective']}: {each['raw']!r}: {said}"


def _opt_out(each: dict[str, Any]) -> str:
    because = f": {each['because']}" if each["because"] else ""
    return f"{each['by'] or 'a notice'}, for {each['reaches']}, from {each['effective']}{because}"


def _decision(each: dict[str, Any]) -> str:
    return f"{each['verdict']} by rule {each['rule']}: {each['because']}"


def _legal(each: dict[str, Any]) -> str:
    says = f"{each['jurisdiction']}, {each['use']}: {each['outcome']} on {each['effective']} (pack {each['pack']})"
    rules = f", by {_some(each['rules'])}" if each["rules"] else ""
    missing = f"; not established: {_some(each['missing'])}" if each["missing"] else ""
    return says + rules + missing


def _some(words: list[str], shown: int = 4) -> str:
    """The first few; `--json` and `byline check --explain` have all of them."""
    more = len(words) - shown
    return ", ".join(words[:shown]) + (f" and {more} more" if more > 0 else "")


def _shares(shares: dict[str, Any], on: str) -> str:
    lines = [f"{line['name']} {line['ppm'] / 10_000:g} %" for line in shares["lines"]]
    lines += [f"{what} {shares[key] / 10_000:g} %" for key, what in WAITING.items() if shares[key]]
    return f"on {on}, {'agreed' if shares['agreed'] else 'nothing agreed, so equal'}: {', '.join(lines)}"


WAITING = {"held_ppm": "held for a dispute", "unclaimed_ppm": "unclaimed"}


def _run(each: dict[str, Any]) -> str:
    begun = f"model {each['model']}, begun {each['begun']}" if each["begun"] else "from its folder"
    return f"{each['name']}, {begun}, on {each['manifest']}; {each['run']}"


def _span(each: dict[str, Any]) -> str:
    return f" from {each['effective']}" + (f" to {each['until']}" if each["until"] else "")


def _facts(each: dict[str, Any]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in each['facts'])})" if each["facts"] else ""
