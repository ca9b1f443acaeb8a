"""What a stranger may try on the portal and the API: each line of the table in docs/security.md has its test, here or
where the table says."""

import io
import struct
import zlib

import pytest
import sqlalchemy as sa
from portal_project import ADA, signed_in, stranger
from starlette.testclient import TestClient

from byline.app.api import Tokens
from byline.app.portal.accounts import read_address
from byline.app.portal.doors import COOKIE
from byline.registry import open_database

EVIL = "evil.example"


# --- where answers lead -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/works/", "/v1/", "/v1", "/audit/", "/sign-in/with/none/", "/nothing/", "/works//"])
def test_no_answer_leads_to_the_host_that_a_request_names(app, path):
    browser = TestClient(app, headers={"host": EVIL, "x-forwarded-host": EVIL})
    answer = browser.get(path, follow_redirects=False)
    assert EVIL not in answer.headers.get("location", "") and EVIL not in answer.text


SLASHES = [f"//{EVIL}/", f"///{EVIL}//", f"/\\{EVIL}/", f"/%5c{EVIL}/", f"/%2f/{EVIL}/", "/%0d%0ax:1/"]


@pytest.mark.parametrize("path", SLASHES)
def test_a_slash_too_many_leads_to_no_other_site(app, path):
    answer = stranger(app).get(f"http://testserver{path}", follow_redirects=False)
    location = answer.headers.get("location", "/")
    assert answer.status_code in (308, 404) and location.startswith("/") and not location.startswith(("//", "/\\"))
    assert "\n" not in location and "x" not in answer.headers


def test_a_slash_too_many_leads_to_the_page_that_was_meant(app):
    answer = stranger(app).get("/works/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/works")


@pytest.mark.parametrize(
    "onward",
    [
        f"//{EVIL}",
        f"/\\{EVIL}",
        f"https://{EVIL}",
        f"/\t/{EVIL}",
        f"\x01//{EVIL}",
        "javascript:alert(1)",
        "/a" * 600,
        f"/ok\\{EVIL}",
    ],
)
def test_where_somebody_wants_to_go_is_a_page_of_ours_or_nowhere(app, onward):
    page = stranger(app).get("/sign-in", params={"onward": onward}).text
    assert 'name="onward" value=""' in page and EVIL not in page


def test_links_in_mails_lead_to_the_site_that_the_operator_named(app, home):
    browser = stranger(app)
    browser.headers["host"] = EVIL
    assert browser.fill("/sign-in", email="ada@example.org").status_code == 200
    (mail,) = (home.path / "outbox").glob("*")
    assert EVIL not in mail.read_text() and "https://portal.example.org/enter?link=" in mail.read_text()


# --- who is who ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "other"),
    [("\u212aate@example.org", "kate@example.org"), ("stra\u00dfe@example.org", "strasse@example.org"),
     ("\ufb01n@example.org", "fin@example.org"), ("ada@ban\u212a.example", "ada@bank.example")],
)  # fmt: skip
def test_no_letter_turns_into_somebody_elses_address(app, written, other):
    assert read_address(written) != other
    assert read_address(" Kate@Example.ORG ") == "kate@example.org"


TWO = ["a@b.example\nBcc: x@evil.example", "a@b.example,x@evil.example", "a@b.example x@evil.example"]


@pytest.mark.parametrize(
    "written", [*TWO, "a@b", "<a@b.example>", 'a"@b.example', "@b.example", "a@" + "b" * 300 + ".de"]
)
def test_no_address_carries_another_or_a_line_of_a_mail(app, home, written):
    assert stranger(app).fill("/sign-in", email=written).status_code == 422
    assert list((home.path / "outbox").glob("*")) == []


def test_nothing_of_an_answer_tells_whether_somebody_has_an_account(app):
    signed_in(app, "known@example.org", party=ADA)
    told = []
    for email in ("known@example.org", "nobody@example.org"):
        statements = counted(app.state.portal.accounts.engine)
        answer = stranger(app).fill("/sign-in", email=email)
        told.append((answer.status_code, answer.text, [text for text in statements if "portal_" in text]))
    assert told[0] == told[1]  # the page, and what was asked of the database for it


def counted(engine):
    """What is asked of a database from now on."""
    seen = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    return seen


def test_the_cookie_of_a_safe_site_is_this_hosts_alone_and_old_ones_open_nothing(app):
    browser = TestClient(app, base_url="https://testserver")
    cookie = browser.get("/sign-in").headers["set-cookie"]
    assert (
        cookie.startswith(f"__Host-{COOKIE}=")
        and "Secure" in cookie
        and "Path=/" in cookie
        and "domain" not in cookie.lower()
    )
    secret = app.state.portal.accounts.begin(signed(app), "link", app.state.portal.clock())
    tossed = TestClient(app, base_url="https://testserver", cookies={COOKIE: secret})
    assert tossed.get("/me", follow_redirects=False).status_code == 303


def signed(app):
    signed_in(app, "ada@example.org", party=ADA)
    return next(person.id for person in app.state.portal.accounts.people())


def test_a_session_that_was_planted_is_not_the_one_that_signs_in(app):
    planted = "A" * 43
    browser = stranger(app)
    browser.cookies.clear()
    browser.cookies.set(COOKIE, planted)
    link = app.state.portal.accounts.new_link("ada@example.org", "", app.state.portal.clock())
    browser.look(f"/enter?link={link}")
    browser.fill("/enter", link=link)
    other = TestClient(app, cookies={COOKIE: planted})
    assert other.get("/me", follow_redirects=False).status_code == 303 and browser.look("/me").status_code == 200


# --- what is in files ---------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, extra=b""):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * (1 + width // 8 + 1) * min(height, 2000))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def packed(length):
    return zlib.compress(b"a" * length)


def bitmap(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6)


def moving():
    from PIL import Image

    file, frames = io.BytesIO(), [Image.new("P", (400, 400), number % 2) for number in range(300)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


VAST = png(60_000, 60_000)
PRINTED = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\n%%EndComments\n(/etc/passwd) run\n"
DRAWN = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
SOUND = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0" + b"\xff" * 12 + b"\x20\0data\xff\xff\xff\xff" + b"\0" * 99
FILES = {
    "a picture of 3.6 thousand million pixels": lambda: VAST,
    "a text in a picture that unpacks to 50 MB": lambda: png(8, 8, chunk(b"zTXt", b"k\0\0" + packed(50_000_000))),
    "an icon that holds such a picture": lambda: b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", 9, 22) + VAST,
    "a bitmap that only says that it is large": lambda: bitmap(65_535, 65_535),
    "a moving picture of 300": moving,
    "a program for a printer": lambda: PRINTED,
    "a drawing with a script": lambda: DRAWN,
    "a page with a script": lambda: b"<!doctype html><script>alert(1)</script>" * 9,
    "a script that begins like a picture": lambda: b"GIF89a/*" + b"\0" * 9 + b"*/=1;alert(1)//",
    "a sound that says that it is endless": lambda: SOUND,
    "an archive": lambda: b"PK\x03\x04" + b"\0" * 99,
    "something packed": lambda: packed(50_000_000),
    "nothing": lambda: b"",
    "a text with NUL": lambda: b"one\0two " * 50,
    "a text in no encoding": lambda: b"\xe9t\xe9 " * 60,
    "a text of ten megabytes": lambda: b"word " * 2_000_000,
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_a_trap_is_answered_and_never_sent_back(app, home, what):
    stranger(app).fill("/search", text="one two three four five six seven eight nine")  # which builds the index
    before = sorted(home.path.rglob("*"))
    answer = stranger(app).fill("/search", files={"file": ("../../keys/portal.key\r\nX: y", FILES[what]())})
    assert answer.status_code in (200, 422, 503), answer.status_code
    assert (
        "alert(1)" not in answer.text
        and "portal.key" not in answer.text
        and answer.headers["content-type"].startswith("text/html")
    )
    assert [
        path for path in home.path.rglob("*") if path not in before and path.suffix not in (".db-shm", ".db-wal")
    ] == []


TRAPS = [b"[" * 200_000, b'{"a":' * 100_000, b'{"seq":' + b"9" * 100_000 + b"}", b'{"a":NaN}', b"\xff\xfe"]
TRAPS += [b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">]><l>&a;</l>', b'"\\ud800"']


@pytest.mark.parametrize("content", TRAPS)
def test_a_document_that_is_a_trap_is_not_what_was_signed(app, content):
    answer = stranger(app).fill("/verify", files={"file": ("x.json", content)})
    assert answer.status_code in (200, 422) and "Something went wrong" not in answer.text


PATHS = ["/filings/..%2f..%2fkeys%2fportal.key", "/filings/%2e%2e%2fkeys%2fportal.key", "/filings/..%5ckeys"]
PATHS += ["/filings/%00", "/works/%00", "/works/..%2f..%2fkeys", "/contributors/%00", "/coop/x/report/..%2f/file"]
PATHS += ["/works/'%20OR%201=1--", "/portal.css/..%2fkeys", "/v1/..%2fkeys", "/sign-in/with/..%2f", "/play/..%2fkeys"]


@pytest.mark.parametrize("path", PATHS)
def test_no_address_is_a_path_or_a_query(app, home, path):
    secret = (home.path / "keys" / "portal.key").read_text()
    answer = stranger(app).get(path, follow_redirects=False)
    assert answer.status_code in (303, 308, 401, 404) and secret not in answer.text


# --- how often, and what is said in logs --------------------------------------------------------------------------


def test_who_guesses_tokens_is_slowed_down_and_nobody_with_one_is(app, home):
    _, secret = Tokens(home.journal.engine).new("reader", ["works:read"])
    api = TestClient(app)
    codes = [api.get("/v1/works", headers={"Authorization": f"Bearer byl_{n}"}).status_code for n in range(130)]
    assert codes[:100] == [401] * 100 and codes[-1] == 429
    assert api.get("/v1/works").status_code == 429
    assert api.get("/v1/works", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_fault_of_the_database_names_nobody(database_url):
    engine = open_database(database_url)
    with pytest.raises(sa.exc.SQLAlchemyError) as fault, engine.connect() as connection:
        connection.execute(sa.text("SELECT * FROM nowhere WHERE email = :email"), {"email": "ada@example.org"})
    engine.dispose()
    assert "ada@example.org" not in str(fault.value)


def test_a_method_that_is_not_for_a_page_is_told_which_are(app):
    answer = stranger(app).put("/works")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET"
