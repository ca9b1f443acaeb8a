"""What a cooperative tells everybody: the licence that its members voted to offer, for crawlers, and the yearly
report. Its officers publish the licence; the report is there by itself."""

from datetime import UTC, datetime
from pathlib import Path

from byline.app.coop_effects import export_offer, offer_in_force, offered
from byline.app.coop_report import markdown, year_report
from byline.app.portal.accounts import Role
from byline.app.portal.assembly import coop_of
from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Download, Onward, Page, Visit
from byline.core import AppError

OFFERED = "work"  # an offer writes the id of a work with a slash for its colon


def add(doors: Doors) -> None:
    doors.page("GET", "/rsl.xml")(published)
    doors.page("GET", f"/works/{OFFERED}/{{key}}")(work)
    doors.page("GET", "/coop/{coop}/offer", Role.COOPERATIVE)(offer)
    doors.page("POST", "/coop/{coop}/offer", Role.COOPERATIVE)(publish)
    doors.page("GET", "/coop/{coop}/report/{year}")(report)
    doors.page("GET", "/coop/{coop}/report/{year}/file")(report_file)


# --- the licence that is offered ------------------------------------------------------------------------------------


def offer(visit: Visit) -> Answer:
    coop, day = coop_of(visit), visit.now.date()
    try:
        record, found_ = offer_in_force(coop, day)
    except AppError:
        record, found_ = None, None
    place = {kind: len(ids) for kind, ids in offered(coop, day).to_json().items()}
    path = visit.home.path / "rsl.xml"
    data = {
        "coop": coop.record,
        "proposal": record,
        "offer": found_,
        "place": place,
        "base": f"{visit.portal.site}/works",
        "published": path.read_text("utf-8")[:4_000] if path.is_file() else "",
        "site": visit.portal.site,
    }
    return Page("coop-offer.html", "The licence that is offered", data)


def publish(visit: Visit) -> Answer:
    """Raises: AppError("nothing-voted"), CooperativeError("bad-offer")."""
    coop = coop_of(visit)
    base = visit.needed("base", "write the https address under which the works are found", 500)
    with visit.at("base"):
        export_offer(coop, visit.now.date(), base, visit.home.path / "rsl.xml", datetime.now(UTC))
    visit.refuse_faults()
    visit.did("published the licence that is offered", coop.record.id)
    return Onward(f"/coop/{coop.record.id}/offer")


def published(visit: Visit) -> Answer:
    path: Path = visit.home.path / "rsl.xml"
    if not path.is_file():
        raise AppError("no-such-page", "no licence is offered here", "a cooperative publishes one")
    return Download(path.read_bytes(), path.name, "application/rsl+xml")


def work(visit: Visit) -> Answer:
    """The address of a work as it stands in an offer."""
    return Onward(f"/works/{OFFERED}:{visit.named['key']}")


# --- the yearly report ----------------------------------------------------------------------------------------------


def report(visit: Visit) -> Answer:
    coop, year = coop_of(visit), _year(visit)
    data = {"coop": coop.record, "told": year_report(coop, year), "year": year, "now": visit.now.year}
    return Page("coop-report.html", f"Transparency report {year}", data)


def report_file(visit: Visit) -> Answer:
    coop, year = coop_of(visit), _year(visit)
    text = markdown(year_report(coop, year))
    return Download(text.encode(), f"transparency-report-{year}.md", "text/markdown")


def _year(visit: Visit) -> int:
    """Raises: AppError("no-such-page") for one that has not begun."""
    text = visit.named["year"]
    if not (text.isascii() and text.isdigit() and 1970 <= int(text[:6]) <= visit.now.year):
        raise AppError("no-such-page", "there is no report of that year", "choose one that has begun")
    return int(text)
