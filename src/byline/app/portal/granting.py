"""For rights officers: licences on record. One is entered in a form, or a table of them is read; either goes the way of
`byline import grants`, with the same checks. None is edited: what ends is recorded as an ending."""

import csv
import io
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.home import Home
from byline.app.money_files import nano_of
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.fields import day_field, decider
from byline.app.portal.paging import pages_of
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError, Problem, RegistryError, make_id, sha256_hex
from byline.registry import Ending, Entry, Grant, Use, Why

MOST = 500_000  # characters of a table that is pasted
SHOWN = 100  # faults of a table
EACH = 25  # licences on one page
KIND = "grants"
REACHES = {
    "work": "one work",
    "party": "everything by a contributor",
    "account": "everything that an account handed in",
    "domain": "everything from a web address",
    "all": "every work that is registered",
}
USES = {
    Use.TRAIN_GEN: "training models that write, draw or sing",
    Use.TRAIN_OTHER: "training other models",
    Use.TDM: "mining text and data",
    Use.GROUND: "being looked up by a model while it answers",
    Use.INDEX: "being indexed",
    Use.SEARCH: "being found by a search",
    Use.VOICE_SYNTHESIS: "making a voice like a person’s",
    Use.LIKENESS_SYNTHESIS: "making a picture like a person",
}
ENDS = {Why.REVOKED: "it was taken back", Why.EXPIRED: "it ran out", Why.MISTAKEN: "it was recorded by mistake"}
COLUMNS = "about,grantor,grantee,uses,territory,effective,until,amount_nano,currency,pricing,contract"
# The field of the form that a fault of the row is about.
FIELDS = {"no-such-work": "name", "ambiguous-work": "name", "bad-about": "name", "unknown-account": "name",
          "bad-dates": "until", "bad-amount": "amount"}  # fmt: skip


def add(doors: Doors) -> None:
    doors.page("GET", "/office/grants", Role.OFFICER)(show)
    doors.page("POST", "/office/grants", Role.OFFICER)(enter)
    doors.page("POST", "/office/grants/table", Role.OFFICER, back="/office/grants")(table)
    doors.page("POST", "/office/grants/end", Role.OFFICER, back="/office/grants")(end)


def show(visit: Visit) -> Answer:
    evidence, day = visit.home.registry.evidence, visit.now.date()

    def newest(skip: int, most: int) -> tuple[int, tuple[Entry[Grant], ...]]:
        return evidence.latest(Grant, skip, most)

    at, total, some = pages_of(visit, EACH, newest)
    data = {
        "grants": [_told(visit.home, each, day) for each in some],
        "at": at,
        "pages": max(1, -(-total // EACH)),
        "total": total,
        "reaches": REACHES,
        "uses": [(use.value, says) for use, says in USES.items()],
        "ends": [(why.value, says) for why, says in ENDS.items()],
        "columns": COLUMNS,
        "day": day.isoformat(),
        "added": visit.asked.get("added", "") if visit.asked.get("added", "").isdigit() else "",
    }
    return Page("office-grants.html", "Licences on record", data)


def _told(home: Home, entry: Entry[Grant], day: date) -> dict[str, Any]:
    grant = entry.record
    over = grant.until is not None and grant.until < day
    state = "ended" if entry.ended else "replaced" if entry.superseded_by else "over" if over else "stands"
    return {"id": entry.id, "state": state, "recorded": entry.recorded, "about": _about(home, grant.about),
            "by": home.names.get(grant.grantor, grant.grantor), "to": grant.grantee,
            "uses": [USES[use] for use in grant.uses], "where": ", ".join(grant.territory), "from": grant.effective,
            "until": grant.until, "nano": grant.amount_nano, "currency": grant.currency, "pricing": grant.pricing,
            "contract": grant.contract, "ended": entry.ended}  # fmt: skip


def _about(home: Home, scope: str) -> str:
    """What a record reaches, as people say it."""
    kind, _, rest = scope.partition(":")
    if kind == "work":
        return f"“{home.works[scope].title}”" if scope in home.works else scope  # type: ignore[index]
    if kind == "party":
        return f"everything by {home.names.get(scope, scope)}"  # type: ignore[call-overload]
    if kind == "account":
        return f"everything that {home.registry.account(scope) or scope} handed in"  # type: ignore[arg-type]
    return f"everything from {rest}" if kind == "domain" else "every work that is registered"


# --- recording ----------------------------------------------------------------------------------------------------


def enter(visit: Visit) -> Answer:
    """One licence. Raises: AppError("bad-grant"), and those of its fields."""
    row = _row(visit)
    added, _, problems = _import(visit, _written([row]))
    for problem in problems:
        visit.faults.append((_field(problem), AppError("bad-grant", _plain(problem), "")))
    visit.refuse_faults()
    visit.did("recorded a licence", make_id("grants", *row.values()))
    return Onward(f"/office/grants?added={added}")


def _row(visit: Visit) -> dict[str, str]:
    """The form as a row of a table of grants; every fault beside its field."""
    row = {name: visit.field(name, 500) for name in ("grantee", "grantor", "pricing", "contract")}
    with visit.at("name"):
        row["about"] = _scope(visit)
    for name, says in (("grantor", "whoever grants it"), ("grantee", "whoever may use it")):
        with visit.at(name):
            visit.needed(name, f"write {says}", 500)
    with visit.at("uses"):
        row["uses"] = ";".join(use for use in visit.form.get("uses", ()) if use in list(Use))
        if not row["uses"]:
            raise AppError("bad-choice", "no use was chosen", "choose at least one")
    with visit.at("effective"):
        row["effective"] = day_field(visit, "effective").isoformat()
    with visit.at("until"):
        row["until"] = day_field(visit, "until").isoformat() if visit.field("until", 20) else ""
    with visit.at("amount"):
        row |= _amount(visit.field("amount", 40).replace(",", "."), visit.field("currency", 3).upper())
    places = [part.strip() for part in visit.field("territory", 300).replace(";", ",").split(",") if part.strip()]
    row |= {"territory": ";".join(places) or "WORLD", "revocable": "no" if visit.field("fixed", 5) == "yes" else "yes"}
    row["evidence_sha256"] = sha256_hex(visit.upload.content) if visit.upload else ""
    visit.refuse_faults()
    return row


def _scope(visit: Visit) -> str:
    """Raises: AppError("bad-choice"), AppError("empty-field")."""
    reach = visit.field("reach", 20)
    if reach not in REACHES:
        raise AppError("bad-choice", "nothing was chosen that it reaches", "choose one")
    if reach == "all":
        return "*"
    name = visit.needed("name", "write its title, name or address", 500)
    if reach == "work" and ":" in name and not name.startswith("work:"):
        found = visit.home.registry.works_titled(name)  # a title with a colon in it
        return found[0].id if len(found) == 1 else name
    return name if reach == "work" or name.startswith(f"{reach}:") else f"{reach}:{name}"


def _amount(text: str, currency: str) -> dict[str, str]:
    """Raises: AppError("bad-grant")."""
    if not text:
        return {"amount_nano": "", "currency": ""}
    try:
        return {"amount_nano": str(nano_of(text)), "currency": currency}
    except ValueError as fault:
        raise AppError("bad-grant", str(fault), "") from fault


def _written(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _import(visit: Visit, content: bytes) -> tuple[int, int, list[Problem]]:
    with TemporaryDirectory(prefix="byline-grants-") as folder:
        path = Path(folder) / "licences.csv"
        path.write_bytes(content)
        return visit.home.registry.import_file(KIND, path, visit.now.date())


def _field(problem: Problem) -> str:
    if problem.code == "unknown-party":
        return "name" if "party" in problem.says.partition(" ")[0] else "grantor"
    named = problem.says.partition(" ")[0]
    return FIELDS.get(problem.code, named if named in ("uses", "territory", "effective", "until", "grantee") else "")


def _plain(problem: Problem) -> str:
    """Without what is meant for whoever has a command line."""
    return problem.says.partition("; ")[0]


def table(visit: Visit) -> Answer:
    """Licences of a file, or of what was pasted; with any fault none is taken. Raises: AppError("bad-grant")."""
    content = visit.upload.content if visit.upload else visit.field("pasted", MOST).encode()
    name = "table" if visit.upload else "pasted"
    with visit.at(name):
        if not content.strip():
            raise AppError("empty-field", "there is no table", "choose a file, or paste one")
    visit.refuse_faults()
    added, _, problems = _import(visit, content)
    for problem in problems[:SHOWN]:
        where = f"line {problem.at.line}: " if problem.at.line else ""
        visit.faults.append((name, AppError("bad-grant", f"{where}{_plain(problem)}", "")))
    if len(problems) > SHOWN:
        visit.faults.append((name, AppError("bad-grant", f"and {len(problems) - SHOWN} more faults", "")))
    visit.refuse_faults()
    visit.did(f"recorded {added} licences from a table", make_id("grants", sha256_hex(content)))
    return Onward(f"/office/grants?added={added}")


# --- ending -------------------------------------------------------------------------------------------------------


def end(visit: Visit) -> Answer:
    """A licence no longer counts from a day on. Raises: AppError("bad-grant"), AppError("bad-choice"), ("bad-date")."""
    record, why, by = visit.field("record", 100), visit.field("why", 20), decider(visit)
    with visit.at("why"):
        if why not in list(ENDS):
            raise AppError("bad-choice", "nothing was chosen", "choose why it ends")
    day = visit.now.date()
    with visit.at("ended"):
        day = day_field(visit, "ended")
    visit.refuse_faults()
    because = visit.field("because", 500)
    try:
        ending = Ending(record, Why(why), day, f"{because} ({by})" if because else by)
        visit.home.registry.evidence.add([ending], visit.now.date())
    except RegistryError as fault:
        raise AppError("bad-grant", fault.message, "the list has those that stand") from fault
    visit.portal.accounts.call(visit.me.id, by)
    visit.did("ended a licence", record)
    return Onward("/office/grants")
