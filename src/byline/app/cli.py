"""The `byline` command: every subcommand is one library call, a sentence for people, and `--json` for machines."""

import logging
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.cli_coop_votes import coop_app  # with all of its commands
from byline.app.cli_disclose import COMMANDS as DISCLOSE_COMMANDS
from byline.app.cli_engine import COMMANDS
from byline.app.cli_law import LAW_COMMANDS
from byline.app.cli_log import COMMANDS as LOG_COMMANDS
from byline.app.cli_lookup import COMMANDS as LOOKUP_COMMANDS
from byline.app.cli_mail import MAIL_COMMANDS
from byline.app.cli_money import COMMANDS as MONEY_COMMANDS
from byline.app.cli_optout import COMMANDS as OPTOUT_COMMANDS
from byline.app.cli_payout import COMMANDS as PAYOUT_COMMANDS
from byline.app.cli_people import COMMANDS as PEOPLE_COMMANDS
from byline.app.cli_pii import COMMANDS as PII_COMMANDS
from byline.app.cli_registry import COMMANDS as REGISTRY_COMMANDS
from byline.app.cli_review import COMMANDS as REVIEW_COMMANDS
from byline.app.cli_serve import COMMANDS as SERVE_COMMANDS
from byline.app.cli_settle import COMMANDS as SETTLE_COMMANDS
from byline.app.cli_signals import COMMANDS as SIGNAL_COMMANDS
from byline.app.cli_statement import COMMANDS as STATEMENT_COMMANDS
from byline.app.cli_token import COMMANDS as TOKEN_COMMANDS
from byline.app.cli_token import token_app
from byline.app.home import Home, register
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    EvidenceOption,
    HomeOption,
    JsonOption,
    NameOption,
    RunOption,
    SubjectOption,
    bars,
    err,
    out,
    refuse_problems,
    say,
    tell,
)
from byline.core import PPB, AppError, BylineError

if TYPE_CHECKING:
    from byline.app.game import How

app = typer.Typer(
    help="Training-time provenance: which works taught a model, how sure we are, and what each is owed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command; an error of ours is one message (what, where, fix) and exit code 1."""
    quiet_libraries()
    try:
        code = app(standalone_mode=False)
    except BylineError as error:
        raise refused(error) from None
    except OSError as fault:
        what = f"{fault.filename or 'the system'}: {fault.strerror or fault}"
        raise refused(AppError("file-system", what, "check the path, the rights to it and the free space")) from None
    except (typer.Abort, KeyboardInterrupt):
        err.print("stopped; what was finished is kept")
        raise SystemExit(130) from None
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of the command line itself
            err.print(f"[bold red]error[/] {escape(error.format_message())}", highlight=False, soft_wrap=True)
            raise SystemExit(2) from None
        raise
    raise SystemExit(code or 0)


def refused(error: BylineError) -> SystemExit:
    err.print(f"[bold red]error[/] [dim]\\[{error.code}][/] {escape(str(error))}", highlight=False, soft_wrap=True)
    return SystemExit(1)


def quiet_libraries() -> None:
    """Model libraries may not reach for the network nor talk over the progress bars."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("alembic").setLevel(logging.WARNING)


# --- register, check, whatif, freeze ----------------------------------------------------------------------------


@app.command("register")
def register_command(
    works: Annotated[Path, typer.Argument(help="Catalogue of works, CSV or JSONL.")],
    splits: Annotated[Path | None, typer.Option(help="Agreed splits, CSV or JSONL.")] = None,
    opt_outs: Annotated[Path | None, typer.Option(help="Opt-outs, CSV or JSONL.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add works, contributors, splits and opt-outs; with any fault in the files nothing is added."""
    counts, problems = register(Home(home, database), works, splits, opt_outs, date.today())
    refuse_problems(problems, as_json)
    told = counts.to_json() if counts else {}
    say(as_json, told, "Added " + ", ".join(f"{n} {what.replace('_', '-')}" for what, n in told.items()) + ".")


for _command in LAW_COMMANDS:
    app.command(_command.__name__.removesuffix("_command"))(_command)


# --- train, attribute, evaluate ---------------------------------------------------------------------------------


@app.command("train")
def train_command(
    base: Annotated[list[Path] | None, typer.Option(help="Text for the base model, not recorded; repeatable.")] = None,
    effort: Annotated[str, typer.Option(help="demo or tiny: sets all other dials.")] = "demo",
    seed: Annotated[int, typer.Option(help="Fixes order, weights and draws.")] = 0,
    twin: Annotated[bool, typer.Option(help="Train again without recording, to measure what recording costs.")] = False,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the reference language model on the frozen works while Byline records."""
    from byline.app.model import texts_of, train_model
    from byline.training import Recipe

    place = Home.open(home, database)
    manifest = place.registry.latest_manifest()
    with bars() as progress:
        told = train_model(
            place, manifest, Recipe.of(effort, seed), name, base=texts_of(base or []), twin=twin, progress=progress
        )
    shown = {key: value for key, value in told.items() if key not in ("losses", "uncaptured")}
    say(
        as_json,
        shown,
        f"{told['parameters']:,} parameters, {len(told['losses'])} steps; held-out {told['heldout']:.2f} nats a token "
        f"(single-token frequencies: {told['unigram']:.2f}); {told['captured']:.0%} of the parameters recorded.",
    )


@app.command("attribute")
def attribute_command(
    text: Annotated[list[Path] | None, typer.Argument(help="Text files whose origin is asked.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Generate from this prompt and ask; repeatable.")] = None,
    held_out: Annotated[int, typer.Option(help="Ask about a held-out passage of this many contributors.")] = 0,
    threshold: Annotated[str, typer.Option(help="Noise that a sum must clear, in errors; or volume-proof.")] = "1",
    nulls: Annotated[int, typer.Option(help="Measure that noise on so many base-model passages.", min=0)] = 0,
    game: Annotated[str, typer.Option(help="linear, or redundancy: works that teach the same share it.")] = "linear",
    streams: Annotated[int, typer.Option(help="Carry back so many more times, to learn what chance did.", min=0)] = 0,
    blend: Annotated[bool, typer.Option("--blend", help="Join channels by the weights that the audit fitted.")] = False,
    words: Annotated[bool, typer.Option("--words", help="The same, likeness of words among them.")] = False,
    run: RunOption = None,
    subject: SubjectOption = None,
    to: EvidenceOption = None,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which works and contributors passages came from, with intervals and an unattributed rest."""
    from byline.app.answers import attribute
    from byline.app.game import How
    from byline.app.model import Training, texts_of
    from byline.app.passages import generated_passages, given_passages, held_out_passages, most_recorded
    from byline.app.period import Hurdle
    from byline.app.period_table import period_table, period_words

    hurdle, how = Hurdle.of(threshold, nulls), How(game, streams, blend, words)
    how.choice()  # refused before anything is computed
    if run is not None:
        _attribute_run(run, subject, to, how, hurdle.errors, as_json)
        return
    files = text or []
    if not (files or prompt or held_out):
        raise AppError("no-passage", "there is nothing to ask about", "give a text file, --prompt or --held-out")
    training = Training.open(Home.open(home, database), name)
    passages = generated_passages(training, prompt or [])
    passages += held_out_passages(training, most_recorded(training, held_out), each=1)
    for file, given in zip(files, texts_of(files), strict=True):
        passages += given_passages(training, given, file.name)
    with bars() as progress:
        told = attribute(training, passages, progress, hurdle, how)
    if not as_json:
        for passage in told["passages"]:
            print_passage(passage)
        out.print("\n[bold]The period[/]", period_table(told, {w.id: w.title for w in training.home.works.values()}))
        for line in period_words(told):
            out.print(escape(line), highlight=False, soft_wrap=True)
    kept = training.home.training(name) / "attribution.json"
    engine = "the blend" if how.joins else "the transport"
    say(as_json, told, f"Passages by the sketches, for reading; the period by {engine}, for money: {kept}.")


def _attribute_run(
    run: Path, subject: str | None, to: Path | None, how: "How", threshold: float | None, as_json: bool
) -> None:
    from byline.app.engine.own import own_run
    from byline.app.engine.own_period import attribute_run
    from byline.app.period_table import period_table, period_words

    if threshold is None:
        raise AppError("bad-threshold", "a run of your own has no junk to be proof against", "give a number of errors")
    case, folder = own_run(run, subject, to, 0)
    with bars() as progress:
        told = attribute_run(run, case, folder, how, threshold, progress)
    if not as_json:
        out.print(period_table(told, {}, "contributor"))
        for line in period_words(told):
            out.print(escape(line), highlight=False, soft_wrap=True)
    say(as_json, told, f"Kept in {folder / 'attribution.json'}.")


@app.command("evaluate")
def evaluate_command(
    contributors: Annotated[int, typer.Option(help="How many to leave out, one retraining each.", min=2)] = 6,
    run: RunOption = None,
    subject: SubjectOption = None,
    to: EvidenceOption = None,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retrain without some contributors and compare with what was predicted: the reliability lambda."""
    from byline.app.answers import evaluate
    from byline.app.engine.own import evaluate_run, own_run
    from byline.app.model import Training
    from byline.app.passages import evaluation_passages, most_recorded

    if run is not None:
        case, folder = own_run(run, subject, to, contributors)
        with bars() as progress:
            told = evaluate_run(case, folder, date.today(), progress)
    else:
        training = Training.open(Home.open(home, database), name)
        parties = most_recorded(training, contributors)
        with bars() as progress:
            told = evaluate(training, evaluation_passages(training, parties), parties, date.today(), progress)
    if not as_json:
        out.print(methods_table(told))
    shown = {key: told[key] for key in ("run", "contributors", "methods", "reliability")}
    say(
        as_json,
        shown,
        f"lambda = {told['reliability']['lambda_ppm'] / 1e6:.3f} over {told['reliability']['pairs']} pairs.",
    )


# --- verify, report, demo ---------------------------------------------------------------------------------------


@app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(help="A signed statement, receipt or record of a run, or a proof.")],
    key: Annotated[Path | None, typer.Option(help="Public key; default: the project folder's.")] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Check a statement, receipt or proof offline: signature, log, sums. Exit code 1 if it is refused."""
    from byline.disclosure import verify_file

    found = verify_file(file, key or Home(home).public_key)
    if not as_json:
        for each in found.checks:
            out.print(
                f"{'[green]ok  [/]' if each.ok else '[red]FAIL[/]'} {each.name}: {escape(each.says)}", highlight=False
            )
    changed = f" Changed: {found.changed}." if found.changed else ""
    say(as_json, found.to_json(), f"The {found.what} holds." if found.ok else f"The {found.what} is refused.{changed}")
    if not found.ok:
        raise typer.Exit(1)


@app.command("report")
def report_command(
    name: NameOption = "main",
    to: Annotated[Path | None, typer.Option(help="File to write; default: report.html in the project folder.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write everything as one self-contained HTML page."""
    from byline.app.model import Training
    from byline.app.report import write_report
    from byline.app.view import made_now, report_data

    path = to or home / "report.html"
    write_report(report_data(Training.open(Home.open(home, database), name), made_now(date.today())), path)
    say(as_json, {"report": str(path)}, f"Wrote {path}.")


@app.command("demo")
def demo_command(
    home: Annotated[Path, typer.Option("--home", help="Fresh folder for the demo.")] = Path("byline-demo"),
    effort: Annotated[str, typer.Option(help="demo or tiny: sets all other dials.")] = "demo",
    as_json: JsonOption = False,
) -> None:
    """All of it on real text: register, check, freeze, train, attribute, evaluate, settle, verify, report."""
    from byline.app.demo import run_demo

    with bars() as progress:
        told = run_demo(home, effort, date.today(), progress, lambda text: tell(as_json, text))
    say(as_json, told, f"The report is {told['report']}: open it in a browser. {told['seconds']['total']:.0f} seconds.")


for _command in (
    *COMMANDS,
    *SETTLE_COMMANDS,
    *PEOPLE_COMMANDS,
    *PAYOUT_COMMANDS,
    *MONEY_COMMANDS,
    *SIGNAL_COMMANDS,
    *REGISTRY_COMMANDS,
    *STATEMENT_COMMANDS,
    *PII_COMMANDS,
    *REVIEW_COMMANDS,
    *DISCLOSE_COMMANDS,
    *OPTOUT_COMMANDS,
    *LOG_COMMANDS,
    *LOOKUP_COMMANDS,
    *TOKEN_COMMANDS,
    *SERVE_COMMANDS,
    *MAIL_COMMANDS,
):
    app.command(_command.__name__.removesuffix("_command"))(_command)
app.add_typer(coop_app, name="coop")
app.add_typer(token_app, name="token")


# --- showing ----------------------------------------------------------------------------------------------------


def print_passage(passage: dict[str, Any]) -> None:
    out.print(f"\n[bold]{escape(passage['kind'])}: {escape(passage['title'])}[/]", highlight=False)
    out.print(escape(" ".join(passage["text"].split())), highlight=False, style="italic")
    table = Table("contributor", "share", "90 % interval", "score", box=None)
    scores = passage["contributor"]["scores"]
    lines = sorted(passage["contributor"]["shares"]["lines"], key=lambda line: -line["ppb"])
    for line in lines[:5]:
        interval = f"{line['low_ppb'] / PPB:.1%} - {line['high_ppb'] / PPB:.1%}"
        table.add_row(line["id"], f"{line['ppb'] / PPB:.1%}", interval, f"{scores[line['id']]:+.3g}")
    table.add_row("[dim]unattributed[/]", f"{passage['contributor']['shares']['unattributed_ppb'] / PPB:.1%}", "", "")
    out.print(table)
    for found in passage["evidence"]:
        channels = f"gradient {found['gradient']:+.3g}, words {found['lexical']:.1f}"
        quoted = " ".join(found["text"].split())[:80]
        out.print(f"  [cyan]behind it[/] {escape(found['title'])}: “{escape(quoted)}…” ({channels})", highlight=False)
    for found in passage["overlaps"]:
        where = f"{found['words']} words word for word in {found['title']} ({found['contributor']})"
        out.print(f"  [yellow]verbatim[/] {escape(where)}", highlight=False)


def methods_table(told: dict[str, Any]) -> Table:
    table = Table("method", "rank correlation with retraining", "90 % interval", "Pearson", box=None)
    for method in told["methods"]:
        interval = f"{method['low']:+.2f} to {method['high']:+.2f}"
        table.add_row(method["method"], f"{method['spearman']:+.3f}", interval, f"{method['pearson']:+.3f}")
    return table
