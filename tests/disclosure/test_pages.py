"""Every byte of every form of a statement: changed, it is refused, and the place is named."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import DisclosureError, Party
from byline.disclosure import (
    Log,
    create_key,
    seal_page,
    sign_statement,
    verify_document,
    with_later,
    write_statement,
    write_text,
)
from byline.ledger import settle, statement

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from worlds import world

SCRIPT = Path(__file__).parents[2] / "examples" / "verify_without_byline.py"
CONTENT = {
    ".html": '<!DOCTYPE html>\n<title>Ä &amp; ß</title>\n<p class="n">630.74</p>\n<p>EUR</p>\n',
    ".csv": "line,amount,title\n1,630.740000000,First ~ Address/1\n2,1.000000000,Übersetzung\n",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A key and a folder with a statement, its page and its table; the log has grown since it was signed."""
    folder = tmp_path_factory.mktemp("made")
    key, log = create_key(folder / "keys", "byline.example/log"), Log(folder / "log")
    log.append("filing", "0" * 64)
    body = statement(Party("party:a", "Contributor Ä"), settle(**world()), {"work:0.0": "First ~ Address/1"})
    document = sign_statement(body, log, key)
    for i in range(6):
        log.append("filing", f"{i:064}")
    write_statement(folder / "a.json", with_later(document, log, key))
    for form, content in CONTENT.items():
        write_text(folder / f"a{form}", seal_page(content, form, document["digest"], key))
    return folder, key, log, document


def altered(made, tmp_path, form, change):
    """The verification of a copy whose bytes were changed."""
    path = tmp_path / f"altered{form}"
    path.write_bytes(change((made[0] / f"a{form}").read_bytes()))
    return verify_document(path, made[1].public)


def flipped(at, byte):
    return lambda data: data[: at % len(data)] + bytes([byte]) + data[at % len(data) + 1 :]


def fault_of(verification):
    return " ".join(check.says for check in verification.checks if not check.ok)


@pytest.mark.parametrize("form", [".json", ".html", ".csv"])
def test_what_was_written_verifies_beside_the_document_and_alone(made, tmp_path, form):
    found = verify_document(made[0] / f"a{form}", made[0] / "keys" / "byline.pub")
    assert found.ok and found.changed is None
    assert altered(made, tmp_path, form, lambda data: data).ok
    names = [check.name for check in found.checks]
    assert names == {
        ".json": ["shape", "content", "seal", "signature", "checkpoint", "inclusion", "consistency", "sums"],
    }.get(form, ["shape", "content", "signature", "document"])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([".json", ".html", ".csv"]), st.integers(0, 10**6), st.integers(0, 255))
def test_I25_any_changed_byte_is_refused_and_its_place_is_named(made, tmp_path_factory, form, at, byte):
    data = (made[0] / f"a{form}").read_bytes()
    if data[at % len(data)] == byte:
        return
    found = altered(made, tmp_path_factory.getbasetemp(), form, flipped(at, byte))
    assert not found.ok
    said = fault_of(found)
    assert found.changed or any(word in said for word in ("line ", "fields", "twice", "type", "seal")), said


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_was_signed_is_told_where_one_byte_of_a_value_was_changed(made, tmp_path_factory, data):
    """For every amount of the statement: the field, what it says, and what was signed."""
    text = (made[0] / "a.json").read_text(encoding="utf-8")
    number = data.draw(st.integers(0, len(made[3]["statement"]["lines"]) - 1))
    right = made[3]["statement"]["lines"][number]["cluster_nano"]
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = right[:at] + data.draw(st.sampled_from(sorted(set("0123456789") - {right[at]}))) + right[at + 1 :]
    place = [i for i in range(len(text)) if text.startswith('"cluster_nano": "', i)][number]
    offset = len(text[:place].encode()) + len('"cluster_nano": "')
    base = tmp_path_factory.getbasetemp()
    found = altered(made, base, ".json", lambda raw: raw[:offset] + wrong.encode() + raw[offset + len(right) :])
    assert found.changed == f"/statement/lines/{number}/cluster_nano"
    assert f'/lines/{number}/cluster_nano says "{wrong}"; "{right}" was signed' in fault_of(found)


@pytest.mark.parametrize(("form", "old", "new"), [(".html", b"630.74", b"930.74"), (".csv", b"630.74", b"930.74")])
def test_a_changed_line_of_a_page_is_named_with_what_was_sealed(made, tmp_path, form, old, new):
    found = altered(made, tmp_path, form, lambda data: data.replace(old, new))
    number = 3 if form == ".html" else 2
    assert found.changed == f"line {number}"
    assert f"line {number} says" in fault_of(found) and "930.74" in fault_of(found)
    assert "630.74" in fault_of(found).split("; ")[1]


@pytest.mark.parametrize("form", [".html", ".csv"])
def test_lines_that_come_or_go_and_seals_that_are_cut_off(made, tmp_path, form):
    line = CONTENT[form].splitlines(keepends=True)[1].encode()
    for change in (lambda d: d.replace(line, b""), lambda d: d.replace(line, line + line)):
        found = altered(made, tmp_path, form, change)
        assert not found.ok and found.changed == f"line {2 if change(line) == b'' else 3}"
    for change in (
        lambda d: CONTENT[form].encode(),
        lambda d: b"",
        lambda d: d + b"\n",
        lambda d: d + b"x",
        lambda d: d[:-1],
        lambda d: d.replace(b"\n", b"\r\n"),
        lambda d: d.replace(b"page-1", b"page-2"),
    ):
        assert not altered(made, tmp_path, form, change).ok


def test_a_page_of_another_document_is_refused(made, tmp_path):
    """The seal is the operator's, but the document beside it is not the one that the page was made of."""
    folder, key, log, _ = made
    other = sign_statement({"kind": "note"}, log, key)
    write_statement(tmp_path / "a.json", other)
    (tmp_path / "a.csv").write_bytes((folder / "a.csv").read_bytes())
    found = verify_document(tmp_path / "a.csv", key.public)
    assert [check.name for check in found.checks if not check.ok] == ["document"]


def test_a_page_sealed_by_somebody_else_is_refused(made, tmp_path):
    other = create_key(tmp_path, "byline.example/log")
    path = tmp_path / "b.html"
    write_text(path, seal_page(CONTENT[".html"], ".html", made[3]["digest"], other))
    assert not verify_document(path, made[1].public).ok
    with pytest.raises(DisclosureError):
        verify_document(tmp_path / "gone.html", made[1].public)


# --- the later head -------------------------------------------------------------------------------------------


def test_the_proof_of_growth_changes_nothing_that_was_signed(made):
    _, key, log, document = made
    later = with_later(document, log, key)
    assert {**later, "log": document["log"]} == document
    assert later["log"]["later"]["checkpoint"].split("\n")[1] == str(len(log.leaves()))
    assert with_later(later, log, key) == later
    assert "later" not in with_later(sign_statement({"kind": "note"}, log, key), log, key)["log"]


def test_a_log_that_forked_is_refused(made, tmp_path):
    """Two logs of one key: the later head of the other one does not begin with this one."""
    _, key, log, document = made
    fork = Log(tmp_path / "fork")
    for i in range(20):
        fork.append("filing", f"{i + 7:064}")
    forked = with_later(document, fork, key)
    found = verify_document(forked, key.public)
    assert [check.name for check in found.checks if not check.ok] == ["consistency"]
    assert found.changed == "/log/later/proof"
    real = with_later(document, log, key)["log"]["later"]
    size = real["checkpoint"].split("\n")[1]
    other = real["checkpoint"].replace(f"\n{size}\n", f"\n{size}1\n")
    for wrong, where in (
        ({**real, "proof": real["proof"][:-1]}, "/log/later/proof"),
        ({**real, "proof": ["zz", *real["proof"][1:]]}, "/log/later/proof/0"),
        ({**real, "checkpoint": other}, "/log/later/checkpoint"),
    ):
        found = verify_document({**document, "log": {**document["log"], "later": wrong}}, key.public)
        assert not found.ok and found.changed == where


# --- without Byline -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [".json", ".html", ".csv"])
def test_the_independent_verifier_refuses_what_we_refuse(made, tmp_path, form):
    def run(path):
        command = [sys.executable, "-I", str(SCRIPT), str(path), str(made[0] / "keys" / "byline.pub")]
        return subprocess.run(command, capture_output=True, text=True)

    good = run(made[0] / f"a{form}")
    assert (good.returncode, "FAIL" in good.stdout, good.stderr) == (0, False, "")
    data = (made[0] / f"a{form}").read_bytes()
    for at in (0, len(data) // 2, data.index(b"630.74"), len(data) - 1):
        path = tmp_path / f"b{form}"
        path.write_bytes(flipped(at, data[at] ^ 1)(data))
        assert run(path).returncode == 1
    assert len(SCRIPT.read_text().splitlines()) < 200
