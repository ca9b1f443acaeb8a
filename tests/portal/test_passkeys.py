"""Passkeys: made, used, renamed, removed; in a real browser with its own authenticator; and every lie refused."""

import contextlib
import json
import re
import shutil
import socket
import threading
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape
from importlib import resources

import pytest
import uvicorn
from authenticator import PRESENT, Device
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from portal_project import ADA, NOW, at, signed_in, stranger

from byline.app.home import Home
from byline.app.portal import Role, create_app, open_accounts
from byline.app.portal.identities import admit
from byline.app.portal.organisations import Vouched
from byline.app.portal.passkeys import MOST, Passkey, Passkeys, place_of, read_name
from byline.app.portal.seals import seal, unseal
from byline.app.portal.settings import Organisation
from byline.app.portal.visit import Portal
from byline.core import AppError

ORIGIN = "https://portal.example.org"


def shown(browser, path):
    """The options and the seal of a page."""
    page = browser.look(path).text
    found = re.search('data-options="([^"]+)" data-seal="([^"]+)"', page)
    return json.loads(unescape(found[1])), found[2]


def add(browser, name="My phone", device=None, **lies):
    device = device or Device(ORIGIN)
    options, seal = shown(browser, "/me/passkeys")
    answer = browser.fill("/me/passkeys", name=name, seal=seal, credential=device.make(options, **lies))
    return device, answer


def come(app, device, browser=None, **lies):
    browser = browser or stranger(app)
    options, seal = shown(browser, "/sign-in")
    return browser, browser.fill("/sign-in/passkey", seal=seal, credential=device.sign(options, **lies))


def kept(app):
    accounts = app.state.portal.accounts
    return [each for person in accounts.people() for each in Passkeys(accounts.engine).of(person.id)]


def test_one_is_added_signs_in_is_renamed_and_removed(app, ada):
    device, answer = add(ada)
    assert answer.status_code == 303 and "My phone" in ada.look("/me/passkeys").text
    browser, answer = come(app, device)
    assert answer.headers["location"] == "/me"
    assert "ada@example.org" in browser.look("/me").text
    (passkey,) = kept(app)
    assert passkey.count == 2 and passkey.used
    assert ada.fill(f"/me/passkeys/{passkey.id}/name", name="Old <phone>").status_code == 303
    assert "Old &lt;phone&gt;" in ada.look("/me/passkeys").text
    assert ada.fill(f"/me/passkeys/{passkey.id}/remove").status_code == 303 and kept(app) == []
    assert browser.look("/me").status_code == 303 and ada.look("/me").status_code == 200  # what it had opened is shut
    assert come(app, device)[1].status_code == 403
    done = [line.did for line in app.state.portal.trail.lines()]
    assert {"added a passkey", "signed in by a passkey", "removed a passkey"} <= set(done)


def test_what_the_operator_gave_holds_with_a_passkey_and_the_wish_survives(app):
    olga = signed_in(app, "olga@example.org", Role.OFFICER)
    device, _ = add(olga)
    browser = stranger(app)
    assert browser.look("/office").headers["location"] == "/sign-in?onward=%2Foffice"
    options, seal = shown(browser, "/sign-in?onward=%2Foffice")
    answer = browser.fill("/sign-in/passkey", seal=seal, onward="/office", credential=device.sign(options))
    assert answer.headers["location"] == "/office" and browser.look("/office").status_code == 200
    options, seal = shown(stranger(app), "/sign-in")
    browser = stranger(app)
    options, seal = shown(browser, "/sign-in")
    away = browser.fill("/sign-in/passkey", seal=seal, onward="//evil.example", credential=device.sign(options))
    assert away.headers["location"] == "/me"


def test_the_options_ask_for_one_that_needs_no_name_and_asks_who_holds_it(app, ada):
    add(ada)
    options, _ = shown(ada, "/me/passkeys")
    wanted = options["authenticatorSelection"]
    assert wanted["residentKey"] == "required" and wanted["userVerification"] == "required"
    assert options["rp"]["id"] == "portal.example.org" and len(options["excludeCredentials"]) == 1
    options, _ = shown(stranger(app), "/sign-in")
    assert options["rpId"] == "portal.example.org" and options["userVerification"] == "required"
    assert not options.get("allowCredentials") and "ada" not in json.dumps(options)


@pytest.mark.parametrize(
    "lies",
    [{"origin": "https://portal.example.org.evil.example"}, {"origin": "http://portal.example.org"},
     {"challenge": "AAAA"}, {"type": "webauthn.create"}, {"rp": "example.org"}, {"flags": PRESENT}, {"flags": 0},
     {"user": b"person:other"}, {"user": b""}, {"key": ec.generate_private_key(ec.SECP256R1())}],
    ids=lambda lies: " ".join(lies),
)  # fmt: skip
def test_a_lie_signs_nobody_in(app, ada, lies):
    device, _ = add(ada)
    browser, answer = come(app, device, **lies)
    assert answer.status_code == 403 and browser.look("/me").status_code == 303
    assert come(app, device)[1].status_code == 303  # the passkey itself is none the worse


@pytest.mark.parametrize(
    "lies",
    [{"origin": "https://evil.example"}, {"challenge": "AAAA"}, {"type": "webauthn.get"}, {"rp": "evil.example"},
     {"flags": PRESENT | 0x40}],
    ids=lambda lies: " ".join(lies),
)  # fmt: skip
def test_a_lie_adds_nothing(app, ada, lies):
    assert add(ada, **lies)[1].status_code == 403 and kept(app) == []


def test_a_challenge_is_good_once_in_one_browser_for_one_purpose_and_a_quarter_of_an_hour(app, ada, ben, clock):
    device, _ = add(ada)
    browser = stranger(app)
    options, seal = shown(browser, "/sign-in")
    sent = {"seal": seal, "credential": device.sign(options)}
    other = stranger(app).fill("/sign-in/passkey", **sent)
    assert other.status_code == 410 and "Back to signing in" in other.text and "where you began" in other.text
    assert browser.fill("/sign-in/passkey", **sent).status_code == 303
    browser.look("/no")
    assert browser.fill("/sign-in/passkey", **sent).status_code == 410
    again = stranger(app)
    options, seal = shown(again, "/sign-in")
    sent = {"seal": seal, "credential": device.sign(options)}
    with at(clock, timedelta(minutes=16)):
        assert again.fill("/sign-in/passkey", **sent).status_code == 410
    assert again.fill("/sign-in/passkey", **sent).status_code == 303
    options, seal = shown(ben, "/me/passkeys")  # a seal for adding does not sign in
    assert ben.fill("/sign-in/passkey", seal=seal, credential=device.sign({**options, "rpId": "x"})).status_code == 410


def test_a_seal_is_used_up_by_a_try_that_failed(app, ada):
    device, _ = add(ada)
    browser = stranger(app)
    options, seal = shown(browser, "/sign-in")
    assert browser.fill("/sign-in/passkey", seal=seal, credential="{}").status_code == 403
    assert browser.fill("/sign-in/passkey", seal=seal, credential=device.sign(options)).status_code == 410


@pytest.mark.parametrize("count", [2, 1, 0])
def test_a_count_that_does_not_grow_stops_the_passkey_for_both(app, home, ada, count):
    device, _ = add(ada)
    first, answer = come(app, device)  # the count is 2 now
    assert answer.status_code == 303
    browser, answer = come(app, device, count=count)
    assert answer.status_code == 403 and "copy" in answer.text and browser.look("/me").status_code == 303
    assert first.look("/me").status_code == 303 and ada.look("/me").status_code == 200
    assert come(app, device)[1].status_code == 403
    assert "stopped" in ada.look("/me/passkeys").text
    done = [line.did for line in app.state.portal.trail.lines()]
    assert done.count("a passkey was used that may be a copy") == 1
    mails = [path.read_text() for path in (home.path / "outbox").glob("*.eml")]
    assert len([mail for mail in mails if "A passkey was stopped" in mail and "ada@example.org" in mail]) == 1


def test_a_device_that_does_not_count_may_come_again(app, ada):
    device, _ = add(ada, device=Device(ORIGIN, count=0))
    for _ in range(2):
        device.count = -1
        assert come(app, device)[1].status_code == 303


def test_a_false_signature_stops_nothing(app, ada):
    device, _ = add(ada)
    come(app, device)
    assert come(app, device, key=ec.generate_private_key(ec.SECP256R1()), count=0)[1].status_code == 403
    assert not kept(app)[0].stopped and come(app, device)[1].status_code == 303


def test_the_same_passkey_is_not_two_peoples_and_a_person_has_not_endlessly_many(app, ada, ben):
    device, _ = add(ada)
    assert add(ben, device=device)[1].status_code == 403
    accounts = app.state.portal.accounts
    person = kept(app)[0].person
    for number in range(MOST - 1):
        Passkeys(accounts.engine).keep(
            Passkey(f"passkey:{number}", person, f"c{number}", "k", 0, "n", "2026-11-01", "", "")
        )
    assert "data-options" not in ada.look("/me/passkeys").text
    with pytest.raises(AppError) as refused:
        Passkeys(accounts.engine).keep(Passkey("passkey:x", person, "x", "k", 0, "n", "2026-11-01", "", ""))
    assert refused.value.code == "too-many-passkeys"


def test_one_without_a_name_is_asked_for_it_again(app, ada):
    options, seal = shown(ada, "/me/passkeys")
    answer = ada.fill("/me/passkeys", seal=seal, credential=Device(ORIGIN).make(options))
    assert answer.status_code == 422 and kept(app) == []


def test_the_mail_tells_the_owner_and_erasing_leaves_nothing(app, home, ada):
    add(ada)
    (mail,) = (home.path / "outbox").glob("*.eml")
    assert "A passkey was added" in mail.read_text() and "ada@example.org" in mail.read_text()
    assert b"My phone" in ada.look("/me/export").content or kept(app)
    ada.look("/me/erase")
    ada.fill("/me/erase", sure="yes")
    assert kept(app) == [] and not list((home.path / "outbox").glob("*.eml"))


def test_one_of_somebody_else_does_not_exist(app, ada, ben):
    add(ada)
    name = kept(app)[0].id
    assert ben.fill(f"/me/passkeys/{name}/name", name="mine").status_code == 404
    assert ben.fill(f"/me/passkeys/{name}/remove").status_code == 404
    assert kept(app)[0].name == "My phone"


@pytest.mark.parametrize(
    ("site", "name", "origin"),
    [("https://p.example.org", "p.example.org", "https://p.example.org"),
     ("https://P.example.org:443/", "p.example.org", "https://p.example.org"),
     ("https://p.example.org:8443", "p.example.org", "https://p.example.org:8443"),
     ("http://localhost:8000", "localhost", "http://localhost:8000"), ("http://p.example.org", None, None),
     ("http://127.0.0.1:8000", None, None), ("https://10.0.0.1", None, None), ("https://[::1]", None, None),
     ("ftp://localhost", None, None), ("", None, None)],
)  # fmt: skip
def test_where_browsers_make_passkeys(site, name, origin):
    place = place_of(site)
    assert (place and (place.name, place.origin)) == (name and (name, origin))


def test_at_an_address_without_a_name_the_pages_say_so_and_carry_no_script(home, clock):
    app = create_app(home, "http://127.0.0.1:8000", clock)
    ada = signed_in(app, "ada@example.org", party=ADA)
    page = ada.look("/me/passkeys")
    assert "http://localhost" in page.text and "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "passkey" not in stranger(app).look("/sign-in").text
    assert stranger(app).fill("/sign-in/passkey", credential="{}").status_code == 410


NAMES = ("id", "rawId", "type", "response", "signature", "userHandle")
JSON = st.recursive(st.none() | st.text(max_size=5), lambda inner: st.dictionaries(st.sampled_from(NAMES), inner))


@given(st.text(max_size=80) | JSON.map(json.dumps))
def test_whatever_a_browser_sends_is_a_passkey_or_refused(sent):
    try:
        read_name(sent)
    except AppError as refused:
        assert refused.code == "passkey-refused"


def test_both_databases_keep_them_and_use_a_seal_up_once(database, tmp_path, clock):
    accounts = open_accounts(database)
    portal = Portal(None, accounts, None, "https://p.example.org", b"x" * 32, clock)
    person, kept = accounts.invite("ada@example.org", ()).id, Passkeys(database)
    passkey = Passkey("passkey:1", person, "c", "k", 1, "Phone", NOW.isoformat(), "", "")
    kept.keep(passkey)
    with pytest.raises(AppError, match="known already"):
        kept.keep(replace(passkey, id="passkey:2"))
    kept.count(passkey, 2, NOW)
    with pytest.raises(AppError, match="copy"):  # two that came at once with the same count: one of them loses
        kept.count(passkey, 2, NOW)
    assert kept.of(person)[0].stopped
    sealed = seal(portal, "enter", "browser", NOW, "data")
    assert unseal(portal, "enter", "browser", NOW, sealed) == "data"
    with pytest.raises(AppError, match="used before"):
        unseal(portal, "enter", "browser", NOW, sealed)
    found = Vouched("7", "ben@example.org", frozenset({Role.AUDITOR}))
    north = Organisation("north", "North", "https://north", "byline", frozenset(), "groups", {})
    ben = admit(accounts, north, found, NOW)
    assert admit(accounts, north, found, NOW) == ben and ben.roles == {Role.CONTRIBUTOR}
    session = accounts.begin(ben.id, "North", NOW, found.roles)
    visitor = accounts.visitor(session, NOW)
    assert visitor.roles == {Role.CONTRIBUTOR, Role.AUDITOR} and visitor.way == "North"
    accounts.forget(person)
    accounts.forget(ben.id)
    assert kept.of(person) == [] and accounts.people() == [] and accounts.visitor(session, NOW) is None


# --- in a browser with an authenticator of its own ------------------------------------------------------------------


@contextlib.contextmanager
def listening(home):
    """A portal at http://localhost, where browsers make passkeys."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    app = create_app(home, f"http://localhost:{port}")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield app
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def local(made, tmp_path):
    with listening(Home.open(shutil.copytree(made, tmp_path / "local"))) as app:
        yield app


def enter_by_link(app, page, email):
    portal = app.state.portal
    page.goto(f"{portal.site}/enter?link={portal.accounts.new_link(email, '', portal.clock())}")
    page.get_by_role("button", name="Sign in").click()


VIRTUAL = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
           "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip


def faults(page):
    """What axe-core finds, and whether the page is wider than the phone."""
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(axe)  # not as a script of the page, which its policy would refuse
    found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    return found + ["too wide"] * (page.evaluate("document.documentElement.scrollWidth") > 390)


def test_a_browser_adds_a_passkey_and_signs_in_with_it(local, chromium):
    site, context = local.state.portal.site, chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    name = device.send("WebAuthn.addVirtualAuthenticator", {"options": VIRTUAL})["authenticatorId"]
    enter_by_link(local, page, "ada@example.org")
    page.get_by_role("link", name="Your passkeys").click()
    page.get_by_label("A name for it").fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("My laptop", exact=True).wait_for()
    assert not page.locator("[data-without-passkeys]").is_visible()
    page.locator("summary").click()
    assert faults(page) == []
    page.get_by_label("A name for it").fill("The same again")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("has a passkey for this page already").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{site}/sign-in?onward=/me/passkeys")
    assert faults(page) == []
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("used last").wait_for()
    assert page.url == f"{site}/me/passkeys" and "ada@example.org" in page.inner_text("footer")
    page.get_by_role("button", name="Sign out").click()
    device.send("WebAuthn.setUserVerified", {"authenticatorId": name, "isUserVerified": False})
    page.goto(f"{site}/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("Nothing was chosen").wait_for()
    assert not [each for each in said if "Content Security" in each or "Error" in each]
    context.close()


def test_without_a_script_the_link_stays_and_the_pages_say_so(local, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{local.state.portal.site}/sign-in")
    assert page.get_by_role("button", name="Send me the link").is_visible()
    assert not page.get_by_role("button", name="Sign in with a passkey").is_visible()
    assert page.get_by_text("the link by mail does the same").is_visible()
    enter_by_link(local, page, "ada@example.org")
    page.goto(f"{local.state.portal.site}/me/passkeys")
    assert page.get_by_text("Yours runs no script").is_visible()
    context.close()


def test_the_script_is_one_file_of_ours_and_runs_on_two_pages_only(app, ada):
    assert ada.get("/passkeys.js").headers["content-type"].startswith("text/javascript")
    for path in ("/sign-in", "/me/passkeys"):
        answer = (stranger(app) if path == "/sign-in" else ada).look(path)
        policy = answer.headers["content-security-policy"]
        assert policy.endswith("; script-src 'self'") and "default-src 'none'" in policy and "unsafe" not in policy
        assert re.findall("<script[^>]*>", answer.text) == ['<script src="/passkeys.js" defer>']
