"""For auditors, who change nothing: any cent to its evidence, every account, every entry, the trail; computed again."""

from typing import Any

from byline.app.home import Home
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.earnings import Earned, one_line, rows
from byline.app.portal.visit import Answer, Page, Visit
from byline.app.statements import Desk
from byline.core import AppError, PartyId, WorkId

ENTRIES = 100  # entries and lines of the trail on one page


def add(doors: Doors) -> None:
    doors.page("GET", "/audit", Role.AUDITOR)(show)
    doors.page("POST", "/audit/check", Role.AUDITOR, reads=True)(check)
    doors.page("GET", "/audit/entries", Role.AUDITOR)(entries)
    doors.page("GET", "/audit/entries/{entry}", Role.AUDITOR)(entry)
    doors.page("GET", "/audit/trail", Role.AUDITOR)(trail)
    doors.page("GET", "/audit/payees/{party}", Role.AUDITOR)(payee)
    doors.page("GET", "/audit/payees/{party}/{currency}/{period}", Role.AUDITOR)(statement)
    doors.page("GET", "/audit/payees/{party}/{currency}/{period}/line/{line}", Role.AUDITOR)(line)


def show(visit: Visit) -> Answer:
    return _front(visit, None)


def check(visit: Visit) -> Answer:
    """Every hash, sum and division of the journal, computed again."""
    return _front(visit, visit.home.journal.check())


def _front(visit: Visit, problems: list[Any] | None) -> Page:
    home = visit.home
    desk = Desk(home, visit.now.date())
    payees = [{"id": p.id, "name": p.name, "balances": _balances(desk, p)} for p in desk.payees]
    data = {
        "head": home.journal.head(),
        "balances": {currency: grouped(home, currency) for currency in home.journal.currencies()},
        "payees": payees,
        "problems": problems,
    }
    return Page("audit.html", "Audit", data)


def _balances(desk: Desk, party: Any) -> list[tuple[str, int]]:
    return [(currency, desk.balance(party, currency)) for currency in desk.accounts.currencies(party.id)]


def grouped(home: Home, currency: str) -> list[tuple[str, int]]:
    """Balances of a currency by kind of account; together they are nought."""
    sums: dict[str, int] = {}
    for account, nano in home.journal.balances(currency).items():
        kind = account if account.startswith(("income:", "assets:")) else account.partition(":")[0]
        sums[KINDS.get(kind, kind)] = sums.get(KINDS.get(kind, kind), 0) + nano
    return sorted(sums.items(), key=lambda pair: -abs(pair[1]))


KINDS = {
    "payable": "owed to payees",
    "held": "held: reserve, commons, and what waits",
    "assets:receivable": "received",
    "assets:bank": "paid out by the bank",
    "assets:clearing:payouts": "on its way, not yet confirmed by the bank",
    "income:commission": "commission",
}


def account_name(home: Home, account: str) -> str:
    """Whose account it is, for people."""
    kind, _, rest = account.partition(":")
    if kind == "payable":
        return f"owed to {home.names.get(PartyId(rest), rest)}"
    if rest.startswith("unclaimed:"):
        work = home.works.get(WorkId(rest.removeprefix("unclaimed:")))
        return f"waiting for “{work.title if work else rest}”"
    for beginning, says in (("assets:advance:", "advanced to {}"), ("held:dispute:", "waiting for a case: {}")):
        if account.startswith(beginning):
            return says.format(_of(home, account.removeprefix(beginning)))
    return account


def _of(home: Home, rest: str) -> str:
    """A party, with the case before it if there is one."""
    case, colon, key = rest.rpartition("party:")
    name = home.names.get(PartyId(f"{colon}{key}"), rest)
    return f"{case.rstrip(':')}, of {name}" if case else name


def entries(visit: Visit) -> Answer:
    found = visit.home.journal.entries()
    return Page("entries.html", "Journal", {"entries": found[-ENTRIES:][::-1], "total": len(found)})


def entry(visit: Visit) -> Answer:
    home, number = visit.home, visit.named["entry"]
    found = next((each for each in home.journal.entries() if str(each.seq) == number), None)
    if found is None:
        raise AppError("no-such-page", "the journal has no such entry", "the list has them all")
    legs = [(account_name(home, account), int(nano)) for account, nano in found.legs]
    whole = found.hash().hex() == found.leaf
    return Page("entry.html", f"Entry {number}", {"entry": found, "legs": legs, "whole": whole})


def trail(visit: Visit) -> Answer:
    """The newest lines, each held against the log."""
    logged = {leaf.digest for leaf in visit.home.log.entries()}
    lines = visit.portal.trail.lines()
    shown = [(each, each.digest() in logged) for each in lines[-ENTRIES:][::-1]]
    return Page("trail.html", "The trail", {"lines": shown, "total": len(lines)})


# --- from a cent to its evidence ----------------------------------------------------------------------------------


def payee(visit: Visit) -> Answer:
    party = PartyId(visit.named["party"])
    accounts = rows(Desk(visit.home, visit.now.date()), party)
    if not accounts:
        raise AppError("no-such-page", "there is no such payee", "the list has them all")
    name = visit.home.names.get(party, party)
    return Page("payee.html", name, {"name": name, "accounts": accounts, "base": f"/audit/payees/{party}"})


def _earned(visit: Visit) -> Earned:
    party = visit.named["party"]
    return Earned.of(visit, party, f"/audit/payees/{party}")


def statement(visit: Visit) -> Answer:
    return _earned(visit).page(contest=False)


def line(visit: Visit) -> Answer:
    told = one_line(_earned(visit), visit.named["line"])
    return Page("line.html", f"Line {visit.named['line']}", {**told, "asked": [], "contest": False, "disputes": []})
