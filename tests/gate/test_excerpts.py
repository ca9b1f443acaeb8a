"""Stolen chapters: found with their place, credited to whom they were taken from, and nothing else is taken."""

import random
from collections.abc import Callable

import pytest

from byline.core import Example, ExampleId, GateError, Work, WorkId
from byline.gate import credited_works, find_clusters, find_excerpts, own_lengths
from byline.gate.excerpts import MIN_PASSAGE

Make = Callable[..., Work]


def prose(seed: int, words: int) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(5000)}" for _ in range(words)]


def stolen(part: float = 0.0, words: int = 400) -> tuple[str, str, int, int]:
    """Text of a book, of another with a passage of it inside, and the passage's place there."""
    book, own, chance = prose(1, 8000), prose(2, 8000), random.Random(3)
    passage = [chance.choice(own) if chance.random() < part else word for word in book[3000 : 3000 + words]]
    before = " ".join(own[:5000]) + " "
    return " ".join(book), f"{before}{' '.join(passage)} {' '.join(own[5000:])}", len(before), len(" ".join(passage))


@pytest.mark.parametrize("part", [0.0, 0.02, 0.1, 0.2])
def test_a_stolen_chapter_is_found_where_it_stands_though_the_books_are_not_near(work: Make, part: float) -> None:
    book, mixed, at, length = stolen(part)
    works = [work("Book", "Ann"), work("Mine", "Eve")]
    texts = {works[0].id: book, works[1].id: mixed}
    assert find_clusters(works, texts).near == ()
    found = find_excerpts(works, texts)
    assert {(each.work, each.earlier) for each in found} == {(works[1].id, works[0].id)}
    assert at - 1 <= min(each.start for each in found) and max(each.end for each in found) <= at + length + 1
    assert sum(each.end - each.start for each in found) >= length * (0.9 if part < 0.2 else 0.5)
    first = find_excerpts(works[::-1], texts)[0]
    assert (first.work, first.earlier) == (works[0].id, works[1].id)  # who registers first has the better claim


def test_disguises_that_change_no_word_hide_nothing(work: Make) -> None:
    book, mixed, _at, length = stolen()
    works = [work("Book", "Ann"), work("Mine", "Eve")]
    disguised = mixed.upper().replace("W1", "w\u200b1")
    (found,) = find_excerpts(works, {works[0].id: book, works[1].id: disguised})
    assert abs(len(disguised[found.start : found.end].replace("\u200b", "")) - length) < length / 10
    assert found.matched_ppm == 1_000_000


def test_a_quotation_one_s_own_text_and_boilerplate_are_no_excerpts(work: Make) -> None:
    book, mixed, *_ = stolen(words=MIN_PASSAGE - 20)
    one, two = work("Book", "Ann"), work("Mine", "Eve")
    assert find_excerpts([one, two], {one.id: book, two.id: mixed}) == ()
    book, mixed, *_ = stolen()
    again = work("Mine again", "Ann")
    assert find_excerpts([one, again], {one.id: book, again.id: mixed}) == ()
    many = [work(f"t{n}", f"author {n}") for n in range(30)]
    header = " ".join(prose(9, 200))
    assert find_excerpts(many, {w.id: f"{header} {' '.join(prose(n, 50))}" for n, w in enumerate(many, 50)}) == ()
    with pytest.raises(GateError, match="no text"):
        find_excerpts([one], {})


def test_examples_inside_are_credited_and_the_rest_stays(work: Make) -> None:
    book, mixed, at, length = stolen()
    ann, eve = work("Book", "Ann"), work("Mine", "Eve")
    excerpts = find_excerpts([ann, eve], {ann.id: book, eve.id: mixed})

    def example(start: int, end: int, of: WorkId = eve.id) -> Example:
        return Example(ExampleId(f"ex:{start}"), of, start, end, "")

    spans = [(0, 100), (at, at + length), (at - 100, at + 90), (at - 90, at + 100), (at + length, at + length + 50)]
    credited = credited_works([*(example(*span) for span in spans), example(at, at + 9, ann.id)], excerpts)
    assert credited == [eve.id, ann.id, eve.id, ann.id, eve.id, ann.id]
    lengths = own_lengths({ann.id: len(book), eve.id: len(mixed)}, [*excerpts, *excerpts])
    assert lengths == {ann.id: len(book), eve.id: len(mixed) - (excerpts[0].end - excerpts[0].start)}
