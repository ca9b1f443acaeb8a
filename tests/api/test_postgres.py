"""The API over PostgreSQL: outputs, opt-outs, look-ups, keys and pages as over SQLite."""

import pytest
from fastapi.testclient import TestClient
from test_routes import NO, OUTPUT
from tiny_project import byline, write_catalogue

from byline.app.api import SCOPES, Tokens, api_app, engine_of
from byline.app.home import Home


@pytest.fixture
def client(database_url, tmp_path):
    files = write_catalogue(tmp_path / "catalogue")
    home = ("--home", tmp_path / "home", "--database", database_url)
    sheets = (files / "works.csv", "--splits", files / "splits.csv", "--opt-outs", files / "opt-outs.csv")
    for step in (("register", *sheets), ("freeze",)):
        assert byline(*step, *home).code == 0
    place = Home.open(tmp_path / "home", database_url)
    _, secret = Tokens(engine_of(place)).new("all", SCOPES)
    with TestClient(api_app(place), headers={"Authorization": f"Bearer {secret}"}) as asking:
        yield asking


def test_what_is_made_is_there_once_and_in_order(client):
    names = [f"song {n}" for n in range(5)]
    for name in (*names, *names):
        assert client.post("/v1/outputs", json=OUTPUT | {"output": name}).status_code == 201
    found, cursor = [], ""
    while cursor is not None:
        page = client.get("/v1/outputs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [each["output"] for each in page["items"]]
        cursor = page["next"]
    assert found == names
    key = {"Idempotency-Key": "once"}
    first, again = (client.post("/v1/optouts", json=NO, headers=key).json() for _ in range(2))
    assert first == again and first["in_force"]
    assert client.post("/v1/optouts", json=NO | {"by": "Eve"}, headers=key).status_code == 409
    assert (
        client.post("/v1/lookups", json={"text": "the river and the boat and the bridge by night"}).status_code == 200
    )
    assert len(client.get("/v1/works").json()["items"]) == 8
    assert client.get("/v1/works/%00").status_code == 422
    assert client.get("/v1/statements").json()["items"] == []
