"""`byline people` and `byline unclaimed`: who is whose heir, who claims and contests what, and what waits for whom."""

import csv
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, DayOption, HomeOption, JsonOption, day, out, refuse_problems, say
from byline.core import PartyId, Problem, WorkId
from byline.ledger import amount_text
from byline.registry import Division, People, PeopleRecord, read_people, record_id

if TYPE_CHECKING:
    from byline.app.corrections import Waiting


def people_command(
    file: Annotated[Path | None, typer.Argument(help="Facts about people, CSV or JSONL: docs/people.md.")] = None,
    on: DayOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check the file; record nothing.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record heirs, claims, disputes, decisions, numbers and merged names; without a file, show what is known."""
    place = Home.open(home, database)
    people = People(place.journal.engine, place.registry)
    if file:
        told = _record(place, people, file, dry_run, as_json)
        new = f"{told['new']} facts and {told['parties']} parties are new"
        sentence = (
            "Nothing is wrong with the file." if dry_run else f"{new}. `byline adjust` corrects what was settled."
        )
        return say(as_json, told, sentence)
    told = _known(place, people, day(on))
    if not as_json:
        out.print(_records_table(told["records"]))
        for work in told["waiting"]:
            out.print(escape(f"{work['title']}: {work['why']}"), highlight=False, soft_wrap=True)
    sentence = f"Facts: {len(told['records'])}; works of which a part waits: {len(told['waiting'])}."
    return say(as_json, told, sentence)


def unclaimed_command(
    to: Annotated[Path | None, typer.Option("--to", help="Write the list here, as CSV, to be published.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the money that waits for rightful payees: for which work, how much, since when and why."""
    from byline.app.corrections import estates, waiting

    place = Home.open(home, database)
    found = waiting(place)
    if to:
        _publish(found, to)
    dead = {
        currency: {place.names.get(party, party): str(nano) for party, nano in of.items()}
        for currency, of in estates(place).items()
    }
    if not as_json:
        out.print(_waiting_table(found))
    sums = {currency: sum(int(o.amount_nano) for o in found if o.currency == currency) for currency in _in(found)}
    text = ", ".join(amount_text(nano, currency) for currency, nano in sums.items()) or "Nothing"
    told = {"waiting": [_told(one) for one in found], "estates": dead, "file": str(to) if to else None}
    say(as_json, told, f"{text} waits, for works: {len(found)}. It is paid in full to whoever is found, however late.")


COMMANDS: tuple[Callable[..., None], ...] = (people_command, unclaimed_command)


# --- people ---------------------------------------------------------------------------------------------------


def _record(place: Home, people: People, file: Path, dry_run: bool, as_json: bool) -> dict[str, Any]:
    """All of the file, or nothing and every fault."""
    found, problems = read_people(file, place.registry.works())
    refuse_problems(problems, as_json, "nothing was recorded")
    ids = [record_id(record) for record in found.records]
    added = people.add_all(found.parties, found.records, date.today(), dry_run)
    faults = [Problem(fault.code, found.at[at], fault.message) for at, fault in added.faults]
    refuse_problems(faults, as_json, "nothing was recorded")
    return {"records": ids, "new": added.records, "parties": added.parties, "dry_run": dry_run}


def _known(place: Home, people: People, on: date) -> dict[str, Any]:
    """Every record, and every work of which a part waits on a day."""
    records = [_shown(place, record) for record in people.known().records]
    divisions = people.divisions_on(on)
    waiting = [
        {"work": work, "title": place.works[work].title, "why": _why(place, division)}
        for work, division in sorted(divisions.items())
        if division.holds or division.unclaimed_ppm
    ]
    disputes = [dispute.id for dispute in people.open_disputes(on)]
    return {"on": on.isoformat(), "records": records, "open_disputes": disputes, "waiting": waiting}


def _shown(place: Home, record: PeopleRecord) -> dict[str, Any]:
    """A record with names for people beside its ids."""
    told = {"id": record_id(record), "kind": record.KIND, **record.to_json()}
    works = [place.works[WorkId(told["work"])].title] if "work" in told else []
    parties = [told[field] for field in ("party", "alias", "into", "claimant") if told.get(field)]
    parties += [party for party, _ in told.get("lines", [])]
    return {**told, "names": [*works, *(place.names.get(PartyId(party), party) for party in parties)]}


def _why(place: Home, division: Division) -> str:
    parts = [
        f"{hold.ppm / 10_000:g} % between {' and '.join(place.names.get(one, one) for one in hold.between)}"
        for hold in division.holds
    ]
    if division.unclaimed_ppm:
        parts.append(f"{division.unclaimed_ppm / 10_000:g} % for which nobody is named")
    return "; ".join(parts)


def _records_table(records: Sequence[dict[str, Any]]) -> Table:
    table = Table("fact", "about", "from", box=None)
    table.add_column("id", overflow="fold", min_width=31)  # other files speak of a fact by its id
    for each in records:
        table.add_row(each["kind"], escape(", ".join(each["names"])), each["effective"], each["id"])
    return table


# --- unclaimed ------------------------------------------------------------------------------------------------


def _told(one: "Waiting") -> dict[str, str]:
    fields = {"work": one.work, "title": one.title, "amount_nano": one.amount_nano, "currency": one.currency}
    return {**fields, "since": one.since.isoformat(), "why": one.why}


def _in(found: Sequence["Waiting"]) -> list[str]:
    return sorted({one.currency for one in found})


def _publish(found: Sequence["Waiting"], to: Path) -> None:
    """Whole or not at all."""
    rows = [[one.title, one.work, amount_text(int(one.amount_nano), one.currency), one.since, one.why] for one in found]
    part = to.with_name(to.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["title", "work", "amount", "since", "why"], *rows])
    part.replace(to)


def _waiting_table(found: Sequence["Waiting"]) -> Table:
    table = Table("work", "waits", "since", "why", box=None)
    for one in found:
        amount = amount_text(int(one.amount_nano), one.currency)
        table.add_row(escape(one.title or one.work), amount, one.since.isoformat(), one.why)
    return table
