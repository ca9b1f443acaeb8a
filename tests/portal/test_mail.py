"""The outbox goes to a real SMTP server: what is accepted leaves, what is not stays, and no secret is said."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_server import authenticator, mail_server
from portal_project import stranger
from tiny_project import byline

from byline.app.portal import settings
from byline.app.portal.mail import Postman, Sent, erase_mails, send_outbox, write_mail
from byline.app.portal.settings import MailServer, read_settings
from byline.core import AppError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:aiosmtpd", "ignore:Requiring AUTH:UserWarning")


def server(port, **more):
    return MailServer("127.0.0.1", port, more.pop("security", "none"), "Byline <portal@example.org>", **more)


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_what_the_server_accepts_leaves_the_outbox(outbox):
    paths = [write_mail(outbox, f"{name}@example.org", "A subject", "Words: ä\n") for name in ("ada", "ben")]
    with mail_server() as box:
        assert send_outbox(outbox, server(box.port)) == Sent(sent=2)
        assert send_outbox(outbox, server(box.port)) == Sent()
    assert [to for _, to, *_ in box.mails] == [["ada@example.org"], ["ben@example.org"]]  # the oldest first
    by, _, text, _ = box.mails[0]
    assert by == "portal@example.org" and "From: Byline <portal@example.org>" in text and "Date: " in text
    assert f"Message-ID: <{paths[0].stem}@example.org>" in text and "Auto-Submitted: auto-generated" in text
    assert not list(outbox.glob("**/*.eml"))


def test_a_mail_stays_until_it_is_accepted_and_has_the_same_name_each_time(outbox):
    path = write_mail(outbox, "ada@example.org", "x", "y")
    assert send_outbox(outbox, server(closed_port())) == Sent(waits=1, fault="the server cannot be reached: "
                                                              "ConnectionRefusedError")  # fmt: skip
    with mail_server() as box:
        box.says["ada@example.org"] = "451 later"
        assert send_outbox(outbox, server(box.port)) == Sent(waits=1, fault="the server refuses a recipient (451)")
        box.says.clear()
        box.says["data"] = "452 full"
        assert send_outbox(outbox, server(box.port)).waits == 1 and path.exists()
        box.says.clear()
        assert send_outbox(outbox, server(box.port)) == Sent(sent=1)
    assert f"<{path.stem}@example.org>" in box.mails[0][2]


def test_one_that_is_refused_for_good_is_set_aside_and_holds_up_no_other(outbox):
    write_mail(outbox, "gone@example.org", "x", "y")
    write_mail(outbox, "ada@example.org", "x", "y")
    with mail_server() as box:
        box.says["gone@example.org"] = "550 no such user gone@example.org"
        done = send_outbox(outbox, server(box.port))
        assert (done.sent, done.refused, done.waits) == (1, 1, 0) and "gone" not in done.fault
        assert send_outbox(outbox, server(box.port)) == Sent()
    assert len(list((outbox / "refused").glob("*.eml"))) == 1
    erase_mails(outbox, "gone@example.org")
    assert not list(outbox.glob("**/*.eml"))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_password_goes_by_tls_to_a_server_that_is_known(outbox, tmp_path, security):
    write_mail(outbox, "ada@example.org", "x", "y")
    login = {"authenticator": authenticator, "auth_required": True, "auth_require_tls": security == "starttls"}
    with mail_server(tmp_path, security, **login) as box:
        known = {"security": security, "user": "portal", "ca_file": tmp_path / "cert.pem"}
        unknown = send_outbox(outbox, server(box.port, **{**known, "ca_file": None}, password="a secret"))
        assert unknown.waits == 1 and "certificate does not hold" in unknown.fault
        wrong = send_outbox(outbox, server(box.port, **known, password="guess"))
        assert wrong == Sent(waits=1, fault="the server does not accept user and password")
        assert send_outbox(outbox, server(box.port, **known, password="a secret")) == Sent(sent=1)
    assert box.mails[0][3] or security == "tls"  # there the server is never spoken to without


def test_without_the_tls_that_was_asked_for_nothing_is_sent(outbox):
    write_mail(outbox, "ada@example.org", "x", "y")
    with mail_server() as box:
        done = send_outbox(outbox, server(box.port, security="starttls", user="portal", password="a secret"))
    assert done.waits == 1 and "STARTTLS" in done.fault and not box.mails


def test_two_do_not_send_at_once(outbox):
    write_mail(outbox, "ada@example.org", "x", "y")
    from byline.app.portal.mail import _held

    with _held(outbox), pytest.raises(AppError) as refused:
        send_outbox(outbox, server(1))
    assert refused.value.code == "mail-busy"


def test_the_postman_goes_on_after_a_fault_and_tries_a_new_mail_at_once(outbox):
    heard, came = [], threading.Event()

    def told(done):
        heard.append(done)
        came.set()

    with mail_server() as box:
        box.says["ada@example.org"] = "451 later"
        write_mail(outbox, "ada@example.org", "x", "y")
        with Postman(outbox, server(box.port), told, look=0.01):
            assert came.wait(20) and heard[0].waits == 1
            box.says.clear()
            came.clear()
            write_mail(outbox, "ben@example.org", "x", "y")
            assert came.wait(20) and heard[-1].sent == 2
    assert len(box.mails) == 2 and len(heard) == 2


def test_no_log_and_no_answer_names_an_address_or_a_secret(outbox, caplog):
    write_mail(outbox, "ada@example.org", "x", "a secret link")
    with caplog.at_level(logging.DEBUG, logger="byline.portal"), mail_server() as box:
        box.says["ada@example.org"] = "550 ada@example.org? no"
        done = send_outbox(outbox, server(box.port, password="pass-word"))
    said = caplog.text + done.says() + repr(server(1, password="pass-word"))
    assert "refused" in caplog.text and not [w for w in ("ada@", "secret", "pass-word") if w in said]


# --- the command ------------------------------------------------------------------------------------------------


def write_settings(home, port, more=""):
    words = f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nfrom = "portal@example.org"\n{more}'
    (home.path / "portal.toml").write_text(words)


def test_the_command_sends_what_lies_there(home):
    write_mail(home.path / "outbox", "ada@example.org", "x", "y")
    assert "no-mail-server" in byline("mail", "--home", home.path).err
    with mail_server() as box:
        write_settings(home, box.port)
        ran = byline("mail", "--home", home.path, "--json")
        assert ran.code == 0 and ran.last == {"sent": 1, "refused": 0, "waits": 0, "fault": ""}
        assert "outbox is empty" in byline("mail", "--home", home.path).out
    write_mail(home.path / "outbox", "ada@example.org", "x", "y")
    write_settings(home, closed_port())
    ran = byline("mail", "--home", home.path, "--json")
    assert ran.code == 1 and ran.last["waits"] == 1 and "Traceback" not in ran.err


def run_until(command, says, then):
    """Start a command, do something once it says so, end it by Ctrl-C, and give back what it said. What runs in a
    shell's background was told to ignore Ctrl-C, and so would be what it starts."""
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeding}; from byline.app.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-u", "-c", program, *command], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env={**os.environ, "NO_COLOR": "1"})  # fmt: skip
    said = ""
    try:
        while says not in said and (line := process.stdout.readline()):
            said += line
        then()
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=60)[0]
    return said


def until(done):
    for _ in range(400):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("nothing came")


def test_watching_sends_what_comes(home):
    with mail_server() as box:
        write_settings(home, box.port)

        def then():
            write_mail(home.path / "outbox", "ada@example.org", "x", "y")
            until(lambda: box.mails)

        said = run_until(["mail", "--watch", "--home", str(home.path)], "Ctrl-C ends it", then)
    assert "Traceback" not in said and len(box.mails) == 1


def test_serve_sends_the_link_by_itself(home):
    port = closed_port()
    with mail_server() as box:
        write_settings(home, box.port)

        def then():
            import httpx

            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                with contextlib.suppress(httpx.HTTPError):
                    until(lambda: _up(client))
                page = client.get("/sign-in").text
                token = page.partition('name="token" value="')[2].partition('"')[0]
                assert client.post("/sign-in", data={"token": token, "email": "ada@example.org"}).status_code == 200
            until(lambda: box.mails)

        said = run_until(["serve", "--port", str(port), "--home", str(home.path)], "Mails go out by", then)
    assert "Traceback" not in said and "/enter?link=" in box.mails[0][2] and "1 sent" in said
    assert "ada@" not in said


def _up(client):
    import httpx

    with contextlib.suppress(httpx.HTTPError):
        return client.get("/sign-in").status_code == 200


# --- settings ---------------------------------------------------------------------------------------------------

GOOD = '[mail]\nhost = "smtp.example.org"\nfrom = "Byline <portal@example.org>"\nuser = "portal"\n'


def test_settings_are_read_and_the_password_lies_elsewhere(tmp_path):
    assert read_settings(tmp_path) == settings.Settings()
    (tmp_path / "portal.toml").write_text(GOOD)
    mail = read_settings(tmp_path, {"BYLINE_MAIL_PASSWORD": "a"}).mail
    assert (mail.host, mail.port, mail.security, mail.password) == ("smtp.example.org", 587, "starttls", "a")
    (tmp_path / "p").write_text("b\n")
    (tmp_path / "p").chmod(0o600)
    (tmp_path / "portal.toml").write_text(GOOD + 'password_file = "p"\nsecurity = "tls"\n')
    mail = read_settings(tmp_path, {}).mail
    assert (mail.password, mail.port) == ("b", 465)
    (tmp_path / "p").chmod(0o640)
    with pytest.raises(AppError, match="chmod 600"):
        read_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [("[mail", "not TOML"), ("mail = 3", "no table"), ("[mail]", "host is missing"),
     ('[mail]\nhost = "h"\nfrom = "nobody"', "from is an address"), (GOOD, "BYLINE_MAIL_PASSWORD"),
     (GOOD + 'password = "x"', "secrets do not stand"), (GOOD + 'security = "none"', "on this machine only"),
     (GOOD + 'security = "maybe"', "starttls, tls or none"), (GOOD + "port = 0", "1 to 65535"),
     (GOOD + 'port = "25"', "1 to 65535"), (GOOD + 'password_file = "none"', "no file none"),
     ("[post]", "post is not known")],
)  # fmt: skip
def test_faults_of_settings_are_told(tmp_path, text, says):
    (tmp_path / "portal.toml").write_text(text)
    with pytest.raises(AppError, match=says) as refused:
        read_settings(tmp_path, {})
    assert refused.value.code == "bad-settings"


def test_all_faults_come_at_once_and_serve_does_not_begin(home):
    (home.path / "portal.toml").write_text('[mail]\nhost = "h"\nport = 0\n[[organisation]]\nname = "x"\n')
    ran = byline("serve", "--home", home.path)
    assert ran.code == 1
    for word in ("port is", "from is", "1: key", "issuer", "client_id is missing", "domains"):
        assert word in ran.err.replace("\n", " ")


TOML = st.recursive(st.one_of(st.booleans(), st.integers(-9, 9), st.text(max_size=5)),
                    lambda inner: st.one_of(st.lists(inner, max_size=3),
                                            st.dictionaries(st.sampled_from(("host", "mail", "port", "from", "roles",
                                                                             "organisation", "domains", "x")),
                                                            inner, max_size=4)), max_leaves=12)  # fmt: skip


@given(st.dictionaries(st.sampled_from(("mail", "organisation", "x")), TOML, min_size=1))
def test_whatever_stands_in_the_file_is_settings_or_faults(tmp_path_factory, told):
    reader = settings._Reader(tmp_path_factory.getbasetemp(), {})
    if isinstance(told.get("mail"), dict):
        reader.mail(told["mail"])
    list(reader.organisations(told.get("organisation", [])))
    if told.get("mail") or told.get("organisation"):
        assert reader.faults or not isinstance(told.get("mail"), dict)


def test_signing_in_puts_a_mail_that_can_be_sent(app, home):
    browser = stranger(app)
    browser.fill("/sign-in", email="ada@example.org")
    with mail_server() as box:
        assert send_outbox(home.path / "outbox", server(box.port)).sent == 1
    assert "https://portal.example.org/enter?link=" in box.mails[0][2]
