"""What a payee earned: the statement with every line down to its evidence, why it changed, and contesting a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.matters import disputed, matters_of
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.app.statement_page import statement_view
from byline.app.statements import FORMATS, Desk, Kept
from byline.core import AppError, Party
from byline.ledger import Period, read_period

KINDS = {"json": "application/json", "html": "text/html", "csv": "text/csv"}


def add(doors: Doors) -> None:
    doors.page("GET", "/statements", Role.CONTRIBUTOR, own=True)(listing)
    doors.page("GET", "/statements/{currency}/{period}", Role.CONTRIBUTOR, own=True)(show)
    doors.page("GET", "/statements/{currency}/{period}/file/{form}", Role.CONTRIBUTOR, own=True)(file)
    doors.page("GET", "/statements/{currency}/{period}/line/{line}", Role.CONTRIBUTOR, own=True)(line)
    doors.page("POST", "/statements/{currency}/{period}/line/{line}", Role.CONTRIBUTOR, own=True)(contest)


@dataclass(frozen=True)
class Earned:
    """The statement that a page is about."""

    desk: Desk
    party: Party
    period: Period
    currency: str
    base: str

    @classmethod
    def of(cls, visit: Visit, party: str, base: str) -> "Earned":
        """Raises: AppError("no-such-page")."""
        desk = Desk(visit.home, visit.now.date())
        found = next((each for each in desk.payees if each.id == party), None)
        currency = visit.named["currency"].upper()
        if found is None or currency not in desk.accounts.currencies(found.id):
            raise AppError("no-such-page", "there is no such statement", "the list has them all")
        name = visit.named["period"]
        period = next((p for p in desk.periods(found, currency) if p.name == name), None)
        kept = next((k.period for k in desk.kept(found, currency) if k.period.name == name), None)
        if period is None and kept is None:
            raise AppError("no-such-page", "there is no such statement", "the list has them all")
        return cls(desk, found, read_period(name), currency, f"{base}/{currency.lower()}/{name}")

    def body(self) -> dict[str, Any]:
        return self.desk.body(self.party, self.period, self.currency)

    def signed(self) -> Kept | None:
        return next((k for k in self.desk.kept(self.party, self.currency) if k.period == self.period), None)

    def page(self, contest: bool, disputes: Sequence[dict[str, Any]] = ()) -> Page:
        """`disputes`: those about works of the statement in which the payee has a side."""
        body, kept = self.body(), self.signed()
        data = {**statement_view(body), "base": self.base, "signed": kept is not None, "contest": contest}
        data |= {"disputes": list(disputes)}
        return Page("statement.html", f"{body['period']['says']}, {self.party.name}", data)


def _mine(visit: Visit) -> Earned:
    if not visit.me.party:
        raise AppError("no-such-page", "there is no such statement", "the list has them all")
    return Earned.of(visit, visit.me.party, "/statements")


def listing(visit: Visit) -> Answer:
    accounts = rows(Desk(visit.home, visit.now.date()), visit.me.party)
    return Page("statements.html", "Your statements", {"accounts": accounts, "linked": bool(visit.me.party)})


def rows(desk: Desk, party: str) -> list[dict[str, Any]]:
    """Each account of a payee: balance, and months in which something happened, latest first."""
    found = next((each for each in desk.payees if each.id == party), None)
    if found is None:
        return []
    return [
        {
            "currency": currency,
            "nano": desk.balance(found, currency),
            "periods": sorted(desk.periods(found, currency), key=lambda each: each.start, reverse=True),
            "signed": [kept.period for kept in desk.kept(found, currency)],
        }
        for currency in desk.accounts.currencies(found.id)
    ]


def show(visit: Visit) -> Answer:
    earned = _mine(visit)
    works = {line["work"] for line in earned.body()["lines"] if line.get("work")}
    return earned.page(True, disputed(visit.home, matters_of(visit), works, earned.party.id))


def file(visit: Visit) -> Answer:
    """A signed statement as a file, with the proof that the log only grew since."""
    return download(_mine(visit), visit.named["form"])


def download(earned: Earned, form: str) -> Answer:
    kept = earned.signed()
    if kept is None or form not in FORMATS:
        raise AppError("no-such-page", "this statement was not signed yet", "it is signed when the period is closed")
    with TemporaryDirectory(prefix="byline-statement-") as folder:
        (path,) = earned.desk.write(kept, Path(folder), (form,))
        return Download(path.read_bytes(), path.name, KINDS[form])


# --- one line -------------------------------------------------------------------------------------------------


def line(visit: Visit) -> Answer:
    earned, number = _mine(visit), visit.named["line"]
    told = one_line(earned, number)
    work = told["line"].get("work")
    told["asked"] = [q for q in visit.portal.accounts.questions(visit.me.id) if q.about == _about(earned, visit)]
    told["disputes"] = disputed(visit.home, matters_of(visit), {work} if work else set(), earned.party.id)
    return Page("line.html", f"Line {number}", {**told, "contest": True})


def one_line(earned: Earned, number: str) -> dict[str, Any]:
    """Cent -> line -> payment -> outputs -> work -> evidence. Raises: AppError("no-such-page")."""
    body = earned.body()
    found = next((each for each in body["lines"] if each["line"] == number), None)
    if found is None:
        raise AppError("no-such-page", "the statement has no such line", "it lists them all")
    key = (found.get("event"), found["entry"])
    return {
        "line": found,
        "currency": body["currency"],
        "says": body["period"]["says"],
        "base": earned.base,
        "payment": next((p for p in body["payments"] if (p["event"], p["entry"]) == key), None),
        "terms": next((each for each in body["terms"] if each["settlement"] == found["run"]), None),
        "behind": next((w for w in body["evidence"].get("works", []) if w["work"] == found.get("work")), None),
    }


def _about(earned: Earned, visit: Visit) -> str:
    return f"{earned.party.id} {earned.period.name} {earned.currency} line {visit.named['line']}"


def contest(visit: Visit) -> Answer:
    """It goes to the review queue. An officer records the dispute: or else a stranger could stop everybody's pay."""
    earned = _mine(visit)
    one_line(earned, visit.named["line"])
    with visit.at("says"):
        says = visit.needed("says", "write what is wrong with the line")
    visit.refuse_faults()
    question = visit.portal.accounts.ask(visit.me.id, _about(earned, visit), says, visit.now)
    visit.did("contested a line", question.id)
    return Onward(f"{earned.base}/line/{visit.named['line']}")
