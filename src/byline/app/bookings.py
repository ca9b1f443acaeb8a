"""Money moves that are no division of revenue, from a file: advances, frozen money, currency exchanged, reserves."""

from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

from byline.app.home import Home
from byline.app.money_files import nano_of
from byline.core import LedgerError, PartyId, Problem, Source, party_id
from byline.ledger import Booking, advance, exchange, hold, release, reserve_release
from byline.registry import Columns, Row, parse_share, read_rows

BOOKINGS = Columns(
    ("kind", "effective"),
    ("contributor", "amount", "currency", "reference", "because", "shares", "to", "rate", "source", "quoted"),
)


def read_bookings(home: Home, path: Path) -> tuple[list[Booking], list[Problem]]:
    """Bookings, CSV or JSON lines; with problems, none of it is to be booked. Kinds and what each needs:

    advance: contributor, amount, currency, reference (the contract). hold: contributor, amount, currency, reference
    (the case), because. release: the same, and shares (`Ann=60%;Bob=40%`) of all that the case holds. exchange:
    contributor, amount, currency, to, rate, source, quoted (with a time zone), reference. reserve: reference (the
    settlement), because.
    """
    rows, problems = read_rows(path, BOOKINGS)
    if not rows and not problems:
        problems = [Problem("empty-file", Source(str(path)), "names nothing to book")]
    kinds: dict[str, Callable[[Row, date], Booking]] = {
        "advance": _advance,
        "hold": _hold,
        "release": _release,
        "exchange": _exchange,
        "reserve": lambda row, day: _reserve(home, row, day),
    }
    found = []
    for row in rows:
        try:
            if row["kind"] not in kinds:
                raise ValueError(f"kind is {row['kind']!r}; the kinds are {', '.join(kinds)}")
            booking = kinds[row["kind"]](row, _day(row))
            booking.refuse_if_wrong()
            found.append(booking)
        except (ValueError, LedgerError) as fault:
            problems.append(Problem("bad-booking", row.at, str(fault).partition("\n")[0]))
    strangers = {name for row in rows for name in [row["contributor"], *_names(row)] if name and not _known(home, name)}
    problems += [Problem("unknown-party", Source(str(path)), f"{name!r} is not registered") for name in strangers]
    return found, problems


def _advance(row: Row, day: date) -> Booking:
    return advance(_party(row), nano_of(row["amount"]), _currency(row), day, _needed(row, "reference"))


def _hold(row: Row, day: date) -> Booking:
    told = (nano_of(row["amount"]), _currency(row), day, _needed(row, "because"))
    return hold(_needed(row, "reference"), _party(row), *told)


def _release(row: Row, day: date) -> Booking:
    shares = [(party_id(name), ppm) for name, ppm in _shares(row)]
    told = (nano_of(row["amount"]), shares, _currency(row), day, _needed(row, "because"))
    return release(_needed(row, "reference"), _party(row), *told)


def _exchange(row: Row, day: date) -> Booking:
    rate, quoted = Fraction(_needed(row, "rate")), datetime.fromisoformat(_needed(row, "quoted"))
    if quoted.tzinfo is None:
        raise ValueError(f"quoted is {row['quoted']!r}; write it with its time zone, as 2026-09-01T12:00+00:00")
    pair = (_currency(row), _needed(row, "to").upper())
    told = ((rate.numerator, rate.denominator), (_needed(row, "source"), quoted), day, _needed(row, "reference"))
    return exchange(_party(row), nano_of(row["amount"]), pair, *told)


def _reserve(home: Home, row: Row, day: date) -> Booking:
    return reserve_release(home.journal.standing(_needed(row, "reference")), day, _needed(row, "because"))


def _day(row: Row) -> date:
    try:
        return date.fromisoformat(row["effective"])
    except ValueError as fault:
        raise ValueError(f"effective is {row['effective']!r}; write the day as 2026-09-01") from fault


def _party(row: Row) -> PartyId:
    return party_id(_needed(row, "contributor"))


def _currency(row: Row) -> str:
    return _needed(row, "currency").upper()


def _needed(row: Row, column: str) -> str:
    if not row[column]:
        raise ValueError(f"a row of kind {row['kind']} needs the column {column}")
    return row[column]


def _names(row: Row) -> list[str]:
    return [part.rpartition("=")[0].strip() for part in row.list("shares")]


def _shares(row: Row) -> list[tuple[str, int]]:
    found = []
    for part in row.list("shares"):
        name, _, share = part.rpartition("=")
        ppm = parse_share(share.strip())
        if not name.strip() or ppm is None:
            raise ValueError(f"{part!r} in shares; write them as Ann Lee=60%;Bob=40%")
        found.append((name.strip(), ppm))
    return found


def _known(home: Home, name: str) -> bool:
    return party_id(name) in home.names
