import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import CoreError, DisclosureError, Party
from byline.disclosure import Log, create_key, sign_statement, verify_document, write_statement
from byline.ledger import settle, statement

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from worlds import world

ROOT = Path(__file__).parents[2]
ALPHABET = "0123456789abcdefABCDEF+/= .-é\n"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A key, and a statement that is the sixth of eleven leaves; the checkpoint is of the six."""
    folder = tmp_path_factory.mktemp("signed")
    key, log = create_key(folder / "keys", "byline.example/log"), Log(folder / "log")
    for i in range(5):
        log.append("filing", f"{i:064}")
    body = statement(Party("party:a", "Contributor Ä"), settle(**world()), {"work:0.0": "First ~ Address/1"})
    document = sign_statement(body, log, key)
    for i in range(5):
        log.append("filing", f"{i:064}")
    return folder, key, log, document


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def changed(document, path, value):
    forged = copy.deepcopy(document)
    at = forged
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return forged


def failed(document, key):
    return [check.name for check in verify_document(document, key).checks if not check.ok]


def test_a_signed_statement_verifies_from_its_file_and_the_public_key(signed, tmp_path):
    folder, key, _, document = signed
    write_statement(tmp_path / "out" / "a.json", document)
    verification = verify_document(tmp_path / "out" / "a.json", folder / "keys" / "byline.pub")
    assert verification.ok
    assert verification.changed is None
    names = ["shape", "content", "seal", "signature", "checkpoint", "inclusion", "sums"]
    assert [check.name for check in verification.checks] == names
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.json"]
    assert verify_document(str(tmp_path / "out" / "a.json"), str(key.public)).to_json()["ok"] is True


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_I25_any_changed_character_of_any_value_is_refused(signed, data):
    _, key, _, document = signed
    path, value = data.draw(st.sampled_from(sorted(leaves(document), key=str)))
    text = value if isinstance(value, str) else json.dumps(value)
    if text:
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.sampled_from(sorted(set(ALPHABET) - {text[at]}))) + text[at + 1 :]
    else:
        text = "x"
    if not isinstance(value, str):
        try:
            text = json.loads(text)
        except ValueError:
            return
        if text == value:
            return
    verification = verify_document(changed(document, path, text), key.public)
    assert not verification.ok
    if path[0] == "statement":
        assert verification.changed == "/" + "/".join(str(step) for step in path)


def test_I25_one_digit_changed_in_the_file_is_named(signed, tmp_path):
    _, key, _, document = signed
    write_statement(tmp_path / "a.json", document)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    amount = document["statement"]["lines"][2]["amount_nano"]
    wrong = ("2" if amount[0] == "1" else "1") + amount[1:]
    (tmp_path / "a.json").write_text(text.replace(f'"amount_nano": "{amount}"', f'"amount_nano": "{wrong}"', 1))
    verification = verify_document(tmp_path / "a.json", key.public)
    assert verification.changed == "/statement/lines/2/amount_nano"
    assert [check.name for check in verification.checks if not check.ok] == ["content", "sums"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (("digest",), "/digest"),
        (("signature",), "/signature"),
        (("seal", "salt"), "/seal/salt"),
        (("seal", "fields", "/settlement"), "/seal/fields/~1settlement"),
        (("seal", "sha256"), "/seal/sha256"),
        (("log", "checkpoint"), "/log/checkpoint"),
        (("log", "proof", 0), "/log/proof/0"),
    ],
)
def test_I25_changes_outside_the_statement_are_named(signed, path, names):
    _, key, _, document = signed
    value = dict(leaves(document))[path]
    wrong = value[:-3] + ("b" if value[-3] == "a" else "a") + value[-2:]
    assert verify_document(changed(document, path, wrong), key.public).changed == names


def test_fields_that_come_or_go_are_named(signed):
    _, key, _, document = signed
    more = changed(document, ("statement", "bonus"), "1")
    assert verify_document(more, key.public).changed == "/statement/bonus"
    less = copy.deepcopy(document)
    del less["statement"]["summary"]
    assert verify_document(less, key.public).changed == "/statement/summary"
    numbers = changed(document, ("statement", "received", "events"), True)
    assert verify_document(numbers, key.public).changed == "/statement/received/events"


def test_a_float_in_a_statement_is_refused(signed):
    _, key, log, document = signed
    assert "content" in failed(changed(document, ("statement", "received", "events"), 2.0), key.public)
    size = len(log.leaves())
    with pytest.raises(CoreError):
        sign_statement({"share": 0.5}, log, key)
    assert len(log.leaves()) == size


def test_another_key_is_refused(signed, tmp_path):
    other = create_key(tmp_path, "byline.example/log")
    assert failed(signed[3], other.public) == ["signature", "checkpoint", "inclusion"]


def test_a_forger_with_the_key_but_without_the_log_is_refused(signed, tmp_path):
    """Signed by the right key, but the proof is of another document in the log."""
    _, key, _, document = signed
    other = sign_statement({"kind": "note"}, Log(tmp_path / "other"), key)
    assert verify_document(other, key.public).ok
    assert failed({**other, "log": document["log"]}, key.public) == ["inclusion"]


def test_a_statement_signed_with_wrong_sums_is_refused(signed, tmp_path):
    _, key, _, document = signed
    body = {**document["statement"], "lines": document["statement"]["lines"][1:]}
    assert failed(sign_statement(body, Log(tmp_path / "log"), key), key.public) == ["sums"]


def test_I26_two_documents_of_one_log_are_consistent(signed, tmp_path):
    _, key, _, _ = signed
    log = Log(tmp_path / "log")
    documents = [sign_statement({"kind": "note", "number": i}, log, key) for i in range(9)]
    assert all(verify_document(document, key.public).ok for document in documents)
    assert [document["log"]["index"] for document in documents] == list(range(9))


def test_I29_the_log_tells_nothing_once_the_document_is_erased(signed):
    """The same body twice gives two leaves that share nothing, and no word of it stands in the folder."""
    folder, key, _, document = signed
    log = Log(folder / "second")
    digests = {sign_statement(document["statement"], log, key)["digest"] for _ in range(2)}
    assert len(digests) == len(set(log.leaves())) == 2
    kept = "".join(path.read_text(encoding="utf-8") for path in log.folder.iterdir())
    assert not any(word in kept for word in ("party:a", "Contributor", "First"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        "{}",
        '{"a": NaN}',
        "[" * 100_000,
        '{"statement": 1, "seal": {}, "digest": "", "signature": "", "log": {}}',
        b"\xff\xfe".decode("latin-1"),
    ],
)
def test_what_is_no_document_fails_the_first_check(signed, tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="latin-1")
    assert failed(path, signed[1].public) == ["shape"]


def test_a_name_that_stands_twice_is_refused(signed, tmp_path):
    """Readers differ in which of two values they show: a person may read the false one."""
    _, key, _, document = signed
    write_statement(tmp_path / "a.json", document)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    (tmp_path / "a.json").write_text(text.replace('"summary":', '"summary": "You are due 9 EUR.",\n"summary":', 1))
    assert failed(tmp_path / "a.json", key.public) == ["shape"]


def test_a_file_that_is_not_there(signed, tmp_path):
    with pytest.raises(DisclosureError) as fault:
        verify_document(tmp_path / "none.json", signed[1].public)
    assert fault.value.code == "no-document"


def test_an_auditor_needs_no_byline(signed, tmp_path):
    folder, _, _, document = signed
    write_statement(tmp_path / "a.json", document)
    script = ROOT / "examples" / "verify_without_byline.py"
    assert "import byline" not in script.read_text() and "from byline" not in script.read_text()
    command = [sys.executable, "-I", str(script), str(tmp_path / "a.json"), str(folder / "keys" / "byline.pub")]
    good = subprocess.run(command, capture_output=True, text=True)
    assert (good.returncode, good.stdout.count("ok  "), good.stderr) == (0, 8, "")
    write_statement(tmp_path / "a.json", changed(document, ("statement", "total", "nano"), "1"))
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "FAIL the statement is the one sealed" in bad.stdout
    assert "FAIL the lines add up to the total" in bad.stdout
