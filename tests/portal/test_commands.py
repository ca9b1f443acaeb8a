"""`byline serve` and `byline invite` as they are typed; docs/portal.md says what is there."""

import contextlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tiny_project import byline

from byline.app.portal.accounts import Role, open_accounts

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "portal.md").read_text(encoding="utf-8")


def test_invite_gives_roles_a_payee_and_a_mail(home):
    ran = byline("invite", "Ann@example.org", "--role", "auditor", "--payee", "ada moore", "--site",
                 "https://p.example.org/", "--home", home.path, "--json")  # fmt: skip
    assert ran.code == 0 and ran.last["roles"] == ["auditor", "contributor"]
    assert "https://p.example.org/enter?link=" in Path(ran.last["mail"]).read_text()
    assert Path(ran.last["mail"]).stat().st_mode & 0o077 == 0
    (person,) = open_accounts(home.journal.engine).people()
    assert person.email == "ann@example.org" and person.may(Role.AUDITOR) and person.party == ran.last["payee"]
    again = byline("invite", "ann@example.org", "--home", home.path, "--json")
    assert again.last["roles"] == ["contributor"] and again.last["payee"] == person.party


@pytest.mark.parametrize(
    ("words", "code"),
    [(["nobody", "--role", "auditor"], "bad-address"), (["a@example.org", "--role", "king"], "bad-role"),
     (["a@example.org", "--payee", "Zz"], "no-payee")],
)  # fmt: skip
def test_invite_refuses_and_changes_nothing(home, words, code):
    ran = byline("invite", *words, "--home", home.path)
    assert ran.code == 1 and code in ran.err
    assert not (home.path / "outbox").exists() and open_accounts(home.journal.engine).people() == []


def test_serve_answers_until_it_is_stopped(home):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    program = "from byline.app.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", str(port), "--home", str(home.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                body = urllib.request.urlopen(f"http://127.0.0.1:{port}/how", timeout=5).read().decode()
                break
            time.sleep(0.1)
        assert "How we compute" in body
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[0]
    assert f"http://127.0.0.1:{port}" in said and "Traceback" not in said


def test_the_page_names_every_public_path_and_shows_pictures_that_are_there(app):
    for door in app.state.doors:
        start = "/" + door.path.strip("/").split("/")[0]
        if start not in ("/sign-in", "/sign-out", "/enter"):
            assert f"`{start}" in PAGE, start
    for picture in re.findall(r"\]\((screenshots/[^)]+)\)", PAGE):
        assert (DOCS / picture).is_file(), picture


def test_the_commands_of_the_page_run(home, monkeypatch):
    monkeypatch.chdir(home.path.parent)
    home.path.rename(home.path.parent / "byline-demo")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    invites = [line for line in lines if line.startswith("byline invite ")]
    assert len(invites) == 2
    for line in invites:
        assert byline(*shlex.split(line)[1:]).code == 0
