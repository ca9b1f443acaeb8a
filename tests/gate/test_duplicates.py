"""Near-copies: against a slow truth, on the real corpus, and against people who try to profit from them."""

import random
import re
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import PPM, GateError, Work, WorkId, cluster_id
from byline.gate import Clusters, SharedFile, find_clusters
from byline.gate.duplicates import COMMON_FLOOR, COMMON_PART, FIRST_HOLDERS, MIN_SHARED, NEAR_PPM

Make = Callable[..., Work]
Speeches = tuple[tuple[Work, ...], dict[WorkId, str]]


def prose(seed: int, words: int) -> str:
    chance = random.Random(seed)
    return " ".join(f"w{chance.randrange(5000)}" for _ in range(words))


def edited(text: str, part: float, seed: int = 0) -> str:
    """The text with that part of its words replaced."""
    chance = random.Random(seed)
    return " ".join(f"x{chance.randrange(5000)}" if chance.random() < part else word for word in text.split())


def cluster(pairs: list[tuple[Work, str]]) -> Clusters:
    return find_clusters([work for work, _ in pairs], {work.id: text for work, text in pairs})


def near(clusters: Clusters) -> set[tuple[WorkId, WorkId]]:
    return {(pair.earlier, pair.work) for pair in clusters.near}


def shingle_sets(texts: list[str]) -> list[set[tuple[str, ...]]]:
    """The slow truth: runs of five words as tuples, without those that are boilerplate."""
    sets = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        size = min(5, len(words))
        sets.append({tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if words else set())
    distinct = [sets[i] for i in range(len(texts)) if texts[i] not in texts[:i]]
    limit = max(COMMON_FLOOR, len(distinct) // COMMON_PART)
    return [{run for run in runs if sum(run in other for other in distinct) <= limit} for runs in sets]


def slow_pairs(texts: list[str]) -> dict[tuple[int, int], int]:
    sets, pairs = shingle_sets(texts), {}
    for i, j in combinations(range(len(texts)), 2):
        smaller, shared = min(len(sets[i]), len(sets[j])), len(sets[i] & sets[j])
        if shared and shared * PPM >= NEAR_PPM * smaller and shared >= min(MIN_SHARED, smaller):
            pairs[i, j] = shared * PPM // smaller
    return pairs


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([prose(s, 9) for s in range(5)] + ["a", "b c", "d"]), max_size=7).map(" ".join),
        max_size=FIRST_HOLDERS,
    )
)
def test_pairs_are_those_of_a_slow_loop_over_sets(work: Make, texts: list[str]) -> None:
    works = [work(str(position)) for position in range(len(texts))]
    found = find_clusters(works, {made.id: text for made, text in zip(works, texts, strict=True)})
    place = {made.id: position for position, made in enumerate(works)}
    pairs = {(place[pair.earlier], place[pair.work]): pair.containment_ppm for pair in found.near}
    assert pairs == slow_pairs(texts)


@pytest.mark.parametrize("part", [0.0, 0.02, 0.1, 0.2])
def test_an_edited_copy_is_near(work: Make, part: float) -> None:
    text = prose(1, 3000)
    original, copy = work("Book", "Ann"), work("Volume", "Copycat")
    found = cluster([(original, text), (work("Other", "Bob"), prose(2, 3000)), (copy, edited(text, part))])
    assert near(found) == {(original.id, copy.id)}
    assert found.near[0].containment_ppm == pytest.approx((1 - part) ** 5 * PPM, rel=0.15)
    assert dict(found.cluster_of)[copy.id] == cluster_id(original.id)


def test_a_chapter_out_of_a_book_is_near_whichever_comes_first(work: Make) -> None:
    book, chapter = prose(1, 20_000), " ".join(prose(1, 20_000).split()[7000:8000])
    for first, second in ((book, chapter), (chapter, book)):
        found = cluster([(work("First", "Ann"), first), (work("Second", "Bob"), second)])
        assert [pair.containment_ppm for pair in found.near] == [PPM]


def test_a_quotation_is_no_copy_but_a_whole_short_poem_is(work: Make) -> None:
    poem = "an old silent pond a frog jumps into the pond splash silence again"
    essay, quoting = prose(1, 40), prose(2, 40)
    quoting += " " + " ".join(essay.split()[:15])
    assert not cluster([(work("Essay", "Ann"), essay), (work("Letter", "Bob"), quoting)]).near
    collection = f"{prose(3, 500)} {poem} {prose(4, 500)}"
    assert len(cluster([(work("Pond", "Ann"), poem), (work("All", "Bob"), collection)]).near) == 1


def test_disguises_that_change_no_word(work: Make) -> None:
    text = "The Café's old waiter — naïve, they said — served “fine” coffee to the ﬁrst guests of the year. " * 2
    disguised = text.upper().replace(" ", "\n  ").replace("O", "O\u200b").replace("—", "**").replace("É", "E\u0301")
    found = cluster([(work("A", "Ann"), text), (work("B", "Bob"), disguised)])
    assert [pair.containment_ppm for pair in found.near] == [PPM]


def test_text_without_spaces_is_compared_by_character(work: Make) -> None:
    text = "古池や蛙飛びこむ水の音。閑さや岩にしみ入る蝉の声。夏草や兵どもが夢の跡。"
    found = cluster([(work("A", "Ann"), text), (work("B", "Bob"), text[5:25])])
    assert len(found.near) == 1


def test_boilerplate_is_no_evidence(work: Make) -> None:
    header = prose(99, 60)
    pairs = [(work(f"t{n}", f"author {n}"), f"{header} {prose(n, 40)}") for n in range(COMMON_FLOOR + 1)]
    assert cluster(pairs).near == ()
    assert len(cluster(pairs[:COMMON_FLOOR]).near) == COMMON_FLOOR * (COMMON_FLOOR - 1) // 2


def test_a_text_cannot_be_made_boilerplate_by_copying_it_often(work: Make) -> None:
    text = prose(1, 400)
    originals = [(work("Book", "Ann"), text)] + [(work(f"o{n}", f"author {n}"), prose(n, 50)) for n in range(2, 5)]
    exact = [(work(f"c{n}", "Copycat"), text) for n in range(60)]
    found = cluster(originals + exact)
    assert {name for work_, name in found.cluster_of if work_ in {w.id for w, _ in exact}} == {
        cluster_id(originals[0][0].id)
    }


def test_the_canonical_work_is_the_first_registered_whatever_dates_say(work: Make) -> None:
    text = prose(1, 300)
    first, second = work("A", "Ann"), work("B", "Bob")
    for pairs in ([(first, text), (second, text)], [(second, text), (first, text)]):
        assert {name for _, name in cluster(pairs).cluster_of} == {cluster_id(pairs[0][0].id)}
        assert [(pair.earlier, pair.prior) for pair in cluster(pairs).near] == [(pairs[0][0].id, True)]


def test_the_same_contributors_have_no_prior_claim_against_themselves(work: Make) -> None:
    text = prose(1, 300)
    first, second = work("A", "Ann", "Bob"), work("A, new edition", "Bob", "Ann", account="press")
    found = cluster([(first, text), (second, edited(text, 0.02))])
    assert [pair.prior for pair in found.near] == [False]
    assert {name for _, name in found.cluster_of} == {cluster_id(first.id)}


@pytest.mark.parametrize("names", [("Bob",), ("Ann", "Bob"), ("Ann", "Copycat")])
def test_other_contributors_cannot_take_a_place_beside_the_author(work: Make, names: tuple[str, ...]) -> None:
    text = prose(1, 300)
    found = cluster([(work("A", "Ann", "Cid"), text), (work("B", *names), text)])
    assert [pair.prior for pair in found.near] == [True]


def test_a_copycat_anthology_merges_nobody_and_spoils_no_later_edition(work: Make) -> None:
    one, two = prose(1, 300), prose(2, 300)
    ann, bob, thief = work("A", "Ann"), work("B", "Bob"), work("Best of", "Copycat")
    again = work("B, second edition", "Bob")
    found = cluster([(ann, one), (bob, two), (thief, f"{one} {two}"), (again, edited(two, 0.02))])
    clusters = dict(found.cluster_of)
    assert clusters[ann.id] == clusters[thief.id] == cluster_id(ann.id)
    assert clusters[bob.id] == clusters[again.id] == cluster_id(bob.id)
    assert {(pair.earlier, pair.prior) for pair in found.near if pair.work == again.id} == {
        (bob.id, False),
        (thief.id, False),
    }


def test_a_copy_is_no_link_between_two_authors(work: Make) -> None:
    one, two = prose(1, 300), prose(2, 300)
    ann, thief, bob = work("A", "Ann"), work("Best of", "Copycat"), work("B", "Bob")
    found = cluster([(ann, one), (thief, f"{one} {two}"), (bob, two)])
    assert dict(found.cluster_of)[bob.id] == cluster_id(bob.id)
    assert [pair.prior for pair in found.near if pair.work == bob.id] == [False]


def test_a_missing_text(work: Make) -> None:
    one = work("A")
    with pytest.raises(GateError, match=one.id) as caught:
        find_clusters([one], {})
    assert caught.value.code == "no-text"


def test_no_works_and_no_words(work: Make) -> None:
    assert find_clusters([], {}) == Clusters((), ())
    assert cluster([(work("A"), ""), (work("B"), "…")]).near == ()


def test_no_speech_is_taken_for_another_and_every_copy_is_found(work: Make, speeches: Speeches) -> None:
    works, texts = speeches
    copies = []
    for position in (3, 60, 150, 230):
        original = works[position]
        for name, text in (
            ("edited", edited(texts[original.id], 0.1)),
            ("excerpt", texts[original.id][2000:8000]),
        ):
            copies.append((original.id, work(f"{name} {position}", "Copycat"), text))
    all_texts = texts | {copy.id: text for _, copy, text in copies}
    found = find_clusters([*works, *(copy for _, copy, _ in copies)], all_texts)
    expected = {(original, copy.id) for original, copy, _ in copies}
    among_copies = {pair for pair in near(found) if pair[0] not in texts}
    assert near(found) - among_copies == expected
    assert len({name for _, name in found.cluster_of}) == len(works)


def test_files_that_look_up_found_alike_count_as_texts_do(work: Make) -> None:
    first, copy, own, third = work("Photo", "Ann"), work("Crop", "Eve"), work("Again", "Ann"), work("Collage", "Bob")
    works, words = [first, copy, own, third], {made.id: made.title for made in (first, copy, own, third)}
    shared = [
        SharedFile(copy.id, first.id, 700_000),
        SharedFile(first.id, own.id, 900_000),
        SharedFile(copy.id, own.id, 600_000),
        SharedFile(third.id, copy.id, 400_000),
        SharedFile(copy.id, third.id, 350_000),
    ]
    found = find_clusters(works, words, shared)
    assert dict(found.cluster_of) == {
        first.id: cluster_id(first.id),
        copy.id: cluster_id(first.id),
        own.id: cluster_id(first.id),
        third.id: cluster_id(third.id),  # a copy of a copy links nothing
    }
    told = {(pair.earlier, pair.work): (pair.containment_ppm, pair.prior) for pair in found.near}
    assert told[first.id, copy.id] == (700_000, True) and told[first.id, own.id] == (900_000, False)
    assert told[copy.id, third.id] == (400_000, False)
    assert find_clusters(works, words, list(reversed(shared))) == found
