"""Signing out at an organisation: from here by a link, and by its own word; and what it tells only when it is asked."""

import json

import pytest
from fake_provider import EC, RSA
from portal_project import signed_in, stranger
from test_organisations import SETTINGS, SITE, app, come, north, sentence

from byline.app.portal import Role, create_app
from byline.app.portal.settings import read_settings
from byline.core import AppError

__all__ = ["app", "north"]  # fixtures


def says(browser, north, token=None, to="north", **other):
    """The organisation's server tells ours that somebody signed out there."""
    browser.cookies.clear()
    told = north.logout_token(**other) if token is None else token
    return browser.post(f"/sign-out/by/{to}", data={"logout_token": told}, follow_redirects=False)


def test_who_signs_out_here_is_told_how_to_sign_out_there(app, north):
    north.told = {"end_session_endpoint": f"{north.issuer}/out?of=all"}
    browser, _ = come(app)
    assert browser.look("/signed-out/north").headers["location"] == "/me"  # not yet
    browser.look("/me")
    answer = browser.fill("/sign-out")
    assert answer.headers["location"] == "/signed-out/north" and browser.look("/me").status_code == 303
    page = browser.look("/signed-out/north").text
    assert f'href="{north.issuer}/out?of=all&amp;client_id=byline"' in page and "Sign out of Northern Press" in page


@pytest.mark.parametrize("address", [None, 7, "http://evil.example/out", "javascript:alert(1)"])
def test_an_organisation_without_such_a_page_gets_no_link(app, north, address):
    north.told = {"end_session_endpoint": address}
    page = stranger(app).look("/signed-out/north").text
    assert (
        "may still know you" in page and "Sign out of" not in page and "evil" not in page and "javascript" not in page
    )


def test_who_came_by_mail_is_not_sent_to_an_organisation(app):
    assert signed_in(app, "ada@pub.example").fill("/sign-out").headers["location"] == "/"


def test_its_word_ends_the_sessions_that_it_began_and_no_other(app, north):
    by_mail = signed_in(app, "ada@pub.example", Role.AUDITOR)
    first, second = come(app)[0], come(app)[0]
    north.claims = {"sub": "number 8", "email": "ben@pub.example"}
    other = come(app)[0]
    answer = says(stranger(app), north)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert [browser.look("/me").status_code for browser in (first, second, other, by_mail)] == [303, 303, 200, 200]
    assert "signed out by Northern Press" in [line.did for line in app.state.portal.trail.lines()]


def test_its_word_about_nobody_we_know_sounds_the_same(app, north):
    known = come(app)[0]
    answer = says(stranger(app), north, sub="number 99")
    assert answer.status_code == 200 and known.look("/me").status_code == 200


def test_its_word_counts_once(app, north):
    token = north.logout_token()
    assert says(stranger(app), north, token).status_code == 200
    browser, _ = come(app)
    assert says(stranger(app), north, token).status_code == 410 and browser.look("/me").status_code == 200


@pytest.mark.parametrize(
    ("other", "why"),
    [({"aud": "other"}, "another site"), ({"iss": "https://evil.example"}, "another issuer"),
     ({"iat": 1}, "of this moment"), ({"iat": None}, "of this moment"), ({"exp": 1}, "run out"),
     ({"events": None}, "signs nobody out"), ({"events": {}}, "signs nobody out"),
     ({"events": "x"}, "signs nobody out"),
     ({"nonce": "n"}, "signs nobody out"), ({"sub": None}, "names nobody"), ({"sub": None, "sid": "s"}, "names nobody"),
     ({"jti": None}, "no number"), ({"jti": 7}, "no number")],
)  # fmt: skip
def test_a_word_that_does_not_hold_ends_nothing(app, north, other, why):
    browser, _ = come(app)
    assert why in sentence(says(stranger(app), north, **other)) and browser.look("/me").status_code == 200


def test_a_word_that_none_of_its_keys_signed_ends_nothing(app, north):
    browser, _ = come(app)
    for north.signed in ("none", "shared", "stranger"):
        assert "not signed" in sentence(says(stranger(app), north))
    north.signed = "rsa"
    sign_in = north.token({"nonce": "n"})
    assert "signs nobody out" in sentence(says(stranger(app), north, sign_in))
    for token in ("", "x", "a.b.c", "é"):
        assert says(stranger(app), north, token).status_code == 403
    assert says(stranger(app), north, to="nobody").status_code == 404
    assert browser.look("/me").status_code == 200


def test_a_token_to_sign_out_signs_nobody_in(app, north):
    north.claims = {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "nonce": None}
    assert "another visit" in sentence(come(app)[1])


# --- what it tells only when it is asked --------------------------------------------------------------------------


def test_groups_that_only_userinfo_tells_are_heard(app, north):
    north.more = {"groups": ["rights"]}
    assert come(app)[0].look("/office").status_code == 200


def test_an_address_of_the_token_is_not_checked_by_what_userinfo_says_of_another(app, north):
    north.claims = {"email": "ben@pub.example", "email_verified": None}
    north.more = {"email": "ada@pub.example", "email_verified": True}
    assert "ada@pub.example" in come(app)[0].look("/me").text
    assert [each.email for each in app.state.portal.accounts.people()] == ["ada@pub.example"]


def test_an_address_that_nobody_checked_is_taken_only_from_who_gave_it(home, clock, north):
    """Some providers never say `email_verified`. The operator may say that they give the addresses themselves."""
    text = SETTINGS.format(issuer=north.issuer).replace("secret_file", "# ")
    north.secret, north.claims = "", {"email_verified": None}
    for line, status in (("", 403), ("assigns_addresses = false", 403), ("assigns_addresses = true", 303)):
        (home.path / "portal.toml").write_text(text.replace("claim =", f"{line}\nclaim ="))
        assert come(create_app(home, SITE, clock))[1].status_code == status
    assigned = create_app(home, SITE, clock)
    for north.claims, north.more in (
        ({"email_verified": False}, {}),
        ({"email_verified": None}, {"email": "ada@pub.example", "email_verified": False}),
        ({"email_verified": "true"}, {}),
        ({"email_verified": None, "email": "ada@evil.example"}, {}),
    ):
        assert come(assigned)[1].status_code == 403
    (home.path / "portal.toml").write_text(text.replace("claim =", 'assigns_addresses = "yes"\nclaim ='))
    with pytest.raises(AppError, match="true or false"):
        read_settings(home.path, {})


def test_that_an_address_was_checked_is_no_word_on_another(app, north):
    north.claims, north.more = {"email_verified": None}, {"email_verified": True}
    assert "has not checked" in sentence(come(app)[1])


def test_keys_of_kinds_that_we_do_not_know_stand_beside_those_that_we_do(app, north):
    class Odd:
        kid = "odd"

        def __init__(self, **told):
            self.told = told

        def as_dict(self, private):
            return self.told

    odd = [Odd(kty="EC", crv="P-9", x="a", y="b"), Odd(kty="AKP", pub="x"), Odd(kty="oct", k="AAAA"), Odd(kty="RSA")]
    north.keys = [*odd, RSA, EC]
    assert come(app)[1].status_code == 303


def test_more_is_asked_for_only_where_the_operator_says_so(home, clock, north):
    text = SETTINGS.format(issuer=north.issuer).replace("secret_file", "# ")
    for scopes, asked in (("", "openid+email&"), ('scopes = ["groups", "email"]', "openid+email+groups&")):
        (home.path / "portal.toml").write_text(text.replace("claim =", f"{scopes}\nclaim ="))
        location = stranger(create_app(home, SITE, clock)).look("/sign-in/with/north").headers["location"]
        assert f"scope={asked}" in location
    for bad in ('"groups"', '["a b"]', "[7]", '["é"]'):
        (home.path / "portal.toml").write_text(text.replace("claim =", f"scopes = {bad}\nclaim ="))
        with pytest.raises(AppError, match="scopes"):
            read_settings(home.path, {})


def test_what_is_signed_out_stands_in_no_log(app, north, caplog):
    caplog.set_level("INFO")
    come(app)
    token = north.logout_token()
    says(stranger(app), north, token)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("byline")]
    assert ours and token not in json.dumps(ours)
