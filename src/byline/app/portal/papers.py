"""The log, filings, how we compute and how wrong it is, and checking a document that somebody holds."""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from byline.app.coop import book_of
from byline.app.home import Home, read_kept
from byline.app.portal.accounts import Role
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Download, Page, Visit
from byline.core import AppError
from byline.disclosure import read_checkpoint, verify_file
from byline.lookup import measured


def add(doors: Doors) -> None:
    doors.page("GET", "/log")(log)
    doors.page("GET", "/log/checkpoint")(checkpoint)
    doors.page("GET", "/log/key")(key)
    doors.page("GET", "/how")(how)
    doors.page("GET", "/filings")(filings)
    doors.page("GET", "/filings/{name}")(filing)
    doors.page("GET", "/verify")(ask)
    doors.page("POST", "/verify", reads=True)(verify)


# --- the log ------------------------------------------------------------------------------------------------------

KINDS = {
    "opt-out": "a no that somebody gave",
    "claim": "a yes that somebody gave",
    "change": "what became of a no or a yes",
    "withdrawal": "a no or yes taken back",
    "statement": "a statement of earnings",
    "journal": "the state of the money book",
    "manifest": "a frozen list of works",
    "run": "a training",
    "filing": "a filing",
    "filing-draft": "a draft of a filing",
    "review": "somebody has looked at a work that was held",
    "portal-change": "a change that somebody made in this portal",
    "snapshot": "what was known when a list was frozen",
}


def log(visit: Visit) -> Answer:
    home = visit.home
    note = head_of(home)
    head = read_checkpoint(note, home.key.public)
    kinds = Counter(leaf.kind for leaf in home.log.entries())
    rows = [(kind, KINDS.get(kind, kind.replace("-", " ")), count) for kind, count in sorted(kinds.items())]
    return Page("log.html", "The log", {"note": note, "size": head.size if head else 0, "kinds": rows,
                                        "key": home.key.name})  # fmt: skip


def head_of(home: Home) -> str:
    """The newest signed head; a new one is signed only if the log has grown since."""
    path = home.log.folder / "checkpoint"
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    head = read_checkpoint(kept, home.key.public) if kept else None
    return kept if head is not None and head.size == len(home.log.entries()) else home.log.checkpoint(home.key)


def checkpoint(visit: Visit) -> Answer:
    return Download(head_of(visit.home).encode(), "checkpoint", "text/plain")


def key(visit: Visit) -> Answer:
    return Download(visit.home.public_key.read_bytes(), "byline.pub", "text/plain")


# --- how we compute -----------------------------------------------------------------------------------------------


def how(visit: Visit) -> Answer:
    home = visit.home
    recall = measured("text")
    data = {
        "runs": [_evaluated(home, name) for name in trainings(home)],
        "recalls": recall.recalls if recall else (),
        "measured_on": recall.what if recall else "",
        "policy": _policy(home),
    }
    return Page("how.html", "How we compute", data)


def trainings(home: Home) -> list[str]:
    """Names of finished trainings."""
    return sorted(path.parent.name for path in (home.path / "trainings").glob("*/training.json"))


def _evaluated(home: Home, name: str) -> dict[str, Any]:
    """What a training was measured to be worth, or that it was not."""
    if not (home.training(name) / "evaluation.json").is_file():
        return {"name": name, "measured": ""}
    told = read_kept(home, name, "evaluation")
    reliability = told["reliability"]
    return {
        "name": name,
        "measured": told["measured"],
        "lambda": reliability["lambda_ppm"] / 1e6,
        "low": reliability["low_ppm"] / 1e6,
        "high": reliability["high_ppm"] / 1e6,
        "pairs": reliability["pairs"],
        "contributors": told["contributors"],
        "coverage": told.get("coverage"),
        "methods": [{"name": _METHODS.get(each["method"], each["method"]), "rho": each["spearman"], "low": each["low"],
                     "high": each["high"], "ours": each["method"] == reliability["method"]}
                    for each in told["methods"]],
    }  # fmt: skip


_METHODS = {"bm25": "how alike the words are (BM25)", "random": "chance"}


def _policy(home: Home) -> dict[str, Any] | None:
    """The pay rule of the latest settlement."""
    found = [home.journal.settlement(name) for name in home.journal.settlement_ids()]
    if not found:
        return None
    latest = max(found, key=lambda one: max(event.received for event in one.events))
    policy = latest.terms.policy
    return {name: getattr(policy, f"{name}_ppm") for name in ("commission", "reserve", "train_share")}


# --- filings ------------------------------------------------------------------------------------------------------


def filings(visit: Visit) -> Answer:
    shown = [row for row in _filings(visit) if row["visible"]]
    reports = [(each.id, each.name) for each in book_of(visit.home).cooperatives()]
    return Page("filings.html", "Filings and reports", {"filings": shown, "reports": reports, "year": visit.now.year})


def filing(visit: Visit) -> Answer:
    row = next((row for row in _filings(visit) if row["name"] == visit.named["name"] and row["visible"]), None)
    if row is None:
        raise AppError("no-such-page", "there is no such filing", "the list has them all")
    return Page("filing.html", row["title"], {"filing": row})


def _filings(visit: Visit) -> list[dict[str, Any]]:
    """Those that are complete, for everybody; drafts for those who work on them."""
    inside = bool(visit.person and visit.person.may(Role.OPERATOR, Role.AUDITOR, Role.OFFICER))
    return [row | {"visible": inside or not row["draft"]}
            for row in map(_filed, sorted((visit.home.path / "filings").glob("*.json")))]  # fmt: skip


def _filed(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    body = document["statement"]
    waiting = [each for each in body["fields"] if each["state"] == "open"]
    return {"name": path.stem, "title": _title(body), "version": body["version"], "made": body["made"],
            "fields": body["fields"], "draft": bool(waiting), "open": len(waiting),
            "leaf": document["log"]["index"]}  # fmt: skip


def _title(body: dict[str, Any]) -> str:
    """The name of the form; of its short name, where what makes filings is not installed."""
    try:
        from byline.disclosure.filings import REGIMES
    except ImportError:
        return str(body["regime"])
    return REGIMES[body["regime"]].title if body["regime"] in REGIMES else str(body["regime"])


# --- checking -----------------------------------------------------------------------------------------------------


def ask(visit: Visit) -> Answer:
    return Page("verify.html", "Check a document", {"found": None})


def verify(visit: Visit) -> Answer:
    """The file is looked at in a folder of its own that is gone afterwards; its own name is never used."""
    with visit.at("file"):
        if visit.upload is None or not visit.upload.content:
            raise AppError("empty-query", "no file was sent", "choose the file that you were given")
    visit.refuse_faults()
    with TemporaryDirectory(prefix="byline-verify-") as folder:
        path = Path(folder) / f"document{_ending(visit.upload.content if visit.upload else b'')}"
        path.write_bytes(visit.upload.content if visit.upload else b"")
        found = verify_file(path, visit.home.key.public)
    checks = [{"ok": each.ok, "says": each.says.replace(f"{folder}/", "")} for each in found.checks]
    head = f"This {found.what} holds" if found.ok else "This is not what was signed"
    return Page("verify.html", head, {"found": found, "checks": checks, "head": head})


def _ending(content: bytes) -> str:
    start = content.lstrip()[:15].lower()
    return ".json" if start.startswith(b"{") else ".html" if start.startswith(b"<!doctype html") else ".csv"
