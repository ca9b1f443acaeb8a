import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import DisclosureError, leaf_hash, merkle_root, sha256_hex, verify_consistency, verify_inclusion
from byline.disclosure import Log, create_key, entry_bytes, entry_hash, read_checkpoint

APPENDER = """
import sys
from pathlib import Path
from byline.core import sha256_hex
from byline.disclosure import Log
log = Log(Path(sys.argv[1]))
print("ready", flush=True)
for i in range(int(sys.argv[2])):
    log.append("statement", sha256_hex(str(i).encode()))
    print(i, flush=True)
"""


@pytest.fixture
def key(tmp_path):
    return create_key(tmp_path / "keys", "byline.example/log")


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "log")


def fill(log, count):
    for i in range(count):
        log.append("statement", sha256_hex(str(i).encode()))


def test_a_leaf_is_the_rfc6962_hash_of_canonical_json(log):
    assert log.append("statement", "ab" * 32) == 0
    assert log.append("filing", "cd" * 32) == 1
    first = leaf_hash(b'{"digest":"' + b"ab" * 32 + b'","type":"statement"}')
    assert log.leaves() == [first, entry_hash("filing", "cd" * 32)]
    assert (log.folder / "leaves").read_text().splitlines()[0] == f"{first.hex()} statement {'ab' * 32}"


def test_lines_of_an_older_byline_are_read_and_added_to(log):
    old = entry_hash("statement", "ab" * 32)
    log.folder.mkdir()
    (log.folder / "leaves").write_text(f"{old.hex()} statement\n")
    assert log.append("filing", "cd" * 32) == 1
    assert log.leaves() == [old, entry_hash("filing", "cd" * 32)]
    assert [leaf.entry() for leaf in log.entries()] == [None, entry_bytes("filing", "cd" * 32)]


def test_many_leaves_stand_side_by_side(log):
    assert log.append_all("opt-out", [sha256_hex(bytes([i])) for i in range(5)]) == 0
    assert log.append_all("opt-out", []) == 5
    assert log.append_all("claim", ["ab" * 32, "cd" * 32]) == 5
    assert [leaf.kind for leaf in log.entries()] == ["opt-out"] * 5 + ["claim"] * 2


@pytest.mark.parametrize("digest", ["", "two words", "line\nline", "é"])
def test_digests_that_would_break_the_file(log, digest):
    with pytest.raises(DisclosureError) as fault:
        log.append("statement", digest)
    assert fault.value.code == "bad-leaf"


def test_a_checkpoint_is_a_signed_note(log, key):
    fill(log, 5)
    note = log.checkpoint(key)
    assert (log.folder / "checkpoint").read_text() == note
    origin, size, _, blank, line, end = note.split("\n")
    assert (origin, size, blank, end) == ("byline.example/log", "5", "", "")
    assert line.startswith("— byline.example/log ")
    checkpoint = read_checkpoint(note, key.public)
    assert (checkpoint.size, checkpoint.root) == (5, merkle_root(log.leaves()))


def test_a_checkpoint_of_another_key_is_none(log, key, tmp_path):
    fill(log, 2)
    note = log.checkpoint(key)
    other = create_key(tmp_path / "other", "byline.example/log")
    assert read_checkpoint(note, other.public) is None
    assert read_checkpoint(note.replace("\n2\n", "\n3\n"), key.public) is None
    assert read_checkpoint(note.replace("\n2\n", "\n02\n"), key.public) is None
    assert read_checkpoint(note + "\n", key.public) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.data())
def test_I26_inclusion_and_consistency_hold_between_any_two_sizes(tmp_path_factory, size, data):
    log = Log(tmp_path_factory.getbasetemp() / "shared-log")
    if len(log.leaves()) < 40:
        fill(log, 40)
    leaves = log.leaves()
    old = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, size - 1))
    root = merkle_root(leaves[:size])
    assert verify_inclusion(leaves[index], index, size, log.inclusion(index, size), root)
    assert verify_consistency(old, merkle_root(leaves[:old]), size, root, log.consistency(old, size))


def test_I26_a_rewritten_log_is_not_signed_again(log, key):
    fill(log, 4)
    log.checkpoint(key)
    path = log.folder / "leaves"
    for forged in (
        path.read_text().splitlines(keepends=True)[:3],
        [path.read_text().splitlines(keepends=True)[i] for i in (1, 0, 2, 3)],
    ):
        path.write_text("".join(forged))
        with pytest.raises(DisclosureError) as fault:
            log.checkpoint(key)
        assert fault.value.code == "log-rewritten"


def test_a_torn_last_line_was_never_there(log, key):
    fill(log, 3)
    whole = (log.folder / "leaves").read_bytes()
    for cut in range(1, 75):
        (log.folder / "leaves").write_bytes(whole + b"0" * cut)
        assert len(log.leaves()) == 3
    log.append("statement", "ef" * 32)
    assert (log.folder / "leaves").read_bytes() == whole + f"{log.leaves()[3].hex()} statement {'ef' * 32}\n".encode()
    assert read_checkpoint(log.checkpoint(key), key.public).size == 4


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"zz" * 32 + b" statement\n",
        b"ab" * 32 + b"\n",
        b"ab" * 31 + b" x\n",
        b"ab" * 32 + b" statement " + b"cd" * 32 + b"\n",  # a leaf under another document's digest
        b"ab" * 32 + b" statement " + b"cd" * 32 + b" more\n",
    ],
)
def test_a_broken_line_inside_is_corruption(log, line):
    fill(log, 1)
    with (log.folder / "leaves").open("ab") as file:
        file.write(line)
    with pytest.raises(DisclosureError, match="leaves:2") as fault:
        log.leaves()
    assert fault.value.code == "log-corrupt"


@pytest.mark.parametrize("kind", ["", "two words", "line\nline", "é"])
def test_kinds_that_would_break_the_file(log, kind):
    with pytest.raises(DisclosureError) as fault:
        log.append(kind, "ab" * 32)
    assert fault.value.code == "bad-leaf"
    assert log.leaves() == []


def test_two_processes_append_without_losing_a_leaf(log):
    """Both wait at a lock until both are there, so that they really run at once."""
    log.folder.mkdir()
    command = [sys.executable, "-c", APPENDER, str(log.folder), "200"]
    with (log.folder / "leaves").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
        time.sleep(0.1)
        assert log.leaves() == []
    assert [process.communicate()[0].count("\n") for process in processes] == [200, 200]
    expected = [entry_hash("statement", sha256_hex(str(i).encode())) for i in range(200)] * 2
    assert sorted(log.leaves()) == sorted(expected)


def test_a_killed_process_leaves_every_leaf_it_reported(log, key):
    for delay in (0.0, 0.02, 0.05):
        before = len(log.leaves())
        command = [sys.executable, "-c", APPENDER, str(log.folder), "100000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        reported = 1 + len(process.stdout.read().splitlines())
        process.wait()
        process.stdout.close()
        assert reported <= len(log.leaves()) - before <= reported + 1
    assert read_checkpoint(log.checkpoint(key), key.public).size == len(log.leaves())
