"""`byline review`: works that the gate holds until a person has looked at them, and what that person decides."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from byline.app.home import Home
from byline.app.notices import moment
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, out, say
from byline.core import AppError
from byline.ledger import amount_text
from byline.registry import Looked

MOST = 200  # works of a list


def review_command(
    work: Annotated[str | None, typer.Argument(help="Title or id of a work; none: list those that are held.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="It may be used: it is not held for how it reads.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="It stays held, whatever later checks find.")] = False,
    because: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    by: Annotated[str, typer.Option(help="Who looked at it.")] = "",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the works that are held until a person has looked, or release one, or keep it held."""
    from byline.app.reviews import held, review

    place = Home.open(home, database)
    if work is None:
        return _list(place, as_json)
    if release and keep:
        raise AppError("bad-choice", "both --release and --keep were given", "choose one")
    if release or keep:
        made = review(place, work, Looked.RELEASED if release else Looked.KEPT, because, by, moment())
        says = "released" if release else "kept held"
        then = " `byline adjust` pays what waited for this." if release else ""
        title = place.works[made.work].title
        return say(as_json, made.to_json(), f"{title}: {says} by {made.by} ({made.because}).{then}")
    found = held(place, work)
    told = {"decision": found.decision.to_json(), "reviews": [each.to_json() for each in found.reviews],
            "held": found.open}  # fmt: skip
    say(as_json, told, f"{found.decision.because} Then: --release or --keep, with --because and --by.")


def _list(place: Home, as_json: bool) -> None:
    from byline.app.reviews import new_works, told, waiting

    listed: dict[str, Any] = {}
    for name, kept in (("waiting", False), ("kept", True)):
        count, some = waiting(place, kept, 0, MOST)
        listed |= {name: [told(place, each) for each in some], f"{name}_count": count}
    if not as_json and listed["waiting"] + listed["kept"]:
        table = Table("work", "contributor", "rule", "because", box=None)
        for each in listed["waiting"] + listed["kept"]:
            table.add_row(each["title"], each["by"], each["rule"], each["because"])
        out.print(table)
    new = new_works(place)
    listed["new"] = [{"work": one.work, "title": one.title, "nano": one.amount_nano, "currency": one.currency}
                     for one in new]  # fmt: skip
    if not as_json and new:
        table = Table("new work", "by", "pay that waits", box=None)
        for one in new[:MOST]:
            amount = amount_text(int(one.amount_nano), one.currency)
            table.add_row(escape(one.title), escape(place.contributors(one.work)), amount)
        out.print(table)
    waits, stays = listed["waiting_count"], listed["kept_count"]
    say(
        as_json,
        listed,
        f"{waits} held until a person has looked, {stays} looked at and kept held, {len(new)} new whose pay waits.",
    )


COMMANDS: tuple[Callable[..., None], ...] = (review_command,)
