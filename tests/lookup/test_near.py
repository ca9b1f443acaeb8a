import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPM, LookupFault, WorkId
from byline.lookup import CorpusIndex, NearMatch, near_matches, words
from byline.lookup.build import GRAM, WINDOW
from byline.lookup.near import LEAST_PPM, LEAST_WORDS


def prose(seed, count, vocabulary=3000):
    draw = random.Random(seed)
    return " ".join(f"v{draw.randrange(vocabulary)}" for _ in range(count))


WORKS = {WorkId(f"work:{seed}"): f"Title {seed}!\n\n{prose(seed, 1500)}" for seed in range(6)}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    made = CorpusIndex(tmp_path_factory.mktemp("n") / "i", WORKS.__getitem__)
    made.add(list(WORKS.items())[:3])
    made.add(WORKS.items())
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 5), st.integers(10, 1300), st.integers(60, 150), st.sampled_from([14, 17, 25]), st.integers(0, 99)
)
def test_an_edited_passage_is_found_and_measured(index, work, start, count, every, seed):
    """Words are replaced, dropped and inserted, twelve and more apart, so that fingerprints are shared for
    sure; what is told is checked against the two texts themselves."""
    draw, own = random.Random(seed), WORKS[WorkId(f"work:{work}")].split()[start : start + count]
    for place in range(every // 2, count, every):
        own[place] = draw.choice(["other", "", "two more"])
    query = f"{prose(1000 + seed, 30)} {' '.join(own)} {prose(2000 + seed, 30)}"
    best = near_matches(index, query)[0]
    assert best.work == f"work:{work}" and best.similarity_ppm >= LEAST_PPM
    theirs = [w for w, _, _ in words(WORKS[best.work][best.work_start : best.work_end])]
    mine = [w for w, _, _ in words(query[best.start : best.end])]
    assert (len(mine), mine[0], mine[-1]) == (best.words, theirs[0], theirs[-1])
    assert best.same_words == common(mine, theirs) >= LEAST_WORDS
    assert best.similarity_ppm == best.same_words * PPM // max(len(mine), len(theirs))
    assert NearMatch.from_json(best.to_json()) == best


def common(one, other):
    """Length of a longest common subsequence, by the textbook table."""
    row = np.zeros(len(other) + 1, int)
    for word in one:
        before = row.copy()
        for place, their in enumerate(other, 1):
            row[place] = before[place - 1] + 1 if word == their else max(row[place - 1], before[place])
    return row[-1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.integers(3, 1400))
def test_twelve_words_in_a_row_always_share_a_fingerprint(index, work, start):
    run = [w for w, _, _ in words(WORKS[WorkId(f"work:{work}")])][start : start + GRAM + WINDOW - 1]
    hits = [w for s in index.segments for w in s.fingerprinted(run, 99)[1].tolist() if s.works[w] == f"work:{work}"]
    assert hits


def test_other_texts_resemble_nothing(index):
    assert near_matches(index, prose(555, 800)) == []
    assert near_matches(index, "v1") == []


def test_a_removed_work_is_not_resembled(tmp_path):
    index = CorpusIndex(tmp_path / "i", WORKS.__getitem__)
    index.add(WORKS.items())
    index.remove([WorkId("work:2")])
    assert near_matches(index, WORKS[WorkId("work:2")]) == []


def test_a_whole_long_work_is_compared_in_pieces(tmp_path):
    text = prose(3, 9000, 9000)
    index = CorpusIndex(tmp_path / "i", {WorkId("work:0"): text}.__getitem__)
    index.add([(WorkId("work:0"), text)])
    found = near_matches(index, text.replace("v77", "changed"))
    assert sum(match.same_words for match in found) > 8500 and len(found) >= 2


def test_without_the_package_it_is_said(index, monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(LookupFault) as fault:
        near_matches(index, WORKS[WorkId("work:1")][200:900])
    assert fault.value.code == "lookup-missing" and "not found" in fault.value.message
