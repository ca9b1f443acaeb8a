"""Outputs that money was received for: kept once each, and written as the files that `byline settle` reads."""

import csv
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.app.api.once import Once
from byline.app.api.tables import OUTPUTS
from byline.app.api.tokens import now
from byline.app.home import Home
from byline.app.money_files import event_of
from byline.core import PPM, AppError, Source, WorkId, sha256_hex
from byline.ledger import Period, decimal_text
from byline.registry import Row, parse_share, writing

Told = dict[str, Any]
OUTPUT_NAME = "output:"
PAYMENT_COLUMNS = ["received", "licensee", "amount", "currency", "payment"]


@dataclass(frozen=True, slots=True)
class Asked:
    """An output as a caller tells it. `shares`: (work, share as text)."""

    output: str
    received: date
    licensee: str
    amount: str
    currency: str
    shares: tuple[tuple[str, str], ...]


class Outputs:
    """The outputs of a project; only ever added to."""

    def __init__(self, home: Home, engine: sa.Engine) -> None:
        self._home, self._engine = home, engine

    def add(self, token: str, asked: Asked, once: Once) -> Told:
        """Keep it; the same again changes nothing. Raises: AppError("bad-output"), AppError("output-exists") if the
        caller gave that name to another, AppError("key-used")."""
        row = self._row(token, asked)
        with writing(self._engine) as connection:
            made = once.made(connection)
            if made is None:
                held = connection.execute(sa.select(OUTPUTS.c.body).where(OUTPUTS.c.id == row["id"])).scalar()
                if held is None:
                    connection.execute(sa.insert(OUTPUTS), [row])
                elif held != row["body"]:
                    fix = "outputs are never changed; give a correction a name of its own"
                    raise AppError("output-exists", f"{asked.output!r} was registered with other content", fix)
                once.keep(connection, row["id"])
        return self.one(token, made or row["id"])

    def one(self, token: str, output: str) -> Told:
        """Raises: AppError("no-such-output") if the token has registered none of that id."""
        where = (OUTPUTS.c.id == output, OUTPUTS.c.token == token)
        found = self._rows(sa.select(OUTPUTS).where(*where))
        if not found:
            raise AppError("no-such-output", f"{output} is none that this token registered", "GET /v1/outputs")
        return self._told(found[0])

    def page(self, token: str, after: int, most: int) -> tuple[list[Told], int | None]:
        """A token's outputs after a number, oldest first, and the number to go on after."""
        query = sa.select(OUTPUTS).where(OUTPUTS.c.token == token, OUTPUTS.c.seq > after).order_by(OUTPUTS.c.seq)
        found = self._rows(query.limit(most + 1))
        return [self._told(row) for row in found[:most]], (found[most - 1].seq if len(found) > most else None)

    def write(self, folder: Path, period: Period | None) -> Told:
        """What was not settled yet, of one period if one is given: payments.csv follows the period's attribution;
        priced-payments.csv with priced-outputs.csv have shares of their own, and are settled apart."""
        rows = [row for row in self._rows(sa.select(OUTPUTS).order_by(OUTPUTS.c.seq)) if _in(row, period)]
        told = [self._told(row) for row in rows]
        waiting = [each for each in told if not each["settled"]]
        plain, priced = ([each for each in waiting if bool(each["shares"]) is wanted] for wanted in (False, True))
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "payments.csv", PAYMENT_COLUMNS, [_payment(each) for each in plain])
        _write(folder / "priced-payments.csv", PAYMENT_COLUMNS, [_payment(each) for each in priced])
        outputs = [[each["id"], each["id"], _amount(each), _cell(each)] for each in priced]
        _write(folder / "priced-outputs.csv", ["output", "payment", "price", "shares"], outputs)
        return {"payments": len(plain), "priced": len(priced), "settled_before": len(told) - len(waiting)}

    # --- rows

    def _rows(self, query: sa.Select[Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))

    def _row(self, token: str, asked: Asked) -> Told:
        name = f"{OUTPUT_NAME}{sha256_hex(f'{token} {asked.output}'.encode())[:24]}"
        cells = {"received": asked.received.isoformat(), "licensee": asked.licensee, "payment": name}
        try:
            event = event_of(Row(Source("request"), cells | {"amount": asked.amount, "currency": asked.currency}))
        except ValueError as fault:
            raise AppError("bad-output", str(fault), "correct the output and send it again") from fault
        self._check_shares(asked)
        body = {
            "output": asked.output,
            "received": cells["received"],
            "licensee": asked.licensee,
            "amount_nano": str(event.nano),
            "currency": event.currency,
            "shares": [{"work": work, "share": share} for work, share in asked.shares],
        }
        kept = {"received": cells["received"], "body": json.dumps(body, sort_keys=True), "recorded": now()}
        return {"id": name, "token": token, "event": event.id, **kept}

    def _check_shares(self, asked: Asked) -> None:
        ppm = [parse_share(share) for _, share in asked.shares]
        known = self._home.works
        unknown = [work for work, _ in asked.shares if WorkId(work) not in known]
        if unknown:
            raise AppError("bad-output", f"no work is registered as {unknown[0]!r}", "GET /v1/works lists them")
        if any(one is None for one in ppm) or sum(one or 0 for one in ppm) > PPM:
            raise AppError("bad-output", "the shares are not above 0 and at most 100 % together", "correct the shares")

    def _told(self, row: Any) -> Told:
        settled = self._home.journal.has_booked(row.event)
        told: Told = {"id": row.id, "event": row.event, **json.loads(row.body)}
        return told | {"recorded": row.recorded, "settled": settled}


def _in(row: Any, period: Period | None) -> bool:
    return period is None or date.fromisoformat(row.received) in period


def _amount(told: Told) -> str:
    return decimal_text(int(told["amount_nano"]), 10**9)


def _payment(told: Told) -> list[str]:
    return [told["received"], told["licensee"], _amount(told), told["currency"], told["id"]]


def _cell(told: Told) -> str:
    return ";".join(f"{each['work']}={each['share']}" for each in told["shares"])


def _write(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    part.replace(path)
