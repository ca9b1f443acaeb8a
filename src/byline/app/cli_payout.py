"""`byline payout` and `byline attack`: paying people, reading what the bank says, and what cheating would bring."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    DayOption,
    HomeOption,
    JsonOption,
    bars,
    day,
    err,
    out,
    refuse_problems,
    say,
)
from byline.core import AppError, Problem, party_id
from byline.ledger import Prior

if TYPE_CHECKING:
    from byline.app.attack import Outcome


def payout_command(
    payees: Annotated[
        Path | None, typer.Argument(help="Where each wants its money: contributor,iban,bic,token.")
    ] = None,
    answer: Annotated[list[Path] | None, typer.Option(help="What the bank sent, XML or CSV; repeatable.")] = None,
    form: Annotated[str, typer.Option(help="pain.001 for a bank, csv for a payment provider.")] = "pain.001",
    currency: Annotated[str, typer.Option(help="Currency to pay, ISO 4217.")] = "EUR",
    threshold: Annotated[int, typer.Option(help="Below it, in minor units, money is carried forward.", min=0)] = 1000,
    anyway: Annotated[list[str] | None, typer.Option(help="A payee who asked to be paid below it; repeatable.")] = None,
    from_name: Annotated[str, typer.Option(help="Whose account pays.")] = "",
    from_iban: Annotated[str, typer.Option(help="The account that pays.")] = "",
    from_bic: Annotated[str, typer.Option(help="Its bank.")] = "",
    withhold: Annotated[
        Path | None, typer.Option(help="Tax to withhold: contributor,rate,country,ground,until.")
    ] = None,
    on: DayOption = None,
    release: Annotated[
        bool, typer.Option("--release", help="First correct what is held or owed by all that is known about people.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show; send, book and write nothing.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay what is owed, in a file for the bank; with --answer, book what the bank said; without files, list payouts."""
    from byline.app.payouts import Asked, read_withholding
    from byline.ledger import Debtor, PayoutRule

    place = Home.open(home, database)
    if answer:
        return _answers(place, answer, dry_run, as_json)
    if payees is None:
        return _list(place, currency, as_json)
    debtor = Debtor(from_name, from_iban, from_bic) if from_name or from_iban else None
    rule = PayoutRule(currency.upper(), threshold, tuple(party_id(name) for name in anyway or ()))
    taxed, problems = read_withholding(withhold) if withhold else ([], [])
    refuse_problems(problems, as_json, "nothing was paid")
    return _pay(place, payees, Asked(rule, day(on), form, debtor, tuple(taxed)), release, dry_run, as_json)


def attack_command(
    name: Annotated[
        str | None, typer.Option(help="Attack this finished training of the project, not a small world.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another small world, or other draws.")] = 0,
    prior: Annotated[Prior, typer.Option(help="What pays where nothing is attributed.")] = Prior.LENGTH,
    blend: Annotated[bool, typer.Option("--blend", help="By the blend that the audit of --name fitted.")] = False,
    words: Annotated[bool, typer.Option("--words", help="By its blend with the words; needed to pay by them.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Keep nothing of what --name finds beside the training.")
    ] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attack the pay in every known way: a small world, or a finished run (--name). Exit code 1 above a bound."""
    if name is None and (blend or words):
        raise AppError("no-blend", "a small world has no audit, and so no blend", "byline attack --name TRAINING")
    joined = words if blend or words else None
    keep = not dry_run
    found = _attacked(Home.open(home, database), name, seed, prior, joined, keep) if name else _small(seed, prior)
    if not as_json:
        out.print(attack_table(found))
    gains = {attack: _ratios(outcome) for attack, outcome in found.items()}
    above = [attack for attack, each in found.items() if each.gain_defended_ppm > each.bound_ppm]
    sentence = f"Above the bound: {', '.join(above)}." if above else "No attack gains more than its bound."
    say(as_json, gains, sentence)
    if above:
        raise typer.Exit(1)


def _small(seed: int, prior: Prior) -> "Mapping[str, Outcome]":
    from byline.app.attack import run_attacks
    from byline.app.attack_pay import policy_of

    return run_attacks(seed, policy_of(prior))


def _attacked(
    home: Home, name: str, seed: int, prior: Prior, words: bool | None, keep: bool
) -> "Mapping[str, Outcome]":
    """By the transport, or (`words` is not None) by a blend, with or without the words; `keep`: beside the training."""
    from byline.app.attack_pay import policy_of
    from byline.app.attack_run import attack_training
    from byline.app.attacked import Made, keep_attacks
    from byline.app.blend import kept_weights
    from byline.app.model import Training

    training = Training.open(home, name)
    weights = None if words is None else kept_weights(training, words)
    with bars() as progress:
        found = attack_training(training, seed, progress, policy_of(prior), weights)
    if keep:
        keep_attacks(home.training(name), Made(training.run.id, weights, seed, prior.value), found, date.today())
    return found


COMMANDS: tuple[Callable[..., None], ...] = (payout_command, attack_command)


# --- parts ----------------------------------------------------------------------------------------------------


def _pay(place: Home, payees: Path, asked: Any, release: bool, dry_run: bool, as_json: bool) -> None:
    from byline.app.payouts import pay_out, preview, read_payees, release_held, told

    found, problems = read_payees(payees)
    refuse_problems(problems, as_json, "nothing was paid")
    now, path = datetime.now(UTC), None
    if dry_run:
        batch = preview(place, found, asked, now)
    else:
        if release:
            _show(release_held(place, asked.execution, now)[1])
        batch, path = pay_out(place, found, asked, now)
    shown = told(batch, place.names)
    if not as_json:
        out.print(payout_table(shown))
    verb = "would be paid" if dry_run else "sent"
    sentence = (
        f"{shown['total']} {shown['currency']} {verb} to {len(shown['paid'])}; {len(shown['carried'])} carried on."
    )
    say(as_json, {**shown, "dry_run": dry_run, "file": str(path) if path else None}, sentence)


def _answers(place: Home, paths: list[Path], dry_run: bool, as_json: bool) -> None:
    """Contradictions of the bank's are shown, and end with exit code 1: somebody has to call the bank."""
    from byline.app.payouts import apply_answers, book_of, read_answers
    from byline.ledger import follow

    reports, problems = read_answers(paths)
    now = datetime.now(UTC)
    book = book_of(place)
    applied = follow(reports, book.batches(), book.moves(), now) if dry_run else apply_answers(place, reports, now)
    problems += applied.problems
    _show(problems)
    told = {
        "moves": [
            {"kind": move.kind.value, "end_to_end": move.end_to_end, "reason": move.reason} for move in applied.moves
        ],
        "unchanged": applied.unchanged,
        "foreign": applied.foreign,
        "problems": [problem.to_json() for problem in problems],
        "dry_run": dry_run,
    }
    say(as_json, told, f"{len(applied.moves)} moves {'would be ' if dry_run else ''}booked, {len(problems)} problems.")
    if problems:
        raise typer.Exit(1)


def _list(place: Home, currency: str, as_json: bool) -> None:
    from byline.app.payouts import book_of
    from byline.ledger import minor_text

    book = book_of(place)
    batches = [
        {"batch": batch.id, "execution": batch.execution.isoformat(), "payments": len(batch.instructions),
         "total": minor_text(batch.total_minor, batch.rule.currency), "currency": batch.rule.currency}
        for batch in book.batches()
    ]  # fmt: skip
    totals = {what: minor_text(minor, currency) for what, minor in book.totals(currency.upper()).items()}
    if not as_json:
        for each in batches:
            out.print("  ".join(str(value) for value in each.values()), highlight=False)
    told = {"batches": batches, "totals": totals, "currency": currency.upper(), "today": date.today().isoformat()}
    sentence = "  ".join(f"{what.replace('_', ' ')} {amount}" for what, amount in totals.items())
    say(as_json, told, f"{len(batches)} payouts. {sentence}")


def _show(problems: list[Problem]) -> None:
    for problem in problems:
        err.print(f"[red]{escape(str(problem))}[/]", highlight=False, soft_wrap=True)


def _ratios(outcome: "Outcome") -> dict[str, Any]:
    names = ("gain_undefended", "gain_defended", "gain_if_passed", "bound")
    told = {**{name: getattr(outcome, f"{name}_ppm") / 1e6 for name in names}, "says": outcome.says}
    return told | ({"attacker": outcome.attacker} if hasattr(outcome, "attacker") else {})


def payout_table(shown: dict[str, Any]) -> Table:
    table = Table("payee", "amount", "tax withheld", "payment", box=None)
    for one in shown["paid"]:
        tax = f"{one['withheld']} ({one['ground']})" if one["ground"] else ""
        table.add_row(escape(one["name"] or one["party"]), one["amount"], escape(tax), one["end_to_end"])
    for one in shown["carried"]:
        table.add_row(escape(one["name"] or one["party"]), "", "", f"[dim]{one['reason']}[/]")
    return table


def attack_table(found: "Mapping[str, Outcome]") -> Table:
    table = Table("attack", "gain without", "with defences", "if all is let pass", "bound", "what it is", box=None)
    for name, each in found.items():
        gains = (each.gain_undefended_ppm, each.gain_defended_ppm, each.gain_if_passed_ppm, each.bound_ppm)
        table.add_row(name, *(f"{gain / 1e6:.2f}" for gain in gains), each.says)
    return table
