"""The guard: figures by for-loops, and the same report however the output is cut into fragments."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LookupFault, WorkId
from byline.lookup import STANDARD, Action, CorpusIndex, Guard, GuardPolicy, GuardReport, Limits, read_policy, words

LOOSE = GuardPolicy(
    name="loose",
    least_run=2,
    hold_back=3,
    window_words=4,
    works=Limits(4, 500_000, 5, 700_000, 4, Action.FLAG),
    opted_out=Limits(3, 300_000, 6, 0, 0, Action.BLOCK),
)
WORKS = {
    WorkId("work:0"): "a b c d e f g",
    WorkId("work:1"): "Don't stop; 猫と犬 cafe\u0301 a b c a b d",
    WorkId("work:2"): "",
}
NO = {WorkId("work:n"): "b c d a a 猫 d c b a"}


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    made = []
    for works in (WORKS, NO):
        index = CorpusIndex(tmp_path_factory.mktemp("g") / "i", works.__getitem__)
        index.add(works.items())
        made.append(index)
    return made


PARTS = ["a ", "b ", "c, ", "d ", "e\u0301", "don", "'t ", "猫", "と", "\u200b", "’", ".", "  ", "\u0301", "f g", "x"]
OUTPUTS = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def streamed(guard, fragments):
    """(report, what was shown while it ran and at its end)"""
    stream, shown = guard.stream(), ""
    for fragment in fragments:
        shown += stream.push(fragment)
    report = stream.close()
    return report, shown + stream.rest


def cut(text, lengths):
    fragments, at = [], 0
    for length in lengths:
        fragments.append(text[at : at + length])
        at += length
    return [*fragments, text[at:]]


@settings(max_examples=300, deadline=None)
@given(OUTPUTS, st.lists(st.integers(0, 6)), st.booleans())
def test_fragments_change_nothing(indexes, text, lengths, with_no):
    guard = Guard(indexes[0], indexes[1] if with_no else None, LOOSE)
    whole = guard.check(text)
    report, shown = streamed(guard, cut(text, lengths))
    assert report == whole == GuardReport.from_json(json.loads(json.dumps(whole.to_json())))
    assert shown == text[: whole.released]
    assert (whole.released == len(text)) or whole.action is Action.BLOCK


def slow_lengths(text, works):
    """For each word the longest run that ends with it and stands in a work, 0 below LOOSE.least_run."""
    asked = [word for word, _, _ in words(text)]
    texts = [[word for word, _, _ in words(work)] for work in works.values()]
    lengths = []
    for end in range(1, len(asked) + 1):
        runs = (asked[start:end] for start in range(end))
        stands = [len(r) for r in runs if any(t[i : i + len(r)] == r for t in texts for i in range(len(t)))]
        lengths.append(max((n for n in stands if n >= LOOSE.least_run), default=0))
    return asked, lengths


@settings(max_examples=200, deadline=None)
@given(OUTPUTS)
def test_figures_equal_brute_force(indexes, text):
    report = Guard(indexes[0], indexes[1], LOOSE).check(text)
    for found, works in ((report.works, WORKS), (report.opted_out, NO)):
        asked, lengths = slow_lengths(text, works)
        covered = {place for end, length in enumerate(lengths) for place in range(end + 1 - length, end + 1)}
        assert (found.longest.words if found.longest else 0) == max(lengths, default=0)
        assert found.covered_words == len(covered)
        assert found.covered_ppm == len(covered) * 1_000_000 // max(1, len(asked))
    block = next((end + 1 for end, length in enumerate(slow_lengths(text, NO)[1]) if length >= 3), None)
    runs = [reason.at_word for reason in report.reasons if (reason.of, reason.limit) == ("opted_out", "run_words")]
    assert runs == ([block] if block else [])


def test_a_blocked_run_is_never_shown(indexes):
    text = "Once there was one who wrote: b c d, and so on."
    guard = Guard(indexes[0], indexes[1], LOOSE)
    for fragments in (list(text), [text], text.split(" "), cut(text, [7] * 9)):
        if fragments == text.split(" "):
            fragments = [word + " " for word in fragments]
        report, shown = streamed(guard, fragments)
        assert report.action is Action.BLOCK and shown == "Once there was one who wrote: "
        assert report.opted_out.longest.places[0].work == "work:n"


def test_a_longer_run_elsewhere_hides_no_opted_out_work(tmp_path):
    own = " ".join(f"w{i}" for i in range(20))
    corpus = CorpusIndex(tmp_path / "c", {WorkId("work:0"): f"x {own} y"}.__getitem__)
    corpus.add([(WorkId("work:0"), f"x {own} y")])
    out = CorpusIndex(tmp_path / "o", {WorkId("work:n"): own}.__getitem__)
    out.add([(WorkId("work:n"), own)])
    report = Guard(corpus, out).check(f"x {own} y")
    assert (report.works.longest.words, report.opted_out.longest.words, report.action) == (22, 20, Action.BLOCK)


def prose(seed, count, vocabulary=4000):
    draw = random.Random(seed)
    return " ".join(f"v{draw.randrange(vocabulary)}" for _ in range(count))


def test_a_near_copy_without_long_runs_is_seen(tmp_path):
    works = {WorkId(f"work:{seed}"): prose(seed, 2000) for seed in range(4)}
    index = CorpusIndex(tmp_path / "i", works.__getitem__)
    index.add(works.items())
    own = works[WorkId("work:2")].split()[700:900]
    edited = " ".join("edited" if place % 7 == 3 else word for place, word in enumerate(own))
    report = Guard(CorpusIndex(tmp_path / "none", str), index).check(f"{prose(9, 40)} {edited}")
    assert report.opted_out.longest is None and report.action is Action.BLOCK  # runs of six words: below the least
    (reason,) = report.reasons
    assert reason.limit == "near_ppm" and 800_000 <= reason.measured <= 900_000
    near = report.opted_out.nearest
    assert near.work == "work:2" and near.same_words >= STANDARD.opted_out.near_words
    copied = works[WorkId("work:2")][near.work_start : near.work_end].split()
    assert len(set(own) & set(copied)) >= 24
    assert Guard(CorpusIndex(tmp_path / "none", str), index).check(prose(77, 500)).action is Action.PASS


def test_endless_output_without_words_is_let_through(indexes):
    report, shown = streamed(Guard(*indexes, LOOSE), [" .\u0301"] * 3000)
    assert (report.words, report.action, shown) == (0, Action.PASS, " .\u0301" * 3000)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hold_back": 2}, "holds back 2"),
        ({"least_run": 0}, "shortest run"),
        ({"least_run": 4}, "below least_run"),
        ({"works": Limits(4, -1, 5, 0, 0, Action.FLAG)}, "below 0"),
    ],
)
def test_a_policy_that_cannot_do_what_it_says_is_refused(indexes, change, says):
    policy = GuardPolicy(**{name: getattr(LOOSE, name) for name in LOOSE.__slots__} | change)
    with pytest.raises(LookupFault, match=says) as fault:
        Guard(*indexes, policy)
    assert fault.value.code == "bad-policy" and fault.value.fix


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps(STANDARD.to_json() | {"more": 1})])
def test_a_file_that_is_no_policy_is_refused(tmp_path, content):
    path = tmp_path / "policy.json"
    path.write_text(content)
    with pytest.raises(LookupFault) as fault:
        read_policy(path)
    assert fault.value.code == "bad-policy" and '"hold_back"' in fault.value.fix


def test_the_standard_policy_reads_back(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(STANDARD.to_json()))
    assert read_policy(path) == STANDARD
