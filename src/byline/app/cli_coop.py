"""`byline coop`: a cooperative of contributors decides about the pay of a pool. One subcommand, one library call."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from byline.app.coop import (
    Coop,
    book_of,
    dates,
    found,
    make_proposal,
    propose,
    read_document_file,
    read_statutes,
    step,
)
from byline.app.coop_effects import impact
from byline.app.home import Home
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    DayOption,
    HomeOption,
    JsonOption,
    day,
    out,
    say,
    tell,
)
from byline.cooperative import Effect, MemberClass, Step
from byline.core import AppError
from byline.ledger import amount_text

coop_app = typer.Typer(
    help="Decide together about a pool's pay: members, votes, offers, and the yearly report.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

CoopOption = Annotated[str, typer.Option("--coop", help="Name of the cooperative, if there are several.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Show; write nothing.")]
ProposalArgument = Annotated[str, typer.Argument(help="Id or title of the proposal.")]


@coop_app.command("found")
def found_command(
    name: Annotated[str, typer.Argument(help="Name of the cooperative.")],
    pool: Annotated[str, typer.Option(help="The training whose money its members decide about.")] = "main",
    statutes: Annotated[Path | None, typer.Option(help="Statutes (JSON); default: the standard ones.")] = None,
    on: DayOption = None,
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Found a cooperative for a pool; from then on its pay rule is what the members vote for."""
    place, rules = Home.open(home, database), read_statutes(statutes)
    if dry_run:
        return say(as_json, {"statutes": rules.to_json(), "dry_run": True}, f"{name} would decide about {pool}.")
    made, new = found(place, name, pool, rules, day(on))
    sentence = f"{name} {'decides from now on' if new else 'decides already'} about the pool {pool}."
    say(as_json, {"cooperative": made.id, "new": new, **made.to_json(), "dry_run": False}, sentence)


@coop_app.command("join")
def join_command(
    member: Annotated[str, typer.Argument(help="Name of a registered contributor.")],
    evidence: Annotated[Path, typer.Option(help="The document that shows who it is; only its hash is kept.")],
    decided_by: Annotated[str, typer.Option(help="Who saw it and decided.")],
    kind: Annotated[MemberClass, typer.Option(help="person, estate or organisation.")] = MemberClass.PERSON,
    since: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Admit a contributor as a member, with one vote."""
    _step(Step.JOINED, member, evidence, decided_by, kind, since, coop, dry_run, Home.open(home, database), as_json)


@coop_app.command("leave")
def leave_command(
    member: Annotated[str, typer.Argument(help="Name of a member.")],
    evidence: Annotated[Path, typer.Option(help="The letter, or whatever shows it; only its hash is kept.")],
    decided_by: Annotated[str, typer.Option(help="Who received it.")],
    since: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that a member left. Votes that were proposed before are still open to them."""
    kind = MemberClass.PERSON
    _step(Step.LEFT, member, evidence, decided_by, kind, since, coop, dry_run, Home.open(home, database), as_json)


def _step(
    what: Step,
    member: str,
    evidence: Path,
    decided_by: str,
    kind: MemberClass,
    since: datetime | None,
    name: str,
    dry_run: bool,
    home: Home,
    as_json: bool,
) -> None:
    coop = Coop.open(home, name)
    if dry_run:
        party = coop.party(member)
        return say(as_json, {"party": party, "step": what, "dry_run": True}, f"{member} ({party}) would be recorded.")
    made, new = step(coop, member, what, kind, evidence, decided_by, day(since), day(None))
    count = len(coop.book.members(coop.record.id, max(made.effective, day(None))))
    told = {"membership": made.id, "new": new, "members": count, **made.to_json(), "dry_run": False}
    say(as_json, told, f"{member} {what} on {made.effective}; {count} members.")


@coop_app.command("show")
def show_command(
    on: DayOption = None,
    coop: CoopOption = "",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show members, proposals, turnout, results, and the policy in force. Open votes show turnout only."""
    place = Home.open(home, database)
    if not book_of(place).cooperatives():
        return say(as_json, {"cooperatives": []}, "There is no cooperative yet: `byline coop found NAME`.")
    here, today = Coop.open(place, coop), day(on)
    policy = here.book.policy_in_force(here.record.id, today + timedelta(1))
    votes = [_vote(here, one.id) for one in here.book.proposals(here.record.id)]
    members = here.book.members(here.record.id, today)
    told = {
        "cooperative": here.record.name,
        "pool": here.record.pool,
        "members": [{"party": party, "name": place.names.get(party, "")} for party in members],
        "votes": votes,
        "policy": policy.to_json() if policy else None,
        "policy_sha256": policy.digest() if policy else None,
    }
    for vote in votes:
        tell(as_json, f"{vote['proposal']}  {vote['state']:<9}  {vote['voted']} of {vote['roll']}  {vote['title']}")
    rule = f"policy {policy.digest()[:12]}" if policy else "no policy: nothing can be settled"
    say(as_json, told, f"{here.record.name}: {len(members)} members, pool {here.record.pool}, {rule}.")


def _vote(coop: Coop, name: str) -> dict[str, Any]:
    proposal, closing = coop.book.proposal(name), coop.book.closing(name)
    voted, roll = coop.book.turnout(name, coop.merged(proposal))
    state = "open" if closing is None else "carried" if closing.tally.carried else "failed"
    told = {
        "proposal": name,
        "title": proposal.title,
        "effect": proposal.effect,
        "opens": proposal.opens.isoformat(),
        "closes": proposal.closes.isoformat(),
        "text_sha256": proposal.text_sha256,
        "options": {option.name: option.document_sha256 for option in proposal.options},
        "voted": voted,
        "roll": roll,
        "state": state,
    }
    return {**told, "result": closing.tally.to_json()} if closing else told


@coop_app.command("propose")
def propose_command(
    title: Annotated[str, typer.Argument(help="One line that says what is proposed.")],
    text: Annotated[Path, typer.Option(help="The text that members vote on, UTF-8.")],
    effect: Annotated[Effect, typer.Option(help="policy, offer, unclaimed or statutes.")],
    document: Annotated[list[Path], typer.Option(help="What it brings about (JSON); several: members rank them.")],
    opens: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day to vote.")] = None,
    closes: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day on which it is over.")
    ] = None,
    on: DayOption = None,
    coop: CoopOption = "",
    dry_run: DryOption = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put something to the vote. --dry-run shows what it would change for each member, and proposes nothing."""
    here, today = Coop.open(Home.open(home, database), coop), day(on)
    names = [title] if len(document) == 1 else [path.stem for path in document]
    told = dict(zip(names, map(read_document_file, document), strict=True))
    if len(told) != len(document):
        raise AppError("same-names", "two documents have the same name", "name the files after the options")
    first, last = dates(here, effect, opens.date() if opens else None, closes.date() if closes else None, today)
    made = make_proposal(here, title, _text(text), effect, told, first, last, today)
    if dry_run:
        return _show_impact(here, made, today, as_json)
    new = propose(here, made, today)
    sentence = f"{made.id} {'is open' if new else 'was proposed already; it is open'} from {first} until before {last}."
    shown = {name: value for name, value in made.to_json().items() if name != "text"}
    say(
        as_json, {"proposal": made.id, "new": new, "text_sha256": made.text_sha256, **shown, "dry_run": False}, sentence
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault
    except ValueError as fault:
        raise AppError("not-text", f"{path} is not UTF-8 text", "save it as UTF-8") from fault


@coop_app.command("impact")
def impact_command(
    proposal: ProposalArgument,
    on: DayOption = None,
    coop: CoopOption = "",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a proposal would change for each member, computed on the last money that was divided."""
    here = Coop.open(Home.open(home, database), coop)
    _show_impact(here, here.proposal(proposal), day(on), as_json)


def _show_impact(coop: Coop, proposal: Any, on: Any, as_json: bool) -> None:
    found_ = impact(coop, proposal, on)
    told = {name: {"unit": unit, "changes": [one.to_json() for one in rows]} for name, (unit, rows) in found_.items()}
    for name, (unit, rows) in found_.items():
        if not as_json:
            out.print(_impact_table(coop, name, unit, rows))
    text = "Computed on the last money that was divided; nothing was written."
    say(as_json, {"proposal": proposal.id, "title": proposal.title, "impact": told, "dry_run": True}, text)


def _impact_table(coop: Coop, name: str, unit: str, rows: Sequence[Any]) -> Table:
    table = Table("who", "before", "after", "change", box=None, title=name)
    for one in rows:
        numbers = (int(one.before_nano), int(one.after_nano), one.nano)
        texts = [str(number) if unit in ("", "works") else amount_text(number, unit) for number in numbers]
        table.add_row(coop.home.names.get(one.who, one.who), *texts)
    return table
