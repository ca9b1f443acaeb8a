"""Pages and lists read what they show: none of these reads all works, or all names, of the register."""

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from portal_project import ADA, DAY, signed_in
from tiny_project import write_csv

from byline.app.api import SCOPES, Tokens, engine_of
from byline.app.home import register
from byline.app.portal import create_app
from byline.app.portal.accounts import Role
from byline.core import Decision, Verdict
from byline.registry import Registry


@pytest.fixture
def no_reading_of_all(monkeypatch):
    for name in ("works", "parties", "accounts", "registration_order"):
        monkeypatch.setattr(Registry, name, lambda *_, of=name: pytest.fail(f"all {of} were read"))


@pytest.fixture
def asked(app, home):
    """Somebody said no before, so that refusals are looked up too."""
    ada = signed_in(app, "ada@example.org", party=ADA)
    assert ada.fill("/no", of="A quiet book", by="Ben Okoro", uses=["train.gen"]).status_code in (200, 303)
    again = create_app(home)  # nothing in hand
    _, secret = Tokens(engine_of(home)).new("all", SCOPES)
    return TestClient(again, headers={"Authorization": f"Bearer {secret}"})


def test_pages_read_what_they_show(asked, home, no_reading_of_all):
    work = home.shelf.titled("quiet", 1).works[0].id
    for path in ("/", "/works", f"/works/{work}", f"/contributors/{ADA}"):
        answer = asked.get(path)
        assert answer.status_code == 200, path
    assert "River book" in asked.get("/works").text
    assert "kept out of new training" in asked.get(f"/contributors/{home.works[work].contributions[0].party}").text


SEARCHES = {
    "quiet": "A quiet book",
    "QUIET BOOK": "A quiet book",
    "uiet": "Nothing is registered",
    "books.example.org": "Night",
    "book.example": "Nothing is registered",
    "okoro": "Ben Okoro",
}


@pytest.mark.parametrize(("text", "found"), SEARCHES.items())
def test_searches_read_what_they_find(asked, no_reading_of_all, text, found):
    token = asked.get("/").text.partition('name="token" value="')[2].partition('"')[0]
    answer = asked.post("/search", data={"token": token, "text": text})
    assert answer.status_code == 200 and found in answer.text


def test_lists_of_the_api_read_their_page(asked, home, no_reading_of_all):
    page = asked.get("/v1/works", params={"limit": 2}).json()
    rest = asked.get("/v1/works", params={"limit": 2, "cursor": page["next"]}).json()
    told = {each["title"]: each for each in page["items"] + rest["items"]}
    assert len(told) == 3 and rest["next"] is None
    assert [title for title, each in told.items() if each["opted_out"]] == ["A quiet book"]
    assert [each["title"] for each in asked.get("/v1/works", params={"title": "quiet boo"}).json()["items"]] == [
        "A quiet book"
    ]
    party = told["A quiet book"]["contributors"][0]["party"]
    first = asked.get(f"/v1/contributors/{party}", params={"limit": 1}).json()
    second = asked.get(f"/v1/contributors/{party}", params={"limit": 1, "cursor": first["next"]}).json()
    assert first["count"] == 2 and second["next"] is None
    assert {first["works"][0]["title"], second["works"][0]["title"]} == {"A quiet book", "Night <b>book</b>"}
    one = asked.get(f"/v1/works/{told['A quiet book']['work']}").json()
    assert one["opted_out"] and one["contributors"][0]["name"] == "Ben Okoro"


@pytest.mark.parametrize("cursor", ["AA==", "YQBi", "%%%", "_w=="])
def test_a_cursor_that_no_page_gave_is_refused(asked, cursor):
    answer = asked.get("/v1/works", params={"cursor": cursor})
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "bad-cursor"


# --- saying no, and the officer's pages ---------------------------------------------------------------------------


@pytest.fixture
def people(app, home, ada):
    """Ada, an officer, and a notice of hers; nothing is in hand."""
    notice = ada.fill("/no", of="River book", by="Ada Moore").headers["location"].partition("?")[0]
    ada.fill("/claim", of="A quiet book", by="Ada Moore")
    again = create_app(home, "https://portal.example.org", app.state.portal.clock)
    return signed_in(again, "ada@example.org", party=ADA), signed_in(again, "o@example.org", Role.OFFICER), notice


def test_saying_no_reads_what_it_is_about(people, home, no_reading_of_all):
    ada, _, notice = people
    work = home.shelf.titled("river", 1).works[0].id
    for path in ("/no", f"/no?of={work}", "/claim?of=books.example.org", notice, "/me", "/me/works",
                 f"/me/works/{work}", "/me/works/all"):  # fmt: skip
        assert ada.look(path).status_code == 200, path
    for said in ("A quiet book", "books.example.org", f"contributor:{ADA}", "sha256:" + "0" * 64, work):
        answer = ada.fill("/no", of=said, by="Ada Moore", uses=["tdm"])
        assert answer.status_code == 303, (said, answer.text)
        assert ada.look(answer.headers["location"]).status_code == 200
    assert ada.fill("/no", of="No such title", by="Ada Moore").status_code == 422
    assert ada.fill(f"{notice}/withdraw").status_code == 303
    assert ada.fill(f"/me/works/{work}", **{"train.gen": "licence"}).status_code == 303


def test_the_officers_pages_read_what_they_show(people, home, no_reading_of_all):
    _, officer, notice = people
    work = home.shelf.titled("quiet", 1).works[0].id
    for path in ("/office", f"/office{notice}", "/office/held", "/office/held?kept=yes", f"/office/held/{work}",
                 "/office/works", "/office/works?rule=opt-out", "/office/grants", "/office/law",
                 f"/office/law/works/{work}"):  # fmt: skip
        assert officer.look(path).status_code == 200, path
    answer = officer.fill(f"/office{notice}", decide="upheld", because="plainly hers", by="Olga")
    assert answer.status_code == 303
    assert officer.fill(f"/office/held/{work}", decide="released", because="read", by="Olga").status_code == 303


@pytest.fixture
def asks(home):
    """How often the database is asked, and how many works are read, while a page is made."""
    from byline.registry import register as module

    counted = {"queries": 0, "works": 0}
    plain = module.read_works

    def read_works(*args):
        found = plain(*args)
        counted["works"] += len(found)
        return found

    def count(*_):
        counted["queries"] += 1

    sa.event.listen(home.journal.engine, "before_cursor_execute", count)
    module.read_works = read_works
    yield counted
    module.read_works = plain
    sa.event.remove(home.journal.engine, "before_cursor_execute", count)


def grow(home, folder, count):
    """More works by many people, the half of them refused, some held, and some never decided on."""
    rows = []
    for number in range(count):
        (folder / f"g{number}.txt").write_text(f"book number {number} says nothing much", encoding="utf-8")
        rows.append([f"g{number}.txt", f"Book {number}", f"Writer {number % 97}", "author", "2020-01-01",
                     f"https://site{number % 50}.example/x", "CC0-1.0"])  # fmt: skip
    head = ["path", "title", "contributor", "role", "created", "source", "licence"]
    before = {work.id for work in home.registry.works()}
    assert register(home, write_csv(folder / "many.csv", head, *rows), None, None, DAY)[1] == []
    new = sorted(work.id for work in home.registry.works() if work.id not in before)
    rules = ["near-copy"] * (count // 2) + ["no-order"] * (count // 10)
    refused = [Decision(work, Verdict.REFUSE, rule, "x", ()) for work, rule in zip(new, rules, strict=False)]
    home.registry.save_decisions(refused, DAY)
    return new


PAGES = ("/no?of={0}", "/claim?of=site7.example", "/me/works/{1}", "/office", "/office/held", "/office/held/{0}",
         "/office/works?rule=near-copy", "/office/works?rule=undecided", "/office/grants", "{2}", "/office{2}",
         "/works?page=3", "/works/{0}")  # fmt: skip


def test_pages_ask_as_little_of_three_thousand_works_as_of_a_few_hundred(app, home, asks, tmp_path):
    """Each page: the same number of questions, give or take those about one more work, and no more works read."""
    both = signed_in(app, "both@example.org", Role.OFFICER, party=ADA)
    notice = both.fill("/no", of="River book", by="Ada Moore").headers["location"].partition("?")[0]
    own = home.shelf.works_of(ADA, 1).works[0].id
    measured = []
    for count in (300, 2_700):
        folder = tmp_path / str(count)
        folder.mkdir()
        new = grow(home, folder, count)
        paths = [path.format(new[0], own, notice) for path in PAGES]
        found = []
        for path in paths:
            both.look("/how")  # what is kept of names and works is read anew after a change
            asks.update(queries=0, works=0)
            assert both.look(path).status_code == 200, path
            found.append((path.partition("?")[0].partition("work:")[0], asks["queries"], asks["works"]))
        measured.append(found)
    for (page, few, read_few), (_, many, read_many) in zip(*measured, strict=True):
        assert many <= few + 5 and read_many <= max(read_few, 150), (page, few, many, read_few, read_many)
    assert max(read for *_, read in measured[1]) <= 150  # of three thousand


def test_the_counter_sees_who_reads_all(home, asks):
    home.registry.works()
    assert asks["works"] == 3 and asks["queries"] > 0
