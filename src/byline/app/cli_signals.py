"""`byline signals`: what a file, a folder or a web archive says of the use of works; and the conformance corpus."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, out, say
from byline.core import AppError

if TYPE_CHECKING:
    from byline.gate.signals import Answer
    from byline.gate.signals.conformance import Scores

CORPUS = "conformance"
COLOURS = {"allow": "green", "deny": "red", "conditional": "yellow", "unknown": "dim"}


def signals_command(
    places: Annotated[
        list[str], typer.Argument(help=f"Files, folders or WARC archives; or `{CORPUS}`: run the corpus of fixtures.")
    ],
    path: Annotated[str, typer.Option(help="Path on its site that a single file is asked about.")] = "",
    agent: Annotated[str, typer.Option(help="Product token of the crawler that fetched.")] = "",
    inference: Annotated[
        str, typer.Option(help="Crawlers whose exclusion is a no: any-training-agent, own-agent or off.")
    ] = "any-training-agent",
    iscc: Annotated[list[str] | None, typer.Option(help="ISCC of the work, for TDM·AI; repeatable.")] = None,
    detail: Annotated[bool, typer.Option("--detail", help="With the corpus: every fixture and every answer.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what is read of registered works, for the gate.")] = False,
    site: Annotated[str, typer.Option(help="With --keep: the address that a folder mirrors.")] = "",
    about: Annotated[
        str, typer.Option(help="With --keep: it is about this work (title or id), or domain:, account:, party:.")
    ] = "",
    complete: Annotated[
        bool, typer.Option("--complete", help="With --keep: all that could have spoken was read, so silence counts.")
    ] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read opt-out signals: who refuses or permits which use, by which rule, and what could not be read."""
    if places == [CORPUS]:
        _conformance(detail, as_json)
        return
    if (site or about or complete) and not keep:
        raise AppError("nothing-kept", "--site, --about and --complete say how to keep", "add --keep")
    place = Home.open(home, database) if keep else None
    from byline.gate.signals import Options, read_place

    options = Options(_inference(inference), tuple(iscc or ()))
    now = datetime.now(UTC)
    answers = [
        answer for place in places for answer in read_place(Path(place), now, path=path, agent=agent, options=options)
    ]
    told = told_of(answers)
    kept = _kept(place, answers, now, site, about, complete) if place else {}
    if not as_json:
        for answer in answers:
            print_answer(answer)
    unread = len(told["problems"])
    sentence = f"{len(answers)} works, {len(told['observations'])} observations, {unread} problems."
    sentence += " Beside a problem nothing is allowed." if unread else ""
    sentence += f" Kept of {len(kept['works'])} registered works; {len(kept['unmatched'])} are none." if kept else ""
    say(as_json, told | ({"kept": kept} if kept else {}), sentence)


def _kept(home: Home, answers: "list[Answer]", now: datetime, site: str, about: str, complete: bool) -> dict[str, Any]:
    from byline.app.looks import keep_answers, scope_of

    found = keep_answers(home, answers, now, site=site, about=scope_of(home, about), complete=complete)
    return {"signals": found.signals, "works": list(found.works), "unmatched": list(found.unmatched)}


COMMANDS: tuple[Callable[..., None], ...] = (signals_command,)


def told_of(answers: "list[Answer]") -> dict[str, Any]:
    """For machines: all observations, all problems (each once), and one reading per work and use."""
    from byline.gate.signals import access, canonical

    problems = dict.fromkeys(fault for answer in answers for fault in answer.findings.problems)
    return {
        "observations": [seen.to_json() for answer in answers for seen in answer.findings.observations],
        "problems": [fault.to_json() for fault in problems],
        "works": [
            {
                "source": answer.source,
                "path": answer.path,
                "kind": answer.kind,
                "access": access(answer.findings.observations).value,
                "canonical": canonical(answer.resolved),
                "because": {each.category.value: list(each.because) for each in answer.resolved},
                "duties": sorted({duty for each in answer.resolved for duty in each.duties}),
            }
            for answer in answers
        ],
    }


# --- showing --------------------------------------------------------------------------------------------------


def _inference(word: str) -> Any:
    from byline.gate.signals import Inference

    try:
        return Inference(word)
    except ValueError:
        raise AppError("bad-inference", f"no inference {word!r}", f"choose one of {', '.join(Inference)}") from None


def print_answer(answer: "Answer") -> None:
    out.print(f"[bold]{escape(answer.source)}[/] {escape(answer.kind) or 'nothing looked for inside'}", highlight=False)
    table = Table("use", "reading", "because", box=None)
    for each in answer.resolved:
        reading = f"[{COLOURS[each.reading.value]}]{each.reading.value}[/]"
        table.add_row(each.category.value, reading, escape("; ".join((*each.because, *each.duties))))
    out.print(table)
    for fault in answer.findings.problems:
        out.print(f"  [red]{escape(str(fault))}[/]", highlight=False, soft_wrap=True)


def _conformance(detail: bool, as_json: bool) -> None:
    from byline.gate.signals.conformance import run

    scores = run()
    if not as_json:
        out.print(score_table(scores))
        if detail:
            out.print(detail_table(scores))
        out.print(f"datadiligence {escape(scores.versions['datadiligence'])}", highlight=False)
    told = scores.to_json(detail)
    say(as_json, told, f"{told['correct']['byline']} of {told['fixtures']} fixtures are read as their section asks.")
    if told["wrong"]:
        raise typer.Exit(1)


def score_table(scores: "Scores") -> Table:
    """By subject: how many fixtures, and of those that each reader could be asked about how many it got right."""
    table = Table("subject", "fixtures", "byline", "robotparser", "datadiligence", box=None)
    for subject in dict.fromkeys(each.fixture.id.partition("/")[0] for each in scores.outcomes):
        rights = [each.right for each in scores.outcomes if each.fixture.id.startswith(f"{subject}/")]
        cells = [_share([right[name] for right in rights]) for name in ("byline", "robotparser", "datadiligence")]
        table.add_row(subject, str(len(rights)), *cells)
    return table


def _share(rights: list[bool | None]) -> str:
    asked = [right for right in rights if right is not None]
    return f"{sum(asked)} of {len(asked)}" if asked else "-"


def detail_table(scores: "Scores") -> Table:
    table = Table("fixture", "section", "may train", "byline", "robotparser", "datadiligence", box=None)
    for each in scores.outcomes:
        answers = [_word(each.answers[name]) for name in ("robotparser", "datadiligence")]
        byline = "as asked" if each.right["byline"] else "[red]otherwise[/]"
        table.add_row(each.fixture.id, escape(each.fixture.section), _word(each.fixture.may_train()), byline, *answers)
    return table


def _word(answer: bool | None) -> str:
    return "-" if answer is None else "yes" if answer else "no"
