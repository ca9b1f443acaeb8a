"""The portal in a real browser: without scripts, as wide as a phone, looked over by axe-core; on both databases."""

import re
import threading
import time
from datetime import UTC, datetime
from importlib import resources

import media_files
import pytest
import uvicorn
from media_files import picture, stored
from portal_project import ADA, BEN, TEXTS, TITLES, build, only_work
from staff_walks import cooperatives_day, operators_day
from tiny_project import write_csv

from byline.app.api import Queue
from byline.app.coop import book_of
from byline.app.home import Home, register, write_json
from byline.app.payouts import book_of as payout_book
from byline.app.portal import Role, create_app
from byline.app.tasks import KINDS
from byline.core import Decision, Verdict, cluster_id

sync_api = pytest.importorskip("playwright.sync_api")
NOW = datetime.now(UTC).replace(microsecond=0)
NORTH = """
[[organisation]]
key = "north"
name = "Northern Press"
issuer = "http://127.0.0.1:9"
client_id = "byline"
domains = ["north.example"]
"""


class Served:
    """A portal that listens, as `byline serve` does."""

    def __init__(self, home):
        self.home = home
        self.app = create_app(home)
        self.server = uvicorn.Server(uvicorn.Config(self.app, port=0, log_level="warning", access_log=False))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(10)

    def enter(self, page, email, *roles, party=None):
        """By the link of a mail."""
        accounts = self.app.state.portal.accounts
        accounts.invite(email, roles, party)
        page.goto(f"{self.address}/enter?link={accounts.new_link(email, '', self.app.state.portal.clock())}")
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{self.address}/me"


@pytest.fixture
def phone(chromium):
    """Scripts off, 390 pixels wide."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def served(database_url, tmp_path, tmp_path_factory):
    home = build(Home(tmp_path / "home", database_url), tmp_path_factory.mktemp("files"))
    with Served(home) as found:
        yield found


def test_a_contributors_day(served, phone):
    """Ask, find, say no, keep the receipt, read the month, contest a line, take everything, be erased."""
    phone.goto(served.address)
    phone.get_by_label("Your text, or a name").fill(" ".join(TEXTS[0].split()[10:60]))
    phone.get_by_role("button", name="Search").click()
    assert phone.get_by_role("heading", level=1).inner_text() == "Yes, word for word"
    phone.get_by_role("link", name="Say no to training").click()
    assert "/sign-in?onward=" in phone.url
    phone.get_by_label("Your e-mail address").fill("ada@example.org")
    phone.get_by_role("button", name="Send me the link").click()
    served.app.state.portal.accounts.invite("ada@example.org", (), ADA)
    (mail,) = (served.home.path / "outbox").glob("*.eml")
    link = re.search(r"/enter\?link=\S+", mail.read_text())[0]
    phone.goto(served.address + link)
    phone.get_by_role("button", name="Sign in").click()
    assert phone.get_by_label("What is it about?").input_value() == "River book"  # the wish survived signing in
    phone.get_by_label("Your name").fill("Ada Moore")
    phone.get_by_role("button", name="Say no").click()
    assert "It is in force" in phone.inner_text("main") and "receipt is signed" in phone.inner_text("main")
    with phone.expect_download() as receipt:
        phone.get_by_role("link", name="Download the receipt").click()
    assert receipt.value.suggested_filename.startswith("optout-")
    phone.goto(f"{served.address}/statements/eur/2026-09")
    phone.locator("summary").first.click()
    phone.locator("details a").first.click()
    phone.get_by_label("Say what is wrong with this line").fill("This is not my work")
    phone.get_by_role("button", name="Contest this line").click()
    assert "This is not my work" in phone.inner_text("main")
    phone.goto(f"{served.address}/me/erase")
    phone.get_by_label("Yes, erase me").check()
    phone.get_by_role("button", name="Erase me").click()
    assert phone.url == f"{served.address}/"
    assert only_work(served.home, TITLES[0]) in served.home.opted_out(NOW.date())


def test_an_officers_and_an_auditors_day(served, phone):
    served.enter(phone, "ada@example.org", party=ADA)
    phone.goto(f"{served.address}/no?of=contributor:{ADA}")
    phone.get_by_label("Your name").fill("Ada Moore")
    phone.get_by_role("button", name="Say no").click()
    phone.get_by_role("button", name="Sign out").click()
    served.enter(phone, "olga@example.org", Role.OFFICER, Role.AUDITOR)
    phone.get_by_role("link", name="Review").click()
    phone.get_by_role("link", name=re.compile("Ada Moore")).click()
    phone.get_by_label("upheld").check()
    phone.get_by_label("Why", exact=True).fill("It is hers")
    phone.get_by_label("Your name").fill("Olga")
    phone.get_by_role("button", name="Record it").click()
    assert "upheld" in phone.inner_text("main") and "It is hers" in phone.inner_text("main")
    phone.get_by_role("link", name="Audit", exact=True).click()
    phone.get_by_role("button", name="Compute everything again").click()
    assert "every hash, sum and division holds" in phone.inner_text("main")
    phone.get_by_role("link", name="Ben Okoro").click()
    phone.get_by_role("link", name=re.compile("September 2026")).first.click()
    phone.locator("summary").first.click()
    phone.locator("details a").first.click()
    assert "The evidence" in phone.inner_text("main")


def test_two_writers_choose_share_and_name_an_heir(served, phone, tmp_path):
    """Use by use, with a fault on the way; a split that both agree to; an heir whom two officers confirm."""
    served.enter(phone, "ada@example.org", party=ADA)
    phone.get_by_role("link", name="What may be done with each work").click()
    phone.get_by_role("link", name="River book").click()
    writing = phone.get_by_role("group", name="Training models that write")
    writing.get_by_label("Only by licence").check()
    phone.get_by_label("Your name").fill("Ada Moore")
    phone.get_by_role("button", name="Record this").click()
    assert "the receipts are signed" in phone.inner_text("main")
    assert phone.get_by_role("group", name="Training models that write").get_by_label("Only by licence").is_checked()
    assert only_work(served.home, TITLES[0]) in served.home.blocks(NOW.date())
    phone.goto(f"{served.address}/me/works")
    phone.get_by_role("link", name="who shares its pay").first.click()
    phone.get_by_label("Share 1,").fill("70")
    phone.get_by_label("Name 2").fill("Ben Okoro")
    phone.get_by_label("Share 2,").fill("50")
    phone.get_by_label("Why, if").fill("We wrote it together")
    phone.get_by_role("button", name="Propose it").click()
    assert phone.title().startswith("Please mend") and "120 per cent" in phone.inner_text("main")
    assert phone.get_by_label("Why, if").input_value() == "We wrote it together"
    phone.get_by_label("Share 2,").fill("30")
    phone.get_by_role("button", name="Propose it").click()
    split = phone.url.partition("?")[0]
    phone.goto(f"{served.address}/heirs/new")
    phone.get_by_label("Name 1").fill("A Hospital")
    phone.get_by_label("Share 1,").fill("100")
    phone.get_by_label("What shows it").fill("will of 3 May 2020")
    (tmp_path / "will.pdf").write_bytes(b"LAST WILL")
    phone.get_by_label("The document itself").set_input_files(tmp_path / "will.pdf")
    phone.get_by_role("button", name="Name them").click()
    heirs = phone.url.partition("?")[0].removeprefix(served.address)
    phone.get_by_role("button", name="Sign out").click()
    served.enter(phone, "ben@example.org", party=BEN)
    phone.get_by_role("link", name=re.compile("How the pay is shared")).click()
    phone.get_by_label("I agree").check()
    phone.get_by_label("Your name").fill("Ben Okoro")
    phone.get_by_role("button", name="Answer").click()
    assert phone.url == split and "Agreed by all, and in force" in phone.inner_text("main")
    for name in ("Olga", "Otto"):
        phone.get_by_role("button", name="Sign out").click()
        served.enter(phone, f"{name.lower()}@example.org", Role.OFFICER)
        phone.goto(f"{served.address}/office{heirs}")
        phone.get_by_label("I have seen the document").check()
        phone.get_by_label("The document that you have seen").set_input_files(tmp_path / "will.pdf")
        phone.get_by_label("Your name").fill(name)
        phone.get_by_role("button", name="Record it").click()
    assert "Confirmed, and in force" in phone.inner_text("main")


def test_a_dispute_from_a_line_to_the_outcome_and_what_the_law_says(served, phone):
    served.enter(phone, "ben@example.org", party=BEN)
    work = only_work(served.home, TITLES[0])
    phone.goto(f"{served.address}/disputes/new?work={work}")
    phone.get_by_label("Which part").fill("20")
    phone.get_by_label("who made it").check()
    phone.get_by_label("What do you claim").fill("I wrote its first chapter")
    phone.get_by_label("Your name").fill("Ben Okoro")
    phone.get_by_role("button", name="Contest it").click()
    dispute = phone.url.partition("?")[0]
    assert "Nothing waits yet" in phone.inner_text("main")
    phone.get_by_role("button", name="Sign out").click()
    served.enter(phone, "ada@example.org", party=ADA)
    phone.get_by_role("link", name=re.compile("Dispute")).click()
    phone.get_by_label("Your answer, which").fill("The first chapter is mine")
    phone.get_by_label("Your name").fill("Ada Moore")
    phone.get_by_role("button", name="Send the answer").click()
    phone.get_by_role("button", name="Sign out").click()
    served.enter(phone, "olga@example.org", Role.OFFICER)
    phone.get_by_role("link", name="Review").click()
    phone.get_by_role("link", name=re.compile("Dispute: ")).click()
    assert "The first chapter is mine" in phone.inner_text("main")
    phone.get_by_label("Take it up").check()
    phone.get_by_label("Why").fill("Both have papers")
    phone.get_by_label("Your name").first.fill("Olga")
    phone.get_by_role("button", name="Record it").click()
    assert re.search(r"20\s% of the work waits", phone.inner_text("main"))
    phone.get_by_role("button", name="Book exactly this").click()
    phone.get_by_label("Decided: the slice").check()
    phone.get_by_label("How much of the slice").fill("50")
    phone.get_by_label("Why").fill("One of two sheets is his")
    phone.get_by_role("button", name="Record it").click()
    assert "decided" in phone.inner_text("main").lower()
    assert served.home.journal.check() == []
    phone.goto(f"{served.address}/office/law")
    phone.get_by_label("Compared with this day").fill("2021-01-01")
    phone.get_by_role("button", name="Compare").click()
    assert "Rules that differ" in phone.inner_text("main") and "eu-art4-reservation" in phone.inner_text("main")
    phone.get_by_role("button", name="Sign out").click()
    served.enter(phone, "ada@example.org", party=ADA)
    phone.goto(f"{served.address}/statements/eur/2026-09")
    assert "What is contested" in phone.inner_text("main")
    phone.goto(dispute)
    with phone.expect_download() as receipt:
        phone.get_by_role("link", name=re.compile("Receipt")).last.click()
    assert receipt.value.suggested_filename.startswith("dispute-")


def test_an_operators_day(served, phone):
    served.enter(phone, "op@example.org", Role.OPERATOR)
    assert len(list(operators_day(served, phone))) > 15
    assert served.home.journal.check() == []


def test_a_cooperatives_day(served, phone, tmp_path):
    assert len(list(cooperatives_day(served, phone, tmp_path))) > 15


# --- every page -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A portal in which every kind of page has something to show."""
    home = build(Home(tmp_path_factory.mktemp("full") / "home"), tmp_path_factory.mktemp("files"))
    (home.path / "portal.toml").write_text(NORTH)
    with Served(home) as found:
        yield found


def addresses(served, page):
    """Every page that everybody, a payee, and all kinds of staff see."""
    home, work = served.home, only_work(served.home, TITLES[1])
    yield from (
        "/",
        "/works",
        f"/works/{work}",
        f"/contributors/{BEN}",
        "/unclaimed",
        "/log",
        "/how",
        "/filings",
        "/play",
    )
    yield from ("/verify", "/sign-in", "/enter?link=x", "/signed-out/north", "/nothing-here")
    yield from media(served, page)
    served.enter(page, "everybody@example.org", *Role, party=BEN)
    page.goto(f"{served.address}/no?of={work}")
    page.get_by_label("Your name").fill("Ben Okoro")
    page.get_by_role("button", name="Say no").click()
    notice = page.url.removeprefix(served.address)
    yield from (
        notice,
        f"/office{notice.partition('?')[0]}",
        f"/claim?of={work}",
        "/no",
        "/me",
        "/me/erase",
        "/me/passkeys",
    )
    yield from ("/statements", "/statements/eur/2026-10", "/statements/eur/2026-10/line/1", "/audit", "/audit/entries")
    yield from (
        "/audit/entries/1",
        "/audit/trail",
        f"/audit/payees/{BEN}",
        "/office",
        "/operate",
        "/operate/people",
        "/coop",
    )
    yield from held(served, page)
    yield from matters(served, page)
    yield from staff(served, page)
    assert home.path.is_dir()


def held(served, page):
    """A work that is held, beside another; one that was released; lists of works; licences; what would be missing."""
    one, other = (only_work(served.home, title) for title in (TITLES[2], TITLES[0]))
    decided = [Decision(work, Verdict.REFUSE, "no-order", "Its words stand in no order.", ()) for work in (one, other)]
    served.home.registry.save_decisions(decided, NOW.date())
    yield from ("/office", "/office/held", f"/office/held/{one}", "/office/works?rule=no-order", "/office/works")
    page.goto(f"{served.address}/office/held/{other}")
    page.get_by_label("release it").check()
    page.get_by_label("Why").fill("A list of boats")
    if page.get_by_label("Your name").count():
        page.get_by_label("Your name").fill("Olga")
    page.get_by_role("button", name="Record it").click()
    assert "A list of boats" in page.inner_text("main")
    yield from ("", f"/office/held/{other}", "/office/grants")
    page.goto(f"{served.address}/office/grants")
    page.get_by_label("one work").check()
    page.get_by_label("Its title").fill(TITLES[2])
    page.get_by_label("Who grants it").fill("Nobody")
    page.get_by_label("Who may use it").fill("Model Company")
    page.get_by_label("training models that write").check()
    page.get_by_role("button", name="Record it").click()
    assert page.title().startswith("Please mend")
    yield ""
    page.get_by_label("Who grants it").fill("Ben Okoro")
    page.get_by_role("button", name="Record it").click()
    assert "stands" in page.inner_text("main")
    page.get_by_text("It ends").first.click()
    yield ""
    told = served.home.path / "trainings" / "main" / "attribution.json"
    rows = [{"id": str(cluster_id(one)), "ppb": 10**8, "low_ppb": 0, "high_ppb": 2 * 10**8, "unique_ppb": 10**7}]
    write_json(told, {"period": {}, "period_effects": {"game": {"game": "redundancy"}}, "period_numbers": rows})
    page.goto(f"{served.address}/works/{one}")
    assert "missing without it" in page.inner_text("main")
    yield from ("", f"/contributors/{BEN}")
    told.unlink()


def staff(served, page):
    """The operator's and the cooperative's days, each page as it comes; and what of them is there afterwards."""
    if not book_of(served.home).cooperatives():
        yield from ("" for _ in operators_day(served, page))
        yield from ("" for _ in cooperatives_day(served, page, served.home.path.parent))
    served.enter(page, "everybody@example.org", *Role, party=BEN)
    (record,) = book_of(served.home).cooperatives()
    yield from ("/operate", "/operate/income", "/operate/divide", "/operate/bookings", "/operate/tasks")
    yield from ("/operate/payouts", "/coop", "/votes")
    yield from (f"/operate/payouts/{batch.id}" for batch in payout_book(served.home).batches())
    yield from (f"/operate/tasks/{job.id}" for job in Queue(served.home.journal.engine).last(KINDS, 9))
    yield from (f"/coop/{record.id}/{page}" for page in ("members", "propose/policy", "propose/offer", "offer"))
    yield from (f"/coop/{record.id}/propose/{kind}" for kind in ("unclaimed", "statutes"))
    for vote in book_of(served.home).proposals(record.id):
        yield from (f"/coop/proposals/{vote.id}", f"/votes/{vote.id}")
    yield f"/coop/{record.id}/report/{NOW.year}"


def media(served, page):
    """A part of a picture, found and shown; one that is found and may not be shown; one that is not found."""
    folder = served.home.path.parent / "media"
    folder.mkdir(exist_ok=True)
    works = write_csv(folder / "works.csv", media_files.HEAD, *media_files.rows(folder))
    assert register(served.home, works, None, None, NOW.date())[1] == []
    yield f"/works/{only_work(served.home, 'Harbour')}"
    for seed, says in ((1, "Yes, it is here"), (3, "Yes, it is here"), (9, "Not found here")):
        page.goto(served.address)
        content = stored(picture(seed).crop((40, 30, 360, 270)), "JPEG")
        page.get_by_label("Or a file").set_input_files({"name": "x.jpg", "mimeType": "image/jpeg", "buffer": content})
        page.get_by_role("button", name="Search").click()
        assert page.get_by_role("heading", level=1).inner_text() == says
        yield ""


def matters(served, page):
    """A choice, a split, heirs and a dispute, on both sides; a form with faults; the law."""
    mine, theirs = (only_work(served.home, title) for title in (TITLES[1], TITLES[0]))
    yield from ("/me/works", f"/me/works/{mine}", "/me/works/all", "/matters", f"/splits/new?work={mine}")
    yield from ("/heirs/new", f"/disputes/new?work={theirs}", f"/disputes/new?work={mine}")
    page.goto(f"{served.address}/splits/new?work={mine}")
    page.get_by_label("Name 2").fill("Ada Moore")
    page.get_by_label("Share 2,").fill("40")
    page.get_by_label("From which day on").evaluate("field => { field.required = false; field.value = '' }")
    page.get_by_role("button", name="Propose it").click()
    assert page.title().startswith("Please mend")
    yield ""  # as it is: with faults
    page.get_by_label("Share 1,").fill("60")
    page.get_by_label("From which day on").fill("2026-11-01")
    page.get_by_role("button", name="Propose it").click()
    split = page.url.removeprefix(served.address).partition("?")[0]
    yield from (split, f"/office{split}")
    page.goto(f"{served.address}/disputes/new?work={theirs}")
    page.get_by_label("Which part").fill("20")
    page.get_by_label("who made it").check()
    page.get_by_label("What do you claim").fill("A part of it is mine")
    page.get_by_role("button", name="Contest it").click()
    dispute = page.url.removeprefix(served.address).partition("?")[0]
    yield from (dispute, f"/office{dispute}", "/office/law", f"/office/law/works/{mine}")
    page.goto(f"{served.address}/office/law")
    page.get_by_label("Compared with this day").fill("2021-01-01")
    page.get_by_role("button", name="Compare").click()
    yield ""


AXE = "async () => (await axe.run()).violations.map(v => [v.id, v.impact, v.nodes.map(n => n.html).slice(0, 3)])"


@pytest.fixture(scope="module")
def axe():
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_serves_those_who_do_not_see_it_fits_a_phone_and_loads_nothing_else(full, chromium, axe, scheme):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page, faults, wide, asked, said, count = context.new_page(), [], [], [], [], 0
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append((page.url, message.text)))
    for address in addresses(full, page):
        if address:
            page.goto(full.address + address)
        page.evaluate(axe)  # not as a script of the page, which its policy would refuse
        faults += [(address, *fault) for fault in page.evaluate(AXE)]
        wide += [address] * (page.evaluate("document.documentElement.scrollWidth") > 390)
        count += 1
    context.close()
    assert faults == [] and wide == [] and count > 25
    assert [url for url in asked if not url.startswith(full.address)] == []
    assert [text for _, text in said if not re.search("status of 4(04|22)", text)] == []


def test_the_one_who_looks_for_faults_finds_one(chromium, axe):
    page = chromium.new_page()
    page.set_content("<html><body><img src='x'><input><p style='color:#999;background:#aaa'>pale</p></body></html>")
    page.evaluate(axe)
    assert {"image-alt", "label", "color-contrast"} <= {name for name, *_ in page.evaluate(AXE)}
    page.close()
