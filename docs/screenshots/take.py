"""Pictures of the portal's main pages, on a copy of a finished demo folder: `make screenshots`."""

import io
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from byline.app.api import Place, Queue
from byline.app.home import Home
from byline.app.portal import Role, create_app
from byline.app.statements import Desk
from byline.app.tasks import SETTLEMENT
from byline.app.worker import work_off

HERE = Path(__file__).parent
IBAN = "NL30MOCK0000000005"
NOWHERE = "The quick brown fox jumps over the lazy dog near the river bank, and nobody at all looks up from lunch."


def main(demo: Path) -> None:
    """Take every picture anew, wide and as on a phone, without scripts."""
    with tempfile.TemporaryDirectory(prefix="byline-pictures-") as folder:
        home = Home.open(Path(shutil.copytree(demo, Path(folder) / "home")))
        app = create_app(home)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        site = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            take_all(home, app, site)
        finally:
            server.should_exit = True
            thread.join(10)


def take_all(home: Home, app, site: str) -> None:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, width, scheme in (("wide", 1100, "light"), ("phone", 390, "light"), ("dark", 1100, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, java_script_enabled=False, color_scheme=scheme
            )
            for picture, page in pages(home, app, site, context.new_page()):
                if name != "dark" or picture in ("front", "answer", "played"):
                    keep(page.screenshot(full_page=True), HERE / f"{picture}-{name}.png")
            context.close()
        browser.close()


def keep(taken: bytes, path: Path) -> None:
    """With 64 colours: the pages have few, and the pictures stand in the repository."""
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def pages(home: Home, app, site: str, page: Page):
    """Each page by its name, ready to be taken."""
    desk = Desk(home, datetime.now(UTC).date())
    payee = next((party for party in desk.payees if party.name == "Jimmy Carter"), desk.payees[0])
    work = next(w for w in home.works.values() if any(part.party == payee.id for part in w.contributions))
    month = desk.periods(payee, "EUR")[-1].name
    page.goto(site)
    yield "front", page
    for picture, text in (("answer", home.registry.text(work.id)[400:1000]), ("not-found", NOWHERE)):
        page.goto(site)
        page.get_by_label("Your text, or a name").fill(text)
        page.get_by_role("button", name="Search").click()
        yield picture, page
    for picture, path in (("work", f"/works/{work.id}"), ("how", "/how"), ("log", "/log")):
        page.goto(site + path)
        yield picture, page
    page.goto(f"{site}/play?prompt=The+state+of+the+Union+is")
    page.get_by_role("button", name="Write on").click(no_wait_after=True)
    page.get_by_role("heading", name="Whose writing it drew on").wait_for(timeout=120_000)
    yield "played", page
    enter(app, site, page, "novelist@example.org", payee.id)
    page.goto(f"{site}/no?of={work.id}")
    page.get_by_label("Your name").fill(payee.name)
    yield "no", page
    page.get_by_role("button", name="Say no").click()
    yield "notice", page
    statement = f"/statements/eur/{month}"
    lines = desk.body(payee, desk.periods(payee, "EUR")[-1], "EUR")["lines"]
    line = next((each["line"] for each in lines if each.get("basis") == "attribution"), "1")
    for picture, path in (("own-page", "/me"), ("statement", statement), ("line", f"{statement}/line/{line}")):
        page.goto(site + path)
        yield picture, page
    yield from choosing(home, site, page, work.id, payee.id)
    enter(app, site, page, "staff@example.org", "", *Role)
    for picture, path in (("audit", "/audit"), ("review", "/office"), ("law", "/office/law"), ("operate", "/operate")):
        page.goto(site + path)
        yield picture, page
    yield from money(home, site, page)
    yield from cooperative(home, app, site, page)


def money(home: Home, site: str, page: Page):
    """A payment, what dividing it would do, and who would be paid."""
    ids = home.journal.settlement_ids()
    later = max(event.received for one in ids for event in home.journal.settlement(one).events)
    page.goto(f"{site}/operate/income")
    if not page.get_by_label("Payments received until").count():
        page.get_by_label("Received on").fill(str(later))
        page.get_by_label("From whom").fill("Another Model Company")
        page.get_by_label("Amount").fill("1250.00")
        page.get_by_role("button", name="Enter it").click()
    yield "income", page
    tasks = Queue(home.journal.engine)
    if not tasks.last([SETTLEMENT], 1):  # once: then there is a cooperative, which has voted for no pay rule
        page.get_by_label("Payments received until").fill(str(later))
        page.get_by_role("button", name="Show what it would do").click()
        work_off(Place(Home.open(home.path)), once=True)
    page.goto(f"{site}/operate/tasks/{tasks.last([SETTLEMENT], 1)[0].id}")
    yield "task", page
    page.goto(f"{site}/operate/payouts")
    table = "".join(f"{party.name},{IBAN}\n" for party in Desk(home, later).payees[:12])
    page.get_by_label("Or paste it").fill(f"contributor,iban\n{table}")
    page.get_by_label("Carry forward what is below").fill("4.00")
    page.get_by_label("Account that pays: its holder").fill("Example Operator")
    page.get_by_label("Its IBAN").fill("NL41MOCK0000000001")
    page.get_by_role("button", name="Show who would be paid").click()
    yield "payout", page


def cooperative(home: Home, app, site: str, page: Page):
    """A proposal with what it would change for each member, and a member who votes on it."""
    page.goto(f"{site}/coop")
    names = [party.name for party in Desk(home, datetime.now(UTC).date()).payees[:6]]
    if page.get_by_label("Its name").count():
        page.get_by_label("Its name").fill("Speakers’ Cooperative")
        page.get_by_role("button", name="Found it").click()
        page.get_by_role("link", name="Members").click()
        for name in names:
            page.get_by_label("Name of a registered contributor").fill(name)
            document = {"name": "minutes.txt", "mimeType": "text/plain", "buffer": b"minutes"}
            page.get_by_label("The document that shows it").set_input_files(document)
            page.get_by_label("Who saw it and decided").fill("the board")
            page.get_by_role("button", name="Record it").click()
        page.goto(f"{site}/coop")
        page.get_by_role("link", name="Propose a pay rule").click()
        page.get_by_label("In one line").fill("Less commission, more for training")
        page.get_by_label("What members vote on").fill(
            "Five per cent of commission are enough. More is paid for training."
        )
        for field, value in (("name", "Five per cent"), ("commission", "5"), ("training", "40")):
            page.locator(f"#{field}_1").fill(value)
        page.get_by_text("Option 2, if").click()
        page.locator("#name_2").fill("Only the commission")
        page.locator("#commission_2").fill("5")
        page.get_by_role("button", name="Show what it would change").click()
        page.get_by_role("button", name="Put exactly this to the vote").click()
    else:
        page.get_by_role("link", name="Less commission").click()
    proposal = page.url.rpartition("/")[2]
    yield "proposal", page
    portal, before = app.state.portal, app.state.portal.clock
    object.__setattr__(portal, "clock", lambda: before() + timedelta(8))  # while it is open
    enter(app, site, page, "member@example.org", next(p.id for p in home.registry.parties() if p.name == names[0]))
    page.goto(f"{site}/votes/{proposal}")
    yield "vote", page
    object.__setattr__(portal, "clock", before)


def choosing(home: Home, site: str, page: Page, work: str, payee: str):
    """Use by use; a split that does not add up; a dispute."""
    page.goto(f"{site}/me/works/{work}")
    yield "choices", page
    page.goto(f"{site}/splits/new?work={work}")
    page.get_by_label("Name 2").fill("A Speech Writer")
    page.get_by_label("Share 2,").fill("30")
    page.get_by_role("button", name="Propose it").click()
    yield "split-fault", page
    page.get_by_label("Share 1,").fill("70")
    page.get_by_role("button", name="Propose it").click()
    yield "split", page
    other = next(w for w in home.works.values() if all(part.party != payee for part in w.contributions))
    page.goto(f"{site}/disputes/new?work={other.id}")
    page.get_by_label("Which part").fill("20")
    page.get_by_label("who made it").check()
    page.get_by_label("What do you claim").fill("I wrote its second half, as the drafts in my papers show.")
    page.get_by_role("button", name="Contest it").click()
    yield "dispute", page


def enter(app, site: str, page: Page, email: str, party: str, *roles: Role) -> None:
    accounts = app.state.portal.accounts
    accounts.invite(email, roles, party)
    page.context.clear_cookies()
    page.goto(f"{site}/enter?link={accounts.new_link(email, '', app.state.portal.clock())}")
    page.get_by_role("button", name="Sign in").click()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "byline-demo"))
