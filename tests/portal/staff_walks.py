"""An operator's and a cooperative's day in a real browser, step by step; each step yields, so that the page which is
there then can be looked at."""

import contextlib
from datetime import UTC, datetime, timedelta

from portal_project import ADA, BEN
from staff import measure, work

from byline.app.demo_bank import answers_of_a_bank
from byline.app.portal import Role

OPEN, CLOSED = "NL30MOCK0000000005", "NL84MOCK0000000003"
CONTRACTS = "contract,version,contributor,effective,currency,commission\n"
PAYEES = f"contributor,iban\nAda Moore,{OPEN}\nBen Okoro,{CLOSED}\n"


def text(page):
    return page.inner_text("main")


@contextlib.contextmanager
def later(served, days):
    """The portal some days from now. Sessions have ended by then."""
    portal = served.app.state.portal
    before = portal.clock
    object.__setattr__(portal, "clock", lambda: before() + timedelta(days))
    yield
    object.__setattr__(portal, "clock", before)


def press(page, name):
    page.get_by_role("button", name=name).first.click()


# --- the operator -----------------------------------------------------------------------------------------------


def operators_day(served, page, licensee="Model Company"):
    """Money entered and divided by a worker, paid out, and sent back by a bank at which an account is closed."""
    measure(served.home)
    day = datetime.now(UTC).date()
    page.goto(f"{served.address}/operate")
    yield
    page.get_by_role("link", name="Money that came in").click()
    page.get_by_label("Or paste it").fill("received,licensee,amount,currency\nsoon,X,1,EUR\n")
    press(page, "Enter the table")
    assert "Line 2: received is 'soon'" in text(page)
    yield
    page.get_by_label("Received on").fill(str(day))
    page.get_by_label("From whom").fill(licensee)
    page.get_by_label("Amount").fill("250,00")
    press(page, "Enter it")
    assert f"250.00 EUR from {licensee}" in text(page)
    yield
    press(page, "Show what it would do")
    assert "waiting" in text(page) and "/operate/tasks/job:" in page.url
    page.get_by_role("link", name="Leave it as it is.").click()
    yield
    page.get_by_role("link", name="Look again.").click()
    assert work(served.home) == 1
    page.get_by_text("250.00 EUR received").wait_for()  # the page has asked again by itself
    assert "250.00 EUR received" in text(page) and "Ben Okoro" in text(page)
    yield
    press(page, "Book exactly this")
    assert work(served.home) == 1
    page.get_by_text("It is booked. 2 signed statements are there.").wait_for()
    yield
    yield from payouts(served, page, day)
    page.goto(f"{served.address}/operate/tasks")
    yield
    press(page, "Show what would be corrected")
    assert work(served.home) == 1
    page.get_by_text("ended").wait_for()
    yield
    page.goto(f"{served.address}/operate/tasks")
    press(page, "Bring it up to date")
    assert work(served.home) == 1
    page.get_by_text("The index is up to date").wait_for()
    yield
    yield from other_money(served, page, day, licensee)


def other_money(served, page, day, licensee):
    """Another payment, divided by a rule of its own with a contract; and an advance, shown before it is booked."""
    page.goto(f"{served.address}/operate/income")
    page.get_by_label("Received on").fill(str(day))
    page.get_by_label("From whom").fill(f"{licensee} again")
    page.get_by_label("Amount").fill("400")
    press(page, "Enter it")
    page.get_by_role("link", name="By another pay rule").click()
    page.get_by_label("the standard one with the numbers below").check()
    for part in ("The numbers, if", "What single payees"):
        page.get_by_text(part).click()
    page.get_by_label("Commission, per cent").fill("many")
    page.get_by_label("Or paste it").fill(f"{CONTRACTS}a,1,Ada Moore,2026-01-01,EUR,2%\n")
    press(page, "Show what it would do")
    assert "is no per cent" in text(page)
    yield
    page.get_by_label("Commission, per cent").fill("8")
    press(page, "Show what it would do")
    page.get_by_role("link", name="Leave it as it is.").click()
    assert work(served.home) == 1
    page.get_by_role("link", name="Look again.").click()
    assert "What single payees agreed on" in text(page) and "Ada Moore (a)" in text(page)
    yield
    page.goto(f"{served.address}/operate/bookings")
    page.get_by_text("An advance", exact=True).click()
    page.locator("#advance-contributor").fill("Ada Moore")
    page.locator("#advance-amount").fill("12,50")
    page.locator("#advance-reference").fill("letter of May")
    yield
    press(page, "Show what it would do")
    assert "12.50" in text(page)
    yield
    press(page, "Book exactly this")
    assert "Nothing waits for a case" in text(page)


def payouts(served, page, day):
    page.goto(f"{served.address}/operate/payouts")
    yield
    page.get_by_label("Or paste it").fill(PAYEES)
    page.get_by_label("Account that pays: its holder").fill("Example Operator")
    page.get_by_label("Its IBAN").fill("NL00")
    press(page, "Show who would be paid")
    assert "Check the IBAN" in text(page) and "Ada Moore" in page.get_by_label("Or paste it").input_value()
    yield
    page.get_by_label("Its IBAN").fill("NL41MOCK0000000001")
    press(page, "Show who would be paid")
    assert "to 2 payees" in text(page)
    yield
    press(page, "Book exactly this, and make the file")
    assert text(page).count("on its way") == 2
    yield
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    batch, content = page.url, download.value.path().read_bytes()
    assert OPEN.encode() in content
    for path in answers_of_a_bank(content, day, served.home.path / "bank"):
        page.goto(f"{served.address}/operate/payouts")
        page.get_by_label("The file").set_input_files(path)
        press(page, "Show what it says")
        yield
        if page.get_by_role("button", name="Book exactly this").count():
            press(page, "Book exactly this")
    page.goto(batch)
    assert "owed again" in text(page) and "paid, " in text(page)
    yield


# --- the cooperative --------------------------------------------------------------------------------------------


def cooperatives_day(served, page, folder):
    """Founded, joined, proposed after it was shown, voted on by members on pages of their own, counted, offered."""
    (folder / "minutes.txt").write_text("minutes")
    served.enter(page, "coop@example.org", Role.COOPERATIVE)
    page.goto(f"{served.address}/coop")
    yield
    page.get_by_label("Its name").fill("Writers together")
    press(page, "Found it")
    page.get_by_role("link", name="Members").click()
    for name in ("Ada Moore", "Ben Okoro"):
        page.get_by_label("Name of a registered contributor").fill(name)
        page.get_by_label("The document that shows it").set_input_files(folder / "minutes.txt")
        page.get_by_label("Who saw it and decided").fill("the board")
        press(page, "Record it")
    assert "2 members" in text(page)
    yield
    proposals = []
    for kind in ("pay rule", "licence"):
        page.goto(f"{served.address}/coop")
        page.get_by_role("link", name=f"Propose a {kind}").click()
        yield
        yield from _proposed(page, kind)
        proposals.append(page.url.rpartition("/")[2])
    page.goto(f"{served.address}/coop")
    page.get_by_role("link", name="Transparency report").click()
    yield
    with later(served, 8):
        for name, party in (("ada", ADA), ("ben", BEN)):
            served.enter(page, f"{name}@example.org", party=party)
            page.get_by_role("link", name="Votes that are yours").click()
            yield
            yield from _voted(page, served, proposals, folder / f"{name}.json")
    with later(served, 16):
        yield from _counted(page, served, proposals, folder / "ada.json")


def _proposed(page, kind):
    page.get_by_label("In one line").fill(f"A better {kind}")
    page.get_by_label("What members vote on, and why").fill("Because we want it.")
    if kind == "pay rule":
        page.get_by_label("Name of the first option").fill("Five per cent")
        page.get_by_label("Commission, per cent").first.fill("5")
        page.get_by_text("Option 2, if").click()
        page.locator("#name_2").fill("Eight per cent")
        page.locator("#commission_2").fill("8")
    else:
        page.get_by_label("train a model").first.check()
        page.get_by_label("With").first.fill("0.02")
        page.get_by_label("Address of the contract").first.fill("https://coop.example/terms")
    press(page, "Show what it would change")
    assert "Before it is proposed" in text(page) and "Ada Moore" in text(page)
    yield
    press(page, "Put exactly this to the vote")
    assert "not open yet" in text(page) and "0 of 2 have voted" in text(page)
    yield


def _voted(page, served, proposals, receipt):
    page.goto(f"{served.address}/votes/{proposals[0]}")
    yield
    page.get_by_label("First choice").select_option("Eight per cent")
    page.get_by_label("Second choice").select_option("Eight per cent")
    press(page, "Vote")
    assert "is no answer" in text(page)
    yield
    page.get_by_label("Second choice").select_option("Five per cent")
    press(page, "Vote")
    assert "You have voted" in text(page)
    yield
    with page.expect_download() as download:
        press(page, "Download the receipt")
    download.value.save_as(receipt)
    page.goto(f"{served.address}/votes/{proposals[1]}")
    page.get_by_label("Yes").check()
    press(page, "Vote")
    assert "You have voted" in text(page)


def _counted(page, served, proposals, receipt):
    served.enter(page, "coop@example.org", Role.COOPERATIVE)
    for name in proposals:
        page.goto(f"{served.address}/coop/proposals/{name}")
        press(page, "Count it, and publish the ballots")
        assert "carried" in text(page) and "it holds" in text(page)
        yield
    page.goto(f"{served.address}/coop")
    page.get_by_role("link", name="The licence that is offered").click()
    page.get_by_label("Where works are found").fill("https://coop.example/works")
    press(page, "Publish it")
    assert "<permits" in text(page)
    yield
    served.enter(page, "ada@example.org", party=ADA)
    page.goto(f"{served.address}/votes/{proposals[0]}")
    page.get_by_label("Your receipt").set_input_files(receipt)
    press(page, "Find my ballot")
    assert "Your ballot is in the count, as you cast it" in text(page)
    yield
