"""The yearly transparency report of a cooperative: numbers from the journal, decisions from the book, words for all."""

from datetime import date
from typing import Any

from byline.app.coop import Coop
from byline.cooperative import Step, year_accounts
from byline.ledger import amount_text


def year_report(coop: Coop, year: int) -> dict[str, Any]:
    """The journal is of the whole project folder, so the money is that of all its pools.

    Raises: CooperativeError("report-off") if the money does not add up.
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    entries = coop.home.journal.entries()
    accounts = [year_accounts(entries, currency, first, last).to_json() for currency in coop.home.journal.currencies()]
    return {
        "cooperative": coop.record.name,
        "pool": coop.record.pool,
        "year": year,
        "money": accounts,
        "members": _members(coop, first, last),
        "votes": _votes(coop, first, last),
        "journal": {"entries": len(entries), "root": coop.home.journal.head().root},
    }


def _members(coop: Coop, first: date, last: date) -> dict[str, Any]:
    steps = [one for one in coop.book.memberships(coop.record.id) if first <= one.effective <= last]
    return {
        "at_the_end": len(coop.book.members(coop.record.id, last)),
        "joined": sum(one.step is Step.JOINED for one in steps),
        "left": sum(one.step is Step.LEFT for one in steps),
    }


def _votes(coop: Coop, first: date, last: date) -> list[dict[str, Any]]:
    told = []
    for proposal in coop.book.proposals(coop.record.id):
        closing = coop.book.closing(proposal.id)
        if closing and first <= closing.closed <= last:
            told.append(
                {
                    "proposal": proposal.id,
                    "title": proposal.title,
                    "effect": proposal.effect.value,
                    "text_sha256": proposal.text_sha256,
                    "closed": closing.closed.isoformat(),
                    "carried": closing.tally.carried,
                    "result": closing.tally.because,
                    "effect_sha256": closing.effect_sha256,
                }
            )
    return told


def markdown(told: dict[str, Any]) -> str:
    """For people: a table per currency, members, votes."""
    members = told["members"]
    lines = [f"# {told['cooperative']}: transparency report {told['year']}", ""]
    for money in told["money"]:
        lines += [*_money(money), ""]
    lines += [
        "## Members",
        "",
        f"{members['at_the_end']} at the end of the year; {members['joined']} joined, {members['left']} left.",
        "",
        "## Votes",
        "",
        *(f"- {vote['title']} ({vote['effect']}, {vote['closed']}): {vote['result']}." for vote in told["votes"]),
        *([] if told["votes"] else ["None."]),
        "",
        f"From {told['journal']['entries']} journal entries, root {told['journal']['root']}.",
    ]
    return "\n".join(lines) + "\n"


def _money(money: dict[str, Any]) -> list[str]:
    currency = money["currency"]
    rows = [
        [
            flow["kind"],
            *(amount_text(int(flow[f"{what}_nano"]), currency) for what in ("opening", "in", "out", "closing")),
        ]
        for flow in money["flows"]
    ]
    return [
        f"## Money ({currency})",
        "",
        f"| | on {money['first']} | came | went | on {money['last']} |",
        "|---|---:|---:|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "What was received is the sum of all the other lines, at the beginning of the year and at its end.",
    ]
