"""`byline pii`: which personal data stand in files, or in the registered works."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, DayOption, HomeOption, JsonOption, bars, day, out, say

LISTED = 20


def pii_command(
    places: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; without any, the registered works of the project.")
    ] = None,
    detail: Annotated[bool, typer.Option("--detail", help="Every file with finds, and where they stand.")] = False,
    on: DayOption = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for personal data in files, or in all registered works: kinds, counts and places, never the values."""
    from byline.app import pii

    with bars() as progress:
        found = _audited(places or [], day(on), home, database, progress)
    told = pii.told_of(found)
    if not as_json:
        _show(told, detail)
    kept = "" if places else " Kept for the gate."
    sentence = (
        f"{told['with_finds']} of {told['audited']} hold personal data of a kind that was looked for. "
        f"An audit does not show that the others hold none: names are not looked for.{kept}"
    )
    say(as_json, told, sentence)


COMMANDS: tuple[Callable[..., None], ...] = (pii_command,)


def _audited(places: list[Path], on: date, home: Path, database: str | None, progress: Any) -> Any:
    """In the files that are named, or else in the works of the project."""
    from byline.app import pii

    if places:
        return pii.audit_places(places, on, progress)
    return pii.audit_works(Home.open(home, database), on, progress).values()


def _show(told: dict[str, Any], detail: bool) -> None:
    from byline.gate.pii import KINDS

    table = Table("kind", "finds", "what", "told from its like by", box=None)
    for kind, count in told["counts"].items():
        table.add_row(kind, str(count), KINDS[kind].says, KINDS[kind].checked)
    if told["counts"]:
        out.print(table)
    with_finds = [audit for audit in told["audits"] if audit["counts"]]
    for audit in with_finds if detail else with_finds[:LISTED]:
        _show_one(audit, detail)
    if not detail and len(with_finds) > LISTED:
        out.print(f"... and {len(with_finds) - LISTED} more: --detail", highlight=False)
    for says, files in told["not_looked_for"].items():
        out.print(f"[yellow]not known[/] of {files}: {escape(says)}", highlight=False, soft_wrap=True)


def _show_one(audit: dict[str, Any], detail: bool) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in audit["counts"])
    out.print(f"[bold]{escape(audit['source'])}[/] {counts}", highlight=False, soft_wrap=True)
    for find in audit["places"] if detail else ():
        out.print(f"  {find['kind']} at {find['start']} to {find['end']} ({find['detector']})", highlight=False)
