"""Fingerprints on disk: added to and never rewritten, whole or not there, and honest about what could not be read."""

import fcntl
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LookupFault
from byline.lookup import MediaFolder, MediaFormat, forget, media_folder


def make(content, name):
    if content == b"bad":
        raise LookupFault("bad-image", f"{name} cannot be read", "")
    if content == b"missing":
        raise LookupFault("lookup-missing", "no program", "")
    return int(content)


FORM = MediaFormat("test/1", make, lambda numbers: {"numbers": np.array(numbers, np.int64)}, "bad-image")


def opened(path):
    return MediaFolder(path, FORM)


def kept(folder):
    return {key: int(n) for s in folder.segments for key, n in zip(s.keys, s.arrays["numbers"], strict=True)}


@settings(max_examples=25, deadline=None)
@given(calls=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=5), each=st.integers(1, 4))
def test_any_order_of_adding_keeps_each_once_and_no_old_segment_is_changed(tmp_path_factory, calls, each):
    path = tmp_path_factory.mktemp("index") / "x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_folder, "EACH", each)
        wanted, before = set(), {}
        for call in calls:
            opened(path).add([str(n) for n in call], str.encode)
            wanted |= {str(n) for n in call}
            now = {s.path.name: (s.path / "numbers.npy").read_bytes() for s in opened(path).segments}
            assert all(now.get(name, content) == content for name, content in before.items())  # as it was, or gone
            before = now
        assert kept(opened(path)) == {key: int(key) for key in wanted}
        assert all(len(s.keys) <= each for s in opened(path).segments) and opened(path).problems() == []


def test_a_killed_build_is_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(media_folder, "EACH", 2)
    asked = []

    def content(key):
        asked.append(key)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return key.encode()

    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path).add(list("12345"), content)
    (tmp_path / "segment-000002.part").mkdir()
    assert kept(opened(tmp_path)) == {"1": 1, "2": 2}
    asked[:] = [""] * 9
    assert opened(tmp_path).add(list("12345"), content) == 3 and asked[9:] == list("345")
    assert kept(opened(tmp_path)) == {str(n): n for n in range(1, 6)} and not list(tmp_path.glob("*.part"))


def test_what_cannot_be_read_is_noted_and_not_tried_again(tmp_path):
    contents = {"a": b"1", "b": b"bad"}
    counts = []
    assert opened(tmp_path).add(contents, contents.__getitem__, counts.append) == 1 and counts == [1, 2]
    again = opened(tmp_path)
    assert again.unread == {"b": "b cannot be read"} and again.keys == {"a"}
    contents["b"] = b"2"
    assert again.add(contents, contents.__getitem__) == 0
    forget(tmp_path)
    assert opened(tmp_path).add(contents, contents.__getitem__) == 2
    (tmp_path / "unread.json").write_text("{")
    assert opened(tmp_path).unread == {}


def test_a_missing_program_ends_it_and_notes_nothing(tmp_path):
    with pytest.raises(LookupFault) as fault:
        opened(tmp_path).add(["a"], lambda key: b"missing")
    assert fault.value.code == "lookup-missing" and opened(tmp_path).unread == {} == kept(opened(tmp_path))


def test_damage_is_told(tmp_path):
    opened(tmp_path).add(["1", "2"], str.encode)
    segment = tmp_path / "segment-000001"
    whole = (segment / "numbers.npy").read_bytes()
    (segment / "numbers.npy").write_bytes(whole[:-1] + b"\7")
    assert [p.code for p in opened(tmp_path).problems()] == ["bad-segment"]
    for name, content in (("numbers.npy", whole[:20]), ("segment.json", b"{}"), ("keys.txt", b"\xff")):
        before = (segment / name).read_bytes()
        (segment / name).write_bytes(content)
        with pytest.raises(LookupFault) as fault:
            opened(tmp_path)
        assert fault.value.code == "bad-index"
        (segment / name).write_bytes(before)
    other = MediaFormat("test/2", FORM.make, FORM.lay_out, "bad-image")
    with pytest.raises(LookupFault, match="test/2"):
        MediaFolder(tmp_path, other)


def test_one_builds_at_a_time(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(LookupFault) as fault:
        opened(tmp_path).add(["1"], str.encode)
    os.close(handle)
    assert fault.value.code == "index-busy" and opened(tmp_path).add(["1"], str.encode) == 1


def test_small_segments_are_joined_and_killed_joins_leave_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr(media_folder, "EACH", 16)
    for n in range(media_folder.SMALL - 1):
        opened(tmp_path).add([str(n)], str.encode)
    before = opened(tmp_path)  # a reader that goes on with the old segments
    assert len(before.segments) == media_folder.SMALL - 1
    cleared = MediaFolder._clear
    monkeypatch.setattr(MediaFolder, "_clear", lambda self: None)  # killed after the rename
    opened(tmp_path).add(["99"], str.encode)
    assert len(list(tmp_path.glob("segment-*"))) == media_folder.SMALL + 1
    everything = {str(n): n for n in [*range(media_folder.SMALL - 1), 99]}
    assert kept(opened(tmp_path)) == everything and len(opened(tmp_path).segments) == 1
    monkeypatch.setattr(MediaFolder, "_clear", cleared)
    opened(tmp_path).add(["50"], str.encode)
    assert len(list(tmp_path.glob("segment-*"))) == 2 and kept(opened(tmp_path)) == everything | {"50": 50}
    assert opened(tmp_path).problems() == [] and kept(before) == {k: n for k, n in everything.items() if n != 99}


def test_a_segment_that_is_joined_while_the_folder_is_read_is_no_damage(tmp_path, monkeypatch):
    opened(tmp_path).add(["1"], str.encode)
    opened(tmp_path).add(["2"], str.encode)
    whole, met = MediaFolder._segment, []

    def gone(self, path):
        if not met:
            met.append(path)
            (tmp_path / "segment-000002").rename(tmp_path / "segment-000003")
        return whole(self, path)

    monkeypatch.setattr(MediaFolder, "_segment", gone)
    assert kept(opened(tmp_path)) == {"1": 1, "2": 2}


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=4))
def test_rows_stand_where_the_ends_say_after_joining(parts):
    def arrays(sizes):
        return {"rows": np.repeat(np.arange(len(sizes)), sizes), "ends": np.cumsum([0, *sizes])}

    sizes = [size for part in parts for size in part]
    told = media_folder.joined([arrays(part) for part in parts])
    assert np.diff(told["ends"]).tolist() == sizes and len(told["rows"]) == sum(sizes) and told["ends"][0] == 0
