"""The routes: what they answer, who may ask, and that a request sent twice is one."""

import base64
import csv
import shlex
import shutil
import threading
from datetime import date

import media_files
import pytest
from fastapi.testclient import TestClient
from media_files import picture, song, stored
from tiny_project import byline, write_csv

from byline.app.api import SCOPES
from byline.app.lookup import Library
from byline.app.portal import create_app
from byline.disclosure import verify_document

OUTPUT = {"output": "song 1", "received": "2026-11-20", "licensee": "Model Co", "amount": "0.50", "currency": "EUR"}
NO = {"target": {"kind": "domain", "value": "example.org"}, "by": "Ada Moore"}
# Every route of the schema with the scope that opens it; None: public.
ROUTES = {
    ("GET", "/v1/works"): "works:read",
    ("GET", "/v1/works/{work}"): "works:read",
    ("GET", "/v1/contributors/{party}"): "works:read",
    ("GET", "/v1/statements"): "statements:read",
    ("GET", "/v1/statements/{party}"): "statements:read",
    ("GET", "/v1/completions/{receipt}"): "completions:read",
    ("GET", "/v1/log/checkpoint"): None,
    ("POST", "/v1/outputs"): "outputs:make",
    ("GET", "/v1/outputs"): "outputs:make",
    ("GET", "/v1/outputs/{output}"): "outputs:make",
    ("POST", "/v1/attributions"): "attributions:make",
    ("GET", "/v1/attributions/{job}"): "attributions:make",
    ("GET", "/v1/attributions/{job}/events"): "attributions:make",
    ("POST", "/v1/lookups"): "lookups:make",
    ("POST", "/v1/guard"): "guard:ask",
    ("POST", "/v1/optouts"): "optouts:make",
    ("GET", "/v1/optouts/{notice}"): "optouts:make",
}


def code(response):
    return response.json()["error"]["code"]


def test_the_table_has_every_route(api):
    paths = api.all.get("/v1/openapi.json").json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_opens_to_its_scope_and_to_no_other(api, route):
    method, path = route
    at = path.replace("{", "").replace("}", "")
    body = {"texts": [], "text": ""}  # never right: nothing is made here
    for scope in SCOPES:
        answer = api.one(scope).request(method, at, json=body if method == "POST" else None)
        if ROUTES[route] in (scope, None):
            assert answer.status_code not in (401, 403, 500), (scope, answer.text)
        else:
            assert answer.status_code == 403 and code(answer) == "out-of-scope"
    answer = api.client().request(method, at)
    assert (answer.status_code == 401) == (ROUTES[route] is not None)
    assert api.client("byl_wrong").request(method, at).status_code in ((401,) if ROUTES[route] else (200,))


def test_a_revoked_token_opens_nothing(api):
    token, secret = api.tokens.new("soon gone", ["works:read"])
    client = api.client(secret)
    assert client.get("/v1/works").status_code == 200
    api.tokens.revoke(token.id)
    answer = client.get("/v1/works")
    assert answer.status_code == 401 and code(answer) == "no-token" and answer.headers["www-authenticate"] == "Bearer"


def test_no_secret_is_kept(api):
    _, secret = api.tokens.new("secret", ["works:read"])
    kept = b"".join(path.read_bytes() for path in api.home.path.glob("byline.db*"))
    assert secret.encode() not in kept and b"api_tokens" in kept


def test_a_token_of_a_payee_sees_that_payee_only(api):
    everybody = api.all.get("/v1/statements").json()["items"]
    assert len(everybody) >= 2
    mine, other = everybody[0], everybody[1]
    client = api.one("statements:read", payee=mine["party"])
    assert {each["party"] for each in client.get("/v1/statements").json()["items"]} == {mine["party"]}
    own = client.get(f"/v1/statements/{mine['party']}")
    assert own.status_code == 200 and own.json()["payee"]["name"] == mine["name"]
    answer = client.get(f"/v1/statements/{other['party']}")
    assert answer.status_code == 403 and other["name"] not in answer.text


def test_others_outputs_and_jobs_are_none(api):
    mine, other = (api.one("outputs:make", "attributions:make") for _ in range(2))
    output = mine.post("/v1/outputs", json=OUTPUT | {"output": "mine"}).json()["id"]
    job = mine.post("/v1/attributions", json={"texts": [{"text": "the river and the boat"}]}).json()["status"]
    assert mine.get(f"/v1/outputs/{output}").status_code == mine.get(job).status_code == 200
    for path in (f"/v1/outputs/{output}", job, f"{job}/events"):
        answer = other.get(path)
        assert answer.status_code == 404, path
    assert other.get("/v1/outputs").json()["items"] == []


def test_works_come_in_pages_that_lose_none(api):
    seen, cursor = [], None
    for _ in range(20):
        page = api.all.get("/v1/works", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [work["work"] for work in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(api.home.works)
    answer = api.all.get("/v1/works", params={"cursor": "***"})
    assert answer.status_code == 422 and code(answer) == "bad-cursor"
    (dov,) = api.all.get("/v1/works", params={"title": "dov"}).json()["items"]
    assert dov["opted_out"] and dov["contributors"][0]["name"] == "Dov Lind"


def test_a_work_is_told_without_papers(api):
    told = api.all.get("/v1/works/Ada 1").json()
    assert told["title"] == "Ada 1" and told["contributors"][0]["name"] == "Ada Moore" and told["runs"]
    assert not {"grants", "consents", "opt_outs"} & set(told)
    answer = api.all.get("/v1/works/Nobody's")
    assert answer.status_code == 404 and code(answer) == "no-such-title"
    person = api.all.get(f"/v1/contributors/{told['contributors'][0]['party']}").json()
    assert person["name"] == "Ada Moore" and {work["title"] for work in person["works"]} == {"Ada 1", "Ada 2", "Both"}


def test_an_output_is_a_payment_as_settle_reads_it(api, tmp_path):
    """Registered over the API, written by `byline outputs`, divided by `byline settle`, and then no longer open."""
    work = api.all.get("/v1/works/Ada 1").json()["work"]
    plain = api.all.post("/v1/outputs", json=OUTPUT | {"output": "plain", "received": "2027-02-01"})
    priced = OUTPUT | {"output": "priced", "received": "2027-02-02", "shares": [{"work": work, "share": "25%"}]}
    assert plain.status_code == 201 and plain.json()["amount_nano"] == "500000000" and not plain.json()["settled"]
    assert api.all.post("/v1/outputs", json=priced).status_code == 201
    write = ("outputs", "--to", tmp_path, "--period", "2027-02", "--home", api.home.path)
    assert byline(*write, "--json").last == {"payments": 1, "priced": 1, "settled_before": 0}
    with (tmp_path / "payments.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["amount"] == "0.5" and row["payment"] == plain.json()["id"]
    commands = [line for line in byline(*write).out.splitlines() if line.startswith("byline settle ")]
    assert len(commands) == 2
    for command in commands:
        ran = byline(*shlex.split(command)[1:], "--home", api.home.path, "--json")
        assert ran.code == 0 and ran.last["received_nano"] == "500000000", ran.err
    assert api.all.get(f"/v1/outputs/{plain.json()['id']}").json()["settled"]
    assert byline(*write, "--json").last == {"payments": 0, "priced": 0, "settled_before": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1e9"},
        {"amount": "0.0000000001"},
        {"amount": 1},
        {"currency": "euro"},
        {"licensee": ""},
        {"licensee": "two\nlines"},
        {"output": "nul\0"},
        {"received": "yesterday"},
        {"price": "1"},
        {"shares": [{"work": "work:none", "share": "5%"}]},
    ],
    ids=str,
)
def test_a_wrong_output_is_refused(api, wrong):
    before = len(api.all.get("/v1/outputs?limit=200").json()["items"])
    answer = api.all.post("/v1/outputs", json=OUTPUT | {"output": "wrong"} | wrong)
    assert answer.status_code == 422 and code(answer) in ("bad-request", "bad-output")
    assert len(api.all.get("/v1/outputs?limit=200").json()["items"]) == before


def test_shares_above_the_whole_are_refused(api):
    one, two = list(api.home.works)[:2]
    shares = [{"work": one, "share": "60%"}, {"work": two, "share": "40.1%"}]
    answer = api.all.post("/v1/outputs", json=OUTPUT | {"output": "too much", "shares": shares})
    assert answer.status_code == 422 and code(answer) == "bad-output"


def test_a_name_is_given_to_one_output_only(api):
    first = api.all.post("/v1/outputs", json=OUTPUT | {"output": "once"})
    again = api.all.post("/v1/outputs", json=OUTPUT | {"output": "once"})
    assert first.json() == again.json() and again.status_code == 201
    other = api.all.post("/v1/outputs", json=OUTPUT | {"output": "once", "amount": "0.51"})
    assert other.status_code == 409 and code(other) == "output-exists"


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/v1/outputs", OUTPUT | {"output": "keyed"}, {"output": "keyed 2"}),
        ("/v1/attributions", {"texts": [{"text": "a boat"}]}, {"texts": [{"text": "a ship"}]}),
        ("/v1/optouts", NO, {"by": "Ben Okoro"}),
    ],
    ids=["outputs", "attributions", "optouts"],
)
def test_a_key_makes_a_request_once(api, path, body, other):
    key = {"Idempotency-Key": f"key of {path}".replace(" ", "-")}
    first, again = (api.all.post(path, json=body, headers=key) for _ in range(2))
    assert first.status_code == again.status_code < 300
    assert first.json() == again.json()
    clash = api.all.post(path, json=body | other, headers=key)
    assert clash.status_code == 409 and code(clash) == "key-used"
    free = api.all.post(path, json=body | other)
    assert free.status_code == first.status_code and free.json()["id"] != first.json()["id"]
    if path != "/v1/outputs":
        elsewhere = api.all.post("/v1/outputs", json=OUTPUT | {"output": "elsewhere"}, headers=key)
        assert elsewhere.status_code == 409  # a key is not used for two routes either


def test_the_same_key_of_another_token_is_another_key(api):
    key = {"Idempotency-Key": "shared"}
    ids = {
        api.one("outputs:make").post("/v1/outputs", json=OUTPUT | {"output": "same"}, headers=key).json()["id"]
        for _ in range(2)
    }
    assert len(ids) == 2


@pytest.mark.parametrize("path", ["/v1/outputs", "/v1/optouts"])
def test_requests_side_by_side_make_one(api, path):
    body = OUTPUT | {"output": "crowd"} if path == "/v1/outputs" else NO | {"by": "A crowd"}
    key, ids = {"Idempotency-Key": f"crowd{path}"}, []

    def send():
        ids.append(api.all.post(path, json=body, headers=key).json()["id"])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1


def test_an_opt_out_holds_at_once_and_comes_with_a_receipt(api):
    before = api.all.get("/v1/works/Ben 2").json()
    answer = api.all.post("/v1/optouts", json={"target": {"kind": "work", "value": "Ben 2"}, "by": "Ben Okoro"})
    told = answer.json()
    assert answer.status_code == 201 and told["in_force"] and told["works"] == [before["work"]]
    assert told["models"][0]["works"] and told["models"][0]["owed"] == "removal"
    assert verify_document(told["receipt"], api.home.key.public).ok
    assert not before["opted_out"] and api.all.get("/v1/works/Ben 2").json()["opted_out"]
    library = Library(api.home, date.today())
    assert before["work"] in library.wanted()[1]  # the guard knows it too
    later = api.all.get(answer.headers["location"])
    assert later.status_code == 200 and "Ben Okoro" not in later.text and "challenge" not in later.text


def test_no_file_of_the_server_can_be_named(api, tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text("secret")
    for target in ({"kind": "work", "value": str(file)}, {"kind": "file", "value": str(file)}):
        answer = api.all.post("/v1/optouts", json={"target": target, "by": "Eve"})
        assert answer.status_code in (404, 422) and "there is no file" not in answer.text


def test_look_ups_find_and_say_what_was_searched(api):
    ada = api.home.registry.text(api.all.get("/v1/works/Ada 2").json()["work"])
    told = api.all.post("/v1/lookups", json={"text": ada[100:500]}).json()
    assert told["verdict"] == "found" and told["works"][0]["title"] == "Ada 2"
    told = api.all.post("/v1/lookups", json={"text": "seven purple elephants never dance upon frozen violins today"})
    assert told.json()["verdict"] == "not-found" and told.json()["scope"]["works"] > 3


def test_a_file_is_looked_up_by_what_its_bytes_say(api, tmp_path):
    (tmp_path / "media").mkdir()
    works = write_csv(tmp_path / "media" / "works.csv", media_files.HEAD, *media_files.rows(tmp_path / "media"))
    assert byline("register", works, "--home", api.home.path).code == 0

    def sent(content):
        return api.all.post("/v1/lookups", json={"file": base64.b64encode(content).decode()})

    told = sent(stored(picture(2).crop((40, 30, 340, 270)), "JPEG", quality=60)).json()
    assert told["verdict"] == "found" and told["matches"][0]["title"] == "Market"
    assert told["matches"][0]["alignment"]["work_ppm"] > 500_000 and told["scope"]["works"] == 4
    assert sent(stored(picture(9))).json()["verdict"] == "not-found"
    ada = api.home.registry.text(api.all.get("/v1/works/Ada 2").json()["work"])
    assert sent(ada[100:500].encode()).json()["works"][0]["title"] == "Ada 2"
    if shutil.which("fpcalc"):
        assert sent(song(1, start=3)).json()["matches"][0]["title"] == "Evening song"
    for content, says in (
        (b"%PDF-1.7", "not-text"),
        (stored(picture(1))[:99], "bad-image"),
        (b"ID3\3 no", "bad-audio"),
    ):
        answer = sent(content)
        assert answer.status_code == 422 and code(answer) == says and "/tmp" not in answer.text
    for body in (
        {},
        {"text": "a b", "file": "aGFs"},
        {"file": "a"},
        {"file": "%%%%"},
        {"file": 7},
        {"file": "A" * 1_900_004},
    ):
        assert code(api.all.post("/v1/lookups", json=body)) == "bad-request", body


def test_statements_are_those_of_the_command(api):
    account = api.all.get("/v1/statements").json()["items"][0]
    told = api.all.get(f"/v1/statements/{account['party']}", params={"period": account["periods"][0]}).json()
    ran = byline("statement", account["party"], "--period", account["periods"][0], "--home", api.home.path, "--json")
    assert told == ran.last
    assert api.all.get("/v1/statements/party:nobody").status_code == 404


def test_the_checkpoint_is_the_log_s(api):
    told = api.client().get("/v1/log/checkpoint").json()
    assert told["checkpoint"] == (api.home.path / "log" / "checkpoint").read_text()
    api.home.log.append("test", "ab")
    assert api.client().get("/v1/log/checkpoint").json()["size"] == told["size"] + 1


def test_the_portal_answers_the_same(api):
    portal = TestClient(create_app(api.home), headers=api.all.headers)
    for path in ("/v1/works", "/v1/openapi.json", "/v1/log/checkpoint"):
        assert portal.get(path).json() == api.all.get(path).json(), path
    told = portal.post("/v1/outputs", json=OUTPUT | {"output": "through the portal"})
    assert told.status_code == 201 and api.all.get(f"/v1/outputs/{told.json()['id']}").json() == told.json()
    assert code(portal.get("/v1/nothing")) == "no-such-page" and portal.get("/").status_code == 200


def test_too_many_requests_wait(api):
    client = api.one("works:read", per_minute=3)
    answers = [client.get("/v1/works") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert answers[-1].headers["retry-after"] == "5" and code(answers[-1]) == "too-many-requests"


def test_what_is_no_request_is_refused_in_words(api):
    assert code(api.all.get("/v1/nothing")) == "no-such-page"
    for method in ("PUT", "HEAD", "OPTIONS", "TRACE", "QUERY", "MADE-UP"):
        answer = api.all.request(method, "/v1/works")
        assert answer.status_code == 405 and answer.headers["allow"] == "GET", method
    for body in ({"text": "a", "all": 1}, {"text": "a", "all": "yes"}):  # neither is a yes
        assert api.all.post("/v1/lookups", json=body).status_code == 422
    answer = api.all.post("/v1/lookups", content=b"x" * 2_100_000)
    assert answer.status_code == 413 and code(answer) == "too-large"
    for body in (b"{", b"[]", b"\xff", b'{"text": "\\ud800"}', b'{"text": "a\\u0000b"}', b'{"text": NaN}'):
        answer = api.all.post("/v1/lookups", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and code(answer) == "bad-request", body
