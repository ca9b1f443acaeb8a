"""The portal in a real browser: without scripts, as wide as a phone, looked over by axe-core; on both databases."""

import re
import threading
import time
from datetime import UTC, datetime
from importlib import resources

import pytest
import uvicorn
from portal_project import ADA, BEN, TEXTS, TITLES, build, only_work

from byline.app.home import Home
from byline.app.portal import Role, create_app

sync_api = pytest.importorskip("playwright.sync_api")
NOW = datetime.now(UTC).replace(microsecond=0)


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
        page.goto(f"{self.address}/enter?link={accounts.new_link(email, '', datetime.now(UTC))}")
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


# --- every page -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A portal in which every kind of page has something to show."""
    with Served(build(Home(tmp_path_factory.mktemp("full") / "home"), tmp_path_factory.mktemp("files"))) as found:
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
    yield from ("/verify", "/sign-in", "/enter?link=x", "/nothing-here")
    served.enter(page, "everybody@example.org", *Role, party=BEN)
    page.goto(f"{served.address}/no?of={work}")
    page.get_by_label("Your name").fill("Ben Okoro")
    page.get_by_role("button", name="Say no").click()
    notice = page.url.removeprefix(served.address)
    yield from (notice, f"/office{notice.partition('?')[0]}", f"/claim?of={work}", "/no", "/me", "/me/erase")
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
    assert home.path.is_dir()


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
        page.goto(full.address + address)
        page.evaluate(axe)  # not as a script of the page, which its policy would refuse
        faults += [(address, *fault) for fault in page.evaluate(AXE)]
        wide += [address] * (page.evaluate("document.documentElement.scrollWidth") > 390)
        count += 1
    context.close()
    assert faults == [] and wide == [] and count > 25
    assert [url for url in asked if not url.startswith(full.address)] == []
    assert [text for _, text in said if "404" not in text] == []


def test_the_one_who_looks_for_faults_finds_one(chromium, axe):
    page = chromium.new_page()
    page.set_content("<html><body><img src='x'><input><p style='color:#999;background:#aaa'>pale</p></body></html>")
    page.evaluate(axe)
    assert {"image-alt", "label", "color-contrast"} <= {name for name, *_ in page.evaluate(AXE)}
    page.close()
