"""The index on disk: what it finds equals a search by for-loops, whatever was added, removed, killed or damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LookupFault, WorkId
from byline.lookup import CorpusIndex, Verbatim, layout, most_telling, ranked_works, telling, verbatim, words
from byline.lookup import build as building
from byline.lookup.runs import Runs
from byline.lookup.segment import Segment

TEXTS = st.lists(st.sampled_from(["a", "B", "c,", "(d)", "猫犬", "e\u0301"]), max_size=25).map(" ".join)


def names(text):
    return [word for word, _, _ in words(text)]


def made(folder, texts, *batches):
    """An index of the texts, added in batches of so many works."""
    index = CorpusIndex(folder / "index", texts.__getitem__)
    items = list(texts.items())
    for size in batches:
        index.add(items[:size])
    index.add(items)
    return index


def slow_runs(texts, asked, least):
    """(first, words) of every run that stands in a text and in no longer such run, by trying them all."""

    def stands(run):
        return any(text[i : i + len(run)] == run for text in texts for i in range(len(text) - len(run) + 1))

    found = []
    for i in range(len(asked)):
        longest = next((j for j in range(len(asked), i + least - 1, -1) if stands(asked[i:j])), None)
        if longest is not None and not any(a <= i and longest <= a + n for a, n in found):
            found.append((i, longest - i))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=5),
    TEXTS.filter(words),
    st.integers(1, 9),
    st.sets(st.integers(0, 4)),
    st.integers(0, 4),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_runs_equal_brute_force(tmp_path_factory, texts, query, least, gone, first, cuts):
    works = {WorkId(f"work:{i}"): text for i, text in enumerate(texts)}
    index = made(tmp_path_factory.mktemp("t"), works, first)
    removed = {WorkId(f"work:{i}") for i in gone} & set(works)
    assert index.remove(removed) == len(removed) and index.works == set(works) - removed
    left = [names(text) for work, text in works.items() if work not in removed]
    runs, asked, found, at = Runs(index.segments, least), names(query), [], 0
    for cut in [*cuts, len(asked)]:  # words one by one or many at a time
        found += runs.push(asked[at : at + cut])
        at += cut
    assert sorted(found + runs.close()) == slow_runs(left, asked, least)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS.filter(words), st.integers(1, 4))
def test_passages_point_into_the_texts_as_they_were(tmp_path_factory, texts, query, least):
    works = {WorkId(f"work:{i}"): text for i, text in enumerate(texts)}
    index = made(tmp_path_factory.mktemp("t"), works, 2)
    for found in verbatim(index, query, least):
        run = names(query[found.start : found.end])
        holders = [
            work for work, text in works.items() if (" " + " ".join(run) + " ") in " " + " ".join(names(text)) + " "
        ]
        assert len(run) == found.words and found.works == len(holders) and found.log_probability <= 0
        assert {place.work for place in found.places} == set(holders)
        assert all(names(works[place.work][place.start : place.end]) == run for place in found.places)
        assert Verbatim.from_json(found.to_json()) == found


def test_rare_words_have_two_codes(tmp_path, monkeypatch):
    """Beyond 57,342 distinct words a word is two codes; runs neither begin nor end inside one."""
    many = " ".join(f"w{i:x} common" for i in range(layout.SINGLE + 5000))
    works = {WorkId("work:a"): many, WorkId("work:b"): "w5 common wdeadbeef " * 3}
    index = made(tmp_path, works)
    last = f"common w{layout.SINGLE + 4999:x} common"
    (found,) = verbatim(index, f"something {last} else", 2)
    (place,) = found.places
    assert (found.words, place.work, many[place.start : place.end]) == (3, "work:a", last)
    segment = index.segments[0]
    assert len(segment.tokens) > segment.words + 2
    ranks = layout.decode(segment.tokens[1:])
    assert len(ranks) == segment.words + 1 and ranks.min() == -1  # the break between the two works


@given(st.lists(st.integers(0, layout.MOST_WORDS - 1) | st.integers(layout.SINGLE - 3, layout.SINGLE + 3)))
def test_codes_round_trip(ranks):
    codes, places = layout.encode(np.array(ranks, np.uint32))
    assert layout.decode(codes).tolist() == ranks
    assert codes.tobytes() == b"".join(map(layout.code, ranks))
    assert [layout.rank(layout.code(rank)) for rank in ranks] == ranks
    assert np.flatnonzero(layout.begins_word(codes)).tolist() == places.tolist()
    assert 0 not in codes and layout.BREAK not in codes


@given(st.lists(st.integers(0, 5), max_size=40), st.sampled_from([1, 2, 4, 8]))
def test_every_window_keeps_its_least_hash(hashes, window):
    kept = layout.winnow(np.array(hashes, np.uint64), window).tolist()
    expected = set()
    for i in range(len(hashes) - window + 1):
        part = hashes[i : i + window]
        expected.add(i + part.index(min(part)))
    assert kept == sorted(expected)


def test_a_segment_is_what_infini_gram_reads(tmp_path):
    """tokenized, table, offset: a break before each work, byte offsets, suffixes in the order of their bytes."""
    index = made(tmp_path, {WorkId("work:a"): "a b a a b c", WorkId("work:b"): "c a"})
    folder = index.segments[0].path
    data = (folder / "tokenized.0").read_bytes()
    assert np.frombuffer(data, "<u2").tolist() == [65535, 1, 2, 1, 1, 2, 3, 65535, 3, 1]
    table = np.fromfile(folder / "table.0", "<u4").tolist()
    assert table == sorted(range(0, len(data), 2), key=lambda at: data[at:])
    assert np.fromfile(folder / "offset.0", "<u8").tolist() == [0, 14]


def test_adding_removing_and_adding_again(tmp_path):
    works = {WorkId(f"work:{i}"): f"one two three four work {'x' * i}" for i in range(4)}
    index = made(tmp_path, works, 2)
    assert (index.size.segments, index.size.works, index.add(works.items())) == (2, 4, 0)
    before = {path: path.read_bytes() for path in index.path.rglob("*") if path.name != "index.json" and path.is_file()}
    assert index.remove([WorkId("work:1"), WorkId("work:9")]) == 1 and index.size.removed == 1
    assert verbatim(index, "one two three four work x", 6) == []
    assert verbatim(index, "one two three four work xx", 6)[0].places[0].work == "work:2"
    assert all(path.read_bytes() == content for path, content in before.items())  # segments are never changed
    assert index.add(works.items()) == 1 and index.size.segments == 3
    assert verbatim(index, "one two three four work x", 6)[0].places[0].work == "work:1"
    again = CorpusIndex(index.path, works.__getitem__)
    assert again.works == set(works)
    assert again.rebuild(works.items()) == 4 and (again.size.segments, again.size.removed) == (1, 0)
    assert sorted(path.name for path in index.path.iterdir()) == ["index.json", "segment-000004"]


def test_a_full_segment_is_closed_behind_its_work(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "SEGMENT_WORDS", 10)
    works = {WorkId(f"work:{i}"): "a b c d e f" for i in range(5)}
    index = made(tmp_path, works)
    assert [len(segment.works) for segment in index.segments] == [2, 2, 1]
    assert verbatim(index, "a b c d e f", 6)[0].works == 5


KILLED = """
import sys, time
from pathlib import Path
from byline.lookup import CorpusIndex, build
build.SEGMENT_WORDS = 5
def works():
    yield "work:0", "a b c d e f"
    yield "work:1", "g h i j k l"
    print("ready", flush=True)
    time.sleep(60)
CorpusIndex(Path(sys.argv[1]), str).add(works())
"""


def test_a_killed_build_loses_no_closed_segment_and_leaves_nothing(tmp_path):
    code = textwrap.dedent(KILLED)
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "i")], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    with pytest.raises(LookupFault) as fault:  # while it lives, nobody else writes
        CorpusIndex(tmp_path / "i", str).add([("work:9", "x y z")])
    assert fault.value.code == "index-busy"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    left = tmp_path / "i" / "segment-000003.part"
    left.mkdir()
    (left / "table.0").write_bytes(b"half")
    shutil.copytree(tmp_path / "i" / "segment-000001", tmp_path / "i" / "segment-000007")  # whole, but never listed
    texts = {"work:0": "a b c d e f", "work:1": "g h i j k l", "work:2": "m n o"}
    index = CorpusIndex(tmp_path / "i", texts.__getitem__)
    assert index.works == {"work:0", "work:1"}
    assert index.add(texts.items()) == 1 and index.works == set(texts)
    assert len([path for path in index.path.iterdir() if path.is_dir()]) == 3


def test_a_fault_while_building_changes_nothing(tmp_path):
    texts = {WorkId("work:0"): "a b c"}
    index = made(tmp_path, texts)

    def broken():
        yield WorkId("work:1"), "d e f"
        raise RegistryGone

    with pytest.raises(RegistryGone):
        index.add(broken())
    with pytest.raises(RegistryGone):
        index.rebuild(broken())
    assert index.works == CorpusIndex(index.path, texts.__getitem__).works == {"work:0"}
    assert verbatim(index, "a b c", 3)


class RegistryGone(Exception): ...


@pytest.mark.parametrize("name", [*layout.ARRAYS, "works.txt", "segment.json"])
def test_damage_is_seen(tmp_path, name):
    texts = {WorkId("work:0"): "a b c d e f g h i j k l m n o p q r s t u v w x y z"}
    index = made(tmp_path, texts)
    file = index.segments[0].path / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    if name != "segment.json":
        (problem,) = CorpusIndex(index.path, texts.__getitem__).problems()
        assert problem.at.file == str(file)
    file.write_bytes(content[:-1])
    with pytest.raises(LookupFault) as fault:
        CorpusIndex(index.path, texts.__getitem__)
    assert fault.value.code == "bad-segment" and "--again" in fault.value.fix


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "other", "segments": [], "removed": {}}'])
def test_a_damaged_list_is_seen(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(LookupFault) as fault:
        CorpusIndex(tmp_path, str)
    assert fault.value.code == "bad-index"


def test_a_text_that_is_not_the_indexed_one_is_not_quoted(tmp_path):
    texts = {WorkId("work:0"): "a b c d e f g h"}
    index = made(tmp_path, texts)
    texts[WorkId("work:0")] = "a b c x e f g h"
    with pytest.raises(LookupFault) as fault:
        verbatim(index, "a b c d e f g h")
    assert fault.value.code == "index-differs"


def test_an_empty_index_finds_nothing(tmp_path):
    index = CorpusIndex(tmp_path / "none", str)
    assert verbatim(index, "a b c d e f g h i") == [] and not (tmp_path / "none").exists()
    index.add([(WorkId("work:0"), ""), (WorkId("work:1"), "... --")])
    assert verbatim(index, "a b c d e f g h i") == [] and index.size.words == 0


def test_questions_that_cannot_be_asked(tmp_path):
    index = CorpusIndex(tmp_path / "none", str)
    for query, least, code in (("?!", 8, "empty-query"), ("a", 0, "run-too-short")):
        with pytest.raises(LookupFault) as fault:
            verbatim(index, query, least)
        assert fault.value.code == code


def test_without_the_package_it_is_said_and_no_no(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydivsufsort", None)
    index = CorpusIndex(tmp_path / "i", str)
    with pytest.raises(LookupFault) as fault:
        index.add([(WorkId("work:0"), "a b c")])
    assert fault.value.code == "lookup-missing" and fault.value.fix == "pip install 'byline[lookup]'"
    assert not list((tmp_path / "i").iterdir())


def test_the_unusual_passage_comes_first(tmp_path):
    common = "the and of to in a that it "
    works = {WorkId(f"work:{i}"): common * 30 for i in range(3)}
    works[WorkId("work:own")] = "bioluminescent jellyfish pulse beneath quiet harbours every warm midsummer evening"
    index = made(tmp_path, works)
    text = f"{common * 2} unknown {works[WorkId('work:own')]}"
    found = verbatim(index, text)
    assert [each.words for each in found] == [16, 10]
    assert most_telling(found, 27)[0].places[0].work == "work:own"
    assert len(most_telling(found * 10, 240)) == 12  # five per hundred words
    assert ranked_works(found, text, works.__getitem__)[0] == "work:own"
    assert [telling(each, 100) for each in found] == [True, False] and telling(found[1], 20)


def test_names_of_segments_never_come_back(tmp_path):
    """A reader that opened the list before a rebuild must not find another segment under an old name."""
    texts = {WorkId("work:0"): "a b c"}
    index = made(tmp_path, texts)
    first = json.loads((index.path / "index.json").read_text())["segments"]
    index.rebuild(texts.items())
    assert not set(first) & set(json.loads((index.path / "index.json").read_text())["segments"])
    assert isinstance(index.segments[0], Segment)
