"""`byline coop vote`, `close`, `tally`, `offer`, `carry-out` and `report`: what follows once something was proposed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from byline.app.cli_coop import CoopOption, DryOption, ProposalArgument, coop_app
from byline.app.coop import Coop, box_path, cast, close, count_again, read_receipt
from byline.app.coop_effects import carry_out, export_offer, offered
from byline.app.coop_report import markdown, year_report
from byline.app.home import Home, write_json
from byline.app.terminal import HOME, DatabaseOption, DayOption, HomeOption, JsonOption, day, refuse_problems, say
from byline.cooperative import receipt_faults

__all__ = ["coop_app"]


@coop_app.command("vote")
def vote_command(
    proposal: ProposalArgument,
    member: Annotated[str, typer.Option(help="Name or id of the member who votes.")],
    choice: Annotated[list[str], typer.Option(help="yes, no or abstain; of several options: repeat, best first.")],
    receipt: Annotated[Path | None, typer.Option(help="File for the receipt, which only the voter keeps.")] = None,
    on: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cast a member's vote, or a later one that supersedes it, and give the receipt."""
    from byline.cooperative.ballots import refuse_choice

    here = Coop.open(Home.open(home, database), coop)
    made, party = here.proposal(proposal), here.party(member)
    if dry_run:
        refuse_choice(made, tuple(choice))
        return say(
            as_json, {"proposal": made.id, "choice": choice, "dry_run": True}, "A good answer; nothing was cast."
        )
    told = cast(here, made, party, choice, day(on))
    if receipt:
        write_json(receipt, told)
    token = told["receipt"]["ballot"]["token"]
    kept = f"The receipt is {receipt}." if receipt else "Keep the receipt (--json, or --receipt FILE)."
    say(as_json, told, f"Cast as ballot {token[:12]}, version {told['receipt']['ballot']['version']}. {kept}")


@coop_app.command("close")
def close_command(
    proposal: ProposalArgument,
    on: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count a vote that is over, publish the ballot box, and forget who cast which ballot."""
    here = Coop.open(Home.open(home, database), coop)
    made = here.proposal(proposal)
    if dry_run:
        over = day(on) >= made.closes
        sentence = "It can be counted." if over else f"It is open until the day before {made.closes}."
        return say(as_json, {"proposal": made.id, "over": over, "dry_run": True}, sentence)
    box = close(here, made, day(on))
    path = box_path(here.home, made)
    told = {**box.closing.to_json(), "carried": box.closing.tally.carried, "box": str(path), "dry_run": False}
    verdict = "Carried" if box.closing.tally.carried else "Not carried"
    say(as_json, told, f"{verdict}: {box.closing.tally.because}. The ballots are in {path}.")


@coop_app.command("tally")
def tally_command(
    recompute: Annotated[Path, typer.Option("--recompute", help="Ballot box that `byline coop close` wrote.")],
    receipt: Annotated[Path | None, typer.Option(help="Also look whether the ballot of this receipt is in it.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use the file alone; ask no project folder's log.")
    ] = False,
    to: Annotated[Path | None, typer.Option("--to", help="Write the tally's bytes to a file.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count an exported ballot box again; a ballot that was changed is named. Exit code 1 if something does not fit."""
    from byline.cooperative import read_box

    closing, problems = count_again(recompute, None if offline else Home.open(home, database))
    refuse_problems(problems, as_json, "the count does not hold")
    if closing is None:
        return
    faults = []
    if receipt:
        box = read_box(recompute.read_bytes(), recompute.name)[0]
        faults = receipt_faults(read_receipt(receipt), list(box.ballots if box else ()))
    if to:
        part = to.with_name(to.name + ".part")
        part.write_bytes(closing.tally.text())
        part.replace(to)
    told = {**closing.tally.to_json(), "receipt_faults": faults}
    mine = "" if not receipt else f" {faults[0][0].upper()}{faults[0][1:]}." if faults else " Your ballot is in it."
    say(as_json, told, f"The count holds: {closing.tally.because}.{mine}")
    if faults:
        raise typer.Exit(1)


@coop_app.command("offer")
def offer_command(
    base: Annotated[str, typer.Option(help="Address of the catalogue, for works that have none of their own.")],
    to: Annotated[Path | None, typer.Option("--to", help="File; default: rsl.xml in the project folder.")] = None,
    on: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the licence that members voted to offer as RSL 1.0, and read it back as a crawler would."""
    here, today = Coop.open(Home.open(home, database), coop), day(on)
    if dry_run:
        place = {kind: len(ids) for kind, ids in offered(here, today).to_json().items()}
        return say(as_json, {**place, "dry_run": True}, f"{place['offered']} works would be offered.")
    told = export_offer(here, today, base, to or home / "rsl.xml", datetime.now(UTC))
    read = ", ".join(f"{number} {word}" for word, number in told["read"].items())
    sentence = f"{told['offered']} works offered, {told['refused']} refused by their authors; read back: {read}."
    say(as_json, {**told, "dry_run": False}, f"{sentence} Wrote {told['file']}.")


@coop_app.command("carry-out")
def carry_out_command(
    proposal: ProposalArgument,
    on: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move unclaimed money where a vote that carried sends it."""
    here = Coop.open(Home.open(home, database), coop)
    moves = carry_out(here, here.proposal(proposal), day(on), datetime.now(UTC), dry_run)
    verb = "would be moved" if dry_run else "moved"
    told = {"moves": [move.to_json() for move in moves], "dry_run": dry_run}
    say(as_json, told, f"The unclaimed money of {len(moves)} works {verb}.")


@coop_app.command("report")
def report_command(
    year: Annotated[int, typer.Option(help="Calendar year.", min=1970, max=9000)],
    to: Annotated[Path | None, typer.Option("--to", help="Write it as Markdown.")] = None,
    coop: CoopOption = "",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The yearly transparency report: money in, out, held, unclaimed, costs, members and votes; it adds up."""
    here = Coop.open(Home.open(home, database), coop)
    told = year_report(here, year)
    text = markdown(told)
    if to:
        part = to.with_name(to.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(to)
    say(as_json, told, f"Wrote {to}." if to else text)
