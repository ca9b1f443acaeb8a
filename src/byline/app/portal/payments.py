"""Money that came in, as an operator enters it: kept until it is divided, or withdrawn because it was a mistake."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from byline.app.home import Home
from byline.app.money_files import EVENTS, read_payments
from byline.app.portal.tables import PAYMENTS
from byline.core import AppError, Problem, RevenueEvent
from byline.registry import read_rows, writing

COLUMNS = "received,licensee,amount,currency,payment"


@dataclass(frozen=True, slots=True)
class Waiting:
    event: RevenueEvent
    at: str


class Payments:
    """In the database that `open_accounts` has prepared. What is divided, the journal says."""

    def __init__(self, home: Home) -> None:
        self._engine, self._journal = home.journal.engine, home.journal

    def add(self, events: Sequence[RevenueEvent], person: str, now: datetime) -> None:
        """Raises: AppError("payment-known") if one stands here already; then none is added."""
        with writing(self._engine) as connection:
            for event in events:
                here = sa.select(PAYMENTS.c.seq).where(PAYMENTS.c.event == event.id, PAYMENTS.c.withdrawn.is_(None))
                if connection.execute(here).first() or self._journal.has_booked(event.id):
                    raise AppError("payment-known", _known(event), "give a second equal one a name of its own")
                row = {"event": event.id, "body": json.dumps(event.to_json()), "person": person, "at": now.isoformat()}
                connection.execute(sa.insert(PAYMENTS), [row])

    def known(self, events: Sequence[RevenueEvent]) -> set[str]:
        """Ids of those that stand here or were divided."""
        kept = {each.event.id for each in self._kept()}
        return {event.id for event in events if event.id in kept or self._journal.has_booked(event.id)}

    def waiting(self) -> list[Waiting]:
        """What nobody has divided yet, oldest first."""
        found = [each for each in self._kept() if not self._journal.has_booked(each.event.id)]
        return sorted(found, key=lambda each: (each.event.received, each.event.id))

    def until(self, day: date, currency: str) -> list[RevenueEvent]:
        """Of one currency, received on or before a day."""
        events = [each.event for each in self.waiting()]
        return [event for event in events if event.currency == currency and event.received <= day]

    def withdraw(self, event: str, now: datetime) -> None:
        """It was a mistake. Raises: AppError("no-payment") if none of that id waits."""
        if event not in [each.event.id for each in self.waiting()]:
            raise AppError("no-payment", "that payment does not wait any more", "the list has those that do")
        with writing(self._engine) as connection:
            where = (PAYMENTS.c.event == event, PAYMENTS.c.withdrawn.is_(None))
            connection.execute(sa.update(PAYMENTS).where(*where).values(withdrawn=now.isoformat()))

    def _kept(self) -> list[Waiting]:
        query = sa.select(PAYMENTS).where(PAYMENTS.c.withdrawn.is_(None)).order_by(PAYMENTS.c.seq)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Waiting(RevenueEvent.from_json(json.loads(row.body)), row.at) for row in rows]


def read_table(content: bytes, payments: Payments) -> tuple[list[RevenueEvent], list[Problem]]:
    """A table of payments (see COLUMNS); all that is wrong with it, those that stand here already too, by line."""
    with TemporaryDirectory(prefix="byline-payments-") as folder:
        path = Path(folder) / "payments.csv"
        path.write_bytes(content)
        found, problems = read_payments(path)
        if problems:
            return [], problems
        rows, _ = read_rows(path, EVENTS)
    seen = payments.known(found.events)
    for event, row in zip(found.events, rows, strict=True):
        if event.id in seen:
            problems.append(Problem("payment-known", row.at, f"{_known(event)}; give an equal one a name of its own"))
        seen.add(event.id)
    return ([], problems) if problems else (list(found.events), [])


def _known(event: RevenueEvent) -> str:
    return f"the payment of {event.licensee} on {event.received} was entered before"
