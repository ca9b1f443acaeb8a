"""Signing in through other people's providers, with Chromium, over real HTTP: oidc-provider for node (certified by the
OpenID Foundation). docs/portal.md says how to get it, and with which versions this was watched."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from test_passkeys import listening

from byline.app.home import Home

pytestmark = pytest.mark.slow
NODE = Path(__file__).with_name("node_provider.mjs")
SETTINGS = """
[[organisation]]
key = "north"
name = "Northern Press"
issuer = "{issuer}"
client_id = "byline"
secret_file = "secret"
domains = ["pub.example"]
claim = "groups"
{more}
[organisation.roles]
auditor = ["numbers"]
"""
SECRET = "a secret of forty characters or a little more"
PEOPLE = {
    "ada": {"email": "ada@pub.example", "email_verified": True, "groups": ["numbers"]},
    "ben": {"email": "ben@pub.example", "email_verified": False, "groups": ["numbers"]},
    "cleo": {"email": "cleo@elsewhere.example", "email_verified": True, "groups": ["numbers"]},
    "dov": {"email": "dov@pub.example", "email_verified": True, "groups": []},
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def running(command, ready, folder, **environment):
    """A process of somebody else's program, until it answers; ended by its number alone."""
    with (folder / "provider.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **environment})
        try:
            for _ in range(300):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(ready, timeout=5).status_code == 200:
                        break
                time.sleep(0.1)
            else:
                pytest.fail((folder / "provider.log").read_text()[-2000:])
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def portal(made, folder, issuer, more=""):
    home = Home.open(shutil.copytree(made, folder / "home"))
    (home.path / "secret").write_text(SECRET)
    (home.path / "secret").chmod(0o600)
    (home.path / "portal.toml").write_text(SETTINGS.format(issuer=issuer, more=more))
    with listening(home) as app:
        yield app


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    yield context.new_page()
    context.close()


# --- oidc-provider, for node --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modules():
    folder = Path(os.environ.get("BYLINE_OIDC_PROVIDER", "")) / "node_modules"
    if not shutil.which("node") or not (folder / "oidc-provider").is_dir():
        pytest.skip("needs node, `npm install --prefix DIR oidc-provider@9.13.3`, and BYLINE_OIDC_PROVIDER=DIR")
    return folder


class Node:
    """Our portal, and the provider, at which another site has people sign in as well."""

    def __init__(self, app, issuer, evil):
        self.app, self.issuer, self.site, self.evil = app, issuer, app.state.portal.site, evil

    def sign_in(self, page, name, onward="/me"):
        page.goto(f"{self.site}{onward}")
        page.get_by_role("link", name="Sign in with Northern Press").click()
        self.answer(page, name)

    def answer(self, page, name):
        """What the provider asks: who somebody is, and whether they agree."""
        page.get_by_placeholder("Enter any login").fill(name)
        page.get_by_placeholder("and password").fill("anything")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()

    def leave_there(self, page):
        page.get_by_role("button", name="Yes, sign me out").click()


def client(name, back, **more):
    return {"client_id": name, "client_secret": SECRET, "redirect_uris": [back], "scope": "openid email groups", **more}


@pytest.fixture(params=["userinfo", "token"])
def node(request, modules, made, tmp_path):
    """`userinfo`: the token says who somebody is and userinfo the rest, as the standard has it; `token`: all of it."""
    port = free_port()
    issuer, evil = (
        f"http://127.0.0.1:{port}",
        f"http://127.0.0.1:{port}/.well-known/openid-configuration",
    )  # any page does
    with portal(made, tmp_path, issuer, 'scopes = ["groups"]') as app:
        site = app.state.portal.site
        ours = client("byline", f"{site}/sign-in/from/north", backchannel_logout_uri=f"{site}/sign-out/by/north")
        told = {
            "port": port,
            "clients": [ours, client("evil", evil)],
            "people": PEOPLE,
            "claims": {"openid": ["sub"], "email": ["email", "email_verified"], "groups": ["groups"]},
            "inToken": request.param == "token",
        }
        command = [shutil.which("node"), NODE, modules, json.dumps(told)]
        with running(command, f"{issuer}/.well-known/openid-configuration", tmp_path):
            yield Node(app, issuer, evil)


def test_node_in_as_what_the_groups_say_and_out_at_both(node, page):
    node.sign_in(page, "ada", "/audit")
    assert page.url == f"{node.site}/audit" and "ada@pub.example" in page.inner_text("footer")
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{node.site}/signed-out/north"
    page.get_by_role("link", name="Sign out of Northern Press").click()
    node.leave_there(page)
    node.sign_in(page, "dov")  # who is asked again who they are
    assert page.url == f"{node.site}/me" and "dov@pub.example" in page.inner_text("footer")
    assert page.goto(f"{node.site}/audit").status == 403


def test_node_says_that_somebody_signed_out_there(node, page):
    node.sign_in(page, "ada")
    page.goto(f"{node.issuer}/session/end?client_id=byline")
    node.leave_there(page)
    page.goto(f"{node.site}/me")
    assert "/sign-in" in page.url, page.url
    assert "signed out by Northern Press" in [line.did for line in node.app.state.portal.trail.lines()]


@pytest.mark.parametrize(("name", "says"), [("ben", "has not checked"), ("cleo", "may not vouch for addresses")])
def test_node_vouches_in_vain(node, page, name, says):
    node.sign_in(page, name)
    assert says in page.inner_text("main") and page.url.startswith(f"{node.site}/sign-in/from/north?")
    page.goto(f"{node.site}/me")
    assert "/sign-in" in page.url and node.app.state.portal.accounts.people() == []


def test_node_what_another_site_was_given_is_no_good_here(node, page):
    """A site at which people sign in with the same provider tries to be them here: by its code, and by its token."""
    code = code_of(node, page)
    page.goto(f"{node.site}/sign-in")
    location = page.context.request.get(f"{node.site}/sign-in/with/north", max_redirects=0).headers["location"]
    state = parse_qs(urlsplit(location).query)["state"][0]
    answer = page.goto(
        f"{node.site}/sign-in/from/north?{urlencode({'code': code, 'state': state, 'iss': node.issuer})}"
    )
    assert answer.status == 403 and "did not accept the way back" in page.inner_text("main")
    form = {"grant_type": "authorization_code", "code": code_of(node, page, "two"), "redirect_uri": node.evil,
            "code_verifier": VERIFIER}  # fmt: skip
    token = httpx.post(f"{node.issuer}/token", data=form, auth=("evil", SECRET)).json()["id_token"]
    refused = httpx.post(f"{node.site}/sign-out/by/north", data={"logout_token": token})
    assert refused.status_code == 403 and "meant for another site" in refused.text
    assert node.app.state.portal.accounts.people() == []


VERIFIER = "v" * 43
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"


def code_of(node, page, visit=""):
    """A code that the other site was given for Ada."""
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    asked = {"client_id": "evil", "response_type": "code", "redirect_uri": node.evil, "scope": "openid email groups",
             "code_challenge": CHALLENGE, "code_challenge_method": "S256", "state": "x", "nonce": "n"}  # fmt: skip
    page.goto(f"{node.issuer}/auth?{urlencode(asked)}")
    if not visit:
        node.answer(page, "ada")
    return parse_qs(urlsplit(seen[-1]).query)["code"][0]


# --- Canaille -----------------------------------------------------------------------------------------------------

CANAILLE = """
SECRET_KEY = "of no use outside this test"
SERVER_NAME = "127.0.0.1:{port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
JAVASCRIPT = false
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{folder}/canaille.db"
[CANAILLE_OIDC]
"""
PASSWORD = "correct horse 1"


class Canaille:
    def __init__(self, program, folder, port):
        self.program, self.folder, self.issuer = program, folder, f"http://127.0.0.1:{port}"
        (folder / "canaille.toml").write_text(CANAILLE.format(port=port, folder=folder))
        self.environment = {"CANAILLE_CONFIG": str(folder / "canaille.toml")}

    def do(self, *words):
        environment = {**os.environ, **self.environment}
        done = subprocess.run([self.program, *words], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1]) if words[0] == "create" else None

    def people(self, back):
        self.do("install")
        name = ["--family-name", "Moore", "--password", PASSWORD]
        ada = self.do("create", "user", "--user-name", "ada", "--emails", "ada@pub.example", *name)
        self.do("create", "user", "--user-name", "dov", "--emails", "dov@pub.example", *name)
        self.do("create", "group", "--display-name", "numbers", "--members", ada["id"])
        terms = ["--client-secret", SECRET, "--client-name", "Byline", "--redirect-uris", back]
        terms += ["--response-types", "code", "--grant-types", "authorization_code"]
        terms += ["--token-endpoint-auth-method", "client_secret_basic"]
        terms += [word for scope in ("openid", "email", "groups") for word in ("--scope", scope)]
        made = self.do("create", "client", "--client-id", "byline", *terms)
        self.do("set", "client", made["id"], "--audience", made["id"])  # without it, its tokens are for nobody


@pytest.fixture(params=["assigns_addresses = true", ""])
def canaille(request, made, tmp_path):
    """Our portal and Canaille, which never says whether it has checked an address."""
    program = os.environ.get("BYLINE_CANAILLE") or shutil.which("canaille")
    if not program:
        pytest.skip("needs Canaille: pip install 'canaille[front,oidc,sqlite,server]==0.3.6' in an environment of its "
                    "own, and BYLINE_CANAILLE=its program")  # fmt: skip
    port = free_port()
    theirs = Canaille(program, tmp_path, port)
    with portal(made, tmp_path, theirs.issuer, f'scopes = ["groups"]\n{request.param}') as app:
        theirs.people(f"{app.state.portal.site}/sign-in/from/north")
        command = [program, "run", "--bind", f"127.0.0.1:{port}"]
        with running(command, f"{theirs.issuer}/.well-known/openid-configuration", tmp_path, **theirs.environment):
            yield app, bool(request.param)


def by_canaille(app, page, name, onward="/me"):
    page.goto(f"{app.state.portal.site}{onward}")
    page.get_by_role("link", name="Sign in with Northern Press").click()
    page.locator("input[name=login]").fill(name)
    page.get_by_role("button", name="Continue").click()
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Accept").click()


def test_canaille_in_if_the_operator_says_that_it_gives_the_addresses_and_out(canaille, page):
    app, assigned = canaille
    site = app.state.portal.site
    by_canaille(app, page, "ada", "/audit")
    if not assigned:
        assert "has not checked that the e-mail address is yours" in page.inner_text("main")
        assert app.state.portal.accounts.people() == []
        return
    assert page.url == f"{site}/audit" and "ada@pub.example" in page.inner_text("footer")
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{site}/signed-out/north"
    page.get_by_role("link", name="Sign out of Northern Press").click()
    page.get_by_role("button", name="Logout", exact=False).first.click()
    by_canaille(app, page, "dov")
    assert page.url == f"{site}/me" and page.goto(f"{site}/audit").status == 403
