"""The journal's tables, as the migrations make them, and the rows of an entry."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from byline.ledger.entry import Entry

_META = sa.MetaData()
_T = TypeVar("_T")
RUN = sa.Table("ledger_settlement", _META, *(sa.Column(name, sa.Text) for name in ("id", "inputs", "replaces")))
ENTRY = sa.Table(
    "ledger_entry",
    _META,
    sa.Column("seq", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("settlement", "reference", "effective", "recorded", "currency", "leaf")),
)
LEG = sa.Table(
    "ledger_leg",
    _META,
    sa.Column("entry", sa.BigInteger),
    sa.Column("account", sa.Text),
    sa.Column("amount_nano", sa.BigInteger),
)
CHECKPOINT = sa.Table(
    "ledger_checkpoint",
    _META,
    sa.Column("size", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("root", "balances", "recorded")),
)
_AT_ONCE = 5000  # rows or values per statement; SQLite takes at most 32766 values
_BITS: sa.ColumnClause[int] = sa.literal_column("32", sa.Integer)
_LOWER: sa.ColumnClause[int] = sa.literal_column(str(2**32 - 1), sa.BigInteger)


def insert_entries(connection: sa.Connection, entries: Sequence[Entry]) -> None:
    rows = [{name: value for name, value in entry.to_json().items() if name != "legs"} for entry in entries]
    legs = [
        {"entry": entry.seq, "account": account, "amount_nano": int(nano)}
        for entry in entries
        for account, nano in entry.legs
    ]
    for table, several in ((ENTRY, rows), (LEG, legs)):
        for some in batches(several):
            connection.execute(sa.insert(table), some)


def read_entries(connection: sa.Connection) -> list[Entry]:
    """All entries, oldest first."""
    legs: dict[int, list[list[str]]] = {}
    for entry, account, nano in connection.execute(sa.select(LEG).order_by(LEG.c.entry)):
        legs.setdefault(entry, []).append([account, str(nano)])
    rows = connection.execute(sa.select(ENTRY).order_by(ENTRY.c.seq)).mappings().all()
    return [Entry.from_json({**row, "legs": sorted(legs.get(row["seq"], []))}) for row in rows]


def summed() -> tuple[sa.Label[int], sa.Label[int]]:
    """The sum of the legs in two columns, of the upper and the lower 32 bits: a sum may not fit the database's 64.
    `whole` puts them together."""
    high, low = LEG.c.amount_nano.op(">>")(_BITS), LEG.c.amount_nano.op("&")(_LOWER)
    return sa.cast(sa.func.sum(high), sa.BigInteger).label("high"), sa.cast(sa.func.sum(low), sa.BigInteger).label(
        "low"
    )


def whole(high: int, low: int) -> int:
    return (int(high) << 32) + int(low)


def batches(values: Iterable[_T], size: int = _AT_ONCE) -> Iterator[list[_T]]:
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
