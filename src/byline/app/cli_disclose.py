"""`byline disclose`: filings from the records; and `byline publish`: a contributor's choice, for the web to read."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, NameOption, out, refuse_problems, say
from byline.core import AppError

if TYPE_CHECKING:
    from byline.app.disclose import Filed
    from byline.app.publish import Outcome
    from byline.disclosure.filings import Answer, Corpus, Regime


def disclose_command(
    what: Annotated[str, typer.Argument(help="eu, ab2013, cn, lia, croissant, dps or spdx; diff A B; check FILING.")],
    filings: Annotated[list[Path] | None, typer.Argument(help="For diff and check: filings, or their folders.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write the filing to.")] = None,
    answers: Annotated[Path | None, typer.Option(help="What only a person can answer, YAML or JSON.")] = None,
    form: Annotated[Path | None, typer.Option(help="The gate's form with the sampling numbers (cn).")] = None,
    template: Annotated[Path | None, typer.Option(help="Write an answers file to fill in, and stop.")] = None,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a filing from the records; compare two, or hold one against the records (exit code 1 if it disagrees)."""
    app = _library()
    if what == "diff":
        _diff(filings or [], as_json)
        return
    if what == "check":
        _check(filings or [], Home.open(home, database), name, as_json)
        return
    regime = app.regime_named(what)
    if filings:
        raise AppError("too-many-files", f"{what} takes no file", "answers come with --answers FILE")
    place = Home.open(home, database)
    corpus = app.gather(place, name)
    if template is not None:
        _write_template(regime, corpus, template, as_json)
        return
    if to is None:
        raise AppError("no-folder", "there is no folder to write the filing to", "--to FOLDER, or --template FILE")
    filed = app.disclose(place, regime, corpus, _answers(regime, answers, form, as_json), to, date.today())
    _tell(filed, to, as_json)


def _library() -> ModuleType:
    """Raises: AppError("rights-missing") without the extra."""
    try:
        from byline.app import disclose
    except ImportError as fault:
        raise AppError("rights-missing", f"filings need {fault.name}", "pip install 'byline[rights]'") from fault
    return disclose


def _answers(regime: "Regime", file: Path | None, form: Path | None, as_json: bool) -> "dict[str, Answer]":
    """Answers of a person over those of a form. Faults of the file end the command."""
    from byline.app.disclose import sample_answers
    from byline.disclosure.filings import CN, read_answers

    found: dict[str, Answer] = {}
    if form is not None:
        if regime is not CN:
            raise AppError("no-form-here", f"{regime.name} takes no form", "only cn does; use --answers")
        found = sample_answers(form, date.today())
    if file is not None:
        told, problems = read_answers(file, regime)
        refuse_problems(problems, as_json, "nothing was filed")
        found |= told
    return found


def _write_template(regime: "Regime", corpus: "Corpus", path: Path, as_json: bool) -> None:
    from byline.disclosure import write_text
    from byline.disclosure.filings import template

    if path.exists():
        raise AppError("template-exists", f"{path} is there already", "name another file: answers are not overwritten")
    write_text(path, template(regime, corpus, date.today()))
    say(
        as_json,
        {"template": str(path)},
        f"Wrote {path}. Fill it in, then: byline disclose {regime.name} --answers {path}",
    )


def _tell(filed: "Filed", to: Path, as_json: bool) -> None:
    filing = filed.filing
    if not as_json:
        for field in filing.open:
            out.print(f"[yellow]open[/] {field.item.id}: {escape(field.item.asks)}", highlight=False, soft_wrap=True)
        for remark in filed.remarks:
            out.print(f"[red]short[/] {escape(remark)}", highlight=False, soft_wrap=True)
    count = len(filing.open)
    state = f"a DRAFT: {count} of {len(filing.fields)} fields are open" if count else "every field is filled in"
    leaf = f"leaf {filed.leaf} of the log" + ("" if filed.new else " (nothing has changed since)")
    sentence = f"{filing.regime.title}, version {filing.version}, is in {to}; {state}. Its digest is {leaf}."
    say(as_json, filed.to_json(), sentence)


def _diff(files: list[Path], as_json: bool) -> None:
    from byline.app.disclose import filing_at
    from byline.disclosure.filings import diff_filings

    if len(files) != 2:
        raise AppError("two-filings", f"{len(files)} filings are named", "byline disclose diff A B")
    one, other = (filing_at(path) for path in files)
    changes = diff_filings(one, other)
    if not as_json and changes:
        table = Table("field", "before", "after", box=None)
        for change in changes:
            table.add_row(f"{change.name} {escape(change.asks)}", escape(change.before), escape(change.after))
        out.print(table)
    told = [{"field": c.name, "asks": c.asks, "before": c.before, "after": c.after} for c in changes]
    say(as_json, {"changes": told}, f"{len(changes)} differences between version {one.version} and {other.version}.")


def _check(files: list[Path], place: Home, name: str, as_json: bool) -> None:
    from byline.app.disclose import filing_at, gather
    from byline.disclosure.filings import check_filing

    if len(files) != 1:
        raise AppError("one-filing", f"{len(files)} filings are named", "byline disclose check FILING")
    filing = filing_at(files[0])
    faults = check_filing(filing, gather(place, name))
    if not as_json:
        for fault in faults:
            out.print(f"[red]differs[/] {escape(str(fault))}", highlight=False, soft_wrap=True)
    told = {"agrees": not faults, "disagreements": [fault.to_json() for fault in faults]}
    count = len(faults)
    says = f"It disagrees with the records of {name} in {count} points." if faults else "It agrees with the records."
    say(as_json, told, says)
    if faults:
        raise typer.Exit(1)


def publish_command(
    target: Annotated[str, typer.Argument(help="A contributor (all works) or a work; name, title or id.")],
    to: Annotated[Path, typer.Option(help="Folder to write to: the top of the site.")],
    choice: Annotated[
        str, typer.Option(help="no, no-ai, no-training, no-generative, paid-training, yes, or use=reading with commas.")
    ] = "",
    terms: Annotated[str, typer.Option(help="Address of the terms, for a yes on terms.")] = "",
    site: Annotated[str, typer.Option(help="Address of the site, so that files can point at each other.")] = "",
    path: Annotated[str, typer.Option(help="What on the site is meant: everything below this path.")] = "/",
    file: Annotated[
        list[Path] | None, typer.Option(help="JPEG or PNG to copy with the choice in it; repeatable.")
    ] = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the copies (C2PA) with this project's own certificate.")
    ] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a contributor's choice as files for the web: tdmrep.json, robots.txt, headers, RSL, XMP, C2PA."""
    try:
        from byline.app.publish import holder, publish_choice, recorded_choice
        from byline.disclosure.publish import c2pa_there, parse_choice, site_at
    except ImportError as fault:
        raise AppError("rights-missing", f"publishing needs {fault.name}", "pip install 'byline[rights]'") from fault
    place = Home.open(home, database)
    who = holder(place, target)
    chosen = parse_choice(choice, terms) if choice else recorded_choice(place, who, date.today())
    keys = place.path / "keys" if sign else None
    done = publish_choice(chosen, site_at(site, path, who.name), to, file or [], keys, date.today())
    if not as_json:
        _print_published(done)
    unsigned = "" if c2pa_there() else " c2pa-python is not there: the assertion is not in any file."
    left = f" No carrier can say: {', '.join(done.to_json()['unsaid'])}." if done.to_json()["unsaid"] else ""
    count = len(done.files) + len(done.copies)
    say(
        as_json,
        done.to_json(),
        f"{count} files for {who.name} are in {to}; each was read back as chosen.{left}{unsigned}",
    )


def _print_published(done: "Outcome") -> None:
    table = Table("carrier", "file", "says", box=None)
    for each in done.carriers:
        says = ", ".join(f"{category}={reading}" for category, reading in each.says.items()) or "nothing"
        careful = "".join(f"; a careful reader takes {c} as {r}" for c, r in each.cautious.items())
        table.add_row(each.carrier, each.file if each.text else "-", escape(says + careful))
    out.print(table)
    for each in done.carriers:
        if each.why:
            out.print(f"[dim]{each.carrier}: {escape(each.why)}[/]", highlight=False, soft_wrap=True)
    for copy in done.copies:
        says = ", ".join(f"{use}={reading}" for use, reading in copy.says.items()) or "nothing"
        state = f"signed, state {copy.signature}, on no trust list" if copy.signed else "not signed"
        out.print(f"{escape(str(copy.file))}: {escape(says)} ({state})", highlight=False, soft_wrap=True)


COMMANDS: tuple[Callable[..., None], ...] = (disclose_command, publish_command)
