"""Bad input: one clear message, exit code 1, and nothing in the project folder has changed."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_project import DAY, byline, prose, state_of, write_csv, write_events

from byline.app.money import STANDARD_POLICY

PROGRAM = Path(sys.executable).with_name("byline")
WORKS = ["path", "title", "contributor", "role", "created", "source", "licence"]
SPLITS = ["title", "contributor", "share", "effective"]
GOOD = ["good.txt", "Good", "Eve Hart", "author", "2020-01-01", "test", "CC0-1.0"]
TOMORROW = DAY + timedelta(days=1)


def refused(ran, *says):
    """The command ended with 1 and said all of this on standard error, without a traceback."""
    assert ran.code == 1, ran
    for words in says:
        assert str(words) in ran.err, (words, ran.err)
    assert "Traceback" not in ran.err and ran.err.strip()
    return ran


@pytest.fixture
def copy(project, tmp_path):
    """A copy of the project; after the test nothing half-written is left in it."""
    copy = project.copy(tmp_path)
    yield copy
    assert not list(tmp_path.rglob("*.part"))


@pytest.fixture
def unchanged(copy):
    """The test may not change anything in the project."""
    before = state_of(copy.home)
    yield copy
    assert state_of(copy.home) == before


@pytest.fixture
def files(tmp_path):
    """A folder of files to hand in."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "good.txt").write_text(prose("one two three", 1, 60), encoding="utf-8")
    return folder


# --- register ---------------------------------------------------------------------------------------------------

CATALOGUES = {
    "the file is not there": (None, ["works.csv", "[missing-file]"]),
    "it names no work": ([WORKS], ["works.csv", "[empty-catalogue]"]),
    "a column is missing": ([WORKS[1:], GOOD[1:]], ["works.csv:1", "[missing-column]", "path"]),
    "a text is not there": ([WORKS, ["gone.txt", *GOOD[1:]]], ["works.csv:2", "[file-missing]", "gone.txt"]),
    "a text is not UTF-8": ([WORKS, ["latin.txt", *GOOD[1:]]], ["works.csv:2", "[encoding]", "0xe9"]),
    "a text is empty": ([WORKS, ["empty.txt", *GOOD[1:]]], ["works.csv:2", "[empty-text]", "empty.txt"]),
    "no contributor": ([WORKS, [*GOOD[:2], "", *GOOD[3:]]], ["works.csv:2", "[no-contributor]", "Good"]),
    "the same work twice": ([WORKS, GOOD, GOOD], ["works.csv:3", "[duplicate-work]", "works.csv:2"]),
    "a date that is none": ([WORKS, [*GOOD[:4], "last year", *GOOD[5:]]], ["works.csv:2", "[bad-date]"]),
}


@pytest.mark.parametrize("case", CATALOGUES)
def test_a_faulty_catalogue_makes_no_project_and_changes_none(case, files, unchanged, tmp_path):
    rows, says = CATALOGUES[case]
    (files / "latin.txt").write_bytes(b"caf\xe9 au lait")
    (files / "empty.txt").write_bytes(b" \n")
    if rows:
        write_csv(files / "works.csv", *rows)
    refused(byline("register", files / "works.csv", "--home", tmp_path / "new"), *says)
    assert not (tmp_path / "new").exists()
    refused(unchanged("register", files / "works.csv"), *says)


def test_a_catalogue_in_another_encoding(files, tmp_path):
    (files / "works.csv").write_bytes(
        ",".join(WORKS).encode() + b"\ngood.txt,Caf\xe9,Eve,author,2020-01-01,t,CC0-1.0\n"
    )
    refused(byline("register", files / "works.csv", "--home", tmp_path / "new"), "works.csv", "[encoding]", "UTF-8")
    assert not (tmp_path / "new").exists()


def test_splits_over_the_whole_and_all_other_faults_at_once(files, unchanged):
    write_csv(files / "works.csv", WORKS, GOOD, ["gone.txt", "Gone", *GOOD[2:]])
    write_csv(
        files / "splits.csv", SPLITS, ["Good", "Eve Hart", "104%", "2020-01-01"], ["None", "Eve", "1%", "2020-01-01"]
    )
    ran = unchanged("register", files / "works.csv", "--splits", files / "splits.csv", "--json")
    refused(ran, "works.csv:3", "splits.csv:2", "splits.csv:3")
    assert [problem["code"] for problem in ran.last["problems"]] == ["file-missing", "bad-share", "unknown-work"]


def test_shares_that_add_to_more_than_the_whole(files, unchanged):
    write_csv(files / "works.csv", WORKS, [*GOOD[:2], "Eve Hart;Fay Iqbal", "author;author", *GOOD[4:]])
    shares = [["Good", "Eve Hart", "60%", "2020-01-01"], ["Good", "Fay Iqbal", "50%", "2020-01-01"]]
    write_csv(files / "splits.csv", SPLITS, *shares)
    ran = unchanged("register", files / "works.csv", "--splits", files / "splits.csv")
    refused(ran, "splits.csv:3", "[shares-over-100]", "110 %")


def test_a_title_that_has_other_content_already(files, unchanged):
    write_csv(files / "works.csv", WORKS, ["good.txt", "Ada 1", "Ada Moore", *GOOD[3:]])
    refused(unchanged("register", files / "works.csv"), "works.csv:2", "[title-taken]", "Ada 1")


def test_a_home_that_is_a_file(files, tmp_path):
    write_csv(files / "works.csv", WORKS, GOOD)
    (tmp_path / "file").write_text("mine")
    refused(byline("register", files / "works.csv", "--home", tmp_path / "file"), tmp_path / "file", "fix:")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_database_that_is_none(project, tmp_path):
    (tmp_path / "notes.db").write_text("these are notes, not a database " * 50)
    ran = project("check", "--database", tmp_path / "notes.db")
    refused(ran, "[database-unreachable]", "notes.db", "fix:")


# --- commands out of order --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["check"], ["freeze"], ["train"], ["attribute", "--prompt", "x"], ["evaluate"], ["settle"], ["report"]]
)
def test_a_folder_that_is_no_project(words, project, tmp_path):
    events = [project.files / "events.csv"] if words == ["settle"] else []
    ran = byline(*words, *events, "--home", tmp_path / "none")
    refused(ran, "[no-home]", tmp_path / "none", "fix: byline register")
    assert not (tmp_path / "none").exists()


def test_train_before_freeze(files, tmp_path):
    write_csv(files / "works.csv", WORKS, GOOD)
    home = tmp_path / "new"
    assert byline("register", files / "works.csv", "--home", home).code == 0
    before = state_of(home)
    refused(byline("train", "--effort", "tiny", "--home", home), "[no-such-manifest]", "fix: byline freeze")
    assert state_of(home) == before


def test_works_that_are_too_short_to_train_on(files, tmp_path):
    (files / "short.txt").write_text("Four words, no more.", encoding="utf-8")
    write_csv(files / "works.csv", WORKS, ["short.txt", *GOOD[1:]])
    home = tmp_path / "new"
    assert byline("register", files / "works.csv", "--home", home).code == 0
    assert byline("freeze", "--home", home).code == 0
    before = state_of(home)
    refused(byline("train", "--effort", "tiny", "--home", home), "[no-text]", "32 tokens", "fix:")
    assert state_of(home) == before


@pytest.mark.parametrize(
    ("words", "missing", "fix"),
    [
        (["attribute", "--prompt", "x", "--name", "other"], None, "byline train --name other"),
        (["evaluate", "--name", "other"], None, "byline train --name other"),
        (["settle", "EVENTS"], "attribution.json", "byline attribute --name main"),
        (["settle", "EVENTS"], "evaluation.json", "byline evaluate --name main"),
        (["report"], "attribution.json", "byline attribute --name main"),
        (["report"], "evaluation.json", "byline evaluate --name main"),
        (["report"], "settlement.json", "byline settle EVENTS --name main"),
    ],
)
def test_a_command_before_the_one_that_it_builds_on(words, missing, fix, copy):
    if missing:
        (copy.home / "trainings" / "main" / missing).unlink()
    before = state_of(copy.home)
    events = write_events(copy.home.parent / "later.csv", (TOMORROW, "Model Co", "5.00", "EUR"))
    ran = copy(*[events if word == "EVENTS" else word for word in words])
    refused(ran, "[not-made-yet]", missing or "training.json", f"fix: {fix}")
    assert state_of(copy.home) == before


# --- train ------------------------------------------------------------------------------------------------------


def test_training_twice_under_one_name(unchanged):
    refused(unchanged("train", "--effort", "tiny"), "[run-exists]", unchanged.home / "runs" / "main", "--name")


def test_a_run_that_somebody_else_recorded_is_left_alone(copy):
    (copy.home / "runs" / "mine").mkdir()
    (copy.home / "runs" / "mine" / "manifest.json").write_text("precious")
    before = state_of(copy.home)
    refused(copy("train", "--effort", "tiny", "--name", "mine"), "[run-exists]", "mine")
    assert state_of(copy.home) == before and not (copy.home / "trainings" / "mine").exists()


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden"])
def test_a_name_that_would_leave_the_folder(name, unchanged):
    refused(unchanged("train", "--effort", "tiny", "--name", name), "[bad-name]", repr(name), "fix:")


def test_an_effort_and_a_base_that_do_not_exist(unchanged):
    refused(unchanged("train", "--effort", "huge"), "[unknown-effort]", "huge", "demo")
    refused(unchanged("train", "--effort", "tiny", "--base", "gone.txt"), "[no-file]", "gone.txt")


def test_a_training_that_fails_leaves_nothing(copy):
    (copy.home / "runs").rename(copy.home / "away")
    (copy.home / "runs").write_text("a file where the folder of runs should be")
    before = state_of(copy.home)
    refused(copy("train", "--effort", "tiny", "--name", "next"), "[file-system]", copy.home / "runs", "fix:")
    assert state_of(copy.home) == before and not (copy.home / "trainings" / "next").exists()


def test_a_training_that_was_killed_can_be_begun_again(copy, files):
    (files / "long.txt").write_text(prose("one two three four", 5, 60_000), encoding="utf-8")  # a second of training
    words = [PROGRAM, "train", "--effort", "tiny", "--name", "next", "--home", copy.home, "--base", files / "long.txt"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    folder = copy.home / "trainings" / "next"
    deadline = time.monotonic() + 60
    while not (folder / "recipe.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "recipe.json").exists() and not (folder / "training.json").exists()
    refused(copy("attribute", "--prompt", "x", "--name", "next"), "[not-made-yet]", "fix: byline train --name next")
    again = copy("train", "--effort", "tiny", "--name", "next", "--base", copy.files / "base.txt", "--json")
    assert again.code == 0 and again.last["examples"] == copy.ran["train"].last["examples"]
    assert copy("attribute", copy.files / "ask.txt", "--name", "next").code == 0


def test_two_trainings_of_one_name_at_a_time(copy):
    folder = copy.home / "trainings" / "next"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        refused(copy("train", "--effort", "tiny", "--name", "next"), "[train-busy]", folder, "fix:")
    finally:
        os.close(handle)


# --- attribute and a damaged run --------------------------------------------------------------------------------


def test_a_query_without_tokens(unchanged, files):
    (files / "empty.txt").write_text("")
    (files / "blank.txt").write_text(" \n\t ")
    (files / "latin.txt").write_bytes(b"caf\xe9")
    refused(unchanged("attribute", files / "empty.txt"), "[empty-query]", "empty.txt", "fix:")
    refused(unchanged("attribute", files / "blank.txt"), "[empty-query]", "blank.txt", "fix:")
    refused(unchanged("attribute", "--prompt", ""), "[empty-query]", "fix:")
    refused(unchanged("attribute", files / "latin.txt"), "[not-text]", "latin.txt", "byte 3")
    refused(unchanged("attribute", files / "gone.txt"), "[no-file]", "gone.txt")
    refused(unchanged("attribute"), "[no-passage]", "fix:")


def test_a_passage_of_marks_alone_is_no_fault(copy, files):
    (files / "table.txt").write_text("The river " + "- | " * 40)
    ran = copy("attribute", files / "table.txt", "--json")
    assert ran.code == 0 and len(ran.last["passages"]) > 2 and ran.last["passages"][-1]["overlaps"] == []


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def refuse_format(path):
    path.write_bytes(path.read_bytes().replace(b"byline-store/1", b"byline-store/7"))


DAMAGES = {
    "a byte of the features": ("shards/*.features.i8", flip, "wrong-digest"),
    "a byte of the scales": ("shards/*.scales.f32", flip, "wrong-digest"),
    "a byte of the rows": ("shards/*.rows.u32", flip, "wrong-digest"),
    "a byte of the ids": ("shards/*.ids.jsonl", flip, "wrong-digest"),
    "a byte of the log": ("shards/*.steps.jsonl", flip, "wrong-digest"),
    "the format of the run": ("manifest.json", refuse_format, "format-version"),
    "the end of the features": ("shards/*.features.i8", truncate, "wrong-size"),
    "the end of the manifest": ("manifest.json", truncate, "bad-manifest"),
    "no manifest": ("manifest.json", Path.unlink, "not-a-run"),
    "no features": ("shards/*.features.i8", Path.unlink, "missing-file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_refused_by_name(damage, copy):
    pattern, spoil, code = DAMAGES[damage]
    path = next((copy.home / "runs" / "main").glob(pattern))
    spoil(path)
    before = state_of(copy.home)
    refused(copy("attribute", copy.files / "ask.txt"), f"[{code}]", path)
    assert state_of(copy.home) == before


@pytest.mark.parametrize(
    "file", ["recipe.json", "tokenizer.json", "examples.jsonl", "tokens.safetensors", "final.safetensors"]
)
def test_a_damaged_training_is_refused_by_name(file, copy):
    path = copy.home / "trainings" / "main" / file
    path.write_bytes(path.read_bytes()[:-20])
    before = state_of(copy.home)
    refused(copy("attribute", copy.files / "ask.txt"), "[bad-training]", copy.home / "trainings" / "main", "fix:")
    assert state_of(copy.home) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"run": "x"}'])
@pytest.mark.parametrize(
    ("file", "words"), [("training", "attribute --prompt x"), ("evaluation", "settle"), ("settlement", "report")]
)
def test_what_was_kept_and_is_no_longer_what_was_written(content, file, words, copy):
    (copy.home / "trainings" / "main" / f"{file}.json").write_text(content)
    later = write_events(copy.home.parent / "later.csv", (TOMORROW, "Model Co", "5.00", "EUR"))
    ran = copy(*words.split(), *([later] if words == "settle" else []))
    refused(ran, "[unreadable]", f"{file}.json", "fix: make it again: byline")


# --- settle -----------------------------------------------------------------------------------------------------

EVENTS = {
    "a date that is none": ("soon,Model Co,5.00,EUR", ["events.csv:3", "[bad-event]", "'soon'"]),
    "a negative amount": (f"{TOMORROW},Model Co,-5.00,EUR", ["events.csv:3", "[bad-event]", "'-5.00'"]),
    "nothing": (f"{TOMORROW},Model Co,0,EUR", ["events.csv:3", "[bad-event]", "'0'"]),
    "no number": (f"{TOMORROW},Model Co,five,EUR", ["events.csv:3", "[bad-event]", "'five'"]),
    "not a number": (f"{TOMORROW},Model Co,NaN,EUR", ["events.csv:3", "[bad-event]", "'NaN'"]),
    "infinity": (f"{TOMORROW},Model Co,inf,EUR", ["events.csv:3", "[bad-event]", "'inf'"]),
    "too many decimals": (f"{TOMORROW},Model Co,5.0000000001,EUR", ["events.csv:3", "[bad-event]", "nine decimals"]),
    "too many digits": (f"{TOMORROW},Model Co,{'9' * 40},EUR", ["events.csv:3", "[bad-event]", "9999"]),
    "too much": (f"{TOMORROW},Model Co,9999999999,EUR", ["events.csv:3", "[bad-event]", "several events"]),
    "beyond any number": (f"{TOMORROW},Model Co,1e999999,EUR", ["events.csv:3", "[bad-event]", "1e999999"]),
    "no currency": (f"{TOMORROW},Model Co,5.00,", ["events.csv:3", "[bad-event]", "ISO 4217"]),
    "no licensee": (f"{TOMORROW},,5.00,EUR", ["events.csv:3", "[bad-event]", "licensee"]),
    "a cell too few": (f"{TOMORROW},Model Co,5.00", ["events.csv:3", "[bad-row]"]),
    "a cell too many": (f"{TOMORROW},Model Co,5.00,EUR,x", ["events.csv:3", "[bad-row]"]),
    "received before lambda was published": (f"{DAY},Model Co,5.00,EUR", ["[terms-too-late]", DAY]),
    "another currency": (f"{TOMORROW},Model Co,5.00,USD", ["[mixed-currencies]"]),
    "the same payment twice": (f"{TOMORROW},First Co,7.00,EUR", ["[duplicate-event]"]),
}


@pytest.mark.parametrize("case", EVENTS)
def test_one_bad_event_and_no_money_moves(case, files, unchanged):
    line, says = EVENTS[case]
    good = f"{TOMORROW},First Co,7.00,EUR"
    (files / "events.csv").write_text(f"received,licensee,amount,currency\n{good}\n{line}\n", encoding="utf-8")
    refused(unchanged("settle", files / "events.csv"), *says)


def test_events_that_are_no_table_of_events(files, unchanged):
    path = files / "events.csv"
    refused(unchanged("settle", path), "events.csv", "[missing-file]")
    path.write_bytes(b"received,licensee,amount,currency\n2026-01-01,Caf\xe9,5.00,EUR\n")
    refused(unchanged("settle", path), "events.csv", "[encoding]", "UTF-8")
    path.write_text("received,licensee,amount,currency\n")
    refused(unchanged("settle", path), "events.csv", "[no-events]")
    path.write_text("")
    refused(unchanged("settle", path), "events.csv", "[no-events]")
    path.write_text("received,licensee,sum,currency\n2026-01-01,Model Co,5.00,EUR\n")
    ran = unchanged("settle", path, "--json")
    refused(ran, "events.csv:1", "[missing-column]", "amount")
    assert {problem["code"] for problem in ran.last["problems"]} == {"unknown-column", "missing-column"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"commission_ppm": 2_000_000}, "commission_ppm is 2000000"),
        ({"commission_ppm": "10%"}, "commission_ppm"),
        ({"prior": "by-taste"}, "prior"),
        ({"effective": "soon"}, "effective"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_policy_that_is_none(change, says, files, unchanged):
    path, events = files / "policy.json", write_events(files / "events.csv", (TOMORROW, "Model Co", "5.00", "EUR"))
    path.write_text(json.dumps(STANDARD_POLICY.to_json() | change))
    refused(unchanged("settle", events, "--policy", path), "[no-policy]", path, says, "docs/money.md")


def test_a_policy_that_is_not_there_or_not_json(files, unchanged):
    path, events = files / "policy.json", write_events(files / "events.csv", (TOMORROW, "Model Co", "5.00", "EUR"))
    refused(unchanged("settle", events, "--policy", path), "[no-policy]", path)
    for content in (b"", b"{", b"[]", b"caf\xe9"):
        path.write_bytes(content)
        refused(unchanged("settle", events, "--policy", path), "[no-policy]", path)


def test_a_payment_that_was_settled_in_another_settlement(unchanged, files):
    path = write_events(
        files / "events.csv", (TOMORROW, "Model Co", "1000.00", "EUR"), (TOMORROW, "Second Co", "1.00", "EUR")
    )
    refused(unchanged("settle", path), "[event-settled]", "fix:")


# --- verify -----------------------------------------------------------------------------------------------------


@pytest.fixture
def statement(copy):
    return next((copy.home / "statements").rglob("*.json"))


def test_one_digit_changed(copy, statement):
    text = statement.read_text(encoding="utf-8")
    total = json.loads(text)["statement"]["total"]["nano"]
    statement.write_text(text.replace(f'"{total}"', f'"{int(total) + 1}"'), encoding="utf-8")
    ran = subprocess.run([PROGRAM, "verify", statement, "--home", copy.home], capture_output=True, text=True)
    assert ran.returncode == 1 and "The statement is refused. Changed: /statement/" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
    told = copy("verify", statement, "--json")
    assert told.code == 1 and told.last["ok"] is False and told.last["changed"].startswith("/statement/")


def test_a_statement_that_is_none(copy, statement):
    refused(copy("verify", copy.home / "gone.json"), "[no-document]", "gone.json", "fix:")
    for content in (b"", b"{", b"[]", b'{"statement": {}}', b"caf\xe9"):
        statement.write_bytes(content)
        ran = copy("verify", statement)
        assert ran.code == 1 and "FAIL shape" in ran.out and "refused" in ran.out


def test_another_key_and_no_key(copy, statement, files, tmp_path):
    write_csv(files / "works.csv", WORKS, GOOD)
    (tmp_path / "text.pub").write_text("not a key")
    refused(copy("verify", statement, "--key", tmp_path / "gone.pub"), "[no-key]", "gone.pub", "fix:")
    refused(copy("verify", statement, "--key", tmp_path / "text.pub"), "[bad-key]", "text.pub")
    refused(byline("verify", statement, "--home", tmp_path / "none"), "[no-key]", tmp_path / "none")
    from byline.disclosure import create_key

    create_key(tmp_path / "other", "byline.local/operator")
    ran = copy("verify", statement, "--key", tmp_path / "other" / "byline.pub")
    assert ran.code == 1 and "FAIL signature" in ran.out


# --- report and demo --------------------------------------------------------------------------------------------


def test_a_report_where_no_file_can_be(unchanged, tmp_path):
    refused(unchanged("report", "--to", tmp_path), tmp_path, "fix:")


@pytest.mark.parametrize("marker", [None, "{}", "mine", '{"made by": "byline demo"}'])
def test_the_demo_deletes_nothing_that_it_did_not_make(marker, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    if marker:
        (tmp_path / "demo.json").write_text(marker)
    before = state_of(tmp_path)
    refused(byline("demo", "--home", tmp_path, "--effort", "tiny"), "[not-a-demo]", tmp_path, "--home")
    assert state_of(tmp_path) == before


def test_the_demo_leaves_a_project_and_a_file_alone(unchanged, tmp_path):
    refused(unchanged("demo", "--effort", "tiny"), "[not-a-demo]", unchanged.home)
    (tmp_path / "file").write_text("mine")
    refused(byline("demo", "--home", tmp_path / "file", "--effort", "tiny"), tmp_path / "file", "fix:")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unknown_effort_does_not_touch_an_earlier_demo(tmp_path):
    (tmp_path / "demo.json").write_text('{"made by": "byline demo"}')
    before = state_of(tmp_path)
    refused(byline("demo", "--home", tmp_path, "--effort", "huge"), "[unknown-effort]")
    assert state_of(tmp_path) == before


def test_a_real_process_shows_no_traceback(tmp_path):
    ran = subprocess.run([PROGRAM, "register", "gone.csv", "--home", tmp_path / "new"], capture_output=True, text=True)
    assert ran.returncode == 1 and "gone.csv" in ran.stderr and "Traceback" not in ran.stderr
    assert not (tmp_path / "new").exists()
