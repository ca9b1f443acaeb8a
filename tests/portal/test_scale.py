"""Pages and lists read what they show: none of these reads all works, or all names, of the register."""

import pytest
from fastapi.testclient import TestClient
from portal_project import ADA, signed_in

from byline.app.api import SCOPES, Tokens, engine_of
from byline.app.portal import create_app
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
