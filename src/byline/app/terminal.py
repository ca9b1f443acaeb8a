"""What every command shares: the options that repeat, the two ways of telling a result, and progress bars."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from byline.core import Problem

out, err = Console(), Console(stderr=True)

HomeOption = Annotated[Path, typer.Option("--home", help="Project folder.", envvar="BYLINE_HOME")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line, nothing else on it.")]
DayOption = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day to decide for (today).")]
NameOption = Annotated[str, typer.Option("--name", help="Name of the training.")]
RunOption = Annotated[
    Path | None, typer.Option("--run", help="A run folder of your own recording, instead of a --name.")
]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", help="FILE.py[:NAME] that makes the byline.Subject of that run.")
]
EvidenceOption = Annotated[
    Path | None, typer.Option("--to", help="Folder for what is measured of --run; default: beside it.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", help="Database URL; default: SQLite in the folder.", envvar="BYLINE_DATABASE"),
]
HOME = Path("byline-home")


def say(as_json: bool, told: Any, sentence: str) -> None:
    """The result: one JSON object on the last line for machines, a sentence for people."""
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        out.print(escape(sentence), highlight=False, soft_wrap=True)


def tell(as_json: bool, text: str) -> None:
    """A line on the way; with --json it goes to standard error."""
    (err if as_json else out).print(escape(text), highlight=False, soft_wrap=True)


def refuse_problems(problems: list[Problem], as_json: bool, left: str = "nothing was added") -> None:
    """All faults of people's data at once, and exit code 1. `left`: what was therefore not done."""
    if not problems:
        return
    for problem in problems:
        err.print(f"[red]{escape(str(problem))}[/]", highlight=False, soft_wrap=True)
    say(as_json, {"problems": [p.to_json() for p in problems]}, f"{len(problems)} problems; {left}.")
    raise typer.Exit(1)


def day(on: datetime | None) -> date:
    return on.date() if on else date.today()


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on standard error, one per kind of step."""
    columns = (TextColumn("{task.description:<38}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as shown:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=of)
            shown.update(tasks[what], completed=done, total=of)

        yield progress
