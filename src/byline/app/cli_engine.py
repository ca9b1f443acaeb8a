"""Commands about the engine itself: what it would cost, whether it can be trusted here, and how wrong it is.

They stand in a file of their own; `cli` adds them to the program.
"""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home, read_json
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
    out,
    refuse_problems,
    say,
    tell,
)
from byline.core import AppError

if TYPE_CHECKING:
    from byline.app.engine.findings import Report
    from byline.app.engine.plan import Plan
    from byline.app.engine.shape import Shape
    from byline.evaluation import Certificate

RESULTS = Path("benchmarks/results")
COLOURS = {"ok": "green", "note": "blue", "warning": "yellow", "wrong": "red"}


def plan_command(
    model: Annotated[str | None, typer.Option(help="llama-small, or the path of a config.json or recipe.json.")] = None,
    parameters: Annotated[int | None, typer.Option(help="Size, if no dimensions are known.")] = None,
    width: Annotated[int | None, typer.Option(help="Of the residual stream.")] = None,
    layers: Annotated[int | None, typer.Option(help="Blocks.")] = None,
    vocabulary: Annotated[int | None, typer.Option(help="Tokens known.")] = None,
    examples: Annotated[int, typer.Option(help="Training examples.")] = 1000,
    tokens_per_example: Annotated[int, typer.Option(help="Tokens of each.")] = 128,
    epochs: Annotated[int, typer.Option(help="Times that each is read.")] = 3,
    batch: Annotated[int, typer.Option(help="Examples a step.")] = 16,
    contributors: Annotated[int, typer.Option(help="Who is to be paid.")] = 50,
    outputs: Annotated[int, typer.Option(help="Outputs asked about in a period.")] = 100,
    left_out: Annotated[int, typer.Option(help="Contributors that an audit leaves out one by one.", min=0)] = 10,
    subsets: Annotated[int, typer.Option(help="Random subsets that an audit retrains on.", min=0)] = 24,
    rank: Annotated[int | None, typer.Option(help="Of the sketch; default: chosen.")] = None,
    budget_hours: Annotated[float | None, typer.Option(help="Hours that may be spent.")] = None,
    budget_gb: Annotated[float | None, typer.Option(help="Gigabytes that may be kept.")] = None,
    gflops: Annotated[float | None, typer.Option(help="10^9 operations a second; default: measured, 10 s.")] = None,
    cores: Annotated[int, typer.Option(help="Retrainings at a time.", min=1)] = os.cpu_count() or 1,
    results: Annotated[Path, typer.Option(help="Folder of bench results to quote.")] = RESULTS,
    as_json: JsonOption = False,
) -> None:
    """Say what recording, attributing and auditing a planned training would take: rank, tiers, bytes, hours."""
    from byline.app.engine.cost import Asked, Budget, Data
    from byline.app.engine.plan import plan
    from byline.app.engine.shape import shape_of

    shape = shape_of(model, parameters=parameters, width=width, layers=layers, vocabulary=vocabulary)
    speed, source = _speed(shape, tokens_per_example, gflops, as_json)
    made = plan(
        shape,
        Data(examples, tokens_per_example, epochs, batch),
        speed,
        gflops_from=source,
        cores=cores,
        asked=Asked(contributors, outputs, left_out, subsets),
        budget=Budget(budget_hours, budget_gb),
        rank=rank,
        results=results,
    )
    if not as_json:
        print_plan(made)
    say(as_json, made.to_json(), "All of it fits." if made.fits else "Not all of it fits.")


def doctor_command(
    metasmoothness: Annotated[bool, typer.Option(help="Measure it too: walks the training three times.")] = False,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what of a training is recorded and what would make its records wrong. Exit code 1 if something does."""
    from byline.app.engine.checkup import checkup
    from byline.app.model import Training

    training = Training.open(Home.open(home, database), name)
    with bars() as progress:
        report = checkup(training, smoothness=metasmoothness, progress=progress)
    if not as_json:
        out.print(findings_table(report))
    sentence = "Nothing here makes the records wrong." if report.sound else "Something here makes the records wrong."
    part = f"{report.captured / report.parameters:.1%} of {report.parameters:,} trained parameters are recorded."
    say(as_json, report.to_json() | {"sound": report.sound}, f"{part} {sentence}")
    if not report.sound:
        raise typer.Exit(1)


def audit_command(
    contributors: Annotated[int, typer.Option(help="How many to leave out, one retraining each.", min=3)] = 10,
    subsets: Annotated[int, typer.Option(help="Random subsets of the examples, one retraining each.", min=3)] = 24,
    outputs: Annotated[int, typer.Option(help="Outputs audited alone, beside the period.", min=1)] = 4,
    seeds: Annotated[int, typer.Option(help="Other orders of the examples to repeat it in, whole.", min=0)] = 0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Go on below the metasmoothness gate.")] = False,
    retrained: Annotated[Path | None, typer.Option(help="Retrainings of yours to fit weights of channels on.")] = None,
    run: RunOption = None,
    subject: SubjectOption = None,
    to: EvidenceOption = None,
    name: NameOption = "main",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the engine against exact walks and retrainings; write a certificate. Exit code 1 if it does not certify."""
    from byline.app.engine.audit import Dials, audit
    from byline.app.engine.case import training_case
    from byline.app.engine.given import read_given
    from byline.app.engine.own import own_run
    from byline.app.model import Training
    from byline.app.period import recalibrate

    if run is not None:
        case, folder = own_run(run, subject, to, contributors)
    else:
        training = Training.open(Home.open(home, database), name)
        case, folder = training_case(training, contributors), training.home.training(name)
    given, problems = (None, []) if retrained is None else read_given(retrained, tuple(case.outputs), case.credits)
    refuse_problems(problems, as_json, "nothing was audited")
    with bars() as progress:
        dials = Dials(contributors, subsets, outputs, anyway=anyway, seeds=seeds)
        certificate = audit(case, dials, date.today(), folder, progress, given)
    if run is None:
        recalibrate(training)  # intervals of the period's shares, by what retraining has shown
    if not as_json:
        for line in certificate_lines(certificate):
            out.print(escape(line), highlight=False, soft_wrap=True)
        for line in joined_lines(read_json(folder / "calibration.json", "byline audit again", ("run", "method"))):
            out.print(escape(line), highlight=False, soft_wrap=True)
    told = certificate.to_json() | {"digest": certificate.digest()}
    say(as_json, told, f"Kept in {folder / 'certificate.json'}.")
    if not certificate.certified:
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (plan_command, doctor_command, audit_command)


# --- showing --------------------------------------------------------------------------------------------------


def _speed(shape: "Shape", tokens: int, gflops: float | None, as_json: bool) -> tuple[float, str]:
    if gflops is not None:
        return gflops, "given"
    if tokens < 2:
        raise AppError("bad-plan", f"{tokens} tokens per example", "give at least 2")
    from byline.app.engine.speed import measure_speed

    tell(as_json, "Measuring this machine for ten seconds ...")
    found = measure_speed(shape, tokens)
    return found.gflops, found.says


def print_plan(made: "Plan") -> None:
    for line in plan_lines(made):
        out.print(escape(line), highlight=False, soft_wrap=True)
    table = Table("tier", "what", "trainings", "hours", "kept", "fits", box=None)
    for tier in made.tiers:
        fits = "[green]yes[/]" if tier.within else "[red]no[/]"
        kept = amount(tier.bytes) if tier.bytes else ""
        table.add_row(str(tier.tier), tier.name, f"{tier.trainings:.3g}", f"{tier.hours:.3g}", kept, fits)
    out.print(table)
    for line in made.advice:
        out.print(f"[yellow]dial[/] {escape(line)}", highlight=False, soft_wrap=True)
    for line in made.measured:
        out.print(f"[dim]{escape(line)}[/]", highlight=False, soft_wrap=True)


def plan_lines(made: "Plan") -> list[str]:
    return [
        f"{made.model}: {made.parameters:,} parameters" + "".join(f"; assumed {what}" for what in made.assumed),
        f"Sketch of rank {made.rank}: at least {made.capture_floor:.2%} more multiplications than the training has.",
        f"Feature store {amount(made.store_bytes)}, shortlist {amount(made.shortlist_bytes)}, kept states up to "
        f"{amount(made.checkpoint_bytes)}, tangents {amount(made.tangent_bytes)}; an audit holds "
        f"{amount(made.audit_memory_bytes)} in memory.",
        f"{made.gflops:.1f} GFLOP/s ({made.gflops_from}); {made.cores} retrainings at a time.",
    ]


def amount(size: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


def findings_table(report: "Report") -> Table:
    table = Table("", "about", "what was found", "what to do", box=None)
    for finding in report.findings:
        grade = f"[{COLOURS[finding.grade]}]{finding.grade}[/]"
        table.add_row(grade, finding.about, escape(finding.says), escape(finding.fix))
    return table


def certificate_lines(certificate: "Certificate") -> list[str]:
    """A certificate in words; docs/audit.md says what each figure means and what it does not."""
    return [
        f"{certificate.run}: " + ("certified." if certificate.certified else "NOT certified:"),
        *(f"  - {reason}" for reason in certificate.reasons),
        f"Metasmoothness: {certificate.gate}.",
        *(_drop_line(drop.to_json()) for drop in certificate.drops),
        _loco_line(certificate.loco.to_json()),
        _distance_line(certificate.to_json()),
        *certificate.notes,
    ]


def joined_lines(told: dict[str, Any]) -> list[str]:
    """What an audit fitted beside its certificate, in words."""
    from byline.app.game import blend_words

    lines = []
    for name, says in {"blend": "Channels of influence joined", "blend_words": "The same with the words"}.items():
        if name in told:
            lines.append(f"{says}: {blend_words(told[name])}.")
    lines += [f"Not joined: {name}, since {why}." for name, why in told.get("without", {}).items()]
    if "rho" in told:
        lines.append(f"Effects of contributors under {told['seeds']} seeds correlate by {told['rho']:.2f}.")
    return lines


def _drop_line(told: dict[str, Any]) -> str:
    engine, audit = (_two(told, f"{who}_lds", f"{who}_se") for who in ("engine", "audit"))
    return (
        f"Leaving out {float(told['drop']):.1%} of the examples, {told['subsets']} subsets: LDS of the engine "
        f"{engine[0]} +- {engine[1]}, of the audit {audit[0]} +- {audit[1]}; ceiling {told['ceiling']}."
    )


def _loco_line(told: dict[str, Any]) -> str:
    rho, low, high, pearson, slope = _two(told, "spearman", "low", "high", "pearson", "slope")
    return (
        f"Leaving out {told['contributors']} contributors, {told['queries']} queries: rank correlation of the engine "
        f"{rho} ({low} to {high}), Pearson {pearson}, slope {slope}; {float(told['coverage']):.0%} of the changes lie "
        f"inside {float(told['level']):.0%} intervals."
    )


def _distance_line(told: dict[str, Any]) -> str:
    apart, low, high = (f"{float(told[name]):.1%}" for name in ("distance", "distance_low", "distance_high"))
    return (
        f"Shares by the engine ({told['engine']}) and by the audit ({told['audit']}) differ by {apart} of the money "
        f"({low} to {high})."
    )


def _two(told: dict[str, Any], *names: str) -> list[str]:
    return [f"{float(told[name]):.2f}" for name in names]
