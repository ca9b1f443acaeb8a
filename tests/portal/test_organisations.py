"""Organisations that vouch for their people, over real HTTP: who comes in as what, and every lie refused."""

import io
import json
import shutil
import zipfile
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authenticator import Device
from fake_provider import EC, RSA, provider
from hypothesis import given
from hypothesis import strategies as st
from portal_project import ADA, at, signed_in, stranger
from test_passkeys import add, listening, shown

from byline.app.home import Home
from byline.app.portal import Role, create_app
from byline.app.portal.claims import groups, jwt_header
from byline.app.portal.settings import read_settings
from byline.core import AppError

SITE = "https://portal.example.org"
SETTINGS = """
[[organisation]]
key = "north"
name = "Northern Press"
issuer = "{issuer}"
client_id = "byline"
secret_file = "secret"
domains = ["pub.example"]
claim = "groups"
[organisation.roles]
auditor = ["numbers", "owners"]
officer = ["rights"]
"""


@pytest.fixture
def north(clock):
    with provider(clock) as fake:
        yield fake


@pytest.fixture
def app(home, clock, north):
    """A portal to which one organisation belongs; `south`, in the last test, is another."""
    (home.path / "secret").write_text("it is secret\n")
    (home.path / "secret").chmod(0o600)
    (home.path / "portal.toml").write_text(SETTINGS.format(issuer=north.issuer))
    return create_app(home, SITE, clock)


def away(browser, key="north", onward=""):
    """To the organisation, and what it answers."""
    answer = browser.look(f"/sign-in/with/{key}" + (f"?onward={onward}" if onward else ""))
    assert answer.status_code == 303, answer.text
    back = httpx.get(answer.headers["location"]).headers["location"]
    assert back.startswith(f"{SITE}/sign-in/from/{key}?")
    return back.removeprefix(SITE)


def come(app, browser=None, **more):
    browser = browser or stranger(app)
    return browser, browser.look(away(browser, **more))


def sentence(answer):
    assert answer.status_code == 403, answer.text
    return answer.text


def test_somebody_comes_in_as_what_the_mapping_says_and_no_more(app, north):
    north.claims = {"groups": ["numbers", "operator", "somewhere else"]}
    assert "Sign in with Northern Press" in stranger(app).look("/sign-in").text
    browser, answer = come(app, onward="%2Faudit")
    assert answer.headers["location"] == "/audit" and browser.look("/audit").status_code == 200
    assert browser.look("/operate").status_code == 403 and browser.look("/office").status_code == 403
    (person,) = app.state.portal.accounts.people()
    assert person.email == "ada@pub.example" and person.roles == {Role.CONTRIBUTOR}  # the account itself got nothing
    assert "signed in, vouched for as auditor, contributor" in [line.did for line in app.state.portal.trail.lines()]


def test_what_is_sent_is_a_code_for_this_visit_with_a_proof(app, north):
    location = stranger(app).look("/sign-in/with/north?onward=%2Fno%3Fof%3Dsecret-title").headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{SITE}/sign-in/from/north" and "openid" in asked["scope"].split()
    assert "secret-title" not in location  # where somebody wants to go is no matter of the organisation's
    come(app)
    ((form, login),) = north.asked
    assert login == ("byline", "it is secret") and "client_secret" not in form and len(form["code_verifier"]) >= 43


def test_roles_last_as_long_as_the_organisation_says_so(app, north):
    north.claims = {"groups": ["rights"]}
    browser, _ = come(app)
    assert browser.look("/office").status_code == 200
    north.claims = {}
    browser, _ = come(app)
    assert browser.look("/office").status_code == 403 and browser.look("/me").status_code == 200


def test_what_the_operator_gave_is_not_had_by_the_organisation(app):
    invited = signed_in(app, "ada@pub.example", Role.OPERATOR, party=ADA)
    assert invited.look("/operate").status_code == 200
    browser, _ = come(app)
    assert browser.look("/operate").status_code == 403 and len(app.state.portal.accounts.people()) == 1


def test_a_session_of_an_organisation_makes_no_passkey(app):
    browser, _ = come(app)
    page = browser.look("/me/passkeys")
    assert "sign in by mail" in page.text and "<script" not in page.text
    seal = shown(signed_in(app, "x@example.org"), "/me/passkeys")[1]
    assert browser.fill("/me/passkeys", name="x", seal=seal, credential="{}").status_code == 403
    _, added = add(signed_in(app, "y@example.org"), device=Device(SITE))
    assert added.status_code == 303


@pytest.mark.parametrize("signed", ["rsa", "ec"])
def test_either_kind_of_key_is_good(app, north, signed):
    north.signed = signed
    assert come(app)[1].headers["location"] == "/me"


@pytest.mark.parametrize(
    ("claims", "says"),
    [({"nonce": "another"}, "another visit"), ({"nonce": None}, "another visit"), ({"aud": "other"}, "another site"),
     ({"aud": ["byline", "other"]}, "another site"), ({"aud": None}, "another site"),
     ({"azp": "other"}, "another site"), ({"iss": "https://evil.example"}, "another issuer"),
     ({"iss": None}, "another issuer"), ({"exp": 1}, "run out"), ({"exp": None}, "run out"), ({"exp": True}, "run out"),
     ({"exp": "9999999999"}, "run out"), ({"iat": 1}, "of this moment"), ({"iat": 9e12}, "of this moment"),
     ({"iat": None}, "of this moment"), ({"nbf": 9e12}, "not valid yet"), ({"sub": None}, "names nobody"),
     ({"sub": ""}, "names nobody"), ({"sub": 7}, "names nobody"), ({"email_verified": False}, "has not checked"),
     ({"email_verified": None}, "has not checked"), ({"email_verified": "true"}, "has not checked"),
     ({"email": "ada@evil.example"}, "may not vouch"), ({"email": "ada@sub.pub.example"}, "may not vouch"),
     ({"email": "ada@evil.example@pub.example"}, "no e-mail address"), ({"email": 7}, "no e-mail address")],
)  # fmt: skip
def test_a_token_that_does_not_hold_lets_nobody_in(app, north, claims, says):
    north.claims = claims
    browser, answer = come(app)
    assert says in sentence(answer)
    assert browser.look("/me").status_code == 303 and app.state.portal.accounts.people() == []


@pytest.mark.parametrize("signed", ["none", "shared", "stranger"])
def test_a_token_that_no_key_of_the_organisation_signed_is_refused(app, north, signed):
    north.signed = signed
    assert "not signed by one of its keys" in sentence(come(app)[1])


def test_several_audiences_are_good_if_it_was_given_to_us(app, north):
    north.claims = {"aud": ["byline", "other"], "azp": "byline", "email": "Ada@PUB.example"}
    assert come(app)[1].headers["location"] == "/me"


@pytest.mark.parametrize("answers", [{"iss": "https://evil.example"}, {"iss": None}])
def test_another_issuer_that_answers_is_refused_before_the_code_is_shown_to_anybody(app, north, answers):
    north.told, north.answers = {"authorization_response_iss_parameter_supported": True}, answers
    assert "another organisation" in sentence(come(app)[1]) and north.asked == []


@pytest.mark.parametrize(
    "answers", [{"error": "access_denied", "code": None}, {"code": None}, {"code": ""}, {"error": "x"}]
)
def test_who_says_no_there_is_not_in_here(app, north, answers):
    north.answers = answers
    assert "did not sign you in" in sentence(come(app)[1]) and north.asked == []


def test_a_way_back_is_good_once_in_one_browser_at_one_door_and_a_quarter_of_an_hour(app, clock):
    browser = stranger(app)
    back = away(browser)
    assert stranger(app).look(back).status_code == 410  # a stranger's way in cannot be slipped to somebody
    assert browser.look(back).status_code == 303
    assert browser.look(back).status_code == 410
    browser = stranger(app)
    back = away(browser)
    with at(clock, timedelta(minutes=16)):
        assert browser.look(back).status_code == 410
    assert browser.look("/sign-in/from/north?code=x&state=forged").status_code == 410
    assert browser.look("/sign-in/from/north").status_code == 410
    assert browser.look("/sign-in/with/south").status_code == 404


def test_a_code_of_somebody_elses_visit_is_refused(app):
    mine, theirs = stranger(app), stranger(app)
    back, other = away(mine), away(theirs)
    code = parse_qs(urlsplit(other).query)["code"][0]
    state = parse_qs(urlsplit(back).query)["state"][0]
    answer = mine.get("/sign-in/from/north", params={"code": code, "state": state}, follow_redirects=False)
    assert "did not accept" in sentence(answer)


def test_an_address_that_was_given_to_another_person_opens_no_old_account(app, north):
    come(app)
    north.claims = {"sub": "number 8"}
    assert "belongs to another account" in sentence(come(app)[1])
    north.claims = {"email": "ada.moore@pub.example"}  # the same person, whose address changed
    assert come(app)[1].status_code == 303
    assert [each.email for each in app.state.portal.accounts.people()] == ["ada.moore@pub.example"]
    north.claims = {"sub": "number 8"}  # the address is free now
    assert come(app)[1].status_code == 303
    north.claims = {"sub": "number 7"}  # and must not be taken back
    assert "belongs to another account" in sentence(come(app)[1])


def test_erasing_erases_what_was_noted_of_the_organisation(app):
    browser, _ = come(app)
    browser.look("/me/erase")
    assert browser.fill("/me/erase", sure="yes").status_code == 303
    assert app.state.portal.accounts.people() == []
    assert come(app)[1].status_code == 303 and len(app.state.portal.accounts.people()) == 1


def test_an_address_that_is_not_in_the_token_is_asked_for(app, north):
    north.claims = {"email": None, "email_verified": None}
    north.more = {"sub": "number 7", "email": "ben@pub.example", "email_verified": True, "groups": ["rights"]}
    browser, answer = come(app)
    assert answer.status_code == 303 and "ben@pub.example" in browser.look("/office").text
    north.more = {**north.more, "sub": "number 8"}
    assert "somebody else" in sentence(come(app)[1])


def test_new_keys_are_asked_for_and_old_ones_forgotten(app, north, clock):
    north.keys = [EC]
    north.signed = "ec"
    assert come(app)[1].status_code == 303
    north.keys, north.signed = [RSA], "rsa"
    assert "not signed" in sentence(come(app)[1])  # within a minute nobody makes us ask again
    with at(clock, timedelta(minutes=2)):
        assert come(app)[1].status_code == 303
    with at(clock, timedelta(hours=3)):
        north.signed = "ec"
        assert "not signed" in sentence(come(app)[1])


@pytest.mark.parametrize(
    "told",
    [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"token_endpoint": "http://evil.example/token"},
     {"jwks_uri": "http://evil.example/keys"}, {"authorization_endpoint": 7}, {"jwks_uri": "http://127.0.0.1:9/keys"}],
)  # fmt: skip
def test_settings_of_an_organisation_that_make_no_sense_end_it_there(app, north, told):
    north.told = told
    answer = stranger(app).look("/sign-in/with/north")
    assert answer.status_code == 503 and "try again later" in answer.text.lower()


def test_one_that_is_away_is_left_alone_for_some_seconds_and_may_come_back(app, north, clock):
    north.status = 500
    assert stranger(app).look("/sign-in/with/north").status_code == 503
    north.status = 200
    assert stranger(app).look("/sign-in/with/north").status_code == 503 and north.looks == 1
    with at(clock, timedelta(seconds=11)):
        assert come(app)[1].status_code == 303


def test_the_operator_sees_who_came_as_what_and_so_does_whoever_it_was(app, north):
    north.claims = {"groups": ["numbers"]}
    browser, _ = come(app)
    page = signed_in(app, "otto@example.org", Role.OPERATOR).look("/operate/people").text
    assert "Northern Press vouched for them on 1 November 2026, for that session as auditor, contributor" in page
    with zipfile.ZipFile(io.BytesIO(browser.look("/me/export").content)) as packed:
        assert json.loads(packed.read("organisations.json"))[0]["subject"] == "number 7"
        assert json.loads(packed.read("person.json"))["way"] == "Northern Press"


def test_an_office_with_one_address_signs_in_and_a_flood_is_stopped(app):
    browser = stranger(app)
    answers = [browser.look("/sign-in/with/north").status_code for _ in range(202)]
    assert answers[:100] == [303] * 100 and answers[-1] == 429


@pytest.mark.parametrize("ways", [["client_secret_post"], ["client_secret_basic", "client_secret_post"]])
def test_the_secret_is_said_in_the_way_that_the_organisation_takes(app, north, ways):
    north.told = {"token_endpoint_auth_methods_supported": ways}
    assert come(app)[1].status_code == 303
    form, login = north.asked[-1]
    assert login == ("byline", "it is secret") and ("client_secret" in form) == (len(ways) == 1)


def test_no_log_names_a_secret_a_token_or_a_code(app, north, caplog):
    caplog.set_level("INFO")
    browser = stranger(app)
    back = away(browser)
    browser.look(back)
    north.claims = {"nonce": "another"}
    come(app)
    ours = [record for record in caplog.records if record.name.startswith("byline")]
    text = " ".join(record.getMessage() for record in ours)
    assert "/sign-in/from/{organisation}" in text
    assert not [word for word in ("it is secret", "code=", "state=", "ada@", "eyJ") if word in text]
    assert "it is secret" not in repr(app.state.portal.settings)


def test_two_organisations_do_not_speak_for_each_other(home, clock, north):
    with provider(clock) as south:
        (home.path / "secret").write_text("it is secret")
        (home.path / "secret").chmod(0o600)
        both = SETTINGS.format(issuer=north.issuer) + SETTINGS.format(issuer=south.issuer).replace("north", "south")
        (home.path / "portal.toml").write_text(both.replace('"Northern Press"', '"Southern Press"', 1))
        app = create_app(home, SITE, clock)
        browser = stranger(app)
        back = away(browser)
        assert browser.look(back.replace("from/north", "from/south")).status_code == 403 and south.asked == []
        south.claims = {"iss": north.issuer}
        assert "another issuer" in sentence(come(app, key="south")[1])
        south.claims = {}
        assert come(app)[1].status_code == 303
        # the same number and address, by another organisation, is the same address but another number
        assert come(app, key="south")[1].status_code == 303 and len(app.state.portal.accounts.people()) == 1


def test_a_browser_goes_there_and_comes_back(made, tmp_path, chromium):
    from datetime import UTC, datetime

    home = Home.open(shutil.copytree(made, tmp_path / "local"))
    with provider(lambda: datetime.now(UTC)) as north:
        (home.path / "portal.toml").write_text(SETTINGS.format(issuer=north.issuer).replace("secret_file", "# "))
        north.secret, north.claims = "", {"groups": ["numbers"]}
        with listening(home) as app:
            context = chromium.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
            page = context.new_page()
            page.goto(f"{app.state.portal.site}/audit")
            page.get_by_role("link", name="Sign in with Northern Press").click()
            assert page.url == f"{app.state.portal.site}/audit"
            assert "ada@pub.example" in page.inner_text("footer")
            context.close()
    assert "client_secret" not in north.asked[0][0]


# --- small things -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "name", "found"),
    [({"groups": ["a", 7]}, "groups", {"a"}), ({"groups": "a"}, "groups", {"a"}), ({}, "groups", set()),
     ({"realm": {"roles": ["a"]}}, "realm.roles", {"a"}), ({"https://x.y/z": ["a"]}, "https://x.y/z", {"a"}),
     ({"groups": {"a": 1}}, "groups", set()), ({"realm": "a"}, "realm.roles", set())],
)  # fmt: skip
def test_groups_are_found_where_the_claim_says(claims, name, found):
    assert groups(claims, name) == found


@given(st.text(max_size=60))
def test_whatever_comes_as_a_token_has_a_header_or_none(text):
    try:
        assert hasattr(jwt_header(text), "get")
    except ValueError:
        pass


GOOD = SETTINGS.format(issuer="https://login.example.org").replace('secret_file = "secret"\n', "")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("https://login", "http://login", "https address"), ('"north"', '"../x"', "short word"),
     ('["pub.example"]', "[]", "at least one"), ("auditor =", "king =", "'king' is none of"),
     ("auditor =", "contributor =", "none of"), ('["rights"]', '"rights"', "list of texts"),
     ("client_id", "client", "client_id is missing"), ('claim = "groups"', 'client_secret = "x"', "do not stand in"),
     ('claim = "groups"', 'secret_env = "NOPE"', "NOPE is not set"),
     ("[[organisation]]", "[organisation]", "two brackets"),
     ('claim = "groups"', 'ca_file = "gone.pem"', "no file gone.pem")],
)  # fmt: skip
def test_faults_in_what_the_operator_wrote_are_told(tmp_path, old, new, says):
    (tmp_path / "portal.toml").write_text(GOOD)
    assert read_settings(tmp_path, {}).organisations["north"].name == "Northern Press"
    (tmp_path / "portal.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(AppError, match=says):
        read_settings(tmp_path, {})


def test_two_with_the_same_key_are_a_fault(tmp_path):
    (tmp_path / "portal.toml").write_text(GOOD + GOOD)
    with pytest.raises(AppError, match="two organisations have the key"):
        read_settings(tmp_path, {})
