"""For operators: what the queue is at, how far it is, what came of it; and booking exactly what was shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from byline.app.api import Job, Queue
from byline.app.api.attributing import ATTRIBUTION
from byline.app.home import Home
from byline.app.portal.accounts import Role
from byline.app.portal.audit import account_name
from byline.app.portal.doors import Doors
from byline.app.portal.papers import trainings
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.app.tasks import CORRECTION, INDEX, INDEXES, KINDS, PERIOD, SETTLEMENT
from byline.core import AppError
from byline.ledger import COMMISSION, COMMONS, RESERVE

SHOWN = 20
SECONDS = 4  # after which a page with work in progress is asked for again
MOST = 500_000  # characters of a period's output
NAMES = {
    SETTLEMENT: "division of money",
    CORRECTION: "correction of what was divided",
    INDEX: "index of the look-up",
    PERIOD: "where a period’s outputs came from",
    ATTRIBUTION: "a question of a program",
}
STATES = {"queued": "waiting", "running": "at work", "done": "done", "failed": "failed"}
ACCOUNTS = {
    "assets:receivable": "to come in from licensees",
    "assets:bank": "at the bank",
    COMMISSION: "commission, for running this",
    RESERVE: "reserve for corrections",
    COMMONS: "the commons: traced to nobody",
}
Change = tuple[str, int, int]


def add(doors: Doors) -> None:
    doors.page("GET", "/operate/tasks", Role.OPERATOR)(show)
    doors.page("POST", "/operate/tasks/index", Role.OPERATOR, back="/operate/tasks")(index)
    doors.page("POST", "/operate/tasks/correction", Role.OPERATOR, back="/operate/tasks")(correction)
    doors.page("POST", "/operate/tasks/period", Role.OPERATOR, back="/operate/tasks")(period)
    doors.page("GET", "/operate/tasks/{job}", Role.OPERATOR)(one)
    doors.page("POST", "/operate/tasks/{job}/again", Role.OPERATOR)(again)
    doors.page("POST", "/operate/tasks/{job}/book", Role.OPERATOR)(book)


def queue_of(visit: Visit) -> Queue:
    return Queue(visit.home.journal.engine)


def listed(visit: Visit, most: int) -> list[dict[str, Any]]:
    return [_told(visit.home, job) for job in queue_of(visit).last((*KINDS, ATTRIBUTION), most)]


def refresh(visit: Visit, jobs: list[dict[str, Any]]) -> int:
    """A page that somebody reads stays as it is if they say so; else it is asked for again while work goes on."""
    return SECONDS if not visit.asked.get("still") and any(job["open"] for job in jobs) else 0


def show(visit: Visit) -> Answer:
    jobs = listed(visit, SHOWN)
    data = {"jobs": jobs, "now": visit.now, "indexes": list(INDEXES), "trainings": trainings(visit.home),
            "waiting": queue_of(visit).waiting(), "refreshes": bool(seconds := refresh(visit, jobs))}  # fmt: skip
    return Page("tasks.html", "Tasks", data, refresh=seconds)


def one(visit: Visit) -> Answer:
    job = _job(visit)
    told = _told(visit.home, job)
    data = {"job": told, "now": visit.now, "result": _result(visit.home, job), "seconds": SECONDS,
            "refreshes": bool(seconds := refresh(visit, [told]))}  # fmt: skip
    return Page("task.html", told["name"][:1].upper() + told["name"][1:], data, refresh=seconds)


def _job(visit: Visit) -> Job:
    """What a program asked of the API is listed, and not opened. Raises: AppError("no-such-page")."""
    found = [each for each in [_found(visit)] if each is not None and each.kind in KINDS]
    if not found:
        raise AppError("no-such-page", "there is no such task", "the list has them all")
    return found[0]


def _found(visit: Visit) -> Job | None:
    try:
        return queue_of(visit).one(visit.named["job"])
    except AppError:
        return None


def _told(home: Home, job: Job) -> dict[str, Any]:
    """Of anybody's job, without what they asked."""
    folder = str(home.path)
    error = {name: says.replace(folder, "the project") for name, says in (job.error or {}).items()}
    tried = job.kind in (SETTLEMENT, CORRECTION) and not job.body["shown"]
    name = NAMES.get(job.kind, job.kind)
    return {
        "id": job.id,
        "name": f"{name}, tried" if tried else name,
        "mine": job.kind in KINDS,
        "tried": tried,
        "kind": job.kind,
        "state": STATES[job.state],
        "open": job.state in ("queued", "running"),
        "failed": job.state == "failed",
        "doing": job.doing,
        "created": job.created,
        "ended": job.ended,
        "error": error,
    }


# --- what came of it ------------------------------------------------------------------------------------------------


def _result(home: Home, job: Job) -> dict[str, Any] | None:
    found = job.result
    if found is None:
        return None
    if job.kind == SETTLEMENT:
        found = {"accounts": []} | found | {"dues": [_due(home, each) for each in found.get("dues", ())]}
    if job.kind == SETTLEMENT and not job.body["shown"]:
        posted = found["posted"] or found["settlement"] in home.journal.settlement_ids()
        return found | {"posted": posted, "tables": [tables(home, found["currency"], found["accounts"])]}
    if job.kind == CORRECTION:
        return found | {"tables": [tables(home, e["currency"], e["changes"]) for e in found["corrected"]]}
    return found


def _due(home: Home, due: Mapping[str, Any]) -> dict[str, Any]:
    """What a contract, or an advance that is not paid back yet, changes for a payee, in nano-units."""
    told = {name: int(due[f"{name}_nano"]) for name in ("rebate", "top_up", "recouped")}
    return told | {"name": home.names.get(due["party"], due["party"]), "contract": due["contract"]}


def tables(home: Home, currency: str, accounts: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """(whose, before, after) of payees and of the other accounts, who gets most above the others. What is owed is
    negative in the journal; people read it the other way round."""

    def told(each: Mapping[str, str]) -> Change:
        sign = 1 if each["account"].startswith("assets:") else -1
        whose = account_name(home, each["account"]).removeprefix("owed to ")
        return ACCOUNTS.get(whose, whose), sign * int(each["before_nano"]), sign * int(each["after_nano"])

    payees = [told(each) for each in accounts if each["account"].startswith("payable:")]
    others = [told(each) for each in accounts if not each["account"].startswith("payable:")]
    return {"currency": currency, "payees": sorted(payees, key=_gain), "others": sorted(others, key=_gain)}


def _gain(change: Change) -> tuple[int, str]:
    return change[1] - change[2], change[0]


# --- asking for work ------------------------------------------------------------------------------------------------


def again(visit: Visit) -> Answer:
    """Raises: AppError("not-failed")."""
    job = _job(visit)
    queue_of(visit).retry(job.id)
    visit.did("had a job tried again", job.id)
    return Onward(f"/operate/tasks/{job.id}")


def book(visit: Visit) -> Answer:
    """Have booked exactly what a job has shown: if anything has changed since, the worker books nothing.

    Raises: AppError("nothing-shown").
    """
    job = _job(visit)
    told = _told(visit.home, job)
    if not told["tried"] or job.result is None:
        raise AppError("nothing-shown", "this has shown nothing that could be booked", "try it first, and look")
    shown = job.result["settlement"] if job.kind == SETTLEMENT else job.result["digest"]
    asked = job.body | {"shown": shown} | ({"dues": job.result["dues"]} if "dues" in job.result else {})
    visit.did("asked to book what was shown", job.id)
    return Onward(f"/operate/tasks/{queue_of(visit).ask(visit.me.id, job.kind, asked)}")


def index(visit: Visit) -> Answer:
    """Raises: AppError("bad-choice")."""
    what = visit.field("what", 40)
    if what not in INDEXES:
        raise AppError("bad-choice", "that is none of the choices", "choose one of the list")
    body = {"what": what, "again": visit.field("again", 10) == "yes"}
    visit.did(f"asked for the index of {what}", "index")
    return Onward(f"/operate/tasks/{queue_of(visit).ask(visit.me.id, INDEX, body)}")


def correction(visit: Visit) -> Answer:
    """Show what is divided otherwise by all that is known now. Nothing is booked."""
    body = {"day": visit.now.date().isoformat(), "shown": ""}
    return Onward(f"/operate/tasks/{queue_of(visit).ask(visit.me.id, CORRECTION, body)}")


def period(visit: Visit) -> Answer:
    """Ask where outputs came from: the division of the next money follows. Raises: AppError("bad-payments")."""
    training = visit.field("training", 100)
    with visit.at("training"):
        if training not in trainings(visit.home):
            raise AppError("bad-payments", "no training of that name is finished", "choose one of the list")
    text = _text(visit)
    visit.refuse_faults()
    texts = [{"title": f"output {n}", "text": part} for n, part in enumerate(_parts(text), 1)]
    visit.did("asked where a period's outputs came from", training)
    body = {"training": training, "texts": texts, "threshold": "1"}
    return Onward(f"/operate/tasks/{queue_of(visit).ask(visit.me.id, PERIOD, body)}")


def _text(visit: Visit) -> str:
    with visit.at("texts"):
        try:
            text = visit.upload.content.decode("utf-8-sig") if visit.upload else visit.field("texts", MOST)
        except UnicodeDecodeError as fault:
            raise AppError("not-text", "the file is no text in UTF-8", "save it as UTF-8") from fault
        if not _parts(text):
            raise AppError("empty-field", "there is no output in it", "write one, or choose a file")
        return text
    return ""


def _parts(text: str) -> list[str]:
    """Outputs, with a line of three dashes between them."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    return [part for lines in parts if (part := "\n".join(lines).strip())]
