"""Every route x every role x own and other objects; tokens of forms; cookies; headers. A new page fails here first."""

from datetime import timedelta

import pytest
from fastapi.routing import APIRoute
from portal_project import ADA, BEN, NOW, TITLES, only_work, sign_month, signed_in, stranger

from byline.app.coop import Coop, make_proposal, propose, read_statutes, record_step
from byline.app.coop import found as found_coop
from byline.app.money_files import STANDARD_POLICY
from byline.app.portal.accounts import Role
from byline.app.portal.doors import COOKIE, MOST_BYTES
from byline.app.portal.offering import OFFERED
from byline.app.portal.passkeys import Passkey, Passkeys
from byline.cooperative import Effect, MemberClass, Step

ALL = frozenset({"nobody", *Role})
SIGNED_IN = frozenset(Role)
OPEN_TO = {
    ("GET", "/"): ALL,
    ("POST", "/search"): ALL,
    ("GET", "/works"): ALL,
    ("GET", f"/works/{OFFERED}/{{key}}"): ALL,
    ("GET", "/rsl.xml"): ALL,
    ("GET", "/works/{work}"): ALL,
    ("GET", "/works/{work}/picture"): ALL,
    ("GET", "/contributors/{party}"): ALL,
    ("GET", "/unclaimed"): ALL,
    ("GET", "/log"): ALL,
    ("GET", "/log/checkpoint"): ALL,
    ("GET", "/log/key"): ALL,
    ("GET", "/how"): ALL,
    ("GET", "/play"): ALL,
    ("POST", "/play"): ALL,
    ("GET", "/play/{passage}"): ALL,
    ("GET", "/coop/{coop}/report/{year}"): ALL,
    ("GET", "/coop/{coop}/report/{year}/file"): ALL,
    ("GET", "/filings"): ALL,
    ("GET", "/filings/{name}"): ALL,
    ("GET", "/verify"): ALL,
    ("POST", "/verify"): ALL,
    ("GET", "/sign-in"): ALL,
    ("POST", "/sign-in"): ALL,
    ("POST", "/sign-in/passkey"): ALL,
    ("GET", "/sign-in/with/{organisation}"): ALL,
    ("GET", "/sign-in/from/{organisation}"): ALL,
    ("GET", "/signed-out/{organisation}"): ALL,
    ("POST", "/sign-out/by/{organisation}"): ALL,
    ("GET", "/enter"): ALL,
    ("POST", "/enter"): ALL,
    ("POST", "/sign-out"): SIGNED_IN,
    ("GET", "/no"): SIGNED_IN,
    ("POST", "/no"): SIGNED_IN,
    ("GET", "/claim"): SIGNED_IN,
    ("POST", "/claim"): SIGNED_IN,
    ("GET", "/me"): SIGNED_IN,
}
OPEN_TO |= {
    (method, path): frozenset({role})
    for role, pages in {
        Role.AUDITOR: (
            ("GET", "/audit"),
            ("POST", "/audit/check"),
            ("GET", "/audit/entries"),
            ("GET", "/audit/entries/{entry}"),
            ("GET", "/audit/trail"),
            ("GET", "/audit/payees/{party}"),
            ("GET", "/audit/payees/{party}/{currency}/{period}"),
            ("GET", "/audit/payees/{party}/{currency}/{period}/line/{line}"),
        ),
        Role.OFFICER: (
            ("GET", "/office"),
            ("GET", "/office/notices/{notice}"),
            ("POST", "/office/notices/{notice}"),
            ("POST", "/office/questions/{question}"),
            ("GET", "/office/works"),
            ("GET", "/office/held"),
            ("GET", "/office/held/{work}"),
            ("POST", "/office/held/{work}"),
            ("GET", "/office/grants"),
            ("POST", "/office/grants"),
            ("POST", "/office/grants/table"),
            ("POST", "/office/grants/end"),
            ("GET", "/office/law"),
            ("POST", "/office/law"),
            ("GET", "/office/law/works/{work}"),
            ("GET", "/office/matters/{matter}"),
            ("POST", "/office/matters/{matter}"),
        ),
        Role.OPERATOR: (
            ("GET", "/operate"),
            ("GET", "/operate/income"),
            ("POST", "/operate/income"),
            ("POST", "/operate/income/table"),
            ("POST", "/operate/income/withdraw"),
            ("POST", "/operate/income/divide"),
            ("GET", "/operate/divide"),
            ("POST", "/operate/divide"),
            ("GET", "/operate/bookings"),
            ("POST", "/operate/bookings/try"),
            ("POST", "/operate/bookings"),
            ("GET", "/operate/tasks"),
            ("POST", "/operate/tasks/index"),
            ("POST", "/operate/tasks/correction"),
            ("POST", "/operate/tasks/period"),
            ("GET", "/operate/tasks/{job}"),
            ("POST", "/operate/tasks/{job}/again"),
            ("POST", "/operate/tasks/{job}/book"),
            ("GET", "/operate/payouts"),
            ("POST", "/operate/payouts/try"),
            ("POST", "/operate/payouts/send"),
            ("POST", "/operate/payouts/answer"),
            ("POST", "/operate/payouts/answer/book"),
            ("GET", "/operate/payouts/{batch}"),
            ("GET", "/operate/payouts/{batch}/file"),
            ("GET", "/operate/people"),
            ("POST", "/operate/people"),
            ("POST", "/operate/playground"),
        ),
        Role.COOPERATIVE: (
            ("GET", "/coop"),
            ("POST", "/coop"),
            ("GET", "/coop/{coop}/members"),
            ("POST", "/coop/{coop}/members"),
            ("GET", "/coop/{coop}/propose/{kind}"),
            ("POST", "/coop/{coop}/propose/{kind}/try"),
            ("POST", "/coop/{coop}/propose/{kind}"),
            ("GET", "/coop/proposals/{proposal}"),
            ("POST", "/coop/proposals/{proposal}/count"),
            ("GET", "/coop/proposals/{proposal}/box"),
            ("POST", "/coop/proposals/{proposal}/carry-out"),
            ("GET", "/coop/{coop}/offer"),
            ("POST", "/coop/{coop}/offer"),
        ),
    }.items()
    for method, path in pages
}
# Only whose it is: for everybody else it does not exist.
OWN = {
    ("GET", "/me/works/{work}"),
    ("POST", "/me/works/{work}"),
    ("GET", "/matters/{matter}"),
    ("POST", "/matters/{matter}"),
    ("GET", "/matters/{matter}/receipts/{number}"),
}
OWN |= {
    ("GET", "/notices/{notice}"),
    ("GET", "/notices/{notice}/receipt"),
    ("POST", "/notices/{notice}/withdraw"),
    ("GET", "/statements/{currency}/{period}"),
    ("GET", "/statements/{currency}/{period}/file/{form}"),
    ("GET", "/statements/{currency}/{period}/line/{line}"),
    ("POST", "/statements/{currency}/{period}/line/{line}"),
}
OWN |= {("POST", "/me/passkeys/{passkey}/name"), ("POST", "/me/passkeys/{passkey}/remove")}
# Of a member on the roll of the vote; some of it only while it is open, or once it is counted: test_assembly.py.
WHILE_IT_LASTS = {
    ("POST", "/votes/{proposal}"),
    ("POST", "/votes/{proposal}/receipt"),
    ("POST", "/votes/{proposal}/find"),
    ("GET", "/votes/{proposal}/box"),
}
OWN |= WHILE_IT_LASTS | {("GET", "/votes/{proposal}")}
# Of whoever asks, so there is no other's to ask for.
SELF = {("GET", "/me"), ("GET", "/me/export"), ("GET", "/me/erase"), ("POST", "/me/erase"), ("GET", "/statements")}
SELF |= {("GET", "/me/works"), ("GET", "/matters"), ("GET", "/votes")}
SELF |= {(method, f"/{what}/new") for method in ("GET", "POST") for what in ("splits", "heirs", "disputes")}
SELF |= {("GET", "/me/passkeys"), ("POST", "/me/passkeys")}
SIGNED = {("POST", "/sign-out/by/{organisation}")}  # a machine's word, not a form: test_signed_out.py forges it
SCRIPTED = {"/sign-in", "/me/passkeys"}  # test_passkeys.py looks at these
OPEN_TO |= dict.fromkeys(OWN | SELF, SIGNED_IN)


@pytest.fixture
def paths(app, home, ada):
    """Something for every part of a path to name: what it names is Ada's."""
    sign_month(home)
    notice = ada.fill("/no", of=TITLES[0], by="Ada Moore").headers["location"].partition("?")[0].rpartition("/")[2]
    asked = {"work": only_work(home, TITLES[2]), "party": BEN, "part": "10", "ground": "share", "since": "2026-09-01"}
    matter = ada.fill("/disputes/new", because="mine", **asked).headers["location"].partition("?")[0].rpartition("/")[2]
    found = {"work": only_work(home, TITLES[0]), "party": ADA, "name": "eu-main-1", "notice": notice}
    found |= {"matter": matter, "number": "1"}
    return found | {"currency": "eur", "period": "2026-09", "form": "json", "line": "1", "entry": "1",
                    "question": "question:1", "batch": "batch:1", "job": "job:1", **vote_of_ada(home),
                    "passage": "none", "passkey": passkey_of("ada@example.org", app),
                    "organisation": "none"}  # fmt: skip


def vote_of_ada(home):
    """A cooperative of hers alone, and a vote of it."""
    day = NOW.date()
    record, _ = found_coop(home, "Ada alone", "main", read_statutes(None), day)
    coop = Coop.open(home)
    record_step(coop, "Ada Moore", Step.JOINED, MemberClass.PERSON, "ab" * 32, "us", day, day)
    told, dates = {"Half": STANDARD_POLICY.to_json()}, (day + timedelta(7), day + timedelta(14))
    made = make_proposal(coop, "Half", "Pay half.", Effect.POLICY, told, *dates, day)
    propose(coop, made, day)
    return {"proposal": made.id, "coop": record.id, "kind": "policy", "year": "2026", "key": "none"}


def passkey_of(email, app):
    accounts = app.state.portal.accounts
    (person,) = [each.id for each in accounts.people() if each.email == email]
    Passkeys(accounts.engine).keep(Passkey("passkey:1", person, "credential", "key", 0, "Phone", "2026-11-01", "", ""))
    return "passkey:1"


def doors(app):
    return sorted({(door.method, door.path) for door in app.state.doors})


def test_every_page_stands_in_the_table_and_every_route_is_a_page(app):
    assert set(doors(app)) == set(OPEN_TO)
    routes = {(method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods}
    pages = {(method, path) for method, path in routes if not path.startswith("/v1/")}
    assert pages == set(OPEN_TO) | {("GET", "/portal.css"), ("GET", "/passkeys.js")}
    assert {(door.method, door.path) for door in app.state.doors if door.own} == OWN | SELF


@pytest.mark.parametrize("role", ["nobody", *Role])
def test_who_may_open_what(app, paths, role):
    browser = stranger(app) if role == "nobody" else signed_in(app, f"{role}@example.org", role)
    for method, path in doors(app):
        if path in ("/sign-out", "/me/erase") and method == "POST":
            continue  # the last things that somebody does; below
        address = path.format(**paths)
        answer = browser.look(address) if method == "GET" else browser.fill(address, email="x@example.org")
        to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
        if role not in OPEN_TO[method, path]:
            assert to_sign_in if role == "nobody" else answer.status_code == 403, (role, method, path)
        elif (method, path) in OWN:
            assert answer.status_code == 404, (role, method, path)
        else:
            assert not to_sign_in and answer.status_code not in (403, 500), (role, method, path, answer.status_code)


def test_whose_it_is_may_open_it(app, ada, paths):
    for method, path in sorted(OWN - WHILE_IT_LASTS):
        answer = (
            ada.look(path.format(**paths))
            if method == "GET"
            else ada.fill(path.format(**paths), says="why?", because="why?", name="x")
        )
        assert answer.status_code in (200, 303), (method, path, answer.status_code)


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "é"])
def test_no_form_is_taken_without_its_token(app, ada, paths, token):
    before = len(app.state.portal.trail.lines())
    ada.token = token
    assert {(door.method, door.path) for door in app.state.doors if door.signed} == SIGNED
    for method, path in doors(app):
        if method == "POST" and (method, path) not in SIGNED:
            assert ada.fill(path.format(**paths), of=TITLES[0], by="x", sure="yes").status_code == 403, path
    assert len(app.state.portal.trail.lines()) == before


def test_the_token_of_one_browser_is_no_good_in_another(app, ada, ben):
    ben.token = ada.token
    assert ben.fill("/no", of=TITLES[1], by="Ben").status_code == 403


def test_the_cookie_is_for_servers_only_and_changes_with_signing_in(app):
    browser = stranger(app)
    before = browser.cookies[COOKIE]
    link = app.state.portal.accounts.new_link("x@example.org", "", app.state.portal.clock())
    browser.look(f"/enter?link={link}")
    answer = browser.fill("/enter", link=link)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie
    assert browser.cookies[COOKIE] != before
    secure = stranger(app)
    secure.base_url, secure.cookies = "https://testserver", {}
    assert "secure" in secure.look("/sign-in").headers["set-cookie"].lower()


def test_every_answer_forbids_scripts_frames_and_other_sites(app, ada, paths):
    for browser in (stranger(app), ada):
        for method, path in doors(app):
            if method == "GET":
                answer = browser.look(path.format(**paths))
                policy = answer.headers["content-security-policy"]
                policy = policy.removesuffix("; script-src 'self'") if path in SCRIPTED else policy
                assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cache-control"] == "no-store"
                page = answer.text if "html" in answer.headers.get("content-type", "") else ""
                page = page.replace('<script src="/passkeys.js" defer></script>', "") if path in SCRIPTED else page
                assert "<script" not in page and " style=" not in page and " onclick" not in page
                assert 'src="http' not in page and "@import" not in page


def test_what_is_too_large_or_no_form_is_not_read(app):
    browser = stranger(app)
    assert browser.fill("/verify", files={"file": ("x", b"x" * (MOST_BYTES + 1))}).status_code == 413
    assert browser.post("/search", content=b"{}", headers={"content-type": "application/json"}).status_code == 415
    endless = browser.post("/search", content=iter([b"text=x"]), headers={"content-type": "text/plain"})
    assert endless.status_code == 411
    bad = browser.post("/search", content=b"xx", headers={"content-type": "multipart/form-data; boundary=y"})
    assert bad.status_code in (400, 403)


def test_a_fault_of_ours_shows_nothing_of_itself(app, monkeypatch):
    from starlette.testclient import TestClient

    def fails(home):
        raise RuntimeError("secret path /srv/x")

    monkeypatch.setattr("byline.app.portal.records.waiting", fails)
    answer = TestClient(app, raise_server_exceptions=False).get("/unclaimed")
    assert answer.status_code == 500 and "secret" not in answer.text and "on our side" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
